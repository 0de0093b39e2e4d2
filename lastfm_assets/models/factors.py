"""Latent factors: scores, listeners not seen before, and what explains a score."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.arrays import entries_of


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

        Yields:
            (m, k) float32 for each listener of m artists; columns sum to the folded-in scores
            without the bias.
        """
        gram = self._gram(regularization)
        for row in range(confidence.shape[0]):
            shares = self._shares(gram, *entries_of(confidence, row))
            yield np.asarray(shares.T @ self.artists[artists[row]].T, dtype=np.float32)

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


def presence(plays: sps.csr_array) -> sps.csr_array:
    """Confidence 1, float64, on the listened pairs."""
    return sps.csr_array((np.ones(plays.nnz), plays.indices, plays.indptr), shape=plays.shape)
