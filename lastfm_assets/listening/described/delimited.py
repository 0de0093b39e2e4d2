"""Delimited text, packed or not, of any size and encoding, as pieces of rows."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.header import LINE_END, columns_of, positions_of
from lastfm_assets.listening.described.pieces import Piece, reason_of
from lastfm_assets.listening.described.streams import utf8_stream
from lastfm_assets.progress import Progress
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import one_line

_BLOCK_BYTES: Final = 8 << 20
"""Bytes read at once, and so the longest line."""
_MOST_REFUSED: Final = 1_000_000
"""Lines with the wrong number of fields after which the rest is not even read."""


def delimited_pieces(file: PlaysFile, on_progress: Progress) -> Iterator[Piece]:
    """The rows of a delimited file; a blank line is a row of blank fields.

    Bytes that the encoding does not know come as U+FFFD.

    Args:
        file: the table.
        on_progress: told the bytes read and the bytes in all.

    Raises:
        BadInputError: it cannot be read, is empty, lacks a column or has an overlong line.
    """
    name = one_line(file.path.name)
    lines = _Lines(quoted=file.description.quoted, header=file.description.header)
    try:
        names = columns_of(file)
        positions = positions_of(file, names)
        total = max(1, file.path.stat().st_size)
        with pa.OSFile(str(file.path)) as raw:
            end, last = bytearray(), (0, "")
            stream = utf8_stream(raw, file, end)
            for batch in pacsv.open_csv(stream, **_options(file, len(names), lines)):
                piece = lines.piece(batch, positions)
                last = max(last, _last_of(piece, end))
                yield piece
                on_progress(min(raw.tell(), total), total)
            if rest := lines.rest():
                yield _no_rows(names, positions, rest)
                last = max(last, rest[-1])
            if file.description.quoted and _is_open(last[1], file.description.delimiter):
                raise BadInputError(
                    f"{name}: the quote that is opened in line {last[0]} is never closed, and "
                    "takes all lines behind it for one field; close it, or set quoted = false"
                )
    except (OSError, UnicodeError) as problem:
        raise BadInputError(
            f"{name}: cannot be read ({reason_of(problem)}), expected a table of plays; check that "
            "it is whole and its permissions, or replace it"
        ) from None
    except pa.ArrowException as problem:
        if len(lines.waiting) < _MOST_REFUSED:
            raise _unreadable(file, lines.n_read, problem) from None
        yield _no_rows(names, positions, lines.rest())


def _last_of(piece: Piece, end: bytearray) -> tuple[int, str]:
    """Line and text of a piece's last record; of a row only its last field, where that is open."""
    last = max(piece.refused[-1:], default=(0, ""))
    if not len(piece.lines) or piece.lines[-1] < last[0]:
        return last
    text = piece.texts(np.array([len(piece.lines) - 1]), "\x1f")[0].rpartition("\x1f")[2]
    quotes = end.rstrip()
    is_closed = (len(quotes) - len(quotes.rstrip(b'"'))) % 2
    is_long = not is_closed and re.search(LINE_END, text)
    return int(piece.lines[-1]), f'"{text}' if is_long else ""


def _is_open(text: str, delimiter: str) -> bool:
    """Whether a record of several lines ends within a quoted field."""
    if not re.search(LINE_END, text):
        return False
    try:
        list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as problem:
        return "unexpected end" in str(problem) or "field limit" in str(problem)
    return False


def _no_rows(names: list[str], positions: dict[str, int], refused: list[tuple[int, str]]) -> Piece:
    """A piece of refused lines alone."""
    columns = [pa.array([], pa.binary()) for _ in names]
    batch = pa.RecordBatch.from_arrays(columns, names=[str(at) for at in range(len(names))])
    return Piece(np.empty(0, dtype=np.int64), batch, positions, refused)


