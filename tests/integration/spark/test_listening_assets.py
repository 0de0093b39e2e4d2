"""Assets that Spark makes: the same keys and values as the local ones, current on a second look."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from quick_spark import QUICK

from lastfm_assets.automation.resources import determining
from lastfm_assets.engines.spark import listening_assets
from lastfm_assets.engines.spark.cluster import StandaloneCluster
from lastfm_assets.engines.spark.engine import SparkEngine, SparkIOManager, SparkStore
from lastfm_assets.io import Store
from lastfm_assets.listening import assets as local_assets
from lastfm_assets.listening.clean import clean
from lastfm_assets.listening.load import read_tables
from lastfm_assets.listening.split import split
from lastfm_assets.settings import Settings
from lastfm_assets.sources.resolve import open_source

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(cluster: StandaloneCluster, tmp_path: Path) -> Iterator[SparkEngine]:
    engine = SparkEngine(
        Store(str(tmp_path / "store")), master=cluster.url, conf=QUICK, timeout=180
    )
    yield engine
    engine.close()


def test_keys_groups_and_descriptions_are_the_local_ones() -> None:
    for name in ("raw_files", "cleaned", "split_pairs", "training_tags", "weighted_matrix"):
        made, expected = getattr(listening_assets, name), getattr(local_assets, name)
        assert made.keys == expected.keys
        for key in made.keys:
            found, wanted = made.specs_by_key[key], expected.specs_by_key[key]
            assert found.description == wanted.description
            assert found.group_name == wanted.group_name
            assert found.code_version != wanted.code_version


def test_a_run_inside_spark_stores_what_a_local_one_does(
    engine: SparkEngine, tmp_path: Path
) -> None:
    store = SparkStore(str(tmp_path / "store"), engine)
    settings = Settings(store=str(tmp_path / "store"), source="sample", seed=5)
    ran = dg.materialize(
        dg.load_assets_from_modules([listening_assets]),
        resources={
            "store": store,
            "source": "sample",
            "seed": 5,
            "spark": engine,
            "io_manager": SparkIOManager(store, determining(settings)),
        },
    )
    assert ran.success
    source = open_source("sample", data_folder=tmp_path, allow_sample=False)
    tables = read_tables(source)
    expected = clean(tables.raw, tables.about)
    plain = Store(str(tmp_path / "store"))
    for name in ("interactions", "artists", "tag_assignments", "friendships", "rejected_rows"):
        found, stamp = plain.read_with_stamp(("listening", name), pd.DataFrame)
        pd.testing.assert_frame_equal(found, getattr(expected, name).reset_index(drop=True))
        assert stamp.source == "sample"
    found, stamp = plain.read_with_stamp(("listening", "split"), pd.DataFrame)
    pd.testing.assert_frame_equal(found, split(expected.interactions, seed=5))
    assert stamp.origin.parameters == {"seed": 5}
    interactions = plain.stamp(("listening", "interactions"), pd.DataFrame)
    assert stamp.origin.inputs == {"listening/interactions": interactions.version}
    assert plain.stamp(("raw", "artists"), pd.DataFrame).origin.inputs.keys() == {"the source"}
    made = {event.asset_key: event for event in ran.get_asset_materialization_events()}
    shown = made[dg.AssetKey(["listening", "split"])].materialization.metadata
    assert shown["dagster/row_count"].value == len(found)
    assert not (tmp_path / "store" / ".scratch").exists()
