"""Bytes of a raw file to a typed table that keeps, and numbers, every line.

Nothing is dropped here: a line that cannot be typed stays in the table with missing values, its
text and the reason. `clean` looks at what the values mean.
"""

import contextlib
import csv
import io
import re
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.tables import Field, RawTable
from lastfm_assets.sources.files import RawFile
from lastfm_assets.vocabulary import Columns

_INTEGER: Final = r"^\s*[+-]?[0-9]{1,18}\s*$"
"""Up to 18 digits: always within 64 bits."""
_BLOCK_BYTES: Final = 1 << 26
"""Longest line that is read at all; a longer one makes the file unusable."""
_HEADER_BYTES: Final = 1 << 16
"""Longest header; each of its fields is a column, and these cost far more than their bytes."""
_SHOWN: Final = 120
"""Characters of a bad header that an error message shows."""
_UNCLOSED: Final = re.compile(r'(?<![^,\r\n])"(?:[^"\r\n]++|"")*+(?=[\r\n]|\Z)')
"""A quote behind a comma with no other in its line, or one that only looks so from inside."""
_LINE: Final = re.compile(r'(?:[^",][^,]*+|"(?:[^"]++|"")*+"[^,]*+|)(?:,|\Z)')
"""A field that ends in its line, and what parts it from the next."""
_NO_LINE: Final = np.empty(0, dtype=np.int64)
NEVER_CLOSED: Final = "a quote is not closed in its line"


def parse(raw: RawFile, table: RawTable) -> pd.DataFrame:
    """Types a raw file.

    Args:
        raw: the file's bytes and how they are spelled.
        table: which file it is.

    Returns:
        One row a non-blank line, in file order: `line` (int64, the header being line 1), one
        column a field of `table` (`Int64` or `str`; missing where the file lacks it), and `text`
        and `reason`: missing, but for a line with the wrong number of fields, a quote that is not
        closed in it, or a field that could not be typed.

    Raises:
        BadInputError: the header is not the one expected, or there is no row below it.
    """
    content = _as_utf8(raw)
    names, rest = _header(content, raw, table)
    unclosed: list[tuple[int, str]] = []
    if raw.dialect.quoted and b'"' in rest:
        content, unclosed = _without_unclosed(content)
    columns, lines, refused = _split(content, raw, names) if rest.strip() else ({}, _NO_LINE, [])
    typed = _typed(columns, lines, raw, table)
    for rows, reason in ((refused, "wrong number of fields"), (unclosed, NEVER_CLOSED)):
        if rows:
            typed = pd.concat([typed, _untyped(rows, table, reason)], ignore_index=True)
    if typed.empty:
        raise BadInputError(
            f"{raw.name}: only a header was found, expected rows below it; replace the file"
        )
    return typed.sort_values(Columns.LINE, kind="stable", ignore_index=True)


def empty(table: RawTable) -> pd.DataFrame:
    """The table of an optional file that the source lacks: the same columns, no row."""
    columns: dict[str, pd.Series] = {Columns.LINE: pd.Series(dtype="int64")}
    for field in table.fields:
        columns[field.column] = pd.Series(dtype=_dtype(field))
    columns[Columns.TEXT] = pd.Series(dtype="str")
    columns[Columns.REASON] = pd.Series(dtype="str")
    return pd.DataFrame(columns)


def _as_utf8(raw: RawFile) -> bytes:
    """The content as valid UTF-8 without a byte order mark.

    Bytes that the file's encoding does not know become U+FFFD; those fields are refused as
    lines later, and the other lines are kept.
    """
    content = raw.content.removeprefix(b"\xef\xbb\xbf")
    text = content.decode(raw.dialect.encoding, errors="replace")
    return text.replace("\x00", "\ufffd").encode()


def _header(content: bytes, raw: RawFile, table: RawTable) -> tuple[list[str], bytes]:
    """Our column name for each field of the first line ("" if not needed), and the lines below."""
    line, *rest = re.split(rb"\r\n|\r|\n", content, maxsplit=1)
    if len(line) > _HEADER_BYTES:
        raise BadInputError(
            f"{raw.name}: the first line is {len(line):,} bytes long, expected a header of at most "
            f"{_HEADER_BYTES:,}; replace the file"
        )
    first = line.decode()
    found = first.split(raw.dialect.delimiter)
    if raw.dialect.quoted:
        with contextlib.suppress(csv.Error):  # a field above 128 KiB: noise, and no header
            found = next(csv.reader(io.StringIO(first), delimiter=raw.dialect.delimiter), [])
    by_header = {field.header.lower(): field for field in table.fields}
    fields = [by_header.get(column.strip().lower()) for column in found]
    known = [field for field in fields if field is not None]
    missing = [field.header for field in table.fields if field.required and field not in known]
    if missing or len(set(known)) != len(known):
        expected = raw.dialect.delimiter.join(field.header for field in table.fields)
        raise BadInputError(
            f"{raw.name}: the first line is {first[:_SHOWN]!r}, expected the header {expected!r}; "
            f"replace the file or name its columns so (missing: {', '.join(missing) or 'none'})"
        )
    return ["" if field is None else field.column for field in fields], b"".join(rest)


