"""Plays as a sparse users x artists matrix that carries its weights and its ids."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.listening.weighting import Weigher, Weighting
from lastfm_assets.vocabulary import Columns


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
        cls, pairs: pd.DataFrame, artist_ids: np.ndarray, *, weighting: Weighting | None = None
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
        user_ids = np.unique(pairs[Columns.USER].to_numpy(np.int64))
        rows = np.searchsorted(user_ids, pairs[Columns.USER].to_numpy())
        columns = _positions(np.asarray(artist_ids), pairs[Columns.ARTIST].to_numpy())
        if (columns < 0).any():
            raise ValueError(f"{(columns < 0).sum()} pairs name artists outside the catalogue")
        counts = pairs[Columns.PLAYS].to_numpy(np.float32)
        shape = (len(user_ids), len(artist_ids))
        plays = sps.coo_array((counts, (rows, columns)), shape=shape).tocsr()
        plays.sort_indices()
        return cls(plays, user_ids, np.asarray(artist_ids), weighting or Weighting())

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
        for array in (
            self.user_ids,
            self.artist_ids,
            self.plays.indptr.astype(np.int64),
            self.plays.indices.astype(np.int64),
            self.plays.data.astype(np.float32),
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def rows_of(self, user_ids: np.ndarray) -> np.ndarray:
        """(n,) row of each user id, -1 where the matrix does not know it."""
        return _positions(self.user_ids, user_ids)

    def columns_of(self, artist_ids: np.ndarray) -> np.ndarray:
        """(n,) column of each artist id, -1 where the catalogue does not know it."""
        return _positions(self.artist_ids, artist_ids)


def _positions(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    place = np.searchsorted(known, wanted)
    inside = np.minimum(place, max(len(known) - 1, 0))
    found = known[inside] == wanted if len(known) else np.zeros(len(wanted), dtype=bool)
    return np.where(found, inside, -1)
