"""Metrics against their definitions, by hand, by brute force and by law."""

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import slow_metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.evaluation import metrics
from lastfm_assets.evaluation.metrics import (
    METRICS,
    Hits,
    auc_per_user,
    bootstrap_interval,
    bootstrap_intervals,
    hits_in_lists,
    means,
    metrics_per_user,
    per_user_table,
    precision_ceiling,
    resampled_counts,
)


def one(ranks_hit: list[int], n: int, held_out: int, k: int) -> dict[str, float]:
    """Metrics of one user whose list of n artists has hits at some ranks."""
    hits = np.isin(np.arange(1, n + 1), ranks_hit)[None, :]
    values = metrics_per_user(Hits.of(hits), np.array([held_out]), k)
    return {name: float(value[0]) for name, value in values.items()}


log = np.log2


class TestByHand:
    @pytest.mark.parametrize(
        ("ranks_hit", "held_out", "k", "expected"),
        [
            ([1, 3], 2, 3, {"precision": 2 / 3, "recall": 2 / 2, "mrr": 1, "hit_rate": 1}),
            ([1, 3], 2, 3, {"ndcg": (1 + 1 / log(4)) / (1 + 1 / log(3))}),
            ([1, 3], 2, 3, {"map": (1 / 1 + 2 / 3) / 2}),
            ([2], 5, 3, {"precision": 1 / 3, "recall": 1 / 5, "mrr": 1 / 2}),
            ([2], 5, 3, {"ndcg": (1 / log(3)) / (1 + 1 / log(3) + 1 / log(4))}),
            ([2], 5, 3, {"map": (1 / 2) / 3}),
            ([4], 1, 3, dict.fromkeys(METRICS, 0)),
            ([4], 1, 4, {"precision": 1 / 4, "recall": 1, "ndcg": 1 / log(5), "map": 1 / 4}),
            ([1, 2], 2, 10, {"precision": 2 / 10, "recall": 1, "ndcg": 1, "map": 1}),
            ([], 3, 10, dict.fromkeys(METRICS, 0)),
        ],
    )
    def test_metrics_are_this_arithmetic(
        self, ranks_hit: list[int], held_out: int, k: int, expected: dict[str, float]
    ) -> None:
        found = one(ranks_hit, 5, held_out, k)
        assert {name: found[name] for name in expected} == pytest.approx(expected)

    def test_precision_divides_by_k_even_where_less_is_held_out(self) -> None:
        # implicit divides by min(k, held out) under this name: it would say 1
        assert one([1], 10, 1, 10)["precision"] == 1 / 10

    def test_a_list_shorter_than_k_misses_at_the_ranks_it_lacks(self) -> None:
        assert one([1, 2], 2, 4, 10) == pytest.approx(slow_metrics([1, 2], {1, 2, 8, 9}, 10))

    def test_nothing_held_out_is_undefined(self) -> None:
        assert all(np.isnan(value) for value in one([], 5, 0, 3).values())

    def test_nothing_listed_is_zero(self) -> None:
        assert one([], 0, 4, 3) == dict.fromkeys(METRICS, 0)


lists = st.lists(st.integers(0, 14), unique=True, max_size=12)
wanted = st.sets(st.integers(0, 14), max_size=10)


class TestAgainstBruteForce:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.tuples(lists, wanted), min_size=1, max_size=6), st.integers(1, 15))
    def test_every_metric_of_every_user(
        self, users: list[tuple[list[int], set[int]]], k: int
    ) -> None:
        table = np.full((len(users), 12), -1, dtype=np.int64)
        for row, (listed, _) in enumerate(users):
            table[row, : len(listed)] = listed
        held = [(row, artist) for row, (_, held) in enumerate(users) for artist in held]
        rows, columns = np.array(held, dtype=np.int64).reshape(-1, 2).T
        hits = hits_in_lists(table, rows, columns, 15)
        sizes = np.array([len(held) for _, held in users])
        found = metrics_per_user(hits, sizes, k)
        assert tuple(found) == METRICS
        for row, (listed, held) in enumerate(users):
            values = {name: value[row] for name, value in found.items()}
            assert values == pytest.approx(slow_metrics(listed, held, k), nan_ok=True)

    @settings(max_examples=60, deadline=None)
    @given(lists.filter(len), wanted.filter(len), st.integers(1, 12))
    def test_metrics_lie_in_0_to_1_and_the_best_list_has_1(
        self, listed: list[int], held: set[int], k: int
    ) -> None:
        best = sorted(held) + [artist for artist in listed if artist not in held]
        for order, exact in ((listed, False), (best, True)):
            hits = np.array([[artist in held for artist in order]])
            found = metrics_per_user(Hits.of(hits), np.array([len(held)]), k)
            for name, value in found.items():
                assert 0 <= value[0] <= 1 + 1e-12
                if exact and name in ("ndcg", "map", "mrr", "hit_rate"):
                    assert value[0] == pytest.approx(1)

    def test_a_hit_further_up_never_lowers_a_metric(self) -> None:
        for rank in range(2, 8):
            lower, upper = one([rank], 7, 2, 7), one([rank - 1], 7, 2, 7)
            assert all(upper[name] >= lower[name] for name in METRICS)
            assert all(upper[name] > lower[name] for name in ("ndcg", "map", "mrr"))


