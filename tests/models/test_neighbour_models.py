"""The contract on what neighbours, walks and friends recommend, against slow and obvious code."""

from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sps
from hypothesis import given, settings
from hypothesis import strategies as st
from model_contract import RecommenderContract
from model_worlds import crowd, matrix_of, two_scenes

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import neighbours, user_knn
from lastfm_assets.models.friends import Friends, FriendsConfig
from lastfm_assets.models.rp3beta import Rp3Beta, Rp3BetaConfig
from lastfm_assets.models.trained import TrainedModel, train
from lastfm_assets.models.user_knn import UserKnn, UserKnnConfig

WEIGHTING: dict[str, Any] = {"weighting": "log", "bm25_k1": 1.0, "bm25_b": 0.1, "intensity": 2.0}
BAD_WEIGHTING: list[dict[str, Any]] = [
    {"weighting": "tfidf"},
    {"bm25_k1": 0},
    {"bm25_b": 1.1},
    {"intensity": -0.1},
]


def befriended(users: list[int], friends: list[int]) -> SideTables:
    """Side tables of friendships alone."""
    return SideTables(
        SideTables.none().tag_assignments,
        pd.DataFrame({"user_id": users, "friend_id": friends}, dtype=np.int64),
    )


class TestUserKnn(RecommenderContract):
    name = "user_knn"
    changes: ClassVar[dict[str, Any]] = {
        **WEIGHTING,
        "neighbours": 3,
        "shrink": 9.0,
        "amplification": 3.0,
    }
    bad: ClassVar[list[dict[str, Any]]] = [
        *BAD_WEIGHTING,
        {"neighbours": 0},
        {"shrink": -1},
        {"amplification": 0},
    ]
    draws_numbers = False
    folded_overlap = 9.5

    def test_contributions_sum_to_the_folded_in_score(self, crowded: TrainedModel) -> None:
        folded = crowded.recommender.fold_in(crowd().plays)
        for row, best, share in self.contributed(crowded):
            assert (share >= 0).all()
            np.testing.assert_allclose(share.sum(axis=0), folded[row, best], rtol=1e-4, atol=1e-6)

    def test_a_known_user_folded_in_is_their_own_neighbour(self) -> None:
        # with room for everybody, the only difference is the vote of the user itself
        model = self.fitted(crowd(), neighbours=40, shrink=0.0, amplification=1.0).recommender
        own = cast("UserKnn", model).weights.toarray()
        added = model.fold_in(crowd().plays) - model.scores(np.arange(40))
        np.testing.assert_allclose(added[own.any(axis=1)], own[own.any(axis=1)], atol=1e-4)

    def test_scores_do_not_depend_on_the_chunk(
        self, crowded: TrainedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(user_knn, "_CHUNK_BYTES", 4 * 40 * 7)
        chunked = self.fitted(crowd()).recommender
        rows = np.arange(40)
        np.testing.assert_array_equal(chunked.scores(rows), crowded.recommender.scores(rows))
        folded = chunked.fold_in(crowd().plays)
        monkeypatch.undo()
        np.testing.assert_array_equal(folded, chunked.fold_in(crowd().plays))


class TestRp3Beta(RecommenderContract):
    name = "rp3beta"
    changes: ClassVar[dict[str, Any]] = {
        **WEIGHTING,
        "neighbours": 3,
        "alpha": 0.1,
        "beta": 1.5,
    }
    bad: ClassVar[list[dict[str, Any]]] = [
        *BAD_WEIGHTING,
        {"neighbours": 0},
        {"alpha": -1},
        {"beta": -1},
    ]
    draws_numbers = False
    folded_overlap = 9.9

    def test_contributions_sum_to_the_score(self, crowded: TrainedModel) -> None:
        scores = crowded.recommender.scores(np.arange(40))
        for row, best, share in self.contributed(crowded):
            assert (share >= 0).all()
            np.testing.assert_allclose(share.sum(axis=0), scores[row, best], rtol=1e-4, atol=1e-9)

    def test_scores_do_not_depend_on_the_chunk(
        self, crowded: TrainedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(neighbours, "_ENTRIES", 7 * 60)
        rows = np.arange(40)
        np.testing.assert_array_equal(
            self.fitted(crowd()).recommender.scores(rows), crowded.recommender.scores(rows)
        )


class TestFriends(RecommenderContract):
    name = "friends"
    changes: ClassVar[dict[str, Any]] = {**WEIGHTING, "weighting": "binary", "floor": 5.0}
    bad: ClassVar[list[dict[str, Any]]] = [*BAD_WEIGHTING, {"floor": 0}]
    draws_numbers = False
    looks_at_plays = False
    folded_overlap = 0  # a stranger's friends are not known

    @classmethod
    def side_of(cls, matrix: ListeningMatrix) -> SideTables:
        """Everybody's friends sit two and six rows further on, so in the same scene."""
        ids = matrix.user_ids
        users, friends = np.tile(ids, 2), np.concatenate([np.roll(ids, -2), np.roll(ids, -6)])
        return befriended(users.tolist(), friends.tolist())

    def test_every_parameter_changes_the_scores(self, crowded: TrainedModel) -> None:
        rows = np.arange(40)
        usual = self.fitted(crowd(), weighting="bm25").recommender.scores(rows)
        assert not np.allclose(crowded.recommender.scores(rows), usual)
        for field in ("bm25_k1", "bm25_b", "intensity", "floor"):
            parameters = {"weighting": "bm25", field: self.changes[field]}
            other = self.fitted(crowd(), **parameters).recommender.scores(rows)
            assert not np.allclose(other, usual), f"{field} does nothing"

    def test_without_friends_popularity_decides(self) -> None:
        plays = crowd().plays
        rows = np.arange(40)
        alone = train("friends", crowd(), side=SideTables.none(), seed=0)
        popular = train("popularity", crowd(), side=SideTables.none(), seed=0)
        np.testing.assert_array_equal(
            alone.rank(rows, n=10, leave_out=plays).artists,
            popular.rank(rows, n=10, leave_out=plays).artists,
        )

    def test_a_stranger_gets_what_is_popular(self, crowded: TrainedModel) -> None:
        listeners = np.bincount(crowd().plays.indices, minlength=60)
        folded = crowded.recommender.fold_in(crowd().plays[:2])
        np.testing.assert_allclose(folded, np.tile(1e-3 * listeners / listeners.max(), (2, 1)))

    def test_strangers_and_oneself_are_no_friends(self) -> None:
        known = befriended([100, 103], [101, 104])
        more = befriended([100, 103, 100, 999, 101, 101], [101, 104, 777, 100, 101, 100])
        scores = [
            train("friends", crowd(), side=side, seed=0).recommender.scores(np.arange(40))
            for side in (known, more)
        ]
        np.testing.assert_array_equal(*scores)

    def test_friendship_goes_both_ways_and_counts_once(self) -> None:
        rows = np.arange(40)
        there, back, both = (
            train("friends", crowd(), side=side, seed=0).recommender.scores(rows)
            for side in (
                befriended([100], [107]),
                befriended([107], [100]),
                befriended([100, 107, 100], [107, 100, 107]),
            )
        )
        np.testing.assert_array_equal(there, back)
        np.testing.assert_array_equal(there, both)

    def test_friends_of_like_taste_count_more(self) -> None:
        #                              0  1  2  3
        matrix = matrix_of(np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]]))
        model = Friends.fit(
            matrix,
            FriendsConfig(weighting="binary", floor=0.25),
            side=befriended([100, 100], [101, 102]),
            seed=0,
        )
        alike = 0.25 + 2 / np.sqrt(2 * 3)
        scores = model.scores(np.array([0]))[0]
        shares = np.array([alike, alike, alike, 0.25]) / (alike + 0.25)
        np.testing.assert_allclose(scores, shares + 1e-3 * np.array([1, 1, 0.5, 0.5]), rtol=1e-5)


