"""Scores to lists: the exact best n artists of many users, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.memory import Memory
from lastfm_assets.progress import Progress, no_progress

MEMORY: Final = 8 * 2**20
"""Bytes for scores, few enough to stay in a processor's cache; more make no list sooner."""
_PART: Final = 100
"""Of the memory of a step, one part may hold scores."""
_GROUP: Final = 64
"""Columns whose maximum stands for all of them."""
_COUNTED: Final = 8
"""Entries of a row whose ranks are counted one by one rather than read from the sorted row."""
NOBODY: Final = -1
"""Stands in a list where a user has fewer artists left than asked for."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What ranking may use beside the model and the lists."""

    memory: int = MEMORY
    """Bytes for the scores and candidates of the users that are ranked at once, one user at least.

    Beside scores lie masks of them and what a model makes them from, about twice as much again."""
    threads: int | None = None
    """How many search side by side where they can; as many as there are cores when None."""

    @classmethod
    def of(cls, memory: Memory) -> "Budget":
        """The usual one, or a hundredth of what a step may take where that is less."""
        return cls(min(MEMORY, memory.bytes // _PART))


USUAL: Final = Budget()
"""What is used where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class RankedLists:
    """Best artists of some users, best first."""

    artists: np.ndarray
    """(n_users, n) int64 columns of the matrix, `NOBODY` behind the last artist left."""
    scores: np.ndarray
    """(n_users, n) float32 as the model gave them, -inf beside `NOBODY`."""

    @classmethod
    def empty(cls, n_users: int, n: int) -> "RankedLists":
        """Lists with room for `n` artists and nobody in them.

        Raises:
            ValueError: `n` is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}, expected at least 1")
        artists = np.full((n_users, n), NOBODY, dtype=np.int64)
        return cls(artists, np.full((n_users, n), -np.inf, dtype=np.float32))

    def fill(self, start: int, scores: np.ndarray) -> None:
        """Writes the best of (m, n_artists) scores into the lists from position `start` on."""
        best, value = best_columns(scores, self.artists.shape[1])
        self.artists[start : start + len(scores), : best.shape[1]] = best
        self.scores[start : start + len(scores), : best.shape[1]] = value


def rank(  # noqa: PLR0913 (what is ranked, for whom, and what it may use)
    scores_of: Callable[[np.ndarray], np.ndarray],
    user_rows: np.ndarray,
    *,
    n: int,
    n_artists: int,
    leave_out: sps.csr_array | None = None,
    budget: Budget = USUAL,
    on_progress: Progress = no_progress,
) -> RankedLists:
    """Ranks the whole catalogue for each user.

    Args:
        scores_of: (m,) user rows -> (m, n_artists) float32, all finite.
        user_rows: (n_users,) rows to rank for.
        n: length of a list, >= 1.
        n_artists: size of the catalogue.
        leave_out: (rows, n_artists) whose stored entries never enter a list, its row r belonging
            to user row r; None leaves nothing out.
        budget: memory for scores; threads are the model's own business here.
        on_progress: told users done and users in all.

    Returns:
        Highest score first; equal scores go to the smaller column, so two runs give the same
        lists.

    Raises:
        ValueError: `n` is below 1, or a score is not finite.
    """
    lists = RankedLists.empty(len(user_rows), n)
    for start, scores in _chunks(scores_of, user_rows, (n_artists, budget.memory), leave_out):
        lists.fill(start, scores)
        on_progress(start + len(scores), len(user_rows))
    return lists


def rank_and_place(  # noqa: PLR0913 (as `rank`)
    scores_of: Callable[[np.ndarray], np.ndarray],
    user_rows: np.ndarray,
    wanted: tuple[np.ndarray, np.ndarray],
    *,
    n: int,
    n_artists: int,
    leave_out: sps.csr_array | None = None,
    budget: Budget = USUAL,
) -> tuple[RankedLists, np.ndarray]:
    """Ranks the whole catalogue and says at which rank some artists stand, in one pass.

    Args:
        scores_of: as for `rank`.
        user_rows: (n_users,) as for `rank`.
        wanted: (p,) positions in `user_rows`, not falling, and (p,) columns of artists.
        n: as for `rank`.
        n_artists: as for `rank`.
        leave_out: as for `rank`; what is left out has no rank.
        budget: as for `rank`.

    Returns:
        The lists, which do not depend on `wanted`, and (p,) ranks; see `mid_ranks`.

    Raises:
        ValueError: as for `rank`.
    """
    positions, columns = wanted
    lists = RankedLists.empty(len(user_rows), n)
    ranks = np.full(len(positions), np.nan)
    for start, scores in _chunks(scores_of, user_rows, (n_artists, budget.memory), leave_out):
        lists.fill(start, scores)
        first, end = np.searchsorted(positions, [start, start + len(scores)])
        ranks[first:end] = mid_ranks(scores, positions[first:end] - start, columns[first:end])
    return lists, ranks


def mid_ranks(scores: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Rank of some entries among all of their row, equal ones sharing the mean of their ranks.

    Args:
        scores: (n, n_artists) float32, -inf where left out.
        rows: (p,) rows of the entries, not falling.
        columns: (p,) their columns.

    Returns:
        (p,) float64, 1 the best; NaN for entries that are left out.
    """
    values = scores[rows, columns]
    below, up_to = np.empty(len(rows)), np.empty(len(rows))
    users, starts = np.unique(rows, return_index=True)
    for user, start, end in zip(users, starts, np.append(starts, len(rows))[1:], strict=True):
        row = scores[user]
        if end - start <= _COUNTED:
            below[start:end] = [np.count_nonzero(row < value) for value in values[start:end]]
            up_to[start:end] = [np.count_nonzero(row <= value) for value in values[start:end]]
        else:
            rising = np.sort(row)
            below[start:end] = np.searchsorted(rising, values[start:end], side="left")
            up_to[start:end] = np.searchsorted(rising, values[start:end], side="right")
    # n - up_to entries are higher, up_to - below are equal
    ranks = scores.shape[1] - (below + up_to - 1) / 2
    return np.where(values > -np.inf, ranks, np.nan)


def _chunks(
    scores_of: Callable[[np.ndarray], np.ndarray],
    user_rows: np.ndarray,
    size: tuple[int, int],
    leave_out: sps.csr_array | None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Position of the first user of a chunk, and (m, n_artists) scores, -inf where left out.

    `size` is artists in all, and bytes for the scores of a chunk.

    Raises:
        ValueError: a score is not finite.
    """
    n_artists, memory = size
    chunk = max(1, memory // (4 * max(n_artists, 1)))
    for start in range(0, len(user_rows), chunk):
        rows = user_rows[start : start + chunk]
        block = np.array(scores_of(rows), dtype=np.float32)
        if not np.isfinite(block).all():
            raise ValueError("a model gave a score that is not finite")
        if leave_out is not None:
            left_out = leave_out[rows]
            users = np.repeat(np.arange(len(rows)), np.diff(left_out.indptr))
            block[users, left_out.indices] = -np.inf
        yield start, block


def best_columns(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The `n` largest entries of each row, exactly, equal ones by smaller column.

    Columns fall into groups; the n-th largest of a row's group maxima is at most its n-th
    largest entry, so whatever lies below that bound is out, and only the few that are left,
    ties included, have to be sorted. Sorting whole rows, or partitioning them, takes longer.

    Args:
        scores: (rows, columns) float32; -inf entries are never chosen.
        n: entries to keep, at most `columns` are.

    Returns:
        Columns (rows, k) int64 and their scores (rows, k), k = min(n, columns); `NOBODY` and
        -inf where a row has fewer entries above -inf.
    """
    n_rows, n_columns = scores.shape
    keep = min(n, n_columns)
    used = scores >= _bound(scores, keep)[:, None]
    used &= scores > -np.inf
    row, column = np.divmod(np.flatnonzero(used), max(n_columns, 1))
    value = scores[row, column]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(n_rows))[row]
    best = place < keep
    columns = np.full((n_rows, keep), NOBODY, dtype=np.int64)
    values = np.full((n_rows, keep), -np.inf, dtype=scores.dtype)
    columns[row[best], place[best]] = column[best]
    values[row[best], place[best]] = value[best]
    return columns, values


def _bound(scores: np.ndarray, keep: int) -> np.ndarray:
    """(rows,) a lower bound of each row's `keep`-th largest entry."""
    n_rows, n_columns = scores.shape
    n_groups = n_columns // _GROUP
    if n_groups < keep:
        return np.full(n_rows, -np.inf, dtype=scores.dtype)
    # group g holds columns g, g + n_groups, g + 2 n_groups, ...; the last few belong to none
    grouped = scores[:, : n_groups * _GROUP].reshape(n_rows, _GROUP, n_groups)
    maxima = grouped.max(axis=1)
    return np.asarray(np.partition(maxima, n_groups - keep, axis=1)[:, n_groups - keep])
