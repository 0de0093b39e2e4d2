"""What lists are like, by hand, by brute force and by law."""

from itertools import combinations
from math import log2, sqrt

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sps
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.evaluation import beyond_accuracy
from lastfm_assets.evaluation.beyond_accuracy import (
    catalogue_figures,
    coverage,
    diversity,
    gini,
    list_figures,
    listeners_of,
    mean_popularity,
    novelty,
    popularity_lift,
    tag_counts,
    times_listed,
    users_served,
)

N_ARTISTS = 8
LISTENERS = np.array([4, 2, 1, 0, 3, 3, 1, 1])


def lists_of(*rows: list[int], n: int = 6) -> np.ndarray:
    """Lists padded to n places."""
    table = np.full((len(rows), n), -1, dtype=np.int64)
    for row, listed in enumerate(rows):
        table[row, : len(listed)] = listed
    return table


class TestCatalogue:
    def test_times_are_counted_within_the_cut_off(self) -> None:
        lists = lists_of([0, 1, 2], [1, 0], [])
        assert times_listed(lists, 4, 1).tolist() == [1, 1, 0, 0]
        assert times_listed(lists, 4, 3).tolist() == [2, 2, 1, 0]
        assert times_listed(lists, 4, 99).tolist() == [2, 2, 1, 0]

    def test_coverage_is_the_share_that_anybody_is_recommended(self) -> None:
        assert coverage(np.array([3, 0, 1, 0])) == 2 / 4
        assert coverage(np.array([0, 0])) == 0
        assert np.isnan(coverage(np.array([], dtype=np.int64)))

    def test_gini_is_0_for_equals_and_near_1_for_one_alone(self) -> None:
        assert gini(np.full(7, 3)) == 0
        assert gini(np.array([0, 0, 0, 0, 9])) == pytest.approx(1 - 1 / 5)
        assert gini(np.array([1, 3])) == pytest.approx((3 - 1) / (2 * 4))
        assert np.isnan(gini(np.array([0, 0, 0])))
        assert np.isnan(gini(np.array([], dtype=np.int64)))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.integers(0, 9), min_size=1, max_size=20).filter(any))
    def test_gini_is_half_the_relative_mean_difference(self, times: list[int]) -> None:
        difference = sum(abs(a - b) for a in times for b in times) / len(times) ** 2
        expected = difference / (2 * sum(times) / len(times))
        assert gini(np.array(times)) == pytest.approx(expected)

    def test_both_are_given_by_cut_off(self) -> None:
        found = catalogue_figures(lists_of([0, 1], [0, 2]), 4, [1, 2])
        assert found == pytest.approx(
            {"coverage@1": 1 / 4, "gini@1": 3 / 4, "coverage@2": 3 / 4, "gini@2": 6 / 16}
        )


class TestServed:
    def test_who_has_k_artists_is_served(self) -> None:
        lists = lists_of([0, 1, 2], [3, 4], [])
        assert users_served(lists, 2).tolist() == [1, 1, 0]
        assert users_served(lists, 3).tolist() == [1, 0, 0]
        assert users_served(lists, 7).tolist() == [0, 0, 0]


class TestNovelty:
    def test_it_is_the_information_in_bits(self) -> None:
        found = novelty(lists_of([0], [1, 2], [3], []), LISTENERS, 4, 6)
        # nobody plays artist 3, who counts as one with one listener
        assert found[:3].tolist() == [0, (1 + 2) / 2, 2]
        assert np.isnan(found[3])

    def test_only_the_first_k_count(self) -> None:
        assert novelty(lists_of([0, 2]), LISTENERS, 4, 1).tolist() == [0]


class TestPopularityLift:
    profiles = sps.csr_array(np.array([[9, 1, 0, 0], [0, 0, 5, 0], [0, 0, 0, 0]], dtype=np.float32))

    def test_it_compares_the_list_with_what_the_user_plays(self) -> None:
        lists = lists_of([1, 2], [0], [0])
        found = popularity_lift(lists, LISTENERS[:4], self.profiles, 6)
        # user 0 plays artists with 4 and 2 listeners, however often; user 1 one with 1
        assert found[:2].tolist() == [(3 / 2 - 3) / 3, (4 - 1) / 1]
        assert np.isnan(found[2])

    def test_the_users_own_artists_have_no_lift_and_an_empty_list_none(self) -> None:
        found = popularity_lift(lists_of([0, 1], []), LISTENERS[:4], self.profiles[:2], 6)
        assert found[0] == 0
        assert np.isnan(found[1])


def tags_of(*rows: dict[int, int]) -> sps.csr_array:
    """Tag counts of some artists."""
    table = np.zeros((len(rows), 4))
    for artist, counts in enumerate(rows):
        for tag, count in counts.items():
            table[artist, tag] = count
    return sps.csr_array(table)


