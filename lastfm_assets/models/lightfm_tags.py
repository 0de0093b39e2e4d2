"""LightFM whose artists are also what people call them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.arrays import csr_from_arrays, csr_to_arrays
from lastfm_assets.models.factors import Factors, presence
from lastfm_assets.models.lightfm import (
    FOLD_IN_L2,
    Components,
    Epochs,
    ItemAlpha,
    LearningRate,
    LightFmConfig,
    MaxSampled,
    UserAlpha,
    trained,
)
from lastfm_assets.models.neighbours import strongest
from lastfm_assets.models.search import Between
from lastfm_assets.models.tag_counts import GivenTags, TagCounts, count_tags
from lastfm_assets.progress import Progress, no_progress


class LightFmTagsConfig(LightFmConfig):
    """Parameters of `LightFmTags`."""

    components: Components = 79
    learning_rate: LearningRate = 0.0215
    epochs: Epochs = 43
    max_sampled: MaxSampled = 49
    item_alpha: ItemAlpha = 3.57e-6
    user_alpha: UserAlpha = 1.51e-7
    min_taggers: Annotated[int, Between(1, 30, log=True)] = Field(
        18, ge=1, description="Tags that fewer users have given are left out."
    )
    tags_per_artist: Annotated[int, Between(5, 50, log=True)] = Field(
        10, ge=1, description="Heaviest tags kept for each artist."
    )
    tag_weight: Annotated[float, Between(0.1, 3.0, log=True)] = Field(
        1.01, gt=0, description="Sum of an artist's tag weights, against 1 for the artist itself."
    )


@dataclass(frozen=True, slots=True)
class LightFmTags:
    r"""An artist's vector is its own and those of its tags, so artists nobody plays have one too.

    .. math:: s_{ua} = x_u^\top v_a + \beta_a, \qquad
              v_a = [n_a > 0]\, e_a + \sum_t \tau_{at} e_t, \qquad
              \tau_{at} \propto \log(1 + c_{at}) \log\frac{A}{A_t}, \quad
              \sum_t \tau_{at} = \theta

    with c_at users who called a so, A_t of all A artists called so, n_a listeners, and the bias
    composed as the vector is (Kula, 2015). Only an artist's heaviest tags enter. An artist with
    neither listeners nor tags has the zero vector and the lowest bias of all.

    A user who tags an artist has usually played it. So where the matrix does not say so, that
    user's score of that artist is made from what the *other* users call it, c_at - 1 for each of
    the user's own tags; the vocabulary and A_t stay as they are. Positives in training are the
    pairs of the matrix alone.
    """

    name: ClassVar[str] = "lightfm_tags"
    Config: ClassVar[type[BaseModel]] = LightFmTagsConfig
    needs_side: ClassVar[bool] = True

    factors: Factors
    without_own_tags: sps.csr_array
    """(n_users, n_artists) float32 scores, stored where a user tagged what it does not play."""

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        side: SideTables,
        seed: int,
        on_progress: Progress = no_progress,
    ) -> Self:
        """Trains on all tags, then scores anew what users tagged without playing it."""
        config = cast("LightFmTagsConfig", config)
        tags = count_tags(side, matrix, min_taggers=config.min_taggers)
        features = _Features.of(matrix, tags, config)
        artists = np.arange(len(matrix.artist_ids))
        made_of = features.of_artists(artists, tags.counts)
        model = trained(
            matrix.plays, config, seed=seed, artist_features=made_of, on_progress=on_progress
        )
        _, users = model.get_user_representations()
        lowest = _represent(model, made_of)[1].min(initial=0.0)
        vectors, bias = _represent(model, made_of, lowest)
        given = tags.given_unplayed(matrix.plays)
        counts = _others(tags, given)
        others, others_bias = _represent(model, features.of_artists(given.artist, counts), lowest)
        score = (users[given.user] * others).sum(axis=1) + others_bias
        scores = sps.csr_array(
            (score.astype(np.float32), (given.user, given.artist)), shape=matrix.plays.shape
        )
        return cls(Factors(users, vectors, bias), scores)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        scores = self.factors.scores(self.factors.users[user_rows])
        own = self.without_own_tags[user_rows]
        position = np.repeat(np.arange(len(user_rows)), np.diff(own.indptr))
        scores[position, own.indices] = own.data
        return scores

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """A new listener has given no tags here; see `Factors.fold_in_at_usual_length`."""
        return self.factors.scores(self.factors.fold_in_at_usual_length(plays, FOLD_IN_L2))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Shares of the folded-in vector: an approximation of what was trained."""
        return self.factors.contributions(presence(plays), artists, FOLD_IN_L2)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **self.factors.arrays(),
            **csr_to_arrays("without_own_tags", self.without_own_tags),
        }

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(Factors.from_arrays(arrays), csr_from_arrays("without_own_tags", arrays))


