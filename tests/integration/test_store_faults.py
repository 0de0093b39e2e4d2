"""What S3 does on a bad night: tried again, or told in a line; readers see a whole version."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest
from pipeline_world import Ran, run_command
from published_worlds import about, lists_of, number_of
from s3_faults import Fault, FaultyS3, Rule, faulty
from s3_world import Bucket, S3Server, running_s3

from lastfm_assets.errors import StoreError
from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists

pytestmark = pytest.mark.integration
pytest.importorskip("s3fs", reason="the extra s3 is not installed")
pytest.importorskip("moto", reason="the S3 server is not installed")

KEY: Final = ("listening", "x")
OLD, NEW = (pd.DataFrame({"n": range(start, start + 20_000)}) for start in (0, 1))
MODELS: Final = "popularity,item_knn"
SENT: Final[tuple[Fault, ...]] = ("500", "503", "reset", "lost answer", "cut upload")
"""What may befall a request that changes something."""
ASKED: Final[tuple[Fault, ...]] = ("500", "503", "reset", "lost answer", "cut download")
"""What may befall one that reads."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyS3]:
    with faulty(s3.port, tmp_path_factory.mktemp("proxy")) as server:
        yield server


class World:
    """A store with one table and one published version, behind the proxy."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.published = PublishedLists(store.root)
        store.write(KEY, OLD, source="custom")
        self.published.publish(lists_of(1), about(1))

    def write(self) -> None:
        self.store.write(KEY, NEW, source="custom")

    def publish(self) -> None:
        self.published.publish(lists_of(2), about(2))

    def publish_again(self) -> None:
        self.published.publish(lists_of(3), about(3))

    def roll_back(self) -> None:
        self.published.publish(lists_of(2), about(2))
        self.published.rollback()

    def read(self) -> None:
        assert self.store.read(KEY, pd.DataFrame).equals(OLD)

    def look(self) -> None:
        assert self.store.has(KEY, pd.DataFrame)
        assert self.store.stamp(KEY, pd.DataFrame).source == "custom"

    def read_lists(self) -> None:
        assert number_of(self.published.current()[0]) == 1

    def read_history(self) -> None:
        assert len(self.published.history()) == 1

    def require_whole(self) -> None:
        """What is there is one of the values that were written, and all of it."""
        table = self.store.read(KEY, pd.DataFrame)
        assert table.equals(OLD) or table.equals(NEW)
        assert number_of(self.published.current()[0]) in {1, 2}


@pytest.fixture
def world(s3: S3Server, proxy: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> World:
    bucket = s3.bucket(proxy.endpoint)
    bucket.use(monkeypatch)
    return World(Store(bucket.store))


CHANGES: Final = (World.write, World.publish, World.roll_back)
LOOKS: Final = (World.read, World.look, World.read_lists, World.read_history)
ONE: Final = [
    *((fault, "PUT", change, after) for fault in SENT for change in CHANGES for after in (0, 1)),
    *((fault, "", look, after) for fault in ASKED for look in LOOKS for after in (0, 1)),
]
"""Each fault at one request: the first or a later one that an operation makes."""


@pytest.mark.parametrize(("fault", "verb", "act", "after"), ONE)
def test_one_fault_is_got_over_or_told_in_a_line(
    fault: Fault, verb: str, act: Callable[[World], None], after: int, world: World, proxy: FaultyS3
) -> None:
    rule = Rule(fault, verb, after=after, times=1)
    with proxy.failing(rule):
        told = told_by(lambda: act(world))
    assert rule.met == 1 or after, "the fault has struck, but where an operation asks once only"
    assert told.isprintable()
    assert not told or "published" in told, "s3fs tries all again; delta-rs does not"
    world.require_whole()
    assert told_by(world.write) == told_by(world.publish_again) == ""
    assert number_of(world.published.current()[0]) == 3
    assert world.store.read(KEY, pd.DataFrame).equals(NEW)


@pytest.mark.parametrize("fault", ["500", "reset"])
@pytest.mark.parametrize("act", [World.write, World.publish, World.read, World.look])
def test_an_outage_is_told_in_a_line_and_leaves_all_as_it_was(
    fault: Fault,
    act: Callable[[World], None],
    world: World,
    proxy: FaultyS3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    rule = Rule(fault)
    with proxy.failing(rule):
        told = told_by(lambda: act(world))
    assert told
    assert "see to the disk or the server" in told or act is not World.read
    assert rule.met
    world.read()
    world.read_lists()


def told_by(act: Callable[[], Any]) -> str:
    """The line that an operation fails with; empty where it succeeds."""
    try:
        act()
    except StoreError as problem:
        return str(problem)
    return ""


@pytest.fixture(scope="module")
def made(
    s3: S3Server, proxy: FaultyS3, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bucket, Ran, int]:
    """A refresh of which each 40th request meets one of five faults."""
    bucket = s3.bucket(proxy.endpoint)
    rules = [
        *(Rule(fault, every=40, after=8 * n) for n, fault in enumerate(SENT[:4])),
        Rule("cut upload", "PUT", every=10),
    ]
    with proxy.failing(*rules):
        ran = refresh(bucket, tmp_path_factory.mktemp("home"))
    return bucket, ran, sum(rule.met for rule in rules)


class TestARefreshOnABadNight:
    def test_gets_over_faults_here_and_there(self, made: tuple[Bucket, Ran, int]) -> None:
        bucket, ran, met = made
        assert ran.code == 0, ran.err
        assert met > 20
        assert not any(".writer" in key for key in bucket.snapshot())


def refresh(bucket: Bucket, home: Path, **more: str) -> Ran:
    settings = {"LASTFM_MODELS": MODELS, **bucket.environment, **more}
    return run_command("refresh", "--source", "sample", home=home, store=home, **settings)
