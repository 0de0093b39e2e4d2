"""Ten artists for every user, and ten relatives for every artist, with names and reasons."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sps

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.approximate import Search
from lastfm_assets.models.item_knn import ItemKnnConfig, nearest
from lastfm_assets.models.neighbours import members_in_common
from lastfm_assets.models.ranking import NOBODY, USUAL, Budget, RankedLists, best_columns
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.recommendations.reasons import (
    column_of,
    joined_names,
    speaking_artists,
    texts_of,
)
from lastfm_assets.vocabulary import SIMILAR_LIST, TOP_LIST, Columns

LENGTH: Final = 10
"""Artists in a published list."""
REASONS: Final = 3
"""Listened artists named as the reason of one recommendation."""


def top_artists(  # noqa: PLR0913 (what is listed, and how it is found)
    model: TrainedModel,
    matrix: ListeningMatrix,
    names: pd.Series,
    *,
    n: int = LENGTH,
    search: Search = "exact",
    budget: Budget = USUAL,
    on_progress: Progress = no_progress,
) -> pd.DataFrame:
    """The best artists of every user that they have not played.

    Args:
        model: fitted on `matrix`.
        matrix: all plays.
        names: artist name by artist id.
        n: length of a list.
        search: whether lists may miss an artist, see `approximate`.
        budget: what ranking may use.
        on_progress: told users ranked and users in all.

    Returns:
        `TOP_LIST` columns, ordered by user and rank; see `as_table`.

    Raises:
        BadInputError: `search` is approximate, and the score no product of factors.
    """
    rows = np.arange(len(matrix.user_ids))
    ranked = model.rank(
        rows,
        n=n,
        leave_out=matrix.plays,
        search=search,
        budget=budget,
        on_progress=on_progress,
    )
    return as_table(model, matrix.plays, ranked, matrix.user_ids, names)


def top_artists_of_listener(
    model: TrainedModel, plays: sps.csr_array, names: pd.Series, *, n: int = LENGTH
) -> pd.DataFrame:
    """The best artists of one listener whom the model has not seen, without retraining.

    Args:
        model: any fitted model.
        plays: (1, n_artists) the listener's counts.
        names: artist name by artist id.
        n: length of the list.

    Returns:
        `TOP_LIST` columns, `user_id` being 0.
    """
    scores = model.recommender.fold_in(plays)
    scores[0, plays.indices] = -np.inf
    ranked = RankedLists(*best_columns(scores, n))
    return as_table(model, plays, ranked, np.zeros(1, dtype=np.int64), names)


def as_table(
    model: TrainedModel,
    plays: sps.csr_array,
    ranked: RankedLists,
    user_ids: np.ndarray,
    names: pd.Series,
) -> pd.DataFrame:
    """Ranked columns as rows that a reader understands.

    `score` is min-max scaled per user to 0..1 (a user whose scores are all equal has 1.0
    throughout); `because` names up to three listened artists that add most to the score, best
    first, joined by "; ", and is empty where the model does not look at what a user plays.

    Args:
        model: the model that ranked.
        plays: (n_users, n_artists) what the users play.
        ranked: (n_users, n) lists.
        user_ids: (n_users,) ids of the lists' users.
        names: artist name by artist id.

    Returns:
        `TOP_LIST` columns, one row a listed artist.
    """
    listed = ranked.artists != NOBODY
    columns = ranked.artists[listed]
    name_of = texts_of(names.reindex(model.artist_ids))
    speaking = speaking_artists(model, plays, ranked.artists, most=REASONS)
    table = pd.DataFrame(
        {
            Columns.USER: np.repeat(user_ids, listed.sum(axis=1)),
            Columns.RANK: (np.nonzero(listed)[1] + 1).astype(np.int32),
            Columns.ARTIST: model.artist_ids[columns],
            Columns.NAME: column_of(name_of.take(pa.array(columns))),
            Columns.SCORE: min_max(ranked.scores, listed)[listed],
            Columns.BECAUSE: column_of(joined_names(name_of, speaking, listed)),
            Columns.MODEL: column_of(
                pa.repeat(pa.scalar(model.name, pa.large_string()), len(columns))
            ),
        }
    )
    return table[list(TOP_LIST)]


def similar_artists(matrix: ListeningMatrix, names: pd.Series, *, n: int = LENGTH) -> pd.DataFrame:
    """Each artist's nearest artists by who plays them.

    The similarity is `item_knn`'s shrunk cosine at its default parameters.

    Args:
        matrix: all plays.
        names: artist name by artist id.
        n: neighbours at most; an artist whose listeners play fewer others has fewer.

    Returns:
        `SIMILAR_LIST` columns ordered by artist and rank: the artist (`to_...`), its neighbour,
        `similarity` in 0..1, `score` (the same, min-max scaled per artist) and `because`, the
        number of listeners in common.
    """
    config = ItemKnnConfig()
    weights = matrix.weighted(config.as_weighting())
    near = ranked_neighbours(nearest(weights, neighbours=n, shrink=config.shrink), n)
    to, column = near.to, near.other
    name_of = texts_of(names.reindex(matrix.artist_ids))
    common = members_in_common(sps.csr_array(matrix.plays.T.tocsr()), to, column)
    table = pd.DataFrame(
        {
            Columns.TO_ARTIST: matrix.artist_ids[to],
            Columns.TO_NAME: column_of(name_of.take(pa.array(to))),
            Columns.RANK: near.rank,
            Columns.ARTIST: matrix.artist_ids[column],
            Columns.NAME: column_of(name_of.take(pa.array(column))),
            Columns.SCORE: near.score,
            Columns.SIMILARITY: near.similarity,
            Columns.BECAUSE: column_of(_in_words(common)),
        }
    )
    return table[list(SIMILAR_LIST)]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Each row's nearest others, row by row, the nearest first; all (n,) long."""

    to: np.ndarray
    """Row whose neighbour it is."""
    other: np.ndarray
    """The neighbour."""
    rank: np.ndarray
    """int32, from 1."""
    similarity: np.ndarray
    """float64."""
    score: np.ndarray
    """float64, the similarity min-max scaled per row to 0..1."""


