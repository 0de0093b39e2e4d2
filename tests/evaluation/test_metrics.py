"""Metrics against their definitions, by hand, by brute force and by law."""

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import pairs, slow_metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.evaluation.metrics import (
    METRICS,
    bootstrap_interval,
    hits_in_lists,
    judge_lists,
    means,
    metrics_per_user,
    per_user_table,
    precision_ceiling,
)


def one(ranks_hit: list[int], n: int, held_out: int, k: int) -> dict[str, float]:
    """Metrics of one user whose list of n artists has hits at some ranks."""
    hits = np.isin(np.arange(1, n + 1), ranks_hit)[None, :]
    values = metrics_per_user(hits, np.array([held_out]), k)
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
            found = metrics_per_user(hits, np.array([len(held)]), k)
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
    assert hits.tolist() == [[False, True, False], [False, True, False]]
    # column -1 of user 1 would be the last column of user 0
    assert not hits_in_lists(np.array([[0], [-1]]), np.array([0]), np.array([4]), 5).any()
    nothing = np.array([], dtype=np.int64)
    assert not hits_in_lists(table, nothing, nothing, 5).any()


class TestCeiling:
    def test_it_is_the_precision_of_perfect_lists(self) -> None:
        sizes = np.array([0, 1, 4, 10, 25])
        assert precision_ceiling(sizes, 10) == pytest.approx((1 + 4 + 10 + 10) / 4 / 10)
        hits = np.arange(10) < sizes[:, None]
        perfect = metrics_per_user(hits, sizes, 10)["precision"]
        assert precision_ceiling(sizes, 10) == pytest.approx(np.nanmean(perfect))

    def test_nothing_held_out_has_none(self) -> None:
        assert np.isnan(precision_ceiling(np.array([0, 0]), 10))
        assert np.isnan(precision_ceiling(np.array([], dtype=int), 10))


def scored(*rows: tuple[object, object, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "artist_id", "score"])


class TestJudgeLists:
    def test_rows_may_come_in_any_order(self) -> None:
        rows = [(1, 10, 0.9), (1, 11, 0.8), (1, 12, 0.1), (2, 10, 5.0), (2, 13, 4.0)]
        held_out = pairs((2, 13), (1, 12), (1, 10))
        found = judge_lists(scored(*rows), held_out, [1, 2, 3])
        shuffled = judge_lists(scored(*[rows[n] for n in (3, 2, 0, 4, 1)]), held_out, [1, 2, 3])
        pd.testing.assert_frame_equal(found, shuffled)
        assert found["user_id"].tolist() == [1, 2]
        assert found["precision@1"].tolist() == [1, 0]
        assert found["precision@2"].tolist() == [1 / 2, 1 / 2]
        assert found["precision@3"].tolist() == [2 / 3, 1 / 3]

    def test_text_ids_are_judged_like_numbers(self) -> None:
        numbers = scored((1, 10, 0.9), (1, 11, 0.8), (2, 12, 0.7))
        held_out = pairs((1, 11), (2, 10))[["user_id", "artist_id"]]
        columns = ["user_id", "artist_id"]
        as_text = numbers.astype(dict.fromkeys(columns, "str"))
        found = judge_lists(as_text, held_out.astype("str"), [2])
        assert found["user_id"].tolist() == ["1", "2"]
        expected = judge_lists(numbers, held_out, [2])
        pd.testing.assert_frame_equal(found.iloc[:, 1:], expected.iloc[:, 1:])

    def test_equal_scores_go_to_the_smaller_artist(self) -> None:
        tied = scored((1, 12, 1.0), (1, 11, 1.0), (1, 10, 1.0))
        assert judge_lists(tied, pairs((1, 10)), [1])["precision@1"].tolist() == [1]
        assert judge_lists(tied, pairs((1, 12)), [2])["precision@2"].tolist() == [0]

    def test_an_artist_named_twice_counts_once_at_its_best_place(self) -> None:
        twice = scored((1, 10, 0.9), (1, 10, 0.8), (1, 11, 0.7))
        found = judge_lists(twice, pairs((1, 10), (1, 11)), [2])
        assert found["precision@2"].tolist() == [1]
        assert found["recall@2"].tolist() == [1]

    def test_a_held_out_pair_that_stands_twice_counts_once(self) -> None:
        found = judge_lists(scored((1, 10, 0.9)), pairs((1, 10), (1, 10)), [1])
        assert found["recall@1"].tolist() == [1]

    def test_a_user_without_a_list_has_zero_and_one_with_nothing_held_out_is_left_out(self) -> None:
        found = judge_lists(scored((1, 10, 0.9), (3, 10, 0.9)), pairs((1, 10), (2, 10)), [1])
        assert found["user_id"].tolist() == [1, 2]
        assert found["precision@1"].tolist() == [1, 0]
        assert means(found)["precision@1"] == 1 / 2

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 8))
    def test_lists_with_ties_and_doubles_against_brute_force(self, seed: int, k: int) -> None:
        rng = np.random.default_rng(seed)
        given_lists = scored(
            *zip(
                rng.integers(1, 5, 40),
                rng.integers(100, 112, 40),
                rng.integers(0, 4, 40).astype(float),
                strict=True,
            )
        )
        held_out = pairs(*zip(rng.integers(2, 7, 15), rng.integers(100, 115, 15), strict=True))
        found = judge_lists(given_lists, held_out, [k]).set_index("user_id")
        assert list(found.index) == sorted(set(held_out["user_id"]))
        for user, row in found.iterrows():
            best: dict[int, float] = {}
            for _, artist, score in given_lists[given_lists["user_id"] == user].to_numpy():
                best[int(artist)] = max(score, best.get(int(artist), -1.0))
            listed = sorted(best, key=lambda artist: (-best[artist], artist))
            expected = slow_metrics(
                listed, set(held_out.loc[held_out["user_id"] == user, "artist_id"]), k
            )
            assert row.to_dict() == pytest.approx(
                {f"{name}@{k}": value for name, value in expected.items()}
            )


def test_the_table_names_each_metric_and_cut_off() -> None:
    table = per_user_table(np.array([5]), np.array([[True, False]]), np.array([3]), [1, 2])
    assert list(table.columns) == [
        "user_id",
        *(f"{name}@1" for name in METRICS),
        *(f"{name}@2" for name in METRICS),
    ]


def test_a_mean_counts_only_users_who_have_a_value() -> None:
    table = pd.DataFrame({"user_id": [1, 2, 3], "precision@10": [0.2, np.nan, 0.4]})
    assert means(table) == pytest.approx({"precision@10": (0.2 + 0.4) / 2})


class TestBootstrap:
    values = np.random.default_rng(1).binomial(10, 0.2, 400) / 10

    def test_it_is_deterministic_in_its_seed(self) -> None:
        assert bootstrap_interval(self.values, seed=3) == bootstrap_interval(self.values, seed=3)
        assert bootstrap_interval(self.values, seed=3) != bootstrap_interval(self.values, seed=4)

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
