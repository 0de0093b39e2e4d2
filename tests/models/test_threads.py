"""Pieces of work by several threads: in order, a few ahead, and no thread left behind."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lastfm_assets.models import threads as module
from lastfm_assets.models.threads import in_threads


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "cores", lambda: request.param)
    return int(request.param)


@pytest.mark.usefixtures("threads")
def test_results_come_in_the_order_of_the_pieces() -> None:
    def slow_at_first(piece: int) -> int:
        time.sleep(0.02 if piece % 3 == 0 else 0)
        return piece * piece

    assert list(in_threads(slow_at_first, range(20))) == [n * n for n in range(20)]
    assert list(in_threads(slow_at_first, [])) == []


def test_pieces_are_begun_only_a_few_ahead(threads: int) -> None:
    begun: list[int] = []
    results = in_threads(lambda piece: piece, (begun.append(n) or n for n in range(1000)))
    for taken in range(1, 6):
        next(results)
        assert len(begun) <= taken + 2 * threads
    results.close()
    assert len(begun) < 20


@pytest.mark.usefixtures("threads")
def test_a_failure_reaches_whoever_asked_and_ends_all_threads() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="division"):
        list(in_threads(lambda piece: 1 // (piece - 3), range(10)))
    assert threading.active_count() == before


@pytest.mark.usefixtures("threads")
def test_blas_runs_no_threads_of_its_own_meanwhile() -> None:
    np.eye(2) @ np.eye(2)

    def of_blas() -> Iterator[int]:
        return (pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    before = list(of_blas())
    inside = list(in_threads(lambda _: list(of_blas()), range(4)))
    assert inside == [[1] * len(before)] * 4
    assert list(of_blas()) == before
