"""The whole chain over S3: one set of variables, whole versions, and errors in a line."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pipeline_world import Ran, run_command
from published_worlds import about, lists_of, number_of
from s3_world import NOBODYS, Bucket, S3Server, running_s3
from server_world import free_port

from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists

pytestmark = pytest.mark.integration
pytest.importorskip("s3fs", reason="the extra s3 is not installed")
pytest.importorskip("moto", reason="the S3 server is not installed")

MODELS = "popularity,item_knn"
"""They are enough to publish, and quick."""
A_WEEK_DAY = 420
"""Requests of a refresh where nothing has changed, at most: 393 were counted.

Some 60 read whole what is left as it is; 160 look at the published table's log, which drift, its
checks and the publication each open anew.
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def first(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bucket, Ran]:
    """A bucket that the command has refreshed once; to be read only."""
    bucket = s3.bucket()
    return bucket, command(bucket, tmp_path_factory.mktemp("home"), "refresh")


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch, s3: S3Server) -> None:
    """What a user sets, for the parts that run in this process."""
    Bucket("any", s3.endpoint).use(monkeypatch)


def command(bucket: Bucket, home: Path, *arguments: str, **more: str) -> Ran:
    """The real command, with what a user sets and nothing else."""
    asked = (*arguments, "--source", "sample") if arguments[0] == "refresh" else arguments
    settings = {"LASTFM_MODELS": MODELS, **bucket.environment, **more}
    return run_command(*asked, home=home, store=home, **settings)


class TestARefresh:
    def test_publishes_with_nothing_set_but_keys_and_endpoint(
        self, first: tuple[Bucket, Ran]
    ) -> None:
        """delta-rs wanted a region and a leave to use http besides, and published nothing."""
        bucket, ran = first
        assert ran.code == 0, ran.err
        keys = set(bucket.keys())
        assert {"a/store/insight/report.html", "a/store/listening/split.parquet"} <= keys
        assert any(key.startswith("a/store/recommendations/published/_delta_log/") for key in keys)
        assert not any("serving.duckdb" in key or ".writer" in key for key in keys)
        assert b"</html>" in bucket.content("a/store/insight/report.html")

    def test_makes_nothing_again_and_asks_little_where_nothing_changed(
        self, first: tuple[Bucket, Ran], s3: S3Server, tmp_path: Path
    ) -> None:
        bucket = first[0]
        before = bucket.snapshot()
        s3.requests()
        ran = command(bucket, tmp_path, "refresh")
        asked = s3.requests()
        assert ran.code == 0, ran.err
        assert "nothing changed" in ran.err
        assert bucket.snapshot() == before
        assert len(asked) < A_WEEK_DAY, len(asked)

    def test_is_read_by_every_command(self, first: tuple[Bucket, Ran], tmp_path: Path) -> None:
        bucket = first[0]
        lists = json.loads(command(bucket, tmp_path, "recommend", "--user", "2", "--json").out)
        assert [row["rank"] for row in lists] == list(range(1, 11))
        artist = str(lists[0]["artist_id"])
        similar = command(bucket, tmp_path, "similar", "--artist", artist, "--json")
        assert len(json.loads(similar.out)) == 10
        asked = "select count(*) as n from recommendations.published where user_id = 2"
        answer = command(bucket, tmp_path, "sql", asked, "--output", "json")
        assert json.loads(answer.out) == [{"n": 10}]
        tables = command(bucket, tmp_path, "sql", "--tables")
        assert "listening.interactions" in tables.out
        assert "evaluation.per_user" in tables.out
        (version,) = json.loads(command(bucket, tmp_path, "history", "--json").out)
        assert version["restorable"] is True

    def test_serves_from_a_duckdb_file_that_is_named(
        self, first: tuple[Bucket, Ran], s3: S3Server, tmp_path: Path
    ) -> None:
        """Beside a store in S3 there can be none, so none is made unless it is named."""
        file = tmp_path / "lists.duckdb"
        select = ("--select", "recommendations/serving_database")
        bucket, url = s3.copy_of(first[0]), f"duckdb://{file}"
        ran = command(bucket, tmp_path, "refresh", *select, LASTFM_PUBLISH_URL=url)
        assert ran.code == 0, ran.err
        with duckdb.connect(file, read_only=True) as database:
            found = database.execute("SELECT count(*) FROM lastfm.top_artists").fetchone()
        assert found is not None
        assert found[0] > 1000


