"""Whether a cluster still has workers for us: a job that waits for one in vain is ended."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_EVERY: Final = 1.0
"""Seconds between two looks."""


@contextlib.contextmanager
def ended_without_workers(session: "SparkSession", patience: float) -> Iterator[None]:
    """Ends jobs that no worker is there for; Spark itself would wait for ever.

    The session stays open: until a worker is back, each further job ends at the next look, so that
    steps of a run do not wait one after the other. Only time with a job counts, as a cluster may
    send workers home between two jobs.

    Args:
        session: with a cluster whose workers are processes of their own.
        patience: seconds without a worker after which jobs are ended.
    """
    watch = _Watch(session, patience)
    watch.start()
    try:
        yield
    finally:
        watch.ended.set()
        watch.join()


class _Watch(threading.Thread):
    """Looks at jobs and workers until it is told to end, or until the driver does not answer."""

    def __init__(self, session: "SparkSession", patience: float) -> None:
        super().__init__(name="workers", daemon=True)
        self.ended = threading.Event()
        self._context: Any = session.sparkContext
        self._patience = patience

    def run(self) -> None:
        with contextlib.suppress(Exception):  # a driver that is gone is told of by what needed it
            self._look()

    def _look(self) -> None:
        alone_since: float | None = None
        while not self.ended.wait(_EVERY):
            jobs = self._context.statusTracker().getActiveJobsIds()
            spark = self._context._jsc.sc()  # noqa: SLF001 (pyspark has no other way)
            if not spark.getExecutorIds().isEmpty():
                alone_since = None
            elif jobs and alone_since is None:
                alone_since = time.monotonic()
            if alone_since is not None and time.monotonic() - alone_since >= self._patience:
                for job in jobs:
                    spark.cancelJob(job, f"because no worker was there for {self._patience:g} s")
