"""Brings a serving database to what the store's readers see."""

from dataclasses import dataclass
from typing import Final

import pandas as pd
from pydantic import SecretStr

from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.listening.keys import no_keys
from lastfm_assets.recommendations.databases import open_database
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.serving import Served, ServingTables, artists_with_plays
from lastfm_assets.vocabulary import Columns

_KEYS: Final = ("recommendations", "published_keys")
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
    every = pd.concat([keys_in(store), keys], ignore_index=True)
    every = every.drop_duplicates([Columns.KIND, Columns.ID], ignore_index=True)
    store.write(
        _KEYS, every.sort_values([Columns.KIND, Columns.ID], ignore_index=True), source=source
    )
    store.write(_ABOUT, about, source=source)


def keys_in(store: Store) -> pd.DataFrame:
    """What the ids of published lists stand for; no row where they are the source's own."""
    return store.read(_KEYS, pd.DataFrame) if store.has(_KEYS, pd.DataFrame) else no_keys()


def about_in(store: Store) -> About:
    """What the source of the published lists says of itself; older stores have artists."""
    if not store.has(_ABOUT, pd.DataFrame):
        return About("custom")
    return About.from_table(store.read(_ABOUT, pd.DataFrame))


@dataclass(frozen=True, slots=True)
class Serving:
    """What a serving database holds now."""

    database: str
    """Where it is, without credentials."""
    version: int
    """Number of the published version."""
    rows: dict[str, int]
    """Rows of each table."""
    changed: bool
    """False where it held exactly that already."""


def serve(store: Store, url: SecretStr | None) -> Serving | None:
    """Publishes the current lists, similar artists and names to the serving database.

    Args:
        store: whose published lists are served.
        url: see `databases.open_database`.

    Returns:
        What it holds now; None where there is no database to serve from.

    Raises:
        DatabaseUnavailableError: it cannot be reached; a little later it may be.
        BadInputError: it refuses us, or the URL names none.
        StoreError: nothing is published, or the file cannot be written.
    """
    database = open_database(url, store.root)
    if database is None:
        return None
    lists, version = PublishedLists(store.root).current()
    artists = store.read(("listening", "artists"), pd.DataFrame)
    interactions = store.read(("listening", "interactions"), pd.DataFrame)
    similar = store.read(("recommendations", "similar_artists"), pd.DataFrame)
    tables = ServingTables(
        lists, similar, artists_with_plays(artists, interactions), keys_in(store)
    )
    changed = database.publish(tables, Served.of(version, tables))
    rows = {name: len(table) for name, table in tables.by_name().items()}
    return Serving(database.shown, version.number, rows, changed)
