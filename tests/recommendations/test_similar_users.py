"""Ten nearest listeners a user, each with the artists that say so."""

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.user_knn import UserKnnConfig
from lastfm_assets.recommendations.rules import SIMILAR_USERS_RULES
from lastfm_assets.recommendations.similar_users import similar_users
from lastfm_assets.vocabulary import SIMILAR_USERS

NAMES = pd.Series({10: "Alpha", 11: "Beta", 12: "Gamma", 13: "Delta", 14: "Epsilon"})
NAMES = pd.concat([NAMES, pd.Series({n: f"Artist {n}" for n in range(20, 30)})])
OTHERS = {n: (n,) for n in range(20, 30)}
"""Users like nobody, so that no artist is everybody's."""
PLAYS = {1: (10, 11, 12), 2: (10, 11, 12, 13), 3: (12, 13), 4: (14,), **OTHERS}
"""Users 1 and 2 are almost alike, 3 is like 2 and a little like 1, 4 is like nobody."""


def matrix_of(plays: dict[int, tuple[int, ...]]) -> ListeningMatrix:
    rows = [(user, artist, 5) for user, artists in plays.items() for artist in artists]
    pairs = pd.DataFrame(rows, columns=["user_id", "artist_id", "plays"])
    return ListeningMatrix.from_pairs(pairs, NAMES.index.to_numpy())


def neighbours(table: pd.DataFrame, user: int) -> list[int]:
    return table.loc[table["to_user_id"] == user, "user_id"].tolist()


def test_the_most_alike_comes_first_and_nobody_is_their_own_neighbour() -> None:
    table = similar_users(matrix_of(PLAYS), NAMES)
    assert tuple(table.columns) == SIMILAR_USERS
    assert neighbours(table, 1) == [2, 3]
    assert set(neighbours(table, 3)) == {1, 2}
    assert neighbours(table, 4) == []


def test_similarity_is_the_shrunk_cosine_of_the_weighted_rows() -> None:
    matrix = matrix_of(PLAYS)
    config = UserKnnConfig()
    dense = matrix.weighted(config.as_weighting()).toarray().astype(np.float64)
    product = dense @ dense.T
    norms = np.sqrt(np.diag(product))
    for row in similar_users(matrix, NAMES).to_dict("records"):
        a, b = matrix.rows_of(np.array([row["to_user_id"], row["user_id"]]))
        expected = product[a, b] / (norms[a] * norms[b] + config.shrink)
        assert row["similarity"] == pytest.approx(expected, rel=1e-5)


def test_the_reasons_are_artists_in_common_and_count_what_is_not_named() -> None:
    table = similar_users(matrix_of({1: (10, 11, 12, 13), 2: (10, 11, 12, 13), **OTHERS}), NAMES)
    (reason,) = table.loc[table["to_user_id"] == 1, "because"]
    *named, last = reason.split("; ")
    assert last.endswith(" and 1 more")
    assert {*named, last.removesuffix(" and 1 more")} < set(NAMES)


def test_no_more_are_listed_than_asked_for() -> None:
    table = similar_users(matrix_of(PLAYS), NAMES, n=1)
    assert table["rank"].tolist() == [1, 1, 1]
    assert table["score"].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("rule", SIMILAR_USERS_RULES, ids=lambda rule: rule.__name__)
def test_what_is_made_is_sound(rule: object) -> None:
    matrix = matrix_of(PLAYS)
    assert rule(similar_users(matrix, NAMES), matrix.user_ids).passed


@pytest.mark.parametrize(
    ("column", "value", "fact"),
    [
        ("user_id", 99, "unknown_users"),
        ("user_id", 1, "themselves"),
        ("rank", 7, "misplaced"),
        ("score", 1.5, "score_outside"),
        ("similarity", -0.1, "similarity_outside"),
        ("because", "", "unexplained"),
    ],
)
def test_what_is_not_sound_is_found(column: str, value: object, fact: str) -> None:
    matrix = matrix_of(PLAYS)
    table = similar_users(matrix, NAMES)
    table.loc[0, column] = value
    findings = [rule(table, matrix.user_ids) for rule in SIMILAR_USERS_RULES]
    assert sum(int(finding.facts.get(fact, 0)) for finding in findings) > 0
