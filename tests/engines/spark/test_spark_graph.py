"""The graph of the Spark engine beside the local one: the same keys, parents and checks."""

from typing import Any

import dagster as dg
import pytest

from lastfm_assets.definitions import build_definitions
from lastfm_assets.settings import Settings

COMPETING = "popularity,als"
LEFT_OUT = {
    "insight": {"audio_correlations", "audio_features", "history", "report"}
    | {"tag_popularity", "tag_trends"},
    "evaluation": {"lightfm_epochs", "rating_error", "weighting_effect"},
    "recommendations": {"serving_database", "similar_users"},
}
"""What takes whole tables on one machine, by group; and all of tuning."""


def _graph(settings: Settings) -> Any:
    return build_definitions(settings).resolve_asset_graph()


@pytest.fixture(scope="module")
def local() -> Any:
    """Of one machine."""
    return _graph(Settings(models=COMPETING))


@pytest.fixture(scope="module")
def inside_spark() -> Any:
    """Of the Spark engine; nothing of Spark is started."""
    return _graph(Settings(models=COMPETING, engine="spark"))


def test_every_key_is_made_but_what_is_named(local: Any, inside_spark: Any) -> None:
    missing = local.materializable_asset_keys - inside_spark.materializable_asset_keys
    assert {key for key in missing if key.path[0] != "tuning"} == {
        dg.AssetKey([first, name]) for first, names in LEFT_OUT.items() for name in names
    }
    assert inside_spark.materializable_asset_keys < local.materializable_asset_keys


def test_one_model_alone_is_judged_too() -> None:
    """It ended in a traceback, as two were expected to be told apart."""
    alone = _graph(Settings(models="popularity", engine="spark"))
    assert dg.AssetKey(["evaluation", "popularity"]) in alone.materializable_asset_keys


def test_what_both_make_is_described_and_grouped_alike(local: Any, inside_spark: Any) -> None:
    for key in inside_spark.materializable_asset_keys:
        ours, theirs = inside_spark.get(key), local.get(key)
        assert (ours.description, ours.group_name) == (theirs.description, theirs.group_name), key
        assert ours.code_version != theirs.code_version or key.path == ["evaluation", "comparison"]


def test_checks_are_the_local_ones_and_block_alike(local: Any, inside_spark: Any) -> None:
    made = inside_spark.materializable_asset_keys

    def checks(graph: Any) -> dict[dg.AssetCheckKey, bool]:
        found = {key: graph.get(key) for key in graph.asset_check_keys if key.asset_key in made}
        return {key: check.blocking for key, check in found.items()}

    assert checks(inside_spark) == checks(local)
