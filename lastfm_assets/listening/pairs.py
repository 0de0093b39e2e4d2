"""Rows of plays brought together by user and artist, by sorting one number a row."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lastfm_assets.listening.blocks import Positions, blocks, looked_up, ordered, ranked
from lastfm_assets.vocabulary import Columns


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows ordered by user and artist, so that equal pairs follow each other in file order."""

    users: npt.NDArray[np.int64]
    """(u,) ids, rising."""
    catalogue: npt.NDArray[np.int64]
    """(a,) ids, rising."""
    keys: npt.NDArray[np.int64]
    """(n,) rising: place in `users` times a, and place in `catalogue`."""
    order: Positions
    """(n,) row of each key."""
    starts: npt.NDArray[np.int64] | None
    """(m,) where each different key begins; None where all are different."""

    @classmethod
    def of(
        cls, users: npt.NDArray[np.int64], artist_rows: Positions, catalogue: npt.NDArray[np.int64]
    ) -> Self:
        """Of (n,) users by id and artists by their place in the catalogue."""
        ids, user_rows = ranked(users)
        keys = user_rows.astype(np.int64)
        del user_rows
        keys *= len(catalogue)
        keys += artist_rows
        order, keys = ordered(keys, max(1, len(ids) * len(catalogue)))
        differs = keys[1:] != keys[:-1]
        starts = None if differs.all() else np.flatnonzero(np.append(True, differs))
        return cls(ids, catalogue, keys, order, starts)

    @property
    def comes_again(self) -> bool:
        """Whether any pair has several rows."""
        return self.starts is not None

    def repeated(self) -> Positions:
        """Rows of pairs that have an earlier row."""
        later = np.ones(len(self.order), dtype=bool)
        later[self.starts] = False
        return self.order[later]

    def reduced(self, values: npt.NDArray[Any], how: np.ufunc) -> npt.NDArray[Any]:
        """(m,) values of each pair's rows, added up or the like, from (n,) values by row."""
        found = looked_up(values, self.order)
        return found if self.starts is None else how.reduceat(found, self.starts)

    def named(self) -> dict[str, npt.NDArray[np.int64]]:
        """(m,) ids of each pair, ordered by them."""
        keys = self.keys if self.starts is None else self.keys[self.starts]
        ids = {name: np.empty(len(keys), dtype=np.int64) for name in (Columns.USER, Columns.ARTIST)}
        for rows in blocks(len(keys)):
            user, artist = np.divmod(keys[rows], max(1, len(self.catalogue)))
            ids[Columns.USER][rows] = self.users[user]
            ids[Columns.ARTIST][rows] = self.catalogue[artist]
        return ids
