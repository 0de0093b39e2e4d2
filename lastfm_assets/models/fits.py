"""Fits: kept for whoever asks for the same again, and made side by side where that is wanted.

A blend is made of models that are also judged on their own, on the same pairs with the same
parameters and seed. Fitting is a pure function of those, so the second time costs nothing, and
it does not matter which process does it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Lock
from typing import Final

from pydantic import BaseModel

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.protocol import Recommender
from lastfm_assets.models.wire import Composite, Fit, Plan
from lastfm_assets.models.workers import Made, Workers
from lastfm_assets.progress import Progress, no_progress

_KEPT_BYTES: Final = 512 * 2**20
"""Learnt arrays that are kept at most, the latest used; a larger fit is not kept at all."""
_kept: OrderedDict[tuple[str, ...], Recommender] = OrderedDict()
_lock: Final = Lock()
_pools: Final[list[Workers | None]] = [None]
"""The last one fits; None: this process itself."""
_SECONDS: Final = {
    "lightfm_tags": 18.0,
    "lightfm": 5.0,
    "als": 4.0,
    "ease_tags": 3.0,
    "bpr": 2.0,
    "ease": 0.6,
    "user_knn": 0.6,
    "item_knn": 0.6,
    "rp3beta": 0.5,
    "friends": 0.1,
    "popularity": 0.0,
}
"""Of one thread for HetRec's pairs: only the order matters, in which fits are begun."""


def fit(
    model: type[Recommender],
    matrix: ListeningMatrix,
    config: BaseModel,
    *,
    side: SideTables,
    seed: int,
    on_progress: Progress = no_progress,
) -> Recommender:
    """`model.fit`, or what it gave before for equal arguments.

    Args:
        model: which recommender.
        matrix: the pairs to learn from.
        config: the model's parameters.
        side: tags and friends; counts only for a model that looks at them.
        seed: of everything random.
        on_progress: told of the fit, or that all is done.

    Returns:
        The fitted model, which is never changed.
    """
    asked = Fit(model, matrix, config, side, seed).key
    known = _known(asked)
    if known is not None:
        on_progress(1, 1)
        return known
    fitted = model.fit(matrix, config, side=side, seed=seed, on_progress=on_progress)
    _keep(asked, fitted)
    return fitted


@contextmanager
def workers(processes: int) -> Iterator[None]:
    """Within, `together` fits in so many processes; with 1 in this one.

    They are started by the first fits that need them, and ended with the block. Within a block of
    as many processes, those are used. Blocks are left in the reverse order of entering; with the
    outermost one, the fits that are kept are let go.

    Args:
        processes: at least 1.

    Raises:
        ValueError: it is less.
    """
    if processes < 1:
        raise ValueError(f"{processes} processes to fit models, expected at least 1")
    outer = _pools[-1]
    if outer is not None and outer.processes == processes:
        yield
        return
    with closing(Workers(processes)) as pool:
        _pools.append(pool if processes > 1 else None)
        try:
            yield
        finally:
            _pools.pop()
            if len(_pools) == 1:
                forget()


def side_by_side() -> bool:
    """Whether fits go to other processes, see `workers`."""
    return _pools[-1] is not None


def together(
    asked: Sequence[Fit],
    progress_of: Callable[[str], Progress] = lambda _name: no_progress,
) -> Iterator[Made]:
    """Fits several models, each with the same result as `fit`.

    In this process they are fitted in their order, but those made from others first, each when it
    is asked for. In others (see
    `workers`) they are fitted side by side, the longest first, while the caller looks at those
    that are ready; a model made from others is put together here once those are there.

    Args:
        asked: what to fit.
        progress_of: name of a model -> who is told of its fit; in other processes only that all
            is done.

    Yields:
        Each of `asked` with its model and the seconds that the fit took, about 0 where it was
        made before; for a model made from others without theirs, in other processes.

    Raises:
        LastfmAssetsError: as a fit raised it, or a process ended in the middle of one.
        RuntimeError: a fit in another process failed otherwise.
    """
    pool = _pools[-1]
    if pool is not None:
        for one, made, seconds in _Asked(asked).fitted_by(pool):
            progress_of(one.model.name)(1, 1)
            yield one, made, seconds
        return
    # one that is made from others fits them two at a time, and theirs are there afterwards
    for one in sorted(asked, key=lambda one: not isinstance(one.model, Composite)):
        told = progress_of(one.model.name)
        started = time.perf_counter()
        made = fit(
            one.model, one.matrix, one.config, side=one.side, seed=one.seed, on_progress=told
        )
        yield one, made, time.perf_counter() - started


class _Asked:
    """What is asked for and not yet there, and what has been fitted for it so far."""

    def __init__(self, asked: Iterable[Fit]) -> None:
        self._waiting = [(one, _plan(one)) for one in asked]
        self._found: dict[tuple[str, ...], tuple[Recommender, float]] = {}

    def fitted_by(self, pool: Workers) -> Iterator[Made]:
        """Yields what was asked for as its parts come in."""
        with pool.running(self._missing()) as made:
            yield from self._ready()
            for part, fitted, seconds in made:
                _keep(part.key, fitted)
                self._found[part.key] = fitted, seconds
                yield from self._ready()

    def _missing(self) -> list[Fit]:
        """Parts that have to be fitted, each once, the longest first."""
        missing: dict[tuple[str, ...], Fit] = {}
        for one, plan in self._waiting:
            for part in plan.parts if plan else (one,):
                known = _known(part.key)
                if known is None:
                    missing[part.key] = part
                else:
                    self._found[part.key] = known, 0.0
        return sorted(missing.values(), key=_size_of_work, reverse=True)

    def _ready(self) -> Iterator[Made]:
        """What can be handed out; parts that nothing waits for any more are let go."""
        for entry in list(self._waiting):
            one, plan = entry
            parts = [part.key for part in (plan.parts if plan else (one,))]
            if all(part in self._found for part in parts):
                self._waiting.remove(entry)
                yield self._made(one, plan, parts)
        needed = {
            part.key for one, plan in self._waiting for part in (plan.parts if plan else (one,))
        }
        for part in self._found.keys() - needed:
            del self._found[part]

    def _made(self, one: Fit, plan: Plan | None, parts: list[tuple[str, ...]]) -> Made:
        found = [self._found[part] for part in parts]
        if plan is None:
            return one, *found[0]
        started = time.perf_counter()
        joined = plan.join([fitted for fitted, _ in found])
        _keep(one.key, joined)
        return one, joined, time.perf_counter() - started


def _plan(one: Fit) -> Plan | None:
    """What a fit has to be put together from, if it is not there already."""
    if not isinstance(one.model, Composite) or _known(one.key) is not None:
        return None
    return one.model.plan(one.matrix, one.config, side=one.side, seed=one.seed)


def _size_of_work(one: Fit) -> float:
    return _SECONDS.get(one.model.name, 1.0) * one.matrix.plays.nnz


def forget() -> None:
    """Drops every fit that is kept, so that the next one's time is its own."""
    with _lock:
        _kept.clear()


def _known(asked: tuple[str, ...]) -> Recommender | None:
    """A fit that is kept, from now on the latest used."""
    with _lock:
        known = _kept.get(asked)
        if known is not None:
            _kept.move_to_end(asked)
    return known


def _keep(asked: tuple[str, ...], fitted: Recommender) -> None:
    with _lock:
        _kept[asked] = fitted
        while _kept and sum(_size(one) for one in _kept.values()) > _KEPT_BYTES:
            _kept.popitem(last=False)


def _size(fitted: Recommender) -> int:
    return sum(array.nbytes for array in fitted.arrays().values())
