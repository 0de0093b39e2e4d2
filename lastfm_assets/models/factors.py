"""Latent factors: scores, listeners not seen before, and what explains a score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import scipy.sparse as sps
from threadpoolctl import threadpool_limits

from lastfm_assets.models.arrays import entries_of
from lastfm_assets.models.threads import in_threads

_BLOCK: Final = 2048
"""Listeners whose scores are split at once."""
_BYTES: Final = 2**21
"""Memory for the vectors of listeners whose equations are solved together: a core's cache."""


@dataclass(frozen=True, slots=True)
class Factors:
    r"""User and artist vectors whose inner product, plus the artist's bias, is the score."""

    users: np.ndarray
    """(n_users, k) float32."""
    artists: np.ndarray
    """(n_artists, k) float32."""
    artist_bias: np.ndarray
    """(n_artists,) float32."""

    def arrays(self) -> dict[str, np.ndarray]:
        """All three as they are."""
        return {"users": self.users, "artists": self.artists, "artist_bias": self.artist_bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`; others are left alone."""
        return cls(arrays["users"], arrays["artists"], arrays["artist_bias"])

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(n, k) vectors -> (n, n_artists) float32."""
        return np.asarray(users @ self.artists.T + self.artist_bias, dtype=np.float32)

    def fold_in(self, confidence: sps.csr_array, regularization: float) -> np.ndarray:
        """Vectors of listeners that were not in the training data.

        Args:
            confidence: (n, n_artists) confidence of each listened pair, > 0.
            regularization: L2 weight of the vector.

        Returns:
            (n, k) float32; the zero vector for a listener without artists.
        """
        gram = self._gram(regularization)
        vectors = np.zeros((confidence.shape[0], self.artists.shape[1]), dtype=np.float32)
        for row in range(confidence.shape[0]):
            listened, weight = entries_of(confidence, row)
            if len(listened):
                solved = self._shares(gram, listened, weight)
                vectors[row] = solved.sum(axis=1)
        return vectors

    def fold_in_at_usual_length(self, plays: sps.csr_array, regularization: float) -> np.ndarray:
        """Vectors of new listeners for models that were trained to rank.

        Such a model has no equation for one user. Ridge regression of presence on the artists'
        vectors points where ALS would put the listener; the length is set to the median of the
        known users', so that the artists' biases keep their share of the score.

        Args:
            plays: (n, n_artists) counts, read as presence.
            regularization: L2 weight of the vector before its length is set.

        Returns:
            (n, k) float32; the zero vector for a listener without artists.
        """
        vectors = self.fold_in(presence(plays), regularization)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        usual = np.median(np.linalg.norm(self.users, axis=1))
        scaled = np.divide(vectors * usual, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return np.asarray(scaled)

    def contributions(
        self, confidence: sps.csr_array, artists: np.ndarray, regularization: float
    ) -> Iterator[np.ndarray]:
        r"""Each listened artist's share of the scores of some artists.

        The folded-in vector is linear in the listened artists, so its score splits exactly
        (Hu, Koren & Volinsky, 2008, section 5):
        :math:`s_{ub} = \sum_{a \in u} c_{ua}\, v_b^\top A_u^{-1} v_a`.

        Args:
            confidence: (n, n_artists) confidence of each listened pair, > 0.
            artists: (n, k) columns to explain.
            regularization: L2 weight of the vector.

        Returns:
            (m, k) float32 for each listener of m artists; columns sum to the folded-in scores
            without the bias.
        """
        return mean_contributions([self], confidence, artists, regularization)

    def _gram(self, regularization: float) -> np.ndarray:
        artists = self.artists.astype(np.float64)
        return artists.T @ artists + regularization * np.eye(artists.shape[1])

    def _shares(self, gram: np.ndarray, listened: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """(k, m): column j is A_u^-1 c_j v_j, what listened artist j adds to the vector."""
        vectors = self.artists[listened].astype(np.float64)
        # A_u = V'V + V_u' (C_u - I) V_u + reg I: only the artists u plays enter the second term
        weight = weight.astype(np.float64)
        lhs = gram + (vectors.T * (weight - 1.0)) @ vectors
        return np.linalg.solve(lhs, vectors.T * weight)

    def _split(
        self, gram: np.ndarray, listened: np.ndarray, weight: np.ndarray, artists: np.ndarray
    ) -> np.ndarray:
        """(n, k, m) float32 shares for n listeners of m artists each.

        The k listed artists are fewer than the listened ones: A_u z_b = v_b is solved for them,
        and listened artist a adds c_a z_b' v_a, as A_u is symmetric.
        """
        vectors = self.artists[listened].astype(np.float64)
        across = vectors.transpose(0, 2, 1)
        lhs = gram + np.matmul(across * (weight - 1.0)[:, None, :], vectors)
        listed = self.artists[artists].astype(np.float64).transpose(0, 2, 1)
        solved = np.linalg.solve(lhs, listed).transpose(0, 2, 1)
        return np.asarray(np.matmul(solved, across) * weight[:, None, :], dtype=np.float32)


def mean_contributions(
    fits: Sequence[Factors],
    confidence: sps.csr_array,
    artists: np.ndarray,
    regularization: float,
) -> Iterator[np.ndarray]:
    """The shares of `Factors.contributions`, averaged over several fits.

    Args:
        fits: one or more, their vectors equally long.
        confidence: as `Factors.contributions`.
        artists: as `Factors.contributions`.
        regularization: as `Factors.contributions`.

    Yields:
        (m, k) float32 for each listener of m artists.
    """
    with threadpool_limits(1, "blas"):  # several threads would round otherwise
        grams = [fit._gram(regularization) for fit in fits]  # noqa: SLF001 (this module's)

    def split(start: int) -> list[np.ndarray]:
        rows = slice(start, start + _BLOCK)
        return _block(fits, grams, confidence[rows], artists[rows])

    for block in in_threads(split, range(0, confidence.shape[0], _BLOCK)):
        yield from block


def _block(
    fits: Sequence[Factors], grams: Sequence[np.ndarray], plays: sps.csr_array, artists: np.ndarray
) -> list[np.ndarray]:
    """Shares of some listeners; those of equally many artists are solved for together."""
    sizes = np.diff(plays.indptr)
    length = fits[0].artists.shape[1]
    shares = [np.empty((0, artists.shape[1]), dtype=np.float32)] * len(sizes)
    for size in np.unique(sizes[sizes > 0]):
        alike = np.flatnonzero(sizes == size)
        step = max(1, _BYTES // (8 * length * max(int(size), length)))
        for start in range(0, len(alike), step):
            rows = alike[start : start + step]
            entries = plays.indptr[rows][:, None] + np.arange(size)
            listened, weight = plays.indices[entries], plays.data[entries].astype(np.float64)
            total = np.zeros((len(rows), artists.shape[1], size), dtype=np.float32)
            for fit, gram in zip(fits, grams, strict=True):
                total += fit._split(gram, listened, weight, artists[rows])  # noqa: SLF001
            total /= len(fits)
            for row, share in zip(rows, total, strict=True):
                shares[row] = share.T
    return shares


def presence(plays: sps.csr_array) -> sps.csr_array:
    """Confidence 1, float64, on the listened pairs."""
    return sps.csr_array((np.ones(plays.nnz), plays.indices, plays.indptr), shape=plays.shape)
