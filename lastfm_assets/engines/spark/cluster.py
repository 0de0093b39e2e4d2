"""A standalone master and its workers on this machine, each a JVM of its own, for trying."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lastfm_assets.engines.spark.java import java, pyspark_home
from lastfm_assets.engines.spark.session import LOOPBACK
from lastfm_assets.errors import EngineUnavailableError

_STARTED: Final = re.compile(r"Starting Spark master at (spark://\S+)")
_TOOK_IN: Final = "Registering worker"
_PATIENCE: Final = 120.0
"""Seconds in which master and workers must be up."""
_END: Final = 10.0


@dataclass(slots=True)
class StandaloneCluster:
    """A running master and its workers."""

    url: str
    """`spark://127.0.0.1:port`."""
    folder: Path
    """Where logs and what executors write lie."""
    worker_size: tuple[str, ...] = ()
    """Options by which a worker is told what it has."""
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    """The master, then the workers."""

    @property
    def workers(self) -> list["subprocess.Popen[bytes]"]:
        """The workers' processes, in the order of their start."""
        return self.processes[1:]

    def start_workers(self, number: int = 1) -> None:
        """Starts so many workers more, and waits until the master has taken them in.

        Raises:
            EngineUnavailableError: they were not up in time.
        """
        for _ in range(number):
            own = self.folder / f"worker-{len(self.processes)}"
            place = ("--work-dir", str(own))
            _start(self, own.name, "worker.Worker", *self.worker_size, *place, self.url)
        _said(self.folder / "master.log", re.compile(_TOOK_IN), len(self.workers))


@contextlib.contextmanager
def standalone_cluster(
    folder: Path, *, workers: int = 2, cores: int = 1, megabytes: int = 2048
) -> Iterator[StandaloneCluster]:
    """Starts a cluster that listens on loopback only, and ends it.

    Args:
        folder: for logs and for what executors write.
        workers: how many.
        cores: of each worker.
        megabytes: of each worker, for its executors.

    Raises:
        EngineUnavailableError: pyspark or Java is missing, or it did not start in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = ("--cores", str(cores), "--memory", f"{megabytes}m")
    cluster = StandaloneCluster("", folder, size)
    try:
        master = _start(cluster, "master", "master.Master", "--port", "0")
        cluster.url = _said(master, _STARTED, 1)[0]
        cluster.start_workers(workers)
        yield cluster
    finally:
        for process in reversed(cluster.processes):
            process.terminate()
        for process in cluster.processes:
            try:
                process.wait(timeout=_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(cluster: StandaloneCluster, name: str, daemon: str, *options: str) -> Path:
    """Starts a daemon of Spark's; gives its log."""
    log = cluster.folder / f"{name}.log"
    home = pyspark_home()
    command = [
        *(str(java()), "-Xmx256m", "-Dspark.master.rest.enabled=false", "-cp"),
        *(f"{home}/jars/*", f"org.apache.spark.deploy.{daemon}"),
        *("--host", LOOPBACK, "--webui-port", "0", *options),
    ]
    core = next((home / "jars").glob("spark-core_*.jar")).name
    variables = {
        **{name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ},
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_HOME": str(home),
        "SPARK_SCALA_VERSION": core.removeprefix("spark-core_").partition("-")[0],
    }
    with log.open("wb") as file:
        cluster.processes.append(
            subprocess.Popen(  # noqa: S603 (Spark's own daemon)
                command, stdout=file, stderr=subprocess.STDOUT, env=variables, cwd=cluster.folder
            )
        )
    return log


def _said(log: Path, pattern: re.Pattern[str], times: int) -> list[str]:
    """What a log says that often, once it does."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = pattern.findall(log.read_text("utf-8", errors="replace"))
        if len(found) >= times:
            return list(found)
        time.sleep(0.2)
    raise EngineUnavailableError(
        f"a Spark cluster on this machine did not start within {_PATIENCE:g} s; see {log}"
    )