class TestDiversity:
    tags = tags_of({0: 1}, {0: 7}, {1: 2}, {0: 3, 1: 4}, {}, {})

    @pytest.mark.parametrize(
        ("listed", "expected"),
        [
            ([0, 1], 0),
            ([0, 2], 1),
            ([0, 3], 1 - 3 / 5),
            ([0, 2, 3], 1 - (0 + 3 / 5 + 4 / 5) / 3),
            ([0, 4, 5, 2], 1),  # nothing is known of 4 and 5
        ],
    )
    def test_it_is_one_less_the_mean_cosine_of_pairs(
        self, listed: list[int], expected: float
    ) -> None:
        assert diversity(lists_of(listed), self.tags, 6).tolist() == [pytest.approx(expected)]

    @pytest.mark.parametrize("listed", [[], [0], [4, 5], [0, 4]])
    def test_without_two_tagged_artists_it_is_undefined(self, listed: list[int]) -> None:
        assert np.isnan(diversity(lists_of(listed), self.tags, 6)).all()

    def test_only_the_first_k_count(self) -> None:
        assert diversity(lists_of([0, 1, 2]), self.tags, 2).tolist() == [pytest.approx(0)]

    def test_lists_summed_apart_have_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lists = lists_of([0, 2, 3], [1], [3, 1], [], [2, 3, 0])
        expected = diversity(lists, self.tags, 6)
        monkeypatch.setattr(beyond_accuracy, "_CHUNK", 2)
        np.testing.assert_array_equal(diversity(lists, self.tags, 6), expected)

    def test_tags_are_counted_by_artist_of_the_catalogue(self) -> None:
        given_tags = pd.DataFrame(
            {"artist_id": [20, 10, 20, 99, 20, 5], "tag_id": [7, 3, 7, 3, 3, 8], "user_id": 1}
        )
        found = tag_counts(given_tags, np.array([10, 20, 30]))
        assert found.toarray().tolist() == [[1, 0], [1, 2], [0, 0]]


def slow_figures(
    listed: list[int], profile: set[int], tags: np.ndarray, listeners: list[int], n_training: int
) -> dict[str, float]:
    """Figures of one list of at most k artists, from the module's docstring, pair by pair."""
    nan = float("nan")
    bits = [-log2(max(listeners[a], 1) / n_training) for a in listed]
    vectors = [tags[a] for a in listed if tags[a].any()]
    cosines = [(v @ w) / sqrt((v @ v) * (w @ w)) for v, w in combinations(vectors, 2)]
    lift = nan
    if listed and profile:
        own = sum(listeners[a] for a in profile) / len(profile)
        lift = (sum(listeners[a] for a in listed) / len(listed) - own) / own
    return {
        "novelty": sum(bits) / len(bits) if bits else nan,
        "popularity_lift": lift,
        "diversity": 1 - sum(cosines) / len(cosines) if cosines else nan,
    }


class TestAgainstBruteForce:
    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 8))
    def test_every_figure_of_every_list(self, seed: int, k: int) -> None:
        rng = np.random.default_rng(seed)
        played = rng.random((5, N_ARTISTS)) < 0.35
        played[0, 0] = True
        plays = sps.csr_array(np.where(played, rng.integers(1, 99, played.shape), 0))
        tags = rng.integers(1, 6, (N_ARTISTS, 4)) * (rng.random((N_ARTISTS, 4)) < 0.35)
        rows = rng.integers(-1, 5, 6)
        drawn = [rng.permutation(N_ARTISTS)[: rng.integers(0, 7)].tolist() for _ in rows]
        lists = lists_of(*drawn)
        found = list_figures(lists, plays, rows, [k], sps.csr_array(tags.astype(np.float64)))
        listeners = [int(count) for count in played.sum(axis=0)]
        assert listeners_of(plays).tolist() == listeners
        for user, (row, listed) in enumerate(zip(rows, drawn, strict=True)):
            profile = set(np.flatnonzero(played[row])) if row >= 0 else set()
            expected = slow_figures(listed[:k], profile, tags.astype(float), listeners, 5)
            for name, value in expected.items():
                assert found[f"{name}@{k}"][user] == pytest.approx(value, nan_ok=True, abs=1e-12)
            assert found[f"users_served@{k}"][user] == (len(listed) >= k)
        times = [sum(artist in listed[:k] for listed in drawn) for artist in range(N_ARTISTS)]
        assert times_listed(lists, N_ARTISTS, k).tolist() == times

    def test_diversity_is_not_asked_for_without_tags(self) -> None:
        plays = sps.csr_array(np.eye(3))
        found = list_figures(lists_of([0]), plays, np.array([1]), [1, 2])
        assert sorted(found) == [
            f"{name}@{k}" for name in ("novelty", "popularity_lift", "users_served") for k in (1, 2)
        ]


def test_an_empty_row_has_no_mean_popularity() -> None:
    found = mean_popularity(sps.csr_array(np.array([[0, 2, 5], [0, 0, 0]])), np.array([9, 1, 4]))
    assert found[0] == (1 + 4) / 2
    assert np.isnan(found[1])
