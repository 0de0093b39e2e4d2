"""Artists laid out for inner products, and how far such a product may be off."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from lastfm_assets.models.factors import Factors

_UNIT: Final = 2.0**-24
"""Half the distance from 1 to the next float32: the relative error of one rounding."""
_TINY: Final = 1e-35
"""More than what products below the smallest normal float32 can lose, a few hundred of them."""
LARGEST: Final = 1e37
"""Scores up to here, and their differences, stay finite in float32."""
_PAIRS_AT_ONCE: Final = 2048


@dataclass(frozen=True, slots=True)
class Catalogue:
    r"""Artists by falling length, so that a search can end before the last one.

    No score that a user x has from place p on is above
    :math:`\lVert x \rVert \max_{q \ge p} \lVert v_q \rVert + \max_{q \ge p} b_q` (Cauchy and
    Schwarz). Where the n-th best so far is above that, the search is over (Teflioudi, Gemulla &
    Mykytiuk, LEMP, 2015).
    """

    vectors: np.ndarray
    """(n_artists, k + 2) float32 in order of places: vector, bias, 1."""
    columns: np.ndarray
    """(n_artists,) int32 column of the matrix of each place."""
    places: np.ndarray
    """(n_artists,) int32 place of each column."""
    lengths: np.ndarray
    """(n_artists + 1,) float64, the largest length of a vector from this place on; 0 at the end."""
    highest: np.ndarray
    """(n_artists + 1,) float64, the largest bias from this place on; -inf at the end."""
    lowest: np.ndarray
    """(n_artists + 1,) float64, the smallest bias from this place on; inf at the end."""

    @classmethod
    def of(cls, factors: Factors, usual_length: float) -> "Catalogue":
        """Lays the artists of a model out.

        Args:
            factors: whose artists.
            usual_length: of the users' vectors, which says how much a bias weighs beside a vector.
        """
        bias = factors.artist_bias.astype(np.float64)
        length = lengths_of(factors.artists)
        columns = np.argsort(-(usual_length * length + bias), kind="stable").astype(np.int32)
        places = np.empty_like(columns)
        places[columns] = np.arange(len(columns), dtype=np.int32)
        k = factors.artists.shape[1]
        vectors = np.ones((len(columns), k + 2), dtype=np.float32)
        np.take(factors.artists, columns, axis=0, out=vectors[:, :k], mode="clip")
        vectors[:, k] = factors.artist_bias[columns]
        return cls(
            vectors,
            columns,
            places,
            _from_here_on(np.maximum, length[columns], 0.0),
            _from_here_on(np.maximum, bias[columns], -np.inf),
            _from_here_on(np.minimum, bias[columns], np.inf),
        )

    @property
    def first_zero(self) -> int:
        """The place from which on every vector is zero."""
        return int(np.searchsorted(-self.lengths, 0.0))

    def ceiling(self, place: int | np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(m,) float64 that no score from `place` on exceeds, for users of such lengths."""
        return np.asarray(lengths * self.lengths[place] + self.highest[place])

    def floor(self, place: int | np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(m,) float64 that every score from `place` on reaches."""
        return np.asarray(self.lowest[place] - lengths * self.lengths[place])

    def largest(self, place: int | np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(m,) float64 bound of the size of every score from `place` on."""
        bias = np.maximum(self.highest[place], -self.lowest[place])
        return np.asarray(lengths * self.lengths[place] + np.abs(bias))


def largest_scores(factors: Factors, lengths: np.ndarray) -> np.ndarray:
    """(m,) float64 bound of a score's size, for users of such lengths."""
    artists = lengths_of(factors.artists).max(initial=0.0)
    return np.asarray(lengths * artists + np.abs(factors.artist_bias).max(initial=0.0))


def slack_of(largest: np.ndarray, k: int) -> np.ndarray:
    """How far a float32 product may be from `exact_scores`, however it is summed.

    A sum of k products is off by at most k roundings of the product of both lengths (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, 3.5); bias and threshold are two more
    terms, and 3 covers that a threshold is as large as a score, and rounding it.

    Args:
        largest: (m,) see `largest_scores`.
        k: length of a vector.
    """
    return np.asarray(3.0 * (k + 4) * _UNIT * largest + _TINY)


def lengths_of(vectors: np.ndarray) -> np.ndarray:
    """(n,) float64 lengths, a little too long rather than too short."""
    squared = np.einsum("nk,nk->n", vectors, vectors, dtype=np.float64)
    return np.asarray(np.sqrt(squared) * (1.0 + 1e-12))


def row_lengths(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(m,) the same of some rows, without a copy of them all."""
    lengths = np.empty(len(rows))
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        lengths[part] = lengths_of(vectors[rows[part]])
    return lengths


def exact_scores(factors: Factors, user_rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Scores of some pairs: float64 sums, rounded to float32 once.

    One pair's score is the same whatever it is computed with, unlike an entry of a product of
    matrices, which depends on the shape of both.

    Args:
        factors: the model's.
        user_rows: (p,) rows.
        columns: (p,) columns.
    """
    scores = np.empty(len(columns), dtype=np.float32)
    for start in range(0, len(columns), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        users = factors.users[user_rows[part]].astype(np.float64)
        artists = factors.artists[columns[part]].astype(np.float64)
        products = np.einsum("pk,pk->p", users, artists)
        scores[part] = products + factors.artist_bias[columns[part]]
    return scores


def just_below(values: np.ndarray) -> np.ndarray:
    """float32 that are not above these float64."""
    return np.asarray(np.nextafter(values.astype(np.float32), np.float32(-np.inf)))


def just_above(values: np.ndarray) -> np.ndarray:
    """float32 that are not below these float64."""
    return np.asarray(np.nextafter(values.astype(np.float32), np.float32(np.inf)))


def first_place(
    holds: Callable[[np.ndarray, np.ndarray], np.ndarray], n_pairs: int, end: int
) -> np.ndarray:
    """(p,) the first place at which something holds, which then holds on, or `end`.

    Args:
        holds: (q,) pairs and (q,) places before `end` -> (q,) whether.
        n_pairs: p.
        end: one behind the last place.
    """
    low, high = np.zeros(n_pairs, dtype=np.int64), np.full(n_pairs, end)
    while (open_ := np.flatnonzero(low < high)).size:
        middle = (low[open_] + high[open_]) // 2
        found = holds(open_, middle)
        high[open_[found]] = middle[found]
        low[open_[~found]] = middle[~found] + 1
    return low


def _from_here_on(which: np.ufunc, values: np.ndarray, last: float) -> np.ndarray:
    """(n + 1,) `which` of all values from each place on, `last` included."""
    return np.asarray(which.accumulate(np.append(values, last)[::-1])[::-1])
