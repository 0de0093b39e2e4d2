"""Columns and where they come from, as declared, held against a real run of the whole chain."""

import os
from collections.abc import Iterator
from unittest import mock

import dagster as dg
import pytest
from pipeline_world import Refreshed

from lastfm_assets.automation.jobs import STUDIES, TUNING
from lastfm_assets.automation.lineage import COLUMNS, LINEAGE, columns_of, lineage_of
from lastfm_assets.definitions import build_definitions
from lastfm_assets.settings import Settings

Metadata = dict[str, dict[str, dg.MetadataValue]]
BESIDE = {
    spec.key.to_user_string()
    for spec in build_definitions(Settings(source="sample")).resolve_all_asset_specs()
    if spec.group_name in (STUDIES, TUNING)
}
MADE = sorted(set(COLUMNS) - BESIDE)
"""Tables that a refresh makes."""


def key(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("/"))


@pytest.fixture(scope="module")
def made(refreshed: Refreshed) -> Iterator[Metadata]:
    """What the run said of each asset."""
    with (
        mock.patch.dict(os.environ, {"DAGSTER_HOME": str(refreshed.home)}),
        dg.DagsterInstance.get() as instance,
    ):
        found = {}
        for asset in instance.get_asset_keys():
            event = instance.get_latest_materialization_event(asset)
            if event and event.asset_materialization:
                found[asset.to_user_string()] = dict(event.asset_materialization.metadata)
        yield found


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    store = tmp_path_factory.getbasetemp() / "no_store"
    return build_definitions(Settings(source="sample", store=str(store)))


def test_every_table_that_a_refresh_makes_is_declared(made: Metadata) -> None:
    shown = {name for name, said in made.items() if "dagster/column_schema" in said}
    assert shown == set(MADE)


@pytest.mark.parametrize("asset", MADE)
def test_columns_are_as_declared(made: Metadata, asset: str) -> None:
    found = made[asset]["dagster/column_schema"].value
    declared = columns_of(key(asset))["dagster/column_schema"]
    assert isinstance(found, dg.TableSchema)
    assert [(c.name, c.type) for c in found.columns] == [(c.name, c.type) for c in declared.columns]
    if "dagster/column_lineage" in made[asset]:
        assert found == declared


@pytest.mark.parametrize("asset", sorted(LINEAGE))
def test_columns_stand_on_both_ends(made: Metadata, asset: str) -> None:
    def columns(name: str) -> set[str]:
        if name in BESIDE:
            return set(COLUMNS[name])
        schema = made[name]["dagster/column_schema"].value
        assert isinstance(schema, dg.TableSchema)
        return {column.name for column in schema.columns}

    for column, sources in LINEAGE[asset].items():
        assert column in columns(asset)
        assert sources
        for upstream, source in sources:
            assert source in columns(upstream)


@pytest.mark.parametrize("asset", sorted(LINEAGE))
def test_columns_come_from_tables_that_the_asset_reads(graph: dg.Definitions, asset: str) -> None:
    read = {dep.to_user_string() for dep in graph.resolve_asset_graph().get(key(asset)).parent_keys}
    named = {upstream for sources in LINEAGE[asset].values() for upstream, _ in sources}
    assert named <= read


@pytest.mark.parametrize("column", ["user_id", "artist_id", "artist_name"])
def test_what_readers_see_leads_back_to_the_raw_files(column: str) -> None:
    reached, open_ends = set(), [("recommendations/published", column)]
    while open_ends:
        asset, name = open_ends.pop()
        reached.add(asset)
        open_ends += LINEAGE.get(asset, {}).get(name, ())
    assert any(asset.startswith("raw/") for asset in reached)


@pytest.mark.parametrize("asset", ["listening/split", "evaluation/leaderboard"])
def test_a_run_says_where_columns_come_from(made: Metadata, asset: str) -> None:
    said = made[asset]["dagster/column_lineage"]
    assert said.value == lineage_of(key(asset))["dagster/column_lineage"]


def test_of_a_table_into_which_no_column_passes_is_nothing() -> None:
    assert lineage_of(key("raw/artists")) == {}
