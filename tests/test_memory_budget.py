"""The budget of memory, and what is said where a step would exceed it."""

import resource

import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.memory import GB, Memory, machine_bytes


def test_a_budget_is_what_is_set() -> None:
    assert Memory.of(1.5).bytes == 1_500_000_000


def test_a_budget_that_is_not_set_is_most_of_the_machine() -> None:
    assert 0.7 * machine_bytes() < Memory.of(None).bytes < 0.9 * machine_bytes()


def test_the_machine_has_more_memory_than_this_process_takes() -> None:
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert taken < machine_bytes() < 10_000 * GB


def test_a_step_that_fits_passes() -> None:
    Memory(2 * GB).require(2 * GB, "a step", "do without")


def test_a_step_that_does_not_fit_is_refused_with_what_it_needs() -> None:
    with pytest.raises(
        BadInputError,
        match=r"^fitting ease takes about 682\.1 GB of memory, LASTFM_MEMORY_GB allows 18\.0; "
        "raise it where the machine has more, or leave it out$",
    ):
        Memory(18 * GB).require(int(682.1 * GB), "fitting ease", "leave it out")
