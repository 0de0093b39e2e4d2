"""What a user's friends play."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.arrays import (
    Bm25B,
    Bm25K1,
    Intensity,
    PairWeighting,
    WeightedConfig,
    csr_from_arrays,
    csr_to_arrays,
)
from lastfm_assets.models.search import Between
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    import pandas as pd

_TIE: Final = 1e-3
"""Score of the most popular artist when no friend plays it; a friend's weights are about 1."""


class FriendsConfig(WeightedConfig):
    """Parameters of `Friends`."""

    weighting: PairWeighting = "binary"
    bm25_k1: Bm25K1 = 5.79
    bm25_b: Bm25B = 0.497
    intensity: Intensity = 1.34
    floor: Annotated[float, Between(1e-3, 1.0, log=True)] = Field(
        0.017, gt=0, description="Added to the likeness of friends: unlike ones count a little."
    )


@dataclass(frozen=True, slots=True)
class Friends:
    r"""Mean over a user's friends of their weights, those of like taste counting more.

    .. math:: s_{ub} = \frac{\sum_{f \in F(u)} \ell_{uf}\, w_{fb}}{\sum_{f \in F(u)} \ell_{uf}}
              + \epsilon \frac{n_b}{\max_c n_c}, \qquad
              \ell_{uf} = \phi + \frac{w_u^\top w_f}{\lVert w_u\rVert \lVert w_f\rVert}

    with the weighted matrix W, n_b listeners of b and :math:`\epsilon = 10^{-3}` (trust-weighted
    mean after Golbeck, 2006, likeness in the place of stated trust). Popularity only orders what
    the friends leave equal, and everything for a user without friends. Friendship goes both
    ways, whichever way it is listed; friends that the matrix does not know are left out.
    """

    name: ClassVar[str] = "friends"
    Config: ClassVar[type[BaseModel]] = FriendsConfig
    needs_side: ClassVar[bool] = True

    weights: sps.csr_array
    """(n_users, n_artists) float32, W."""
    votes: sps.csr_array
    """(n_users, n_users) float32, row u holding its friends' shares of its score: sum 1, or 0."""
    popularity: np.ndarray
    """(n_artists,) float32, the last term of the score."""

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        side: SideTables,
        seed: int,  # noqa: ARG003 (the protocol's; nothing random here)
        on_progress: Progress = no_progress,
    ) -> Self:
        """Weighs every friendship between users of the matrix."""
        config = cast("FriendsConfig", config)
        weights = matrix.weighted(config.as_weighting())
        votes = _votes(weights, *_friends(matrix, side.friendships), config.floor)
        listeners = np.bincount(matrix.plays.indices, minlength=matrix.plays.shape[1])
        popularity = _TIE * listeners / max(listeners.max(initial=0), 1)
        on_progress(1, 1)
        return cls(weights, votes, popularity.astype(np.float32))

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return np.asarray((self.votes[user_rows] @ self.weights).toarray() + self.popularity)

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """A stranger's friends are not known: popularity alone."""
        return np.tile(self.popularity, (plays.shape[0], 1))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """All zero: friends explain a score here, not what the listener plays."""
        for listened in np.diff(plays.indptr):
            yield np.zeros((listened, artists.shape[1]), dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **csr_to_arrays("weights", self.weights),
            **csr_to_arrays("votes", self.votes),
            "popularity": self.popularity,
        }

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(
            csr_from_arrays("weights", arrays),
            csr_from_arrays("votes", arrays),
            arrays["popularity"],
        )


def _friends(matrix: ListeningMatrix, friendships: "pd.DataFrame") -> tuple[np.ndarray, np.ndarray]:
    """Rows of users and of their friends, each pair of users both ways and once."""
    user = matrix.rows_of(friendships[Columns.USER].to_numpy(np.int64))
    friend = matrix.rows_of(friendships[Columns.FRIEND].to_numpy(np.int64))
    known = (user >= 0) & (friend >= 0) & (user != friend)
    one_way = np.stack([user[known], friend[known]])
    both_ways = np.unique(np.concatenate([one_way, one_way[::-1]], axis=1), axis=1)
    return both_ways[0], both_ways[1]


def _votes(
    weights: sps.csr_array, user: np.ndarray, friend: np.ndarray, floor: float
) -> sps.csr_array:
    """(n_users, n_users) float32 likeness of each friendship, rows scaled to sum 1."""
    n_users = weights.shape[0]
    squares = np.asarray(weights.multiply(weights).sum(axis=1), dtype=np.float64)
    product = np.asarray(weights[user].multiply(weights[friend]).sum(axis=1), dtype=np.float64)
    norms = np.sqrt(squares[user] * squares[friend])
    cosine = np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)
    likeness = floor + cosine
    total = np.bincount(user, weights=likeness, minlength=n_users)
    share = (likeness / total[user]).astype(np.float32)
    votes = sps.csr_array((share, (user, friend)), shape=(n_users, n_users))
    votes.sort_indices()
    return votes
