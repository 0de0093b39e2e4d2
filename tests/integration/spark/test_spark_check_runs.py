"""Checks inside Spark as a run has them: what they say, what they stop, and what is missing."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from quick_spark import QUICK
from spark_world import frame
from test_spark_checks import ABOUT, row_twice, sound

from lastfm_assets.automation.resources import determining, resources_of
from lastfm_assets.engines.spark import listening_assets
from lastfm_assets.engines.spark.checks import spark_checks
from lastfm_assets.engines.spark.cluster import StandaloneCluster
from lastfm_assets.engines.spark.definitions import models_of, spark_assets
from lastfm_assets.engines.spark.engine import SparkEngine, SparkIOManager, SparkStore
from lastfm_assets.engines.spark.steps import SIMILAR_ARTISTS, TOP_ARTISTS, publish
from lastfm_assets.findings import Finding
from lastfm_assets.io import Store
from lastfm_assets.listening import rules as local_rules
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import train
from lastfm_assets.recommendations.lists import similar_artists, top_artists
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(cluster: StandaloneCluster, tmp_path: Path) -> Iterator[SparkEngine]:
    """Of a store of its own; its session is the only one of this process."""
    store = Store(str(tmp_path / "store"))
    engine = SparkEngine(store, master=cluster.url, conf=QUICK, timeout=180)
    yield engine
    engine.close()


def run(engine: SparkEngine, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
    """Assets and checks of the graph in this process."""
    place = str(engine.tables.store.root)
    store = SparkStore(place, engine)
    settings = Settings(store=place, source="sample", seed=5, engine="spark")
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [*spark_assets(models_of(settings)), *spark_checks],
            selection=selection,
            resources={
                **resources_of(settings),
                "store": store,
                "spark": engine,
                "io_manager": SparkIOManager(store, determining(settings)),
            },
            instance=instance,
            raise_on_error=False,
        )


def checks_of(*groups: str) -> list[dg.AssetChecksDefinition]:
    return [one for one in spark_checks if next(iter(one.check_specs)).asset_key.path[0] in groups]


def verdicts(ran: dg.ExecuteInProcessResult) -> dict[tuple[str, str], Finding]:
    """What checks said, by asset and name."""
    return {
        (one.asset_key.to_user_string(), one.check_name): Finding(
            one.passed, {name: said.value for name, said in one.metadata.items()}
        )
        for one in ran.get_asset_check_evaluations()
    }


def test_a_small_refreshed_world_passes_with_the_local_facts(engine: SparkEngine) -> None:
    checks = checks_of("raw", "listening")
    ran = run(engine, dg.AssetSelection.groups("raw", "listening"))
    assert ran.success
    found = verdicts(ran)
    specs = [spec for one in checks for spec in one.check_specs]
    assert found.keys() == {(spec.asset_key.to_user_string(), spec.name) for spec in specs}
    assert [name for name, finding in found.items() if not finding.passed] == []
    read = {
        name: engine.tables.store.read(("listening", name), pd.DataFrame)
        for name in ("interactions", "artists", "tag_assignments", "friendships", "rejected_rows")
    }
    rejected = read.pop("rejected_rows")
    about = engine.tables.store.read(("raw", "source"), pd.DataFrame)
    expected = local_rules.few_rows_refused(rejected, **read, about=about)
    assert found["listening/rejected_rows", "few_rows_refused"] == expected


def test_published_lists_are_held_against_the_checked_ones(engine: SparkEngine) -> None:
    world = sound()
    matrix = ListeningMatrix.from_pairs(
        world["interactions"], world["artists"]["artist_id"].to_numpy()
    )
    names = world["artists"].set_index("artist_id")["artist_name"]
    model = train("item_knn", matrix, None, side=SideTables.none(), seed=0)
    lists, tables = top_artists(model, matrix, names), engine.tables
    for key, table in {
        ("listening", "interactions"): world["interactions"],
        ("listening", "artists"): world["artists"],
        TOP_ARTISTS: lists,
        SIMILAR_ARTISTS: similar_artists(matrix, names),
    }.items():
        tables.write(key, frame(tables.spark, table), source="sample")
    publish(tables, ABOUT)
    checks = dg.AssetSelection.checks(*checks_of("recommendations"))
    said = ("recommendations/published", "readers_see_what_was_checked")

    first = verdicts(run(engine, checks))
    assert [name for name, finding in first.items() if not finding.passed] == []
    assert len(first) == 12
    assert first[said].facts == {"published_rows": 30, "checked_rows": 30, "held": "no"}

    # one reason of the checked lists is another: readers do not see that
    others = lists.assign(because=["Somebody else", *lists["because"].iloc[1:]])
    tables.write(TOP_ARTISTS, frame(tables.spark, others), source="sample")
    second = run(engine, checks)
    assert not second.success
    assert not verdicts(second)[said].passed

    # once published and rolled back, they are held
    publish(tables, ABOUT)
    PublishedLists(tables.store.root).rollback()
    third = verdicts(run(engine, checks))[said]
    assert third.passed
    assert third.facts["held"] == "the checked lists were rolled back"


def test_a_broken_table_stops_what_comes_after(engine: SparkEngine) -> None:
    world, tables = sound(), engine.tables
    broken = row_twice("interactions")(world)["interactions"]
    tables.write(("listening", "interactions"), frame(tables.spark, broken), source="sample")
    tables.write(("listening", "artists"), frame(tables.spark, world["artists"]), source="sample")
    checks = [one for one in spark_checks if one.node_def.name == "check_listening_interactions"]
    split_alone = dg.AssetSelection.assets(listening_assets.SPLIT).without_checks()
    ran = run(engine, dg.AssetSelection.checks(*checks) | split_alone)
    assert not ran.success
    assert not verdicts(ran)["listening/interactions", "pairs_are_unique"].passed
    assert not tables.has(("listening", "split"))


def test_a_table_that_is_missing_is_said_in_one_line(engine: SparkEngine) -> None:
    checks = [one for one in spark_checks if one.node_def.name == "check_raw_keys"]
    ran = run(engine, dg.AssetSelection.checks(*checks))
    (failed,) = [event for event in ran.all_events if event.is_step_failure]
    assert "raw/keys is not in the store" in str(failed.event_specific_data)
