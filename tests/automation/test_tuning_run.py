"""Tuning as a job of its own: what it needs, keeps and shows, and that a refresh is without it."""

import base64
import re
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from graph_world import run_in_process

from lastfm_assets.automation.jobs import tune_job
from lastfm_assets.automation.refresh import run_refresh
from lastfm_assets.definitions import build_definitions
from lastfm_assets.errors import BadInputError
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings

LISTENING = [
    *("raw/artists", "listening/interactions", "listening/split", "listening/training_tags"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store that holds what tuning reads."""
    prepared = Settings(source="sample", store=str(tmp_path_factory.mktemp("tuning") / "store"))
    assert run_in_process(prepared, LISTENING).success
    return prepared


def tuned(settings: Settings, trials: int) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return (
            build_definitions(settings)
            .resolve_job_def(tune_job.name)
            .execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["tuning", "item_knn"])],
                run_config={"ops": {"tuning__item_knn": {"config": {"trials": trials}}}},
                raise_on_error=False,
            )
        )


def test_a_run_stores_its_trials_and_the_next_goes_on(settings: Settings) -> None:
    assert tuned(settings, 2).success
    ran = tuned(settings, 4)
    assert ran.success
    stored = Store(settings.store)
    table, stamp = stored.read_with_stamp(("tuning", "item_knn"), pd.DataFrame)
    assert list(table["number"]) == [0, 1, 2, 3]
    assert stamp.source == "sample"
    assert len(list(Path(settings.store, "tuning", "studies").glob("item_knn-*.db"))) == 1
    (made,) = ran.asset_materializations_for_node("tuning__item_knn")
    facts = made.metadata
    assert facts["trials"].value == 4
    best, default = (facts[f"{name}_validation_ndcg@10"].value for name in ("best", "default"))
    assert best >= default == table["value"].iloc[0]
    for name in ("history", "slices"):
        found = re.fullmatch(r"!\[.*\]\(data:image/png;base64,(.*)\)", str(facts[name].value))
        assert found
        assert base64.b64decode(found[1], validate=True).startswith(b"\x89PNG")


def test_a_refresh_cannot_be_asked_for_it(settings: Settings) -> None:
    with pytest.raises(BadInputError, match="'tuning', which is neither an asset"):
        run_refresh(settings, ["tuning"])
    with pytest.raises(BadInputError, match="'tuning/als', which is neither an asset"):
        run_refresh(settings, ["tuning/als"])


def test_a_refresh_of_the_split_and_all_after_it_leaves_it_out(settings: Settings) -> None:
    from lastfm_assets.automation.refresh import _selected  # noqa: PLC0415 (behind the curtain)

    chosen = _selected(build_definitions(settings), ["listening/split+"])
    assert chosen is not None
    assert {key.path[0] for key in chosen} == {
        *("listening", "models", "evaluation", "recommendations", "insight"),
    }
