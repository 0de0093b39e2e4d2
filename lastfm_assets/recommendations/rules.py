"""What must be true of lists before anybody reads them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.findings import Finding, Rule, no_violations
from lastfm_assets.recommendations.lists import LENGTH
from lastfm_assets.vocabulary import SIMILAR_LIST, SIMILAR_USERS, TOP_LIST, Columns

MIN_EQUAL_ARTISTS: Final = 50
r"""Artists in all lists, counted as :math:`1 / \sum_a p_a^2` with p_a the share of rows that name
artist a (inverse Simpson index), which hardly depends on the number of users. Popularity reaches
17 on the sample and 16 on HetRec, item_knn 308 and 146, als 504 and 402: the bound is three times
what repeating the hits reaches, and a third of what a model does."""
_KEY: Final = [Columns.USER, Columns.ARTIST]
_PAIRS: Final = 2**20
"""Pairs of user and artist that lists are held against at once."""


def every_user_has_ten(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """Each user with plays has exactly ten artists, or all that are left of the catalogue."""
    played = interactions.groupby(Columns.USER).size()
    expected = (len(artists) - played).clip(upper=LENGTH)
    found = lists.groupby(Columns.USER).size()
    sizes = found.reindex(expected.index, fill_value=0)
    strangers = len(found.index.difference(expected.index))
    wrong = int((sizes != expected).sum())
    return Finding(
        wrong == 0 and strangers == 0,
        {"users": len(expected), "users_with_another_length": wrong, "unknown_users": strangers},
    )


def no_artist_twice(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """No list names an artist twice."""
    del interactions, artists
    return no_violations(doubled=lists.duplicated(_KEY).sum())


def none_already_played(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """No user is told of an artist that they play."""
    del artists
    return no_violations(already_played=_pairs_in_both(_pairs(lists), _pairs(interactions)))


def artists_are_known(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """Each artist is in the catalogue, under the name it has there."""
    del interactions
    names = artists.set_index(Columns.ARTIST)[Columns.NAME]
    expected = lists[Columns.ARTIST].map(names)
    return no_violations(
        unknown=expected.isna().sum(), misnamed=(expected != lists[Columns.NAME]).sum()
    )


def ranks_run_from_one(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """Ranks of each list are 1, 2, 3 and so on, in the order of the rows."""
    del interactions, artists
    return no_violations(misplaced=_misplaced(lists, Columns.USER))


def scores_do_not_rise(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """Scores lie in 0..1 and never rise from one rank to the next."""
    del interactions, artists
    return _scores(lists, Columns.USER)


def table_is_whole(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """Columns are those agreed, and no value is missing."""
    del interactions, artists
    return no_violations(
        wrong_columns=int(tuple(lists.columns) != TOP_LIST),
        missing_values=lists.isna().to_numpy().sum(),
    )


def lists_are_varied(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> Finding:
    """Lists name as many different artists as 50 that are named equally often."""
    shares = lists[Columns.ARTIST].value_counts(normalize=True)
    equal = float(1.0 / (shares**2).sum()) if len(shares) else 0.0
    users = interactions[Columns.USER].nunique()
    # a few users, or a small catalogue, cannot reach it
    expected = min(MIN_EQUAL_ARTISTS, users / 2, len(artists) / 10)
    return Finding(
        equal >= expected,
        {
            "equally_often": equal,
            "expected": float(expected),
            "different_artists": len(shares),
            "share_of_catalogue": len(shares) / max(1, len(artists)),
        },
    )


TOP_ARTISTS_RULES: Final[list[Rule]] = [
    every_user_has_ten,
    no_artist_twice,
    none_already_played,
    artists_are_known,
    ranks_run_from_one,
    scores_do_not_rise,
    table_is_whole,
    lists_are_varied,
]


def similar_lists_are_whole(similar: pd.DataFrame, artists: pd.DataFrame) -> Finding:
    """Columns are those agreed, without a gap, and every artist is in the catalogue."""
    known = similar[[Columns.TO_ARTIST, Columns.ARTIST]].isin(artists[Columns.ARTIST].to_numpy())
    return no_violations(
        wrong_columns=int(tuple(similar.columns) != SIMILAR_LIST),
        missing_values=similar.isna().to_numpy().sum(),
        unknown_artists=(~known).to_numpy().sum(),
    )


def no_relative_twice(similar: pd.DataFrame, artists: pd.DataFrame) -> Finding:
    """No artist is its own relative, none is listed twice, none has more than ten."""
    del artists
    sizes = similar.groupby(Columns.TO_ARTIST).size()
    return no_violations(
        themselves=(similar[Columns.TO_ARTIST] == similar[Columns.ARTIST]).sum(),
        doubled=similar.duplicated([Columns.TO_ARTIST, Columns.ARTIST]).sum(),
        too_long=(sizes > LENGTH).sum(),
    )


def similar_ranks_and_scores(similar: pd.DataFrame, artists: pd.DataFrame) -> Finding:
    """Ranks run from 1; scores and similarities lie in 0..1 and do not rise."""
    del artists
    scores = _scores(similar, Columns.TO_ARTIST)
    outside = ~similar[Columns.SIMILARITY].between(0, 1)
    counts = {name: int(count) for name, count in scores.facts.items()}
    return no_violations(
        misplaced=_misplaced(similar, Columns.TO_ARTIST),
        similarity_outside=outside.sum(),
        **counts,
    )


SIMILAR_ARTISTS_RULES: Final[list[Rule]] = [
    similar_lists_are_whole,
    no_relative_twice,
    similar_ranks_and_scores,
]


def neighbours_are_whole(similar: pd.DataFrame, user_ids: np.ndarray) -> Finding:
    """Columns are those agreed, without a gap; every neighbour is another user, none is doubled."""
    known = similar[[Columns.TO_USER, Columns.USER]].isin(user_ids)
    return no_violations(
        wrong_columns=int(tuple(similar.columns) != SIMILAR_USERS),
        missing_values=similar.isna().to_numpy().sum(),
        unknown_users=(~known).to_numpy().sum(),
        themselves=(similar[Columns.TO_USER] == similar[Columns.USER]).sum(),
        doubled=similar.duplicated([Columns.TO_USER, Columns.USER]).sum(),
        too_long=(similar.groupby(Columns.TO_USER).size() > LENGTH).sum(),
    )


def neighbours_are_ranked(similar: pd.DataFrame, user_ids: np.ndarray) -> Finding:
    """Ranks run from 1; scores and similarities lie in 0..1 and do not rise; all are explained."""
    del user_ids
    counts = {name: int(count) for name, count in _scores(similar, Columns.TO_USER).facts.items()}
    return no_violations(
        misplaced=_misplaced(similar, Columns.TO_USER),
        similarity_outside=(~similar[Columns.SIMILARITY].between(0, 1)).sum(),
        unexplained=(similar[Columns.BECAUSE].str.len() == 0).sum(),
        **counts,
    )


SIMILAR_USERS_RULES: Final[list[Rule]] = [neighbours_are_whole, neighbours_are_ranked]


def readers_see_what_was_checked(
    published: pd.DataFrame, top_artists: pd.DataFrame, *, held: bool = False
) -> Finding:
    """The published table is the checked one, row by row, unless somebody rolled that one back."""
    same = published.equals(top_artists)
    return Finding(
        same or held,
        {
            "published_rows": len(published),
            "checked_rows": len(top_artists),
            "held": "the checked lists were rolled back" if held else "no",
        },
    )


def services_see_what_readers_see(
    published: str, served: str | None, *, wanted: bool = True
) -> Finding:
    """The served lists are the published ones, by their hashes; holds where none are wanted."""
    return Finding(
        published == served or not wanted,
        {"published": published[:12], "served": (served or "nothing")[:12]},
    )


def _pairs(table: pd.DataFrame) -> list[np.ndarray]:
    """(n,) users and (n,) artists of the rows that name both."""
    named = table[_KEY]
    if named.isna().to_numpy().any():
        named = named.dropna()
    return [named[column].to_numpy(np.int64) for column in _KEY]


def _pairs_in_both(listed: Sequence[np.ndarray], played: Sequence[np.ndarray]) -> int:
    """How many pairs of rows name the same user and artist, one of each table.

    A merge would make objects and copies of every played pair. Here a pair is one number, by the
    places of its user and its artist among those listed, and the played ones are looked at a part
    at a time; where they are ordered by user, a part is held against its own users' lists only.
    """
    known = [np.unique(ids) for ids in listed]
    wanted = np.sort(_numbered(listed, known))
    found = 0
    for start in range(0, len(played[0]), _PAIRS):
        part = _numbered([ids[start : start + _PAIRS] for ids in played], known)
        part = np.sort(part[part >= 0])
        if len(part):
            first, end = (
                np.searchsorted(wanted, part[0]),
                np.searchsorted(wanted, part[-1], "right"),
            )
            among = wanted[first:end]
            after, before = (np.searchsorted(part, among, side) for side in ("right", "left"))
            found += int((after - before).sum())
    return found


def _numbered(pairs: Sequence[np.ndarray], known: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) a number a pair of ids, rising with the first one; -1 where an id is not known."""
    number, inside = np.zeros(len(pairs[0]), dtype=np.int64), np.ones(len(pairs[0]), dtype=bool)
    for ids, among in zip(pairs, known, strict=True):
        if not len(among):
            return np.full(len(number), -1)
        place = np.minimum(np.searchsorted(among, ids), len(among) - 1)
        inside &= among[place] == ids
        number = number * len(among) + place
    return np.where(inside, number, -1)


def _misplaced(lists: pd.DataFrame, owner: str) -> int:
    expected = lists.groupby(owner, sort=False).cumcount() + 1
    return int((lists[Columns.RANK] != expected).sum())


def _scores(lists: pd.DataFrame, owner: str) -> Finding:
    outside = ~lists[Columns.SCORE].between(0.0, 1.0)
    steps = lists.groupby(owner, sort=False)[Columns.SCORE].diff()
    return no_violations(score_outside=outside.sum(), rising=(steps > 0).sum())
