"""How much lists have in common with those of before, and who has come and gone."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Users by what their lists have in common: all that two sets of lists are compared by."""

    groups: Integers
    """(n, 4), rising: artists in both lists of a user, in the list before, in the list now, and
    how many users that is true of; no list is one of 0 artists."""

    @classmethod
    def of_counts(cls, counts: Iterable[tuple[int, int, int, int]]) -> Self:
        """From rows of `groups` in any order."""
        return cls(np.array(sorted(counts), dtype=np.int64).reshape(-1, 4))

    @classmethod
    def of_lists(cls, before: tuple[Integers, Integers], now: tuple[Integers, Integers]) -> Self:
        """Compares lists user by user.

        Args:
            before: (n,) users and (n,) artists of the lists before; no pair twice.
            now: the same of the lists now.
        """
        if all(np.array_equal(one, other) for one, other in zip(before, now, strict=True)):
            lengths, counts = np.unique(
                np.unique(now[0], return_counts=True)[1], return_counts=True
            )
            return cls(np.column_stack([lengths, lengths, lengths, counts]).astype(np.int64))
        users, places = _numbered(before[0], now[0])
        artists, named = _numbered(before[1], now[1])
        was, is_now = (
            place * len(artists) + name for place, name in zip(places, named, strict=True)
        )
        shared = np.intersect1d(was, is_now, assume_unique=True) // max(len(artists), 1)
        sizes = [np.bincount(place, minlength=len(users)) for place in (shared, *places)]
        base = max((int(size.max()) for size in sizes if len(size)), default=0) + 1
        number, counts = np.unique(
            (sizes[0] * base + sizes[1]) * base + sizes[2], return_counts=True
        )
        groups = [number // base**2, number // base % base, number % base, counts]
        return cls(np.column_stack(groups).astype(np.int64))

    @property
    def users_before(self) -> int:
        """Users who had a list."""
        return self._users(self.groups[:, 1] > 0)

    @property
    def users_now(self) -> int:
        """Users who have a list."""
        return self._users(self.groups[:, 2] > 0)

    @property
    def common(self) -> int:
        """Users who had a list and have one."""
        return self._users(self._of_both)

    @property
    def other(self) -> int:
        """Users whose list has no artist of the one before."""
        return self._users(self._of_both & (self.groups[:, 0] == 0))

    @property
    def mean_jaccard(self) -> float:
        r""":math:`|A \cap B| / |A \cup B|` of lists of common users, its mean; NaN of nobody."""
        if not self.common:
            return math.nan
        shared, before, now, users = self.groups[self._of_both].T
        return float((shared / (before + now - shared) * users).sum() / users.sum())

    @property
    def _of_both(self) -> npt.NDArray[np.bool_]:
        return (self.groups[:, 1] > 0) & (self.groups[:, 2] > 0)

    def _users(self, chosen: npt.NDArray[np.bool_]) -> int:
        return int(self.groups[chosen, 3].sum())


def _numbered(before: Integers, now: Integers) -> tuple[Integers, list[Integers]]:
    """All ids, rising, and the place of each among them."""
    ids = np.union1d(before, now)
    return ids, [np.searchsorted(ids, some) for some in (before, now)]
