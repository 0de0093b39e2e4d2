"""Chapters of the studies: each says what its table says, and is there only if that is."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import study_world as made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_world import CHAMPION, HOSTILE, Read, large_world, searched, world

from lastfm_assets.insight.chapters import Chart
from lastfm_assets.insight.months import months_chart, moves
from lastfm_assets.insight.nouns import Noun
from lastfm_assets.insight.popular import SHOWN, popular_chart
from lastfm_assets.insight.promised import epochs_chart, rating_chart
from lastfm_assets.insight.report import build_report
from lastfm_assets.insight.sound import features_chart, genres_chart, years_chart
from lastfm_assets.insight.studies import STUDY_TABLES
from lastfm_assets.insight.weighted import grid_chart, schemes_chart


def there(chart: Chart | None) -> Chart:
    assert chart is not None
    return chart


def rows_of(chart: Chart) -> list[list[str]]:
    return [list(row) for row in chart.table.rows]


class TestRatings:
    def test_the_least_error_is_held_against_the_lists_of_who_serves(self) -> None:
        chart = there(rating_chart(made.rating_error(), CHAMPION, Noun("track")))
        assert chart.title == (
            "svd errs least on ratings, yet of ten tracks that it names 0.10 are played; als, "
            "which predicts none, finds 3.00"
        )
        assert "RMSE falls by 50%" in chart.note
        assert (
            "The best lists of these are of baseline, whose error is not the least." in chart.note
        )

    def test_stand_by_their_error(self) -> None:
        chart = there(rating_chart(made.rating_error(), CHAMPION))
        assert [row[0] for row in chart.table.rows] == ["svd", "baseline", "mean"]
        assert rows_of(chart)[0] == [
            *("svd", "1.0000", "0.8750 to 1.1250", "0.7500", "0.6875 to 0.8125"),
            *("0.0100", "0.0080 to 0.0120", "0.0200", "1,200"),
        ]
        assert "svd RMSE 1.000, precision@10 0.0100" in chart.drawings[0].said

    def test_that_would_serve_better_are_not_called_worse(self) -> None:
        poor = CHAMPION.model_copy(update={"precision": 0.001})
        chart = there(rating_chart(made.rating_error(), poor))
        assert chart.title == "svd errs least on ratings, and finds 0.10 of ten"

    def test_best_by_both_figures_are_said_to_be(self) -> None:
        table = made.rating_error().assign(**{"precision@10": [0.0, 0.01, 0.02]})
        assert "The best lists are of the model that errs least" in (
            there(rating_chart(table, CHAMPION)).note
        )


class TestEpochs:
    def test_end_where_train_goes_on_and_held_out_does_not(self) -> None:
        chart = there(epochs_chart(made.lightfm_epochs()))
        assert chart.title == (
            "LightFM is best after 2 of 3 epochs (0.150 held out); on train it ends at 0.400"
        )
        assert rows_of(chart)[-1] == ["as shipped", "3", "0.4000", "0.0700", "0.1400"]
        assert len(chart.table.rows) == 5

    def test_may_gain_to_the_last(self) -> None:
        assert there(epochs_chart(made.lightfm_epochs().head(4))).title == (
            "LightFM still gains at its last epoch, 2: 0.150 held out, but 0.300 on train"
        )

    def test_of_one_setting_alone_are_drawn_too(self) -> None:
        table = made.lightfm_epochs()
        chart = there(epochs_chart(table[table["setting"] == "start"]))
        assert "as shipped" not in chart.drawings[0].svg
        assert "by default" in chart.drawings[0].svg

    def test_need_two_to_be_a_line(self) -> None:
        assert epochs_chart(made.lightfm_epochs().head(1)) is None


class TestWeights:
    def test_each_scheme_stands_with_what_validation_chooses(self) -> None:
        chart = there(schemes_chart(made.weighting_effect()))
        assert chart.title == (
            "Validation chooses BM25 of presence: 0.230 held out, against 0.190 by log of counts"
        )
        assert [row[:5] for row in rows_of(chart)] == [
            ["BM25 of presence", "100", "0.5", "0.1400", "0.2300"],
            ["log of counts", "none", "none", "0.1100", "0.1900"],
            ["presence", "none", "none", "0.1000", "0.2000"],
            ["BM25 of counts", "100", "0.5", "0.0900", "0.1600"],
            ["counts", "none", "none", "0.0500", "0.1000"],
        ]

    def test_of_bm25_are_drawn_for_each_b(self) -> None:
        chart = there(grid_chart(made.weighting_effect()))
        assert [drawing.name for drawing in chart.drawings] == ["B 0", "B 0.5"]
        assert chart.drawings[1].said == (
            "B 0.5: BM25 of presence 0.2200 at K1 1 to 0.2300 at K1 100; BM25 of counts 0.1500 at "
            "K1 1 to 0.1600 at K1 100"
        )
        assert "K1 100 and B 0.5 are best on validation" in chart.title
        assert "the best without BM25, 0.200" in chart.note
        assert len(chart.table.rows) == 6

    def test_without_bm25_have_no_parameters_to_draw(self) -> None:
        plain = made.weighting_effect().head(3)
        assert grid_chart(plain) is None
        assert there(schemes_chart(plain)).title == (
            "Validation chooses log of counts: 0.190 held out"
        )

    def test_whose_intervals_overlap_are_not_called_better(self) -> None:
        table = made.weighting_effect()
        wide = table.assign(**{"held_out_precision@10_low": 0.1})
        assert there(schemes_chart(wide)).title.endswith(
            "against 0.190 by log of counts, whose intervals overlap"
        )

    def test_of_a_scheme_that_nobody_knows_are_left_out(self) -> None:
        assert schemes_chart(made.weighting_effect().assign(scheme="other")) is None


class TestMonths:
    def test_say_what_rose_and_what_fell(self) -> None:
        chart = there(months_chart(made.tag_trends()))
        assert chart.title == (
            "“up” rose most, from 1.0% to 30.0% of all tags; “down” fell most, from 50.0% to 10.0% "
            "of all tags"
        )
        assert [drawing.name for drawing in chart.drawings] == ["up", "down"]
        assert chart.table.head == ("month", "tags given", "up", "down")
        assert rows_of(chart) == [
            ["2008-01", "100", "1.0%", "50.0%"],
            ["2008-02", "100", "20.0%", "20.0%"],
            ["2008-03", "100", "30.0%", "10.0%"],
        ]

    def test_at_either_end_are_taken_together(self) -> None:
        (down, up) = moves(made.tag_trends(), 2)
        assert (down.first, down.last) == (70 / 200, 30 / 200)
        assert up.change == pytest.approx(50 / 200 - 21 / 200)

    def test_without_tags_leave_a_gap(self) -> None:
        table = made.tag_trends()
        empty = table["month_start"] == made.MONTHS[1]
        table.loc[empty, ["assignments", "of_all"]] = 0
        table.loc[empty, ["share", "share_low", "share_high"]] = np.nan
        chart = there(months_chart(table))
        assert rows_of(chart)[1] == ["2008-02", "0", "n/a", "n/a"]

    def test_need_two_to_be_a_line(self) -> None:
        table = made.tag_trends()
        assert months_chart(table[table["month_start"] == made.MONTHS[0]]) is None

    def test_of_one_tag_compare_nothing(self) -> None:
        table = made.tag_trends()
        chart = there(months_chart(table[table["tag"] == "up"]))
        assert chart.title == "“up” is the one tag that is followed"


class TestPopularity:
    def test_is_told_most_heard_first(self) -> None:
        chart = there(popular_chart(made.tag_popularity(), Noun("track")))
        assert chart.title == (
            "“pop” is heard by most: half of its tracks have 12 listeners or more; of “jazz”, 2"
        )
        assert rows_of(chart) == [
            ["pop", "40", "12", "10.5 to 13.5", "3.00", "400", "350 to 450"],
            ["jazz", "50", "2", "0.5 to 3.5", "0.50", "300", "250 to 350"],
        ]
        assert "all tagged: 4" in chart.drawings[0].svg

    def test_is_drawn_of_a_few_and_told_of_all(self) -> None:
        chart = there(popular_chart(made.large_studies()["insight/tag_popularity"]))
        assert len(chart.table.rows) == 40
        assert len(re.findall(r">tag number \d+<", chart.drawings[0].svg)) == SHOWN
        assert "The 20 most heard of 40 tags." in chart.note

    @pytest.mark.parametrize("name", [*HOSTILE, "ロック", "$x$", "", "nnn0"])
    def test_writes_any_name_as_text_beside_its_row(self, name: str) -> None:
        svg = there(popular_chart(made.tag_popularity(first=name))).drawings[0].svg
        if "\x00" in name:  # which XML cannot hold, but a browser leaves out
            svg = re.sub("[\x00\x07]", "", svg)
            name = re.sub("[\x00\x07]", "", name)
        texts = [one.text or "" for one in ET.fromstring(svg).iter("text")]  # noqa: S314 (ours)
        assert texts.count(name if len(name) <= 22 else f"{name[:21]}…") == 1


class TestAudioFeatures:
    def test_stand_by_year_with_their_units(self) -> None:
        chart = there(features_chart(made.audio_features()))
        assert chart.table.head == (
            *("year", "tempo, beats per minute", "duration, minutes", "liveness, 0 to 1"),
        )
        assert rows_of(chart) == [["2000", "120", "4", "n/a"], ["2001", "121.5", "3", "0.25"]]
        assert chart.drawings[1].said == "duration in minutes: 4 in 2000, 3 in 2001."

    def test_of_one_year_are_no_line(self) -> None:
        assert features_chart(made.audio_features().head(2)) is None

    def test_say_what_changed_where_everybody_knows_it(self) -> None:
        names = ("acousticness", "energy")
        table = pd.DataFrame(
            [(year, name, 0.1 * n) for n, year in enumerate((1921, 2020), 1) for name in names],
            columns=["year", "feature", "value"],
        )
        assert there(features_chart(table)).title == (
            "From 1921 to 2020 music went from 0.10 to 0.20 of acousticness and from 0.10 to 0.20 "
            "of energy"
        )


class TestCorrelations:
    def test_over_years_carry_their_warning_above_the_picture_and_beside_the_figure(self) -> None:
        chart = there(years_chart(made.audio_correlations()))
        assert chart.title == (
            "Loudness goes with popularity over the years (+0.75); from year to year +0.07 is left"
        )
        assert chart.warning.startswith("1 of 2 figures here are to be read with a warning")
        assert chart.warning.endswith(f"That of loudness: {made.WARNING}")
        assert chart.shown
        assert rows_of(chart) == [
            ["loudness", "+0.75", "+0.62 to +0.88", "+0.07", made.WARNING],
            ["tempo", "+0.25", "+0.12 to +0.38", "-0.09", "none"],
        ]

    def test_over_genres_have_no_changes(self) -> None:
        chart = there(genres_chart(made.audio_correlations()))
        assert chart.title == "Over genres energy goes with popularity most (-0.50)"
        assert rows_of(chart) == [
            ["energy", "-0.50", "-0.62 to -0.38", "Genres differ in more than their sound."]
        ]

    def test_that_need_no_warning_have_none(self) -> None:
        assert there(years_chart(made.audio_correlations(warning=""))).warning == ""

    def test_that_do_not_exist_are_left_out(self) -> None:
        table = made.audio_correlations().assign(correlation=np.nan)
        assert years_chart(table) is None
        assert genres_chart(table) is None


TITLES = {
    "evaluation/rating_error": "svd errs least on ratings",
    "evaluation/weighting_effect": "Validation chooses BM25 of presence",
    "evaluation/lightfm_epochs": "LightFM is best after 2 of 3 epochs",
    "insight/tag_trends": "“up” rose most",
    "insight/tag_popularity": "“pop” is heard by most",
    "insight/audio_features": "How music sounded, 2000 to 2001",
    "insight/audio_correlations": "Loudness goes with popularity",
}


class TestOnThePage:
    def test_every_study_has_a_chapter(self) -> None:
        text = Read.page(build_report(world(studies=made.every_study())).html).text
        for title in TITLES.values():
            assert title in text
        assert "What the first system promised" in text
        assert "may be of an earlier refresh" in text

    def test_there_is_none_of_what_was_not_made(self) -> None:
        read = Read.page(build_report(world()).html)
        assert not any(title in read.text for title in TITLES.values())
        assert "promised" not in read.text
        assert "earlier refresh" not in read.text
        links = [found.get("href") for tag, found in read.attributes if tag == "a"]
        assert {"#promised", "#sound"}.isdisjoint(links)

    @pytest.mark.parametrize("name", STUDY_TABLES)
    def test_one_alone_has_its_own_chapter_and_no_other(self, name: str) -> None:
        text = Read.page(build_report(world(studies={name: made.every_study()[name]})).html).text
        assert [study for study, title in TITLES.items() if title in text] == [name]

    @pytest.mark.parametrize("name", STUDY_TABLES)
    def test_one_that_is_empty_or_of_another_version_is_as_good_as_not_made(
        self, name: str
    ) -> None:
        page = build_report(world()).html
        table = made.every_study()[name]
        for unfit in (table.head(0), table.drop(columns=table.columns[-1])):
            assert build_report(world(studies={name: unfit})).html == page

    def test_months_take_the_place_of_quarters(self) -> None:
        tables = Read.page(build_report(world(studies=made.every_study())).html).tables
        assert "Share of all tags given in each month" in tables
        assert "Share of all tags given in each quarter" not in tables

    def test_every_picture_has_a_name_to_be_heard_and_every_one_its_figures(self) -> None:
        read = Read.page(build_report(world(studies=made.every_study())).html)
        pictures = [found for tag, found in read.attributes if tag == "svg"]
        said = [one["aria-label"] for one in pictures]
        # four of the models and lists, 2 B, 2 tags, 3 features; five more of one picture each
        assert len(said) == 4 + 1 + 1 + 1 + 2 + 2 + 1 + 3 + 2
        assert len(set(said)) == len(said)
        assert all(len(one) > 25 for one in said)
        for caption in (
            "Models that predict ratings, least error first",
            "LightFM, epoch by epoch",
            "BM25 by its parameters",
            "Tags of artists, most heard first",
            "Mean of each feature in each year",
            "Correlation with popularity over genres",
        ):
            assert len(read.tables[caption]) > 1

    def test_names_of_tags_and_warnings_never_change_its_structure(self) -> None:
        usual = Read.page(build_report(world(studies=made.every_study())).html).shape
        for name in HOSTILE:
            studies = made.every_study() | {
                "insight/tag_trends": made.tag_trends(up=name),
                "insight/tag_popularity": made.tag_popularity(first=name),
                "insight/audio_correlations": made.audio_correlations(warning=name),
            }
            html = build_report(world(studies=studies)).html
            assert Read.page(html).shape == usual
            assert html.count("<head>") == 1

    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(name=st.text(min_size=1, max_size=80))
    def test_a_tag_may_be_any_text(self, name: str) -> None:
        if name in {"down", "jazz"}:
            return
        studies = {
            "insight/tag_trends": made.tag_trends(up=name),
            "insight/tag_popularity": made.tag_popularity(first=name),
        }
        usual = {key: made.every_study()[key] for key in studies}
        shape = Read.page(build_report(world(studies=usual)).html).shape
        assert Read.page(build_report(world(studies=studies)).html).shape == shape

    def test_is_the_same_to_the_byte_each_time_and_leaves_them_alone(self) -> None:
        studies, fresh = made.every_study(), made.every_study()
        inputs = world(studies=studies)
        assert build_report(inputs).html == build_report(inputs).html
        for name, table in studies.items():
            pd.testing.assert_frame_equal(table, fresh[name])

    def test_has_no_style_of_its_own_and_asks_nobody(self) -> None:
        read = Read.page(build_report(world(studies=made.every_study())).html)
        assert [shape for shape in read.shape if "style" in shape[1:]] == []
        asked = [found for tag, found in read.attributes if "src" in found or "data" in found]
        assert asked == []

    def test_stays_small_at_hetrecs_size(self) -> None:
        inputs = large_world()
        with_studies = build_report(replace(inputs, studies=made.large_studies())).html
        more = len(with_studies) - len(build_report(inputs).html)
        assert 100_000 < more < 500_000
        assert len(with_studies) < 4_000_000


class TestOtherNouns:
    def test_stand_wherever_people_read(self) -> None:
        inputs = world(item="story", studies=made.every_study())
        html = build_report(inputs).html
        read = Read.page(html)
        for said in (
            "Of ten stories that it names",
            "Naming the best known stories",
            "Look up a user or a story",
            "a part of a story\u2019s name",
            "pairs of user and story",
            "All lists together name 3 of 5 stories",
            "has too few stories to hold any out",
            "yet of ten stories that it names" if inputs.champion.precision > 0.01 else "",
        ):
            assert said in read.text, said
        assert re.findall(r"\bartists?\b", visible(read)) == []
        assert searched(html)["noun"] == ["story", "stories"]

    def test_may_be_any_text(self) -> None:
        usual = Read.page(build_report(world()).html).shape
        for item in HOSTILE:
            assert Read.page(build_report(world(item=item)).html).shape == usual


def visible(read: Read) -> str:
    """Text of a page and what it says aloud, without the names of the source's own files."""
    spoken: list[Any] = [
        found[name]
        for _, found in read.attributes
        for name in ("aria-label", "placeholder")
        if name in found
    ]
    shown = " ".join([read.text, *spoken])
    files = [
        cell[0] for caption in read.tables.values() for cell in caption if cell[0] == "artists"
    ]
    assert len(files) == 2  # in the tables of files and of refusals
    for _ in files:
        shown = shown.replace(" artists ", " ", 1)
    return shown
