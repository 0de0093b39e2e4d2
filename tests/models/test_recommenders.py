"""The contract on the first four models, and what only one of them promises."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import scipy.sparse as sps
from hypothesis import given, settings
from hypothesis import strategies as st
from model_contract import RecommenderContract
from model_worlds import crowd, matrix_of, two_scenes

from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import neighbours
from lastfm_assets.models.als import Als, AlsConfig
from lastfm_assets.models.factors import Factors
from lastfm_assets.models.item_knn import ItemKnn, ItemKnnConfig, nearest
from lastfm_assets.models.lightfm import LightFm
from lastfm_assets.models.popularity import Popularity
from lastfm_assets.models.trained import MODELS, TrainedModel, train

WEIGHTING: dict[str, Any] = {"weighting": "log", "bm25_k1": 1.0, "bm25_b": 0.1, "intensity": 1.0}
BAD_WEIGHTING: list[dict[str, Any]] = [
    {"weighting": "tfidf"},
    {"bm25_k1": 0},
    {"bm25_b": -0.1},
    {"bm25_b": 1.1},
    {"intensity": -0.1},
]


class TestPopularity(RecommenderContract):
    name = "popularity"
    changes: ClassVar[dict[str, Any]] = {}
    bad: ClassVar[list[dict[str, Any]]] = []
    draws_numbers = False
    looks_at_plays = False
    folded_overlap = 10

    def test_in_two_scenes_everyone_is_shown_their_own_scene_first(self) -> None:
        # it cannot know scenes: all artists are equally popular, so ties decide
        matrix = two_scenes()
        lists = self.fitted(matrix).rank(np.arange(20), n=3, leave_out=matrix.plays).artists
        assert lists[:4].tolist() == [[0, 1, 3], [0, 1, 2], [1, 2, 3], [0, 2, 3]]

    def test_the_score_is_a_hand_count_of_listeners(self) -> None:
        matrix = matrix_of(np.array([[5, 0, 1, 0], [9, 0, 0, 0], [1, 1, 0, 0]]))
        scores = train("popularity", matrix, side=SideTables.none(), seed=0).recommender.scores(
            np.array([2, 0])
        )
        assert scores.tolist() == [[3, 1, 1, 0], [3, 1, 1, 0]]


class TestItemKnn(RecommenderContract):
    name = "item_knn"
    changes: ClassVar[dict[str, Any]] = {**WEIGHTING, "neighbours": 3, "shrink": 0.0}
    bad: ClassVar[list[dict[str, Any]]] = [*BAD_WEIGHTING, {"neighbours": 0}, {"shrink": -1}]
    draws_numbers = False
    folded_overlap = 9.9

    def test_folding_in_a_known_user_gives_the_trained_scores(self, crowded: TrainedModel) -> None:
        np.testing.assert_allclose(
            crowded.recommender.fold_in(crowd().plays),
            crowded.recommender.scores(np.arange(40)),
            rtol=1e-5,
        )

    def test_contributions_sum_to_the_score(self, crowded: TrainedModel) -> None:
        folded = crowded.recommender.fold_in(crowd().plays)
        for row, best, share in self.contributed(crowded):
            assert (share >= 0).all()
            np.testing.assert_allclose(share.sum(axis=0), folded[row, best], rtol=1e-4, atol=1e-6)

    def test_a_share_is_weight_times_similarity(self, crowded: TrainedModel) -> None:
        model = cast("ItemKnn", crowded.recommender)
        similarity, weights = model.similarity.toarray(), model.weights.toarray()
        for row, best, share in self.contributed(crowded):
            for place, artist in enumerate(np.flatnonzero(crowd().plays.toarray()[row])):
                expected = weights[row, artist] * similarity[artist, best]
                np.testing.assert_allclose(share[place], expected, rtol=1e-5)


class TestAls(RecommenderContract):
    name = "als"
    changes: ClassVar[dict[str, Any]] = {
        **WEIGHTING,
        "factors": 5,
        "regularization": 0.1,
        "alpha": 4.0,
        "fits": 2,
        "iterations": 2,
    }
    bad: ClassVar[list[dict[str, Any]]] = [
        *BAD_WEIGHTING,
        {"factors": 0},
        {"regularization": 0},
        {"alpha": 0},
        {"iterations": 0},
        {"factors": 1.5},
    ]
    draws_numbers = True
    folded_overlap = 9
    crowd_config: ClassVar[dict[str, Any]] = {"regularization": 1.0}
    scene_config: ClassVar[dict[str, Any]] = {"factors": 2, "regularization": 0.1}

    def test_contributions_sum_to_the_folded_in_score(self, crowded: TrainedModel) -> None:
        folded = crowded.recommender.fold_in(crowd().plays)
        for row, best, share in self.contributed(crowded):
            np.testing.assert_allclose(share.sum(axis=0), folded[row, best], rtol=1e-3, atol=1e-5)

    def test_trained_vectors_are_near_the_solution_of_their_equation(self) -> None:
        model = self.fitted(crowd(), factors=4, regularization=1.0, iterations=100).recommender
        folded, trained = model.fold_in(crowd().plays), model.scores(np.arange(40))
        assert np.abs(folded - trained).max() < 0.02 * np.abs(trained).max()

    @pytest.mark.parametrize("row", [0, 13, 39])
    def test_a_folded_in_listener_is_where_the_gradient_vanishes(self, row: int) -> None:
        # the loss of the class docstring, written out over every artist
        config = AlsConfig(factors=8, regularization=2.0, alpha=3.0)
        model = cast(
            "Als", train("als", crowd(), config, side=SideTables.none(), seed=0).recommender
        )
        plays = crowd().plays[[row]]
        artists = model.factors.artists.astype(np.float64)
        confidence, wanted = np.ones(60), np.zeros(60)
        confidence[plays.indices] = config.alpha * model.weigher.weights(plays)
        wanted[plays.indices] = 1.0
        x = model.factors.fold_in(model._confidence(plays), config.regularization)[0]
        assert np.abs(x).max() > 1e-3
        gradient = artists.T @ (confidence * (artists @ x - wanted)) + config.regularization * x
        np.testing.assert_allclose(gradient, 0.0, atol=1e-5)

    def test_the_number_of_threads_does_not_matter(self, tmp_path: Path) -> None:
        said = [fitted_elsewhere("als", threads, tmp_path) for threads in (1, 2)]
        assert said[0] == said[1]


class TestLightFm(RecommenderContract):
    name = "lightfm"
    changes: ClassVar[dict[str, Any]] = {
        "loss": "bpr",
        "components": 5,
        "learning_rate": 0.1,
        "epochs": 3,
        "max_sampled": 2,
        "item_alpha": 0.01,
        "user_alpha": 0.01,
    }
    bad: ClassVar[list[dict[str, Any]]] = [
        {"loss": "logistic"},
        {"components": 0},
        {"learning_rate": 0},
        {"epochs": 0},
        {"max_sampled": 0},
        {"item_alpha": -1},
        {"user_alpha": -1},
    ]
    draws_numbers = True
    folded_overlap = 6
    scene_config: ClassVar[dict[str, Any]] = {"components": 4, "epochs": 50}

    def test_plays_are_read_as_presence(self, crowded: TrainedModel) -> None:
        present = matrix_of(crowd().plays.toarray() > 0)
        np.testing.assert_array_equal(
            self.fitted(present).recommender.scores(np.arange(40)),
            crowded.recommender.scores(np.arange(40)),
        )

    def test_a_folded_in_listener_is_as_long_as_the_usual_trained_one(
        self, crowded: TrainedModel
    ) -> None:
        factors = cast("LightFm", crowded.recommender).factors
        scores = crowded.recommender.fold_in(crowd().plays) - factors.artist_bias
        vectors = np.linalg.lstsq(factors.artists.astype(float), scores.T.astype(float))[0].T
        usual = np.median(np.linalg.norm(factors.users, axis=1))
        # 60 artists cannot always tell 64 dimensions apart: the shortest vector is a lower bound
        assert (np.linalg.norm(vectors, axis=1) <= usual * 1.001).all()
        assert np.linalg.norm(vectors, axis=1).max() > 0.5 * usual

    def test_a_listener_without_plays_gets_the_biases(self, crowded: TrainedModel) -> None:
        factors = cast("LightFm", crowded.recommender).factors
        nobody = sps.csr_array((1, 60), dtype=np.float32)
        np.testing.assert_allclose(crowded.recommender.fold_in(nobody)[0], factors.artist_bias)

    def test_another_process_gives_the_same_vectors(self, tmp_path: Path) -> None:
        said = [fitted_elsewhere("lightfm", threads, tmp_path) for threads in (1, 2)]
        assert said[0] == said[1]


def test_every_model_is_under_contract() -> None:
    for file in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(file.stem)  # so that this holds when this file alone is run
    tested = {contract.name for contract in RecommenderContract.__subclasses__()}
    assert tested == set(MODELS)
    assert [MODELS[name].name for name in MODELS] == list(MODELS)
    first = [Popularity, ItemKnn, Als, LightFm]
    assert [model for model in MODELS.values() if model in first] == first


PROBE = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from model_worlds import sample
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import train
factors = train(sys.argv[2], sample(), side=SideTables.none(), seed=0).recommender.factors
print(hashlib.sha256(factors.users.tobytes() + factors.artists.tobytes()).hexdigest())
"""


