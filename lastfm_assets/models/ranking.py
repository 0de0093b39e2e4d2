"""Scores to lists: the exact best n artists of many users, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.protocol import Progress, no_progress

CHUNK_BYTES: Final = 256 * 2**20
"""Memory for one chunk of scores; users are ranked that many at a time."""
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

    Args:
        scores: (rows, columns) float32; -inf entries are never chosen.
        n: entries to keep, at most `columns` are.

    Returns:
        Columns (rows, k) int64 and their scores (rows, k), k = min(n, columns); `NOBODY` and
        -inf where a row has fewer entries above -inf.
    """
    n_rows, n_columns = scores.shape
    keep = min(n, n_columns)
    if keep == n_columns:
        chosen = np.tile(np.arange(n_columns), (n_rows, 1))
    else:
        chosen = np.argpartition(-scores, keep - 1, axis=1)[:, :keep]
        # argpartition picks any of several equal entries at the edge: give those to the smallest
        edge = np.take_along_axis(scores, chosen, axis=1).min(axis=1)
        tied = np.flatnonzero((scores >= edge[:, None]).sum(axis=1) > keep)
        for row in tied:
            above = np.flatnonzero(scores[row] > edge[row])
            equal = np.flatnonzero(scores[row] == edge[row])
            chosen[row] = np.concatenate([above, equal])[:keep]
    value = np.take_along_axis(scores, chosen, axis=1)
    order = np.lexsort((chosen, -value))
    chosen = np.take_along_axis(chosen, order, axis=1)
    value = np.take_along_axis(value, order, axis=1)
    return np.where(np.isneginf(value), NOBODY, chosen), value
