"""What a refresh is compared by, counted inside Spark: the same figures as on one machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from quick_spark import QUICK
from spark_world import frame, world

from lastfm_assets.engines.spark.cluster import StandaloneCluster
from lastfm_assets.engines.spark.drift import overlap, overlap_in
from lastfm_assets.engines.spark.drift import profile as profile_in_spark
from lastfm_assets.engines.spark.engine import SparkEngine, SparkStore
from lastfm_assets.engines.spark.steps import TOP_ARTISTS
from lastfm_assets.io import Store
from lastfm_assets.listening.profile import profile
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.popularity import PopularityConfig
from lastfm_assets.models.trained import train
from lastfm_assets.recommendations.drift_verdict import mark_of
from lastfm_assets.recommendations.lists import top_artists
from lastfm_assets.recommendations.overlap import Overlap
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.reference import compared, local_overlap, with_profile
from lastfm_assets.recommendations.versions import About

pytestmark = pytest.mark.integration

LISTED = ["user_id", "artist_id"]


@pytest.fixture
def store(cluster: StandaloneCluster, tmp_path: Path) -> Iterator[SparkStore]:
    place = str(tmp_path / "store")
    engine = SparkEngine(Store(place), master=cluster.url, conf=QUICK, timeout=180)
    yield SparkStore(place, engine)
    engine.close()


def lists_of(pairs: pd.DataFrame) -> pd.DataFrame:
    """Ten popular artists for each user."""
    matrix = type(world().matrix()).from_pairs(pairs, world().artist_ids)
    return top_artists(
        train("popularity", matrix, PopularityConfig(), side=SideTables.none(), seed=0),
        matrix,
        world().names,
    )


def hostile(pairs: pd.DataFrame) -> pd.DataFrame:
    """Plays at every edge of a bin, and artists on both sides of zero."""
    edges = [sign + 2**power for power in range(2, 50) for sign in (-1, 0, 1)]
    plays = np.resize(np.array(edges, dtype=np.int64), len(pairs))
    return pairs.assign(plays=plays, artist_id=pairs["artist_id"] - 2**52 - 500)


def test_profiles_are_those_of_the_local_engine(store: SparkStore) -> None:
    spark = store.engine.tables.spark
    pairs = world().interactions
    for table in (pairs, hostile(pairs)):
        pd.testing.assert_frame_equal(profile_in_spark(frame(spark, table)), profile(table))


def test_lists_have_in_common_what_the_local_engine_finds(store: SparkStore) -> None:
    spark = store.engine.tables.spark
    rng = np.random.default_rng(3)

    def some() -> pd.DataFrame:
        rows = pd.DataFrame(rng.integers(0, 30, (200, 2)), columns=LISTED)
        return rows.drop_duplicates(ignore_index=True)

    before, now = some(), some()[lambda rows: rows["user_id"] > 4]
    found = overlap(frame(spark, before), frame(spark, now))
    arrays = [tuple(table[name].to_numpy() for name in LISTED) for table in (before, now)]
    assert (found.groups == Overlap.of_lists(*arrays).groups).all()  # type: ignore[arg-type]


def test_a_loss_is_found_and_named_by_the_same_mark(store: SparkStore) -> None:
    """An operator may accept by one engine what the other has refused."""
    pairs = world().interactions
    said = About("popularity", "custom", 0.1, "a run")
    lists = PublishedLists(store.root)
    with_profile(
        lambda: lists.publish(lists_of(pairs), said),
        store,
        profile(pairs),
        about=said,
        accepted="",
    )
    half: Any = pairs[pairs["user_id"] <= pairs["user_id"].median()]
    store.write(("listening", "profile"), profile(half), source="custom")
    spark = store.engine.tables
    spark.write(TOP_ARTISTS, frame(spark.spark, lists_of(half)), source="custom")
    inside = compared(store, overlap_in(spark))
    pd.testing.assert_frame_equal(inside, compared(store, local_overlap(store)))
    assert inside.set_index("measure").loc["users_lost", "outcome"] == "blocks"
    assert len(mark_of(inside)) == 8
