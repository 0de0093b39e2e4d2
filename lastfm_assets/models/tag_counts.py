"""How many users call each artist by each tag."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sps

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.vocabulary import Columns


@dataclass(frozen=True, slots=True)
class TagCounts:
    """Counts, and who gave which tag, so that one user's tags can be taken out again."""

    counts: sps.csr_array
    """(n_artists, n_tags) float64, users who call the artist so."""
    rarity: np.ndarray
    """(n_tags,) float64, log(A / (1 + A_t)), at least 0."""
    user: np.ndarray
    """(r,) int64 row of the user who gave each tag, -1 where the matrix does not know them."""
    artist: np.ndarray
    """(r,) int64 column of the artist."""
    tag: np.ndarray
    """(r,) int64 column of `counts`."""

    def weights(self) -> sps.csr_array:
        """(n_artists, n_tags) log(1 + count) times rarity."""
        values = np.log1p(self.counts.data) * self.rarity[self.counts.indices]
        return sps.csr_array(
            (values, self.counts.indices, self.counts.indptr), shape=self.counts.shape
        )

    def without_one(self, artist: np.ndarray, tag: np.ndarray) -> np.ndarray:
        """(r,) what the weights of some (artist, tag) lose when one user takes the tag back."""
        n_artists, n_tags = self.counts.shape
        called = np.repeat(np.arange(n_artists), np.diff(self.counts.indptr))
        place = np.searchsorted(called * n_tags + self.counts.indices, artist * n_tags + tag)
        count = self.counts.data[place]
        return np.asarray(np.log1p(1.0 / count) * self.rarity[tag])


def count_tags(side: SideTables, matrix: ListeningMatrix, *, n_tags: int) -> TagCounts:
    """Counts the tags that most artists are called by.

    Args:
        side: tag assignments, a tag that a user gives an artist twice counts once.
        matrix: its columns are the artists.
        n_tags: how many tags are kept; equal ones go to the smaller tag id.

    Returns:
        The counts over the whole catalogue.
    """
    given = side.tag_assignments[[Columns.USER, Columns.ARTIST, Columns.TAG]].drop_duplicates()
    artist = matrix.columns_of(given[Columns.ARTIST].to_numpy(np.int64))
    user = matrix.rows_of(given[Columns.USER].to_numpy(np.int64))
    _, tag = np.unique(given[Columns.TAG].to_numpy(np.int64), return_inverse=True)
    known = artist >= 0
    user, artist, tag = user[known], artist[known], tag[known]
    n_artists, n_all = matrix.plays.shape[1], int(tag.max(initial=-1)) + 1
    artists_called = _count(artist, tag, (n_artists, n_all)).count_nonzero(axis=0)
    kept = np.sort(np.argsort(-artists_called, kind="stable")[:n_tags])
    column = np.full(n_all, -1)
    column[kept] = np.arange(len(kept))
    tag = column[tag] if n_all else tag
    inside = tag >= 0
    rarity = np.log(np.maximum(n_artists / (1.0 + artists_called[kept]), 1.0))
    counts = _count(artist[inside], tag[inside], (n_artists, len(kept)))
    return TagCounts(counts, rarity, user[inside], artist[inside], tag[inside])


def _count(artist: np.ndarray, tag: np.ndarray, shape: tuple[int, int]) -> sps.csr_array:
    counts = sps.coo_array((np.ones(len(tag)), (artist, tag)), shape=shape).tocsr()
    counts.sum_duplicates()
    return counts
