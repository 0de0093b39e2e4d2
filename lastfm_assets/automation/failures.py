"""Our errors as Dagster failures: one readable line, and a retry only where it can help."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import dagster as dg

from lastfm_assets.errors import LastfmAssetsError, UnavailableError

EXIT_CODE: Final = "exit_code"
"""Metadata of a failure that the command line turns into its own exit code."""
_Function = TypeVar("_Function", bound=Callable[..., Any])


def fails_clearly(compute: _Function) -> _Function:
    """Raises `dg.Failure` with the error's own line in the place of a `LastfmAssetsError`.

    Bad data, a missed threshold or a broken store would fail again: those are never retried.
    """

    @functools.wraps(compute)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _our_errors_as_failures():
            return compute(*args, **kwargs)

    @functools.wraps(compute)
    def wrapped_generator(*args: Any, **kwargs: Any) -> Any:
        with _our_errors_as_failures():
            yield from compute(*args, **kwargs)

    # same signature, by functools.wraps
    return wrapped_generator if inspect.isgeneratorfunction(compute) else wrapped  # type: ignore[return-value]


@contextlib.contextmanager
def _our_errors_as_failures() -> Iterator[None]:
    try:
        yield
    except LastfmAssetsError as problem:
        raise dg.Failure(
            description=str(problem),
            metadata={EXIT_CODE: problem.exit_code},
            allow_retries=isinstance(problem, UnavailableError),
        ) from problem
