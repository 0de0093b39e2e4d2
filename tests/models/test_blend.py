"""The contract on the blend, and what its weights are."""

from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sps
from model_contract import RecommenderContract
from model_worlds import crowd, matrix_of, sample
from test_ease import tags_of_a_crowd
from threadpoolctl import threadpool_info, threadpool_limits

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import blend, fits
from lastfm_assets.models.blend import Blend, BlendConfig, learn_weights, put_aside
from lastfm_assets.models.trained import TrainedModel, train


class TestBlend(RecommenderContract):
    name = "blend"
    changes: ClassVar[dict[str, Any]] = {
        "validation_share": 0.4,
        "candidates": 3,
        "shrink": 100.0,
    }
    bad: ClassVar[list[dict[str, Any]]] = [
        {"validation_share": 0},
        {"validation_share": 1},
        {"candidates": 0},
        {"shrink": -1},
    ]
    draws_numbers = True
    folded_overlap = 6

    @classmethod
    def side_of(cls, matrix: ListeningMatrix) -> SideTables:
        return tags_of_a_crowd(matrix)

    def test_the_score_is_the_weighted_sum_of_its_members(self, crowded: TrainedModel) -> None:
        pooled = cast("Blend", crowded.recommender)
        rows = np.arange(40)
        expected = sum(
            float(theta) * member.scores(rows)
            for theta, member in zip(pooled.theta, pooled.members, strict=True)
        )
        np.testing.assert_allclose(pooled.scores(rows), expected, rtol=1e-5, atol=1e-6)

    def test_members_are_those_fitted_alone_on_every_pair(self, crowded: TrainedModel) -> None:
        for member in cast("Blend", crowded.recommender).members:
            alone = train(member.name, crowd(), side=tags_of_a_crowd(crowd()), seed=3)
            rows = np.arange(40)
            np.testing.assert_allclose(
                member.scores(rows), alone.recommender.scores(rows), rtol=1e-4, atol=1e-6
            )

    def test_reasons_are_those_of_the_member_with_most_to_say(self, crowded: TrainedModel) -> None:
        pooled = cast("Blend", crowded.recommender)
        strongest = pooled.members[int(pooled.spread.argmax())]
        plays, artists = crowd().plays, np.tile(np.arange(4), (40, 1))
        for mine, its in zip(
            pooled.contributions(plays, artists),
            strongest.contributions(plays, artists),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, its)


def test_weights_are_learnt_in_one_thread_since_several_round_differently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = []

    def watched(*given: Any) -> Any:
        threads.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        return learn_weights(*given)

    monkeypatch.setattr(blend, "learn_weights", watched)
    with threadpool_limits(2, "blas"):
        Blend.fit(crowd(), BlendConfig(), side=tags_of_a_crowd(crowd()), seed=3)
    assert set(threads) == {1}


def test_its_members_are_fitted_in_processes_where_there_are_some() -> None:
    given = {"matrix": crowd(), "config": BlendConfig(), "side": tags_of_a_crowd(crowd())}
    here = Blend.fit(**given, seed=21).arrays()
    fits.forget()
    steps: list[tuple[int, int]] = []
    with fits.workers(2):
        there = Blend.fit(**given, seed=21, on_progress=lambda *step: steps.append(step)).arrays()
        pool = fits._pools[-1]
        assert pool is not None
        assert len(pool._started) == 2
    assert steps == [(done, 7) for done in range(1, 8)]
    assert there.keys() == here.keys()
    for name in here:
        np.testing.assert_array_equal(there[name], here[name], strict=True)


class _Given:
    """A member whose scores are given."""

    def __init__(self, scores: np.ndarray) -> None:
        self.given = scores.astype(np.float32)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        return self.given[user_rows].copy()


def _world(n_users: int = 60, n_artists: int = 30) -> tuple[ListeningMatrix, np.ndarray]:
    rng = np.random.default_rng(2)
    plays = np.zeros((n_users, n_artists))
    plays[:, 0] = 1
    return matrix_of(plays), rng.normal(size=(n_users, n_artists))


def _wanted(matrix: ListeningMatrix, truth: np.ndarray) -> pd.DataFrame:
    """Each user's best artist by `truth`, the played one aside."""
    best = truth[:, 1:].argmax(axis=1) + 1
    return pd.DataFrame({"user_id": matrix.user_ids, "artist_id": matrix.artist_ids[best]})


