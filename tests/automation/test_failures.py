"""Our errors as Dagster failures."""

import inspect
from collections.abc import Iterator

import dagster as dg
import pytest

from lastfm_assets.automation.failures import EXIT_CODE, fails_clearly
from lastfm_assets.errors import (
    BadInputError,
    GateRefusedError,
    LastfmAssetsError,
    SourceUnavailableError,
    StoreError,
)

KINDS = [
    (BadInputError, 2, False),
    (StoreError, 2, False),
    (GateRefusedError, 1, False),
    (SourceUnavailableError, 2, True),
]


@pytest.mark.parametrize(("kind", "exit_code", "retried"), KINDS)
def test_our_errors_become_failures_that_say_whether_to_try_again(
    kind: type[LastfmAssetsError], exit_code: int, *, retried: bool
) -> None:
    @fails_clearly
    def compute() -> None:
        raise kind("a.dat: found x, expected y")

    with pytest.raises(dg.Failure) as caught:
        compute()
    assert caught.value.description == "a.dat: found x, expected y"
    assert caught.value.metadata[EXIT_CODE].value == exit_code
    assert caught.value.allow_retries is retried
    assert isinstance(caught.value.__cause__, kind)


def test_generators_fail_where_they_stop_and_keep_what_they_gave() -> None:
    @fails_clearly
    def compute() -> Iterator[int]:
        yield 1
        raise BadInputError("second file is bad")

    results = compute()
    assert next(results) == 1
    with pytest.raises(dg.Failure, match="second file is bad"):
        next(results)


def test_other_errors_stay_what_they_are() -> None:
    @fails_clearly
    def compute() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compute()


def test_values_and_signatures_pass_through() -> None:
    """Dagster reads an asset's inputs off its signature."""

    def compute(one: int, *, two: str) -> str:
        """Adds."""
        return f"{one}{two}"

    wrapped = fails_clearly(compute)
    assert wrapped(1, two="x") == "1x"
    assert inspect.signature(wrapped) == inspect.signature(compute)
    assert wrapped.__doc__ == "Adds."
