"""Artists that may be among the best of their user, while the search goes on."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from lastfm_assets.models.factors import Factors
from lastfm_assets.models.products import exact_scores, just_below

_CROWD: Final = 64
"""Candidates of one user, beside 4 n, from which on ties are settled before the end."""


@dataclass(slots=True)
class Candidates:
    """Artists that may be among the best n of their user."""

    n: int
    rows: np.ndarray
    """(p,) int32 position of the user in the block."""
    places: np.ndarray
    """(p,) int32 place of the artist."""
    scores: np.ndarray
    """(p,) float32, off by at most the user's slack."""
    pending: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    """The same of artists that were met since the last `keep_best`."""
    n_pending: int = 0

    @classmethod
    def none(cls, n: int) -> "Candidates":
        """Nobody yet."""
        return cls(n, np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, dtype=np.float32))

    def add(
        self, rows: np.ndarray, places: np.ndarray, scores: np.ndarray, ends: np.ndarray
    ) -> None:
        """Further artists, each for one user, where they come before the user's (m,) end."""
        before = places < ends[rows]
        rows, places, scores = rows[before], places[before], scores[before]
        self.pending.append((rows.astype(np.int32), places.astype(np.int32), scores))
        self.n_pending += len(rows)

    def gather(self) -> None:
        """Takes in what is pending."""
        parts = [(self.rows, self.places, self.scores), *self.pending]
        self.rows, self.places, self.scores = (
            np.concatenate(each) for each in zip(*parts, strict=True)
        )
        self.pending, self.n_pending = [], 0

    def keep_best(self, thresholds: np.ndarray, slack: np.ndarray) -> np.ndarray:
        """Drops who cannot be among the best n any more.

        An artist is out when its score is below the n-th best by more than both can be off.

        Args:
            thresholds: (m,) float32, below which nobody is in.
            slack: (m,) float64.

        Returns:
            (m,) float32, the thresholds raised to what is known now.
        """
        self.gather()
        users = np.arange(len(thresholds) + 1, dtype=np.int64) << 32
        rising = np.sort((self.rows.astype(np.int64) << 32) + _order(self.scores))
        start, end = np.searchsorted(rising, users)[:-1], np.searchsorted(rising, users)[1:]
        enough = np.flatnonzero(end - start >= self.n)
        nth = _value(rising[end[enough] - self.n] & 0xFFFFFFFF)
        raised = thresholds.copy()
        raised[enough] = np.maximum(thresholds[enough], just_below(nth - 2 * slack[enough]))
        self.keep(np.flatnonzero(self.scores >= raised[self.rows]))
        return raised

    def settle_crowds(self, factors: Factors, user_rows: np.ndarray, columns: np.ndarray) -> None:
        """Keeps the exact best n of users with a crowd of equal artists.

        Args:
            factors: the model's.
            user_rows: (m,) rows of the block's users.
            columns: (n_artists,) column of each place.
        """
        sizes = np.bincount(self.rows, minlength=len(user_rows))
        crowded = (sizes > 4 * self.n + _CROWD)[self.rows]
        if crowded.any():
            at = np.flatnonzero(crowded)
            of = columns[self.places[at]]
            scores = exact_scores(factors, user_rows[self.rows[at]], of)
            self.scores[at] = scores
            order, place = in_lists(self.rows[at], of, scores)
            out = at[order[place >= self.n]]
            self.keep(np.setdiff1d(np.arange(len(self.rows)), out, assume_unique=True))

    def keep(self, at: np.ndarray) -> None:
        """Drops all but those at (q,) positions."""
        self.rows, self.places, self.scores = self.rows[at], self.places[at], self.scores[at]


def in_lists(
    rows: np.ndarray, columns: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The order of entries by row, falling score and rising column, and each one's place in it.

    Returns:
        (p,) positions in order, and (p,) int64 place of each of these within its row, from 0.
    """
    order = np.lexsort((columns, -scores, rows))
    ordered = rows[order]
    return order, np.arange(len(order)) - np.searchsorted(ordered, ordered)


def _order(scores: np.ndarray) -> np.ndarray:
    """int64 from 0 to 2^32 - 1 that rise with float32 scores."""
    bits = scores.view(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31


def _value(order: np.ndarray) -> np.ndarray:
    """The inverse of `_order`, as float64."""
    bits = (order - 2**31).astype(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32).astype(np.float64)
