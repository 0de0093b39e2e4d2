"""From a source's own ids to the numbers that stand for them, and back, see `raw/keys`."""

from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from lastfm_assets.vocabulary import Columns

Kind = Literal["user", "artist"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def no_keys() -> pd.DataFrame:
    """`kind, id, key` of a source whose ids are numbers: no row."""
    types = {Columns.KIND: "str", Columns.ID: "int64", Columns.KEY: "str"}
    return pd.DataFrame({name: pd.Series(dtype=type_) for name, type_ in types.items()})


def key_column(column: str) -> str:
    """Name of the column of keys beside a column of ids: `user_key` beside `user_id`."""
    return f"{column.removesuffix(Columns.ID)}{Columns.KEY}"


def keys_of(ids: np.ndarray, keys: pd.DataFrame, kind: Kind) -> pd.Series:
    """(n,) text: what the source calls each id; the digits of an id that is the source's own."""
    known = keys[keys[Columns.KIND] == kind].set_index(Columns.ID)[Columns.KEY]
    digits = pd.Series(ids).astype("str")
    if known.empty:
        return digits
    return known.reindex(ids).reset_index(drop=True).fillna(digits).astype("str")


def id_of(key: str, keys: pd.DataFrame, kind: Kind) -> int | None:
    """The number that stands for one key of a source; None where it has no such key."""
    if key.encode(errors="ignore").decode() != key:
        return None  # bytes that a terminal handed in and that are no text
    found = keys.loc[(keys[Columns.KIND] == kind) & (keys[Columns.KEY] == key), Columns.ID]
    return int(found.iloc[0]) if len(found) else None


def ids_of(texts: pd.Series, keys: pd.DataFrame, kind: Kind) -> pd.Series:
    """(n,) `Int64`: the number of each key, missing where the source has no such key."""
    known = keys[keys[Columns.KIND] == kind].set_index(Columns.KEY)[Columns.ID]
    return texts.map(known).astype("Int64")
