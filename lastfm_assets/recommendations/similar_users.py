"""Ten nearest listeners for every user, by what they play."""

from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.item_knn import nearest
from lastfm_assets.models.user_knn import UserKnnConfig
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.recommendations.lists import LENGTH, REASONS, ranked_neighbours
from lastfm_assets.vocabulary import SIMILAR_USERS, Columns

_CHUNK: Final = 20_000
"""Pairs of users whose artists in common are looked at at once."""


def similar_users(
    matrix: ListeningMatrix,
    names: pd.Series,
    *,
    n: int = LENGTH,
    on_progress: Progress = no_progress,
) -> pd.DataFrame:
    """The users nearest to each user: shrunk cosine of their weighted rows, as `UserKnn` has it.

    Args:
        matrix: all plays.
        names: artist name by artist id.
        n: neighbours at most; a user who shares artists with fewer others has fewer.
        on_progress: told users done and users in all.

    Returns:
        `SIMILAR_USERS` columns ordered by user and rank: the user (`to_user_id`), its neighbour,
        `similarity` in 0..1, `score` (the same, min-max scaled per user) and `because`: how many
        artists they share, and the up to three that add most to the similarity.
    """
    config = UserKnnConfig()
    weights = matrix.weighted(config.as_weighting())
    similarity = nearest(
        sps.csr_array(weights.T.tocsr()),
        neighbours=n,
        shrink=config.shrink,
        on_progress=on_progress,
    )
    near = ranked_neighbours(similarity, n)
    name_of = names.reindex(matrix.artist_ids).to_numpy(dtype=object)
    table = pd.DataFrame(
        {
            Columns.TO_USER: matrix.user_ids[near.to],
            Columns.RANK: near.rank,
            Columns.USER: matrix.user_ids[near.other],
            Columns.SCORE: near.score,
            Columns.SIMILARITY: near.similarity,
            Columns.BECAUSE: _in_common(weights, near.to, near.other, name_of),
        }
    )
    return table.astype({Columns.BECAUSE: "str"})[list(SIMILAR_USERS)]


def _in_common(
    weights: sps.csr_array, to: np.ndarray, other: np.ndarray, name_of: np.ndarray
) -> list[str]:
    """Of each pair of users: the artists that add most to their similarity, and how many share."""
    said = []
    for start in range(0, len(to), _CHUNK):
        inside = slice(start, start + _CHUNK)
        shared = sps.csr_array(weights[to[inside]].multiply(weights[other[inside]]))
        for row in range(shared.shape[0]):
            entries = slice(shared.indptr[row], shared.indptr[row + 1])
            artists, share = shared.indices[entries], shared.data[entries]
            best = np.lexsort((artists, -share))[:REASONS]
            listed = "; ".join(name_of[artists[best]])
            more = len(artists) - len(best)
            said.append(f"{listed} and {more} more" if more else listed)
    return said