def _unreadable(file: PlaysFile, n_read: int, problem: Exception) -> BadInputError:
    name, said = one_line(file.path.name), str(problem)
    if "straddl" in said or "block" in said or "quote" in said:
        remedy = (
            "close the quote, or set quoted = false" if file.description.quoted else "replace it"
        )
        return BadInputError(
            f"{name}: a line longer than {_BLOCK_BYTES >> 20} MiB, or a quote that is never "
            f"closed, was found after line {n_read}, expected short lines; {remedy}"
        )
    return BadInputError(f"{name}: not a readable table ({one_line(said)}); replace it")


class _Lines:
    """Numbers lines as pieces come, those that the reader refuses among them."""

    def __init__(self, *, quoted: bool, header: bool) -> None:
        self.waiting: list[tuple[int, str]] = []
        """Number and text of refused records whose piece is yet to come."""
        self.n_read = int(header)
        """Number of the last record of the pieces so far, a header being one."""
        self._quoted = quoted
        self._breaks = 0
        """Line ends inside quoted fields so far: these records have several lines."""

    def refuse(self, row: pacsv.InvalidRow) -> str:
        """Called by the reader for a record with the wrong number of fields."""
        self.waiting.append((row.number, row.text))
        return "skip" if len(self.waiting) < _MOST_REFUSED else "error"

    def piece(self, batch: pa.RecordBatch, positions: dict[str, int]) -> Piece:
        """The next piece."""
        skipped = np.array([number for number, _ in self.waiting], dtype=np.int64)
        every = np.arange(self.n_read + 1, self.n_read + 1 + batch.num_rows + len(skipped))
        numbers = np.setdiff1d(every, skipped, assume_unique=True)[: batch.num_rows]
        self.n_read = int(numbers[-1]) if len(numbers) else self.n_read
        among = [one for one in self.waiting if one[0] < self.n_read]
        self.waiting = self.waiting[len(among) :]
        lines, refused = self._on_lines(numbers, _breaks_of(batch, quoted=self._quoted), among)
        return Piece(lines, batch, positions, refused)

    def rest(self) -> list[tuple[int, str]]:
        """The refused lines behind the last piece."""
        none = np.empty(0, dtype=np.int64)
        _, refused = self._on_lines(none, none, self.waiting)
        self.waiting = []
        return refused

    def _on_lines(
        self,
        numbers: npt.NDArray[np.int64],
        breaks: npt.NDArray[np.int64],
        among: list[tuple[int, str]],
    ) -> tuple[npt.NDArray[np.int64], list[tuple[int, str]]]:
        """Numbers of records to numbers of lines; blank ones among the refused are left out."""
        inside = [len(re.findall(LINE_END, text)) * self._quoted for _, text in among]
        every = np.concatenate([numbers, np.array([at for at, _ in among], dtype=np.int64)])
        added = np.concatenate([breaks, np.array(inside, dtype=np.int64)])
        order = np.argsort(every, kind="stable")
        before = np.empty_like(added)
        before[order] = np.cumsum(added[order]) - added[order]
        lines = every + before + self._breaks
        self._breaks += int(added.sum())
        refused = zip(lines[len(numbers) :].tolist(), (text for _, text in among), strict=True)
        return lines[: len(numbers)], [(line, text) for line, text in refused if text.strip()]


def _breaks_of(batch: pa.RecordBatch, *, quoted: bool) -> npt.NDArray[np.int64]:
    """Line ends inside the fields of each row."""
    breaks = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns if quoted else []:
        if pc.any(pc.match_substring_regex(column, r"[\r\n]")).as_py():
            breaks += pc.count_substring_regex(column, LINE_END).to_numpy()
    return breaks


def _options(file: PlaysFile, n_fields: int, lines: _Lines) -> dict[str, Any]:
    said = file.description
    names = [str(position) for position in range(n_fields)]
    return {
        "read_options": pacsv.ReadOptions(
            use_threads=False,  # else refused lines come without their number
            skip_rows=int(said.header),
            column_names=names,
            block_size=_BLOCK_BYTES,
        ),
        "parse_options": pacsv.ParseOptions(
            delimiter=said.delimiter,
            quote_char='"' if said.quoted else False,
            newlines_in_values=said.quoted,
            ignore_empty_lines=False,
            invalid_row_handler=lines.refuse,
        ),
        "convert_options": pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
        ),
    }