class TestWeights:
    def test_a_member_that_knows_nothing_gets_next_to_nothing(self) -> None:
        matrix, truth = _world()
        noise = np.random.default_rng(3).normal(size=truth.shape)
        members = cast("Any", [_Given(noise), _Given(truth)])
        _, said = learn_weights(members, matrix, _wanted(matrix, truth), BlendConfig())
        assert said[0] < 0.1 * said[1]

    def test_a_member_that_is_wrong_gets_nothing(self) -> None:
        matrix, truth = _world()
        members = cast("Any", [_Given(-truth), _Given(truth)])
        theta, _ = learn_weights(members, matrix, _wanted(matrix, truth), BlendConfig())
        assert theta[0] == 0
        assert theta[1] > 0

    def test_a_members_unit_does_not_matter(self) -> None:
        matrix, truth = _world()
        wanted = _wanted(matrix, truth + np.random.default_rng(4).normal(size=truth.shape))
        other = np.random.default_rng(5).normal(size=truth.shape) + truth
        one, said = learn_weights(
            cast("Any", [_Given(truth), _Given(other)]), matrix, wanted, BlendConfig()
        )
        scaled, said_scaled = learn_weights(
            cast("Any", [_Given(1000 * truth), _Given(other)]), matrix, wanted, BlendConfig()
        )
        np.testing.assert_allclose(said_scaled, said, rtol=1e-3)
        np.testing.assert_allclose(scaled, one * [1e-3, 1.0], rtol=1e-3)

    def test_they_are_where_the_penalised_likelihood_is_flat(self) -> None:
        matrix, truth = _world()
        wanted = _wanted(matrix, truth + np.random.default_rng(4).normal(size=truth.shape))
        members = [_Given(truth), _Given(truth + np.random.default_rng(6).normal(size=truth.shape))]
        config = BlendConfig(candidates=29)
        theta, said = learn_weights(cast("Any", members), matrix, wanted, config)
        deviation = said / theta
        columns = matrix.columns_of(wanted["artist_id"].to_numpy())

        def likelihood(weights: np.ndarray) -> float:
            total = -float(weights @ weights)
            for row, column in enumerate(columns):
                pooled = sum(
                    weight * member.given[row, 1:].astype(float) / unit
                    for weight, member, unit in zip(weights, members, deviation, strict=True)
                )
                total += pooled[column - 1] - np.log(np.exp(pooled).sum())
            return total

        best = likelihood(said.astype(float))
        for step in np.array([[0.05, 0], [-0.05, 0], [0, 0.05], [0, -0.05]]):
            assert likelihood(np.maximum(said + step, 0)) < best + 1e-6

    @pytest.mark.parametrize("sign", [0.0, -1.0])
    def test_where_nothing_can_be_learnt_members_count_alike(self, sign: float) -> None:
        matrix, truth = _world()
        wanted = _wanted(matrix, truth)
        if not sign:
            wanted = wanted.iloc[:0]
        members = cast("Any", [_Given(sign * truth), _Given(2 * sign * truth)])
        _, said = learn_weights(members, matrix, wanted, BlendConfig())
        assert said.tolist() == [1.0, 1.0]


class TestPutAside:
    def test_both_parts_are_disjoint_and_together_everything(self) -> None:
        matrix = sample()
        train_matrix, pairs = put_aside(matrix, share=0.125, seed=4)
        rows = matrix.rows_of(pairs["user_id"].to_numpy())
        columns = matrix.columns_of(pairs["artist_id"].to_numpy())
        aside = sps.csr_array((np.ones(len(rows)), (rows, columns)), shape=matrix.plays.shape)
        assert train_matrix.plays.nnz + len(pairs) == matrix.plays.nnz
        assert aside.multiply(train_matrix.plays).nnz == 0
        assert len(pairs) == pytest.approx(0.125 * matrix.plays.nnz, rel=0.1)

    def test_members_do_not_see_the_tags_of_what_is_put_aside(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        fit = blend.fits.fit

        def watched(model: Any, matrix: Any, *rest: Any, side: SideTables, seed: int) -> Any:
            seen.append((matrix.plays.nnz, side))
            return fit(model, matrix, *rest, side=side, seed=seed)

        monkeypatch.setattr(blend.fits, "fit", watched)
        Blend.fit(crowd(), BlendConfig(), side=tags_of_a_crowd(crowd()), seed=3)
        sides = dict(seen)
        assert len(seen) == 2 * len(blend.MEMBERS)
        assert len(sides) == 2
        first, second = sides[min(sides)], sides[max(sides)]
        _, pairs = put_aside(crowd(), share=0.125, seed=3)
        given = first.tag_assignments.merge(pairs, on=["user_id", "artist_id"])
        assert len(given) == 0
        assert len(second.tag_assignments.merge(pairs, on=["user_id", "artist_id"])) > 0
