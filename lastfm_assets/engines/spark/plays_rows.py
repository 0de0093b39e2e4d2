"""A described table of plays, row by row: workers read batches by the local functions."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lastfm_assets.engines.spark.lines import BYTES, line_of_open_quote, numbered_lines
from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.delimited import delimited_pieces
from lastfm_assets.listening.described.header import columns_of, positions_of
from lastfm_assets.listening.described.pieces import Piece, missing_column, reason_of
from lastfm_assets.listening.described.plays_rows import Gathering, clock_of, gathering, take
from lastfm_assets.listening.described.texts import MISSING
from lastfm_assets.progress import no_progress
from lastfm_assets.sources.described_keys import PlaysColumns
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TEXT_ROLES: Final = ("user", "item", "item_name", "by")
SCHEMA: Final = (
    f"{Columns.LINE} bigint, user string, item string, item_name string, by string, "
    f"{Columns.PLAYS} bigint, {Columns.TEXT} string, {Columns.REASON} string"
)
"""A row a row that is not blank; of a refused one only line, text and reason are there."""
_BOM: Final = b"\xef\xbb\xbf"
_ASCII: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n"


def rows_of(spark: "SparkSession", file: PlaysFile, uri: str) -> "DataFrame":
    """The rows of a table of plays, typed or refused one by one; done when the frame is.

    Args:
        spark: the session.
        file: the table and its description.
        uri: as Spark names the file.

    Raises:
        BadInputError: the file cannot be used, or only by the local engine.
    """
    _refuse_what_is_local(file)
    if file.description.format == "parquet":
        return _rows_of_parquet(spark, file, uri)
    return _rows_of_lines(spark, file, uri)


def _refuse_what_is_local(file: PlaysFile) -> None:
    said = file.description
    why = ""
    if said.columns.time is not None or said.until is not None:
        why = "times of plays"
    elif not _keeps_line_ends(said.encoding):
        why = f"the encoding {said.encoding}"
    if why:
        raise BadInputError(
            f"{one_line(said.file)}: {why} cannot be read by the Spark engine, expected plays "
            "without times in UTF-8 or another superset of ASCII; use the local engine"
        )


def _keeps_line_ends(encoding: str) -> bool:
    """Whether a line can be found in the bytes, whatever else they mean."""
    try:
        return _ASCII.decode(encoding) == _ASCII.decode("ascii")
    except UnicodeError:
        return False


def _rows_of_lines(spark: "SparkSession", file: PlaysFile, uri: str) -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    try:
        names = columns_of(file)
        positions = positions_of(file, names)
    except (OSError, UnicodeError) as problem:
        raise BadInputError(
            f"{one_line(file.path.name)}: cannot be read ({reason_of(problem)}), expected a table "
            "of plays; check that it is whole and its permissions, or replace it"
        ) from None
    lines = numbered_lines(spark, uri)
    if file.description.header:
        lines = lines.where(f.col(Columns.LINE) > 1)
    opened = line_of_open_quote(lines) if file.description.quoted else None
    if opened is not None:
        raise BadInputError(
            f"{one_line(file.path.name)}: a quote stands alone in line {opened}, expected each "
            f"quoted field in one line for the Spark engine; set quoted = false in "
            f"{one_line(file.description.file)}, or use the local engine"
        )
    return lines.mapInArrow(_LineReader(file, positions, len(names)), SCHEMA)


@dataclass(frozen=True, slots=True)
class _LineReader:
    """Batches of numbered lines to rows, in a Python worker."""

    file: PlaysFile
    positions: dict[str, int]
    n_fields: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with tempfile.TemporaryDirectory() as folder:
            for batch in batches:
                numbers = batch.column(Columns.LINE).to_numpy()
                kept = self._taken(Path(folder), numbers, batch.column(BYTES).to_pylist())
                # the first line of the piece is a header that we have put there
                yield from _table(kept, numbers, first=2).to_batches()

    def _taken(self, folder: Path, numbers: np.ndarray, lines: list[bytes]) -> Gathering:
        """What the local reader keeps of the lines, as a file of its own with a plain header."""
        said = self.file.description
        if len(lines) and numbers[0] == 1:
            lines[0] = lines[0].removeprefix(_BOM)
        numbered = [str(number + 1) for number in range(self.n_fields)]
        header = said.delimiter.join(numbered).encode()
        name = self.file.path.name
        path = folder / (name[: -len(".gz")] if name.lower().endswith(".gz") else name)
        path.write_bytes(b"\n".join([header, *lines, b""]))
        columns = PlaysColumns(**{role: numbered[at] for role, at in self.positions.items()})
        piece = PlaysFile(path, replace(said, header=True, columns=columns))
        kept = gathering(piece)
        clock = clock_of(piece)
        for read in delimited_pieces(piece, no_progress):
            take(read, clock, kept)
        return kept


def _rows_of_parquet(spark: "SparkSession", file: PlaysFile, uri: str) -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    names = _columns_of_parquet(file)
    read = spark.read.option("__globPaths__", "false").parquet(uri)
    columns = [f.col(f"`{name.replace('`', '``')}`") for name in names]
    row = (f.col("_metadata.row_index") + 1).alias("_line")
    roles = file.description.columns.named()
    positions = {role: names.index(str(name)) for role, name in roles.items()}
    return read.select(row, *columns).mapInArrow(_ColumnReader(file, positions), SCHEMA)


def _columns_of_parquet(file: PlaysFile) -> list[str]:
    """The columns that are needed, in the order of the file."""
    name = one_line(file.path.name)
    try:
        with pq.ParquetFile(file.path) as table:
            schema = table.schema_arrow
    except (OSError, pa.ArrowException) as problem:
        raise BadInputError(
            f"{name}: not a readable parquet file ({reason_of(problem)}); replace it, or set "
            "`format`"
        ) from None
    wanted = {role: str(column) for role, column in file.description.columns.named().items()}
    for role, column in wanted.items():
        if schema.names.count(column) != 1:
            raise missing_column(file, role, column, schema.names)
        kind = schema.field(column).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_number(kind)):
            raise BadInputError(
                f"{name}: the column {one_line(column)} holds {one_line(kind)}, expected text or "
                "numbers for the Spark engine; use the local engine"
            )
    return [column for column in schema.names if column in wanted.values()]


def _is_number(kind: pa.DataType) -> bool:
    is_small = pa.types.is_integer(kind) and kind != pa.uint64()
    return bool(is_small or pa.types.is_float64(kind))


@dataclass(frozen=True, slots=True)
class _ColumnReader:
    """Batches of columns, the row's number first, to rows, in a Python worker."""

    file: PlaysFile
    positions: dict[str, int]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        clock = clock_of(self.file)
        for batch in batches:
            numbers = batch.column(0).to_numpy()
            names = batch.schema.names[1:]
            whole = pa.RecordBatch.from_arrays(batch.columns[1:], names=names)
            kept = gathering(self.file)
            places = np.arange(len(numbers))
            take(Piece(places, whole, self.positions, []), clock, kept)
            yield from _table(kept, numbers, first=0).to_batches()


