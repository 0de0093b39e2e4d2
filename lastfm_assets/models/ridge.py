r"""Ridge regression of every artist on all others, with a zero diagonal (Steck, 2019).

For rows X (users, and whatever else is known of artists as further rows) the coefficients

.. math:: B = I - P\,\operatorname{diag}(P)^{-1}, \qquad P = (X^\top X + \lambda I)^{-1}

are the exact solution of :math:`\min_B \lVert X - XB\rVert^2 + \lambda\lVert B\rVert^2` with
:math:`B_{aa} = 0`. Where rows are fewer than artists, Woodbury's identity

.. math:: P = (I - X^\top K X) / \lambda, \qquad K = (\lambda I + X X^\top)^{-1}

gives the same through one rows x rows inverse, and no artists x artists matrix is ever made:
with :math:`q_a = 1 - x_a^\top K x_a`, :math:`B_{ja} = x_j^\top K x_a / q_a` for j other than a.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
import scipy.sparse as sps
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from lastfm_assets.models.arrays import csr_from_arrays, csr_to_arrays, entries_of

_BLOCK: Final = 512
"""Listeners explained at once."""


class Ridge(Protocol):
    """Solved coefficients B, (n_artists, n_artists), however they are held."""

    def scores(self, listened: sps.csr_array) -> np.ndarray:
        """(n, n_artists) weights of listened artists, times B, float32."""
        ...

    def shares(self, listened: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """What each listened artist j adds to the scores of some artists, z_j B_ja.

        `listened` is (n, n_artists) weights z, `artists` (n, k) columns; for each listener of m
        artists comes (m, k) float32, rows in the order of its indices.
        """
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything learnt, as plain numeric arrays."""
        ...


@dataclass(frozen=True, slots=True)
class RowSide:
    """B through rows x rows: exact, and small where rows are fewer than artists."""

    rows: sps.csr_array
    """(n_rows, n_artists) float32, X."""
    inverse: np.ndarray
    """(n_rows, n_rows) float32, K."""
    remainder: np.ndarray
    """(n_artists,) float32, q: 1 where nothing is known of an artist, above 0 always."""

    @classmethod
    def solve(cls, rows: sps.csr_array, regularization: float) -> Self:
        """Solves for X = `rows` and lambda = `regularization` > 0.

        Raises:
            ValueError: lambda is lost in rounding beside X.
        """
        inverse = _inverse(rows @ rows.T, regularization)
        by_artist = rows.T.tocsr().astype(np.float64)
        explained = np.zeros(rows.shape[1])
        for artist in np.flatnonzero(np.diff(by_artist.indptr)):
            entries = slice(by_artist.indptr[artist], by_artist.indptr[artist + 1])
            known, weight = by_artist.indices[entries], by_artist.data[entries]
            explained[artist] = weight @ inverse[np.ix_(known, known)] @ weight
        return cls(rows, inverse.astype(np.float32), (1.0 - explained).astype(np.float32))

    def through_rows(self, listened: sps.csr_array) -> np.ndarray:
        """(n, n_rows) float32, z X' K: how much each row speaks for each listener z."""
        overlaps = (listened @ self.rows.T).toarray()
        with threadpool_limits(1, "blas"):  # several threads would round otherwise
            return np.asarray(overlaps @ self.inverse, dtype=np.float32)

    def scores(self, listened: sps.csr_array) -> np.ndarray:
        """See the protocol."""
        return self.scores_through(self.through_rows(listened), listened)

    def scores_through(self, speaking: np.ndarray, listened: sps.csr_array) -> np.ndarray:
        """The scores from what `through_rows` gave for the same listeners."""
        scores = np.asarray(self.rows.T @ speaking.T, dtype=np.float32).T / self.remainder
        # at an artist z that is listened to: z - (z - zX'KX) / q, as B has no diagonal
        user = np.repeat(np.arange(listened.shape[0]), np.diff(listened.indptr))
        own = listened.data * (1.0 - 1.0 / self.remainder[listened.indices])
        scores[user, listened.indices] += own
        return np.asarray(scores, dtype=np.float32)

    def shares(self, listened: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """See the protocol; K x_a is computed once for all listeners of a block."""
        by_artist = self.rows.T.tocsr()
        for start in range(0, len(artists), _BLOCK):
            block = artists[start : start + _BLOCK]
            distinct, place = np.unique(block, return_inverse=True)
            with threadpool_limits(1, "blas"):
                spoken = self.inverse @ self.rows[:, distinct].toarray()
            spoken /= self.remainder[distinct]
            place = place.reshape(block.shape)
            for row, wanted in enumerate(block):
                mine, weight = entries_of(listened, start + row)
                values = by_artist[mine] @ spoken[:, place[row]]
                values[mine[:, None] == wanted[None, :]] = 0.0
                yield np.asarray(values * weight[:, None], dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {
            **csr_to_arrays("rows", self.rows),
            "inverse": self.inverse,
            "remainder": self.remainder,
        }


@dataclass(frozen=True, slots=True)
class ArtistSide:
    """B itself: where artists are fewer than rows."""

    matrix: np.ndarray
    """(n_artists, n_artists) float32, B."""

    @classmethod
    def solve(cls, rows: sps.csr_array, regularization: float) -> Self:
        """Solves for X = `rows` and lambda = `regularization` > 0.

        Raises:
            ValueError: as `RowSide.solve`.
        """
        inverse = _inverse(rows.T @ rows, regularization)
        matrix = -inverse / np.diag(inverse)
        np.fill_diagonal(matrix, 0.0)
        return cls(matrix.astype(np.float32))

    def scores(self, listened: sps.csr_array) -> np.ndarray:
        """See the protocol."""
        return np.asarray(listened @ self.matrix, dtype=np.float32)

    def shares(self, listened: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """See the protocol."""
        for row, wanted in enumerate(artists):
            mine, weight = entries_of(listened, row)
            yield np.asarray(self.matrix[np.ix_(mine, wanted)] * weight[:, None])

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {"matrix": self.matrix}


def solve(rows: sps.csr_array, regularization: float) -> Ridge:
    """The exact coefficients, through whichever side is smaller."""
    n_rows, n_artists = rows.shape
    side = RowSide if n_rows <= n_artists else ArtistSide
    return side.solve(rows, regularization)


def ridge_from_arrays(arrays: Mapping[str, np.ndarray]) -> Ridge:
    """The inverse of `Ridge.arrays`."""
    if "matrix" in arrays:
        return ArtistSide(arrays["matrix"])
    return RowSide(csr_from_arrays("rows", arrays), arrays["inverse"], arrays["remainder"])


def _inverse(gram: sps.csr_array, regularization: float) -> np.ndarray:
    """(G + lambda I)^-1 in float64, from Cholesky's factor; the same on any number of cores."""
    dense = np.asfortranarray(gram.toarray(), dtype=np.float64)
    dense[np.diag_indices_from(dense)] += regularization
    with threadpool_limits(1, "blas"):  # sums of several threads round differently
        factor, failed = lapack.dpotrf(dense, lower=True, overwrite_a=True)
        if failed:
            raise ValueError(f"X X' + {regularization:g} I is not positive definite")
        half, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
    return np.asarray(np.tril(half) + np.tril(half, -1).T)
