"""Judges anybody's lists by id: millions of rows in seconds, exact whatever the ties.

Users and artists become small whole numbers in the order of their ids, so that (user, artist,
place) fits into one 64-bit key. After one sort of the keys of lists and held-out pairs together, a
hit stands right behind its held-out pair, and the second naming of an artist behind its first.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.beyond_accuracy import coverage, gini
from lastfm_assets.evaluation.metrics import Hits, auc_per_user, per_user_table
from lastfm_assets.vocabulary import Columns

_KEY_BITS: Final = 63
_SPARE: Final = 8
"""Whole-number ids whose span is at most this often their number need no table of ids."""
_BLOCK: Final = 2**19
"""Rows that are matched at a time, few enough for a processor's cache."""
_SIGN: Final = np.uint64(1 << 63)


@dataclass(frozen=True, slots=True)
class MatchedLists:
    """Lists in order, and where in them held-out artists stand.

    Rows are the users with something held out, by id.
    """

    user_ids: np.ndarray
    """(n_users,) id of each row."""
    held_out: np.ndarray
    """(n_users,) how many different artists are held out."""
    lengths: np.ndarray
    """(n_users,) how many different artists are listed."""
    artists: tuple[np.ndarray, ...]
    """Together (sum of lengths,) codes of listed artists, by row, best first."""
    hits: Hits
    mid_places: np.ndarray
    """(h,) place of each hit, or the mean of the places that share its score."""
    named: np.ndarray
    """(n_codes,) bool: whether a code belongs to an artist that anybody lists or holds out."""

    @property
    def n_artists(self) -> int:
        """Size of the catalogue: artists named in lists or held-out pairs."""
        return int(np.count_nonzero(self.named))

    def auc(self) -> np.ndarray:
        """(n_users,) auc of lists over the catalogue, which is all that lists tell.

        Listed artists rank above all others, in the order of their scores, and the others are
        tied. Whoever plays an artist in training is not known here, so played ones stay in.
        """
        return auc_per_user(
            self.hits.rows,
            self.mid_places + 1.0,
            self.held_out,
            self.lengths,
            self.n_artists - self.lengths,
        )

    def per_user(self, cutoffs: list[int]) -> pd.DataFrame:
        """`user_id`, `<metric>@<k>` and `auc`, one row a user."""
        return per_user_table(self.user_ids, self.hits, self.held_out, cutoffs, self.auc())

    def times_listed(self, k: int) -> np.ndarray:
        """(n_artists,) how many users have each artist of the catalogue among their first k."""
        within = _places(self.lengths) < k
        times = np.zeros(len(self.named), dtype=np.int64)
        start = 0
        for artists in self.artists:
            chosen = artists[within[start : start + len(artists)]]
            times += np.bincount(chosen, minlength=len(times))
            start += len(artists)
        return np.asarray(times[self.named])

    def beyond_accuracy(self, cutoffs: list[int]) -> dict[str, float]:
        """What needs nothing but lists: `coverage@<k>`, `gini@<k>` and `users_served@<k>`.

        The lists are those of users with something held out; served is who has k artists.
        """
        figures = {}
        for k in cutoffs:
            times = self.times_listed(k)
            figures[f"coverage@{k}"] = coverage(times)
            figures[f"gini@{k}"] = gini(times)
            figures[f"users_served@{k}"] = float(np.mean(self.lengths >= k))
        return figures


def judge_lists(lists: pd.DataFrame, held_out: pd.DataFrame, cutoffs: list[int]) -> pd.DataFrame:
    """Judges anybody's lists against held-out pairs.

    Args:
        lists: `user_id, artist_id, score`, in any order; see `match`.
        held_out: `user_id, artist_id`.
        cutoffs: list lengths to judge at, each >= 1.

    Returns:
        One row a user of `held_out`, ordered by id: `user_id`, `<metric>@<k>` and `auc` (see
        `MatchedLists.auc`). Users with a list but nothing held out are left out.
    """
    return match(lists, held_out).per_user(cutoffs)


def match(lists: pd.DataFrame, held_out: pd.DataFrame) -> MatchedLists:
    """Puts lists in order and finds the held-out artists in them.

    Args:
        lists: `user_id, artist_id, score`; the highest score is first, equal scores go to the
            smaller artist id; an artist that a list names twice counts once, at its best place.
            Scores are finite.
        held_out: `user_id, artist_id`; a pair that stands twice counts once. Ids are of the same
            kind as in `lists`.

    Returns:
        Rows for the users of `held_out`.

    Raises:
        ValueError: users, artists and the longest list are too many for 64-bit keys.
    """
    user_codes, user_ids = _encoded(lists[Columns.USER], held_out[Columns.USER])
    artist_codes, artist_ids = _encoded(lists[Columns.ARTIST], held_out[Columns.ARTIST])
    named = np.zeros(artist_ids.size, dtype=bool)
    for codes in artist_codes:
        named[codes] = True
    judged = np.zeros(user_ids.size, dtype=bool)
    judged[user_codes[1]] = True
    row_of = np.cumsum(judged) - 1
    listed = _Rows(user_codes[0], artist_codes[0], lists[Columns.SCORE].to_numpy(np.float64))
    kept = judged[listed.users]
    if not kept.all():
        listed = listed.take(kept)
    if not judged.all():
        listed = replace(listed, users=row_of[listed.users])
    held = np.sort(row_of[user_codes[1]] << len(named).bit_length() | artist_codes[1])
    matched = _matched(listed.by_user(), held[_runs(held)[0]], int(judged.sum()), named)
    return replace(matched, user_ids=user_ids.ids(np.flatnonzero(judged)))


