"""The whole refresh on a cluster of two workers, while its workers are killed."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pipeline_world import snapshot
from quick_spark import small_cluster
from spark_refresh import USERS, Refresh, refreshing
from upath import UPath

from lastfm_assets.engines.spark.cluster import StandaloneCluster
from lastfm_assets.engines.spark.session import TIMEOUT
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.io import Store
from lastfm_assets.parts import LOG, opened, parts_of
from lastfm_assets.recommendations.published import PublishedLists

pytestmark = pytest.mark.integration

MIDWAY = "listening/split"
"""What is said once tables are clean, and before models are fitted."""


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandaloneCluster]:
    """A cluster of two workers for this module, which kills them."""
    with small_cluster(tmp_path_factory.mktemp("mortal")) as running:
        yield running


@pytest.fixture(scope="module")
def asks_nobody(
    mortal: StandaloneCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Refresh]:
    """A refresh that waits for a master where nobody listens, while other tests run."""
    del mortal  # skips where Spark cannot run
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        master = f"spark://127.0.0.1:{taken.getsockname()[1]}"
        with refreshing(tmp_path_factory.mktemp("nobody"), master) as refresh:
            yield refresh


def _stray(store: Path) -> list[str]:
    """What lies in a store and belongs to no version and no model."""
    found = [str(path) for path in store.glob(".scratch/*")]
    for table in (log.parent for log in store.rglob(LOG)):
        named = {part.parent.name for part in parts_of(UPath(table), opened(UPath(table)))}
        found += [str(path) for path in table.glob("parts-*") if path.name not in named]
    for fits in store.glob("models/*.spark/*/"):
        folders = [path for path in fits.iterdir() if path.is_dir()]
        assert len(folders) <= 1, folders
    return found


@pytest.mark.usefixtures("asks_nobody")
def test_whoever_is_killed_a_refresh_ends_well_or_says_so_and_can_be_run_again(
    mortal: StandaloneCluster, tmp_path: Path
) -> None:
    store, published = tmp_path / "store", tmp_path / "store" / "recommendations" / "published"

    # it outlives one of two workers
    with refreshing(tmp_path, mortal.url) as refresh:
        refresh.until(MIDWAY)
        os.kill(mortal.workers[0].pid, signal.SIGKILL)
        assert refresh.ended() == 0, refresh.lines
    lists, first = PublishedLists(Store(str(store)).root).current()
    assert (first.users, first.rows, first.model) == (USERS, 10 * USERS, "als")
    assert len(lists) == first.rows
    assert _stray(store) == []

    # without any worker it gives up after the time stated, and readers see what they saw
    seen = snapshot(published)
    with refreshing(tmp_path, mortal.url, LASTFM_SEED="1") as refresh:
        refresh.until(MIDWAY)
        os.kill(mortal.workers[1].pid, signal.SIGKILL)
        assert refresh.ended() == 2
    # in the middle of a job, or between two
    said = rf"(no worker was there for|did not give us a worker within) {TIMEOUT:g} s"
    assert re.search(said, refresh.error), refresh.error
    assert snapshot(published) == seen

    mortal.start_workers(2)
    with refreshing(tmp_path, mortal.url, LASTFM_SEED="1") as refresh:
        assert refresh.ended() == 0, refresh.lines
    assert PublishedLists(Store(str(store)).root).version().number > first.number
    assert Store(str(store)).read(("evaluation", "champion"), Champion).seed == 1
    assert len(Store(str(store)).read(("recommendations", "top_artists"), pd.DataFrame)) == 1200
    assert _stray(store) == []


def test_a_master_that_nobody_is_at_ends_a_refresh_after_the_time_stated(
    asks_nobody: Refresh,
) -> None:
    assert asks_nobody.ended() == 2
    assert (
        f"did not give us a worker within {TIMEOUT:g} s (Connection refused)" in asks_nobody.error
    )
    assert "start it or its workers, or correct LASTFM_SPARK_MASTER" in asks_nobody.error
