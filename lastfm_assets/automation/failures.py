"""Our errors as Dagster failures: one readable line, and a retry only where it can help."""

import contextlib
import functools
import inspect
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import dagster as dg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lastfm_assets.errors import LastfmAssetsError, StoreError, UnavailableError
from lastfm_assets.sources.hetrec import one_line

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


@contextlib.contextmanager
def of_dagsters_storage(home: Path) -> Iterator[None]:
    """What Dagster's own files or database refuse, in one line in the place of a hundred.

    Args:
        home: DAGSTER_HOME.

    Raises:
        StoreError: runs cannot be written or read there.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as problem:
        said = problem.orig if isinstance(problem, DBAPIError) else problem
        raise StoreError(
            f"Dagster's runs in {home} cannot be written or read ({one_line(said)}); see to the "
            "disk or the database, then run `lastfm-assets refresh` again"
        ) from problem
