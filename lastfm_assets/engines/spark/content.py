"""What a frame holds, in one text, whatever order its rows lie in; and ids as small numbers."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_PARTITION_BITS: Final = 33
"""Below these lies a row's place in its partition, see `monotonically_increasing_id`."""
POSITION: Final = "position"
"""Place of an id among all of its kind, from 0."""


def content_of(frame: "DataFrame") -> str:
    """A hash of rows as a set with repetitions: equal for equal rows, whoever computed it.

    Each row has two 64-bit hashes; their sums, their exclusive ors and the number of rows are
    hashed together by SHA-256. Only those five numbers leave the executors. It finds what has
    changed; it does not stand against somebody who wants two tables to look alike.

    Args:
        frame: of any columns; their names and order count.

    Returns:
        64 hex digits.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    columns = [f.col(name) for name in frame.columns]
    figures: list[Column] = [f.count(f.lit(1))]
    for salt in (0, 1):
        draw = f.xxhash64(f.lit(salt), *columns)
        figures += [f.sum(draw.cast("decimal(38,0)")), f.bit_xor(draw)]
    row = frame.agg(*(figure.alias(f"f{n}") for n, figure in enumerate(figures))).first()
    said = [*frame.columns, *(str(value) for value in row or ())]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def numbered(frame: "DataFrame", column: str, folder: str) -> "DataFrame":
    """Rows with the place of their id among all ids, from 0, rising with the id.

    The work is the executors': ids are sorted into ranges and counted there, and the driver sees
    one number a range.

    Args:
        frame: each id once, with anything beside it.
        column: the id, a bigint.
        folder: where the sorted rows are kept, as they must not be sorted twice: ranges are drawn
            from a sample.

    Returns:
        The frame with `position`, int.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    place = f.monotonically_increasing_id()
    frame.orderBy(column).withColumn("_place", place).write.mode("overwrite").parquet(folder)
    kept = frame.sparkSession.read.parquet(folder)
    part = f.shiftright("_place", _PARTITION_BITS).cast("int")
    sizes = {row["part"]: row["rows"] for row in _sizes(kept.select(part.alias("part")))}
    offsets = _offsets([sizes.get(part, 0) for part in range(max(sizes, default=-1) + 1)])
    within = f.col("_place").bitwiseAND((1 << _PARTITION_BITS) - 1)
    before = f.get(f.array(*(f.lit(offset) for offset in offsets)), part)
    return kept.withColumn(POSITION, (before + within).cast("int")).drop("_place")


def _sizes(parts: "DataFrame") -> Sequence[dict[str, int]]:
    counted = parts.groupBy("part").count().withColumnRenamed("count", "rows")
    return [row.asDict() for row in counted.collect()]


def _offsets(sizes: Sequence[int]) -> list[int]:
    """How many rows lie before each part; one zero where there is none."""
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + size)
    return offsets[: max(1, len(sizes))]
