"""Implicit alternating least squares, from `implicit`."""

from collections.abc import Callable, Iterator, Mapping
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
    weigher_from_arrays,
    weigher_to_arrays,
)
from lastfm_assets.models.factors import Factors, mean_contributions
from lastfm_assets.models.search import Between
from lastfm_assets.progress import Progress, no_progress


class AlsConfig(WeightedConfig):
    """Parameters of `Als`."""

    bm25_k1: Bm25K1 = 67.9
    bm25_b: Bm25B = 0.718
    intensity: Intensity = 2.09
    factors: Annotated[int, Between(16, 256, log=True)] = Field(
        61, ge=1, description="Length of a user's or an artist's vector."
    )
    regularization: Annotated[float, Between(1e-3, 30.0, log=True)] = Field(
        16.5, gt=0, description="L2 weight of every vector."
    )
    alpha: Annotated[float, Between(0.1, 50.0, log=True)] = Field(
        0.812, gt=0, description="Confidence is alpha times the weight."
    )
    fits: int = Field(4, ge=1, description="Fits from seeds in a row whose scores are averaged.")
    iterations: Annotated[int, Between(5, 30)] = Field(
        11, ge=1, description="Rounds over users and artists."
    )


@dataclass(frozen=True, slots=True)
class Als:
    r"""Weighted matrix factorisation of presence (Hu, Koren & Volinsky, 2008).

    .. math:: \min_{x, v} \sum_{u, a} c_{ua} (p_{ua} - x_u^\top v_a)^2
              + \lambda \Big(\sum_u \lVert x_u\rVert^2 + \sum_a \lVert v_a\rVert^2\Big)

    with p = 1 and c = alpha w for a listened pair, p = 0 and c = 1 for any other. Solved by
    conjugate gradients in `implicit`, whose result depends on the seed alone and not on the
    number of threads. The loss has many minima about as good, whose errors differ: the score is
    the mean over several fits, which is one fit with their vectors laid end to end.
    """

    name: ClassVar[str] = "als"
    Config: ClassVar[type[BaseModel]] = AlsConfig
    needs_side: ClassVar[bool] = False

    factors: Factors
    """(n, fits x factors) vectors of all fits, the users' divided by the number of fits."""
    weigher: Weigher
    config: AlsConfig

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        side: SideTables,  # noqa: ARG003 (the protocol's; plays alone decide)
        seed: int,
        on_progress: Progress = no_progress,
    ) -> Self:
        """See the protocol."""
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 (slow to import)
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        config = cast("AlsConfig", config)
        weights = sps.csr_matrix(matrix.weighted(config.as_weighting()))
        users, artists = [], []
        # implicit runs its own threads, and BLAS threads inside them would fight for the cores
        with threadpool_limits(1, "blas"):
            for fit in range(config.fits):
                solver = AlternatingLeastSquares(
                    factors=config.factors,
                    regularization=config.regularization,
                    alpha=config.alpha,
                    iterations=config.iterations,
                    random_state=(seed + fit) % 2**31,
                )
                solver.fit(
                    weights,
                    show_progress=False,
                    callback=_told(on_progress, fit * config.iterations, config),
                )
                users.append(np.asarray(solver.user_factors, dtype=np.float32))
                artists.append(np.asarray(solver.item_factors, dtype=np.float32))
        factors = Factors(
            np.hstack(users) / np.float32(config.fits),
            np.hstack(artists),
            np.zeros(matrix.plays.shape[1], dtype=np.float32),
        )
        return cls(factors, Weigher.fit(matrix.plays, config.as_weighting()), config)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return self.factors.scores(self.factors.users[user_rows])

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """One exact user step of the alternation, artists held still, averaged over the fits."""
        confidence = self._confidence(plays)
        vectors = [
            fit.fold_in(confidence, self.config.regularization) / np.float32(self.config.fits)
            for fit in self._fits()
        ]
        return self.factors.scores(np.hstack(vectors))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Exact for the folded-in vectors, averaged over the fits."""
        return mean_contributions(
            self._fits(), self._confidence(plays), artists, self.config.regularization
        )

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

    def _fits(self) -> list[Factors]:
        """The factors of each fit."""
        k = self.config.factors
        starts = range(0, self.factors.artists.shape[1], k)
        return [
            Factors(
                self.factors.users[:, start : start + k],
                self.factors.artists[:, start : start + k],
                self.factors.artist_bias,
            )
            for start in starts
        ]

    def _confidence(self, plays: sps.csr_array) -> sps.csr_array:
        return self.weigher.weighted(plays) * self.config.alpha


def _told(
    on_progress: Progress, before: int, config: AlsConfig
) -> Callable[[int, float, float], None]:
    """Reports the rounds of one fit as rounds of all."""
    total = config.fits * config.iterations
    return lambda done, *_: on_progress(before + done + 1, total)
