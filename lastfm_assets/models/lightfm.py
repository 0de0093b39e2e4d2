"""LightFM with the WARP loss: learning to rank by sampling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.factors import Factors
from lastfm_assets.progress import Progress, no_progress

_FOLD_IN_L2: Final = 300.0
"""L2 weight of a folded-in vector; its length is set afterwards. Best of 1 to 1000 for listeners
left out of the fit, judged on validation; at 1, lists are a fifth (sample) to a tenth worse."""
_FOLD_IN_CONFIDENCE: Final = 1.0
"""Weight of a listened artist against 1 for any other; up to 10 it hardly matters."""


class LightFmConfig(BaseModel, frozen=True, extra="forbid"):
    """Parameters of `LightFm`."""

    loss: Literal["warp", "bpr"] = Field("warp", description="Ranking loss.")
    components: int = Field(64, ge=1, description="Length of a user's or an artist's vector.")
    learning_rate: float = Field(0.03, gt=0, description="Initial rate of Adagrad.")
    epochs: int = Field(30, ge=1, description="Passes over all pairs.")
    max_sampled: int = Field(50, ge=1, description="WARP: draws before a pair is given up.")
    item_alpha: float = Field(
        1e-6, ge=0, description="L2 weight of artist vectors (LightFM: items)."
    )
    user_alpha: float = Field(1e-6, ge=0, description="L2 weight of user vectors.")


@dataclass(frozen=True, slots=True)
class LightFm:
    r"""Vectors trained so that a listened artist outranks artists drawn at random.

    Score :math:`s_{ua} = x_u^\top v_a + b_a`. WARP (Weston et al., 2011) draws artists until one
    violates the order and steps by :math:`\log(\lfloor (A - 1) / \text{draws} \rfloor)`; model
    and code by Kula, 2015. Trained in one thread, since only then the same seed gives the same
    vectors.
    """

    name: ClassVar[str] = "lightfm"
    Config: ClassVar[type[BaseModel]] = LightFmConfig

    factors: Factors

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
        from lightfm import LightFM  # noqa: PLC0415 (slow to import)

        config = cast("LightFmConfig", config)
        model = LightFM(
            loss=config.loss,
            no_components=config.components,
            learning_rate=config.learning_rate,
            max_sampled=config.max_sampled,
            item_alpha=config.item_alpha,
            user_alpha=config.user_alpha,
            random_state=seed % 2**31,
        )
        presence = _presence(matrix.plays)
        for epoch in range(config.epochs):
            model.fit_partial(presence, epochs=1, num_threads=1)
            on_progress(epoch + 1, config.epochs)
        _, users = model.get_user_representations()
        bias, artists = model.get_item_representations()
        return cls(Factors(users, artists, bias))

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol; the user's own bias is left out, as it changes no order."""
        return self.factors.scores(self.factors.users[user_rows])

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """Ridge regression of presence on the artists' vectors, at the known users' length.

        LightFM itself cannot place a new user; the least-squares vector points where ALS would
        put it, and its length is set to the median of the trained ones, so that the artists'
        biases keep their share.
        """
        vectors = self.factors.fold_in(_confidence(plays), _FOLD_IN_L2)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        usual = np.median(np.linalg.norm(self.factors.users, axis=1))
        scaled = np.divide(vectors * usual, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return self.factors.scores(scaled)

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Shares of the folded-in vector: an approximation of what was trained."""
        return self.factors.contributions(_confidence(plays), artists, _FOLD_IN_L2)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            "users": self.factors.users,
            "artists": self.factors.artists,
            "artist_bias": self.factors.artist_bias,
        }

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(Factors(arrays["users"], arrays["artists"], arrays["artist_bias"]))


def _presence(plays: sps.csr_array) -> sps.coo_matrix:
    """Ones on the listened pairs, with the 32-bit indices that LightFM's C code reads."""
    rows = np.repeat(np.arange(plays.shape[0], dtype=np.int32), np.diff(plays.indptr))
    columns = plays.indices.astype(np.int32)
    return sps.coo_matrix((np.ones(plays.nnz, dtype=np.float32), (rows, columns)), plays.shape)


def _confidence(plays: sps.csr_array) -> sps.csr_array:
    confidence = np.full(plays.nnz, _FOLD_IN_CONFIDENCE)
    return sps.csr_array((confidence, plays.indices, plays.indptr), shape=plays.shape)