def fitted_elsewhere(model: str, threads: int, folder: Path) -> str:
    """Digest of the vectors that a process of its own, with so many threads, arrives at."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, str(Path(__file__).parent), model],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **dict.fromkeys(names, str(threads)), "TMPDIR": str(folder)},
    )
    return ended.stdout.strip()


# neighbours


def slow_nearest(weights: np.ndarray, neighbours: int, shrink: float) -> np.ndarray:
    """Every pair of columns, one cosine at a time."""
    weights = weights.astype(np.float64)
    n = weights.shape[1]
    similarity = np.zeros((n, n))
    for a in range(n):
        cosines = {}
        for b in range(n):
            product = float(weights[:, a] @ weights[:, b])
            norms = np.sqrt((weights[:, a] ** 2).sum()) * np.sqrt((weights[:, b] ** 2).sum())
            if a != b and product > 0:
                cosines[b] = product / (norms + shrink)
        for b in sorted(cosines, key=lambda b: (-cosines[b], b))[:neighbours]:
            similarity[a, b] = cosines[b]
    return similarity


counts = st.integers(0, 2**32 - 1).map(
    lambda seed: (
        np.random.default_rng(seed).integers(0, 3, (6, 12))
        * np.random.default_rng(seed + 1).integers(0, 2, (6, 12))
    ).astype(np.float32)
)


@settings(max_examples=80, deadline=None)
@given(counts, st.integers(1, 13), st.sampled_from([0.0, 1.0, 50.0]))
def test_neighbours_are_those_of_brute_force(
    weights: np.ndarray, neighbours: int, shrink: float
) -> None:
    found = nearest(sps.csr_array(weights), neighbours=neighbours, shrink=shrink)
    assert found.dtype == np.float32
    assert found.shape == (12, 12)
    expected = slow_nearest(weights, neighbours, shrink)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)
    np.testing.assert_array_equal(found.toarray() > 0, expected > 0)
    assert (found.data > 0).all()


def test_neighbours_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nearest(crowd().plays, neighbours=5, shrink=10.0)
    monkeypatch.setattr(neighbours, "_ENTRIES", 7 * 60)
    steps: list[tuple[int, int]] = []
    chunked = nearest(
        crowd().plays, neighbours=5, shrink=10.0, on_progress=lambda *step: steps.append(step)
    )
    np.testing.assert_array_equal(chunked.toarray(), whole.toarray())
    assert steps[0][0] >= 7
    assert len(steps) > 3
    assert steps == sorted(steps)
    assert steps[-1] == (60, 60)


def test_equal_neighbours_go_to_the_smaller_column() -> None:
    alike = sps.csr_array(np.ones((2, 5), dtype=np.float32))
    assert (nearest(alike, neighbours=2, shrink=0.0).toarray() > 0).tolist() == [
        [False, True, True, False, False],
        [True, False, True, False, False],
        [True, True, False, False, False],
        [True, True, False, False, False],
        [True, True, False, False, False],
    ]


def test_shrinkage_favours_neighbours_with_more_listeners_in_common() -> None:
    weights = np.zeros((7, 4), dtype=np.float32)
    weights[:6, 0] = 1  # six listeners, five of them
    weights[1:6, 1] = 1  # play artist 1 too,
    weights[6, 2] = weights[6, 3] = 1  # and one user alone plays 2 and 3
    plain, shrunk = (
        nearest(sps.csr_array(weights), neighbours=3, shrink=shrink).toarray() for shrink in (0, 5)
    )
    assert plain[2, 3] == pytest.approx(1.0)
    assert plain[0, 1] == pytest.approx(5 / np.sqrt(6 * 5))
    assert shrunk[2, 3] == pytest.approx(1 / (1 + 5))
    assert shrunk[0, 1] == pytest.approx(5 / (np.sqrt(6 * 5) + 5))


def test_artists_without_any_weight_have_no_neighbours() -> None:
    matrix = matrix_of(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]))
    model = ItemKnn.fit(matrix, ItemKnnConfig(shrink=0.0), side=SideTables.none(), seed=0)
    assert model.similarity[[0]].nnz == 0  # everybody plays it: its weight is 0
    assert model.similarity[[3]].nnz == 0  # nobody plays it
    assert np.isfinite(model.scores(np.arange(4))).all()


# factors


def test_a_score_is_an_inner_product_and_the_bias() -> None:
    factors = Factors(
        np.array([[1, 2], [0, 1]], np.float32),
        np.array([[1, 0], [0, 1], [2, 3]], np.float32),
        np.array([0, 10, 0], np.float32),
    )
    assert factors.scores(factors.users).tolist() == [
        [1, 2 + 10, 1 * 2 + 2 * 3],
        [0, 1 + 10, 3],
    ]


def test_more_regularisation_gives_a_shorter_vector() -> None:
    rng = np.random.default_rng(0)
    factors = Factors(
        np.zeros((1, 3), np.float32),
        rng.normal(size=(9, 3)).astype(np.float32),
        np.zeros(9, np.float32),
    )
    plays = sps.csr_array(np.array([[1, 0, 0, 1, 0, 0, 0, 1, 0]], dtype=np.float64))
    lengths = [np.linalg.norm(factors.fold_in(plays, reg)) for reg in (0.1, 1.0, 10.0, 100.0)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 0.2 * lengths[0]
