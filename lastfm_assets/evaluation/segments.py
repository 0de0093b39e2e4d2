"""For whom a model works: metrics of users who play little or much, the known or the unknown.

Users are cut into thirds twice, by their plays in training and by the mean number of listeners of
the artists they play. A border belongs to the lower third, so equal users stand in the same one,
whatever the order of rows; with many equal users the thirds differ in size.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.beyond_accuracy import listeners_of, mean_popularity
from lastfm_assets.evaluation.metrics import bootstrap_intervals
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.vocabulary import Columns

SEGMENTS: Final = {
    "plays": ("few", "middle", "many"),
    "taste": ("niche", "middle", "popular"),
}
"""Kinds of segments and the segments of each, lowest third first."""
UNKNOWN: Final = "unknown"
"""Segment of users without a play in training."""
KIND: Final = "segment_kind"
SEGMENT: Final = "segment"
USERS: Final = "users"
_WITH_INTERVAL: Final = ("precision@", "ndcg@")


def thirds(values: np.ndarray) -> np.ndarray:
    """The third of each value: 0 lowest, 1 middle, 2 highest.

    The borders are the values at ranks ceil(n / 3) and ceil(2 n / 3) in rising order.

    Args:
        values: (n,) without NaN.

    Returns:
        (n,) int64; equal values have the same.
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    n = len(values)
    borders = np.sort(values)[[-(-n // 3) - 1, -(-2 * n // 3) - 1]]
    return np.searchsorted(borders, values, side="left")


def segments(matrix: ListeningMatrix) -> pd.DataFrame:
    """The segments of every user of a matrix.

    Returns:
        `user_id, plays, taste`, the last two as named in `SEGMENTS`, ordered by user.
    """
    plays = matrix.plays.astype(np.float64).sum(axis=1)
    taste = mean_popularity(matrix.plays, listeners_of(matrix.plays))
    return segments_by(matrix.user_ids, plays, taste)


def segments_by(user_ids: np.ndarray, plays: np.ndarray, taste: np.ndarray) -> pd.DataFrame:
    """The segments of users by what has been counted of them.

    Args:
        user_ids: (n,) ids, rising.
        plays: (n,) plays in training.
        taste: (n,) mean number of listeners of the artists that each plays.

    Returns:
        As `segments`.
    """
    labels = {Columns.USER: user_ids}
    for (kind, names), values in zip(SEGMENTS.items(), (plays, taste), strict=True):
        labels[kind] = np.array(names)[thirds(values)]
    return pd.DataFrame(labels)


def segment_table(per_user: pd.DataFrame, labels: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Means of metrics by segment, with 95% intervals of precision and ndcg.

    Args:
        per_user: `user_id` and metrics, one row a user.
        labels: `user_id` and the kinds of `SEGMENTS`; see `segments`. Users of `per_user` that
            it does not name are `UNKNOWN`.
        seed: of the bootstrap over the users of each segment.

    Returns:
        `segment_kind, segment, users`, the mean of each metric over users who have one, and
        `<metric>_low` and `<metric>_high` behind each precision and ndcg; segments in the order
        of `SEGMENTS`, those without a user left out.
    """
    metrics = [name for name in per_user.columns if name != Columns.USER]
    with_interval = [name for name in metrics if name.startswith(_WITH_INTERVAL)]
    by_user = labels.set_index(Columns.USER).reindex(per_user[Columns.USER])
    table = []
    for kind, names in SEGMENTS.items():
        of_user = by_user[kind].fillna(UNKNOWN).to_numpy()
        for name in (*names, UNKNOWN):
            users = per_user.loc[of_user == name, metrics]
            if users.empty:
                continue
            # a user's place in the table must not decide which draws it gets
            values = users[with_interval].iloc[
                np.argsort(per_user.loc[of_user == name, Columns.USER].to_numpy())
            ]
            bounds = bootstrap_intervals(values.to_numpy(np.float64), seed=seed)
            row: dict[str, object] = {KIND: kind, SEGMENT: name, USERS: len(users)}
            for metric, mean in users.mean().items():
                row[str(metric)] = mean
                if metric in with_interval:
                    low, high = bounds[with_interval.index(str(metric))]
                    row[f"{metric}_low"], row[f"{metric}_high"] = low, high
            table.append(row)
    return pd.DataFrame(table)


def segment_tables(
    of_models: Mapping[str, pd.DataFrame], labels: pd.DataFrame, *, seed: int
) -> pd.DataFrame:
    """The segments of several models, one below the other.

    Args:
        of_models: metrics of each user by model, as for `segment_table`.
        labels: as for `segment_table`.
        seed: as for `segment_table`.

    Returns:
        `model` and the columns of `segment_table`, models in their order.
    """
    tables = [
        segment_table(per_user, labels, seed=seed).assign(**{Columns.MODEL: model})
        for model, per_user in of_models.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[[Columns.MODEL, *table.columns.drop(Columns.MODEL)]]
