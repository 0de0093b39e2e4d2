"""The assets as Dagster runs them over a store: what is stored, and what is shown of it."""

import base64
import re
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import pytest
from study_pairs import IDS, dealt

from lastfm_assets.automation.jobs import studies_job
from lastfm_assets.automation.lineage import COLUMNS
from lastfm_assets.definitions import build_definitions
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings
from lastfm_assets.studies import predictors, weighting_effect
from lastfm_assets.studies.lightfm_epochs import lightfm_epochs
from lastfm_assets.vocabulary import column_type

if TYPE_CHECKING:
    from pathlib import Path

ASSETS = ("evaluation/rating_error", "evaluation/weighting_effect", "evaluation/lightfm_epochs")
PICTURE = re.compile(r"!\[.+\]\(data:image/png;base64,(.+)\)")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return store_in(tmp_path_factory.mktemp("studies"))


def store_in(folder: "Path") -> Store:
    """What the studies read, of two scenes of listeners."""
    store = Store(str(folder / "store"))
    board = pd.DataFrame({"model": ["als", "ease"], "held_out_precision@10": [0.4321, 0.3]})
    values = {
        ("listening", "split"): dealt(),
        ("listening", "artists"): pd.DataFrame({"artist_id": IDS}),
        ("evaluation", "leaderboard"): board,
    }
    for name, value in values.items():
        store.write(name, value, source="invented")
    return store


@pytest.fixture(scope="module")
def ran(store: Store) -> dg.ExecuteInProcessResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weighting_effect, "K1", (1.0, 100.0))  # the whole grid takes long
        return run(store, *ASSETS)


def run(store: Store, *assets: str) -> dg.ExecuteInProcessResult:
    job = build_definitions(
        Settings(source="sample", store=str(store.root), seed=3)
    ).resolve_job_def(studies_job.name)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(asset.split("/")) for asset in assets],
        )


def shown(ran: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (made,) = ran.asset_materializations_for_node(asset.replace("/", "__"))
    return {name: value.value for name, value in made.metadata.items()}


def test_a_run_makes_all_three(ran: dg.ExecuteInProcessResult) -> None:
    assert ran.success


@pytest.mark.parametrize("asset", ASSETS)
def test_tables_have_the_columns_and_types_that_were_announced(
    ran: dg.ExecuteInProcessResult, store: Store, asset: str
) -> None:
    assert ran.success
    table = store.read(tuple(asset.split("/")), pd.DataFrame)
    assert tuple(table.columns) == COLUMNS[asset]
    assert len(table) == shown(ran, asset)["dagster/row_count"]
    for column in table:
        assert str(table[column].dtype) == column_type(str(column)), column


@pytest.mark.parametrize("asset", ASSETS)
def test_each_shows_one_picture_and_says_it_in_words(
    ran: dg.ExecuteInProcessResult, asset: str
) -> None:
    facts = shown(ran, asset)
    found = [PICTURE.fullmatch(value) for value in facts.values() if isinstance(value, str)]
    (picture,) = [match[1] for match in found if match]
    assert base64.b64decode(picture, validate=True).startswith(b"\x89PNG")
    assert len(picture) < 80_000
    assert str(facts["in_words"]).endswith(".")


def test_rating_models_are_held_against_the_first_of_the_leaderboard(
    ran: dg.ExecuteInProcessResult,
) -> None:
    said = shown(ran, "evaluation/rating_error")["in_words"]
    assert "als, which is asked for lists and not for ratings, finds 4.32" in said


def test_a_rating_model_that_too_many_users_leave_out_is_named(
    ran: dg.ExecuteInProcessResult, tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = "evaluation/rating_error"
    assert shown(ran, asset)["left_out"] == "none"
    monkeypatch.setattr(predictors, "MOST_USERS", 1)
    facts = shown(run(store_in(tmp_path), asset), asset)
    assert (facts["left_out"], facts["dagster/row_count"]) == ("knn_baseline", 3)
    assert any(PICTURE.fullmatch(value) for value in facts.values() if isinstance(value, str))


def test_the_seed_of_the_settings_decides(ran: dg.ExecuteInProcessResult, store: Store) -> None:
    assert ran.success
    stored = store.read(("evaluation", "lightfm_epochs"), pd.DataFrame)
    expected = lightfm_epochs(dealt(), IDS, seed=3)
    pd.testing.assert_frame_equal(stored, expected, check_dtype=False)
