"""LASTFM_SEARCH in a refresh: what is made, what is shown, and what cannot be asked for."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from graph_world import run_in_process
from pipeline_world import Command

from lastfm_assets.automation.refresh import run_refresh
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings

TOP = "recommendations/top_artists"


def settings_of(store: Path, **more: Any) -> Settings:
    return Settings.model_validate({"source": "sample", "store": str(store), **more})


def lists_in(store: Path) -> pd.DataFrame:
    return Store(str(store)).read(TOP.split("/"), pd.DataFrame)


def champion_of(store: Path) -> str:
    return Store(str(store)).read(("evaluation", "champion"), Champion).model


def shown(run: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Metadata of the lists."""
    (event,) = run.get_asset_materialization_events()
    made = event.step_materialization_data.materialization
    return {name: value.value for name, value in made.metadata.items()}


@pytest.fixture
def serving(store: Path, request: pytest.FixtureRequest) -> Path:
    """A store in which the asked model serves."""
    outcome = run_refresh(settings_of(store, champion=request.param), ["evaluation/champion+"])
    assert outcome.exit_code == 0, outcome
    return store


class TestTheLists:
    @pytest.mark.parametrize("serving", ["als"], indirect=True)
    def test_are_found_approximately_and_say_their_recall(self, serving: Path) -> None:
        exact = lists_in(serving)
        pinned = settings_of(serving, champion="als", search="approximate")
        run = run_in_process(pinned, [TOP])
        assert run.success
        pd.testing.assert_frame_equal(lists_in(serving), exact)  # the sample is small
        told = shown(run)
        assert told["search"] == "approximate"
        assert [told[f"search_recall@10{end}"] for end in ("", "_low", "_high")] == [1.0] * 3
        assert told["search_recall_users"] == 300
        assert type(told["search_recall@10"]) is float

    @pytest.mark.parametrize("serving", ["item_knn"], indirect=True)
    def test_are_ranked_exactly_where_another_model_serves(
        self, serving: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """The champion changed overnight: an unattended refresh goes on, and says so."""
        exact = lists_in(serving)
        run = run_in_process(settings_of(serving, search="approximate"), [TOP])
        assert run.success
        pd.testing.assert_frame_equal(lists_in(serving), exact)
        assert shown(run)["search"] == "exact"
        assert not [name for name in shown(run) if "recall" in name]
        assert (
            "the champion is item_knn, which can only be ranked exactly" in capfd.readouterr().err
        )

    def test_say_that_they_are_exact_where_nothing_is_asked_for(self, store: Path) -> None:
        told = shown(run_in_process(settings_of(store), [TOP]))
        assert told["search"] == "exact"
        assert not [name for name in told if "recall" in name]


class TestTheCommand:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [("LASTFM_MODELS", "popularity,item_knn"), ("LASTFM_CHAMPION", "ease")],
    )
    def test_refuses_a_search_that_could_never_take_place(
        self, command: Command, store: Path, variable: str, value: str
    ) -> None:
        asked = {variable: value, "LASTFM_SEARCH": "approximate"}
        ran = command("refresh", "--source", "sample", store=store, **asked)
        assert ran.code == 2
        assert ran.out == ""
        (line,) = ran.err.splitlines()
        assert line.startswith("error: LASTFM_SEARCH is approximate, but ")
        assert "als, bpr, lightfm" in line
