"""Who holds a store in S3: one at a time, also through lost answers, kills and slept leases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from child_process import line_from, running, tell
from pipeline_world import Ran, run_command
from s3_faults import Fault, FaultyS3, Rule, faulty
from s3_world import Bucket, S3Server, running_s3
from server_world import wait_for
from upath import UPath

from lastfm_assets import lease
from lastfm_assets.errors import StoreError, StoreHeldError
from lastfm_assets.io import Store
from lastfm_assets.writer import NAME, Writer, held, require_held

pytestmark = pytest.mark.integration
pytest.importorskip("s3fs", reason="the extra s3 is not installed")
pytest.importorskip("moto", reason="the S3 server is not installed")

HOLDER = """
import sys
from lastfm_assets.io import Store
from lastfm_assets.writer import held
with held(Store(sys.argv[1]).root, "a test"):
    print("holds", flush=True)
    sys.stdin.readline()
print("let go", flush=True)
sys.stdin.readline()
"""
COUNTER = """
import sys
from lastfm_assets import writer
from lastfm_assets.io import Store
writer._SECONDS_BETWEEN_LOOKS = 0.01
root = Store(sys.argv[1]).root
for _ in range(10):
    with writer.held(root, "a test", wait=True):
        found = int((root / "number").read_bytes())
        (root / "number").write_bytes(b"none")
        (root / "number").write_bytes(str(found + 1).encode())
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = s3.bucket()
    bucket.use(monkeypatch)
    return bucket


@pytest.fixture
def root(bucket: Bucket) -> UPath:
    return Store(bucket.store).root


def held_elsewhere(bucket: Bucket, **facts: object) -> Writer:
    """A lease as a process of another machine would leave it."""
    other = replace(Writer("a refresh"), host="elsewhere", place="another boot", **facts)
    said = {name: str(value) for name, value in asdict(other).items()}
    bucket.client().put_object(
        Bucket=bucket.name, Key=f"a/store/{NAME}", Body=other.token.encode(), Metadata=said
    )
    return other


def refused(root: UPath) -> str:
    """What the second one is told; empty where it is the first."""
    try:
        with held(root, "me"):
            return ""
    except StoreHeldError as problem:
        return str(problem)


