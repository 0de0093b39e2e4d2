"""The page: says what the tables say, to the digit; and nothing in a name can make it say more."""

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_world import (
    CHAMPION,
    HOSTILE,
    NAMES,
    Read,
    bare_world,
    large_world,
    searched,
    world,
)

from lastfm_assets.insight.opening import banner, verdict
from lastfm_assets.insight.report import build_report


@pytest.fixture(scope="module")
def page() -> str:
    return build_report(world()).html


@pytest.fixture(scope="module")
def read(page: str) -> Read:
    return Read.page(page)


class TestTheHead:
    def test_says_the_verdict_in_one_sentence(self, read: Read) -> None:
        said = verdict(world())
        assert said == (
            "als serves 3 users of custom with a held-out precision@10 of 0.3000 (95% interval "
            "0.2800 to 0.3300), as of 2026-11-24 03:30 UTC."
        )
        assert said in read.text

    def test_says_it_again_in_plain_words(self, read: Read) -> None:
        assert "Of ten artists that it names, 3.0 are ones that the listener does" in read.text
        assert "to everybody would find 1.0." in read.text

    def test_counts_what_there_is(self, read: Read) -> None:
        figures = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", build_report(world()).html))
        assert figures["users"] == "3"
        assert figures["artists"] == "5"
        assert figures["pairs of user and artist"] == "6"
        assert figures["plays"] == "1,118"
        assert figures["of artists recommended"] == "60.0%"  # 20, 40 and 50 of five
        assert figures["of rows refused"] == "18.75%"  # 3 of 16: the fourth was summed
        assert "Not for real listeners" not in read.text

    def test_warns_loudly_of_the_sample(self) -> None:
        text = Read.page(build_report(world(source="sample")).html).text
        assert text.index("Not for real listeners") < text.index("Report of the refresh")
        assert "serves 3 users of the bundled sample with" in text

    def test_warns_of_tables_from_several_sources(self) -> None:
        assert "custom+sample" in banner("custom+sample")
        assert banner("custom") == banner("hetrec2011-lastfm-2k") == ""

    def test_says_that_an_operator_chose(self) -> None:
        pinned = world(champion=CHAMPION.model_copy(update={"pinned": True}))
        assert "Pinned by an operator" in Read.page(build_report(pinned).html).text


class TestTheModels:
    def test_stand_in_the_table_as_on_the_leaderboard(self, read: Read) -> None:
        assert read.tables["All models, best on validation first"][1:] == [
            [
                *("als", "0.3000", "0.2800 to 0.3300"),
                *("0.4000", "0.3750 to 0.4250", "0.2500", "best"),
            ],
            [
                *("popularity", "0.1000", "0.0800 to 0.1200"),
                *("0.2000", "0.1900 to 0.2100", "0.0625", "als beats this one"),
            ],
        ]
        assert "als beats 1 of the 1 other model for sure" in read.text

    def test_are_shown_on_train_beside_held_out(self, read: Read) -> None:
        table = read.tables["Each model on what it was fitted on and on what it never saw"]
        assert table[1:] == [
            ["als", "0.3000", "0.9000", "3.0"],
            ["popularity", "0.1000", "0.2000", "2.0"],
        ]
        assert "Judged on its own training data, als looks 3.0 times as good" in read.text

    def test_the_champion_is_explained(self, read: Read) -> None:
        for said in (
            "Best of 2 models on validation.",
            "differs by +0.1250, 95% interval +0.1000 to +0.1500",
            "its lower end must reach -0.0020",
            "must reach 0.2000; it is 0.3000.",
            "3.00 times the 0.1000",
            "0.9500: lists that knew all answers",
            "factors 8",
        ):
            assert said in read.text, said

    def test_the_champion_is_the_one_that_differences_are_of(self, read: Read) -> None:
        assert read.tables["als against each other model, on the same users"][1:] == [
            ["popularity", "+0.2000", "+0.1250 to +0.2500", "0.0005", "als beats popularity"]
        ]

    def test_for_whom_it_works_is_said(self, read: Read) -> None:
        assert "best for users of many plays (0.500) and least for few plays (0.100)" in read.text
        table = read.tables[
            "Users in thirds, by plays and by how many listeners their artists have"
        ]
        assert table[1] == [
            *("few plays", "als", "1", "0.1000", "0.0500 to 0.2000", "0.1000", "100.0%")
        ]
        assert len(table) == 1 + 4


