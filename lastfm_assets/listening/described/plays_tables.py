"""Gathered plays and items as the raw tables that every source gives."""

import numpy as np
import pandas as pd
import pyarrow as pa

from lastfm_assets.listening.described.plays_rows import Integers
from lastfm_assets.listening.described.texts import Flags
from lastfm_assets.vocabulary import Columns


def user_artists_table(
    lines: Integers,
    values: dict[str, Integers],
    seconds: Integers | None,
    refused: pd.DataFrame,
) -> pd.DataFrame:
    """Rows that can be used, and rows that cannot, by line.

    Args:
        lines: (n,) line of each row that can be used, ascending.
        values: (n,) numbers by their column; emptied, so that they are not held twice.
        seconds: (n,) time of each, since 1970 UTC; None where plays have none.
        refused: line, text and reason of each row that cannot be used.
    """
    n, every = len(lines), np.concatenate([lines, refused[Columns.LINE].to_numpy()])
    order = np.argsort(every, kind="stable")
    missing = order >= n
    at = np.where(missing, n, order)
    table: dict[str, pd.Series] = {Columns.LINE: pd.Series(every[order])}
    for name in list(values):
        known = np.append(values.pop(name), 0)[at]
        table[name] = pd.Series(pd.arrays.IntegerArray(known, missing.copy()))
    if seconds is not None:
        moments = np.append(seconds, 0)[at].astype("datetime64[s]")
        moments[missing] = np.datetime64("NaT")
        table[Columns.PLAYED_AT] = pd.Series(moments)
    for name in (Columns.TEXT, Columns.REASON):
        table[name] = _mostly_missing(refused[name], order - n, missing)
    return pd.DataFrame(table, copy=False)


def _mostly_missing(texts: pd.Series, at: Integers, there: Flags) -> pd.Series:
    """(n,) texts by their positions, missing but where one is there."""
    found = pa.nulls(len(at), pa.large_string())
    if len(texts):
        found = pa.array(texts, pa.large_string()).take(pa.array(at, mask=~there))
    return pd.Series(pd.array(found, dtype="str"))


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
