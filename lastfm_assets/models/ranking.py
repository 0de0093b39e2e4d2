"""Scores to lists: the exact best n artists of many users, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.progress import Progress, no_progress

CHUNK_BYTES: Final = 8 * 2**20
"""Memory for one chunk of scores, small enough to stay in a processor's cache."""
_GROUP: Final = 64
"""Columns whose maximum stands for all of them."""
NOBODY: Final = -1
"""Stands in a list where a user has fewer artists left than asked for."""


@dataclass(frozen=True, slots=True)
class RankedLists:
    """Best artists of some users, best first."""

    artists: np.ndarray
    """(n_users, n) int64 columns of the matrix, `NOBODY` behind the last artist left."""
    scores: np.ndarray
    """(n_users, n) float32 as the model gave them, -inf beside `NOBODY`."""


def rank(
    scores_of: Callable[[np.ndarray], np.ndarray],
    user_rows: np.ndarray,
    *,
    n: int,
    n_artists: int,
    leave_out: sps.csr_array | None = None,
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
        on_progress: told users done and users in all.

    Returns:
        Highest score first; equal scores go to the smaller column, so two runs give the same
        lists.

    Raises:
        ValueError: `n` is below 1, or a score is not finite.
    """
    if n < 1:
        raise ValueError(f"n is {n}, expected at least 1")
    chunk = max(1, CHUNK_BYTES // (4 * max(n_artists, 1)))
    artists = np.full((len(user_rows), n), NOBODY, dtype=np.int64)
    scores = np.full((len(user_rows), n), -np.inf, dtype=np.float32)
    for start in range(0, len(user_rows), chunk):
        rows = user_rows[start : start + chunk]
        block = np.array(scores_of(rows), dtype=np.float32)
        if not np.isfinite(block).all():
            raise ValueError("a model gave a score that is not finite")
        if leave_out is not None:
            left_out = leave_out[rows]
            users = np.repeat(np.arange(len(rows)), np.diff(left_out.indptr))
            block[users, left_out.indices] = -np.inf
        best, value = best_columns(block, n)
        width = best.shape[1]
        artists[start : start + chunk, :width] = best
        scores[start : start + chunk, :width] = value
        on_progress(min(start + chunk, len(user_rows)), len(user_rows))
    return RankedLists(artists, scores)


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
