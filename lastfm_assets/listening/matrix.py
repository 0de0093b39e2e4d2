"""Plays as a sparse users x artists matrix that carries its weights and its ids."""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sps

from lastfm_assets.listening.blocks import (
    Positions,
    blocks,
    position_type,
    positions_in,
    ranked,
)
from lastfm_assets.listening.weighting import Weigher, Weighting
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ListeningMatrix:
    """Play counts with the names behind rows and columns; one cannot travel without the other.

    Raises:
        ValueError: shapes do not fit, or ids are not strictly rising.
    """

    plays: sps.csr_array
    """(n_users, n_artists) float32 counts, every stored entry >= 1, sorted indices."""
    user_ids: np.ndarray
    """(n_users,) int64, rising; `user_ids[r]` is the source's id of row r."""
    artist_ids: np.ndarray
    """(n_artists,) int64, rising: the whole catalogue, also artists without a play here."""
    weighting: Weighting = field(default_factory=Weighting)
    """How `weights` were made."""
    weights: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    """(nnz,) float32, beside `plays.data`; made from `plays` when not handed in."""

    def __post_init__(self) -> None:
        """Refuses what does not fit, and weighs the plays where no weights came along."""
        expected = (len(self.user_ids), len(self.artist_ids))
        if self.plays.shape != expected:
            raise ValueError(f"plays is {self.plays.shape}, the ids say {expected}")
        for ids in (self.user_ids, self.artist_ids):
            if np.any(np.diff(ids) <= 0):
                raise ValueError("ids must rise strictly")
        if len(self.weights) not in (0, self.plays.nnz):
            raise ValueError(f"{len(self.weights)} weights for {self.plays.nnz} stored pairs")
        if not len(self.weights):
            weigher = Weigher.fit(self.plays, self.weighting)
            object.__setattr__(self, "weights", weigher.weights(self.plays))

    @classmethod
    def from_pairs(
        cls, pairs: "pd.DataFrame", artist_ids: np.ndarray, *, weighting: Weighting | None = None
    ) -> "ListeningMatrix":
        """Builds the matrix of some pairs over the whole catalogue.

        Args:
            pairs: `user_id, artist_id, plays`, one row a pair, artists of the catalogue only.
            artist_ids: (n_artists,) int64, rising.
            weighting: how pairs are weighted; BM25 on presence by default. Its statistics come
                from `pairs` alone.

        Returns:
            The matrix whose users are those of `pairs`.

        Raises:
            ValueError: an artist is not in the catalogue.
        """
        user_ids, rows = ranked(pairs[Columns.USER].to_numpy(np.int64))
        columns = positions_in(np.asarray(artist_ids), pairs[Columns.ARTIST])
        unknown = int(np.count_nonzero(columns < 0))
        if unknown:
            raise ValueError(f"{unknown} pairs name artists outside the catalogue")
        counts = pairs[Columns.PLAYS].to_numpy(np.float32)
        plays = _by_user(counts, rows, columns, (len(user_ids), len(artist_ids)))
        return cls(plays, user_ids, np.asarray(artist_ids), weighting or Weighting())

    @classmethod
    def from_columns(
        cls,
        users: np.ndarray,
        artists: np.ndarray,
        plays: np.ndarray,
        *,
        weighting: Weighting | None = None,
    ) -> "ListeningMatrix":
        """Builds the matrix of some pairs without a table of them, and without pandas.

        Args:
            users: (n,) whole numbers.
            artists: (n,) whole numbers; they are the catalogue.
            plays: (n,) counts >= 1; no pair of user and artist twice.
            weighting: as for `from_pairs`.

        Returns:
            The matrix of these users and artists.
        """
        user_ids, rows = np.unique(users, return_inverse=True)
        artist_ids, columns = np.unique(artists, return_inverse=True)
        shape = (len(user_ids), len(artist_ids))
        kind = position_type(max(shape))
        made = _by_user(
            plays.astype(np.float32, copy=False), rows.astype(kind), columns.astype(kind), shape
        )
        ids = (user_ids.astype(np.int64, copy=False), artist_ids.astype(np.int64, copy=False))
        return cls(made, *ids, weighting or Weighting())

    def weighted(self, weighting: Weighting) -> sps.csr_array:
        """(n_users, n_artists) float32 weights on the same pattern; carried ones where they fit."""
        if weighting != self.weighting:
            return Weigher.fit(self.plays, weighting).weighted(self.plays)
        return sps.csr_array(
            (self.weights, self.plays.indices, self.plays.indptr), shape=self.plays.shape
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of ids and plays: the same data, the same text."""
        digest = hashlib.sha256()
        plays = self.plays
        for array, kind in (
            (self.user_ids, self.user_ids.dtype),
            (self.artist_ids, self.artist_ids.dtype),
            (plays.indptr, np.int64),
            (plays.indices, np.int64),
            (plays.data, np.float32),
        ):
            for rows in blocks(len(array)):
                digest.update(np.ascontiguousarray(array[rows], dtype=kind).data)
        return digest.hexdigest()

    def rows_of(self, user_ids: np.ndarray) -> np.ndarray:
        """(n,) row of each user id, -1 where the matrix does not know it."""
        return _positions(self.user_ids, user_ids)

    def columns_of(self, artist_ids: np.ndarray) -> np.ndarray:
        """(n,) column of each artist id, -1 where the catalogue does not know it."""
        return _positions(self.artist_ids, artist_ids)


def _by_user(
    counts: np.ndarray, rows: Positions, columns: Positions, shape: tuple[int, int]
) -> sps.csr_array:
    """The (n_users, n_artists) matrix of (n,) pairs; as they are where they come in its order."""
    later = rows[1:] > rows[:-1]
    later |= (rows[1:] == rows[:-1]) & (columns[1:] > columns[:-1])
    if later.all():
        kind = position_type(max(*shape, len(counts)))
        starts = np.zeros(shape[0] + 1, dtype=kind)
        np.cumsum(np.bincount(rows, minlength=shape[0]), out=starts[1:])
        return sps.csr_array((counts, columns.astype(kind, copy=False), starts), shape=shape)
    plays = sps.coo_array((counts, (rows, columns)), shape=shape).tocsr()
    plays.sort_indices()
    return plays


def _positions(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    place = np.searchsorted(known, wanted)
    inside = np.minimum(place, max(len(known) - 1, 0))
    found = known[inside] == wanted if len(known) else np.zeros(len(wanted), dtype=bool)
    return np.where(found, inside, -1)
