"""Why an artist is in a list: the artists a user plays that speak most for it, and their names."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sps

from lastfm_assets.models.ranking import NOBODY
from lastfm_assets.models.trained import TrainedModel

_USERS: Final = 2**16
"""Users whose reasons are looked for at once; only their plays are weighted meanwhile."""
_ALIKE: Final = 2**11
"""Users among whom those with equally many artists are looked at together."""


def speaking_artists(
    model: TrainedModel, plays: sps.csr_array, artists: np.ndarray, *, most: int
) -> np.ndarray:
    """(n_users, n, most) columns of the listened artists that add most to each listed one.

    The first adds most; `NOBODY` where no further one adds anything.

    Args:
        model: whose scores are explained.
        plays: (n_users, n_artists) what the users play.
        artists: (n_users, n) columns of the listed artists, `NOBODY` behind the last.
        most: listened artists that may speak for one of them.
    """
    speaking = np.full((*artists.shape, most), NOBODY, dtype=np.int32)
    for first in range(0, len(artists), _USERS):
        users = slice(first, first + _USERS)
        wanted = np.where(artists[users] == NOBODY, 0, artists[users])
        mine = plays[users]
        shares = model.recommender.contributions(mine, wanted)
        for start in range(0, len(wanted), _ALIKE):
            some = list(islice(shares, _ALIKE))
            rows = slice(start, start + len(some))
            speaking[users][rows] = _largest(some, mine.indices, mine.indptr[rows], most)
    return speaking


def _largest(
    shares: Sequence[np.ndarray], columns: np.ndarray, starts: np.ndarray, most: int
) -> np.ndarray:
    """(users, n, most) columns of the largest positive shares, equal ones by smaller column.

    Args:
        shares: (m, n) for each user of m artists.
        columns: (nnz,) rising columns of each user's artists.
        starts: (users,) where those of each user begin.
        most: how many to name.
    """
    sizes = np.array([len(share) for share in shares])
    n = shares[0].shape[1]
    found = np.full((len(shares), n, most), NOBODY, dtype=np.int32)
    for size in np.unique(sizes[sizes > 0]):
        alike = np.flatnonzero(sizes == size)
        left = np.stack([shares[user].T for user in alike.tolist()])
        left = left.astype(np.float32, copy=False)
        for place in range(min(most, size)):
            best = left.argmax(axis=2)[:, :, None]
            positive = np.take_along_axis(left, best, axis=2) > 0
            column = columns[starts[alike][:, None, None] + best]
            found[alike, :, place] = np.where(positive, column, NOBODY)[:, :, 0]
            np.put_along_axis(left, best, -np.inf, axis=2)
    return found


def joined_names(name_of: pa.Array, speaking: np.ndarray, listed: np.ndarray) -> pa.ChunkedArray:
    """Names of the artists that speak for each listed one, joined by "; ".

    Args:
        name_of: (n_artists,) name of each column.
        speaking: (n_users, n, k) columns, see `speaking_artists`.
        listed: (n_users, n) bool, which places of the lists are taken.

    Returns:
        A text a place that is taken, empty where nobody speaks for it.
    """
    nothing, nobody = pa.scalar("", pa.large_string()), pa.array([""], pa.large_string())
    between = pa.scalar("; ", pa.large_string())
    later = pc.binary_join_element_wise(between, name_of, nothing)
    first_of, later_of = (pa.concat_arrays([texts, nobody]) for texts in (name_of, later))
    chunks = [pa.array([], pa.large_string())]
    for start in range(0, len(listed), _USERS):
        rows = slice(start, start + _USERS)
        columns = speaking[rows][listed[rows]]
        places = [
            pa.array(column) for column in np.where(columns == NOBODY, len(name_of), columns).T
        ]
        said = [first_of.take(places[0]), *(later_of.take(place) for place in places[1:])]
        chunks.append(pc.binary_join_element_wise(*said, nothing))
    return pa.chunked_array(chunks)


def texts_of(names: pd.Series) -> pa.Array:
    """Names as Arrow's large strings."""
    return pa.array(names.to_numpy(dtype=object), pa.large_string(), from_pandas=True)


def column_of(texts: pa.Array | pa.ChunkedArray) -> pd.Series:
    """Texts as pandas keeps them, without an object each."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column: pd.Series = pa.table({"": whole}).to_pandas(use_threads=False)[""]
    return column