class TestPublishedVersions:
    def test_are_rolled_back_by_the_command(self, s3: S3Server, tmp_path: Path) -> None:
        bucket = s3.bucket()
        published = PublishedLists(Store(bucket.store).root)
        for number in (1, 2):
            published.publish(lists_of(number), about(number))
        ran = command(bucket, tmp_path, "rollback")
        assert ran.code in {0, 2}, ran.err
        assert "readers see version 0 again, as version 2" in ran.err
        assert number_of(published.current()[0]) == 1

    def test_expire(self, s3: S3Server) -> None:
        root = Store(s3.bucket().store).root
        published = PublishedLists(root, retention=timedelta(0))
        for number in (1, 2):
            published.publish(lists_of(number), about(number))
        assert [version.restorable for version in published.history()] == [True, False]
        assert number_of(published.current()[0]) == 2


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AWS_PROFILE", "mistyped", "The config profile (mistyped) could not be found"),
        ("AWS_ENDPOINT_URL", "planted-secret@host:9000", "the endpoint is no URL"),
    ],
)
@pytest.mark.parametrize("asked", [("history",), ("recommend", "--user", "2")])
def test_a_variable_of_aws_that_cannot_be_used_is_told_in_one_line(
    s3: S3Server, tmp_path: Path, asked: tuple[str, ...], variable: str, value: str, said: str
) -> None:
    ran = command(s3.bucket(), tmp_path, *asked, **{variable: value})
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert "planted-secret" not in ran.err


class TestWhatAnotherProcessWrote:
    def test_is_seen_at_once(self, s3: S3Server) -> None:
        """A daemon looks for weeks: what it listed once hid what came later."""
        bucket = s3.bucket()
        looking, key = Store(bucket.store), ("listening", "x")
        looking.write(("listening", "y"), pd.DataFrame({"n": [1]}), source="custom")
        list((looking.root / "listening").iterdir())
        assert not looking.has(key, pd.DataFrame)
        path = looking.path(("listening", "y"), pd.DataFrame)
        other = looking.path(key, pd.DataFrame)
        bucket.client().copy_object(
            Bucket=bucket.name, Key=other.path.partition("/")[2], CopySource=path.path
        )
        assert looking.has(key, pd.DataFrame)
        assert other in list((looking.root / "listening").iterdir())


class TestAStoreThatCannotBeReached:
    @pytest.mark.parametrize("asked", ["refresh", "recommend --user 2", "history", "sql --tables"])
    def test_as_nobody_listens_is_told_in_a_line(self, asked: str, tmp_path: Path) -> None:
        bucket = Bucket("any", f"http://127.0.0.1:{free_port()}")
        ran = command(bucket, tmp_path, *asked.split(), AWS_MAX_ATTEMPTS="1")
        assert_one_line(ran)

    def test_as_there_is_no_such_bucket_is_told_and_none_is_made(
        self, s3: S3Server, tmp_path: Path
    ) -> None:
        """s3fs makes a bucket that is missing in passing, under a name that was mistyped."""
        bucket = Bucket("mistyped", s3.endpoint)
        ran = command(bucket, tmp_path, "refresh")
        assert_one_line(ran)
        assert "bucket" in ran.last_line
        found = bucket.client().list_buckets()["Buckets"]
        assert "mistyped" not in {one["Name"] for one in found}

    def test_without_keys_is_told_in_a_line(self, s3: S3Server, tmp_path: Path) -> None:
        bucket = s3.bucket()
        none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", **NOBODYS}
        ran = command(bucket, tmp_path, "refresh", **none)
        assert_one_line(ran)
        assert "credentials" in ran.last_line


def assert_one_line(ran: Ran) -> None:
    assert ran.code == 2, ran.err
    assert "Traceback" not in ran.err
    assert ran.last_line.startswith("error: "), ran.err
    assert ran.last_line.isprintable()
