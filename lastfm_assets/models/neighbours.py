"""Tables of artists that speak for artists: each row's strongest entries, and what they add."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.arrays import entries_of
from lastfm_assets.progress import Progress

_CHUNK: Final = 2048
"""Artists whose products are computed at once."""


def strongest_products(
    back: sps.csr_array,
    forth: sps.csr_array,
    *,
    value_of: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    keep: int,
    on_progress: Progress,
) -> sps.csr_array:
    """Each artist's strongest others by way of users.

    Args:
        back: (n_artists, n_users) from artists to users.
        forth: (n_users, n_artists) from users to artists.
        value_of: (n,) rows, columns and stored entries of `back @ forth` -> (n,) what counts;
            entries that are not above zero are dropped.
        keep: entries of a row, see `strongest`.
        on_progress: told artists done and artists in all.

    Returns:
        (n_artists, n_artists) float32, diagonal left out, zeros not stored.
    """
    n_artists = back.shape[0]
    chunks = []
    for start in range(0, n_artists, _CHUNK):
        products = (back[start : start + _CHUNK] @ forth).tocoo()
        row = products.row + start
        value = value_of(row, products.col, products.data)
        used = (row != products.col) & (value > 0)
        chunks.append(
            strongest(products.row[used], products.col[used], value[used], products.shape, keep)
        )
        on_progress(min(start + _CHUNK, n_artists), n_artists)
    return sps.csr_array(sps.vstack(chunks, format="csr"))


def summands(
    weights: sps.csr_array, table: sps.csr_array, artists: np.ndarray
) -> Iterator[np.ndarray]:
    """What each listened artist adds to scores that are `weights @ table`.

    Args:
        weights: (n, n_artists) of n listeners.
        table: (n_artists, n_artists).
        artists: (n, k) columns to explain.

    Yields:
        (m, k) for each listener of m artists.
    """
    for row, wanted in enumerate(artists):
        listened, weight = entries_of(weights, row)
        yield table[listened][:, wanted].toarray() * weight[:, None]


def strongest(
    row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int], keep: int
) -> sps.csr_array:
    """The largest entries of each row.

    Args:
        row: (n,) rows of the entries.
        column: (n,) their columns, no pair twice.
        value: (n,) what to compare.
        shape: of the matrix.
        keep: entries to keep a row; equal ones go to the smaller column.

    Returns:
        The matrix of the kept entries, float32, sorted indices.
    """
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    first = np.searchsorted(row, np.arange(shape[0]))
    kept = np.arange(len(row)) - first[row] < keep
    strongest = sps.csr_array(
        (value[kept].astype(np.float32), (row[kept], column[kept])), shape=shape
    )
    strongest.sort_indices()
    return strongest