@dataclass(frozen=True, slots=True)
class _Ids:
    """What whole-number codes from 0 on stand for; the order of codes is that of ids."""

    size: int
    first: int = 0
    table: np.ndarray | None = None
    """(size,) id of each code; None: `first` plus the code."""

    def ids(self, codes: np.ndarray) -> np.ndarray:
        return codes + self.first if self.table is None else self.table[codes]


def _encoded(*columns: pd.Series) -> tuple[list[np.ndarray], _Ids]:
    """Codes of some columns' ids, the same code for the same id in all of them."""
    counts = [len(column) for column in columns]
    if any(counts) and all(column.dtype.kind == "i" for column in columns):
        values = [column.to_numpy(np.int64) for column in columns]
        low = min(int(value.min()) for value in values if len(value))
        span = max(int(value.max()) for value in values if len(value)) - low + 1
        if span <= _SPARE * sum(counts):
            return [value - low for value in values], _Ids(span, first=low)
        runs = [_runs(value) for value in values]
        heads = [value[starts] for value, (starts, _) in zip(values, runs, strict=True)]
        codes, ids = pd.factorize(np.concatenate(heads), sort=True)
        parts = np.split(codes.astype(np.int64), np.cumsum([len(head) for head in heads])[:-1])
        repeated = [
            np.repeat(part, lengths) for part, (_, lengths) in zip(parts, runs, strict=True)
        ]
        return repeated, _Ids(len(ids), table=ids)
    codes, index = pd.factorize(pd.concat(columns, ignore_index=True), sort=True)
    parts = np.split(codes.astype(np.int64), np.cumsum(counts)[:-1])
    return parts, _Ids(len(index), table=np.asarray(index))


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the runs of equal neighbours."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])
    return starts, np.diff(starts, append=len(values))


