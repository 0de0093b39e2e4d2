"""Tables that Spark writes: replaced in one step, read by both engines, nothing left behind."""

import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lastfm_assets.engines.spark.tables import SparkTables
from lastfm_assets.errors import EngineUnavailableError, StoreError
from lastfm_assets.io import Store
from lastfm_assets.provenance import Origin

pytestmark = pytest.mark.integration

KEY = ("listening", "interactions")
PLAYS = pd.DataFrame({"user_id": [1, 2, 3], "artist_id": [7, 8, 9], "plays": [10, 20, 30]})


@pytest.fixture
def tables(spark: Any, spark_store: Path) -> SparkTables:
    return SparkTables(Store(str(spark_store)), spark)


def _plays(spark: Any, *rows: tuple[int, int, int]) -> Any:
    return spark.createDataFrame(list(rows), "user_id bigint, artist_id bigint, plays bigint")


def _parts(tables: SparkTables) -> list[str]:
    folder = Path(str(tables.store.folder(KEY)))
    return sorted(path.name for path in folder.glob("parts-*"))


def test_what_spark_writes_is_read_by_pandas_and_by_spark(tables: SparkTables) -> None:
    origin = Origin("c0de", {"seed": 3}, {"raw/user_artists": "v"})
    frame = _plays(tables.spark, (1, 7, 10), (2, 8, 20), (3, 9, 30)).orderBy("user_id")
    stamp = tables.write(KEY, frame, source="sample", origin=origin)
    table, read = tables.store.read_with_stamp(KEY, pd.DataFrame)
    pd.testing.assert_frame_equal(table, PLAYS)
    assert read == stamp
    assert tables.store.stamp(KEY, pd.DataFrame).origin == origin
    assert tables.store.source_of(KEY, pd.DataFrame) == "sample"
    assert tables.rows(KEY) == 3
    some = tables.store.columns(KEY, ["plays", "user_id"])
    pd.testing.assert_frame_equal(some, PLAYS[["plays", "user_id"]])
    with pytest.raises(StoreError, match="no column weather"):
        tables.store.columns(KEY, ["weather"])
    assert tables.read(KEY).toArrow().sort_by("user_id").to_pydict() == PLAYS.to_dict("list")


def test_the_version_is_of_the_rows_and_not_of_their_order(tables: SparkTables) -> None:
    rows = [(n, 7, n + 1) for n in range(40)]
    first = tables.write(KEY, _plays(tables.spark, *rows).repartition(3), source="sample")
    again = tables.write(KEY, _plays(tables.spark, *rows[::-1]).repartition(2), source="sample")
    other = tables.write(KEY, _plays(tables.spark, *rows[:-1], (39, 7, 41)), source="sample")
    assert first.version == again.version
    assert other.version != first.version


def test_a_missing_value_is_told_from_one_beside_it(tables: SparkTables) -> None:
    versions = {
        tables.write(KEY, _plays(tables.spark, row), source="sample").version  # type: ignore[arg-type]
        for row in ((1, None, 2), (None, 1, 2), (1, 2, None))
    }
    assert len(versions) == 3


def test_replaced_parts_and_old_strays_are_removed(tables: SparkTables) -> None:
    tables.write(KEY, _plays(tables.spark, (1, 7, 10)), source="sample")
    before = _parts(tables)
    folder = Path(str(tables.store.folder(KEY)))
    for name, hours in (("parts-dead", 30), ("parts-alive", 0)):
        (folder / name).mkdir()
        (folder / name / "x.parquet").write_bytes(b"half")
        moment = time.time() - hours * 3600
        for path in (folder / name / "x.parquet", folder / name):
            os.utime(path, (moment, moment))
    tables.write(KEY, _plays(tables.spark, (1, 7, 11)), source="sample")
    after = _parts(tables)
    assert len(after) == 2
    assert "parts-alive" in after
    assert not {*before} & {*after}
    assert tables.store.read(KEY, pd.DataFrame)["plays"].tolist() == [11]