# brute force


worlds = st.integers(0, 2**32 - 1).map(
    lambda seed: matrix_of(
        np.random.default_rng(seed).integers(1, 5, (7, 9))
        * np.random.default_rng(seed + 1).integers(0, 2, (7, 9))
    )
)
schemes = st.sampled_from(["binary", "log", "bm25"])


def share_over(value: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.divide(value, total, out=np.zeros_like(value), where=total > 0)


@settings(max_examples=60, deadline=None)
@given(worlds, schemes, st.integers(1, 8), st.sampled_from([0.0, 3.0]), st.sampled_from([1.0, 2.5]))
def test_user_neighbours_vote_as_in_brute_force(
    matrix: ListeningMatrix, scheme: Any, neighbours: int, shrink: float, amplification: float
) -> None:
    config = UserKnnConfig(
        weighting=scheme, neighbours=neighbours, shrink=shrink, amplification=amplification
    )
    model = UserKnn.fit(matrix, config, side=SideTables.none(), seed=0)
    weights = matrix.weighted(config.as_weighting()).toarray().astype(np.float64)
    every = np.tile(np.arange(9), (7, 1))
    shares = list(model.contributions(matrix.plays, every))
    scores, folded = model.scores(np.arange(7)), model.fold_in(matrix.plays)
    for u in range(7):
        likeness = np.zeros(7)
        for v in range(7):
            norms = np.linalg.norm(weights[u]) * np.linalg.norm(weights[v])
            if weights[u] @ weights[v] > 0:
                likeness[v] = weights[u] @ weights[v] / (norms + shrink)
        likeness = np.round(likeness.astype(np.float32), 6)
        others = [v for v in range(7) if v != u]
        if has_ties(likeness[others], neighbours) or has_ties(likeness, neighbours):
            continue  # float32 decides which of two equals votes
        near = sorted(others, key=lambda v: -likeness[v])[:neighbours]
        votes = sum(likeness[v] ** amplification * weights[v] for v in near)
        np.testing.assert_allclose(scores[u], votes, rtol=1e-4, atol=1e-5)
        near = sorted(range(7), key=lambda v: -likeness[v])[:neighbours]
        votes = sum(likeness[v] ** amplification * weights[v] for v in near)
        np.testing.assert_allclose(folded[u], votes, rtol=1e-4, atol=1e-5)
        for place, a in enumerate(np.flatnonzero(matrix.plays.toarray()[u])):
            expected = np.zeros(9)
            for v in near:
                common = weights[u] @ weights[v]
                if common > 0:
                    part = weights[u, a] * weights[v, a] / common
                    expected += part * likeness[v] ** amplification * weights[v]
            np.testing.assert_allclose(shares[u][place], expected, rtol=1e-4, atol=1e-5)


def has_ties(likeness: np.ndarray, neighbours: int) -> bool:
    """Whether the last neighbour and the first one left out are equally alike."""
    falling = -np.sort(-likeness)
    return neighbours < len(falling) and falling[neighbours - 1] - falling[neighbours] < 1e-5


@settings(max_examples=60, deadline=None)
@given(
    worlds, schemes, st.integers(1, 9), st.sampled_from([0.0, 1.0, 1.3]), st.sampled_from([0, 0.7])
)
def test_walks_end_as_in_brute_force(
    matrix: ListeningMatrix, scheme: Any, neighbours: int, alpha: float, beta: float
) -> None:
    config = Rp3BetaConfig(weighting=scheme, neighbours=neighbours, alpha=alpha, beta=beta)
    model = Rp3Beta.fit(matrix, config, side=SideTables.none(), seed=0)
    weights = matrix.weighted(config.as_weighting()).toarray().astype(np.float64)
    listeners = (matrix.plays.toarray() > 0).sum(axis=0)
    forth = share_over(weights, weights.sum(axis=1, keepdims=True) * np.ones_like(weights))
    back = share_over(weights.T, weights.T.sum(axis=1, keepdims=True) * np.ones_like(weights.T))
    ends, tied = np.zeros((9, 9)), False
    for a in range(9):
        walks = np.zeros(9)
        for b in range(9):
            for v in range(7):
                if a != b and back[a, v] * forth[v, b] > 0:
                    walks[b] += (back[a, v] * forth[v, b]) ** alpha / listeners[b] ** beta
        tied = tied or has_ties(walks / max(walks.max(), 1e-12), neighbours)
        kept = np.argsort(-walks, kind="stable")[:neighbours]
        ends[a, kept] = walks[kept]
    if tied:
        return  # float32 decides which of two equals is kept
    np.testing.assert_allclose(model.ends.toarray(), ends, rtol=1e-4, atol=1e-7)
    first = np.where(forth > 0, np.where(forth > 0, forth, 1.0) ** alpha, 0.0)
    for scores in (model.scores(np.arange(7)), model.fold_in(matrix.plays)):
        np.testing.assert_allclose(scores, first @ ends, rtol=1e-4, atol=1e-7)
    every = np.tile(np.arange(9), (7, 1))
    for u, share in enumerate(model.contributions(matrix.plays, every)):
        played = np.flatnonzero(matrix.plays.toarray()[u])
        np.testing.assert_allclose(
            share, first[u, played, None] * ends[played], rtol=1e-4, atol=1e-7
        )


@settings(max_examples=60, deadline=None)
@given(worlds, schemes, st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=15))
def test_friends_count_as_in_brute_force(
    matrix: ListeningMatrix, scheme: Any, friendships: set[tuple[int, int]]
) -> None:
    config = FriendsConfig(weighting=scheme, floor=0.2)
    # users 107 and 108 are not in the matrix
    side = befriended([100 + u for u, _ in friendships], [100 + f for _, f in friendships])
    model = Friends.fit(matrix, config, side=side, seed=0)
    weights = matrix.weighted(config.as_weighting()).toarray().astype(np.float64)
    listeners = (matrix.plays.toarray() > 0).sum(axis=0)
    for u in range(7):
        total, votes = 0.0, np.zeros(9)
        for f in range(7):
            if f != u and ((u, f) in friendships or (f, u) in friendships):
                norms = np.linalg.norm(weights[u]) * np.linalg.norm(weights[f])
                likeness = 0.2 + (weights[u] @ weights[f] / norms if norms else 0.0)
                total, votes = total + likeness, votes + likeness * weights[f]
        expected = (votes / total if total else votes) + 1e-3 * listeners / max(listeners.max(), 1)
        np.testing.assert_allclose(model.scores(np.array([u]))[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("model", ["user_knn", "rp3beta", "friends"])
def test_who_has_no_weights_gets_zeros_and_no_division_by_them(model: str) -> None:
    # everybody plays artist 0, so its BM25 weight is 0, and users 1 and 3 have nothing else
    matrix = matrix_of(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]]))
    side = befriended([100, 101, 101], [101, 102, 103])
    fitted = train(model, matrix, side=side, seed=0).recommender
    scores = fitted.scores(np.arange(4))
    assert np.isfinite(scores).all()
    if model != "friends":
        assert not scores[[1, 3]].any()
    stranger = sps.csr_array(np.array([[1, 0, 0, 0]], dtype=np.float32))
    assert np.isfinite(fitted.fold_in(stranger)).all()
    (share,) = fitted.contributions(stranger, np.array([[1, 2]]))
    assert np.isfinite(share).all()


def test_the_most_alike_neighbours_are_users_of_the_same_scene() -> None:
    model = UserKnn.fit(two_scenes(), UserKnnConfig(), side=SideTables.none(), seed=0)
    likeness = model.votes.toarray()
    rows = np.arange(20)
    same_scene = (rows[:, None] - rows) % 2 == 0
    assert (likeness[~same_scene] == 0).all()
    assert (likeness[same_scene & (rows[:, None] != rows)] > 0).all()
