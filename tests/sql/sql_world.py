"""A small store whose every figure can be counted on one hand."""

from pathlib import Path

import pandas as pd

from lastfm_assets.io import Store
from lastfm_assets.sql.stored import StoredTables

INTERACTIONS = pd.DataFrame(
    {"user_id": [1, 1, 2, 3], "artist_id": [10, 20, 10, 20], "plays": [5, 7, 11, 13]}
)
ARTISTS = pd.DataFrame(
    {
        "artist_id": [10, 20, 30],
        "artist_name": ["Björk", "=1+1", "unheard"],
        "url": ["http://x/10", None, ""],
        "picture_url": [None, None, None],
    }
).astype({"url": "str", "picture_url": "str"})
SPLIT = pd.DataFrame(
    {
        "user_id": [1, 1, 2],
        "artist_id": [10, 20, 10],
        "plays": [5, 7, 11],
        "part": pd.Categorical(["train", "held_out", "held_out"]),
    }
)
TAG_ASSIGNMENTS = pd.DataFrame(
    {
        "user_id": [1, 4],
        "artist_id": [10, 30],
        "tag_id": [7, 7],
        "tag": ["calm", "calm"],
        "date": pd.to_datetime(["2009-04-01", "2010-12-31"]).astype("datetime64[s]"),
    }
)
FRIENDSHIPS = pd.DataFrame({"user_id": [1, 2], "friend_id": [2, 1]})
FIGURES = pd.DataFrame(
    {
        "part": pd.Categorical(["train", "held_out", "held_out"]),
        "user_id": [1, 1, 2],
        "ndcg@10": [1.0, 0.5, float("nan")],
    }
)


def small_store(folder: Path) -> StoredTables:
    """Listening tables, and the figures of two models a user."""
    store = Store(str(folder))
    tables = {
        "interactions": INTERACTIONS,
        "artists": ARTISTS,
        "split": SPLIT,
        "tag_assignments": TAG_ASSIGNMENTS,
        "friendships": FRIENDSHIPS,
    }
    for name, table in tables.items():
        store.write(("listening", name), table, source="small")
    for model in ("als", "popularity"):
        store.write(("evaluation", model), FIGURES, source="small")
    return StoredTables(store)
