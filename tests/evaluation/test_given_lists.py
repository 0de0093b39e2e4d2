"""Anybody's lists are judged exactly: whatever their order, ties, doubles and ids."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import pairs, slow_auc, slow_metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.evaluation import given_lists
from lastfm_assets.evaluation.given_lists import judge_lists, match
from lastfm_assets.evaluation.metrics import means


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

    def test_a_negative_zero_is_tied_with_zero(self) -> None:
        for zero, other in ((0.0, -0.0), (-0.0, 0.0)):
            lists = scored((1, 12, -1.0), (1, 11, zero), (1, 10, other))
            found = judge_lists(lists, pairs((1, 10)), [1])
            assert found["precision@1"].tolist() == [1]
            assert found["auc"].tolist() == [(1 / 2 + 1) / 2]

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

    def test_nothing_held_out_judges_nobody(self) -> None:
        nothing = pairs().astype("int64")
        found = judge_lists(scored((1, 10, 0.9)), nothing, [1])
        assert len(found) == 0
        assert found.columns[0] == "user_id"

    def test_no_list_at_all_has_zero_and_tells_nothing_apart(self) -> None:
        nothing = scored().astype({"user_id": "int64", "artist_id": "int64", "score": "float64"})
        found = judge_lists(nothing, pairs((1, 10), (2, 11)), [1])
        assert found["recall@1"].tolist() == [0, 0]
        assert found["auc"].tolist() == [1 / 2, 1 / 2]

    def test_ids_too_many_for_a_key_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(given_lists, "_KEY_BITS", 2)
        with pytest.raises(ValueError, match=r"do not fit into 64-bit keys; judge fewer users"):
            judge_lists(scored((1, 10, 0.9), (1, 11, 0.8)), pairs((1, 10), (2, 11)), [1])

    def test_what_is_handed_in_stays_as_it_is(self) -> None:
        lists = scored((1, 11, 1.0), (1, 10, 1.0), (1, 10, 0.5), (2, 10, 0.0))
        held_out = pairs((2, 10), (1, 10))
        before = lists.copy(), held_out.copy()
        judge_lists(lists, held_out, [1])
        pd.testing.assert_frame_equal(lists, before[0])
        pd.testing.assert_frame_equal(held_out, before[1])


class TestAuc:
    def test_listed_artists_stand_before_all_others_which_are_tied(self) -> None:
        # the catalogue is 10 to 14: 10 listed first, 11 and 12 after; 13 and 14 only held out
        lists = scored((1, 10, 0.9), (1, 11, 0.8), (1, 12, 0.7))
        held_out = pairs((1, 11), (1, 13), (2, 14))
        found = judge_lists(lists, held_out, [1]).set_index("user_id")["auc"]
        # user 1, others 10, 12, 14: 11 is right against two, 13 is tied with 14 alone
        assert found[1] == pytest.approx((2 + 1 / 2) / 6)
        assert found[2] == 1 / 2

    def test_equal_scores_count_one_half_though_their_order_is_fixed(self) -> None:
        found = judge_lists(scored((1, 10, 0.5), (1, 11, 0.5)), pairs((1, 10)), [1])
        assert found["precision@1"].tolist() == [1]
        assert found["auc"].tolist() == [1 / 2]

    def test_artists_listed_for_anybody_belong_to_the_catalogue(self) -> None:
        lists = scored((1, 10, 0.9), (7, 11, 0.8), (7, 12, 0.8))
        assert match(lists, pairs((1, 13))).n_artists == 4


class TestBeyondAccuracy:
    lists = scored((1, 10, 0.9), (1, 11, 0.8), (2, 10, 0.7), (9, 15, 1.0), (2, 10, 0.1))

    def test_coverage_and_gini_are_over_the_catalogue_of_judged_lists(self) -> None:
        held_out = pairs((1, 10), (2, 12), (3, 13))
        found = match(self.lists, held_out).beyond_accuracy([1, 2])
        # catalogue 10, 11, 12, 13, 15; user 9 is not judged; first places: 10 twice
        assert found["coverage@1"] == 1 / 5
        assert found["coverage@2"] == 2 / 5
        assert found["gini@1"] == pytest.approx(1 - 1 / 5)
        assert found["gini@2"] == pytest.approx((2 * 4 - 6 + 2 * (2 * 5 - 6)) / (5 * 3))
        assert found["users_served@1"] == 2 / 3
        assert found["users_served@2"] == 1 / 3

    def test_no_list_covers_nothing(self) -> None:
        nothing = self.lists.iloc[:0]
        found = match(nothing, pairs((1, 10))).beyond_accuracy([3])
        assert (found["coverage@3"], found["users_served@3"]) == (0, 0)
        assert np.isnan(found["gini@3"])


Ids = Callable[[pd.Series], pd.Series]
IDS: dict[str, Ids] = {
    "small numbers": lambda ids: ids,
    "negative numbers": lambda ids: ids - 107,
    "numbers far apart": lambda ids: ids * (2**55 + 1) - 2**61,
    "text": lambda ids: "id " + ids.astype("str").str.zfill(4),
}
ORDERS = ["as drawn", "by user", "best first"]
scores_drawn = st.sampled_from([-np.pi, -1.0, -1e-300, -0.0, 0.0, 1e-300, 0.1, 0.1 + 2e-17, 1e300])
rows_drawn = st.lists(
    st.tuples(st.integers(1, 5), st.integers(100, 111), scores_drawn), max_size=40
)
near = 1.0 + np.arange(4) * 2.0**-52
"""Scores that differ in the last bit of 64."""


def arranged(lists: pd.DataFrame, order: str) -> pd.DataFrame:
    """The rows in an order that tools write: any, users together, or ready."""
    if order == "by user":
        return lists.sort_values("user_id", kind="stable", ignore_index=True)
    if order == "best first":
        return lists.sort_values(["user_id", "score"], ascending=[True, False], ignore_index=True)
    return lists


def slow_judgement(lists: pd.DataFrame, held_out: pd.DataFrame, k: int) -> dict[object, object]:
    """All figures of each user with something held out, from the docstrings, row by row."""
    catalogue = set(lists["artist_id"]) | set(held_out["artist_id"])
    judged = {}
    for user in sorted(set(held_out["user_id"])):
        wanted = set(held_out.loc[held_out["user_id"] == user, "artist_id"])
        best: dict[int, float] = {}
        for _, artist, score in lists[lists["user_id"] == user].itertuples(index=False):
            best[artist] = max(score, best.get(artist, -np.inf))
        listed = sorted(best, key=lambda artist, best=best: (-best[artist], artist))
        everything = {artist: best.get(artist, -np.inf) for artist in catalogue}
        figures = {f"{name}@{k}": x for name, x in slow_metrics(listed, wanted, k).items()}
        judged[user] = {**figures, "auc": slow_auc(everything, wanted)}, listed
    return judged


class TestAgainstBruteForce:
    @settings(max_examples=200, deadline=None)
    @given(
        rows_drawn,
        st.lists(st.tuples(st.integers(2, 7), st.integers(100, 114)), min_size=1, max_size=15),
        st.integers(1, 14),
        st.sampled_from(ORDERS),
        st.sampled_from(sorted(IDS)),
    )
    def test_every_figure_of_every_user(
        self,
        rows: list[tuple[int, int, float]],
        wanted: list[tuple[int, int]],
        k: int,
        order: str,
        ids: str,
    ) -> None:
        kinds = {"user_id": "int64", "artist_id": "int64", "score": "float64"}
        lists = arranged(scored(*rows).astype(kinds), order)
        held_out = pairs(*wanted)
        for table in (lists, held_out):
            for column in ("user_id", "artist_id"):
                table[column] = IDS[ids](table[column])
        expected = slow_judgement(lists, held_out, k)
        matched = match(lists, held_out)
        found = matched.per_user([k]).set_index("user_id")
        assert list(found.index) == list(expected)
        for user, row in found.iterrows():
            assert row.to_dict() == pytest.approx(expected[user][0], nan_ok=True, abs=1e-12)
        first = [artist for _, listed in expected.values() for artist in listed[:k]]
        catalogue = sorted(set(lists["artist_id"]) | set(held_out["artist_id"]))
        assert matched.times_listed(k).tolist() == [first.count(artist) for artist in catalogue]
        served = [len(listed) >= k for _, listed in expected.values()]
        assert matched.beyond_accuracy([k])[f"users_served@{k}"] == pytest.approx(np.mean(served))

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("block", [1, 7, 2**19])
    def test_many_users_in_blocks_of_any_size(
        self, monkeypatch: pytest.MonkeyPatch, order: str, block: int
    ) -> None:
        monkeypatch.setattr(given_lists, "_BLOCK", block)
        rng = np.random.default_rng(block)
        users, artists = rng.integers(0, 200, 3000), rng.integers(0, 60, 3000)
        lists = arranged(scored(*zip(users, artists, rng.choice(near, 3000), strict=True)), order)
        held_out = pairs(*zip(rng.integers(50, 230, 900), rng.integers(0, 70, 900), strict=True))
        expected = slow_judgement(lists, held_out, 10)
        matched = match(lists, held_out)
        found = matched.per_user([10]).set_index("user_id")
        assert list(found.index) == list(expected)
        first = [artist for _, listed in expected.values() for artist in listed[:10]]
        catalogue = sorted(set(lists["artist_id"]) | set(held_out["artist_id"]))
        assert matched.times_listed(10).tolist() == [first.count(artist) for artist in catalogue]
        table = pd.DataFrame({user: figures for user, (figures, _) in expected.items()}).T
        pd.testing.assert_frame_equal(found, table, check_names=False, rtol=1e-12)