def _places(lengths: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... within each of some lists that follow each other."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(lengths.sum()) - np.repeat(starts, lengths))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of lists: codes of users and artists, and scores, each (n_rows,)."""

    users: np.ndarray
    artists: np.ndarray
    scores: np.ndarray

    def take(self, chosen: np.ndarray) -> "_Rows":
        return _Rows(self.users[chosen], self.artists[chosen], self.scores[chosen])

    def without(self, places: np.ndarray) -> "_Rows":
        kept = np.ones(len(self.users), dtype=bool)
        kept[places] = False
        return self.take(kept)

    def by_user(self) -> "_Rows":
        if (self.users[1:] >= self.users[:-1]).all():
            return self
        # one sort of users with their rows below is faster than any that gives an order
        row_bits = len(self.users).bit_length()
        key = np.sort((self.users << row_bits) | np.arange(len(self.users)))
        order = key & ((1 << row_bits) - 1)
        return _Rows(key >> row_bits, self.artists[order], self.scores[order])

    def best_first(self) -> "_Rows":
        """By user, by whom the rows are already, then by falling score, then by artist."""
        users, scores = self.users, self.scores
        same_user = users[1:] == users[:-1]
        if not (same_user & (scores[1:] > scores[:-1])).any():
            tied = same_user & (scores[1:] == scores[:-1])
            if not tied.any():
                return self
            return _Rows(users, self.artists.copy(), scores.copy()).with_ties_by_artist(tied)
        falling = _falling(scores)
        # a user and the upper bits of a score, for most scores all that differ; the rest is a tie
        score_bits = np.uint64(63 - int(users[-1]).bit_length())
        too_wide = max(0, int(falling.max()).bit_length() - int(score_bits))
        key = falling >> np.uint64(too_wide)
        key |= users.astype(np.uint64) << score_bits
        order = np.argsort(key)
        key = key[order]
        return self.take(order).with_ties_by_artist(key[1:] == key[:-1])

    def with_ties_by_artist(self, tied: np.ndarray) -> "_Rows":
        """Orders, in place, rows of a user by score and artist where they are tied.

        Args:
            tied: (n_rows - 1,) bool, whether a row and the next, of the same user, are.
        """
        places = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
        some = self.take(places)
        some = some.take(np.lexsort((some.artists, -some.scores, some.users)))
        self.artists[places], self.scores[places] = some.artists, some.scores
        return self

    def mid_places(self, at: np.ndarray, places: np.ndarray) -> np.ndarray:
        """(h,) mean of the places that share user and score with the rows `at`.

        Args:
            at: (h,) positions among these rows, which stand best first.
            places: (h,) places of these positions in the lists of their users.
        """
        same = (self.users[1:] == self.users[:-1]) & (self.scores[1:] == self.scores[:-1])
        if not same.any():
            return places.astype(np.float64)
        starts = np.flatnonzero(np.concatenate([[True], ~same]))
        run = np.searchsorted(starts, at, side="right") - 1
        lengths = np.diff(starts, append=len(self.users))
        return np.asarray(places - (at - starts[run]) + (lengths[run] - 1) / 2)


def _falling(scores: np.ndarray) -> np.ndarray:
    """(n,) uint64 from 0 on: the higher the score, the smaller; equal for equal scores."""
    bits = (scores + 0.0).view(np.uint64)  # + 0.0 makes -0.0 and 0.0 the same bits
    # IEEE 754: bits of positive numbers rise with them, bits of negative ones fall
    falling = np.where(bits & _SIGN, bits, ~bits & ~_SIGN)
    return np.asarray(falling - falling.min())


def _matched(listed: _Rows, held: np.ndarray, n_users: int, named: np.ndarray) -> MatchedLists:
    """Finds hits, block by block of users, who are numbered from 0.

    Args:
        listed: rows by user.
        held: (p,) rising keys of different held-out pairs, user << artist bits | artist.
        n_users: how many.
        named: as in `MatchedLists`.
    """
    lengths = np.bincount(listed.users, minlength=n_users)
    bits = _Bits(len(named).bit_length(), int(lengths.max(initial=0)).bit_length())
    if n_users.bit_length() + bits.artist + bits.place > _KEY_BITS:
        raise ValueError(
            f"{n_users:,} users, {len(named):,} artists and a list of {lengths.max(initial=0):,} "
            "do not fit into 64-bit keys; judge fewer users at a time"
        )
    begins = np.concatenate([[0], np.cumsum(lengths)])
    held_begins = np.searchsorted(held, np.arange(n_users + 1) << bits.artist)
    steps = np.arange(_BLOCK, len(listed.users) + len(held), _BLOCK)
    ends = np.unique(np.append(np.searchsorted(begins + held_begins, steps), n_users))
    blocks = []
    for first, last in pairwise([0, *ends.tolist()]):
        rows = slice(begins[first], begins[last])
        wanted = held[held_begins[first] : held_begins[last]] - (first << bits.artist)
        block = _Rows(listed.users[rows] - first, listed.artists[rows], listed.scores[rows])
        found = _found(block.best_first(), wanted, lengths[first:last], bits)
        blocks.append(replace(found, rows=found.rows + first))
    return MatchedLists(
        user_ids=np.arange(n_users),
        held_out=np.diff(held_begins),
        lengths=np.concatenate([block.lengths for block in blocks]),
        artists=tuple(block.artists for block in blocks),
        hits=Hits(
            np.concatenate([block.rows for block in blocks]),
            np.concatenate([block.places for block in blocks]),
        ),
        mid_places=np.concatenate([block.mid_places for block in blocks]),
        named=named,
    )


@dataclass(frozen=True, slots=True)
class _Bits:
    """How a key user | artist | place is laid out."""

    artist: int
    place: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What stands where in the lists of some users."""

    rows: np.ndarray
    """(h,) user of each hit."""
    places: np.ndarray
    """(h,) its place, rising within a user."""
    mid_places: np.ndarray
    """(h,) as in `MatchedLists`."""
    lengths: np.ndarray
    """(n_users,) different artists listed."""
    artists: np.ndarray
    """(sum of lengths,) codes of listed artists, best first."""


def _found(listed: _Rows, held: np.ndarray, lengths: np.ndarray, bits: _Bits) -> _Found:
    """Finds hits of a block of users by one sort.

    Args:
        listed: rows, best first; an artist that is named again is dropped.
        held: (p,) keys of different held-out pairs, user << artist bits | artist.
        lengths: (n_users,) rows of each user in `listed`.
        bits: layout of keys; place 0 is for held-out pairs.
    """
    begins = np.cumsum(lengths) - lengths
    listed_keys = ((listed.users << bits.artist | listed.artists) << bits.place) | (
        _places(lengths) + 1
    )
    keys = np.concatenate([held << bits.place, listed_keys])
    keys.sort()
    # neighbours that differ in the place alone name the same user and artist
    second = np.flatnonzero((keys[1:] ^ keys[:-1]) < 1 << bits.place) + 1
    mask = (1 << bits.place) - 1
    is_hit = (keys[second - 1] & mask) == 0
    if not is_hit.all():
        again = keys[second[~is_hit]]
        doubled = begins[again >> (bits.artist + bits.place)] + (again & mask) - 1
        fewer = lengths - np.bincount(listed.users[doubled], minlength=len(lengths))
        return _found(listed.without(doubled), held, fewer, bits)
    hit = keys[second]
    # without the artist, keys stand by place
    hit = np.sort((hit >> (bits.artist + bits.place) << bits.place) | ((hit & mask) - 1))
    users, places = hit >> bits.place, hit & mask
    mid_places = listed.mid_places(begins[users] + places, places)
    return _Found(users, places, mid_places, lengths, listed.artists)
