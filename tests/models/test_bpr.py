"""The contract on Bayesian personalised ranking, and what only it promises."""

from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import scipy.sparse as sps
from model_contract import RecommenderContract
from model_worlds import crowd, matrix_of
from test_recommenders import fitted_elsewhere

from lastfm_assets.models.bpr import Bpr, _without_bias_column
from lastfm_assets.models.trained import TrainedModel


class TestBpr(RecommenderContract):
    name = "bpr"
    changes: ClassVar[dict[str, Any]] = {
        "factors": 5,
        "learning_rate": 0.3,
        "regularization": 0.5,
        "iterations": 3,
        "popularity": 0.0,
    }
    bad: ClassVar[list[dict[str, Any]]] = [
        {"factors": 0},
        {"learning_rate": 0},
        {"regularization": -1},
        {"iterations": 0},
        {"popularity": -1},
    ]
    draws_numbers = True
    folded_overlap = 5
    scene_config: ClassVar[dict[str, Any]] = {"factors": 4, "iterations": 300}

    def test_plays_are_read_as_presence(self, crowded: TrainedModel) -> None:
        present = matrix_of(crowd().plays.toarray() > 0)
        np.testing.assert_array_equal(
            self.fitted(present).recommender.scores(np.arange(40)),
            crowded.recommender.scores(np.arange(40)),
        )

    def test_a_listener_without_plays_gets_the_biases(self, crowded: TrainedModel) -> None:
        nobody = sps.csr_array((1, 60), dtype=np.float32)
        bias = cast("Bpr", crowded.recommender).factors.artist_bias
        np.testing.assert_array_equal(crowded.recommender.fold_in(nobody)[0], bias)

    def test_contributions_sum_to_the_score_without_bias_before_its_length_is_set(
        self, crowded: TrainedModel
    ) -> None:
        bias = cast("Bpr", crowded.recommender).factors.artist_bias
        taste = crowded.recommender.fold_in(crowd().plays) - bias
        for row, best, share in self.contributed(crowded):
            added, expected = share.sum(axis=0), taste[row, best]
            length = (added @ expected) / (added @ added)
            np.testing.assert_allclose(length * added, expected, rtol=1e-2, atol=1e-4)

    def test_popularity_is_given_back_in_logarithms(self, crowded: TrainedModel) -> None:
        rows = np.arange(40)
        without = self.fitted(crowd(), popularity=0.0).recommender.scores(rows)
        listeners = np.bincount(crowd().plays.indices, minlength=60)
        share = crowded.config.model_dump()["popularity"]
        given = crowded.recommender.scores(rows) - without
        np.testing.assert_allclose(given, np.tile(share * np.log1p(listeners), (40, 1)), atol=1e-5)

    def test_another_process_gives_the_same_vectors(self, tmp_path: Path) -> None:
        said = [fitted_elsewhere("bpr", threads, tmp_path) for threads in (1, 2)]
        assert said[0] == said[1]


def test_the_last_column_is_the_bias_and_nobodys_artist_has_the_lowest() -> None:
    users = np.array([[1, 2, 1]], np.float32)
    artists = np.array([[1, 0, 0.5], [0, 0, 0], [2, 1, -0.25]], np.float32)
    factors = _without_bias_column(users, artists)
    assert factors.artist_bias.tolist() == [0.5, -0.25, -0.25]
    assert factors.scores(factors.users).tolist() == [[1.5, -0.25, 3.75]]
