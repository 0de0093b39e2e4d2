"""How music sounded, year by year and genre by genre: Spotify's means of audio features.

`data_by_year.csv` and `data_by_genres.csv` come from Spotify's web API, a row a year and a row a
genre. Nothing in them refers to Last.fm: they are read for their own sake, where they are given.
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pandas as pd

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns

BY_YEAR: Final = "data_by_year.csv"
BY_GENRES: Final = "data_by_genres.csv"
POPULARITY: Final = "popularity"
UNITS: Final = MappingProxyType(
    {
        "acousticness": "0 to 1",
        "danceability": "0 to 1",
        "duration_ms": "milliseconds",
        "energy": "0 to 1",
        "instrumentalness": "0 to 1",
        "liveness": "0 to 1",
        "loudness": "dB",
        "speechiness": "0 to 1",
        "tempo": "beats per minute",
        "valence": "0 to 1",
        POPULARITY: "0 to 100",
    }
)
"""Unit of each feature, in the order of the table."""
AUDIO_FEATURES: Final = (Columns.YEAR, "feature", "value")
"""Columns of `insight/audio_features`, in order."""
GENRE: Final = "genres"
NOT_SET: Final = "LASTFM_AUDIO_FEATURES is not set"
_REMEDY: Final = "or unset LASTFM_AUDIO_FEATURES"
_FIRST_YEAR: Final = 1000
_LAST_YEAR: Final = 2100
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SHOWN: Final = 60
"""Characters of a bad cell that a message shows."""


@dataclass(frozen=True, slots=True)
class AudioFiles:
    """Both files, typed; a column a feature."""

    years: pd.DataFrame
    """`year` and the features of `UNITS`, one row a year, ascending; float64 but the year."""
    genres: pd.DataFrame
    """`genres` and the features of `UNITS`, one row a genre, in file order."""
    signature: str
    """SHA-256 of both files' bytes."""


def read_audio_files(folder: str) -> AudioFiles:
    """Reads and types both files.

    Args:
        folder: where they lie.

    Raises:
        BadInputError: there is no such folder, a file is missing, or a line of it cannot be used.
    """
    place = _place(folder)
    contents = {name: _content(place / name) for name in (BY_YEAR, BY_GENRES)}
    years = _typed(contents[BY_YEAR], place / BY_YEAR, Columns.YEAR)
    genres = _typed(contents[BY_GENRES], place / BY_GENRES, GENRE)
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return AudioFiles(
        years.astype({Columns.YEAR: "int64"}).sort_values(Columns.YEAR, ignore_index=True),
        genres.astype({GENRE: "str"}),
        digest.hexdigest(),
    )


def long_table(years: pd.DataFrame) -> pd.DataFrame:
    """`AUDIO_FEATURES`: a row a year and feature, by year, features in the order of `UNITS`."""
    table = years.melt(Columns.YEAR, list(UNITS), "feature", "value")
    table = table.sort_values(Columns.YEAR, kind="stable", ignore_index=True)
    return table.astype({"feature": "str"})[list(AUDIO_FEATURES)]


def no_features() -> pd.DataFrame:
    """The table where no files are given."""
    return long_table(pd.DataFrame(columns=[Columns.YEAR, *UNITS])).astype(
        {Columns.YEAR: "int64", "value": "float64"}
    )


def _place(folder: str) -> Path:
    try:
        place = Path(folder).expanduser()
        found = "" if place.is_dir() else "a file" if place.exists() else "nothing"
    except (OSError, RuntimeError):  # a name too long, a folder that may not be entered, ~nobody
        found = "nothing that can be opened"
    if found:
        raise BadInputError(
            f"{one_line(folder)}: {found} was found, expected a folder with {BY_YEAR} and "
            f"{BY_GENRES}; set LASTFM_AUDIO_FEATURES to it {_REMEDY}"
        )
    return place


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise BadInputError(
            f"{one_line(file)}: not found, expected {BY_YEAR} and {BY_GENRES} in the folder of "
            f"LASTFM_AUDIO_FEATURES; put it there {_REMEDY}"
        ) from None
    except OSError as problem:
        raise BadInputError(
            f"{one_line(file)}: cannot be read ({one_line(problem.strerror)}), expected a readable "
            f"file; check its permissions {_REMEDY}"
        ) from None


def _typed(content: bytes, file: Path, row_of: str) -> pd.DataFrame:
    """The column that names a row, and the features; every line of the file is one row."""
    wanted = (row_of, *UNITS)
    lines = _lines(content, file)
    first, header = next(lines, (1, []))
    names = [name.strip().lower() for name in header]
    missing = [name for name in wanted if names.count(name) != 1]
    if missing:
        raise BadInputError(
            f"{one_line(file)}: line {first} names {names.count(missing[0]) or 'no'} "
            f"column{'s' if names.count(missing[0]) > 1 else ''} {missing[0]}, expected one each "
            f"of {', '.join(wanted)}; correct the header {_REMEDY}"
        )
    rows: list[list[float | str]] = []
    first_line: dict[float | str, int] = {}
    for line, cells in lines:
        if len(cells) != len(names):
            raise BadInputError(
                f"{one_line(file)}: line {line} has {len(cells)} fields, expected {len(names)} as "
                f"in the header; correct the line {_REMEDY}"
            )
        cell = dict(zip(names, (text.strip() for text in cells), strict=True))
        row = [_value(cell[name], name, file, line) for name in wanted]
        earlier = first_line.setdefault(row[0], line)
        if earlier != line:
            raise BadInputError(
                f"{one_line(file)}: line {line}, column {row_of}: {_cell(cell[row_of])} stands in "
                f"line {earlier} too, expected one line each; remove one {_REMEDY}"
            )
        rows.append(row)
    if not rows:
        raise BadInputError(
            f"{one_line(file)}: only a header was found, expected rows below it; replace the file "
            f"{_REMEDY}"
        )
    return pd.DataFrame(rows, columns=list(wanted))


def _lines(content: bytes, file: Path) -> Iterator[tuple[int, list[str]]]:
    """Fields of each line that is not blank, with the number of the line on which it ends."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = len(re.findall(rb"\r\n|\r|\n", content[: problem.start])) + 1
        raise BadInputError(
            f"{one_line(file)}: line {line} has bytes that are not UTF-8, expected UTF-8; save the "
            f"file as UTF-8 {_REMEDY}"
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as problem:
        raise BadInputError(
            f"{one_line(file)}: line {reader.line_num} is no CSV ({one_line(str(problem))}), "
            f"expected fields parted by commas; correct the line {_REMEDY}"
        ) from None


def _value(text: str, column: str, file: Path, line: int) -> float | str:
    """A cell as a year, a genre or a number."""
    if column == GENRE:
        value: float | str = text
        good, expected = bool(text), "a name"
    elif column == Columns.YEAR:
        whole = re.fullmatch(r"[0-9]{1,9}", text)
        value = int(text) if whole else 0
        good = _FIRST_YEAR <= value <= _LAST_YEAR
        expected = f"a year from {_FIRST_YEAR} to {_LAST_YEAR}"
    else:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        good, expected = math.isfinite(value), "a number"
    if not good:
        raise BadInputError(
            f"{one_line(file)}: line {line}, column {column}: {_cell(text)} was found, expected "
            f"{expected}; correct the line {_REMEDY}"
        )
    return value


def _cell(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
