"""Lists inside Spark: relatives, rules and publishing give what one machine gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from spark_world import World, collected, frame, weighted, world

from lastfm_assets.engines.spark.publishing import publish
from lastfm_assets.engines.spark.rules import check_similar_artists, check_top_artists
from lastfm_assets.engines.spark.similar import similar_artists
from lastfm_assets.engines.spark.tables import SparkTables
from lastfm_assets.errors import StoreError
from lastfm_assets.io import Store
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.item_knn import ItemKnnConfig
from lastfm_assets.models.popularity import PopularityConfig
from lastfm_assets.models.trained import train
from lastfm_assets.recommendations.lists import similar_artists as similar_locally
from lastfm_assets.recommendations.lists import top_artists
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.rules import SIMILAR_ARTISTS_RULES, TOP_ARTISTS_RULES
from lastfm_assets.recommendations.versions import About

pytestmark = pytest.mark.integration

ABOUT = About("als", "sample", 0.25, "a run")


@pytest.fixture(scope="module")
def sample() -> World:
    return world()


@pytest.fixture(scope="module")
def lists(sample: World) -> pd.DataFrame:
    """Lists as the local engine makes them."""
    matrix = sample.matrix()
    model = train("item_knn", matrix, None, side=SideTables.none(), seed=0)
    return top_artists(model, matrix, sample.names)


def popular_lists(sample: World) -> pd.DataFrame:
    model = train("popularity", sample.matrix(), PopularityConfig(), side=SideTables.none(), seed=0)
    return top_artists(model, sample.matrix(), sample.names)


def test_similar_artists_are_those_of_one_machine(spark: Any, sample: World) -> None:
    matrix = sample.matrix()
    local = similar_locally(matrix, sample.names)
    pairs = weighted(spark, matrix, ItemKnnConfig().as_weighting())
    found = collected(similar_artists(pairs, frame(spark, sample.artists)), "to_artist_id", "rank")
    assert found.dtypes.to_dict() == local.dtypes.to_dict()
    assert found["to_artist_id"].tolist() == local["to_artist_id"].tolist()
    np.testing.assert_allclose(found["similarity"], local["similarity"], atol=1e-6)
    np.testing.assert_allclose(found["score"], local["score"], atol=1e-4)
    same = found["artist_id"] == local["artist_id"]
    assert same.mean() > 0.999  # neighbours as near to each other as a rounding error
    pd.testing.assert_frame_equal(
        found.loc[same, ["artist_name", "because"]], local.loc[same, ["artist_name", "because"]]
    )


def test_a_user_with_more_artists_than_the_cap_is_compared_by_the_heaviest(
    spark: Any, sample: World
) -> None:
    matrix = sample.matrix()
    pairs = weighted(spark, matrix, ItemKnnConfig().as_weighting())
    artists = frame(spark, sample.artists)
    few = collected(similar_artists(pairs, artists, most_of_a_user=5), "to_artist_id", "rank")
    met = {"1 listener in common"}
    assert met <= set(few["because"])
    assert len(few) < len(similar_locally(matrix, sample.names))


def damaged(lists: pd.DataFrame, interactions: pd.DataFrame) -> pd.DataFrame:
    """Lists in which something is wrong with every rule."""
    wrong = lists.copy()
    user = wrong["user_id"].iloc[0]
    played = interactions.loc[interactions["user_id"] == user, "artist_id"].iloc[0]
    wrong.loc[0, "artist_id"] = played
    wrong.loc[12, "artist_id"] = wrong.loc[13, "artist_id"]
    wrong.loc[25, "artist_name"] = "Somebody else"
    wrong.loc[26, "artist_id"] = 3
    wrong.loc[37, "score"] = 1.5
    wrong.loc[44, "because"] = None
    return wrong.drop(index=[51, 58])


@pytest.mark.parametrize("kind", ["sound", "damaged", "popular"])
def test_rules_of_lists_find_what_they_find_on_one_machine(
    spark: Any, sample: World, lists: pd.DataFrame, kind: str
) -> None:
    table = {
        "sound": lambda: lists,
        "damaged": lambda: damaged(lists, sample.interactions),
        "popular": lambda: popular_lists(sample),
    }[kind]()
    beside = {"interactions": sample.interactions, "artists": sample.artists}
    expected = {rule.__name__: rule(table, **beside) for rule in TOP_ARTISTS_RULES}
    found = check_top_artists(
        frame(spark, table),
        frame(spark, sample.interactions[["user_id", "artist_id"]]),
        frame(spark, sample.artists),
    )
    assert list(found) == list(expected)
    for name, finding in expected.items():
        assert found[name].passed == finding.passed, name
        assert found[name].facts == pytest.approx(finding.facts), name
    assert all(finding.passed for finding in expected.values()) == (kind == "sound")


def test_lists_of_nobody_break_the_rules(spark: Any, sample: World, lists: pd.DataFrame) -> None:
    nothing = frame(spark, lists).filter("false")
    pairs = frame(spark, sample.interactions[["user_id", "artist_id"]])
    found = check_top_artists(nothing, pairs, frame(spark, sample.artists))
    assert not found["every_user_has_ten"].passed
    assert found["every_user_has_ten"].facts["users_with_another_length"] == 100


def test_rules_of_relatives_find_what_they_find_on_one_machine(spark: Any, sample: World) -> None:
    sound = similar_locally(sample.matrix(), sample.names)
    wrong = sound.copy()
    wrong.loc[3, "artist_id"] = wrong.loc[3, "to_artist_id"]
    wrong.loc[9, "artist_id"] = 5
    wrong.loc[20, "similarity"] = 2.0
    for table in (sound, wrong):
        expected = {
            rule.__name__: rule(table, artists=sample.artists) for rule in SIMILAR_ARTISTS_RULES
        }
        found = check_similar_artists(frame(spark, table), frame(spark, sample.artists))
        assert found == expected
    nothing = frame(spark, sound).filter("false")
    expected = {
        rule.__name__: rule(sound.head(0), artists=sample.artists) for rule in SIMILAR_ARTISTS_RULES
    }
    assert check_similar_artists(nothing, frame(spark, sample.artists)) == expected


def test_published_lists_are_read_rolled_back_and_held_by_the_local_reader(
    spark: Any, sample: World, lists: pd.DataFrame, spark_store: Path
) -> None:
    tables = SparkTables(Store(str(spark_store)), spark)
    readers = PublishedLists(tables.store.root)
    first = publish(tables, frame(spark, lists), ABOUT)
    assert (first.outcome, first.version.number, first.version.users) == ("published", 0, 100)
    pd.testing.assert_frame_equal(readers.current()[0], lists)
    shuffled = lists.sample(frac=1.0, random_state=1)
    assert publish(tables, frame(spark, shuffled), ABOUT).outcome == "unchanged"
    others = popular_lists(sample)
    second = publish(tables, frame(spark, others), ABOUT)
    assert second.outcome == "published"
    pd.testing.assert_frame_equal(readers.current()[0], others)
    readers.rollback()
    pd.testing.assert_frame_equal(readers.current()[0], lists)
    assert publish(tables, frame(spark, others), ABOUT).outcome == "held"
    assert [version.action for version in readers.history()] == [
        "rolled back",
        "published",
        "published",
    ]
    assert all(version.restorable for version in readers.history())


def test_either_engine_publishes_over_the_other(
    spark: Any, sample: World, lists: pd.DataFrame, spark_store: Path
) -> None:
    tables = SparkTables(Store(str(spark_store)), spark)
    readers = PublishedLists(tables.store.root)
    readers.publish(lists, ABOUT)
    others = popular_lists(sample)
    publish(tables, frame(spark, others), ABOUT)
    pd.testing.assert_frame_equal(readers.current()[0], others)
    readers.publish(lists, ABOUT)
    pd.testing.assert_frame_equal(readers.current()[0], lists)
    assert len(readers.history()) == 3


def test_who_is_stopped_before_the_commit_leaves_readers_what_they_saw(
    spark: Any, lists: pd.DataFrame, spark_store: Path
) -> None:
    tables = SparkTables(Store(str(spark_store)), spark)
    readers = PublishedLists(tables.store.root)
    publish(tables, frame(spark, lists), ABOUT)
    before = sorted(path.name for path in readers.place.iterdir())

    def stopped() -> list[Any]:
        raise ValueError("workers have written 5 rows, 4 of them are seen from here")

    with pytest.raises(StoreError, match="4 of them are seen from here"):
        readers.publish_parts(stopped, ABOUT, users=1, rows=5, content="other")
    pd.testing.assert_frame_equal(readers.current()[0], lists)
    assert sorted(path.name for path in readers.place.iterdir()) == before
