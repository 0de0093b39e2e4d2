"""Random walks from artists over their listeners to artists, popular ends held back."""

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


class Rp3BetaConfig(WeightedConfig):
    """Parameters of `Rp3Beta`."""

    bm25_k1: Bm25K1 = 113.0
    bm25_b: Bm25B = 0.693
    intensity: Intensity = 0.785
    neighbours: Annotated[int, Between(5, 1000, log=True)] = Field(
        180, ge=1, description="Likeliest ends kept for each artist."
    )
    alpha: Annotated[float, Between(0.0, 2.0)] = Field(
        0.721, ge=0, description="Exponent of each step's probability."
    )
    beta: Annotated[float, Between(0.0, 2.0)] = Field(
        0.182, ge=0, description="Exponent of the end's popularity, which divides."
    )


@dataclass(frozen=True, slots=True)
class Rp3Beta:
    r"""Three steps over the graph of users and artists, ending at an artist b.

    .. math:: s_{ub} = \sum_{a \in u} P_{ua}^\alpha T_{ab}, \qquad
              T_{ab} = n_b^{-\beta} \sum_v P_{av}^\alpha P_{vb}^\alpha

    with :math:`P_{ua} = w_{ua} / \sum_c w_{uc}`, :math:`P_{av} = w_{va} / \sum_t w_{ta}` and
    n_b listeners of b; each artist a keeps its K largest ends (Paudel et al., 2017, with the
    exponent of Cooper et al., 2014). Who has no weights, user or artist, is never stepped to.
    """

    name: ClassVar[str] = "rp3beta"
    Config: ClassVar[type[BaseModel]] = Rp3BetaConfig
    needs_side: ClassVar[bool] = False

    steps: sps.csr_array
    """(n_users, n_artists) float32, first steps P_ua^alpha."""
    ends: sps.csr_array
    """(n_artists, n_artists) float32, T, row a holding its K largest, itself left out."""
    weigher: Weigher
    config: Rp3BetaConfig

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        side: SideTables,  # noqa: ARG003 (the protocol's; plays alone decide)
        seed: int,  # noqa: ARG003 (the protocol's; walks are summed, not drawn)
        on_progress: Progress = no_progress,
    ) -> Self:
        """Sums the walks of every artist, a chunk of artists at a time."""
        config = cast("Rp3BetaConfig", config)
        weights = matrix.weighted(config.as_weighting())
        steps = step_probabilities(weights, config.alpha)
        listeners = np.bincount(matrix.plays.indices, minlength=matrix.plays.shape[1])
        held_back = np.maximum(listeners, 1.0) ** -config.beta
        ends = strongest_products(
            step_probabilities(weights.T.tocsr(), config.alpha),
            steps,
            value_of=lambda _row, column, walks: walks * held_back[column],
            keep=config.neighbours,
            on_progress=on_progress,
        )
        return cls(steps, ends, Weigher.fit(matrix.plays, config.as_weighting()), config)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return np.asarray((self.steps[user_rows] @ self.ends).toarray())

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """The same sum over the artists of a new listener."""
        return np.asarray((self._first_steps(plays) @ self.ends).toarray())

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Exact: the summands of the score, one a first step."""
        return summands(self._first_steps(plays), self.ends, artists)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **csr_to_arrays("steps", self.steps),
            **csr_to_arrays("ends", self.ends),
            **weigher_to_arrays(self.weigher),
        }

    @classmethod
    def from_arrays(cls, config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        config = cast("Rp3BetaConfig", config)
        return cls(
            csr_from_arrays("steps", arrays),
            csr_from_arrays("ends", arrays),
            weigher_from_arrays(config, arrays),
            config,
        )

    def _first_steps(self, plays: sps.csr_array) -> sps.csr_array:
        return step_probabilities(self.weigher.weighted(plays), self.config.alpha)


def step_probabilities(weights: sps.csr_array, alpha: float) -> sps.csr_array:
    """Each row as probabilities of stepping to its columns, raised to `alpha`.

    Args:
        weights: (n, m) float32 >= 0.
        alpha: the exponent, >= 0.

    Returns:
        (n, m) float32 on the same stored pattern; 0 where the weight is 0, whatever `alpha`.
    """
    row = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    data = weights.data.astype(np.float64)
    total = np.bincount(row, weights=data, minlength=weights.shape[0])[row]
    share = np.divide(data, total, out=np.zeros_like(data), where=total > 0)
    steps = np.where(share > 0, share**alpha, 0.0).astype(np.float32)
    return sps.csr_array((steps, weights.indices, weights.indptr), shape=weights.shape)
