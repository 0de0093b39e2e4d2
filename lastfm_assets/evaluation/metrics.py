r"""Metrics of top-k lists, one meaning each: per user first, then the mean.

With hits h_i (1 where the artist at rank i is held out, else 0) and m held-out artists:

========== ==============================================================================
precision  :math:`\sum_{i \le k} h_i / k`, also where a list or m is shorter than k
recall     :math:`\sum_{i \le k} h_i / m`
ndcg       :math:`\sum_{i \le k} h_i / \log_2(i + 1)` over the same sum for min(k, m) hits
map        :math:`\sum_{i \le k} h_i P_i / \min(k, m)`, P_i the precision at i
mrr        1 / rank of the first hit within k, else 0
hit_rate   1 if there is a hit within k, else 0
========== ==============================================================================

A user with nothing held out has no value (NaN) and is not counted in a mean. A user with
something held out and no list has 0.
"""

from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.vocabulary import Columns

METRICS: Final = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")


def metrics_per_user(hits: np.ndarray, held_out: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Every metric at one cut-off for every user.

    Args:
        hits: (n_users, n) bool, whether the artist at each rank is held out; n may be below k,
            the ranks that are not there are no hits.
        held_out: (n_users,) int, how many artists of each user are held out.
        k: the cut-off, >= 1.

    Returns:
        `METRICS` by name, each (n_users,) float64 in 0..1, NaN where nothing is held out.
    """
    hit = hits[:, :k].astype(np.float64)
    ranks = np.arange(1, hit.shape[1] + 1)
    found = hit.sum(axis=1)
    reachable = np.minimum(held_out, k)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[reachable]
    average = (hit * np.cumsum(hit, axis=1) / ranks).sum(axis=1)
    with np.errstate(invalid="ignore"):
        values = {
            "precision": found / k,
            "recall": found / held_out,
            "ndcg": (hit * discount[: hit.shape[1]]).sum(axis=1) / ideal,
            "map": average / reachable,
            "mrr": (hit / ranks).max(axis=1, initial=0.0),
            "hit_rate": (found > 0).astype(np.float64),
        }
    nothing = held_out == 0
    for value in values.values():
        value[nothing] = np.nan
    return values


def precision_ceiling(held_out: np.ndarray, k: int) -> float:
    """The best mean precision@k that any lists could reach, mean(min(k, held out)) / k."""
    counted = held_out[held_out > 0]
    return float(np.minimum(counted, k).mean() / k) if len(counted) else float("nan")


def hits_in_lists(
    lists: np.ndarray, held_out_rows: np.ndarray, held_out_columns: np.ndarray, n_artists: int
) -> np.ndarray:
    """Marks which listed artists are held out.

    Args:
        lists: (n_users, n) int64 artist columns, negative where a list has ended.
        held_out_rows: (p,) row of `lists` of each held-out pair.
        held_out_columns: (p,) artist column of each held-out pair.
        n_artists: size of the catalogue.

    Returns:
        (n_users, n) bool.
    """
    pairs = np.sort(held_out_rows.astype(np.int64) * n_artists + held_out_columns)
    listed = np.arange(len(lists), dtype=np.int64)[:, None] * n_artists + lists
    if not len(pairs):
        return np.zeros(lists.shape, dtype=bool)
    place = np.minimum(np.searchsorted(pairs, listed), len(pairs) - 1)
    return np.asarray((pairs[place] == listed) & (lists >= 0))


def judge_lists(lists: pd.DataFrame, held_out: pd.DataFrame, cutoffs: list[int]) -> pd.DataFrame:
    """Judges anybody's lists against held-out pairs.

    Args:
        lists: `user_id, artist_id, score`; the highest score is first, equal scores go to the
            smaller artist id; an artist that a list names twice counts once, at its best place.
        held_out: `user_id, artist_id`; a pair that stands twice counts once.
        cutoffs: list lengths to judge at, each >= 1.

    Returns:
        One row a user of `held_out`, ordered by id: `user_id` and `<metric>@<k>`. Users with a
        list but nothing held out are left out.
    """
    pairs = held_out[[Columns.USER, Columns.ARTIST]].drop_duplicates()
    users = np.unique(pairs[Columns.USER].to_numpy())
    artists = np.unique(
        np.concatenate([pairs[Columns.ARTIST].to_numpy(), lists[Columns.ARTIST].to_numpy()])
    )
    counted = lists[lists[Columns.USER].isin(users)].sort_values(
        [Columns.USER, Columns.SCORE, Columns.ARTIST], ascending=[True, False, True]
    )
    counted = counted.drop_duplicates([Columns.USER, Columns.ARTIST])
    row = np.searchsorted(users, counted[Columns.USER].to_numpy())
    place = counted.groupby(Columns.USER).cumcount().to_numpy()
    kept = place < max(cutoffs)
    table = np.full((len(users), max(cutoffs)), -1, dtype=np.int64)
    columns = np.searchsorted(artists, counted[Columns.ARTIST].to_numpy())
    table[row[kept], place[kept]] = columns[kept]
    pair_rows = np.searchsorted(users, pairs[Columns.USER].to_numpy())
    pair_columns = np.searchsorted(artists, pairs[Columns.ARTIST].to_numpy())
    hits = hits_in_lists(table, pair_rows, pair_columns, len(artists))
    sizes = np.bincount(pair_rows, minlength=len(users))
    return per_user_table(users, hits, sizes, cutoffs)


def per_user_table(
    user_ids: np.ndarray, hits: np.ndarray, held_out: np.ndarray, cutoffs: list[int]
) -> pd.DataFrame:
    """The metrics of `metrics_per_user` as columns `<metric>@<k>` behind `user_id`."""
    columns: dict[str, np.ndarray] = {Columns.USER: user_ids}
    for k in cutoffs:
        for metric, values in metrics_per_user(hits, held_out, k).items():
            columns[f"{metric}@{k}"] = values
    return pd.DataFrame(columns)


def means(per_user: pd.DataFrame) -> dict[str, float]:
    """Mean of each metric over the users who have one."""
    metrics = per_user.drop(columns=Columns.USER)
    return {str(name): float(value) for name, value in metrics.mean(skipna=True).items()}


def bootstrap_interval(
    values: np.ndarray, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the mean over users, drawn with replacement (Efron, 1979).

    Args:
        values: (n_users,) one metric; NaN users are left out.
        seed: of the draws.
        resamples: how many means are drawn.
        level: coverage.

    Returns:
        Lower and upper bound; NaN twice where no user counts.
    """
    counted = values[~np.isnan(values)]
    if not len(counted):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = [
        counted[rng.integers(len(counted), size=len(counted))].mean() for _ in range(resamples)
    ]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return float(low), float(high)
