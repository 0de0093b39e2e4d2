"""EASE that has read the tags: artists resemble each other by who plays and who tags them."""

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
    csr_from_arrays,
    csr_to_arrays,
    weigher_from_arrays,
    weigher_to_arrays,
)
from lastfm_assets.models.ease import EaseConfig, RidgeL2
from lastfm_assets.models.ridge import RowSide
from lastfm_assets.models.search import Between
from lastfm_assets.models.tag_counts import TagCounts, count_tags
from lastfm_assets.progress import Progress, no_progress


class EaseTagsConfig(EaseConfig):
    """Parameters of `EaseTags`."""

    bm25_k1: Bm25K1 = 221.0
    bm25_b: Bm25B = 0.157
    intensity: Intensity = 1.18
    regularization: RidgeL2 = 3940.0
    tag_weight: Annotated[float, Between(0.05, 2.0, log=True)] = Field(
        0.646, gt=0, description="How much one tag row counts against one user."
    )
    tags: Annotated[int, Between(250, 2000, log=True)] = Field(
        1520, ge=0, description="Most used tags that are looked at."
    )


@dataclass(frozen=True, slots=True)
class EaseTags:
    r"""Collective EASE (Jeunen, Van Balen & Goethals, 2020): tags are further rows.

    .. math:: X = \begin{pmatrix} W \\ \beta\,T \end{pmatrix}, \qquad
              T_{ta} = \log(1 + n_{ta}) \log\frac{A}{1 + A_t}

    with n_ta users who call artist a by tag t, A artists and A_t of them called t.

    A user's own tags on an artist they are not known to play give that artist away, so the score
    of that one pair is computed as if they had not been given. Removing :math:`\delta` from the
    tag rows of column a changes only the right side of a's regression, and the block inverse
    leaves, exactly,

    .. math:: s'_{ua} = s_{ua} - h_u \delta - s_{ua}\, x_a^\top K \delta, \qquad
              h_u = w_u X^\top K .
    """

    name: ClassVar[str] = "ease_tags"
    Config: ClassVar[type[BaseModel]] = EaseTagsConfig
    needs_side: ClassVar[bool] = True

    weights: sps.csr_array
    """(n_users, n_artists) float32, W."""
    ridge: RowSide
    weigher: Weigher
    own_pair: np.ndarray
    """(p, 2) int64 user rows and artist columns: tagged by the user, not known as played."""
    own_tags: sps.csr_array
    """(p, n_rows) float32, delta of each of those pairs."""
    own_share: np.ndarray
    """(p,) float32, x_a' K delta of each."""

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
        """Solves one system of the size of users and tags together."""
        config = cast("EaseTagsConfig", config)
        weigher = Weigher.fit(matrix.plays, config.as_weighting())
        weights = matrix.weighted(config.as_weighting())
        tags = count_tags(side, matrix, n_tags=config.tags)
        tag_rows = (tags.weights() * config.tag_weight).T.tocsr()
        rows = sps.csr_array(sps.vstack([weights, tag_rows], format="csr", dtype=np.float32))
        on_progress(1, 3)
        ridge = RowSide.solve(rows, config.regularization)
        on_progress(2, 3)
        pair, delta = _own_tags(tags, matrix, config.tag_weight)
        by_artist = rows.T.tocsr()[pair[:, 1]]
        share = np.asarray(by_artist.multiply(delta @ ridge.inverse).sum(axis=1)).ravel()
        on_progress(3, 3)
        return cls(weights, ridge, weigher, pair, delta, share.astype(np.float32))

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        listened = self.weights[user_rows]
        speaking = self.ridge.through_rows(listened)
        scores = self.ridge.scores_through(speaking, listened)
        first = np.searchsorted(self.own_pair[:, 0], user_rows)
        last = np.searchsorted(self.own_pair[:, 0], user_rows, side="right")
        for place in np.flatnonzero(last > first):
            own = slice(first[place], last[place])
            artists = self.own_pair[own, 1]
            told = self.own_tags[own] @ speaking[place]
            scores[place, artists] -= told + scores[place, artists] * self.own_share[own]
        return scores

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """The same product for a new listener's weights; a stranger has tagged nothing."""
        return self.ridge.scores(self.weigher.weighted(plays))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Exact for a listener's plays: the summands w_uj B_ja, own tags aside."""
        return self.ridge.shares(self.weigher.weighted(plays), artists)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **csr_to_arrays("weights", self.weights),
            **self.ridge.arrays(),
            **weigher_to_arrays(self.weigher),
            "own_pair": self.own_pair,
            **csr_to_arrays("own_tags", self.own_tags),
            "own_share": self.own_share,
        }

    @classmethod
    def from_arrays(cls, config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(
            csr_from_arrays("weights", arrays),
            RowSide(csr_from_arrays("rows", arrays), arrays["inverse"], arrays["remainder"]),
            weigher_from_arrays(cast("EaseTagsConfig", config), arrays),
            arrays["own_pair"],
            csr_from_arrays("own_tags", arrays),
            arrays["own_share"],
        )


def _own_tags(
    tags: TagCounts, matrix: ListeningMatrix, tag_weight: float
) -> tuple[np.ndarray, sps.csr_array]:
    """Pairs that a user tagged and is not known to play, by user, and what their tags add.

    Returns:
        (p, 2) user rows and artist columns, and (p, n_users + n_tags) float32.
    """
    n_users, n_tags = len(matrix.user_ids), tags.counts.shape[1]
    given = tags.given_unplayed(matrix.plays)
    lost = tags.without_one(given.artist[given.pair], given.tag) * tag_weight
    shape = (len(given.user), n_users + n_tags)
    delta = sps.csr_array((lost.astype(np.float32), (given.pair, n_users + given.tag)), shape=shape)
    return np.stack([given.user, given.artist], axis=1), delta
