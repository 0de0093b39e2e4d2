"""Text files as numbered lines, each worker reading its own stretch of the file."""

from typing import TYPE_CHECKING, Final

from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

BYTES: Final = "bytes"
_BLOCK: Final = "_block"
_PLACE: Final = "_place"


def numbered_lines(spark: "SparkSession", uri: str) -> "DataFrame":
    """The lines of a text file, packed by gzip or not, ended by LF, CRLF or CR.

    The file is looked through once to count the lines of each stretch, which is all that the
    driver sees; then a line's number is its place in its stretch and what lies before.

    Args:
        spark: the session.
        uri: as Spark names the file.

    Returns:
        `line`, the first being 1, and `bytes`: what stands in it, whatever its encoding.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    read = spark.read.option("__globPaths__", "false").text(uri)
    lines = read.select(
        f.col("value").cast("binary").alias(BYTES),
        f.col("_metadata.file_block_start").alias(_BLOCK),
        f.monotonically_increasing_id().alias(_PLACE),
    )
    stretches = lines.groupBy(_BLOCK).agg(
        f.min(_PLACE).alias("first"), f.count(f.lit(1)).alias("lines")
    )
    offsets: list[Column] = []
    before = 0
    for stretch in sorted(stretches.collect(), key=lambda row: row[_BLOCK]):
        offsets += [f.lit(stretch[_BLOCK]), f.lit(before - stretch["first"] + 1)]
        before += stretch["lines"]
    none = f.lit(None).cast("bigint")
    offset = f.try_element_at(f.create_map(*offsets), f.col(_BLOCK)) if offsets else none
    moved = f.raise_error(f.lit("the file has been cut differently in between; run it again"))
    line = f.coalesce(offset.cast("bigint"), moved.cast("bigint")) + f.col(_PLACE)
    return lines.select(line.cast("bigint").alias(Columns.LINE), BYTES)


def first_line(spark: "SparkSession", uri: str, most: int) -> bytes:
    """The beginning of a file's first line, at most so many bytes of it; empty where none is."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    first = f.substring(f.col(BYTES), 1, most).alias(BYTES)
    lines = numbered_lines(spark, uri).where(f.col(Columns.LINE) == 1).select(first)
    row = lines.first()
    return b"" if row is None else bytes(row[BYTES])


def line_of_open_quote(lines: "DataFrame") -> int | None:
    """The first line with an odd number of quotes, which may go on in the next one."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    text = f.decode(f.col(BYTES), "ISO-8859-1")
    quotes = f.length(text) - f.length(f.replace(text, f.lit('"'), f.lit("")))
    row = lines.where(quotes % 2 == 1).agg(f.min(Columns.LINE).alias("line")).first()
    return None if row is None or row["line"] is None else int(row["line"])
