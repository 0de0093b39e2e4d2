"""Any scores of users and artists judged as lists, as all models are."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.metrics import hits_in_lists, metrics_per_user
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.ranking import rank
from lastfm_assets.vocabulary import Columns

CUTOFF: Final = 10
PRECISION: Final = f"precision@{CUTOFF}"
NDCG: Final = f"ndcg@{CUTOFF}"


def judged(
    scores_of: Callable[[np.ndarray], np.ndarray],
    matrix: ListeningMatrix,
    pairs: pd.DataFrame,
    *,
    leave_out_played: bool = True,
) -> pd.DataFrame:
    """Ranks the whole catalogue for each user of some pairs, and compares.

    Args:
        scores_of: (m,) rows of the matrix -> (m, n_artists) float32, all finite.
        matrix: whose pairs stay out of the lists, unless `leave_out_played` is False.
        pairs: `user_id, artist_id` to find. Users whom the matrix does not know are left out,
            artists that the catalogue does not know are missed.
        leave_out_played: False to judge on pairs of the matrix itself.

    Returns:
        `user_id, precision@10, ndcg@10`, one row a user, see `evaluation.metrics`.
    """
    known = pairs[matrix.rows_of(pairs[Columns.USER].to_numpy()) >= 0]
    users = np.unique(known[Columns.USER].to_numpy())
    rows = np.searchsorted(users, known[Columns.USER].to_numpy())
    columns = matrix.columns_of(known[Columns.ARTIST].to_numpy())
    matrix_rows = matrix.rows_of(users)
    lists = rank(
        scores_of,
        matrix_rows,
        n=CUTOFF,
        n_artists=len(matrix.artist_ids),
        leave_out=matrix.plays if leave_out_played else None,
    )
    sizes = np.bincount(rows, minlength=len(users))
    inside = columns >= 0  # an artist that is not of the catalogue is missed
    hits = hits_in_lists(lists.artists, rows[inside], columns[inside], len(matrix.artist_ids))
    figures = metrics_per_user(hits, sizes, CUTOFF)
    return pd.DataFrame(
        {Columns.USER: users, PRECISION: figures["precision"], NDCG: figures["ndcg"]}
    )
