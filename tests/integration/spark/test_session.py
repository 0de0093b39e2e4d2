"""A session with a standalone cluster: its workers do the work, and it goes on without one."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lastfm_assets.engines.spark.cluster import StandaloneCluster
from lastfm_assets.engines.spark.tables import SparkTables
from lastfm_assets.io import Store

pytestmark = pytest.mark.integration


def _executors(spark: Any) -> int:
    return int(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1


def _processes_of(cluster: StandaloneCluster) -> list[int]:
    """Ids of the JVMs that the workers have started."""
    parents = ",".join(str(worker.pid) for worker in cluster.workers)
    said = subprocess.run(
        ["ps", "--ppid", parents, "-o", "pid="],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(number) for number in said.stdout.split()]


def test_two_workers_share_the_work(spark: Any) -> None:
    total = spark.range(0, 100_000, 1, 8).selectExpr("sum(id) AS total").toArrow()
    assert total["total"].to_pylist() == [100_000 * 99_999 // 2]
    assert _executors(spark) == 2


def test_numbers_wrap_around_and_clocks_are_in_utc(spark: Any) -> None:
    row = spark.sql("SELECT 9223372036854775807L + 1L AS n, current_timezone() AS zone").first()
    assert (row["n"], row["zone"]) == (-(2**63), "UTC")


def test_a_killed_worker_in_the_middle_of_a_write_is_replaced(
    spark: Any, cluster: StandaloneCluster, tmp_path: Path
) -> None:
    tables = SparkTables(Store(str(tmp_path / "store")), spark)
    running = _processes_of(cluster)
    assert len(running) == 2
    # the first task of the job ends the worker that it runs in; tried again, it finds a mark
    mark = tmp_path / "killed"

    def kill_once(batches: Any) -> Any:
        for batch in batches:
            if batch.num_rows and batch.column(0)[0].as_py() == 0 and not mark.exists():
                mark.write_text("once")
                os.kill(running[0], signal.SIGKILL)
                os.kill(running[1], 0)
            yield batch

    frame = spark.range(0, 20_000, 1, 6).mapInArrow(kill_once, "id bigint")
    tables.write(("raw", "numbers"), frame.selectExpr("id AS line"), source="sample")
    assert mark.exists()
    assert tables.rows(("raw", "numbers")) == 20_000
    read = tables.read(("raw", "numbers")).selectExpr("sum(line) AS total").first()
    assert read["total"] == 20_000 * 19_999 // 2