def _without_unclosed(content: bytes) -> tuple[bytes, list[tuple[int, str]]]:
    """The content with a blank line in the place of each whose quote is not closed in it.

    Else the reader would take all lines up to the next quote, or to the end of the file, for one
    field. Also gives number and text of these lines.
    """
    text = content.decode()
    found: list[tuple[int, str]] = []
    kept: list[str] = []
    number, done, seen = 1, 0, 0
    for match in _UNCLOSED.finditer(text):
        start = max(seen, text.rfind("\n", seen, match.start()) + 1)
        start = max(start, text.rfind("\r", start, match.start()) + 1)
        seen = match.end()
        if start == 0 or _is_whole(text[start:seen]):  # a header is not for here to judge
            continue
        kept.append(f"{text[done:start]} ")  # the space keeps \r and \n apart around it
        number += len(re.findall(r"\r\n|\r|\n", kept[-1]))
        found.append((number, text[start:seen]))
        done = seen
    return "".join([*kept, text[done:]]).encode() if found else content, found


def _is_whole(line: str) -> bool:
    """Whether every quoted field of a line ends in it."""
    at = 0
    while field := _LINE.match(line, at):
        if field.end() == len(line):
            return True
        at = field.end()
    return False


def _split(
    content: bytes, raw: RawFile, names: list[str]
) -> tuple[dict[str, pa.ChunkedArray], np.ndarray, list[tuple[int, str]]]:
    """Cuts lines into fields: the columns as text, their line numbers, and the lines refused."""
    refused: list[tuple[int, str]] = []

    def refuse(row: pacsv.InvalidRow) -> str:
        refused.append((row.number, row.text))
        return "skip"

    positions = [str(position) for position in range(len(names))]
    try:
        table = pacsv.read_csv(
            io.BytesIO(content),
            read_options=pacsv.ReadOptions(
                use_threads=False, skip_rows=1, column_names=positions, block_size=_BLOCK_BYTES
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=raw.dialect.delimiter,
                quote_char='"' if raw.dialect.quoted else False,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(positions, pa.large_string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as problem:
        reason = " ".join(str(problem).split())[:_SHOWN]
        raise BadInputError(f"{raw.name}: not a readable table ({reason}); replace it") from None
    lines = _line_numbers(table.num_rows, [number for number, _ in refused])
    # a column that is not needed keeps its position for a name: refused lines are shown whole
    kept = {
        name or position: table[position] for name, position in zip(names, positions, strict=True)
    }
    return kept, lines, [(number, text) for number, text in refused if text.strip()]


def _line_numbers(n_rows: int, skipped: list[int]) -> np.ndarray:
    """Line of each kept row, (n_rows,) int64: those from 2 on that were not skipped."""
    every = np.arange(2, 2 + n_rows + len(skipped))
    return np.setdiff1d(every, np.asarray(skipped, dtype=np.int64), assume_unique=True)


def _typed(
    columns: dict[str, pa.ChunkedArray], lines: np.ndarray, raw: RawFile, table: RawTable
) -> pd.DataFrame:
    """Text columns to typed ones; a row with a bad field keeps its text and the reason."""
    blank = np.ones(len(lines), dtype=bool)
    reasons = np.full(len(lines), None, dtype=object)
    typed: dict[str, pd.Series] = {Columns.LINE: pd.Series(lines, dtype="int64")}
    for field in table.fields:
        text = columns.get(field.column)
        if text is None:
            typed[field.column] = pd.Series([pd.NA] * len(lines), dtype=_dtype(field))
            continue
        text = pc.utf8_trim_whitespace(text)
        blank &= _flags(pc.equal(text, ""))
        typed[field.column], bad, reason = _column(text, field)
        reasons[bad & (reasons == None)] = reason  # noqa: E711 (elementwise)
    texts = np.full(len(lines), None, dtype=object)
    rows = np.flatnonzero(reasons != None)  # noqa: E711 (elementwise)
    fields = [columns[name].take(pa.array(rows)).to_pylist() for name in columns]
    texts[rows] = [raw.dialect.delimiter.join(row) for row in zip(*fields, strict=True)]
    typed[Columns.TEXT] = pd.Series(texts, dtype="str")
    typed[Columns.REASON] = pd.Series(reasons, dtype="str")
    return pd.DataFrame(typed)[~blank]


def _column(text: pa.ChunkedArray, field: Field) -> tuple[pd.Series, np.ndarray, str]:
    """One column typed, which of its rows could not be, and why those could not."""
    if field.kind == "text":
        bad = _flags(pc.match_substring(text, "\ufffd"))
        return text.to_pandas().astype("str"), bad, f"{field.header} has unknown bytes"
    good = pc.match_substring_regex(text, _INTEGER)
    digits = pc.if_else(good, pc.utf8_ltrim(text, "+"), None)
    numbers = digits.cast(pa.int64()).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return numbers, ~_flags(good), f"{field.header} is not a whole number"


def _untyped(refused: list[tuple[int, str]], table: RawTable, reason: str) -> pd.DataFrame:
    """Refused lines, as rows without values."""
    rows = empty(table).reindex(range(len(refused)))
    rows[Columns.LINE] = np.array([number for number, _ in refused], dtype=np.int64)
    rows[Columns.TEXT] = pd.Series([text for _, text in refused], dtype="str")
    rows[Columns.REASON] = reason
    return rows


def _dtype(field: Field) -> str:
    return "Int64" if field.kind == "integer" else "str"


def _flags(values: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(values.to_numpy(), dtype=bool)