class TestALease:
    def test_is_had_by_one_process_at_a_time(self, bucket: Bucket, root: UPath) -> None:
        with running(HOLDER, bucket.store) as other:
            assert line_from(other.stdout) == "holds\n"
            assert f"held by a test, process {other.pid} on" in refused(root)
            tell(other, "let go")
            assert line_from(other.stdout) == "let go\n"
            assert refused(root) == ""
        assert bucket.keys() == []

    def test_of_a_killed_process_of_this_machine_is_free_at_once(
        self, bucket: Bucket, root: UPath
    ) -> None:
        with running(HOLDER, bucket.store) as other:
            assert line_from(other.stdout) == "holds\n"
            other.kill()
            other.wait()
        assert bucket.keys() == [f"a/store/{NAME}"]
        assert refused(root) == ""

    def test_of_another_machine_is_free_when_it_has_run_out(
        self, bucket: Bucket, root: UPath, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held_elsewhere(bucket, pid=1)
        said = refused(root)
        assert "held by a refresh, process 1 on elsewhere, since" in said
        assert "(if its machine is gone, it is free" in said
        monkeypatch.setattr(lease, "SECONDS", 1)
        wait_for("the lease to run out", lambda: refused(root) == "", seconds=30)

    def test_that_nobody_of_ours_wrote_is_held_too(self, bucket: Bucket, root: UPath) -> None:
        bucket.client().put_object(Bucket=bucket.name, Key=f"a/store/{NAME}", Body=b"?")
        assert "held by another process" in refused(root)

    def test_that_was_taken_over_lets_nothing_more_be_written(
        self, bucket: Bucket, root: UPath, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A laptop that slept through its lease woke up and went on writing."""
        with held(root, "me"):
            require_held(root)
            held_elsewhere(bucket, pid=7)
            monkeypatch.setattr(lease, "_SURELY_OURS", -1.0)
            with pytest.raises(StoreHeldError, match=r"taken over by a refresh, process 7 on else"):
                require_held(root)
        assert bucket.keys() == [f"a/store/{NAME}"], "the other one's stays"

    def test_is_renewed(self, bucket: Bucket, root: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lease, "_BETWEEN", 0.05)
        with held(root, "me"):
            first = bucket.snapshot()
            wait_for("a renewal", lambda: bucket.snapshot() != first, seconds=30)
            require_held(root)
        assert bucket.keys() == []

    def test_is_given_to_one_of_many_that_ask_at_once(self, bucket: Bucket, root: UPath) -> None:
        (root / "number").write_bytes(b"0")
        with running(COUNTER, bucket.store) as one, running(COUNTER, bucket.store) as two:
            for other in (one, two):
                assert line_from(other.stdout) == "done\n"
        assert (root / "number").read_bytes() == b"20"

    def test_in_a_bucket_that_is_missing_is_told_in_a_line(self, bucket: Bucket) -> None:
        store = bucket.store.replace(bucket.name, "mistyped")
        with (
            pytest.raises(StoreError, match=r"cannot be written \(The specified bucket does not"),
            held(Store(store).root, "me"),
        ):
            pass


@pytest.fixture(scope="module")
def proxy(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyS3]:
    with faulty(s3.port, tmp_path_factory.mktemp("proxy")) as server:
        yield server


class TestALeaseBehindABadLine:
    @pytest.mark.parametrize("fault", ["500", "503", "reset", "lost answer", "cut upload"])
    def test_is_had_once_the_request_is_tried_again(
        self, s3: S3Server, proxy: FaultyS3, fault: Fault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A put that was carried out, and whose answer was lost, comes second to itself."""
        bucket = s3.bucket(proxy.endpoint)
        bucket.use(monkeypatch)
        root = Store(bucket.store).root
        rule = Rule(fault, "PUT", times=1)
        with proxy.failing(rule), held(root, "me"):
            require_held(root)
        assert rule.met == 1
        monkeypatch.setattr(lease, "_SURELY_OURS", -1.0)
        again = Rule(fault, "PUT", after=1, times=1)
        with proxy.failing(again), held(root, "me"):
            require_held(root)  # renews
        assert again.met == 1
        assert bucket.keys() == []

    def test_that_does_not_answer_lets_nothing_be_written_and_says_so(
        self, s3: S3Server, proxy: FaultyS3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It ended in a traceback of the driver's."""
        bucket = s3.bucket(proxy.endpoint)
        bucket.use(monkeypatch)
        root = Store(bucket.store).root
        with held(root, "me"):
            monkeypatch.setattr(lease, "_SURELY_OURS", -1.0)
            with (
                proxy.failing(Rule("500", "PUT")),
                pytest.raises(StoreError, match="does not say whether this process holds it still"),
            ):
                require_held(root)


def test_two_refreshes_of_two_homes_end_as_one_and_a_line(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.bucket()

    def refresh(seed: str) -> Ran:
        home, few = tmp_path / seed, {"LASTFM_MODELS": "popularity,item_knn"}
        settings = {**bucket.environment, **few, "LASTFM_SEED": seed}
        return run_command("refresh", "--source", "sample", home=home, store=home, **settings)

    with ThreadPoolExecutor() as side_by_side:
        ran = list(side_by_side.map(refresh, "12"))
    assert sorted(one.code for one in ran) == [0, 2], ran
    (second,) = (one for one in ran if one.code == 2)
    assert "is held by a refresh, process " in second.last_line
    assert "recommendations/published/_delta_log/00000000000000000000.json" in str(bucket.keys())
    assert f"a/store/{NAME}" not in bucket.snapshot()