class TestTheRest:
    def test_recommendations_are_held_against_plays(self, read: Read) -> None:
        table = read.tables["Played: pairs of user and artist; recommended: places in the lists"]
        # artist 10 has three of six pairs and no recommendation; in all lists: 3 of 5 artists
        assert table[1] == ["1", "50.0%", "0.0%"]
        assert table[-1] == ["5", "100.0%", "100.0%"]
        assert "All lists together name 3 of 5 artists (60.0%)" in read.text

    def test_data_quality_is_told_with_examples(self, read: Read) -> None:
        assert "3 of 16 rows read were refused (18.75%); 1 row told of a pair again" in read.text
        assert "6 pairs of user and artist remain: 3 to fit on, 1 to choose on, 2 to" in read.text
        assert "1 user of 3 has too few artists to hold any out." in read.text
        assert read.tables["Rows that are in no table, by reason"][1] == [
            *("user_artists", "plays not above zero", "2", "4, 9", "1 2 -1")
        ]
        files = read.tables["Files of the source; a row summed with another is not lost"]
        assert files[1:] == [
            ["artists", "6", "1", "16.67%"],
            ["user_artists", "10", "2", "20.00%"],
        ]

    def test_tags_are_shared_out_by_quarter(self, read: Read) -> None:
        assert read.tables["Share of all tags given in each quarter"] == [
            ["quarter", "tags given", "pop", "rock"],
            ["2008Q1", "100", "0.0%", "100.0%"],
            ["2008Q2", "100", "100.0%", "0.0%"],
            ["2008Q3", "100", "50.0%", "50.0%"],
        ]

    def test_the_first_refresh_is_called_so(self, read: Read) -> None:
        assert "This is the first refresh" in read.text
        assert read.tables["Refreshes of custom, oldest first"][1] == [
            *("2026-11-24 03:30", "als", "0.3000", "0.2800 to 0.3300", "0.4000"),
            *("3", "5", "6", "7"),
        ]

    def test_the_run_is_linked_only_where_the_ui_is_on_the_web(self, read: Read) -> None:
        links = [found["href"] for tag, found in read.attributes if tag == "a"]
        assert "http://127.0.0.1:3000/runs/run-1" in links
        odd = Read.page(build_report(world(ui_url="javascript:alert(1)//")).html)
        assert [f for tag, f in odd.attributes if tag == "a" and "alert" in f["href"]] == []

    def test_every_chart_has_a_name_to_be_heard_and_its_figures(self, read: Read) -> None:
        pictures = [found for tag, found in read.attributes if tag == "svg"]
        assert len(pictures) == 4 + 2  # models, train, segments, lists; a small one for each tag
        assert all(one["role"] == "img" and len(one["aria-label"]) > 30 for one in pictures)
        assert sum(tag == "details" for tag, *_ in read.shape) >= 6


