"""Pieces of work done by several threads, their results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

_AHEAD: Final = 2
"""Pieces a thread that are under way or wait to be taken, so that memory stays bounded."""
_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


def in_threads(
    work: Callable[[_Piece], _Result], pieces: Iterable[_Piece], threads: int | None = None
) -> Iterator[_Result]:
    """Results of pieces of work that numpy or scipy do without Python's lock.

    Each piece is done by one thread alone, also inside BLAS, whose own threads would fight for
    the cores and round otherwise: what comes out does not depend on the number of threads.

    Args:
        work: what to do with a piece; changes nothing that another one looks at.
        pieces: looked at only a few ahead of the results that were taken.
        threads: how many at once; None for one a core.

    Yields:
        The results in the order of the pieces.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 (slow to import)

    threads = threads or cores()
    waiting: deque[Future[_Result]] = deque()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) >= _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # whoever wants no more does not wait for pieces that nobody has begun
            for left in waiting:
                left.cancel()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
