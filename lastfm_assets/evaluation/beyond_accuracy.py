r"""What lists are like beside being right: how wide, how new, how varied, and for how many.

Lists are (n_users, n) artist columns, best first, each artist at most once, -1 where a list has
ended. Popularity is the number of listeners in training. Of the first k artists of a list:

=============== ===========================================================================
coverage        share of the catalogue that anybody's list names (Ge et al., 2010)
gini            inequality of how often the artists of the catalogue are listed: 0 all equally
                often, near 1 one artist alone (Gini, 1912)
novelty         mean self-information :math:`-\log_2(n_a / n)` in bits, n_a of n users playing
                the artist; one who has no listener counts as one with one (Zhou et al., 2010)
diversity       1 - mean cosine of the tag counts of two artists of the list, which is 1 -
                intra-list similarity (Ziegler et al., 2005); pairs in which one has no tag are
                left out, as nothing is known of them
popularity_lift (P - Q) / Q, P the mean popularity of the list and Q of the artists that the
                user plays: 0 the user's own taste, above 0 pushed to what is popular, in
                -1..inf (Abdollahpouri et al., 2019, per user)
users_served    share of users whose list has k artists
=============== ===========================================================================

Per user first, then the mean; NaN where undefined: novelty of an empty list, diversity of a list
with fewer than two tagged artists, the lift of an empty list or of a user who plays nothing, gini
and coverage of an empty catalogue, gini where nothing is listed.
"""

from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.vocabulary import Columns

_CHUNK: Final = 4096
"""Lists whose tags are summed at a time, which bounds memory."""


def times_listed(lists: np.ndarray, n_artists: int, k: int) -> np.ndarray:
    """(n_artists,) how many users have each artist among their first k."""
    first = lists[:, :k]
    return np.asarray(np.bincount(first[first >= 0], minlength=n_artists))


def coverage(times: np.ndarray) -> float:
    """Catalogue coverage, in 0..1, of artists listed `times`, (n_artists,), often."""
    return float(np.count_nonzero(times) / len(times)) if len(times) else float("nan")


def gini(times: np.ndarray) -> float:
    r"""Gini coefficient of artists listed `times`, (n_artists,), often.

    With x_i in rising order :math:`\sum_i (2 i - n - 1) x_i / (n \sum_i x_i)`, in 0..1 - 1/n.
    """
    rising = np.sort(times)
    n, total = len(rising), int(rising.sum())
    if not total:
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ rising / (n * total))


def users_served(lists: np.ndarray, k: int) -> np.ndarray:
    """(n_users,) 1 where a list has k artists, else 0."""
    sizes = np.asarray(np.count_nonzero(lists[:, :k] >= 0, axis=1))
    return (sizes >= k).astype(np.float64)


def listeners_of(plays: sps.csr_array) -> np.ndarray:
    """(n_artists,) users with a play of each artist, of plays (n_users, n_artists)."""
    return np.asarray(np.bincount(plays.indices, minlength=plays.shape[1]))


def novelty(lists: np.ndarray, listeners: np.ndarray, n_training: int, k: int) -> np.ndarray:
    """Mean self-information of the artists of each list.

    Args:
        lists: (n_users, n) artist columns.
        listeners: (n_artists,) users who play each artist in training.
        n_training: users in training.
        k: the cut-off, >= 1.

    Returns:
        (n_users,) bits, >= 0, NaN for an empty list.
    """
    return _mean_of_listed(lists, np.log2(n_training / np.maximum(listeners, 1)), k)


def popularity_lift(
    lists: np.ndarray, listeners: np.ndarray, profiles: sps.csr_array, k: int
) -> np.ndarray:
    """How much more popular each list is than what its user plays.

    Args:
        lists: (n_users, n) artist columns.
        listeners: (n_artists,) users who play each artist in training.
        profiles: (n_users, n_artists), row r the training plays of the user of list r; any
            stored entry counts once.
        k: the cut-off, >= 1.

    Returns:
        (n_users,) >= -1, NaN for an empty list or profile.
    """
    played = mean_popularity(profiles, listeners)
    return np.asarray((_mean_of_listed(lists, listeners, k) - played) / played)


def mean_popularity(profiles: sps.csr_array, listeners: np.ndarray) -> np.ndarray:
    """(n_users,) mean listeners of the artists of each row of `profiles`, NaN for an empty row."""
    sizes = np.diff(profiles.indptr)
    users = np.repeat(np.arange(len(sizes)), sizes)
    return _ratio(np.bincount(users, listeners[profiles.indices], len(sizes)), sizes)


