"""The second half of the chain by keys: from a split in the store to what readers see."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from spark_world import CONFIG, frame, world

from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.tables import SparkTables
from lastfm_assets.errors import (
    BadInputError,
    EngineUnavailableError,
    GateRefusedError,
    StoreError,
)
from lastfm_assets.evaluation.leaderboard import leaderboard
from lastfm_assets.io import Store
from lastfm_assets.models.ease import EaseConfig
from lastfm_assets.models.popularity import PopularityConfig
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import About

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def tables(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> SparkTables:
    """A store with the listening of the sample's first hundred users."""
    sample = world()
    kept = SparkTables(Store(str(tmp_path_factory.mktemp("steps") / "store")), spark)
    for name, table in {
        "interactions": sample.interactions,
        "artists": sample.artists,
        "split": sample.split_pairs,
        "training_tags": sample.tags[["user_id", "artist_id", "tag_id"]],
    }.items():
        kept.write(("listening", name), frame(spark, table), source="sample")
    return kept


def test_from_the_split_to_readers(tables: SparkTables) -> None:
    evaluations = []
    for name, config in {"als": CONFIG, "popularity": PopularityConfig()}.items():
        model = steps.fit(tables, name, config, seed=0, on="judged")
        probe = steps.fit(tables, name, config, seed=0, on="train")
        assert steps.fitted(tables, name, "judged") == model
        evaluations.append(steps.judged(tables, model, probe))
    sizes = steps.held_out_sizes(tables, seed=0)
    board = leaderboard(evaluations, sizes, seed=0)
    assert board["model"].tolist() == ["als", "popularity"]
    assert board["held_out_precision@10"].is_monotonic_decreasing
    assert int(board["users"].iloc[0]) == len(sizes) == 99  # one user has too few to hold any out
    serving = steps.fit(tables, "als", CONFIG, seed=0, on="all")
    with steps.top_artists(tables, serving) as lists_made:
        tables.write(steps.TOP_ARTISTS, lists_made, source="sample")
    with steps.similar_artists(tables) as similar_made:
        tables.write(steps.SIMILAR_ARTISTS, similar_made, source="sample")
    publication = steps.publish(tables, About("als", "sample", 0.2, "a run"))
    assert publication.outcome == "published"
    lists, version = PublishedLists(tables.store.root).current()
    stored = tables.store.read(steps.TOP_ARTISTS, pd.DataFrame)
    pd.testing.assert_frame_equal(lists, stored)
    assert (version.users, version.rows) == (100, 1000)
    similar = tables.store.read(steps.SIMILAR_ARTISTS, pd.DataFrame)
    assert similar["rank"].between(1, 10).all()


def test_lists_that_break_a_rule_do_not_replace_the_last_ones(tables: SparkTables) -> None:
    popular = steps.fit(tables, "popularity", PopularityConfig(), seed=0, on="all")
    with (
        pytest.raises(GateRefusedError, match=r"breaks 1 rule\(s\), first lists_are_varied"),
        steps.top_artists(tables, popular),
    ):
        pytest.fail("such lists are not handed on")


def test_a_model_that_spark_cannot_fit_is_said_before_work_starts(tables: SparkTables) -> None:
    with pytest.raises(BadInputError, match="ease cannot be fitted inside Spark, expected one of"):
        steps.fit(tables, "ease", EaseConfig(), seed=0, on="judged")


def test_a_fit_that_is_stopped_leaves_the_model_before(spark: Any, tmp_path: Path) -> None:
    sample, kept = world(), SparkTables(Store(str(tmp_path / "store")), spark)
    for name, table in {"interactions": sample.interactions, "artists": sample.artists}.items():
        kept.write(("listening", name), frame(spark, table), source="sample")
    before = steps.fit(kept, "popularity", PopularityConfig(), seed=0, on="all")
    for part in (tmp_path / "store" / "listening" / "interactions").glob("parts-*/*.parquet"):
        part.write_bytes(b"no table")
    with pytest.raises(EngineUnavailableError, match="gave up while fitting popularity"):
        steps.fit(kept, "popularity", PopularityConfig(), seed=0, on="all")
    assert steps.fitted(kept, "popularity", "all") == before
    assert before.artists(spark).count() == len(sample.artists)
    place = tmp_path / "store" / "models" / "popularity.spark" / "all"
    assert sorted(path.name for path in place.iterdir()) == sorted(
        [Path(before.folder).name, "model.json"]
    )


def test_a_model_that_nobody_has_fitted_is_said(spark: Any, tmp_path: Path) -> None:
    empty = SparkTables(Store(str(tmp_path / "store")), spark)
    with pytest.raises(StoreError, match="no model that Spark has fitted; run"):
        steps.fitted(empty, "als", "judged")
