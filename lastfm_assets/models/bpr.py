"""Bayesian personalised ranking, from `implicit`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Final, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.factors import Factors, presence
from lastfm_assets.models.search import Between
from lastfm_assets.progress import Progress, no_progress

_FOLD_IN_L2: Final = 1000.0
"""L2 weight of a folded-in vector; its length is set afterwards. Best of 30 to 10,000 for listeners
left out of the fit, judged on validation; at 30, lists are a quarter worse."""


class BprConfig(BaseModel, frozen=True, extra="forbid"):
    """Parameters of `Bpr`."""

    factors: Annotated[int, Between(16, 256, log=True)] = Field(
        64, ge=1, description="Length of a user's or an artist's vector."
    )
    learning_rate: Annotated[float, Between(1e-3, 1e-1, log=True)] = Field(
        0.03, gt=0, description="Step of the gradient descent."
    )
    regularization: Annotated[float, Between(1e-4, 1e-1, log=True)] = Field(
        0.03, ge=0, description="L2 weight of every vector."
    )
    iterations: Annotated[int, Between(50, 400, log=True)] = Field(
        150, ge=1, description="Passes over as many sampled pairs as there are."
    )
    popularity: Annotated[float, Between(0.0, 2.0)] = Field(
        0.6, ge=0, description="How much of its popularity an artist gets back; 1 in theory."
    )


@dataclass(frozen=True, slots=True)
class Bpr:
    r"""Vectors under which a listened artist is likely to outrank one drawn at random.

    .. math:: \max_{x, v, \beta} \sum_{(u, a, c)} \log \sigma(r_{ua} - r_{uc})
              - \frac{\lambda}{2} \lVert (x, v, \beta)\rVert^2,
              \qquad r_{ua} = x_u^\top v_a + \beta_a

    over users u, artists a they play and artists c they do not (Rendle et al., 2009). `implicit`
    draws c as often as it is listened to. Telling a user's artists from such draws teaches r the
    logarithm of p(a | u) / p(a), that is, how much more than others u plays a; so the score
    gives popularity back, by a share :math:`\kappa` which regularisation makes smaller than 1:

    .. math:: s_{ua} = r_{ua} + \kappa \log(1 + n_a)

    with n_a listeners of a. Without it (:math:`\kappa = 0`) NDCG@10 on HetRec is half of what
    it is. Descended in one thread: `implicit` gives every thread its own random numbers and
    lets them overwrite each other's vectors, so that two runs with two threads differ.
    """

    name: ClassVar[str] = "bpr"
    Config: ClassVar[type[BaseModel]] = BprConfig
    needs_side: ClassVar[bool] = False

    factors: Factors

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
        from implicit.cpu.bpr import BayesianPersonalizedRanking  # noqa: PLC0415 (slow to import)

        config = cast("BprConfig", config)
        solver = BayesianPersonalizedRanking(
            factors=config.factors,
            learning_rate=config.learning_rate,
            regularization=config.regularization,
            iterations=config.iterations,
            verify_negative_samples=True,
            num_threads=1,
            random_state=seed % 2**31,
        )
        solver.fit(
            sps.csr_matrix(matrix.plays),
            show_progress=False,
            callback=lambda done, *_: on_progress(done + 1, config.iterations),
        )
        factors = _without_bias_column(solver.user_factors, solver.item_factors)
        listeners = np.bincount(matrix.plays.indices, minlength=matrix.plays.shape[1])
        bias = factors.artist_bias + config.popularity * np.log1p(listeners)
        return cls(replace(factors, artist_bias=bias.astype(np.float32)))

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return self.factors.scores(self.factors.users[user_rows])

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """Trained pair by pair, it has no user step; see `Factors.fold_in_at_usual_length`."""
        return self.factors.scores(self.factors.fold_in_at_usual_length(plays, _FOLD_IN_L2))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Shares of the folded-in vector: an approximation of what was trained."""
        return self.factors.contributions(presence(plays), artists, _FOLD_IN_L2)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return self.factors.arrays()

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(Factors.from_arrays(arrays))


def _without_bias_column(users: np.ndarray, artists: np.ndarray) -> Factors:
    """The bias apart: `implicit` keeps it as the artists' last column, the users' being all 1.

    An artist nobody plays has zeros throughout, which would rank above every played artist of
    negative bias; it gets the lowest bias instead.
    """
    bias = artists[:, -1].copy()
    trained = artists.any(axis=1)
    bias[~trained] = bias.min(initial=0.0)
    return Factors(users[:, :-1].copy(), artists[:, :-1].copy(), bias)