def tag_counts(tag_assignments: pd.DataFrame, artist_ids: np.ndarray) -> sps.csr_array:
    """How often each tag was given to each artist.

    Args:
        tag_assignments: `artist_id, tag_id`, one row an assignment; other artists do not count.
        artist_ids: (n_artists,) the catalogue, rising.

    Returns:
        (n_artists, n_tags) float64 counts, tags by id.
    """
    inside = tag_assignments[tag_assignments[Columns.ARTIST].isin(artist_ids)]
    tags, columns = np.unique(inside[Columns.TAG].to_numpy(), return_inverse=True)
    rows = np.searchsorted(artist_ids, inside[Columns.ARTIST].to_numpy())
    counts = sps.coo_array(
        (np.ones(len(rows)), (rows, columns)), shape=(len(artist_ids), len(tags))
    )
    return counts.tocsr()


def diversity(lists: np.ndarray, artist_tags: sps.csr_array, k: int) -> np.ndarray:
    r"""How little the artists of each list share their tags.

    With unit tag vectors :math:`v_1..v_t` of the t tagged artists of a list, the cosines of its
    :math:`t (t - 1) / 2` pairs add up to :math:`(|\sum_i v_i|^2 - t) / 2`.

    Args:
        lists: (n_users, n) artist columns.
        artist_tags: (n_artists, n_tags) counts >= 0; see `tag_counts`.
        k: the cut-off, >= 1.

    Returns:
        (n_users,) in 0..1, NaN for fewer than two tagged artists.
    """
    lengths = np.sqrt(artist_tags.power(2).sum(axis=1))
    tagged = lengths > 0
    scale = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=tagged)
    unit = sps.csr_array(sps.diags_array(scale) @ artist_tags)
    result = np.empty(len(lists))
    for start in range(0, len(lists), _CHUNK):
        listed = _as_matrix(lists[start : start + _CHUNK, :k], artist_tags.shape[0])
        sums = sps.csr_array(listed @ unit)
        squares = sums.power(2).sum(axis=1)
        counted = listed @ tagged.astype(np.float64)
        pairs = counted * (counted - 1)
        result[start : start + _CHUNK] = 1.0 - _ratio(squares - counted, pairs)
    return np.clip(result, 0.0, 1.0)  # NaN stays; rounding may leave the range by 1e-16


def catalogue_figures(lists: np.ndarray, n_artists: int, cutoffs: list[int]) -> dict[str, float]:
    """`coverage@<k>` and `gini@<k>`, which belong to all lists together."""
    figures = {}
    for k in cutoffs:
        times = times_listed(lists, n_artists, k)
        figures[f"coverage@{k}"], figures[f"gini@{k}"] = coverage(times), gini(times)
    return figures


def list_figures(
    lists: np.ndarray,
    plays: sps.csr_array,
    rows: np.ndarray,
    cutoffs: list[int],
    artist_tags: sps.csr_array | None = None,
) -> dict[str, np.ndarray]:
    """What each user's list is like.

    Args:
        lists: (n_users, n) artist columns.
        plays: (n_training, n_artists) of training.
        rows: (n_users,) row of `plays` of each list's user, -1 for one without a play.
        cutoffs: each >= 1.
        artist_tags: (n_artists, n_tags) counts; None: no diversity.

    Returns:
        `novelty@<k>`, `popularity_lift@<k>`, `users_served@<k>` and `diversity@<k>`, each
        (n_users,); `means` takes them as columns of a table.
    """
    listeners = listeners_of(plays)
    # row -1 is the last, which is empty
    profiles = sps.vstack([plays, sps.csr_array((1, plays.shape[1]))], format="csr")[rows]
    figures = {}
    for k in cutoffs:
        figures[f"novelty@{k}"] = novelty(lists, listeners, plays.shape[0], k)
        figures[f"popularity_lift@{k}"] = popularity_lift(lists, listeners, profiles, k)
        figures[f"users_served@{k}"] = users_served(lists, k)
        if artist_tags is not None:
            figures[f"diversity@{k}"] = diversity(lists, artist_tags, k)
    return figures


def _mean_of_listed(lists: np.ndarray, values: np.ndarray, k: int) -> np.ndarray:
    """(n_users,) mean of `values`, (n_artists,), over each list's first k, NaN if empty."""
    first = lists[:, :k]
    rows, places = np.nonzero(first >= 0)
    sums = np.bincount(rows, values[first[rows, places]], len(lists))
    return _ratio(sums, np.bincount(rows, minlength=len(lists)))


def _as_matrix(lists: np.ndarray, n_artists: int) -> sps.csr_array:
    """(n_users, n_artists) with 1 where an artist is listed."""
    rows, places = np.nonzero(lists >= 0)
    ones = np.ones(len(rows))
    return sps.coo_array((ones, (rows, lists[rows, places])), (len(lists), n_artists)).tocsr()


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Elementwise quotient, NaN where `counts` is 0."""
    quotient = np.full(len(sums), np.nan)
    np.divide(sums, counts, out=quotient, where=counts > 0)
    return quotient
