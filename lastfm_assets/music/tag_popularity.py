"""How popular artists are by what they are called."""

from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.music.intervals import of_median
from lastfm_assets.music.spelling import in_one_spelling, most_used, quoted
from lastfm_assets.vocabulary import Columns

TAGS: Final = 40
"""Tags that are looked at, the most used of those with enough artists."""
MIN_ARTISTS: Final = 30
"""Artists below which the median of a tag says little."""
TAG_POPULARITY: Final = (
    Columns.TAG_VALUE,
    "artists",
    "listeners",
    "listeners_low",
    "listeners_high",
    "plays_per_listener",
    "plays_per_listener_low",
    "plays_per_listener_high",
    "lift",
)
"""Columns of `insight/tag_popularity`, in order."""
_NAMED: Final = 3


def tag_popularity(
    tag_assignments: pd.DataFrame,
    interactions: pd.DataFrame,
    *,
    seed: int,
    tags: int = TAGS,
    min_artists: int = MIN_ARTISTS,
) -> pd.DataFrame:
    """Listeners of the artists that carry a tag, and how much a listener plays them.

    An artist carries a tag that one user gave. To ask for two would keep the better known
    artists of each tag only, as an artist of one listener hardly has two who tag it.

    Args:
        tag_assignments: `user_id, artist_id, tag, date`; spellings are joined, see `spelling`.
        interactions: `user_id, artist_id, plays`; artists without a listener are left out.
        seed: of the draws; each tag has its own, so that one tag more changes no other's.
        tags: how many at most.
        min_artists: that a tag needs.

    Returns:
        `TAG_POPULARITY`, the tag whose artists have most listeners on top. `listeners` is the
        median over artists, `plays_per_listener` the median over artists of plays over listeners;
        the intervals are of artists drawn with replacement. `lift` is `listeners` over the median
        of all tagged artists, not of all artists: those are more popular than the untagged, as
        who is heard by more is tagged by more.
    """
    artists = _by_artist(interactions)
    given = in_one_spelling(tag_assignments)
    carried = given[given[Columns.ARTIST].isin(artists.index)]
    carried = carried.drop_duplicates([Columns.ARTIST, Columns.TAG_VALUE])
    enough = carried[Columns.TAG_VALUE].value_counts()
    enough = enough[enough >= min_artists]
    names = most_used(given[given[Columns.TAG_VALUE].isin(enough.index)], tags)
    usual = artists.loc[carried[Columns.ARTIST].unique(), "listeners"].median()
    rows = [
        _row(str(name), artists.loc[ids], float(usual), seed)
        for name, ids in carried.groupby(Columns.TAG_VALUE)[Columns.ARTIST]
        if name in names
    ]
    table = pd.DataFrame(rows, columns=list(TAG_POPULARITY))
    table = table.astype({Columns.TAG_VALUE: "str", "artists": "int64"})
    table = table.astype(dict.fromkeys(TAG_POPULARITY[2:], "float64"))
    by = ["listeners", "plays_per_listener", Columns.TAG_VALUE]
    return table.sort_values(by, ascending=[False, False, True], ignore_index=True)


def tagged_and_untagged(
    tag_assignments: pd.DataFrame, interactions: pd.DataFrame
) -> tuple[float, float]:
    """Median listeners of artists that carry a tag, and of those that carry none; NaN of none."""
    listeners = _by_artist(interactions)["listeners"]
    tagged = listeners.index.isin(tag_assignments[Columns.ARTIST])
    return float(listeners[tagged].median()), float(listeners[~tagged].median())


def in_words(table: pd.DataFrame) -> str:
    """The tags of the best known and of the most played artists.

    Args:
        table: see `tag_popularity`.
    """
    if table.empty:
        return "no tag is carried by enough artists"
    known = ", ".join(
        f"{quoted(row[Columns.TAG_VALUE])} ({row['listeners']:g} listeners, "
        f"{row['listeners_low']:g} to {row['listeners_high']:g})"
        for row in table.head(_NAMED).to_dict("records")
    )
    played = table.sort_values("plays_per_listener", ascending=False, kind="stable")
    most = ", ".join(
        f"{quoted(row[Columns.TAG_VALUE])} ({row['plays_per_listener']:,.0f} plays, "
        f"{row['plays_per_listener_low']:,.0f} to {row['plays_per_listener_high']:,.0f})"
        for row in played.head(_NAMED).to_dict("records")
    )
    return (
        f"the best known artists are those called {known}; the most played by each of their "
        f"listeners {most}; medians over artists with 95% intervals"
    )


def _by_artist(interactions: pd.DataFrame) -> pd.DataFrame:
    """`listeners` and `plays_per_listener` by artist."""
    plays = interactions.groupby(Columns.ARTIST)[Columns.PLAYS]
    listeners = plays.size()
    return pd.DataFrame({"listeners": listeners, "plays_per_listener": plays.sum() / listeners})


def _row(name: str, artists: pd.DataFrame, usual: float, seed: int) -> tuple[object, ...]:
    rng = np.random.default_rng([seed, *name.encode()])
    listeners = artists["listeners"].to_numpy()
    plays = artists["plays_per_listener"].to_numpy()
    median = float(np.median(listeners))
    return (
        name,
        len(artists),
        median,
        *of_median(listeners, rng=rng),
        float(np.median(plays)),
        *of_median(plays, rng=rng),
        median / usual,
    )
