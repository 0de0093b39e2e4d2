"""Python tasks of Spark's workers, which take and give Arrow's tables."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Task = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def mapped(frame: "DataFrame", task: Task, schema: str) -> "DataFrame":
    """What a task makes of a frame's batches, each in the worker where it lies.

    Args:
        frame: of any columns.
        task: sent to the workers, so small.
        schema: of what it gives.
    """
    run: Any = task
    with without_a_warning():
        return frame.mapInArrow(run, schema)


@contextlib.contextmanager
def without_a_warning() -> Iterator[None]:
    """That pandas is newer than pyspark knows does not matter: it hands us Arrow's tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
