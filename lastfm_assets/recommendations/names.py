"""What the ids of published lists stand for, kept beside the lists."""

from typing import Final

import pandas as pd

from lastfm_assets.errors import StoreError, may_be_read_later
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.listening.keys import no_keys
from lastfm_assets.vocabulary import Columns

PUBLISHED_KEYS: Final = ("recommendations", "published_keys")
_ABOUT: Final = ("recommendations", "published_source")


def keep_names(store: Store, keys: pd.DataFrame, about: pd.DataFrame, source: str) -> None:
    """Keeps what the ids of published lists stand for, as a later source may know other ids.

    The number of a text never changes, so that keys of every version, also of one that is rolled
    back to, can lie in one table.

    Args:
        store: whose lists were published.
        keys: `kind, id, key` of the source that they were made from.
        about: its row of `raw/source`.
        source: its name.
    """
    every = pd.concat([_undamaged(store), keys], ignore_index=True)
    every = every.drop_duplicates([Columns.KIND, Columns.ID], ignore_index=True)
    store.write(
        PUBLISHED_KEYS,
        every.sort_values([Columns.KIND, Columns.ID], ignore_index=True),
        source=source,
    )
    keep_about(store, about, source)


def _undamaged(store: Store) -> pd.DataFrame:
    """As `keys_in`; no row where the file is damaged, as what is published now must have names."""
    try:
        return keys_in(store)
    except StoreError as problem:
        if may_be_read_later(problem):
            raise
        return no_keys()


def keep_about(store: Store, about: pd.DataFrame, source: str) -> None:
    """Keeps what the source of published lists says of itself; arguments as in `keep_names`."""
    store.write(_ABOUT, about, source=source)


def keys_in(store: Store) -> pd.DataFrame:
    """What the ids of published lists stand for; no row where they are the source's own."""
    there = store.has(PUBLISHED_KEYS, pd.DataFrame)
    return store.read(PUBLISHED_KEYS, pd.DataFrame) if there else no_keys()


def about_in(store: Store) -> About:
    """What the source of the published lists says of itself; older stores have artists."""
    if not store.has(_ABOUT, pd.DataFrame):
        return About("custom")
    return About.from_table(store.read(_ABOUT, pd.DataFrame))
