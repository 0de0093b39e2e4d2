"""A refresh with Spark's own workers: others on the machine learn nothing and get in nowhere."""

import contextlib
import ipaddress
import sys
import threading
from pathlib import Path

import pytest
from quick_spark import QUICK
from server_world import listening, members, running
from spark_refresh import PATIENCE, six_scenes

from lastfm_assets.engines.spark.java import java, pyspark_home
from lastfm_assets.errors import EngineUnavailableError

pytestmark = pytest.mark.integration

SECRET = "pl4nted-with-care"  # noqa: S105 (it opens nothing)
MODELS = "[popularity]\n[als]\nfactors = 8\niterations = 2\nfits = 1\n"


def arguments(session: int) -> set[str]:
    """Command lines of all processes of a session."""
    found = set()
    for process in members(session):
        with contextlib.suppress(OSError):
            said = Path(f"/proc/{process}/cmdline").read_bytes()
            found.add(said.decode(errors="replace").replace("\0", " "))
    return found


def test_workers_of_our_own_are_reached_by_nobody_and_tell_no_password(tmp_path: Path) -> None:
    """Spark's settings were arguments of its driver, which everybody on the machine can read."""
    try:
        pyspark_home()
        java()
    except EngineUnavailableError as problem:
        pytest.skip(str(problem))
    source = six_scenes(tmp_path / "source")
    (tmp_path / "models.toml").write_text(MODELS)
    conf = {**QUICK, "spark.hadoop.fs.s3a.secret.key": SECRET}
    settings = {
        "DAGSTER_HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "LASTFM_STORE": str(tmp_path / "store"),
        "LASTFM_MODELS": str(tmp_path / "models.toml"),
        "LASTFM_SPARK_CONF": ",".join(f"{name}={value}" for name, value in conf.items()),
    }
    (tmp_path / "tmp").mkdir()
    command = [
        *(str(Path(sys.executable).with_name("lastfm-assets")), "refresh"),
        *("--engine", "spark", "--source", str(source)),
    ]
    seen: set[str] = set()
    addresses: set[tuple[str, int]] = set()
    modes: set[int] = set()
    log = tmp_path / "said"
    with running(command, cwd=tmp_path, log=log, environment=settings) as process:
        hangs = threading.Timer(PATIENCE, process.popen.kill)
        hangs.start()
        while process.popen.poll() is None:
            seen |= arguments(process.popen.pid)
            addresses |= listening([process.popen.pid])
            for file in (tmp_path / "tmp").glob("lastfm-assets-spark-*/spark.conf"):
                with contextlib.suppress(OSError):
                    modes |= {file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077}
        hangs.cancel()
        assert process.popen.returncode == 0, process.said

    assert modes == {0}, "settings are in a file that others cannot read"
    executors = [said for said in seen if "CoarseGrainedExecutorBackend" in said]
    assert executors
    assert all("-Dspark.authenticate=true" in said for said in executors)
    assert [said for said in seen if SECRET in said or "authenticate.secret" in said] == []
    assert addresses
    for address, _ in addresses:
        ip = ipaddress.ip_address(address)
        assert (getattr(ip, "ipv4_mapped", None) or ip).is_loopback, address

    # nothing of it is left either: not in logs, not in the store, not among temporary files
    holders = [
        str(file.relative_to(tmp_path))
        for file in tmp_path.rglob("*")
        if file.is_file() and SECRET.encode() in file.read_bytes()
    ]
    assert holders == []
    assert list((tmp_path / "tmp").glob("lastfm-assets-spark-*")) == []
