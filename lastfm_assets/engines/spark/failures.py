"""What Spark says of a failure, in one line."""

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from lastfm_assets.errors import EngineUnavailableError
from lastfm_assets.sources.hetrec import one_line

_TRACE: Final = re.compile(r"\n\s*at .*|\nDriver stacktrace:.*", re.DOTALL)
_CAUSE: Final = re.compile(r"Caused by: ([^\n]+)")
_CODES: Final = re.compile(r"\[[A-Z_.\d]+\] | SQLSTATE: \w{5}")
"""What Spark's own messages begin and end with, for programs."""
_CLASS: Final = re.compile(r"^(?:[\w$]+\.)+([\w$]+: )")


@contextlib.contextmanager
def clear_spark_errors(what: str) -> Iterator[None]:
    """Whatever goes wrong inside Spark, in one line.

    Args:
        what: what it was about, after `while`: `writing listening/split`.

    Raises:
        EngineUnavailableError: a job failed for good, or the driver or its workers went away.
    """
    from py4j.protocol import Py4JError  # noqa: PLC0415 (an extra)
    from pyspark.errors import PySparkException  # noqa: PLC0415 (an extra)

    try:
        yield
    except (Py4JError, PySparkException, ConnectionError) as problem:
        raise EngineUnavailableError(
            f"Spark gave up while {what} ({_cause_of(problem)}); what is stored is as it was: see "
            "to the cluster and run it again"
        ) from problem


def _cause_of(problem: Exception) -> str:
    java = getattr(problem, "java_exception", None)
    said = str(problem)
    with contextlib.suppress(Exception):  # the driver itself may be gone
        said = str(java.toString()) if java is not None else said
    innermost = _CAUSE.findall(said)
    text = innermost[-1] if innermost else _TRACE.sub("", said)
    return one_line(_CODES.sub("", _CLASS.sub(r"\1", text.strip())))
