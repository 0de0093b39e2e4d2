r"""Metrics of ranked lists, one meaning each: per user first, then the mean.

With hits h_i (1 where the artist at rank i is held out, else 0) and m held-out artists:

========== ==============================================================================
precision  :math:`\sum_{i \le k} h_i / k`, also where a list or m is shorter than k
recall     :math:`\sum_{i \le k} h_i / m`
ndcg       :math:`\sum_{i \le k} h_i / \log_2(i + 1)` over the same sum for min(k, m) hits
map        :math:`\sum_{i \le k} h_i P_i / \min(k, m)`, P_i the precision at i
mrr        1 / rank of the first hit within k, else 0
hit_rate   1 if there is a hit within k, else 0
auc        share of (held-out, not held-out) pairs of artists in the right order over the whole
           ranking, without a cut-off; a tie counts one half
========== ==============================================================================

A user with nothing held out has no value (NaN) and is not counted in a mean, nor has one auc if
nothing else is ranked. A user with something held out and no list has 0 (auc: one half).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    import pandas as pd

METRICS: Final = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")
"""Those with a cut-off, `<metric>@<k>`."""
AUC: Final = "auc"
_COUNT_BYTES: Final = 2**20
"""Memory for the counts of one chunk of resamples, small enough to stay in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Where in the lists held-out artists stand."""

    rows: np.ndarray
    """(h,) row of the user of each hit, not falling."""
    places: np.ndarray
    """(h,) its place in the user's list, 0 the best, rising within a user."""

    @classmethod
    def of(cls, hit: np.ndarray) -> "Hits":
        """From (n_users, n) bool, whether the artist at each place is held out."""
        return cls(*np.nonzero(hit))


