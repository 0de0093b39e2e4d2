"""Whole rows of predictions are what scikit-surprise says pair by pair."""

import sys

import numpy as np
import pandas as pd
import pytest
from study_pairs import dealt, known

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.studies import predictors
from lastfm_assets.studies.predictors import PREDICTORS, Predictor, fitted, scores_of
from lastfm_assets.studies.rating_error import as_ratings


def ratings() -> pd.DataFrame:
    pairs = pairs_of(dealt(), "train", "validation")
    return as_ratings(pairs, pairs)


def said_by_surprise(algorithm: object, users: np.ndarray, artists: np.ndarray) -> np.ndarray:
    return np.array(
        [
            [algorithm.predict(u, a, clip=False).est for a in artists.tolist()]
            for u in users.tolist()
        ]
    )


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("neighbours", [5, 40])
def test_scores_are_surprise_s_own_predictions(
    name: Predictor, neighbours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pairs that are not fitted on, an artist without a rating among them."""
    monkeypatch.setattr(predictors, "NEIGHBOURS", neighbours)
    matrix = known()
    algorithm = fitted(name, ratings(), seed=3)
    rows = np.array([7, 0, 33])
    scores = scores_of(name, algorithm, matrix)(rows)
    expected = said_by_surprise(algorithm, matrix.user_ids[rows], matrix.artist_ids)
    unknown = matrix.plays[rows].toarray() == 0
    assert unknown[:, -1].all()
    np.testing.assert_allclose(scores[unknown], expected[unknown], atol=2e-6)


def test_neighbours_are_left_out_where_their_similarities_would_not_fit() -> None:
    assert predictors.predictors_for(10_000) == PREDICTORS
    assert predictors.predictors_for(10_001) == ("mean", "baseline", "svd")


def test_more_raters_than_are_heard_is_what_the_small_number_tests() -> None:
    assert (np.bincount(known().plays.indices) > 5).any()


def test_the_same_seed_gives_the_same_factors() -> None:
    one, other, third = (fitted("svd", ratings(), seed=seed).pu for seed in (1, 1, 2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)


def test_without_scikit_surprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "surprise", None)
    with pytest.raises(BadInputError, match=r"pip install -e '\.\[ratings\]' in the checkout"):
        fitted("mean", ratings(), seed=0)


def few_counts() -> pd.DataFrame:
    """Sixty listeners of up to twelve artists, played once or twice: most neighbours are tied."""
    rng = np.random.default_rng(4)
    rows = [
        (user, artist, int(rng.integers(1, 3)))
        for user in range(60)
        for artist in rng.choice(12, size=int(rng.integers(3, 9)), replace=False)
    ]
    return pd.DataFrame(rows, columns=["user_id", "artist_id", "plays"])


def test_of_equally_near_raters_the_same_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictors, "NEIGHBOURS", 4)
    pairs = few_counts()
    matrix = ListeningMatrix.from_pairs(pairs, np.arange(12))
    algorithm = fitted("knn_baseline", as_ratings(pairs, pairs), seed=0)
    scores = scores_of("knn_baseline", algorithm, matrix)(np.arange(60))
    expected = said_by_surprise(algorithm, matrix.user_ids, matrix.artist_ids)
    np.testing.assert_allclose(scores, expected, atol=2e-6)


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_order_of_rows_decides_nothing(name: Predictor) -> None:
    pairs, matrix = ratings(), known()
    shuffled = pairs.sample(frac=1, random_state=1)
    one, other = (
        scores_of(name, fitted(name, rows, seed=3), matrix)(np.arange(10))
        for rows in (pairs, shuffled)
    )
    np.testing.assert_allclose(one, other, atol=1e-9)
