"""Which columns a delimited file has, seen from its first lines."""

import contextlib
import csv
import re
from collections import Counter
from typing import Final

import pyarrow as pa

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.pieces import missing_column
from lastfm_assets.listening.described.streams import utf8_stream
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import one_line

LINE_END: Final = r"\r\n|\r|\n"
_HEAD_BYTES: Final = 1 << 16
"""Bytes from which the columns are seen."""
_DELIMITERS: Final = ",\t;|"


def columns_of(file: PlaysFile) -> list[str]:
    """Names of the columns: of the header, or numbers where there is none."""
    text = _start_of(file)
    if not text.strip():
        raise BadInputError(
            f"{one_line(file.path.name)}: no line was found, expected a table of plays; replace it"
        )
    lines = re.split(LINE_END, text)
    if file.description.header:
        return [name.strip() for name in _fields(lines[0], file, file.description.delimiter)]
    filled = [line for line in lines if line.strip()]
    whole = filled[:-1] or filled  # the last one may be cut
    counts = Counter(len(_fields(line, file, file.description.delimiter)) for line in whole)
    return [str(number) for number in range(1, counts.most_common(1)[0][0] + 1)]


def _start_of(file: PlaysFile) -> str:
    with pa.OSFile(str(file.path)) as raw:
        start = utf8_stream(raw, file).read(_HEAD_BYTES)
    return str(start.decode(errors="replace")).removeprefix("\ufeff")


def _fields(line: str, file: PlaysFile, delimiter: str) -> list[str]:
    if file.description.quoted:
        with contextlib.suppress(csv.Error):
            return next(csv.reader([line], delimiter=delimiter), [""])
    return line.split(delimiter)


def positions_of(file: PlaysFile, names: list[str]) -> dict[str, int]:
    """Where each role's column is."""
    wanted = file.description.columns.named()
    for role, column in wanted.items():
        if names.count(str(column)) != 1:
            raise missing_column(file, role, column, names, _hint(file, names))
    return {role: names.index(str(column)) for role, column in wanted.items()}


def _hint(file: PlaysFile, names: list[str]) -> str:
    """The remedy where it is the delimiter, or the encoding, that is wrong."""
    shown = one_line(file.description.file)
    if any("\0" in name for name in names):
        return f'set encoding = "utf-16" in {shown}'
    first = re.split(LINE_END, _start_of(file))[0]
    wanted = {str(column) for column in file.description.columns.named().values()}
    for delimiter in _DELIMITERS:
        found = [name.strip() for name in _fields(first, file, delimiter)]
        if not file.description.header:
            found = [str(number + 1) for number in range(len(found))]
        if wanted <= set(found):
            return f"set delimiter = {_toml(delimiter)} in {shown}"
    return ""


def _toml(delimiter: str) -> str:
    return '"\\t"' if delimiter == "\t" else f'"{delimiter}"'
