"""Drawings, trends and shares: what is drawn is what was counted."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.insight import charts
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.served import exposure, exposure_chart
from lastfm_assets.insight.trends import MIN_ASSIGNMENTS, trends, trends_chart

DRAWINGS = {
    "dots": lambda said: charts.dots(
        ["als", "ease"],
        [Series("held out", [0.2, 0.3], [0.1, 0.2], [0.3, 0.4])],
        axis="precision@10, 0 to 1",
        said=said,
        mark=(0.15, "threshold"),
    ),
    "shares": lambda said: charts.ranked_shares(
        np.linspace(0.1, 1, 10), np.linspace(0.5, 1, 10), said=said
    ),
    "small": lambda said: charts.small_line([2005.1, 2006.2], [0.1, np.nan], top=0.1, said=said),
    "refreshes": lambda said: charts.over_refreshes(
        ["2026-01-01", "2026-01-02"], [Series("precision@10", [0.1, 0.2])], said=said
    ),
}


@pytest.mark.parametrize("name", DRAWINGS)
class TestADrawing:
    def test_is_the_same_each_time(self, name: str) -> None:
        assert DRAWINGS[name]("one") == DRAWINGS[name]("one")

    def test_has_no_style_no_colour_and_no_namespace_of_its_own(self, name: str) -> None:
        svg = DRAWINGS[name]("one")
        assert " style=" not in svg
        assert "<style" not in svg
        assert "xmlns" not in svg
        assert re.findall(r"#[0-9a-f]{6}\b", svg) == []

    def test_has_a_name_to_be_heard_whatever_it_says(self, name: str) -> None:
        said = "\"><script>'&\u202e"
        root = ET.fromstring(DRAWINGS[name](said))  # noqa: S314 (our own drawing)
        assert root.get("aria-label") == said
        assert root.get("role") == "img"
        assert root.find(".//script") is None

    def test_refers_to_no_id_that_it_has_not(self, name: str) -> None:
        svg = DRAWINGS[name]("one")
        referred = set(re.findall(r"(?:url\(#|href=\"#)([\w-]+)", svg))
        assert referred == set(re.findall(r" id=\"([\w-]+)\"", svg))


def test_a_dot_stands_where_its_value_is() -> None:
    """On a common axis the distance of dots is as that of values."""
    svg = charts.dots(["a", "b", "c"], [Series("x", [0.0, 0.5, 1.0])], axis="x, 0 to 1", said="x")
    places = re.findall(r"<use href=\"#[^\"]+\" x=\"([\d.]+)\" y=\"[\d.]+\"[^>]*f-first", svg)
    first, second, third = (float(place) for place in places)
    assert third - second == pytest.approx(second - first, abs=0.02)
    assert third > first


def test_names_of_models_are_never_mathematics() -> None:
    svg = charts.dots(["$a_b$"], [Series("x", [0.5])], axis="x", said="x")
    assert "$a_b$" in svg


def given(tag: str, day: str, times: int) -> pd.DataFrame:
    return pd.DataFrame({"tag": [tag] * times, "date": pd.to_datetime([day] * times)})


class TestTrends:
    def test_are_shares_of_all_tags_of_a_quarter(self) -> None:
        found = trends(
            pd.concat(
                [
                    given("rock", "2008-02-29", 90),
                    given("pop", "2008-03-31", 30),
                    given("rock", "2008-04-01", 50),
                    given("rare", "2008-06-30", 150),
                ]
            ),
            tags=2,
        )
        assert found is not None
        assert found.given.to_dict() == {
            pd.Period("2008Q1"): 90 + 30,
            pd.Period("2008Q2"): 50 + 150,
        }
        assert list(found.shares.columns) == ["rare", "rock"]
        assert found.shares["rock"].tolist() == [90 / 120, 50 / 200]
        assert found.shares["rare"].tolist() == [0, 150 / 200]

    def test_leave_a_gap_where_too_few_tags_were_given(self) -> None:
        enough = MIN_ASSIGNMENTS
        found = trends(
            pd.concat(
                [
                    given("rock", "2007-01-01", enough - 1),  # before the first that counts
                    given("rock", "2008-01-01", enough),
                    given("rock", "2008-04-01", enough - 1),
                    given("rock", "2008-10-01", enough),
                ]
            )
        )
        assert found is not None
        assert [str(quarter) for quarter in found.shares.index] == [
            *("2008Q1", "2008Q2", "2008Q3", "2008Q4")
        ]
        assert found.shares["rock"].isna().tolist() == [False, True, True, False]

    def test_need_two_quarters(self) -> None:
        assert trends(given("rock", "2008-01-01", 1000)) is None
        assert trends(given("rock", "2008-01-01", 1000).head(0)) is None

    def test_equally_used_tags_stand_by_name(self) -> None:
        tags = [given(tag, day, 60) for tag in "cab" for day in ("2008-01-01", "2008-04-01")]
        found = trends(pd.concat(tags), tags=2)
        assert found is not None
        assert list(found.shares.columns) == ["a", "b"]

    def test_the_title_names_what_gained_and_what_lost_most(self) -> None:
        found = trends(
            pd.concat(
                [
                    given("up", "2008-01-01", 50),
                    given("down", "2008-01-01", 150),
                    given("up", "2010-01-01", 150),
                    given("down", "2010-01-01", 50),
                ]
            )
        )
        assert found is not None
        # two quarters have shares, so first and last four are the same ones
        assert found.change.to_dict() == {"down": 0.0, "up": 0.0}
        longer = [
            given(tag, f"{year}-{month:02}-01", times)
            for year, sizes in ((2008, (50, 150)), (2010, (150, 50)))
            for month in (1, 4, 7, 10)
            for tag, times in zip(("up", "down"), sizes, strict=True)
        ]
        found = trends(pd.concat(longer))
        assert found is not None
        assert found.change.to_dict() == {"down": -0.5, "up": 0.5}
        chart = trends_chart(found)
        assert (
            chart.title == "\u201cup\u201d gained most, +50.0 points; \u201cdown\u201d lost most, "
            "-50.0 points"
        )
        assert "25.0% at first, 75.0% at last" in chart.drawings[1].said


class TestExposure:
    def test_is_summed_from_the_most_heard_artist_down(self) -> None:
        plays = pd.DataFrame({"user_id": [1, 2, 3, 1], "artist_id": [7, 7, 7, 5]})
        artists = pd.DataFrame({"artist_id": [5, 6, 7, 8]})
        lists = pd.DataFrame({"user_id": [1, 2], "artist_id": [6, 5]})
        found = exposure(plays, artists, lists)
        assert found.played.tolist() == [0.75, 1.0, 1.0, 1.0]  # 7, 5, then 6 and 8 by id
        assert found.listed.tolist() == [0.0, 0.5, 1.0, 1.0]
        assert (found.named, found.artists) == (2, 4)
        chart = exposure_chart(found)
        assert chart.title == (
            "The most heard artist is 75% of what is played and 0% of what is recommended"
        )
        assert chart.table.rows == [("1", "75.0%", "0.0%"), ("4", "100.0%", "100.0%")]
