"""Tables to serve, each set known by its number, so that a mixture of two would show."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from published_worlds import ODD_NAMES, lists_of

from lastfm_assets.recommendations.serving import Served, ServingTables
from lastfm_assets.vocabulary import SIMILAR_LIST


def similar_of(number: int, *, artists: int = 30) -> pd.DataFrame:
    """Ten relatives for each artist; every score tells the number."""
    to, rank = np.divmod(np.arange(artists * 10), 10)
    table = pd.DataFrame(
        {
            "to_artist_id": to,
            "to_artist_name": [ODD_NAMES[n % len(ODD_NAMES)] for n in to],
            "rank": (rank + 1).astype(np.int32),
            "artist_id": (to + rank + 1) % artists,
            "artist_name": [ODD_NAMES[n % len(ODD_NAMES)] for n in rank],
            "score": 1.0 / (rank + 1.0 + number / 1000),
            "similarity": np.full(artists * 10, number / 1000),
            "because": f"{number} listeners in common",
        }
    )
    texts = ("to_artist_name", "artist_name", "because")
    return table.astype(dict.fromkeys(texts, "str"))[list(SIMILAR_LIST)]


def artists_of(number: int, *, artists: int = 1000) -> pd.DataFrame:
    """A catalogue; the plays tell the number."""
    ids = np.arange(artists)
    names = pd.Series([ODD_NAMES[n % len(ODD_NAMES)] for n in ids], dtype="str")
    return pd.DataFrame(
        {"artist_id": ids, "artist_name": names, "listeners": ids % 50, "plays": ids + number}
    )


def tables_of(number: int, *, users: int = 40, artists: int = 30) -> ServingTables:
    """All tables of that number."""
    return ServingTables(
        lists_of(number, users=users), similar_of(number, artists=artists), artists_of(number)
    )


def keyed(tables: ServingTables) -> ServingTables:
    """The same of a source whose ids are text."""
    users, artists = tables.lists["user_id"].unique(), tables.artists["artist_id"]
    keys = pd.DataFrame(
        {
            "kind": pd.Series(["user"] * len(users) + ["artist"] * len(artists), dtype="str"),
            "id": [*users, *artists],
            "key": pd.Series(
                [*(f"user é {n}" for n in users), *(f"artist é {n}" for n in artists)], dtype="str"
            ),
        }
    )
    return replace(tables, keys=keys)


def served_of(number: int, tables: ServingTables | None = None) -> Served:
    """What a database holds once these tables have been published to it."""
    tables = tables or tables_of(number)
    at = datetime(2026, 1, 1, 3, 0, 0, 123_000, tzinfo=UTC) + timedelta(minutes=number)
    content = f"{number:064x}"
    return Served(number, content, tables.content, f"model {number}", "sample", at)
