"""Intervals against published values, simulation and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lastfm_assets.music.intervals import (
    bonett_wright,
    of_median,
    percentiles,
    wilson,
    worth_of_clusters,
)


class TestWilson:
    @pytest.mark.parametrize(
        ("hits", "n", "low", "high"),
        [  # Newcombe, 1998, Statistics in Medicine 17, 857-872, table I, method 3
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_is_as_newcombe_published_it(self, hits: int, n: int, low: float, high: float) -> None:
        found = wilson(np.array([hits / n]), np.array([n]))
        assert np.round(np.ravel(found), 4).tolist() == [low, high]

    @given(st.integers(1, 5000), st.floats(0, 1))
    def test_is_that_of_scipy_and_holds_the_share(self, n: int, part: float) -> None:
        hits = round(part * n)
        low, high = wilson(np.array([hits / n]), np.array([n]))
        expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert low[0] - 1e-12 <= hits / n <= high[0] + 1e-12

    def test_of_nothing_is_missing(self) -> None:
        low, high = wilson(np.array([np.nan]), np.array([0]))
        assert np.isnan([low[0], high[0]]).all()


class TestTheWorthOfClusters:
    def test_is_their_number_where_each_is_of_one_mind(self) -> None:
        """Forty users who give fifty tags each, always the same: forty opinions, all but one."""
        hits = np.repeat([50.0, 0.0], [10, 30])
        worth = worth_of_clusters(hits, np.full(40, 50.0))
        assert worth == pytest.approx(39)

    def test_is_about_that_of_all_observations_where_they_are_independent(self) -> None:
        rng = np.random.default_rng(5)
        size = np.full(2000, 20.0)
        worth = worth_of_clusters(rng.binomial(20, 0.2, 2000).astype(float), size)
        assert 0.85 * size.sum() < worth <= size.sum()

    def test_is_never_above_all_observations(self) -> None:
        hits, size = np.array([5.0, 5.0, 5.0, 6.0]), np.full(4, 10.0)
        assert worth_of_clusters(hits, size) == 40

    @pytest.mark.parametrize("hits", [[0.0, 0.0, 0.0], [4.0, 9.0, 2.0]])
    def test_of_a_share_of_none_or_all_is_their_number(self, hits: list[float]) -> None:
        assert worth_of_clusters(np.array(hits), np.array([4.0, 9.0, 2.0])) == 3

    def test_of_one_is_one(self) -> None:
        assert worth_of_clusters(np.array([30.0]), np.array([200.0])) == 1


class TestTheMedian:
    @pytest.mark.parametrize("n", [1, 2, 3, 10, 31, 200])
    def test_drawn_at_once_is_distributed_as_that_of_whole_draws(self, n: int) -> None:
        """Quantiles 5% to 95% of both, a thousand times as dear the one as the other."""
        values = np.random.default_rng(n).lognormal(size=n)
        low, high = of_median(values, rng=np.random.default_rng(1), resamples=40_000)
        rows = np.random.default_rng(2).integers(n, size=(40_000, n))
        drawn = np.median(values[rows], axis=1)
        shares = [(drawn < low).mean(), (drawn <= low).mean(), (drawn < high).mean()]
        assert shares[0] <= 0.03
        assert shares[1] >= 0.02
        assert shares[2] <= 0.98
        assert (drawn <= high).mean() >= 0.97

    def test_of_whole_numbers_has_ends_that_a_draw_can_have(self) -> None:
        values = np.array([1, 1, 2, 5, 9, 14, 40])
        ends = of_median(values, rng=np.random.default_rng(0))
        assert set(ends) <= set(values.tolist())

    def test_covers_the_true_median_in_about_95_of_100_samples(self) -> None:
        rng = np.random.default_rng(11)
        held = [
            low <= 0 <= high
            for low, high in (
                of_median(rng.normal(size=61), rng=rng, resamples=500) for _ in range(600)
            )
        ]
        assert 0.92 < np.mean(held) < 0.985

    def test_of_nothing_is_missing(self) -> None:
        assert np.isnan(of_median(np.array([]), rng=np.random.default_rng(0))).all()


class TestTheRankCorrelation:
    def test_has_the_interval_of_fishers_z_with_a_wider_error(self) -> None:
        """By hand: atanh 0.5 = 0.5493, error sqrt(1.125 / 50) = 0.15, so 0.2553 to 0.8433."""
        low, high = bonett_wright(0.5, 53)
        assert (low, high) == pytest.approx((np.tanh(0.25531), np.tanh(0.84330)), abs=2e-4)

    def test_covers_the_true_one_in_about_95_of_100_samples(self) -> None:
        rng = np.random.default_rng(3)
        of_normals = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's, of normals that correlate 0.6
        held = []
        for _ in range(500):
            x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=60).T
            low, high = bonett_wright(float(stats.spearmanr(x, y).statistic), 60)
            held.append(low <= of_normals <= high)
        assert 0.92 < np.mean(held) < 0.985

    @pytest.mark.parametrize("correlation", [1.0, -1.0])
    def test_of_a_perfect_one_stays_within_one(self, correlation: float) -> None:
        low, high = bonett_wright(correlation, 20)
        assert -1 <= low <= correlation <= high <= 1 or abs(abs(low) - 1) < 1e-6

    @pytest.mark.parametrize(("correlation", "n"), [(0.5, 3), (float("nan"), 50)])
    def test_of_too_few_or_of_none_is_missing(self, correlation: float, n: int) -> None:
        assert np.isnan(bonett_wright(correlation, n)).all()


class TestPercentiles:
    def test_leave_out_a_fortieth_at_either_end(self) -> None:
        assert percentiles(np.arange(1001.0)) == (25, 975)

    def test_pass_over_what_is_missing(self) -> None:
        assert percentiles(np.array([np.nan, 2.0, 2.0])) == (2, 2)

    @pytest.mark.parametrize("drawn", [[], [np.nan, np.nan, 1.0]])
    def test_are_missing_where_most_is(self, drawn: list[float]) -> None:
        assert np.isnan(percentiles(np.array(drawn))).all()
