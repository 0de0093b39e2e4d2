"""HetRec's five files to raw tables: workers cut and type lines by the local functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from lastfm_assets.engines.spark.lines import (
    BYTES,
    first_line,
    line_of_open_quote,
    numbered_lines,
)
from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.parse import empty, parse
from lastfm_assets.listening.tables import RawTable
from lastfm_assets.sources.files import Dialect, RawFile
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_HEADER_BYTES: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
_SOMETHING: Final = r"[^ \t\r\n\x0b\f]"


def schema_of(table: RawTable) -> str:
    """Columns of a raw table as Spark declares them."""
    fields = [
        f"{field.column} {'bigint' if field.kind == 'integer' else 'string'}"
        for field in table.fields
    ]
    return ", ".join(
        (f"{Columns.LINE} bigint", *fields, f"{Columns.TEXT} string", f"{Columns.REASON} string")
    )


def types_of(table: RawTable) -> dict[str, str]:
    """What pandas keeps a raw table's columns as, where it is not as usual."""
    return {field.column: "Int64" for field in table.fields if field.kind == "integer"}


def parsed(
    spark: "SparkSession", uri: str, name: str, dialect: Dialect, table: RawTable
) -> "DataFrame":
    """A raw file typed, see `listening.parse.parse`; done when the frame is.

    Args:
        spark: the session.
        uri: as Spark names the file.
        name: as messages name it.
        dialect: how it spells its rows.
        table: which file it is.

    Raises:
        BadInputError: the header is not the one expected, there is no row below it, or a quoted
            field has several lines.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    header = first_line(spark, uri, _HEADER_BYTES).removeprefix(_BOM)
    lines = numbered_lines(spark, uri).where(f.col(Columns.LINE) > 1)
    rows = lines.where(f.decode(f.col(BYTES), "ISO-8859-1").rlike(_SOMETHING))
    content = header + b"\n" + (b"" if rows.isEmpty() else b"0")
    parse(RawFile(name, content, dialect), table)  # says what is wrong with the header
    opened = line_of_open_quote(lines) if dialect.quoted else None
    if opened is not None:
        raise BadInputError(
            f"{one_line(name)}: a quote stands alone in line {opened}, expected each quoted field "
            "in one line for the Spark engine; use the local engine, or correct the file"
        )
    return lines.mapInArrow(_Parser(name, header, dialect, table), schema_of(table))


@dataclass(frozen=True, slots=True)
class _Parser:
    """Batches of lines to rows, in a Python worker."""

    name: str
    header: bytes
    dialect: Dialect
    table: RawTable

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = batch.column(Columns.LINE).to_numpy()
            lines = batch.column(BYTES).to_pylist()
            yield from self._rows(numbers, lines).to_batches()

    def _rows(self, numbers: np.ndarray, lines: list[bytes]) -> pa.Table:
        body = b"\n".join(lines)
        frame = empty(self.table)
        if body.strip():
            raw = RawFile(self.name, self.header + b"\n" + body + b"\n", self.dialect)
            frame = parse(raw, self.table)
            at = frame[Columns.LINE].to_numpy(np.int64) - 2
            frame = frame.assign(**{Columns.LINE: numbers[at]})
        return _plain(frame, self.table)


def _plain(frame: pd.DataFrame, table: RawTable) -> pa.Table:
    texts = {field.column for field in table.fields if field.kind == "text"}
    texts |= {Columns.TEXT, Columns.REASON}
    columns = {
        str(name): pa.array(frame[name], pa.string() if name in texts else pa.int64())
        for name in frame
    }
    return pa.table(columns)