class TestOneFile:
    def test_asks_nobody_for_anything(self, page: str) -> None:
        read = Read.page(page)
        asked = [
            (tag, name, value)
            for tag, found in read.attributes
            for name, value in found.items()
            if name in {"src", "href", "srcset", "action", "data", "xlink:href"}
            and not value.startswith(("#", "data:", "http://127.0.0.1:3000/runs/"))
        ]
        assert asked == []
        assert "@import" not in page
        assert re.findall(r"url\((?!#)", page) == []

    def test_allows_itself_its_own_style_and_script_and_no_other(self, page: str) -> None:
        read = Read.page(page)
        (policy,) = [f["content"] for _, f in read.attributes if f.get("http-equiv")]
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        for tag in ("style", "script"):
            digest = base64.b64encode(hashlib.sha256(read.raw[tag].encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
        assert [shape for shape in read.shape if "style" in shape[1:]] == []
        assert [n for _, *names in read.shape for n in names if n.startswith("on")] == []

    def test_its_script_never_makes_markup_of_text(self, page: str) -> None:
        script = Read.page(page).raw["script"]
        for never in (
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "fetch(",
        ):
            assert never not in script
        assert script.startswith('"use strict";')

    def test_is_ascii_so_that_no_browser_can_mistake_its_encoding(self) -> None:
        html = build_report(world(source="M\u00f6tley \u30a2", ui_url="http://\u00e9.test")).html
        assert html.isascii()
        assert "of M\u00f6tley \u30a2 with a held-out" in Read.page(html).text

    def test_has_one_literal_head(self, page: str) -> None:
        assert page.startswith("<!doctype html>\n")
        assert page.count("<head>") == 1

    def test_is_the_same_to_the_byte_each_time(self, page: str) -> None:
        assert build_report(world()).html == page
        code = (
            "import hashlib, report_world; from lastfm_assets.insight.report import build_report;"
            "print(hashlib.sha256(build_report(report_world.world()).html.encode()).hexdigest())"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": "5", "TZ": "Asia/Tokyo", "PATH": "", "HOME": "/nowhere"},
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == hashlib.sha256(page.encode()).hexdigest()

    def test_leaves_its_inputs_alone(self) -> None:
        inputs, fresh = world(), world()
        build_report(inputs)
        for name in inputs.__dataclass_fields__:
            if isinstance(value := getattr(inputs, name), pd.DataFrame):
                pd.testing.assert_frame_equal(value, getattr(fresh, name))

    def test_is_small_for_a_world_of_hetrecs_size(self) -> None:
        inputs = large_world()
        assert len(inputs.interactions) > 80_000
        assert len(build_report(inputs).html.encode()) < 3_500_000

    def test_knows_nothing_of_dagster_and_draws_only_when_asked(self) -> None:
        probe = (
            "import sys, lastfm_assets.insight.report; "
            "sys.exit(', '.join({'dagster', 'matplotlib', 'jinja2'} & set(sys.modules)) or 0)"
        )
        ran = subprocess.run([sys.executable, "-c", probe], check=False, capture_output=True)
        assert ran.returncode == 0, ran.stderr


class TestNames:
    @pytest.mark.parametrize("names", [HOSTILE[:5], HOSTILE[5:]])
    def test_never_change_the_structure_of_the_page(
        self, page: str, names: tuple[str, ...]
    ) -> None:
        hostile = build_report(world(names=names, tag=names[0])).html
        assert Read.page(hostile).shape == Read.page(page).shape
        assert hostile.count("<head>") == 1
        assert searched(hostile)["names"] == list(names)
        assert searched(hostile)["tags"] == sorted(["pop", names[0]])

    def test_of_a_source_and_a_run_are_escaped_too(self, page: str) -> None:
        inputs = world(source=HOSTILE[0], run_id=HOSTILE[1])
        inputs = replace(inputs, history=inputs.history.assign(source=HOSTILE[0]))
        found = Read.page(build_report(inputs).html)
        assert found.shape == Read.page(page).shape
        assert HOSTILE[0] in found.text

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(name=st.text(min_size=1, max_size=80), tag=st.text(min_size=1, max_size=80))
    def test_may_be_any_text(self, page: str, name: str, tag: str) -> None:
        if tag == "pop":
            return
        html = build_report(world(names=(name, *NAMES[1:]), tag=tag)).html
        assert Read.page(html).shape == Read.page(page).shape
        assert searched(html)["names"][0] == name


class TestASmallWorld:
    def test_of_one_user_and_nothing_else_has_a_page(self) -> None:
        read = Read.page(build_report(bare_world()).html)
        assert "als serves 0 users of custom" in read.text
        assert "Too few tags with a date" in read.text
        assert "This is the first refresh" in read.text
        assert "0 of 16 rows read were refused (0.00%); no pair is told of twice." in read.text
        assert "1 user of 1 has too few artists to hold any out." in read.text

    def test_may_have_figures_that_do_not_exist(self) -> None:
        inputs = world()
        board = inputs.leaderboard.assign(**{"train_precision@10": float("nan")})
        text = Read.page(build_report(replace(inputs, leaderboard=board)).html).text
        assert "Precision on training data says nothing of precision held out" in text
        assert "n/a" in text

    def test_too_large_to_be_searched_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lastfm_assets.insight.report.SEARCH_BUDGET", 10)
        html = build_report(world()).html
        assert "lastfm-assets recommend --user" in html
        assert 'id="query"' not in html
        assert 'id="data-of-search"' not in html
