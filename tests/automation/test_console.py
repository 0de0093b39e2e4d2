"""What a person sees of a run on the terminal."""

import logging
import re
from pathlib import Path

import dagster as dg
import pytest
from graph_world import run_in_process
from pipeline_world import Command, Refreshed

from lastfm_assets.automation.console import one_line_logger
from lastfm_assets.models.trained import MODELS
from lastfm_assets.settings import Settings

ASSET_LINE = re.compile(r" +\d+\.\d s  (\w+/\w+|raw_files|cleaned|models|evaluations)")


@pytest.fixture
def logger() -> logging.Logger:
    made = one_line_logger(dg.build_init_logger_context())
    assert isinstance(made, logging.Logger)
    return made


class TestARefresh:
    def test_says_one_line_a_step_and_nothing_that_a_person_cannot_use(
        self, refreshed: Refreshed
    ) -> None:
        lines = refreshed.ran.err.splitlines()
        steps = [line for line in lines if ASSET_LINE.fullmatch(line)]
        waiting = [
            line for line in lines if re.fullmatch(r"    .+: \d+ of \d+, about \d+ s left", line)
        ]
        of_models = [
            line
            for line in lines
            if re.fullmatch(r"    \w+( fitted in \d+\.\d s|: held-out precision@10 0\.\d{4})", line)
        ]
        assert len(of_models) == 2 * len(MODELS)
        known = {*steps, *waiting, *of_models}
        plan, source, champion, done, warning = (line for line in lines if line not in known)
        assert 15 < len(steps) < 30
        assert plan.startswith("makes again raw/")
        assert plan.endswith("leaves as it is: nothing")
        assert source == "    source: the bundled sample (sample)"
        assert champion.startswith("    champion: ")
        assert re.fullmatch(r"done in \d+ s", done)
        assert warning.startswith("WARNING: made from the bundled, invented sample")

    def test_shows_no_warning_of_any_library(self, refreshed: Refreshed) -> None:
        assert re.findall(r"\w+Warning", refreshed.ran.err) == []

    def test_that_fails_says_why_without_a_line_for_each_step_behind(
        self, capsys: pytest.CaptureFixture[str], tmp_path: object
    ) -> None:
        settings = Settings(source="/no/such/folder", store=f"{tmp_path}/store")
        run_in_process(settings, run_config={"loggers": {"console": {}}})
        assert capsys.readouterr().err == ""

    def test_says_that_a_database_is_tried_again_and_never_its_password(
        self, command: Command, store: Path
    ) -> None:
        url = "postgresql://me:planted@127.0.0.1:1/lists"
        ran = command(
            "refresh",
            "--select",
            "recommendations/serving_database",
            store=store,
            LASTFM_PUBLISH_URL=url,
        )
        again = [line for line in ran.err.splitlines() if " is tried again in " in line]
        assert len(again) == 3
        assert again[0] == "  ! recommendations/serving_database is tried again in 2 s"
        assert ran.code == 2
        assert ran.last_line.startswith("error: postgresql://127.0.0.1:1/lists: cannot be reached")
        assert "planted" not in ran.out + ran.err


class TestALine:
    def test_is_indented(self, logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
        logger.info("10 of 20")
        assert capsys.readouterr().err == "    10 of 20\n"

    def test_is_marked_where_it_warns(
        self, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logger.warning("look here")
        assert capsys.readouterr().err == "  ! look here\n"

    def test_is_left_out_where_only_developers_want_it(
        self, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logger.debug("x")
        logger.error("Dependencies for step x failed: ['y']. Not executing.")
        assert capsys.readouterr().err == ""
