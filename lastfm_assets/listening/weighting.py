r"""How much one listened pair counts: presence, the logarithm of its plays, or BM25.

BM25 (Robertson & Zaragoza, 2009) reads a user as a document and an artist as a term:

.. math:: w_{ua} = \log\frac{N}{1 + n_a}\,\frac{t_{ua}(K_1 + 1)}{t_{ua} + K_1 (1 - B + B\,
          l_u / \bar l)}

with N users, n_a listeners of artist a, l_u the sum of u's counts and t_ua the count: 1 under
`bm25`, the plays under `bm25_plays`.

Presence forgets how much somebody plays what. Intensity gives it back without its heavy tail:
each weight is multiplied by

.. math:: \Big(\frac{\log(1 + p_{ua})}{\operatorname{mean}_{b \in u} \log(1 + p_{ub})}\Big)^\gamma

with p_ua plays, so that a user's usual artist keeps its weight whatever :math:`\gamma` is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self, get_args

import numpy as np
import scipy.sparse as sps

from lastfm_assets.listening.blocks import blocks

Scheme = Literal["plays", "binary", "log", "bm25", "bm25_plays"]
"""`bm25` is on presence: on raw counts it does harm here, as play counts are heavy-tailed."""

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


@dataclass(frozen=True, slots=True)
class Weighting:
    """A scheme with its parameters; `k1` and `b` matter to BM25 only, `intensity` to all."""

    scheme: Scheme = "bm25"
    k1: float = 100.0
    b: float = 0.8
    intensity: float = 0.0
    """The exponent gamma, 0 for none."""


@dataclass(frozen=True, slots=True)
class Weigher:
    """A weighting with the statistics it took from the pairs it was fitted on."""

    weighting: Weighting
    rarity: np.ndarray
    """(n_artists,) float64, log(N / (1 + n_a)), at least 0; 0 for an artist everybody plays."""
    mean_length: float
    """Mean over users of the sum of their counts."""

    @classmethod
    def fit(cls, plays: sps.csr_array, weighting: Weighting) -> Self:
        """Takes statistics from (n_users, n_artists) counts, every stored entry >= 1."""
        n_users, n_artists = plays.shape
        listeners = np.zeros(n_artists, dtype=np.int64)
        for pairs in blocks(plays.nnz):
            listeners += np.bincount(plays.indices[pairs], minlength=n_artists)
        rarity = np.log(np.maximum(n_users / (1.0 + listeners), 1.0))
        total = plays.nnz if _is_of_presence(weighting) else plays.data.sum(dtype=np.float64)
        return cls(weighting, rarity, float(total) / max(n_users, 1))

    def weights(self, plays: sps.csr_array) -> np.ndarray:
        """Weights of the stored pairs, of the users fitted on or of others.

        Args:
            plays: (n, n_artists) counts, every stored entry >= 1.

        Returns:
            (nnz,) float32 >= 0, dimensionless, in the order of `plays.data`.
        """
        weights = np.empty(plays.nnz, dtype=np.float32)
        for pairs, part in _whole_users(plays):
            weights[pairs] = self._by_scheme(part)
            if self.weighting.intensity:
                louder = _relative_loudness(part) ** self.weighting.intensity
                weights[pairs] = weights[pairs] * louder
        return weights

    def _by_scheme(self, plays: sps.csr_array) -> np.ndarray:
        scheme = self.weighting.scheme
        if scheme == "log":
            return np.asarray(np.log1p(plays.data), dtype=np.float32)
        counts = _counts(plays, self.weighting)
        if scheme in ("plays", "binary"):
            return counts.astype(np.float32)
        k1, b = self.weighting.k1, self.weighting.b
        user = np.repeat(np.arange(plays.shape[0]), np.diff(plays.indptr))
        length = np.bincount(user, weights=counts, minlength=plays.shape[0])
        norm = 1.0 - b + b * length[user] / max(self.mean_length, 1e-12)
        saturated = counts * (k1 + 1.0) / (counts + k1 * norm)
        return np.asarray(self.rarity[plays.indices] * saturated, dtype=np.float32)

    def weighted(self, plays: sps.csr_array) -> sps.csr_array:
        """The same pattern with weights in the place of counts."""
        return sps.csr_array((self.weights(plays), plays.indices, plays.indptr), shape=plays.shape)


def _whole_users(plays: sps.csr_array) -> Iterator[tuple[slice, sps.csr_array]]:
    """The pairs of some users at a time, and their rows: passing arrays are 64 bits wide."""
    starts, nnz = plays.indptr, plays.nnz
    cuts = [0, *np.searchsorted(starts, [rows.stop for rows in blocks(nnz)]).tolist()]
    for first, end in pairwise(cuts):
        pairs = slice(int(starts[first]), int(starts[end]))
        inside = (plays.data[pairs], plays.indices[pairs], starts[first : end + 1] - starts[first])
        yield pairs, sps.csr_array(inside, shape=(end - first, plays.shape[1]))


def _relative_loudness(plays: sps.csr_array) -> np.ndarray:
    """(nnz,) log(1 + plays) over the user's mean of it; 1 throughout for an even user."""
    loudness = np.log1p(plays.data.astype(np.float64))
    listened = np.diff(plays.indptr)
    user = np.repeat(np.arange(plays.shape[0]), listened)
    total = np.bincount(user, weights=loudness, minlength=plays.shape[0])
    return np.asarray(loudness * listened[user] / total[user])


def _counts(plays: sps.csr_array, weighting: Weighting) -> np.ndarray:
    return np.ones(plays.nnz) if _is_of_presence(weighting) else plays.data.astype(np.float64)


def _is_of_presence(weighting: Weighting) -> bool:
    """Whether a pair counts once, however often it was played."""
    return weighting.scheme in ("binary", "bm25")
