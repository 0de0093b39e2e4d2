"""What the search box knows: every user and artist, small enough to travel inside the page.

Columns in place of rows, artists and users as places in sorted lists of ids, ids as differences:
numbers that are alike stand side by side, which is what gzip is good at.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.listening.keys import keys_of, no_keys
from lastfm_assets.vocabulary import Columns

KEPT: Final = ((50, 10), (30, 5), (15, 3))
"""Artists played of each user and relatives of each artist, first those that lose least."""
TAGS: Final = 5
"""Tags of an artist, those given most often."""
_PRECISION: Final = 1000
"""Scores and similarities travel as whole thousandths."""
_LEVEL: Final = 6
"""Of gzip: 9 saves 2% more and takes thrice as long."""
_BYTES_A_LISTED: Final = 15
"""Compressed, of a listed artist with its score, reasons and share of its user's plays, and
`_BYTES_A_NAME` of an artist: together six tenths of the least that HetRec or 1M pairs take."""
_BYTES_A_NAME: Final = 10
_AS_TEXT: Final = -1

_EXACT: Final = 2**53
"""From here on, JavaScript rounds whole numbers."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The search box's data."""

    content: bytes
    """JSON, compressed by gzip."""
    played: int
    """Artists kept of each user at most."""
    similar: int
    """Relatives kept of each artist at most."""
    keyed: bool = False
    """Whether users are called by the source's own ids, which are text."""


def fits(listed: int, artists: int, budget: int) -> bool:
    """Whether the least that `lookup` packs may fit, told from sizes alone.

    Args:
        listed: rows of all lists.
        artists: size of the catalogue.
        budget: bytes that may be used.
    """
    return _BYTES_A_LISTED * listed + _BYTES_A_NAME * artists <= budget


def lookup(  # noqa: PLR0913 (as many tables as are searched)
    *,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    tag_assignments: pd.DataFrame,
    lists: pd.DataFrame,
    similar: pd.DataFrame,
    budget: int,
    noun: Noun = ARTISTS,
    keys: pd.DataFrame | None = None,
) -> Lookup | None:
    """Packs all users and artists.

    Args:
        interactions: `user_id, artist_id, plays`.
        artists: `artist_id, artist_name`.
        tag_assignments: `artist_id, tag`.
        lists: `TOP_LIST`.
        similar: `SIMILAR_LIST`.
        budget: bytes that may be used.
        noun: what is recommended.
        keys: `kind, id, key`, where the source's own ids are text; users are then found by them.

    Returns:
        As much of `KEPT` as the budget holds; None where even the least does not fit.
    """
    users = np.unique(interactions[Columns.USER].to_numpy())
    if not fits(len(lists), len(artists), budget):
        return None  # nor would it be worth the minutes to find out
    catalogue = artists.sort_values(Columns.ARTIST)
    ids = catalogue[Columns.ARTIST].to_numpy()
    named = _keys(users, keys)
    always = {
        "noun": [noun.one, noun.many],
        "users": _steps(users),
        **named,
        "artists": _steps(ids),
        "names": catalogue[Columns.NAME].tolist(),
        **_totals(interactions, ids),
        **_tags(tag_assignments, ids),
    }
    for n_played, n_similar in KEPT:
        played = _most_played(interactions, n_played)
        whole = {
            **always,
            **_played(played, interactions, users, ids),
            **_lists(lists, played, users, ids, catalogue[Columns.NAME].to_numpy()),
            **_similar(similar[similar[Columns.RANK] <= n_similar], ids),
        }
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        content = gzip.compress(text.encode(), compresslevel=_LEVEL, mtime=0)
        if len(content) <= budget:
            return Lookup(content, n_played, n_similar, keyed=bool(named))
    return None


def _steps(ids: np.ndarray) -> list[int]:
    """Rising ids as the first one and the steps between."""
    return [int(step) for step in np.diff(ids, prepend=0)]


def _keys(users: np.ndarray, keys: pd.DataFrame | None) -> dict[str, list[str]]:
    """Users' own ids, in the order of `users`; empty where those are numbers that scripts keep."""
    keys = no_keys() if keys is None else keys
    if not (keys[Columns.KIND] == "user").any() and np.abs(users).max(initial=0) < _EXACT:
        return {}
    return {"keys": keys_of(users, keys, "user").tolist()}


def _places(values: pd.Series, ids: np.ndarray) -> np.ndarray:
    return np.asarray(np.searchsorted(ids, values.to_numpy()))


def _sizes(owners: pd.Series, ids: np.ndarray) -> list[int]:
    """How many rows, which are grouped by owner, each owner has."""
    return [int(n) for n in np.bincount(_places(owners, ids), minlength=len(ids))]


