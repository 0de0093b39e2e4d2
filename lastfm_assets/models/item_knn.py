"""Artists like those one plays: nearest neighbours between artists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self, cast

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
    weigher_from_arrays,
    weigher_to_arrays,
)
from lastfm_assets.models.neighbours import strongest_products, summands
from lastfm_assets.models.search import Between
from lastfm_assets.progress import Progress, no_progress


class ItemKnnConfig(WeightedConfig):
    """Parameters of `ItemKnn`."""

    bm25_k1: Bm25K1 = 2.45
    bm25_b: Bm25B = 0.217
    intensity: Intensity = 1.47
    neighbours: Annotated[int, Between(5, 1000, log=True)] = Field(
        861, ge=1, description="Nearest artists kept for each artist."
    )
    shrink: Annotated[float, Between(0.0, 1000.0)] = Field(
        253.0, ge=0, description="Added to the denominator: rare artists count less."
    )


@dataclass(frozen=True, slots=True)
class ItemKnn:
    r"""Shrunk cosine between the columns of the weighted matrix W.

    .. math:: \mathrm{sim}(a, b) = \frac{w_a^\top w_b}{\lVert w_a\rVert \lVert w_b\rVert + s},
              \qquad s_{ub} = \sum_{a \in u} w_{ua}\,\mathrm{sim}(a, b)

    where each artist a votes for its K nearest only (Sarwar et al., 2001; shrinkage after Bell &
    Koren, 2007).
    """

    name: ClassVar[str] = "item_knn"
    Config: ClassVar[type[BaseModel]] = ItemKnnConfig
    needs_side: ClassVar[bool] = False

    weights: sps.csr_array
    """(n_users, n_artists) float32, W."""
    similarity: sps.csr_array
    """(n_artists, n_artists) float32, row a holding its K nearest, itself left out."""
    weigher: Weigher

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
        """Computes every artist's neighbours, a chunk of artists at a time."""
        config = cast("ItemKnnConfig", config)
        weights = matrix.weighted(config.as_weighting())
        similarity = nearest(
            weights, neighbours=config.neighbours, shrink=config.shrink, on_progress=on_progress
        )
        return cls(weights, similarity, Weigher.fit(matrix.plays, config.as_weighting()))

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return np.asarray((self.weights[user_rows] @ self.similarity).toarray())

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """The same sum over the artists of a new listener."""
        return np.asarray((self.weigher.weighted(plays) @ self.similarity).toarray())

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Exact: the summands of the score."""
        return summands(self.weigher.weighted(plays), self.similarity, artists)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **csr_to_arrays("weights", self.weights),
            **csr_to_arrays("similarity", self.similarity),
            **weigher_to_arrays(self.weigher),
        }

    @classmethod
    def from_arrays(cls, config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(
            csr_from_arrays("weights", arrays),
            csr_from_arrays("similarity", arrays),
            weigher_from_arrays(cast("ItemKnnConfig", config), arrays),
        )


def nearest(
    weights: sps.csr_array,
    *,
    neighbours: int,
    shrink: float,
    on_progress: Progress = no_progress,
) -> sps.csr_array:
    """Each column's most similar columns.

    Args:
        weights: (n_users, n_artists) float32.
        neighbours: how many to keep; equal similarities go to the smaller column.
        shrink: added to the product of the norms, in units of squared weights.
        on_progress: told after each chunk.

    Returns:
        (n_artists, n_artists) float32 shrunk cosines, diagonal left out, zeros not stored.
    """
    norms = np.sqrt(
        np.bincount(
            weights.indices,
            weights=weights.data.astype(np.float64) ** 2,
            minlength=weights.shape[1],
        )
    )
    return strongest_products(
        weights.T.tocsr(),
        weights,
        value_of=lambda row, column, product: product / (norms[row] * norms[column] + shrink),
        keep=neighbours,
        on_progress=on_progress,
    )
