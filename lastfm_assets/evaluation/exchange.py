"""Held-out pairs and lists as CSV, and results as JSON: what others hand us and read from us."""

import io
import math
import re
from typing import Any, Final

import pandas as pd

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.identifiers import numbers_for
from lastfm_assets.listening.keys import KINDS
from lastfm_assets.vocabulary import Columns

HELD_OUT_COLUMNS: Final = (Columns.USER, Columns.ARTIST)
LISTS_COLUMNS: Final = (Columns.USER, Columns.ARTIST, Columns.SCORE)
_KNOWN: Final = (*LISTS_COLUMNS, Columns.NAME, Columns.PLAYS)
"""Columns that are read of anybody's table."""
_WHOLE: Final = r"-?[0-9]{1,18}"
"""Up to 18 digits: always within 64 bits."""
_LONG_HEADER: Final = re.compile(rb"\s*+[^\r\n]{65536}")
"""pandas makes an object of each column of it, which takes minutes from a hundred thousand on."""


def read_pairs(content: bytes, name: str) -> pd.DataFrame:
    """Held-out pairs from CSV with the header `user_id,artist_id`.

    Args:
        content: the file; further columns are ignored.
        name: the file's name, for messages.

    Returns:
        `user_id, artist_id`, as text: whether 007 is 7 is for the source to say.

    Raises:
        BadInputError: it is not such a file, or has no row.
    """
    return _read(content, name, HELD_OUT_COLUMNS)


def read_lists(content: bytes, name: str) -> pd.DataFrame:
    """Lists from CSV with the header `user_id,artist_id,score`; see `read_pairs`.

    Raises:
        BadInputError: it is not such a file, has no row, or a score is not a finite number.
    """
    lists = _read(content, name, LISTS_COLUMNS)
    scores = pd.to_numeric(lists[Columns.SCORE], errors="coerce")
    bad = ~scores.map(math.isfinite)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise BadInputError(
            f"{name}: row {row + 1} has the score {str(lists[Columns.SCORE].iloc[row])[:40]!r}, "
            "expected a finite number; correct it"
        )
    return lists.assign(**{Columns.SCORE: scores.astype("float64")})


def same_ids(lists: pd.DataFrame, held_out: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Makes the ids of both comparable: numbers where both files have numbers alone, else text."""
    for column in HELD_OUT_COLUMNS:
        both = (lists[column], held_out[column])
        if all(_are_numbers(ids) for ids in both):
            lists, held_out = (
                table.assign(**{column: table[column].astype("int64")})
                for table in (lists, held_out)
            )
    return lists, held_out


def ids_as_in_source(pairs: pd.DataFrame, name: str, keys: pd.DataFrame) -> pd.DataFrame:
    """The pairs with the numbers by which a source's users and artists go here.

    Args:
        pairs: see `read_pairs`.
        name: the file's name, for messages.
        keys: `kind, id, key` of the source, see `listening.keys`.

    Raises:
        BadInputError: the source's ids are numbers, and an id is not a whole number.
    """
    for column, kind in zip(HELD_OUT_COLUMNS, KINDS, strict=True):
        if (keys[Columns.KIND] == kind).any():  # text: the same text has the same number
            codes, texts = pd.factorize(pairs[column])
            pairs = pairs.assign(**{column: numbers_for(texts.tolist())[codes]})
        elif _are_numbers(pairs[column]):
            pairs = pairs.assign(**{column: pairs[column].astype("int64")})
        else:
            bad = next(value for value in pairs[column] if not re.fullmatch(_WHOLE, str(value)))
            raise BadInputError(
                f"{name}: {column} has {str(bad)[:40]!r}, expected whole numbers as in the source"
            )
    return pairs


def _are_numbers(ids: pd.Series) -> bool:
    return bool(ids.str.fullmatch(_WHOLE).all())


def as_json(
    means: dict[str, float], *, users: int, fit_seconds: float | None, rank_seconds: float | None
) -> dict[str, Any]:
    """One model's entry in the JSON of `evaluate` and `score`; what is unknown is null."""
    figures: dict[str, Any] = {
        name: None if math.isnan(value) else value for name, value in means.items()
    }
    return {
        **figures,
        "users": users,
        "fit_seconds": fit_seconds,
        "rank_seconds": rank_seconds,
    }


def _read(content: bytes, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    expected = ",".join(columns)
    table = read_table(content, name, f"the header {expected!r} and rows")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        found = ",".join(map(str, table.columns))[:120]
        raise BadInputError(
            f"{name}: the header is {found!r}, expected {expected!r}; missing {', '.join(missing)}"
        )
    if table.empty:
        raise BadInputError(f"{name}: no row below the header, expected {expected!r} rows")
    table = pd.DataFrame({column: table[column].str.strip() for column in columns})
    empty = (table == "").any(axis=1)
    if empty.any():
        row = int(empty.to_numpy().argmax())
        raise BadInputError(f"{name}: row {row + 1} has an empty field, expected {expected!r}")
    return table


def read_table(content: bytes, name: str, expected: str) -> pd.DataFrame:
    """A CSV that somebody hands in, as text.

    Args:
        content: the file.
        name: its name, for messages.
        expected: what messages say was expected.

    Returns:
        Its columns by their names without space around, each as text.

    Raises:
        BadInputError: it is no CSV in UTF-8, a row has more fields than the header, or a column
            is there twice.
    """
    if _LONG_HEADER.match(content):
        raise BadInputError(f"{name}: the first line is over 64 KiB long, expected {expected}")
    try:
        table = pd.read_csv(
            io.BytesIO(content), dtype="str", keep_default_na=False, encoding="utf-8-sig"
        )
    except (ValueError, UnicodeError) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise BadInputError(f"{name}: not a readable CSV ({reason}); expected {expected}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes a surplus field for an index
        raise BadInputError(
            f"{name}: rows have more fields than the header, expected {expected}; correct it"
        )
    names = table.columns.str.strip()
    plain = names.str.replace(r"\.[0-9]+$", "", regex=True)  # pandas numbers those of one name
    twice = [one for one in _KNOWN if (plain == one).sum() > 1]
    if twice:
        raise BadInputError(f"{name}: the header has {twice[0]} twice, expected {expected}")
    return table.set_axis(names, axis=1)