def _table(kept: Gathering, numbers: np.ndarray, *, first: int) -> pa.Table:
    """Rows in the columns of `SCHEMA`; lines of the piece, counted from `first`, as the file's."""
    refused = kept.refusals.told()
    good = kept.lines.all().astype(np.int64)
    at = np.concatenate([good, refused[Columns.LINE].to_numpy(np.int64)]) - first
    n, m = len(good), len(refused)
    columns: dict[str, pa.Array] = {Columns.LINE: pa.array(numbers[at], pa.int64())}
    for role in TEXT_ROLES:
        texts = pa.nulls(n, pa.string())
        if role in kept.texts:
            column = kept.texts[role].all()
            codes = pa.array(column.codes, mask=column.codes == MISSING)
            texts = column.texts.take(codes).cast(pa.string())
        columns[role] = pa.concat_arrays([texts, pa.nulls(m, pa.string())])
    plays = kept.plays.all().astype(np.int64)
    columns[Columns.PLAYS] = pa.concat_arrays([pa.array(plays), pa.nulls(m, pa.int64())])
    for name in (Columns.TEXT, Columns.REASON):
        said = pa.array(refused[name].tolist(), pa.string())
        columns[name] = pa.concat_arrays([pa.nulls(n, pa.string()), said])
    return pa.table(columns)