def ranked_neighbours(similarity: sps.csr_array, n: int) -> Neighbours:
    """A table of neighbours in order.

    Args:
        similarity: (rows, rows), at most `n` stored entries a row, see `item_knn.nearest`.
        n: most neighbours of a row.

    Returns:
        Its entries; equal similarities go to the smaller column.
    """
    sizes = np.diff(similarity.indptr)
    to = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((similarity.indices, -similarity.data, to))
    value = similarity.data[order]
    place = np.arange(len(order)) - similarity.indptr[to]
    padded = np.full((len(sizes), n), -np.inf, dtype=np.float32)
    padded[to, place] = value
    return Neighbours(
        to,
        similarity.indices[order],
        (place + 1).astype(np.int32),
        value.astype(np.float64),
        min_max(padded, np.isfinite(padded))[to, place],
    )


def min_max(scores: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Scales each row's listed scores to 0..1, all to 1 where they are equal.

    Args:
        scores: (rows, n) float.
        listed: (rows, n) bool, which entries count.

    Returns:
        (rows, n) float64; entries not listed mean nothing.
    """
    values = np.where(listed, scores, np.nan).astype(np.float64)
    filled = np.where(listed.any(axis=1, keepdims=True), values, 0.0)
    low = np.nanmin(filled, axis=1, keepdims=True)
    width = np.nanmax(filled, axis=1, keepdims=True) - low
    scaled = np.ones_like(filled)
    np.divide(filled - low, width, out=scaled, where=width > 0)
    return scaled


def _in_words(common: np.ndarray) -> pa.Array:
    """Each number of listeners in common as a reader is told it."""
    distinct, place = np.unique(common, return_inverse=True)
    said = [f"{count} listener{'' if count == 1 else 's'} in common" for count in distinct]
    return pa.array(said, pa.large_string()).take(pa.array(place))