def _totals(interactions: pd.DataFrame, ids: np.ndarray) -> dict[str, Any]:
    by_artist = interactions.groupby(Columns.ARTIST)[Columns.PLAYS].agg(["size", "sum"])
    by_artist = by_artist.reindex(ids, fill_value=0)
    return {"listeners": by_artist["size"].tolist(), "plays": by_artist["sum"].tolist()}


def _tags(tag_assignments: pd.DataFrame, ids: np.ndarray) -> dict[str, Any]:
    known = tag_assignments[tag_assignments[Columns.ARTIST].isin(ids)]
    counts = known.groupby([Columns.ARTIST, Columns.TAG_VALUE]).size().rename("times")
    ordered = counts.reset_index().sort_values(
        [Columns.ARTIST, "times", Columns.TAG_VALUE], ascending=[True, False, True]
    )
    first = ordered.groupby(Columns.ARTIST).head(TAGS)
    names = sorted(first[Columns.TAG_VALUE].unique())
    place = {name: number for number, name in enumerate(names)}
    return {
        "tags": names,
        "tagged": _sizes(first[Columns.ARTIST], ids),
        "tag": [place[name] for name in first[Columns.TAG_VALUE]],
    }


def _most_played(interactions: pd.DataFrame, n: int) -> pd.DataFrame:
    """The first n artists of each user, most played first; equal ones by id."""
    ordered = interactions.sort_values(
        [Columns.USER, Columns.PLAYS, Columns.ARTIST], ascending=[True, False, True]
    )
    return ordered.groupby(Columns.USER).head(n).reset_index(drop=True)


def _played(
    played: pd.DataFrame, interactions: pd.DataFrame, users: np.ndarray, ids: np.ndarray
) -> dict[str, Any]:
    return {
        "playing": _sizes(played[Columns.USER], users),
        "playingInAll": _sizes(interactions[Columns.USER], users),
        "played": _places(played[Columns.ARTIST], ids).tolist(),
        "times": played[Columns.PLAYS].tolist(),
    }


def _lists(
    lists: pd.DataFrame,
    played: pd.DataFrame,
    users: np.ndarray,
    ids: np.ndarray,
    names: np.ndarray,
) -> dict[str, Any]:
    ordered = lists[lists[Columns.USER].isin(users)]
    ordered = ordered.sort_values([Columns.USER, Columns.RANK])
    texts: list[str] = []
    reasons = list(_reasons(ordered, _names_of_played(played, ids, names), texts))
    return {
        "listing": _sizes(ordered[Columns.USER], users),
        "listed": _places(ordered[Columns.ARTIST], ids).tolist(),
        "scores": _thousandths(ordered[Columns.SCORE]),
        "reasons": reasons,
        "texts": texts,
    }


def _names_of_played(
    played: pd.DataFrame, ids: np.ndarray, names: np.ndarray
) -> dict[int, dict[str, int]]:
    """By user: each kept artist's name and its place among what the user plays most."""
    found: dict[int, dict[str, int]] = {}
    rows = zip(played[Columns.USER], names[_places(played[Columns.ARTIST], ids)], strict=True)
    for user, name in rows:
        mine = found.setdefault(int(user), {})
        # of two artists of one name only the first keeps it, but both take a place
        mine.setdefault(str(name) if name not in mine else f"\0{len(mine)}", len(mine))
    return found


def _reasons(
    lists: pd.DataFrame, known: dict[int, dict[str, int]], texts: list[str]
) -> Iterator[int]:
    """Each row's number of reasons and their places among what its user plays.

    Where a reason is not found there, as its name holds a semicolon, -1 and the place in `texts`.
    """
    for user, because in zip(lists[Columns.USER], lists[Columns.BECAUSE], strict=True):
        mine = known.get(int(user), {})
        names = because.split("; ") if because else []
        if all(name in mine for name in names):
            yield from (len(names), *(mine[name] for name in names))
        else:
            yield from (_AS_TEXT, len(texts))
            texts.append(because)


def _similar(similar: pd.DataFrame, ids: np.ndarray) -> dict[str, Any]:
    ordered = similar[similar[Columns.TO_ARTIST].isin(ids)]
    ordered = ordered.sort_values([Columns.TO_ARTIST, Columns.RANK])
    return {
        "relatives": _sizes(ordered[Columns.TO_ARTIST], ids),
        "similar": _places(ordered[Columns.ARTIST], ids).tolist(),
        "similarity": _thousandths(ordered[Columns.SIMILARITY]),
    }


def _thousandths(values: pd.Series) -> list[int]:
    return [int(x) for x in np.rint(_PRECISION * values.to_numpy(dtype=np.float64))]
