"""Users in thirds, and what a model reaches in each."""

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import world
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.evaluation.metrics import bootstrap_interval
from lastfm_assets.evaluation.segments import SEGMENTS, segment_table, segments, thirds
from lastfm_assets.listening.matrix import ListeningMatrix

values = st.lists(st.integers(0, 12), min_size=1, max_size=30)


def slow_thirds(numbers: list[int]) -> list[int]:
    """0 up to the smallest number that a third do not exceed, 1 up to that of two thirds."""
    n = len(numbers)
    lower, upper = (
        min(x for x in numbers if sum(y <= x for y in numbers) * 3 >= share * n) for share in (1, 2)
    )
    return [0 if x <= lower else 1 if x <= upper else 2 for x in numbers]


class TestThirds:
    @settings(max_examples=200, deadline=None)
    @given(values)
    def test_borders_are_those_of_counting(self, numbers: list[int]) -> None:
        assert thirds(np.array(numbers)).tolist() == slow_thirds(numbers)

    @settings(max_examples=100, deadline=None)
    @given(values, st.randoms())
    def test_equal_values_are_together_whatever_their_order(
        self, numbers: list[int], chance: object
    ) -> None:
        order = list(range(len(numbers)))
        chance.shuffle(order)
        moved = thirds(np.array(numbers)[order])
        assert moved.tolist() == thirds(np.array(numbers))[order].tolist()

    def test_different_values_are_cut_into_equal_thirds(self) -> None:
        assert np.bincount(thirds(np.arange(9)[::-1])).tolist() == [3, 3, 3]

    def test_nobody_has_no_third(self) -> None:
        assert thirds(np.array([])).tolist() == []


@pytest.fixture
def matrix() -> ListeningMatrix:
    """Artist 10 has four listeners, 20 has two, 30 and 40 have one."""
    rows = [(1, 10, 5), (2, 10, 1), (2, 20, 1), (3, 10, 90), (3, 30, 9), (4, 40, 7), (5, 10, 3)]
    rows += [(6, 20, 8)]
    played = pd.DataFrame(rows, columns=["user_id", "artist_id", "plays"])
    return ListeningMatrix.from_pairs(played, np.array([10, 20, 30, 40]))


class TestSegments:
    def test_users_are_told_apart_by_plays_and_by_taste(self, matrix: ListeningMatrix) -> None:
        found = segments(matrix).set_index("user_id")
        # plays 5, 2, 99, 7, 3, 8; mean listeners 4, 3, 5/2, 1, 4, 2
        assert found["plays"].tolist() == ["middle", "few", "many", "middle", "few", "many"]
        assert found["taste"].tolist() == [
            *("popular", "middle", "middle", "niche", "popular", "niche")
        ]

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_they_are_those_of_counting(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        played = pd.DataFrame(
            {
                "user_id": rng.integers(1, 9, 25),
                "artist_id": rng.integers(10, 16, 25),
                "plays": rng.integers(1, 5, 25),
            }
        ).drop_duplicates(["user_id", "artist_id"])
        found = segments(ListeningMatrix.from_pairs(played, np.arange(10, 16)))
        rows = dict(iter(played.groupby("user_id")))
        listeners = played["artist_id"].value_counts().to_dict()
        total = [int(of_user["plays"].sum()) for of_user in rows.values()]
        taste = [np.mean([listeners[a] for a in of_user["artist_id"]]) for of_user in rows.values()]
        assert found["user_id"].tolist() == list(rows)
        for kind, numbers in (("plays", total), ("taste", taste)):
            expected = [SEGMENTS[kind][third] for third in slow_thirds(numbers)]
            assert found[kind].tolist() == expected


LABELS = pd.DataFrame(
    {
        "user_id": [1, 2, 3, 4],
        "plays": ["few", "few", "many", "many"],
        "taste": ["niche", "popular", "popular", "popular"],
    }
)
FIGURES = pd.DataFrame(
    {
        "user_id": [1, 2, 3, 7],
        "precision@10": [0.1, 0.3, 0.5, 0.7],
        "ndcg@10": [0.2, 0.2, 0.4, 0.6],
        "auc": [0.9, np.nan, 0.8, 0.7],
    }
)


class TestTable:
    def test_means_are_over_the_users_of_a_segment_who_have_a_value(self) -> None:
        found = segment_table(FIGURES, LABELS, seed=0)
        assert found[["segment_kind", "segment", "users"]].to_numpy().tolist() == [
            ["plays", "few", 2],
            ["plays", "many", 1],
            ["plays", "unknown", 1],
            ["taste", "niche", 1],
            ["taste", "popular", 2],
            ["taste", "unknown", 1],
        ]
        assert found["precision@10"].tolist() == pytest.approx([0.2, 0.5, 0.7, 0.1, 0.4, 0.7])
        assert found["auc"].tolist() == pytest.approx([0.9, 0.8, 0.7, 0.9, 0.8, 0.7])

    def test_its_columns_are_these(self) -> None:
        metrics = [f"{m}@10{end}" for m in ("precision", "ndcg") for end in ("", "_low", "_high")]
        found = segment_table(FIGURES, LABELS, seed=0)
        assert list(found.columns) == ["segment_kind", "segment", "users", *metrics, "auc"]

    @pytest.mark.parametrize("metric", ["precision@10", "ndcg@10"])
    def test_intervals_are_those_of_the_segment_alone(self, metric: str) -> None:
        sample, figures = self.sample()
        labels = segments(sample)
        found = segment_table(figures, labels, seed=3)
        for row in found.to_dict("records"):
            users = labels.loc[labels[row["segment_kind"]] == row["segment"], "user_id"]
            alone = figures.loc[figures["user_id"].isin(users), metric].to_numpy()
            expected = bootstrap_interval(alone, seed=3)
            assert (row[f"{metric}_low"], row[f"{metric}_high"]) == pytest.approx(expected)
            assert row[f"{metric}_low"] < row[metric] < row[f"{metric}_high"]

    def test_the_order_of_rows_changes_nothing(self) -> None:
        sample, figures = self.sample()
        labels = segments(sample)
        expected = segment_table(figures, labels, seed=3)
        mixed = figures.sample(frac=1, random_state=1)
        found = segment_table(mixed, labels.sample(frac=1, random_state=2), seed=3)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-12)

    def test_each_kind_has_every_user_once(self) -> None:
        sample, figures = self.sample()
        found = segment_table(figures, segments(sample), seed=0)
        assert found.groupby("segment_kind")["users"].sum().tolist() == [len(figures)] * 2

    def sample(self) -> tuple[ListeningMatrix, pd.DataFrame]:
        """The sample's matrix, and figures drawn for each of its users."""
        matrix = world("sample").matrix
        drawn = np.random.default_rng(0).random((2, len(matrix.user_ids)))
        figures = {"user_id": matrix.user_ids, "precision@10": drawn[0], "ndcg@10": drawn[1]}
        return matrix, pd.DataFrame(figures)