@dataclass(frozen=True, slots=True)
class _Features:
    """From tag counts to what LightFM adds up: the artists themselves, then the tags."""

    played: np.ndarray
    """(n_artists,) whether anybody plays the artist."""
    rarity: np.ndarray
    """(n_tags,) log(A / A_t)."""
    config: LightFmTagsConfig

    @classmethod
    def of(cls, matrix: ListeningMatrix, tags: TagCounts, config: LightFmTagsConfig) -> Self:
        n_artists, n_tags = tags.counts.shape
        called = np.bincount(tags.counts.indices, minlength=n_tags)
        listeners = np.bincount(matrix.plays.indices, minlength=n_artists)
        return cls(listeners > 0, np.log(n_artists / np.maximum(called, 1)), config)

    def of_artists(self, artists: np.ndarray, counts: sps.csr_array) -> sps.csr_matrix:
        """(n, n_artists + n_tags) float32 features of artists that are called so."""
        itself = sps.csr_array(
            (self.played[artists].astype(np.float32), (np.arange(len(artists)), artists)),
            shape=(len(artists), len(self.played)),
        )
        itself.eliminate_zeros()
        features = sps.csr_matrix(sps.hstack([itself, self._weights(counts)], format="csr"))
        features.indices = features.indices.astype(np.int32)  # what LightFM's C code reads
        features.indptr = features.indptr.astype(np.int32)
        return features

    def _weights(self, counts: sps.csr_array) -> sps.csr_array:
        entries = counts.tocoo()
        value = np.log1p(entries.data) * self.rarity[entries.col]
        used = value > 0
        kept = strongest(
            entries.row[used],
            entries.col[used],
            value[used],
            counts.shape,
            self.config.tags_per_artist,
        )
        row = np.repeat(np.arange(kept.shape[0]), np.diff(kept.indptr))
        total = np.bincount(row, weights=kept.data, minlength=kept.shape[0])
        kept.data = (self.config.tag_weight * kept.data / total[row]).astype(np.float32)
        return kept


def _others(tags: TagCounts, given: GivenTags) -> sps.csr_array:
    """(p, n_tags) what the other users call the artist of each pair."""
    shape = (len(given.user), tags.counts.shape[1])
    own = sps.coo_array((np.ones(len(given.pair)), (given.pair, given.tag)), shape=shape).tocsr()
    others = sps.csr_array(tags.counts[given.artist] - own)
    others.eliminate_zeros()
    return others


def _represent(
    model: Any, features: sps.csr_matrix, nothing: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """(n, k) vectors and (n,) biases of artists made of these features.

    An artist without any feature has the zero vector and the bias `nothing`.
    """
    bias = np.asarray(features @ model.item_biases, dtype=np.float32)
    empty = np.diff(features.indptr) == 0
    vectors = np.asarray(features @ model.item_embeddings, dtype=np.float32)
    return vectors, np.where(empty, np.float32(nothing), bias)
