"""The contract on EASE with and without tags, held against dense algebra."""

from collections.abc import Iterator
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sps
from model_contract import RecommenderContract
from model_worlds import crowd, matrix_of, two_scenes

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.ease import Ease, EaseConfig
from lastfm_assets.models.ease_tags import EaseTags, EaseTagsConfig
from lastfm_assets.models.ridge import ArtistSide, RowSide, solve
from lastfm_assets.models.tag_counts import count_tags
from lastfm_assets.models.trained import TrainedModel, train

_CHANGES: dict[str, Any] = {
    "weighting": "binary",
    "bm25_k1": 1.0,
    "bm25_b": 0.0,
    "intensity": 0.0,
    "regularization": 10.0,
}
_BAD: list[dict[str, Any]] = [{"regularization": 0}, {"intensity": -1}, {"bm25_b": 2}]


def tags_of_a_crowd(matrix: ListeningMatrix) -> SideTables:
    """Everybody tags what they play, and the next artist too, by the artist's number modulo 7."""
    user, artist = matrix.plays.nonzero()
    users = np.concatenate([user, user])
    artists = np.concatenate([artist, (artist + 1) % len(matrix.artist_ids)])
    given = {
        "user_id": matrix.user_ids[users],
        "artist_id": matrix.artist_ids[artists],
        "tag_id": artists % 7,
    }
    return SideTables(pd.DataFrame(given), SideTables.none().friendships)


def dense_coefficients(rows: np.ndarray, regularization: float) -> np.ndarray:
    """B by the book: each artist's ridge regression on all others, one after another."""
    n_artists = rows.shape[1]
    solved = np.zeros((n_artists, n_artists))
    for artist in range(n_artists):
        others = np.delete(np.arange(n_artists), artist)
        gram = rows[:, others].T @ rows[:, others] + regularization * np.eye(n_artists - 1)
        solved[others, artist] = np.linalg.solve(gram, rows[:, others].T @ rows[:, artist])
    return solved


@pytest.fixture(params=[(6, 11), (11, 6), (7, 7)], ids=str)
def rows(request: pytest.FixtureRequest) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.random(request.param) * (rng.random(request.param) < 0.5)


class TestRidge:
    def test_both_sides_are_each_artists_regression_on_the_others(self, rows: np.ndarray) -> None:
        book = dense_coefficients(rows, 0.7)
        listened = sps.csr_array(rows.astype(np.float32))
        for side in (RowSide, ArtistSide):
            ridge = side.solve(listened, 0.7)
            np.testing.assert_allclose(ridge.scores(listened), rows @ book, rtol=1e-3, atol=1e-5)

    def test_the_smaller_side_is_inverted(self, rows: np.ndarray) -> None:
        side = RowSide if rows.shape[0] <= rows.shape[1] else ArtistSide
        assert isinstance(solve(sps.csr_array(rows.astype(np.float32)), 0.7), side)

    def test_shares_are_weights_times_coefficients(self, rows: np.ndarray) -> None:
        book = dense_coefficients(rows, 0.7)
        listened = sps.csr_array(rows.astype(np.float32))
        artists = np.tile(np.array([0, 3, 5]), (len(rows), 1))
        for side in (RowSide, ArtistSide):
            shares = side.solve(listened, 0.7).shares(listened, artists)
            for row, share in enumerate(shares):
                mine = np.flatnonzero(rows[row])
                expected = rows[row, mine, None] * book[np.ix_(mine, artists[row])]
                np.testing.assert_allclose(share, expected, rtol=1e-3, atol=1e-5)

    @pytest.mark.parametrize("side", [RowSide, ArtistSide])
    def test_what_cannot_be_solved_is_refused(self, side: type[RowSide | ArtistSide]) -> None:
        alike = sps.csr_array(np.full((2, 2), 1e10, dtype=np.float32))  # beside it, 1 is nothing
        with pytest.raises(ValueError, match="not positive definite"):
            side.solve(alike, 1.0)

    def test_an_artist_of_whom_nothing_is_known_scores_zero(self) -> None:
        listened = sps.csr_array(np.array([[1.0, 1.0, 0.0]], dtype=np.float32))
        assert RowSide.solve(listened, 1.0).scores(listened)[0, 2] == 0.0


class TestEase(RecommenderContract):
    name = "ease"
    changes: ClassVar[dict[str, Any]] = _CHANGES
    bad: ClassVar[list[dict[str, Any]]] = _BAD
    draws_numbers = False
    folded_overlap = 10
    scene_config: ClassVar[dict[str, Any]] = {"weighting": "binary", "regularization": 1.0}

    def test_shares_sum_to_the_score(self, crowded: TrainedModel) -> None:
        scores = crowded.recommender.scores(np.arange(40))
        for row, best, share in self.contributed(crowded):
            np.testing.assert_allclose(share.sum(axis=0), scores[row, best], rtol=1e-3, atol=1e-6)

    def test_through_users_and_through_artists_it_is_the_same_model(self) -> None:
        few_users, few_artists = crowd(), two_scenes(20)
        for matrix in (few_users, few_artists):
            weights = matrix.weighted(EaseConfig().as_weighting())
            by_rows, by_artists = (
                side.solve(weights, 10.0).scores(weights) for side in (RowSide, ArtistSide)
            )
            np.testing.assert_allclose(by_rows, by_artists, rtol=1e-3, atol=1e-4)


