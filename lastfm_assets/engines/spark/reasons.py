r"""Why MLlib's ALS recommends an artist: each listened artist's exact share of the score.

MLlib's vector of a user solves :math:`A_u x_u = \sum_{a \in u} c_{ua} v_a` with
:math:`A_u = V^\top V + V_u^\top (C_u - I) V_u + \lambda' n_u I`, so the score of artist b splits
into :math:`\sum_a c_{ua}\, v_a^\top A_u^{-1} v_b` (Hu, Koren & Volinsky, 2008, section 5), as
locally in `models.factors`, whose penalty is the same for every user.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import scipy.sparse as sps

from lastfm_assets.models.arrays import entries_of
from lastfm_assets.models.ranking import NOBODY, best_columns
from lastfm_assets.recommendations.lists import REASONS

_CHUNK: Final = 256
"""Users whose shares lie side by side."""


class Reasons:
    """Explains lists; made once for all artists of a model."""

    def __init__(self, vectors: np.ndarray, fits: int, regularization: float) -> None:
        """Sums the artists' vectors up.

        Args:
            vectors: (n_artists, fits x k) float32.
            fits: number of fits whose vectors lie end to end.
            regularization: MLlib's, multiplied by each user's number of pairs.
        """
        self._vectors = np.split(vectors, fits, axis=1)
        self._regularization = regularization
        self._grams = [_gram(one) for one in self._vectors]

    def of(self, ratings: sps.csr_array, artists: np.ndarray, names: pa.StringArray) -> np.ndarray:
        """(n_users, n) texts: up to three names of listened artists that add most, best first.

        Args:
            ratings: (n_users, n_artists) confidence beside 1 of the listened pairs.
            artists: (n_users, n) positions of the listed artists, `NOBODY` where a list has ended.
            names: n_artists names by position.
        """
        texts = np.full(artists.shape, "", dtype=object)
        played = np.unique(ratings.indices)
        known = names.take(pa.array(played)).to_numpy(zero_copy_only=False)
        for start in range(0, len(artists), _CHUNK):
            rows = range(start, min(start + _CHUNK, len(artists)))
            shares = [self.shares(*entries_of(ratings, row), artists[row]) for row in rows]
            best, value = best_columns(_padded(shares), REASONS)
            for at, row in enumerate(rows):
                listened = entries_of(ratings, row)[0]
                for place in np.flatnonzero(artists[row] != NOBODY):
                    line = at * artists.shape[1] + place
                    used = best[line][value[line] > 0]
                    texts[row, place] = "; ".join(known[np.searchsorted(played, listened[used])])
        return texts

    def shares(self, listened: np.ndarray, rating: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """What each listened artist adds to the scores of some artists, averaged over the fits.

        Args:
            listened: (m,) positions of the artists that a user plays.
            rating: (m,) confidence beside 1.
            wanted: (n,) positions to explain.

        Returns:
            (n, m) float32; rows sum to the scores.
        """
        confidence = 1.0 + rating.astype(np.float64)
        total = np.zeros((len(wanted), len(listened)))
        for vectors, gram in zip(self._vectors, self._grams, strict=True):
            own = vectors[listened].astype(np.float64)
            lhs = gram + (own.T * (confidence - 1.0)) @ own
            lhs[np.diag_indices_from(lhs)] += self._regularization * len(listened)
            explained = np.linalg.solve(lhs, vectors[wanted].T.astype(np.float64))
            total += explained.T @ (own.T * confidence)
        return np.asarray(total / len(self._vectors), dtype=np.float32)


def _gram(vectors: np.ndarray) -> np.ndarray:
    """(k, k) float64, a part of the artists at a time."""
    k = vectors.shape[1]
    total = np.zeros((k, k))
    for start in range(0, len(vectors), 2**16):
        part = vectors[start : start + 2**16].astype(np.float64)
        total += part.T @ part
    return total


def _padded(shares: list[np.ndarray]) -> np.ndarray:
    """(sum of n, longest m) shares below one another, -inf behind the last listened artist."""
    width = max(share.shape[1] for share in shares)
    n = shares[0].shape[0]
    padded = np.full((n * len(shares), width), -np.inf, dtype=np.float32)
    for at, share in enumerate(shares):
        padded[at * n : (at + 1) * n, : share.shape[1]] = share
    return padded
