"""At which rank some artists stand, for models whose score is an inner product."""

from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_counting import Counting
from lastfm_assets.models.products import (
    LARGEST,
    Catalogue,
    largest_scores,
    row_lengths,
)
from lastfm_assets.models.ranking import USUAL, Budget
from lastfm_assets.models.threads import cores, in_threads

_SCORES: Final = 2**18
"""Scores at once, see `product_ranking`."""
_FEWEST: Final = 2**12
"""Scores at once, at least."""
_USERS: Final = 512
"""Users at once, at most."""
_BYTES: Final = 14
"""For a score: itself, whether it is higher, whether it is near, and who is near."""


def place_products(
    factors: Factors,
    user_rows: np.ndarray,
    wanted: tuple[np.ndarray, np.ndarray],
    *,
    leave_out: sps.csr_array | None = None,
    budget: Budget = USUAL,
) -> np.ndarray:
    """Rank of some artists among the whole catalogue, equal scores sharing the mean rank.

    Args:
        factors: vectors and biases; scores are as `exact_scores` gives them.
        user_rows: (n_users,) rows.
        wanted: (p,) positions in `user_rows`, not falling, and (p,) columns of artists.
        leave_out: (rows, n_artists) whose stored entries have no rank and are not counted, its
            row r belonging to user row r.
        budget: memory for scores and counts, of all threads together; the artists are laid out
            once beside it.

    Returns:
        (p,) float64, 1 the best; NaN for artists that are left out.

    Raises:
        ValueError: a score is not finite.
    """
    positions, columns = wanted
    ranks = np.full(len(positions), np.nan)
    if not len(positions):
        return ranks
    lengths = row_lengths(factors.users, user_rows)
    largest = largest_scores(factors, lengths).max()
    if not largest <= LARGEST:
        raise ValueError("a model gave a score that is not finite, or near the largest float32")
    catalogue = Catalogue.of(factors, float(np.median(lengths)))
    threads = cores() if budget.threads is None else budget.threads
    users, scores = _sizes(budget.memory // threads, positions, len(user_rows))

    def placed(start: int) -> tuple[slice, np.ndarray]:
        rows = user_rows[start : start + users]
        first, end = np.searchsorted(positions, [start, start + len(rows)])
        asked = slice(first, end)
        counting = Counting.of(
            factors, catalogue, rows, (positions[asked] - start, columns[asked]), leave_out
        )
        return asked, counting.ranks(scores)

    for asked, found in in_threads(placed, range(0, len(user_rows), users), threads):
        ranks[asked] = found
    return ranks


def _sizes(memory: int, positions: np.ndarray, n_users: int) -> tuple[int, int]:
    """Users and scores at once that fit into so many bytes."""
    most = int(np.bincount(positions).max())
    users = max(1, min(_USERS, n_users, memory // (2 * 40 * (most + 8))))
    return users, max(_FEWEST, min(_SCORES, memory // (2 * _BYTES)))