class TestEaseTags(RecommenderContract):
    name = "ease_tags"
    changes: ClassVar[dict[str, Any]] = {**_CHANGES, "tag_weight": 2.0, "tags": 2}
    bad: ClassVar[list[dict[str, Any]]] = [*_BAD, {"tag_weight": 0}, {"tags": -1}]
    draws_numbers = False
    folded_overlap = 9
    scene_config: ClassVar[dict[str, Any]] = {
        "weighting": "binary",
        "regularization": 1.0,
        "tags": 0,
    }

    @classmethod
    def side_of(cls, matrix: ListeningMatrix) -> SideTables:
        return tags_of_a_crowd(matrix)

    def test_without_tags_it_is_ease(self) -> None:
        rows = np.arange(40)
        config = EaseConfig()
        plain = train("ease", crowd(), config, side=SideTables.none(), seed=0)
        same = EaseTagsConfig(**config.model_dump())
        untagged = train("ease_tags", crowd(), same, side=SideTables.none(), seed=0)
        np.testing.assert_allclose(
            untagged.recommender.scores(rows), plain.recommender.scores(rows), rtol=1e-4, atol=1e-6
        )

    def test_the_score_of_an_artist_one_has_tagged_is_made_without_those_tags(self) -> None:
        # by brute force: solve anew without the tags of one pair, vocabulary and rarity held still
        matrix, side = crowd(), tags_of_a_crowd(crowd())
        config = EaseTagsConfig(regularization=50.0)
        model = cast("EaseTags", train("ease_tags", matrix, config, side=side, seed=0).recommender)
        scores = model.scores(np.arange(40))
        for pair, expected in _without_own_tags(matrix, side, config):
            assert scores[pair] == pytest.approx(expected, rel=2e-3, abs=1e-4)

    def test_ones_own_tags_raise_nothing_but_others_tags_do(self) -> None:
        # 0 plays rock (artists 0 and 1), 1 plays jazz (2 and 3); nobody plays artist 4
        matrix = matrix_of(np.array([[3, 3, 0, 0, 0], [0, 0, 3, 3, 0], [3, 0, 0, 0, 0]]))
        usual = [(100, 1000, 1), (100, 1001, 1), (101, 1002, 2), (101, 1003, 2)]
        rock = [*usual, (100, 1004, 1)]
        before, after = (_scores_of_artist_4(matrix, given) for given in (usual, rock))
        assert before.tolist() == pytest.approx([0, 0, 0])
        assert after[0] == pytest.approx(0, abs=1e-6)
        assert after[2] > 1e-3


def _scores_of_artist_4(matrix: ListeningMatrix, given: list[tuple[int, int, int]]) -> np.ndarray:
    table = pd.DataFrame(given, columns=["user_id", "artist_id", "tag_id"])
    side = SideTables(table, SideTables.none().friendships)
    config = EaseTagsConfig(weighting="binary", regularization=1.0, intensity=0.0)
    model = train("ease_tags", matrix, config, side=side, seed=0)
    return model.recommender.scores(np.arange(3))[:, 4]


def _without_own_tags(
    matrix: ListeningMatrix, side: SideTables, config: EaseTagsConfig
) -> Iterator[tuple[tuple[int, int], float]]:
    """Some (user row, artist column) that are tagged but not played, with their honest scores."""
    weights = matrix.weighted(config.as_weighting()).toarray().astype(np.float64)
    tags = count_tags(side, matrix, n_tags=config.tags)
    counts = tags.counts.toarray()
    tagged = sorted(set(zip(tags.user.tolist(), tags.artist.tolist(), strict=True)))
    unplayed = [pair for pair in tagged if weights[pair] == 0]
    assert len(unplayed) > 100
    for user, artist in unplayed[::25]:
        own = (tags.user == user) & (tags.artist == artist)
        fewer = counts.copy()
        fewer[artist, tags.tag[own]] -= 1
        rows = np.vstack([weights, config.tag_weight * (np.log1p(fewer) * tags.rarity).T])
        # only the regression of this artist sees the change: the others keep the tags they have
        kept = np.vstack([weights, config.tag_weight * (np.log1p(counts) * tags.rarity).T])
        others = np.delete(np.arange(weights.shape[1]), artist)
        gram = kept[:, others].T @ kept[:, others]
        gram[np.diag_indices_from(gram)] += config.regularization
        solved = np.linalg.solve(gram, kept[:, others].T @ rows[:, artist])
        yield (user, artist), float(weights[user, others] @ solved)


def test_counting_tags_counts_users_once_and_keeps_the_most_used() -> None:
    matrix = matrix_of(np.ones((2, 3)))
    given = [(100, 1000, 7), (100, 1000, 7), (101, 1000, 7), (101, 1001, 7), (100, 1002, 9)]
    table = pd.DataFrame([*given, (999, 1001, 7)], columns=["user_id", "artist_id", "tag_id"])
    tags = count_tags(SideTables(table, SideTables.none().friendships), matrix, n_tags=1)
    assert tags.counts.toarray().tolist() == [[2.0], [2.0], [0.0]]
    assert tags.user.tolist() == [0, 1, 1, -1]
    assert tags.rarity.tolist() == [np.log(1.0)]


def test_ease_is_registered_under_its_name() -> None:
    assert Ease.name == "ease"
    assert EaseTags.needs_side
