"""What is said before Spark starts, and that nothing of it is loaded before it is needed."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lastfm_assets.engines.spark.definitions import conf_of
from lastfm_assets.engines.spark.java import java, pyspark_home
from lastfm_assets.engines.spark.session import is_here, settings_of, spark_session
from lastfm_assets.errors import BadInputError, EngineUnavailableError, LastfmAssetsError
from lastfm_assets.settings import Settings

MODULES = sorted(
    f"lastfm_assets.engines.spark.{path.stem}"
    for path in (Path(__file__).parents[3] / "lastfm_assets" / "engines" / "spark").glob("*.py")
    if path.stem not in ("__init__", "listening_assets")
)


@pytest.fixture
def installed() -> None:
    """Skips where the extra or Java is not there."""
    try:
        pyspark_home()
        java()
    except EngineUnavailableError as problem:
        pytest.skip(str(problem))


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine on which nobody listens, and nobody can for now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def test_importing_the_engine_does_not_import_pyspark() -> None:
    modules = ", ".join(MODULES)
    code = f"import sys, {modules}; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _opening(master: str | None, conf: dict[str, str] | None = None, timeout: float = 1) -> None:
    with spark_session(master, conf, timeout=timeout):
        pytest.fail("a session was opened")


@pytest.mark.parametrize("master", ["spark:/x", "mesos://a:1", "local-cluster[2]", "spark://host"])
def test_a_master_of_no_known_kind_is_refused(master: str) -> None:
    with pytest.raises(BadInputError, match=r"expected spark://host:port, yarn, .*local"):
        _opening(master)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spark.sql.ansi.enabled", "which the engine sets itself; leave it out"),
        ("spark.master", "LASTFM_SPARK_MASTER takes its place"),
        ("executor.memory", r"the name of piece 1 does not begin with spark\."),
    ],
)
def test_a_setting_that_is_not_for_us_to_take_is_refused(name: str, expected: str) -> None:
    with pytest.raises(BadInputError, match=expected):
        _opening("local[1]", {name: "x"})


@pytest.mark.usefixtures("installed")
def test_a_master_that_nobody_is_at_is_given_up_in_time(closed_port: int) -> None:
    started = time.monotonic()
    master = f"spark://127.0.0.1:{closed_port}"
    with pytest.raises(
        EngineUnavailableError, match=r"within 2 s \(Connection refused\); start it"
    ):
        _opening(master, timeout=2)
    assert time.monotonic() - started < 5
    assert EngineUnavailableError.exit_code == 2


def test_no_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="no `java` was found, expected Java 17"):
        java()


def test_an_old_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="is Java 11, expected 17 or later"):
        java()


def test_no_pyspark_says_how_to_install_the_extra(tmp_path: Path) -> None:
    (tmp_path / "pyspark.py").write_text("raise ImportError('not here')\n")
    code = (
        "from lastfm_assets.engines.spark.java import pyspark_home\n"
        "from lastfm_assets.errors import LastfmAssetsError\n"
        "try:\n    pyspark_home()\nexcept LastfmAssetsError as problem:\n    print(problem)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert "pip install -e '.[spark]'" in ran.stdout
    assert ran.stdout.count("\n") == 1
    assert issubclass(EngineUnavailableError, LastfmAssetsError)


def test_what_is_on_this_machine_listens_on_loopback_only(tmp_path: Path) -> None:
    here = ("local[2]", "local-cluster[2,1,2048]", "spark://127.0.0.1:7077")
    there = ("spark://master:7077", "spark://127.0.0.1:7077,master:7077", "yarn", "k8s://h:443")
    assert all(is_here(master) for master in here)
    assert not any(is_here(master) for master in there)
    for master in here:
        settings = settings_of(master, tmp_path)
        assert settings["spark.driver.bindAddress"] == "127.0.0.1"
        assert settings["spark.local.dir"].startswith(str(tmp_path))
    assert "spark.driver.bindAddress" not in settings_of("yarn", tmp_path)
    assert settings_of(here[1], tmp_path)["spark.executor.memory"] == "2048m"


@pytest.mark.parametrize(
    "said", ["spark.hadoop.x=planted,5ecret", "spark.hadoop.x=planted,5ecret=", "5ecret"]
)
def test_a_piece_of_a_password_is_not_shown(said: str) -> None:
    """A password with a comma is cut there, and its rest was shown as an unknown setting."""
    with pytest.raises(BadInputError, match=r"^LASTFM_SPARK_CONF: ") as told:
        _opening("local[1]", conf_of(said))
    assert "5ecret" not in str(told.value)
    assert "planted" not in repr(Settings.from_environment({"LASTFM_SPARK_CONF": said}))


def test_workers_of_our_own_take_in_nobody_else(tmp_path: Path) -> None:
    """Ports on loopback are everybody's on the machine, and a driver sends code to run."""
    once, again = (settings_of("local-cluster[2,1,2048]", tmp_path) for _ in range(2))
    assert once["spark.authenticate"] == "true"
    assert len(once["spark.authenticate.secret"]) > 40
    assert once["spark.authenticate.secret"] != again["spark.authenticate.secret"]


def test_only_a_driver_that_works_itself_has_its_code_compiled_well(tmp_path: Path) -> None:
    options = "spark.driver.extraJavaOptions"
    assert options not in settings_of("local[2]", tmp_path)
    for master in ("local-cluster[2,1,2048]", "spark://master:7077", "yarn"):
        assert "TieredStopAtLevel=1" in settings_of(master, tmp_path)[options]