def metrics_per_user(hits: Hits, held_out: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Every metric at one cut-off for every user.

    Args:
        hits: of whole lists or of their first n places; places that are not there are no hits.
        held_out: (n_users,) int, how many artists of each user are held out.
        k: the cut-off, >= 1.

    Returns:
        `METRICS` by name, each (n_users,) float64 in 0..1, NaN where nothing is held out.
    """
    within = hits.places < k
    rows, places = hits.rows[within], hits.places[within]
    n_users = len(held_out)
    found = np.bincount(rows, minlength=n_users)
    first = np.cumsum(found) - found
    hits_so_far = np.arange(1, len(rows) + 1) - first[rows]
    reachable = np.minimum(held_out, k)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[reachable]
    any_hit = found > 0
    reciprocal = np.zeros(n_users)
    reciprocal[any_hit] = 1.0 / (places[first[any_hit]] + 1)
    with np.errstate(invalid="ignore"):
        values = {
            "precision": found / k,
            "recall": found / held_out,
            "ndcg": np.bincount(rows, discount[places], n_users) / ideal,
            "map": np.bincount(rows, hits_so_far / (places + 1), n_users) / reachable,
            "mrr": reciprocal,
            "hit_rate": any_hit.astype(np.float64),
        }
    for value in values.values():
        value[held_out == 0] = np.nan
    return values


def auc_per_user(
    rows: np.ndarray,
    ranks: np.ndarray,
    held_out: np.ndarray,
    n_ahead: np.ndarray,
    n_last: np.ndarray,
) -> np.ndarray:
    r"""Area under each user's ROC curve, from ranks (Mann and Whitney, 1947).

    With R the sum of the ranks of a user's m held-out artists among n, there are
    :math:`R - m (m + 1) / 2` pairs in wrong order of :math:`m (n - m)` pairs.

    Args:
        rows: (p,) user of each held-out artist that has a rank.
        ranks: (p,) its rank, 1 the best; equal scores share the mean of their ranks, by which a
            tie counts one half.
        held_out: (n_users,) m, those without a rank included.
        n_ahead: (n_users,) artists that have a rank.
        n_last: (n_users,) artists that are tied behind those, held out or not; n is the sum of
            both.

    Returns:
        (n_users,) in 0..1, NaN where nothing is held out or everything is.
    """
    wanted = held_out.astype(np.float64)
    without_rank = held_out - np.bincount(rows, minlength=len(held_out))
    ranked = np.bincount(rows, ranks, len(held_out))
    rank_sums = ranked + without_rank * (n_ahead + (n_last + 1) / 2)
    with np.errstate(invalid="ignore"):
        wrong = rank_sums - wanted * (wanted + 1) / 2
        return np.asarray(1.0 - wrong / (wanted * (n_ahead + n_last - wanted)))


def precision_ceiling(held_out: np.ndarray, k: int) -> float:
    """The best mean precision@k that any lists could reach, mean(min(k, held out)) / k."""
    counted = held_out[held_out > 0]
    return float(np.minimum(counted, k).mean() / k) if len(counted) else float("nan")


def hits_in_lists(
    lists: np.ndarray, held_out_rows: np.ndarray, held_out_columns: np.ndarray, n_artists: int
) -> Hits:
    """Finds the listed artists that are held out.

    Args:
        lists: (n_users, n) int64 artist columns, negative where a list has ended.
        held_out_rows: (p,) row of `lists` of each held-out pair.
        held_out_columns: (p,) artist column of each held-out pair.
        n_artists: size of the catalogue.

    Returns:
        Each listed artist that is held out for the user of its list.
    """
    pairs = np.sort(held_out_rows.astype(np.int64) * n_artists + held_out_columns)
    if not len(pairs):
        return Hits.of(np.zeros(lists.shape, dtype=bool))
    listed = np.arange(len(lists), dtype=np.int64)[:, None] * n_artists + lists
    place = np.minimum(np.searchsorted(pairs, listed), len(pairs) - 1)
    return Hits.of((pairs[place] == listed) & (lists >= 0))


def per_user_table(
    user_ids: np.ndarray, hits: Hits, held_out: np.ndarray, cutoffs: list[int], auc: np.ndarray
) -> "pd.DataFrame":
    """`user_id`, the metrics of `metrics_per_user` as `<metric>@<k>`, and `auc`, (n_users,)."""
    import pandas as pd  # noqa: PLC0415 (large, and not needed where no table is)

    columns: dict[str, np.ndarray] = {Columns.USER: user_ids}
    for k in cutoffs:
        for metric, values in metrics_per_user(hits, held_out, k).items():
            columns[f"{metric}@{k}"] = values
    return pd.DataFrame({**columns, AUC: auc}, copy=False)


def means(per_user: "pd.DataFrame") -> dict[str, float]:
    """Mean of each metric over the users who have one."""
    metrics = per_user.drop(columns=Columns.USER)
    return {str(name): float(value) for name, value in metrics.mean(skipna=True).items()}


def resampled_counts(n_users: int, *, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """How often each user stands in each draw of as many users, with replacement.

    Yields:
        (n, n_users) float64 counts, each row one draw, in chunks of bounded memory; nothing where
        there is no user.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _COUNT_BYTES // (8 * max(1, n_users)))
    for start in range(0, resamples if n_users else 0, step):
        size = min(step, resamples - start)
        users = rng.integers(n_users, size=(size, n_users))
        users += np.arange(size)[:, None] * n_users
        counts = np.bincount(users.ravel(), minlength=size * n_users)
        yield counts.reshape(size, n_users).astype(np.float64)


def bootstrap_intervals(
    values: np.ndarray, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> np.ndarray:
    """Percentile intervals of means over users, drawn with replacement (Efron, 1979).

    All columns see the same draws of users, so that intervals of models or metrics in them are
    paired. A resampled mean of a column is over those drawn who have a value in it.

    Args:
        values: (n_users, n_metrics); NaN where a user has no value. Users without any value are
            left out before drawing.
        seed: of the draws.
        resamples: how many means are drawn.
        level: coverage.

    Returns:
        (n_metrics, 2) lower and upper bounds; NaN where a column has no value.
    """
    has_value = ~np.isnan(values)
    counted = has_value.any(axis=1)
    filled = np.where(has_value, values, 0.0)[counted]
    given = has_value[counted].astype(np.float64)
    n_users, n_metrics = filled.shape
    if not n_users:
        return np.full((n_metrics, 2), np.nan)
    with np.errstate(invalid="ignore"):
        drawn = np.vstack(
            [
                (times @ filled) / (times @ given)
                for times in resampled_counts(n_users, seed=seed, resamples=resamples)
            ]
        )
    tail = (1.0 - level) / 2.0
    bounds = np.full((n_metrics, 2), np.nan)
    known = has_value.any(axis=0)
    bounds[known] = np.nanquantile(drawn[:, known], [tail, 1.0 - tail], axis=0).T
    return bounds


def bootstrap_interval(
    values: np.ndarray, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """`bootstrap_intervals` of one metric, (n_users,): its lower and upper bound."""
    bounds = bootstrap_intervals(values[:, None], seed=seed, resamples=resamples, level=level)
    return float(bounds[0, 0]), float(bounds[0, 1])
