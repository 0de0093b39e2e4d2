"""How many artists score higher than a wanted one, for a block of users.

As in `product_search`, artists come by falling length, and a count ends where none of those to
come can score higher, or where each of them must. Scores too near to be told apart by a float32
product are settled by `exact_scores`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.factors import Factors
from lastfm_assets.models.left_out import LeftOut, LeftOutOfUsers
from lastfm_assets.models.product_search import Products
from lastfm_assets.models.products import (
    Catalogue,
    exact_scores,
    first_place,
    just_above,
    just_below,
    row_lengths,
    slack_of,
)

_NEAR: Final = 2**12
"""Near scores that are settled at once, as soon as there are so many."""
_WAITING: Final = 64
"""Times that fewer of them wait for more."""


@dataclass(frozen=True, slots=True)
class Counting:
    """Wanted artists of a block of users, and how many score as high or higher."""

    factors: Factors
    catalogue: Catalogue
    user_rows: np.ndarray
    lengths: np.ndarray
    left_out: LeftOut
    played: LeftOutOfUsers
    users: np.ndarray
    """(p,) position of the user in the block, not falling."""
    columns: np.ndarray
    """(p,) wanted artists."""
    values: np.ndarray
    """(p,) float32, their scores."""
    higher: np.ndarray
    """(p,) int64, artists that score higher, so far."""
    equal: np.ndarray
    """(p,) int64, artists that score the same, itself included, so far."""
    near: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    """Pairs and places that are not settled yet."""

    @classmethod
    def of(
        cls,
        factors: Factors,
        catalogue: Catalogue,
        user_rows: np.ndarray,
        wanted: tuple[np.ndarray, np.ndarray],
        leave_out: sps.csr_array | None,
    ) -> "Counting":
        """Nothing counted yet."""
        users, columns = wanted
        left_out = LeftOut.of(leave_out, user_rows, catalogue.places)
        return cls(
            factors,
            catalogue,
            user_rows,
            row_lengths(factors.users, user_rows),
            left_out,
            LeftOutOfUsers.of(left_out),
            users,
            columns,
            exact_scores(factors, user_rows[users], columns),
            np.zeros(len(users), dtype=np.int64),
            np.zeros(len(users), dtype=np.int64),
        )

    def ranks(self, scores: int) -> np.ndarray:
        """(p,) float64, NaN for what is left out; `scores` are computed at once."""
        self._count(scores)
        self._settle()
        ranks = self.higher + (self.equal + 1) / 2
        places = self.catalogue.places[self.columns]
        return np.where(self.played.contains(self.users, places), np.nan, ranks)

    def _count(self, scores: int) -> None:
        """Counts over all artists but those whose vector is zero, block by block."""
        products = Products(self.catalogue, self.factors.users[self.user_rows], scores)
        zeros = self.catalogue.first_zero
        ends, all_higher = self._ends(zeros)
        counted = np.where(ends > 0, zeros, 0)
        place = 0
        while place < zeros and (going := np.flatnonzero(ends > place)).size:
            users, slots = _slots(self.users, going)
            products.choose(users, np.zeros(len(self.user_rows)))
            block = products.excess(place, min(products.at_once(place), zeros - place))
            self.left_out.write(block, place, products.position)
            for pairs in slots:
                self._compare(products, block, pairs, place)
            place += len(block)
            counted[going[ends[going] <= place]] = place
        # from where it stopped, every artist that is not left out scores higher
        rest = zeros - counted - self.played.between(self.users, counted, zeros)
        self.higher[all_higher] += rest[all_higher]
        self._count_zeros(zeros)

    def _ends(self, zeros: int) -> tuple[np.ndarray, np.ndarray]:
        """(p,) places from which on counting is needless, and whether all of those are higher."""
        k = self.factors.artists.shape[1]

        def none_left(pairs: np.ndarray, places: np.ndarray) -> np.ndarray:
            lengths = self.lengths[self.users[pairs]]
            slack = slack_of(self.catalogue.largest(places, lengths), k)
            return np.asarray(self.catalogue.ceiling(places, lengths) + slack < self.values[pairs])

        def all_left(pairs: np.ndarray, places: np.ndarray) -> np.ndarray:
            lengths = self.lengths[self.users[pairs]]
            slack = slack_of(self.catalogue.largest(places, lengths), k)
            return np.asarray(self.catalogue.floor(places, lengths) - slack > self.values[pairs])

        none, every = (first_place(test, len(self.users), zeros) for test in (none_left, all_left))
        return np.minimum(none, every), every < none

    def _compare(
        self, products: Products, block: np.ndarray, pairs: np.ndarray, place: int
    ) -> None:
        """Counts what is surely higher, and remembers what is near.

        Args:
            products: who the block's columns are.
            block: (b, m) scores of the artists from `place` on.
            pairs: (q,) one wanted artist of each of the first q users.
            place: the first artist of the block.
        """
        lengths = self.lengths[self.users[pairs]]
        largest = self.catalogue.largest(np.full(len(pairs), place), lengths)
        slack = slack_of(largest, self.factors.artists.shape[1])
        shown = block[:, : len(pairs)]
        surely, perhaps = products.masks(shown.shape)
        np.greater(shown, just_above(self.values[pairs] + slack), out=surely)
        self.higher[pairs] += surely.view(np.uint8).sum(axis=0, dtype=np.uint16)
        np.greater_equal(shown, just_below(self.values[pairs] - slack), out=perhaps)
        near = np.flatnonzero(np.not_equal(surely, perhaps, out=perhaps))
        artist, at = np.divmod(near, len(pairs))
        if len(near):
            self.near.append((pairs[at], artist + place))
        if len(near) > _NEAR or len(self.near) > _WAITING:
            self._settle()

    def _settle(self) -> None:
        """Counts what is near by exact scores."""
        if not self.near:
            return
        pairs, places = (np.concatenate(each) for each in zip(*self.near, strict=True))
        self.near.clear()
        rows = self.user_rows[self.users[pairs]]
        scores = exact_scores(self.factors, rows, self.catalogue.columns[places])
        self._add(pairs, scores, 1)

    def _add(self, pairs: np.ndarray, scores: np.ndarray, sign: int) -> None:
        """Counts (q,) scores for (q,) pairs, or takes them back."""
        for counts, counted in (
            (self.higher, scores > self.values[pairs]),
            (self.equal, scores == self.values[pairs]),
        ):
            np.add(counts, sign * np.bincount(pairs[counted], minlength=len(counts)), out=counts)

    def _count_zeros(self, zeros: int) -> None:
        """Counts the artists whose vector is zero: to everybody, their score is their bias."""
        rising = np.sort(self.factors.artist_bias[self.catalogue.columns[zeros:]])
        up_to = np.searchsorted(rising, self.values, side="right")
        self.higher[:] += len(rising) - up_to
        self.equal[:] += up_to - np.searchsorted(rising, self.values, side="left")
        first = np.searchsorted(self.left_out.places, zeros)
        users, places = self.left_out.rows[first:], self.left_out.places[first:]
        start, end = (np.searchsorted(self.users, users, side=side) for side in ("left", "right"))
        pairs = _ranges(start, end)
        places = np.repeat(places, end - start)
        self._add(pairs, self.factors.artist_bias[self.catalogue.columns[places]], -1)


def _slots(users: np.ndarray, going: np.ndarray) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Pairs in rows of one a user, so that each row is of the first so many users.

    Args:
        users: (p,) user of each pair.
        going: (g,) pairs that are still counted, by user.

    Returns:
        (m,) users, those with most pairs first, and for each slot the (q,) pairs of the first q.
    """
    of, first, sizes = np.unique(users[going], return_index=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    first, sizes = first[order], sizes[order]

    def each() -> Iterator[np.ndarray]:
        for slot in range(int(sizes[0])):
            yield going[first[: np.searchsorted(-sizes, -slot, side="left")] + slot]

    return of[order], each()


def _ranges(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """All numbers from each start up to its end, one range after the other."""
    sizes = end - start
    before = np.cumsum(sizes) - sizes
    return np.asarray(np.arange(sizes.sum()) + np.repeat(start - before, sizes))
