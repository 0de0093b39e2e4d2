"""A small world to search in: two scenes of listeners, with some noise."""

import numpy as np
import pandas as pd

from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.tuning.study import Known

USERS, ARTISTS = 60, 50


def interactions() -> pd.DataFrame:
    """Even users mostly play even artists, odd ones odd ones; low numbers are more popular."""
    rng = np.random.default_rng(3)
    popular = 1.0 / (5 + np.arange(ARTISTS))
    rows = []
    for user in range(USERS):
        liked = popular * np.where((np.arange(ARTISTS) - user) % 2 == 0, 8.0, 1.0)
        artists = np.sort(rng.choice(ARTISTS, size=20, replace=False, p=liked / liked.sum()))
        plays = rng.integers(1, 500, size=20)
        rows += [(user + 1, artist + 100, n) for artist, n in zip(artists, plays, strict=True)]
    return pd.DataFrame(rows, columns=["user_id", "artist_id", "plays"])


def tables(plays: pd.DataFrame | None = None) -> CleanTables:
    """The world as a cleaned source: everybody tags half of what they play, and has a friend."""
    plays = interactions() if plays is None else plays
    tagged = plays.iloc[::2][["user_id", "artist_id"]]
    users = np.arange(1, USERS + 1)
    ids = np.arange(100, 100 + ARTISTS)
    return CleanTables(
        artists=pd.DataFrame({"artist_id": ids, "artist_name": [f"artist {id_}" for id_ in ids]}),
        interactions=plays,
        tag_assignments=tagged.assign(tag_id=tagged["artist_id"] % 2).reset_index(drop=True),
        friendships=pd.DataFrame({"user_id": users, "friend_id": np.roll(users, 2)}),
        rejected_rows=pd.DataFrame(),
    )


def known(seed: int = 0) -> Known:
    """What a search in this world may look at."""
    return Known.of_source(tables(), seed=seed)


def split_pairs() -> pd.DataFrame:
    """Every pair with its part."""
    return split(interactions(), seed=0)


def held_out() -> pd.DataFrame:
    """What no search may look at."""
    return pairs_of(split_pairs(), "held_out")


def nothing_beside(pairs: pd.DataFrame) -> Known:
    """Some pairs, neither tags nor friends."""
    return Known(pairs, np.arange(100, 100 + ARTISTS), SideTables.none())
