"""The history: a row a refresh, never rewritten, and the chart of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from report_world import AT, CHAMPION, leaderboard, world

from lastfm_assets.insight.history import (
    HISTORY,
    Refresh,
    history_chart,
    no_history,
    with_refresh,
)


def refresh(number: int = 1, precision: float = 0.3, **changes: Any) -> Refresh:
    inputs = world()
    made = Refresh(
        refreshed_at=AT + timedelta(days=number),
        run_id=f"run-{number}",
        source="custom",
        champion=CHAMPION.model_copy(update={"precision": precision}),
        leaderboard=leaderboard(),
        interactions=inputs.interactions,
        artists=inputs.artists,
        published_version=number,
    )
    return replace(made, **changes)


def history(*refreshes: Refresh) -> pd.DataFrame:
    table = no_history()
    for one in refreshes:
        table = with_refresh(table, one)
    return table


class TestARow:
    def test_says_what_the_refresh_reached(self) -> None:
        (row,) = history(refresh()).to_dict("records")
        assert tuple(row) == HISTORY
        assert row["refreshed_at"] == pd.Timestamp("2026-11-25 03:30:05+00:00")
        assert (row["users"], row["artists"], row["pairs"]) == (3, 5, 6)
        assert (row["model"], row["validation_ndcg@10"]) == ("als", 0.25)
        assert row["held_out_precision@10"] == 0.3
        assert row["held_out_precision@10_low"] == 0.28
        assert row["held_out_precision@10_high"] == 0.33
        assert row["held_out_ndcg@10"] == 0.4
        assert row["held_out_ndcg@10_low"] == 0.375
        assert row["held_out_ndcg@10_high"] == 0.425
        assert row["published_version"] == 1
        assert row["fingerprint"] == "a" * 64

    def test_has_no_ndcg_where_the_champion_is_not_on_the_leaderboard(self) -> None:
        other = CHAMPION.model_copy(update={"fingerprint": "e" * 64})
        table = history(refresh(champion=other))
        assert table["held_out_ndcg@10"].isna().all()
        assert table["held_out_precision@10"].tolist() == [0.3]

    def test_may_be_without_a_published_version(self) -> None:
        table = history(refresh(), refresh(2, published_version=None))
        assert table["published_version"].isna().tolist() == [False, True]
        assert str(table["published_version"].dtype) == "Int64"


class TestTheHistory:
    def test_grows_by_a_row_and_keeps_the_others(self) -> None:
        two = history(refresh(1), refresh(2, 0.31))
        before = two.copy(deep=True)
        three = with_refresh(two, refresh(3, 0.32))
        pd.testing.assert_frame_equal(three.head(2), before)
        pd.testing.assert_frame_equal(two, before)
        assert three["run_id"].tolist() == ["run-1", "run-2", "run-3"]

    def test_a_run_that_is_repeated_counts_once(self) -> None:
        again = with_refresh(history(refresh(1), refresh(2, 0.31)), refresh(2, 0.5))
        assert again["run_id"].tolist() == ["run-1", "run-2"]
        assert again["held_out_precision@10"].tolist() == [0.3, 0.5]

    def test_has_the_same_types_from_the_first_row_on(self) -> None:
        types = no_history().dtypes
        pd.testing.assert_series_equal(history(refresh()).dtypes, types)
        pd.testing.assert_series_equal(history(refresh(), refresh(2)).dtypes, types)

    def test_survives_parquet(self, tmp_path: Any) -> None:
        table = history(refresh(1), refresh(2))
        table.to_parquet(tmp_path / "history.parquet")
        stored = pd.read_parquet(tmp_path / "history.parquet")
        grown = with_refresh(stored, refresh(3))
        pd.testing.assert_frame_equal(grown, with_refresh(table, refresh(3)))


class TestTheChart:
    def test_is_words_at_the_first_refresh(self) -> None:
        chart = history_chart(history(refresh()), "custom")
        assert chart.title == "This is the first refresh"
        assert chart.drawings == []
        assert len(chart.table.rows) == 1

    def test_is_drawn_from_the_second_on(self) -> None:
        chart = history_chart(history(refresh(1, 0.3), refresh(2, 0.25)), "custom")
        assert chart.title == "Held-out precision@10 went from 0.300 to 0.250 in 2 refreshes"
        assert len(chart.drawings) == 1
        assert chart.title in chart.drawings[0].said

    @pytest.mark.parametrize("second", [0.3, 0.3004])
    def test_says_that_nothing_moved_where_three_places_show_nothing(self, second: float) -> None:
        chart = history_chart(history(refresh(1, 0.3), refresh(2, second)), "custom")
        assert chart.title == "Held-out precision@10 has stayed at 0.300 for 2 refreshes"

    def test_leaves_out_other_sources(self) -> None:
        mixed = history(refresh(1, source="sample"), refresh(2))
        assert history_chart(mixed, "custom").title == "This is the first refresh"
        assert [row[0] for row in history_chart(mixed, "custom").table.rows] == ["2026-11-26 03:30"]
