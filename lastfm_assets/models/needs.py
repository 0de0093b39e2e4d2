"""How much memory a fit takes, from the size of its matrix alone.

Estimates of the largest arrays that are there at once, good to a factor of about two: enough to
say before a night's work that it cannot end well, and by how much.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from lastfm_assets.listening.matrix import ListeningMatrix

REMEDY: Final = (
    "leave the model out: LASTFM_MODELS=popularity,als names those that compete (bpr and lightfm "
    "grow as gently)"
)
_ENTRY: Final = 8
"""Bytes of a stored pair: a 32-bit column and a 32-bit weight."""
_COPIES: Final = 3
"""Of the pairs: the matrix, its weights, and the transposed one that a fit makes."""
_FOUR_COPIES: Final = 4
"""Of LightFM's vectors: their gradients and two sums for the learning rate."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a matrix."""

    users: int
    artists: int
    pairs: int

    @property
    def ids(self) -> int:
        """Users and artists together: vectors of a factor model."""
        return self.users + self.artists


def bytes_to_fit(name: str, config: BaseModel, matrix: ListeningMatrix) -> int:
    """Bytes at the peak of a fit, beside what the process holds anyway.

    Args:
        name: of the model.
        config: its parameters.
        matrix: what it is to be fitted on.
    """
    users, artists = matrix.plays.shape
    return bytes_for(name, config, Size(users, artists, matrix.plays.nnz))


def bytes_for(name: str, config: BaseModel, size: Size) -> int:
    """As `bytes_to_fit`, for a matrix that is not there yet."""
    said: Mapping[str, Any] = config.model_dump()
    own = _OWN.get(name, _nothing)(said, size)
    return int(own + _COPIES * _ENTRY * size.pairs)


def _nothing(_said: Mapping[str, Any], _size: Size) -> int:
    return 0


def _als(said: Mapping[str, Any], size: Size) -> int:
    # the vectors of every fit, and once more where they are laid end to end
    return 2 * 4 * int(said["fits"]) * int(said["factors"]) * size.ids


def _bpr(said: Mapping[str, Any], size: Size) -> int:
    return 2 * 4 * int(said["factors"]) * size.ids


def _lightfm(said: Mapping[str, Any], size: Size) -> int:
    return _FOUR_COPIES * 4 * int(said["components"]) * size.ids


def _neighbours_of(side: Callable[[Size], int]) -> Callable[[Mapping[str, Any], Size], int]:
    # each row's nearest, as column and weight, while a few thousand whole rows are looked at
    return lambda said, size: side(size) * int(said.get("neighbours", 1000)) * 2 * _ENTRY


def _ridge(said: Mapping[str, Any], size: Size) -> int:
    del said
    # the system, its factor and the inverse in 64 bits, on the shorter side
    return 3 * 8 * min(size.users, size.artists) ** 2


def _all_of_a_blend(said: Mapping[str, Any], size: Size) -> int:
    del said
    return _ridge({}, size)


_OWN: Final[Mapping[str, Callable[[Mapping[str, Any], Size], int]]] = {
    "als": _als,
    "bpr": _bpr,
    "lightfm": _lightfm,
    "lightfm_tags": _lightfm,
    "item_knn": _neighbours_of(lambda size: size.artists),
    "rp3beta": _neighbours_of(lambda size: size.artists),
    "user_knn": _neighbours_of(lambda size: size.users),
    "ease": _ridge,
    "ease_tags": _ridge,
    "blend": _all_of_a_blend,
}
"""Beside the pairs, by model; the others hold vectors as long as the catalogue."""
