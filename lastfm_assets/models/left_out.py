"""What users must not get, by the place of the artist."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sps


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What some users must not get, by place."""

    rows: np.ndarray
    """(p,) position of the user in the block."""
    places: np.ndarray
    """(p,) places, rising."""

    @classmethod
    def of(
        cls, leave_out: sps.csr_array | None, user_rows: np.ndarray, places: np.ndarray
    ) -> "LeftOut":
        """The stored entries of these rows, `places` giving the place of each column."""
        if leave_out is None:
            return cls(np.empty(0, np.int64), np.empty(0, np.int32))
        stored = leave_out[user_rows]
        rows = np.repeat(np.arange(len(user_rows)), np.diff(stored.indptr))
        of = places[stored.indices]
        order = np.argsort(of)
        return cls(rows[order], of[order])

    def write(self, scores: np.ndarray, place: int, position: np.ndarray) -> None:
        """Writes -inf.

        Args:
            scores: (b, m) of the artists from `place` on.
            place: the first artist.
            position: (users of the block,) column of `scores` of each, -1 where it has none.
        """
        first, end = np.searchsorted(self.places, [place, place + len(scores)])
        column = position[self.rows[first:end]]
        shown = column >= 0
        scores[self.places[first:end][shown] - place, column[shown]] = -np.inf


@dataclass(frozen=True, slots=True)
class LeftOutOfUsers:
    """What users must not get, to be looked up."""

    keys: np.ndarray
    """(p,) int64, rising: user x 2^32 + place."""

    @classmethod
    def of(cls, left_out: LeftOut) -> "LeftOutOfUsers":
        """The same pairs."""
        return cls(np.sort((left_out.rows.astype(np.int64) << 32) + left_out.places))

    def contains(self, users: np.ndarray, places: np.ndarray) -> np.ndarray:
        """(p,) whether a place is left out for a user."""
        return self.between(users, places, places + 1) > 0

    def between(self, users: np.ndarray, start: np.ndarray, end: np.ndarray | int) -> np.ndarray:
        """(p,) how many places from `start` on, before `end`, are left out for a user."""
        of = users.astype(np.int64) << 32
        return np.asarray(
            np.searchsorted(self.keys, of + end) - np.searchsorted(self.keys, of + start)
        )