def test_hits_know_users_apart_and_ignore_ended_lists() -> None:
    table = np.array([[3, 1, -1], [1, 3, 0]])
    hits = hits_in_lists(table, np.array([0, 1, 1]), np.array([1, 3, 4]), 5)
    assert (hits.rows.tolist(), hits.places.tolist()) == ([0, 1], [1, 1])
    # column -1 of user 1 would be the last column of user 0
    assert not len(hits_in_lists(np.array([[0], [-1]]), np.array([0]), np.array([4]), 5).rows)
    nothing = np.array([], dtype=np.int64)
    assert not len(hits_in_lists(table, nothing, nothing, 5).rows)


class TestCeiling:
    def test_it_is_the_precision_of_perfect_lists(self) -> None:
        sizes = np.array([0, 1, 4, 10, 25])
        assert precision_ceiling(sizes, 10) == pytest.approx((1 + 4 + 10 + 10) / 4 / 10)
        hits = np.arange(10) < sizes[:, None]
        perfect = metrics_per_user(Hits.of(hits), sizes, 10)["precision"]
        assert precision_ceiling(sizes, 10) == pytest.approx(np.nanmean(perfect))

    def test_nothing_held_out_has_none(self) -> None:
        assert np.isnan(precision_ceiling(np.array([0, 0]), 10))
        assert np.isnan(precision_ceiling(np.array([], dtype=int), 10))


def test_the_table_names_each_metric_and_cut_off() -> None:
    hits = Hits.of(np.array([[True, False]]))
    table = per_user_table(np.array([5]), hits, np.array([3]), [1, 2], np.array([0.75]))
    assert list(table.columns) == [
        "user_id",
        *(f"{name}@1" for name in METRICS),
        *(f"{name}@2" for name in METRICS),
        "auc",
    ]
    assert table["auc"].tolist() == [0.75]
    assert table["user_id"].tolist() == [5]
    for k in (1, 2):
        for name, (value,) in metrics_per_user(hits, np.array([3]), k).items():
            assert table[f"{name}@{k}"].tolist() == [value]


def test_of_no_user_no_draw_is_made() -> None:
    assert list(resampled_counts(0, seed=0, resamples=3)) == []
    (counts,) = resampled_counts(1, seed=0, resamples=3)
    assert counts.tolist() == [[1.0], [1.0], [1.0]]


def auc_of(ranks: list[float], held_out: int, ahead: int, last: int) -> float:
    """The auc of one user."""
    (found,) = auc_per_user(
        np.zeros(len(ranks), dtype=np.int64),
        np.array(ranks, dtype=np.float64),
        np.array([held_out]),
        np.array([ahead]),
        np.array([last]),
    )
    return float(found)


class TestAuc:
    @pytest.mark.parametrize(
        ("ranks", "held_out", "ahead", "last", "expected"),
        [
            ([1, 2], 2, 5, 0, 1),
            ([4, 5], 2, 5, 0, 0),
            ([1, 4], 2, 5, 0, (3 + 1) / 6),
            ([3], 1, 5, 0, 2 / 4),
            ([1.5], 1, 3, 0, (1 / 2 + 1) / 2),  # tied with one other, ahead of the third
            ([2.5, 2.5], 2, 4, 0, 1 / 2),
            ([1], 2, 3, 1, (2 + 0) / 4),  # the other one stands last
            ([1], 3, 3, 2, (2 + 0 + 0) / 6),  # two stand last
            ([], 1, 2, 4, (3 / 2) / 5),  # last together with three that are not held out
            ([], 1, 0, 4, 1 / 2),
        ],
    )
    def test_it_is_the_share_of_pairs_in_right_order(
        self, ranks: list[float], held_out: int, ahead: int, last: int, expected: float
    ) -> None:
        assert auc_of(ranks, held_out, ahead, last) == pytest.approx(expected)

    def test_it_is_undefined_where_nothing_or_everything_is_held_out(self) -> None:
        assert np.isnan(auc_of([], 0, 5, 0))
        assert np.isnan(auc_of([1, 2], 2, 2, 0))


def test_a_mean_counts_only_users_who_have_a_value() -> None:
    table = pd.DataFrame({"user_id": [1, 2, 3], "precision@10": [0.2, np.nan, 0.4]})
    assert means(table) == pytest.approx({"precision@10": (0.2 + 0.4) / 2})


