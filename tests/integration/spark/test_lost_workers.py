"""A job whose every worker is gone: it is ended in time, and the next worker does the next job."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quick_spark import QUICK, small_cluster

from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.session import spark_session
from lastfm_assets.engines.spark.workers import ended_without_workers
from lastfm_assets.errors import EngineUnavailableError

pytestmark = pytest.mark.integration

PATIENCE = 3.0
"""Seconds; less than anybody would wait in earnest."""


def _tried_again(job: Callable[[], int]) -> int:
    """Of a job that is ended at once until a worker is there."""
    for _ in range(120):
        with contextlib.suppress(EngineUnavailableError), clear_spark_errors("trying"):
            return job()
    raise AssertionError("no worker came")


def test_a_job_without_a_worker_is_ended_and_a_new_worker_does_the_next(tmp_path: Path) -> None:
    with (
        small_cluster(tmp_path, workers=1) as cluster,
        spark_session(cluster.url, QUICK, timeout=180) as session,
        ended_without_workers(session, PATIENCE),
    ):
        begun = tmp_path / "begun"
        os.mkfifo(begun)

        def wait(batches: Any) -> Any:
            begun.write_text("")  # until it is read
            threading.Event().wait()  # until its worker is killed
            yield from batches

        def kill() -> None:
            begun.read_text()
            cluster.workers[0].kill()

        killer = threading.Thread(target=kill)
        killer.start()
        said = r"gave up while waiting \(.*Job \d+ cancelled because no worker was there for 3 s\);"
        with pytest.raises(EngineUnavailableError, match=said), clear_spark_errors("waiting"):
            session.range(1).mapInArrow(wait, "id bigint").count()
        killer.join()
        cluster.start_workers()
        assert _tried_again(lambda: int(session.range(8).count())) == 8