def test_a_table_may_get_other_columns(tables: SparkTables) -> None:
    tables.write(KEY, _plays(tables.spark, (1, 7, 10)), source="sample")
    more = _plays(tables.spark, (1, 7, 10)).selectExpr("*", "'train' AS part")
    tables.write(KEY, more, source="sample")
    read = tables.store.read(KEY, pd.DataFrame)
    assert list(read.columns) == ["user_id", "artist_id", "plays", "part"]
    assert list(read["part"].cat.categories) == ["train", "validation", "held_out"]
    assert len(read) == 1


def test_a_table_without_rows_keeps_its_columns(tables: SparkTables) -> None:
    tables.write(KEY, _plays(tables.spark, (1, 7, 10)).where("plays < 0"), source="sample")
    assert list(tables.store.read(KEY, pd.DataFrame).columns) == ["user_id", "artist_id", "plays"]
    assert tables.read(KEY).columns == ["user_id", "artist_id", "plays"]
    assert tables.rows(KEY) == 0


def test_the_single_file_goes_once_spark_has_committed_and_the_other_way_round(
    tables: SparkTables,
) -> None:
    store = tables.store
    file, _ = store.write(KEY, PLAYS, source="local")
    tables.write(KEY, _plays(tables.spark, (1, 7, 11)), source="spark")
    assert not file.exists()
    assert store.source_of(KEY, pd.DataFrame) == "spark"
    store.write(KEY, PLAYS, source="local")
    assert not store.folder(KEY).exists()
    assert store.source_of(KEY, pd.DataFrame) == "local"
    assert tables.read(KEY).toArrow().to_pydict() == PLAYS.to_dict("list")


def test_where_both_are_there_the_single_file_counts(tables: SparkTables) -> None:
    tables.write(KEY, _plays(tables.spark, (1, 7, 11)), source="spark")
    elsewhere = Store(str(tables.store.root.parent / "elsewhere"))
    file, _ = elsewhere.write(KEY, PLAYS, source="local")
    tables.store.path(KEY, pd.DataFrame).write_bytes(file.read_bytes())
    assert tables.store.source_of(KEY, pd.DataFrame) == "local"
    assert tables.rows(KEY) == 3
    assert tables.read(KEY).count() == 3


def test_a_job_that_fails_leaves_the_table_and_no_part(tables: SparkTables) -> None:
    tables.write(KEY, _plays(tables.spark, (1, 7, 10)), source="sample")
    before = _parts(tables)
    broken = tables.spark.range(4).selectExpr(
        "id AS user_id", "id AS artist_id", "bigint(raise_error('plays are broken')) AS plays"
    )
    with pytest.raises(
        EngineUnavailableError, match=r"while writing listening/interactions.*plays"
    ):
        tables.write(KEY, broken, source="sample")
    assert _parts(tables) == before
    assert tables.store.read(KEY, pd.DataFrame)["plays"].tolist() == [10]


def test_a_missing_table_says_what_to_run(tables: SparkTables) -> None:
    with pytest.raises(StoreError, match=r"listening/interactions is not in the store .*refresh"):
        tables.read(KEY)


def test_times_are_utc_on_both_sides(tables: SparkTables) -> None:
    moments = tables.spark.sql("SELECT timestamp'2009-05-04 13:08:57' AS played_at, 1L AS plays")
    tables.write(KEY, moments, source="sample", types={"plays": "Int64"})
    read = tables.store.read(KEY, pd.DataFrame)
    assert read["played_at"].dtype == "datetime64[s]"
    assert read["played_at"][0] == pd.Timestamp("2009-05-04 13:08:57")
    assert read["plays"].dtype == "Int64"
    tables.store.write(KEY, read, source="local")
    back = tables.read(KEY)
    assert dict(back.dtypes)["played_at"] == "timestamp"
    said = back.selectExpr("CAST(played_at AS string) AS at").toArrow()
    assert said["at"].to_pylist() == ["2009-05-04 13:08:57"]