class TestBootstrap:
    values = np.random.default_rng(1).binomial(10, 0.2, 400) / 10

    def test_it_is_deterministic_in_its_seed(self) -> None:
        assert bootstrap_interval(self.values, seed=3) == bootstrap_interval(self.values, seed=3)
        assert bootstrap_interval(self.values, seed=3) != bootstrap_interval(self.values, seed=4)

    def test_of_one_resample_is_that_mean_alone(self) -> None:
        low, high = bootstrap_interval(self.values, seed=3, resamples=1)
        assert low == high

    def test_it_lies_around_the_mean_with_the_width_of_the_normal_law(self) -> None:
        low, high = bootstrap_interval(self.values, seed=0)
        expected = 1.96 * self.values.std() / np.sqrt(len(self.values))
        assert low < self.values.mean() < high
        assert (high - low) / 2 == pytest.approx(expected, rel=0.08)
        assert (low + high) / 2 == pytest.approx(self.values.mean(), abs=0.1 * expected)

    def test_a_lower_level_is_narrower(self) -> None:
        low, high = bootstrap_interval(self.values, seed=0, level=0.5)
        expected = 0.674 * self.values.std() / np.sqrt(len(self.values))
        assert (high - low) / 2 == pytest.approx(expected, rel=0.08)

    def test_it_covers_the_truth_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(5)
        covered = 0
        for seed in range(300):
            drawn = rng.binomial(10, 0.2, 150) / 10
            low, high = bootstrap_interval(drawn, seed=seed, resamples=300)
            covered += low <= 0.2 <= high
        assert 0.91 <= covered / 300 <= 0.985

    def test_users_without_a_value_are_left_out(self) -> None:
        with_gaps = np.concatenate([[np.nan] * 50, self.values, [np.nan]])
        assert bootstrap_interval(with_gaps, seed=0) == bootstrap_interval(self.values, seed=0)

    def test_nobody_has_no_interval(self) -> None:
        assert np.isnan(bootstrap_interval(np.array([np.nan]), seed=0)).all()
        assert np.isnan(bootstrap_interval(np.array([]), seed=0)).all()

    def test_equal_users_have_no_width(self) -> None:
        assert bootstrap_interval(np.full(20, 0.25), seed=0) == (0.25, 0.25)


def slow_interval(values: np.ndarray, seed: int, resamples: int) -> tuple[float, float]:
    """Percentiles of the means of resamples, one after the other."""
    rng = np.random.default_rng(seed)
    drawn = [
        np.nanmean(values[rng.integers(len(values), size=len(values))]) for _ in range(resamples)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


class TestBootstrapOfManyColumns:
    table = np.random.default_rng(2).binomial(10, [0.1, 0.3, 0.6], (201, 3)) / 10

    def test_it_is_what_resampling_one_by_one_gives(self) -> None:
        found = bootstrap_intervals(self.table, seed=4, resamples=150)
        expected = [slow_interval(column, 4, 150) for column in self.table.T]
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_a_column_with_gaps_is_averaged_over_those_drawn_who_have_a_value(self) -> None:
        gaps = self.table.copy()
        gaps[::3, 1] = np.nan
        found = bootstrap_intervals(gaps, seed=4, resamples=150)
        expected = [slow_interval(column, 4, 150) for column in gaps.T]
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_each_column_has_the_interval_it_would_have_alone(self) -> None:
        found = bootstrap_intervals(self.table, seed=9)
        alone = [bootstrap_interval(column, seed=9) for column in self.table.T]
        np.testing.assert_allclose(found, alone, rtol=1e-12)

    @pytest.mark.parametrize("count_bytes", [1, 8 * 201 * 7])
    def test_chunks_do_not_change_it(
        self, monkeypatch: pytest.MonkeyPatch, count_bytes: int
    ) -> None:
        expected = bootstrap_intervals(self.table, seed=4, resamples=150)
        monkeypatch.setattr(metrics, "_COUNT_BYTES", count_bytes)
        found = bootstrap_intervals(self.table, seed=4, resamples=150)
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_users_and_columns_without_a_value_are_left_out(self) -> None:
        gaps = np.full((251, 4), np.nan)
        gaps[50:, :3] = self.table
        found = bootstrap_intervals(gaps, seed=4, resamples=150)
        np.testing.assert_array_equal(
            found[:3], bootstrap_intervals(self.table, seed=4, resamples=150)
        )
        assert np.isnan(found[3]).all()

    def test_the_same_draws_make_a_sum_of_columns_move_together(self) -> None:
        both = np.stack([self.table[:, 0], 1 - self.table[:, 0]], axis=1)
        (low, high), (other_low, other_high) = bootstrap_intervals(both, seed=1)
        assert (low, high) == pytest.approx((1 - other_high, 1 - other_low), abs=2e-3)
