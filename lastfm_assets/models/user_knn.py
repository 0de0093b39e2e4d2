"""What the most alike listeners play: nearest neighbours between users."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.weighting import Weigher
from lastfm_assets.models.arrays import (
    Bm25B,
    Bm25K1,
    Intensity,
    WeightedConfig,
    csr_from_arrays,
    csr_to_arrays,
    entries_of,
    weigher_from_arrays,
    weigher_to_arrays,
)
from lastfm_assets.models.ranking import best_columns
from lastfm_assets.models.search import Between
from lastfm_assets.progress import Progress, no_progress

_CHUNK_BYTES: Final = 16 * 2**20
"""Memory for the similarities of the listeners that are compared at once."""


class UserKnnConfig(WeightedConfig):
    """Parameters of `UserKnn`."""

    bm25_k1: Bm25K1 = 127.0
    bm25_b: Bm25B = 0.625
    intensity: Intensity = 1.29
    neighbours: Annotated[int, Between(5, 1000, log=True)] = Field(
        97, ge=1, description="Most alike users who vote for each listener."
    )
    shrink: Annotated[float, Between(0.0, 1000.0)] = Field(
        769.0, ge=0, description="Added to the denominator: users of few artists count less."
    )
    amplification: Annotated[float, Between(0.5, 4.0)] = Field(
        1.26,
        gt=0,
        description="Exponent of the similarity; above 1, the nearest count more.",
    )


@dataclass(frozen=True, slots=True)
class UserKnn:
    r"""Shrunk cosine between the rows of the weighted matrix W.

    .. math:: \mathrm{sim}(u, v) = \frac{w_u^\top w_v}{\lVert w_u\rVert \lVert w_v\rVert + s},
              \qquad s_{ub} = \sum_{v \in N(u)} \mathrm{sim}(u, v)^\rho\, w_{vb}

    where N(u) are the K most similar users, u left out (Herlocker et al., 1999; the exponent is
    the case amplification of Breese, Heckerman & Kadie, 1998). A user without weights is like
    nobody and scores zero throughout.
    """

    name: ClassVar[str] = "user_knn"
    Config: ClassVar[type[BaseModel]] = UserKnnConfig
    needs_side: ClassVar[bool] = False

    weights: sps.csr_array
    """(n_users, n_artists) float32, W."""
    votes: sps.csr_array
    """(n_users, n_users) float32, row u holding sim^rho of its K nearest."""
    weigher: Weigher
    config: UserKnnConfig

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        side: SideTables,  # noqa: ARG003 (the protocol's; plays alone decide)
        seed: int,  # noqa: ARG003 (the protocol's; nothing random here)
        on_progress: Progress = no_progress,
    ) -> Self:
        """Computes every user's neighbours, a chunk of users at a time."""
        config = cast("UserKnnConfig", config)
        weights = matrix.weighted(config.as_weighting())
        n_users = weights.shape[0]
        chunk = max(1, _CHUNK_BYTES // (4 * max(n_users, 1)))
        chunks = []
        for start in range(0, n_users, chunk):
            rows = np.arange(start, min(start + chunk, n_users))
            similarity = similarities(weights[rows], weights, config.shrink)
            similarity[np.arange(len(rows)), rows] = 0.0
            chunks.append(_votes(similarity, config))
            on_progress(int(rows[-1]) + 1, n_users)
        votes = sps.csr_array(sps.vstack(chunks, format="csr"))
        return cls(weights, votes, Weigher.fit(matrix.plays, config.as_weighting()), config)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return np.asarray((self.votes[user_rows] @ self.weights).toarray())

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """The same formula for a new listener.

        A listener whose plays are those of a known user has that user for the nearest neighbour,
        who adds to artists that are played already and takes one of the K places.
        """
        weighted = self.weigher.weighted(plays)
        scores = np.empty(plays.shape, dtype=np.float32)
        chunk = max(1, _CHUNK_BYTES // (4 * max(self.weights.shape[0], 1)))
        for start in range(0, plays.shape[0], chunk):
            similarity = similarities(
                weighted[start : start + chunk], self.weights, self.config.shrink
            )
            votes = _votes(similarity, self.config)
            scores[start : start + chunk] = (votes @ self.weights).toarray()
        return scores

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        r"""Exact for the folded-in score.

        A similarity is a sum over the listened artists, so with :math:`\rho - 1` of its powers
        held fixed each vote, and with it the score, splits into their summands:

        .. math:: s_{ub} = \sum_{a \in u} w_{ua} \sum_{v \in N(u)}
                  \frac{\mathrm{sim}(u, v)^{\rho - 1}}{\lVert w_u\rVert \lVert w_v\rVert + s}\,
                  w_{va}\, w_{vb}
        """
        weighted = self.weigher.weighted(plays)
        for row in range(plays.shape[0]):
            listened, weight = entries_of(weighted, row)
            similarity = similarities(weighted[[row]], self.weights, self.config.shrink)
            votes = _votes(similarity, self.config)
            voters = self.weights[votes.indices]
            common = voters[:, listened].toarray() * weight
            # sim^rho / (w_u . w_v) is sim^(rho - 1) over the denominator of sim
            product = common.sum(axis=1, dtype=np.float64)
            share = np.divide(votes.data, product, out=np.zeros_like(product), where=product > 0)
            wanted = voters[:, artists[row]].toarray() * share[:, None]
            yield np.asarray(common.T @ wanted, dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **csr_to_arrays("weights", self.weights),
            **csr_to_arrays("votes", self.votes),
            **weigher_to_arrays(self.weigher),
        }

    @classmethod
    def from_arrays(cls, config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        config = cast("UserKnnConfig", config)
        return cls(
            csr_from_arrays("weights", arrays),
            csr_from_arrays("votes", arrays),
            weigher_from_arrays(config, arrays),
            config,
        )


def similarities(rows: sps.csr_array, weights: sps.csr_array, shrink: float) -> np.ndarray:
    """Shrunk cosines of some listeners with every user.

    Args:
        rows: (n, n_artists) float32 weights of the listeners.
        weights: (n_users, n_artists) float32 weights of the users.
        shrink: added to the product of the norms, in units of squared weights.

    Returns:
        (n, n_users) float32 >= 0; 0 for who has no weights.
    """
    product = (rows @ weights.T.tocsr()).toarray()
    denominator = np.outer(_norms(rows), _norms(weights)).astype(np.float32) + np.float32(shrink)
    cosine = np.divide(product, denominator, out=np.zeros_like(product), where=product > 0)
    return np.asarray(cosine)


def _norms(weights: sps.csr_array) -> np.ndarray:
    """(n,) float64 lengths of the rows."""
    row = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    squares = weights.data.astype(np.float64) ** 2
    return np.asarray(np.sqrt(np.bincount(row, weights=squares, minlength=weights.shape[0])))


def _votes(similarity: np.ndarray, config: UserKnnConfig) -> sps.csr_array:
    """(n, n_users) float32 sim^rho of each row's K largest, equal ones by smaller user row."""
    column, value = best_columns(
        np.where(similarity > 0, similarity, np.float32(-np.inf)), config.neighbours
    )
    kept = value > -np.inf
    row = np.nonzero(kept)[0]
    amplified = value[kept] ** np.float32(config.amplification)
    votes = sps.csr_array((amplified, (row, column[kept])), shape=similarity.shape)
    votes.sort_indices()
    return votes
