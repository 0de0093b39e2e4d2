"""Tables of artists that speak for artists: each row's strongest entries, and what they add."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.arrays import entries_of
from lastfm_assets.models.threads import in_threads
from lastfm_assets.progress import Progress

_ENTRIES: Final = 2**21
"""Products, or members of short rows, that a thread looks at at once."""
_SEGMENTS: Final = 3
"""Parts that a row is cut into for each entry to keep, see `_bounds`."""
_BITS: Final = 64
"""Rows whose members are marked at once."""


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

    def best(rows: slice) -> sps.csr_array:
        products = sps.csr_array(back[rows] @ forth)
        sizes = np.diff(products.indptr)
        row = np.repeat(np.arange(rows.start, rows.stop), sizes)
        value = value_of(row, products.indices, products.data)
        bound = np.repeat(_bounds(value, products.indptr, keep), sizes)
        few = np.flatnonzero(value >= bound)
        row, column, value = row[few], products.indices[few], value[few]
        used = (row != column) & (value > 0)
        return strongest(row[used] - rows.start, column[used], value[used], products.shape, keep)

    chunks = []
    pieces = list(_pieces(back, forth))
    for rows, chunk in zip(pieces, in_threads(best, pieces), strict=True):
        chunks.append(chunk)
        on_progress(rows.stop, n_artists)
    return sps.csr_array(sps.vstack(chunks, format="csr"))


def members_in_common(members: sps.csr_array, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How many stored columns two rows share, for many pairs of rows.

    Members of the longer rows are marked, a bit a row, and those of the shorter ones looked up:
    what it takes grows with the shorter rows, however long the others are.

    Args:
        members: (rows, columns), of which only the pattern counts.
        one: (n,) rows.
        other: (n,) the rows that they are held against.

    Returns:
        (n,) int64.
    """
    sizes = np.diff(members.indptr)
    swapped = sizes[one] > sizes[other]
    short, long = np.where(swapped, other, one), np.where(swapped, one, other)
    order = np.argsort(long, kind="stable")
    short, long = short[order], long[order]
    counts = np.zeros(len(order), dtype=np.int64)

    def count(part: slice) -> np.ndarray:
        return _looked_up(members, short[part], long[part])

    parts = list(_parts(sizes[short], long))
    for part, found in zip(parts, in_threads(count, parts), strict=True):
        counts[order[part]] = found
    return counts


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


def _pieces(back: sps.csr_array, forth: sps.csr_array) -> Iterator[slice]:
    """Rows of `back` whose products with `forth` are at most `_ENTRIES`, or one row."""
    steps = np.concatenate(([0], np.cumsum(np.diff(forth.indptr)[back.indices], dtype=np.int64)))
    most = np.minimum(np.diff(steps[back.indptr]), forth.shape[1])
    yield from _up_to(_ENTRIES, np.cumsum(most))


def _parts(sizes: np.ndarray, long: np.ndarray) -> Iterator[slice]:
    """Pairs of at most `_BITS` longer rows, whose shorter ones have at most `_ENTRIES` members."""
    group = np.cumsum(np.concatenate(([0], np.diff(long) != 0)))[: len(long)] // _BITS
    ends = np.append(np.flatnonzero(np.diff(group)) + 1, len(group))
    start = 0
    for end in ends:
        for part in _up_to(_ENTRIES, np.cumsum(sizes[start:end])):
            yield slice(start + part.start, start + part.stop)
        start = end


def _up_to(limit: int, total: np.ndarray) -> Iterator[slice]:
    """Cuts rows with running totals into parts of at most `limit`, or of one row."""
    start, before = 0, 0
    while start < len(total):
        stop = max(start + 1, int(np.searchsorted(total, before + limit, side="right")))
        yield slice(start, stop)
        start, before = stop, int(total[stop - 1])


def _bounds(value: np.ndarray, indptr: np.ndarray, keep: int) -> np.ndarray:
    """(rows,) a lower bound of each row's `keep`-th largest value beside the diagonal.

    A row is cut into segments; the n-th largest of their maxima is at most its n-th largest
    value. One more than `keep` is asked for, as the diagonal may be among them.
    """
    n_segments = _SEGMENTS * (keep + 1)
    sizes = np.diff(indptr)
    bounds = np.full(len(sizes), -np.inf)
    long = np.flatnonzero(sizes >= n_segments)
    if len(long):
        within = sizes[long, None] * np.arange(n_segments, dtype=np.int64) // n_segments
        # the last segment would go on into the next row: an end is put behind each row
        starts = np.concatenate((within, sizes[long, None]), axis=1) + indptr[long, None]
        maxima = np.fmax.reduceat(np.append(value, -np.inf), starts.ravel())
        of_row = maxima.reshape(len(long), -1)[:, :-1]
        place = n_segments - keep - 1
        bounds[long] = np.partition(of_row, place, axis=1)[:, place]
    return bounds


def _looked_up(members: sps.csr_array, short: np.ndarray, long: np.ndarray) -> np.ndarray:
    """(n,) members in common of pairs with at most `_BITS` different longer rows, in order."""
    marks = np.zeros(members.shape[1], dtype=np.uint64)
    distinct, bit = np.unique(long, return_inverse=True)
    for place, row in enumerate(distinct):
        marks[members.indices[members.indptr[row] : members.indptr[row + 1]]] |= np.uint64(
            1 << place
        )
    sizes = np.diff(members.indptr)[short]
    total = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    entry = np.arange(total[-1]) + np.repeat(members.indptr[short] - total[:-1], sizes)
    marked = marks[members.indices[entry]] >> np.repeat(bit.astype(np.uint64), sizes)
    hits = np.concatenate(([0], np.cumsum(marked & np.uint64(1), dtype=np.int64)))
    return np.asarray(hits[total[1:]] - hits[total[:-1]])
