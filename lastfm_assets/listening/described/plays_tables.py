"""Gathered plays and items as the raw tables that every source gives."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from lastfm_assets.listening.blocks import Positions, blocks
from lastfm_assets.listening.described.plays_rows import Integers
from lastfm_assets.listening.described.texts import Flags
from lastfm_assets.vocabulary import Columns

_CHUNK: Final = 1 << 14
"""Rows of a chunk of texts that are mostly missing."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """Numbers by row that are few different ones."""

    ids: Integers
    """(m,)"""
    codes: Positions
    """(n,) position of each row's number in `ids`."""


def user_artists_table(
    lines: Positions,
    values: dict[str, Positions | Numbered],
    seconds: Positions | None,
    refused: pd.DataFrame,
) -> pd.DataFrame:
    """Rows that can be used, and rows that cannot, by line.

    Args:
        lines: (n,) line of each row that can be used, ascending.
        values: (n,) numbers by their column; emptied, so that they are not held twice.
        seconds: (n,) time of each, since 1970 UTC; None where plays have none.
        refused: line, text and reason of each row that cannot be used.
    """
    refused = refused.sort_values(Columns.LINE, kind="stable", ignore_index=True)
    others = refused[Columns.LINE].to_numpy()
    at = np.searchsorted(lines, others, side="right") + np.arange(len(others))
    known = np.ones(len(lines) + len(others), dtype=bool)
    known[at] = False
    every = _spread(lines, known)
    every[at] = others
    table: dict[str, pd.Series] = {Columns.LINE: pd.Series(every, copy=False)}
    for name in list(values):
        column = pd.arrays.IntegerArray(_spread(values.pop(name), known), ~known)
        table[name] = pd.Series(column, copy=False)
    if seconds is not None:
        moments = _spread(seconds, known).view("datetime64[s]")
        moments[at] = np.datetime64("NaT")
        table[Columns.PLAYED_AT] = pd.Series(moments, copy=False)
    for name in (Columns.TEXT, Columns.REASON):
        table[name] = _mostly_missing(refused[name], at, len(known))
    return pd.DataFrame(table, copy=False)


def _spread(values: Positions | Numbered, known: Flags) -> Integers:
    """(n,) numbers of the rows that are known, in order, and 0 for the others."""
    spread = np.zeros(len(known), dtype=np.int64)
    done = 0
    for rows in blocks(len(known)):
        n = int(np.count_nonzero(known[rows]))
        here = slice(done, done + n)
        numbers = values.ids[values.codes[here]] if isinstance(values, Numbered) else values[here]
        spread[rows][known[rows]] = numbers
        done += n
    return spread


def _mostly_missing(texts: pd.Series, at: Positions, n: int) -> pd.Series:
    """(n,) texts at (r,) rising positions, and missing elsewhere.

    An array of missing texts takes eight bytes each. So the column is cut into chunks, and those
    in which every text is missing are the same one.
    """
    some = pa.array(texts, pa.large_string())
    none = pa.nulls(min(n, _CHUNK), pa.large_string())
    chunks = []
    for start in range(0, n, _CHUNK):
        length = min(_CHUNK, n - start)
        first, last = np.searchsorted(at, (start, start + length))
        if first == last:
            chunks.append(none.slice(0, length))
            continue
        place = np.full(length, -1, dtype=np.int64)
        place[at[first:last] - start] = np.arange(first, last)
        chunks.append(some.take(pa.array(place, mask=place < 0)))
    found = pa.chunked_array(chunks, pa.large_string())
    return pd.Series(pd.array(found, dtype="str"), copy=False)


def artists_table(lines: Integers, ids: Integers, names: list[str]) -> pd.DataFrame:
    """The items, (m,) each, by the line in which they first appear."""
    n = len(lines)
    nothing = {
        name: pd.Series([None] * n, dtype="str")
        for name in (Columns.URL, Columns.PICTURE, Columns.TEXT, Columns.REASON)
    }
    table = {
        Columns.LINE: pd.Series(lines, dtype="int64"),
        Columns.ARTIST: pd.Series(ids, dtype="Int64"),
        Columns.NAME: pd.Series(names, dtype="str"),
    }
    return pd.DataFrame(table | nothing).sort_values(Columns.LINE, ignore_index=True)
