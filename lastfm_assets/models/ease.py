"""Every artist explained by all others at once: exact ridge regression."""

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
from lastfm_assets.models.ridge import Ridge, ridge_from_arrays, solve
from lastfm_assets.models.search import Between
from lastfm_assets.progress import Progress, no_progress

RidgeL2 = Annotated[
    float,
    Between(1.0, 1e5, log=True),
    Field(gt=0, description="L2 weight of every coefficient, in units of squared weights."),
]


class EaseConfig(WeightedConfig):
    """Parameters of `Ease`."""

    bm25_k1: Bm25K1 = 144.0
    bm25_b: Bm25B = 0.154
    intensity: Intensity = 1.04
    regularization: RidgeL2 = 3630.0


@dataclass(frozen=True, slots=True)
class Ease:
    r"""Embarrassingly shallow autoencoder (Steck, 2019) on the weighted matrix W.

    .. math:: s_u = w_u B, \qquad B = \arg\min_{B_{aa} = 0} \lVert W - WB\rVert_F^2
              + \lambda \lVert B\rVert_F^2

    in closed form; see `ridge`, which goes through the users where those are fewer than artists.
    """

    name: ClassVar[str] = "ease"
    Config: ClassVar[type[BaseModel]] = EaseConfig
    needs_side: ClassVar[bool] = False

    weights: sps.csr_array
    """(n_users, n_artists) float32, W."""
    ridge: Ridge
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
        """Solves one system of the size of the users or of the artists."""
        config = cast("EaseConfig", config)
        weigher = Weigher.fit(matrix.plays, config.as_weighting())
        weights = matrix.weighted(config.as_weighting())
        ridge = solve(weights, config.regularization)
        on_progress(1, 1)
        return cls(weights, ridge, weigher)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return self.ridge.scores(self.weights[user_rows])

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """The same product for a new listener's weights."""
        return self.ridge.scores(self.weigher.weighted(plays))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Exact: the summands of the score, w_uj B_ja."""
        return self.ridge.shares(self.weigher.weighted(plays), artists)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **csr_to_arrays("weights", self.weights),
            **self.ridge.arrays(),
            **weigher_to_arrays(self.weigher),
        }

    @classmethod
    def from_arrays(cls, config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(
            csr_from_arrays("weights", arrays),
            ridge_from_arrays(arrays),
            weigher_from_arrays(cast("EaseConfig", config), arrays),
        )
