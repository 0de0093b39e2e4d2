"""Brings a serving database to what the store's readers see."""

from dataclasses import dataclass

import pandas as pd
from pydantic import SecretStr

from lastfm_assets.io import Store
from lastfm_assets.recommendations.databases import open_database
from lastfm_assets.recommendations.names import keys_in
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.serving import Served, ServingTables, artists_with_plays
from lastfm_assets.vocabulary import Columns


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
    published = PublishedLists(store.root)
    version = published.version()
    tables = ServingTables(
        lambda: published.lists_of(version),
        lambda: store.read(("recommendations", "similar_artists"), pd.DataFrame),
        _artists(store),
        keys_in(store),
    )
    changed = database.publish(tables, Served.of(version, tables))
    return Serving(database.shown, version.number, tables.rows, changed)


def _artists(store: Store) -> pd.DataFrame:
    """The catalogue with its plays; the pairs themselves are not kept."""
    artists = store.read(("listening", "artists"), pd.DataFrame)
    plays = store.columns(("listening", "interactions"), [Columns.ARTIST, Columns.PLAYS])
    return artists_with_plays(artists, plays)
