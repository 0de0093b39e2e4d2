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

    def given_unplayed(self, plays: sps.csr_array) -> "GivenTags":
        """What users have called artists that they are not known to play.

        Args:
            plays: (n_users, n_artists) what is known.
        """
        n_users, n_artists = plays.shape
        listener = np.repeat(np.arange(n_users), np.diff(plays.indptr))
        code = self.user * n_artists + self.artist
        unplayed = (self.user >= 0) & ~np.isin(code, listener * n_artists + plays.indices)
        codes, pair = np.unique(code[unplayed], return_inverse=True)
        user, artist = np.divmod(codes, n_artists)
        return GivenTags(user, artist, pair, self.tag[unplayed])


@dataclass(frozen=True, slots=True)
class GivenTags:
    """Some pairs of user and artist, by user, and the tags that the user gave that artist."""

    user: np.ndarray
    """(p,) int64 rows."""
    artist: np.ndarray
    """(p,) int64 columns."""
    pair: np.ndarray
    """(r,) int64 which pair each tag belongs to."""
    tag: np.ndarray
    """(r,) int64 columns of `TagCounts.counts`."""


def count_tags(
    side: SideTables, matrix: ListeningMatrix, *, n_tags: int | None = None, min_taggers: int = 1
) -> TagCounts:
    """Counts the tags that most artists are called by.

    Args:
        side: tag assignments, a tag that a user gives an artist twice counts once.
        matrix: its columns are the artists.
        n_tags: how many tags are kept, all when None; equal ones go to the smaller tag id.
        min_taggers: users who must have given a tag for it to be kept.

    Returns:
        The counts over the whole catalogue.
    """
    given = side.tag_assignments[[Columns.USER, Columns.ARTIST, Columns.TAG]].drop_duplicates()
    artist = matrix.columns_of(given[Columns.ARTIST].to_numpy(np.int64))
    user_id = given[Columns.USER].to_numpy(np.int64)
    _, tag = np.unique(given[Columns.TAG].to_numpy(np.int64), return_inverse=True)
    known = artist >= 0
    user_id, artist, tag = user_id[known], artist[known], tag[known]
    n_artists, n_all = matrix.plays.shape[1], int(tag.max(initial=-1)) + 1
    artists_called = _count(artist, tag, (n_artists, n_all)).count_nonzero(axis=0)
    used = _taggers(user_id, tag, n_all) >= min_taggers
    most_used_first = np.argsort(-artists_called, kind="stable")
    kept = np.sort(most_used_first[used[most_used_first]][:n_tags])
    column = np.full(n_all, -1)
    column[kept] = np.arange(len(kept))
    tag = column[tag] if n_all else tag
    inside = tag >= 0
    rarity = np.log(np.maximum(n_artists / (1.0 + artists_called[kept]), 1.0))
    counts = _count(artist[inside], tag[inside], (n_artists, len(kept)))
    return TagCounts(counts, rarity, matrix.rows_of(user_id[inside]), artist[inside], tag[inside])


def _taggers(user_id: np.ndarray, tag: np.ndarray, n_tags: int) -> np.ndarray:
    """(n_tags,) users who have given each tag to any artist."""
    pairs = np.unique(np.stack([tag, user_id]), axis=1)
    return np.bincount(pairs[0], minlength=n_tags)


def _count(artist: np.ndarray, tag: np.ndarray, shape: tuple[int, int]) -> sps.csr_array:
    counts = sps.coo_array((np.ones(len(tag)), (artist, tag)), shape=shape).tocsr()
    counts.sum_duplicates()
    return counts
