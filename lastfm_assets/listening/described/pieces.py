"""A described table of plays, piece by piece, so that it never lies in memory as a whole."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lastfm_assets.errors import BadInputError
from lastfm_assets.progress import Progress
from lastfm_assets.sources.described_keys import Column
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import listed, one_line

_ROWS: Final = 1 << 16
"""Rows of a piece of a parquet file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows that follow each other, and the lines among them that are no row."""

    lines: npt.NDArray[np.int64]
    """(n,) line of each row, the first line being 1; in parquet the number of the row."""
    whole: pa.RecordBatch
    """All columns that were read, (n,) each."""
    positions: Mapping[str, int]
    """Where in `whole` each role of a description is: user, item, item_name, by, plays, time."""
    refused: list[tuple[int, str]]
    """Line and text of lines with the wrong number of fields."""

    def column(self, role: str) -> pa.Array:
        """The (n,) values of a role."""
        return self.whole.column(self.positions[role])

    def texts(self, rows: npt.NDArray[np.int64], delimiter: str) -> list[str]:
        """Some rows as they stood in the file."""
        fields = [_values(column.take(pa.array(rows))) for column in self.whole.columns]
        return [delimiter.join(map(_text, row)) for row in zip(*fields, strict=True)]


def _values(column: pa.Array) -> list[object]:
    """Python's values; as text where Python has none, as of a day in the year 2,000,000."""
    try:
        return list(column.to_pylist())
    except (ArithmeticError, ValueError):
        return list(column.cast(pa.string()).to_pylist())


def _text(field: object) -> str:
    if isinstance(field, bytes):
        return field.decode(errors="replace")
    return "" if field is None else str(field)


def missing_column(
    file: PlaysFile, role: str, column: Column, found: list[str], hint: str = ""
) -> BadInputError:
    """The error that says which columns there are instead."""
    wanted = f"the column {one_line(column)}" if isinstance(column, str) else f"column {column}"
    how = "there more than once" if str(column) in found else "missing"
    remedy = hint or f"correct columns.{role} in {one_line(file.description.file)}"
    return BadInputError(
        f"{one_line(file.path.name)}: {wanted} is {how}; found {listed(found)}, expected one that "
        f"holds {role}; {remedy}"
    )


def reason_of(problem: Exception) -> str:
    """Why a file cannot be read; PyArrow's own words repeat the path."""
    number = getattr(problem, "errno", None)
    return os.strerror(number) if number else one_line(problem)


def parquet_pieces(file: PlaysFile, on_progress: Progress) -> Iterator[Piece]:
    """The rows of a parquet file.

    Args:
        file: the table.
        on_progress: told the rows read and the rows in all.

    Raises:
        BadInputError: it is no parquet file, is damaged or lacks a column.
    """
    try:
        with pq.ParquetFile(file.path) as table:
            columns = _needed(file, table.schema_arrow)
            names = [name for name in table.schema_arrow.names if name in columns.values()]
            positions = {role: names.index(name) for role, name in columns.items()}
            done, total = 0, table.metadata.num_rows
            for batch in table.iter_batches(_ROWS, columns=names, use_threads=False):
                lines = np.arange(done + 1, done + 1 + batch.num_rows)
                done += batch.num_rows
                whole = [_as_it_is(column) for column in batch.select(names).columns]
                read = pa.RecordBatch.from_arrays(whole, names)
                yield Piece(lines, read, positions, [])
                on_progress(done, total)
    except (OSError, pa.ArrowException) as problem:
        raise BadInputError(
            f"{one_line(file.path.name)}: not a readable parquet file ({reason_of(problem)}); "
            "replace it, or set `format`"
        ) from None


def _as_it_is(column: pa.Array) -> pa.Array:
    """A column; as bytes where the file calls it text and it is none, which Arrow believes."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        if pa.types.is_dictionary(column.type):
            texts = column.dictionary.cast(pa.large_binary())
            return pa.DictionaryArray.from_arrays(column.indices, texts)
        return column.cast(pa.large_binary())
    return column


def _needed(file: PlaysFile, schema: pa.Schema) -> dict[str, str]:
    columns = {role: str(name) for role, name in file.description.columns.named().items()}
    for role, name in columns.items():
        if schema.names.count(name) != 1:
            raise missing_column(file, role, name, schema.names)
        kind = schema.field(name).type
        if pa.types.is_nested(kind) and not pa.types.is_dictionary(kind):
            raise BadInputError(
                f"{one_line(file.path.name)}: the column {one_line(name)} holds "
                f"{one_line(kind)}, expected text, numbers or times; write one row a play"
            )
    return columns
