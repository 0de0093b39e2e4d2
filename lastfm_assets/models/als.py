"""Implicit alternating least squares, from `implicit`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.weighting import Weigher
from lastfm_assets.models.arrays import WeightedConfig, weigher_from_arrays, weigher_to_arrays
from lastfm_assets.models.factors import Factors
from lastfm_assets.progress import Progress, no_progress


class AlsConfig(WeightedConfig):
    """Parameters of `Als`."""

    factors: int = Field(48, ge=1, description="Length of a user's or an artist's vector.")
    regularization: float = Field(10.0, gt=0, description="L2 weight of every vector.")
    alpha: float = Field(1.0, gt=0, description="Confidence is alpha times the weight.")
    iterations: int = Field(15, ge=1, description="Rounds over users and artists.")


@dataclass(frozen=True, slots=True)
class Als:
    r"""Weighted matrix factorisation of presence (Hu, Koren & Volinsky, 2008).

    .. math:: \min_{x, v} \sum_{u, a} c_{ua} (p_{ua} - x_u^\top v_a)^2
              + \lambda \Big(\sum_u \lVert x_u\rVert^2 + \sum_a \lVert v_a\rVert^2\Big)

    with p = 1 and c = alpha w for a listened pair, p = 0 and c = 1 for any other. Solved by
    conjugate gradients in `implicit`, whose result depends on the seed alone and not on the
    number of threads.
    """

    name: ClassVar[str] = "als"
    Config: ClassVar[type[BaseModel]] = AlsConfig

    factors: Factors
    weigher: Weigher
    config: AlsConfig

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        seed: int,
        on_progress: Progress = no_progress,
    ) -> Self:
        """See the protocol."""
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 (slow to import)
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        config = cast("AlsConfig", config)
        # implicit runs its own threads, and BLAS threads inside them would fight for the cores
        with threadpool_limits(1, "blas"):
            solver = AlternatingLeastSquares(
                factors=config.factors,
                regularization=config.regularization,
                alpha=config.alpha,
                iterations=config.iterations,
                random_state=seed % 2**31,
            )
            solver.fit(
                sps.csr_matrix(matrix.weighted(config.as_weighting())),
                show_progress=False,
                callback=lambda done, *_: on_progress(done + 1, config.iterations),
            )
        factors = Factors(
            np.asarray(solver.user_factors, dtype=np.float32),
            np.asarray(solver.item_factors, dtype=np.float32),
            np.zeros(matrix.plays.shape[1], dtype=np.float32),
        )
        return cls(factors, Weigher.fit(matrix.plays, config.as_weighting()), config)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return self.factors.scores(self.factors.users[user_rows])

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """One exact user step of the alternation, artists held still."""
        vectors = self.factors.fold_in(self._confidence(plays), self.config.regularization)
        return self.factors.scores(vectors)

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Exact for the folded-in vector."""
        confidence = self._confidence(plays)
        return self.factors.contributions(confidence, artists, self.config.regularization)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            "users": self.factors.users,
            "artists": self.factors.artists,
            **weigher_to_arrays(self.weigher),
        }

    @classmethod
    def from_arrays(cls, config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        config = cast("AlsConfig", config)
        bias = np.zeros(len(arrays["artists"]), dtype=np.float32)
        factors = Factors(arrays["users"], arrays["artists"], bias)
        return cls(factors, weigher_from_arrays(config, arrays), config)

    def _confidence(self, plays: sps.csr_array) -> sps.csr_array:
        return self.weigher.weighted(plays) * self.config.alpha
