"""Fits made in this process, kept for whoever asks for the same again.

A blend is made of models that are also judged on their own, on the same pairs with the same
parameters and seed. Fitting is a pure function of those, so the second time costs nothing.
"""

from collections import OrderedDict
from threading import Lock
from typing import Final

from pydantic import BaseModel

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.protocol import Recommender
from lastfm_assets.progress import Progress, no_progress

_KEPT_BYTES: Final = 512 * 2**20
"""Learnt arrays that are kept at most, the latest used; a larger fit is not kept at all."""
_kept: OrderedDict[tuple[str, ...], Recommender] = OrderedDict()
_lock: Final = Lock()


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
    beside = side.fingerprint if model.needs_side else ""
    asked = (model.name, config.model_dump_json(), str(seed), matrix.fingerprint, beside)
    with _lock:
        known = _kept.get(asked)
        if known is not None:
            _kept.move_to_end(asked)
    if known is not None:
        on_progress(1, 1)
        return known
    fitted = model.fit(matrix, config, side=side, seed=seed, on_progress=on_progress)
    with _lock:
        _kept[asked] = fitted
        while _kept and sum(_size(one) for one in _kept.values()) > _KEPT_BYTES:
            _kept.popitem(last=False)
    return fitted


def forget() -> None:
    """Drops every fit that is kept, so that the next one's time is its own."""
    with _lock:
        _kept.clear()


def _size(fitted: Recommender) -> int:
    return sum(array.nbytes for array in fitted.arrays().values())
