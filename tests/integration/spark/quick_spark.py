"""How tests start Spark on a machine that does other things as well."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lastfm_assets.engines.spark.cluster import StandaloneCluster, standalone_cluster
from lastfm_assets.engines.spark.java import java, pyspark_home
from lastfm_assets.errors import EngineUnavailableError

QUICK = {
    "spark.executor.memory": "1g",
    "spark.executor.cores": "1",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "4",
}
"""Settings by which small jobs take less of a machine that does other things as well."""


@contextlib.contextmanager
def small_cluster(folder: Path, workers: int = 2) -> Iterator[StandaloneCluster]:
    """A master and its workers, real and separate JVMs on loopback; skips where Spark cannot run.

    They are ended by the handles of their processes.
    """
    try:
        pyspark_home()
        java()
    except EngineUnavailableError as problem:
        pytest.skip(str(problem))
    with standalone_cluster(folder, workers=workers, megabytes=1024) as running:
        yield running
