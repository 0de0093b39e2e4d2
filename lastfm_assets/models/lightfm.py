"""LightFM with the WARP loss: learning to rank by sampling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.factors import Factors, presence
from lastfm_assets.models.search import Between, OneOf
from lastfm_assets.progress import Progress, no_progress

FOLD_IN_L2: Final = 300.0
"""L2 weight of a folded-in vector; its length is set afterwards. Best of 1 to 1000 for listeners
left out of the fit, judged on validation; at 1, lists are a fifth (sample) to a tenth worse.
Whether a listened artist weighs 1 or 10 against 1 for any other hardly matters."""


Components = Annotated[
    int,
    Between(16, 256, log=True),
    Field(ge=1, description="Length of a user's or an artist's vector."),
]

LearningRate = Annotated[
    float, Between(1e-3, 1e-1, log=True), Field(gt=0, description="Initial rate of Adagrad.")
]
Epochs = Annotated[int, Between(5, 100), Field(ge=1, description="Passes over all pairs.")]
MaxSampled = Annotated[
    int, Between(5, 50), Field(ge=1, description="WARP: draws before a pair is given up.")
]
ItemAlpha = Annotated[
    float,
    Between(1e-7, 1e-3, log=True),
    Field(ge=0, description="L2 weight of artist vectors (LightFM: items)."),
]
UserAlpha = Annotated[
    float, Between(1e-7, 1e-3, log=True), Field(ge=0, description="L2 weight of user vectors.")
]


class LightFmConfig(BaseModel, frozen=True, extra="forbid"):
    """Parameters of `LightFm`."""

    loss: Annotated[Literal["warp", "bpr"], OneOf(("warp", "bpr"))] = Field(
        "warp", description="Ranking loss."
    )
    components: Components = 96
    learning_rate: LearningRate = 0.03
    epochs: Epochs = 30
    max_sampled: MaxSampled = 50
    item_alpha: ItemAlpha = 1e-6
    user_alpha: UserAlpha = 1e-6


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
        model = trained(
            matrix.plays, cast("LightFmConfig", config), seed=seed, on_progress=on_progress
        )
        return cls(factors_of(model))

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol; the user's own bias is left out, as it changes no order."""
        return self.factors.scores(self.factors.users[user_rows])

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """LightFM itself cannot place a new user; see `Factors.fold_in_at_usual_length`."""
        return self.factors.scores(self.factors.fold_in_at_usual_length(plays, FOLD_IN_L2))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Shares of the folded-in vector: an approximation of what was trained."""
        return self.factors.contributions(presence(plays), artists, FOLD_IN_L2)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return self.factors.arrays()

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(Factors.from_arrays(arrays))


def trained(
    plays: sps.csr_array,
    config: LightFmConfig,
    *,
    seed: int,
    artist_features: sps.csr_matrix | None = None,
    on_progress: Progress = no_progress,
) -> Any:
    """A LightFM model of presence.

    Args:
        plays: (n_users, n_artists) counts, read as presence.
        config: what LightFM is told.
        seed: of the first vectors and of all draws.
        artist_features: (n_artists, n_features) float32 weights; one feature of its own for
            each artist when None.
        on_progress: told epochs done and epochs in all.

    Returns:
        The trained `lightfm.LightFM`.
    """
    epochs = training(plays, config, seed=seed, artist_features=artist_features)
    model: Any = None
    for epoch, model in enumerate(epochs, start=1):  # noqa: B007 (the last one is handed out)
        on_progress(epoch, config.epochs)
    return model


def training(
    plays: sps.csr_array,
    config: LightFmConfig,
    *,
    seed: int,
    artist_features: sps.csr_matrix | None = None,
) -> Iterator[Any]:
    """The same as `trained`, after every epoch.

    Yields:
        One `lightfm.LightFM` that goes on to be trained, `config.epochs` times.
    """
    from lightfm import LightFM  # noqa: PLC0415 (slow to import)

    model = LightFM(
        loss=config.loss,
        no_components=config.components,
        learning_rate=config.learning_rate,
        max_sampled=config.max_sampled,
        item_alpha=config.item_alpha,
        user_alpha=config.user_alpha,
        random_state=seed % 2**31,
    )
    positives = _positives(plays)
    for _ in range(config.epochs):
        model.fit_partial(positives, item_features=artist_features, epochs=1, num_threads=1)
        yield model


def factors_of(model: Any) -> Factors:
    """The vectors of a trained model whose artists have no features but themselves."""
    _, users = model.get_user_representations()
    bias, artists = model.get_item_representations()
    return Factors(users, artists, bias)


def _positives(plays: sps.csr_array) -> sps.coo_matrix:
    """Ones on the listened pairs, with the 32-bit indices that LightFM's C code reads."""
    rows = np.repeat(np.arange(plays.shape[0], dtype=np.int32), np.diff(plays.indptr))
    columns = plays.indices.astype(np.int32)
    return sps.coo_matrix((np.ones(plays.nnz, dtype=np.float32), (rows, columns)), plays.shape)
