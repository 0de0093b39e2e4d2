"""On whom models are judged: everybody, or where that takes too long, a stated number of users."""

from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.listening.split import pair_hash
from lastfm_assets.vocabulary import Columns

JUDGED_USERS: Final = 20_000
"""Users whose mean precision@10 has a 95% interval of about +-.002, a third of HetRec's; judging
all 359,347 of Last.fm-360K would rank its whole catalogue three times over for each model."""
_SALT: Final = -1
"""In the place of an artist, so that no draw is that of a pair."""


def of_judged_users(split_pairs: pd.DataFrame, n: int, *, seed: int) -> pd.DataFrame:
    """The pairs of the users who are judged.

    Each user draws a number from the seed and its id alone, and the `n` smallest are taken: who
    is judged does not depend on the order of rows, and hardly on who else is there.

    Args:
        split_pairs: see `split.split`.
        n: users to judge, at least 1.
        seed: any integer.

    Returns:
        All of `split_pairs` where it has no more than `n` users; else those of `n` users, in
        their order.
    """
    users = np.unique(split_pairs[Columns.USER].to_numpy())
    if len(users) <= n:
        return split_pairs
    draw = pair_hash(users, np.full(len(users), _SALT, dtype=np.int64), seed)
    drawn = users[np.argsort(draw, kind="stable")[:n]]
    return split_pairs[split_pairs[Columns.USER].isin(drawn)].reset_index(drop=True)
