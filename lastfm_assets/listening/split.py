"""Each user's pairs dealt into train, validation and held out, seeded and disjoint."""

from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.vocabulary import PARTS, Columns, Part

HELD_OUT_SHARE: Final = 0.2
VALIDATION_SHARE: Final = 0.1


def split(
    interactions: pd.DataFrame,
    *,
    seed: int,
    held_out_share: float = HELD_OUT_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> pd.DataFrame:
    """Deals every pair to exactly one part, at random per user.

    HetRec's listens carry no time, so a temporal split is impossible. Each pair draws a 64-bit
    number from (seed, user, artist) alone; a user's pairs, ordered by it, fill held out first,
    then validation, then train. So neither the order of rows nor the presence of other users
    changes where a pair goes. A user of n artists has round(share * n) in held out and in
    validation (halves up), and at least one in train.

    Args:
        interactions: `user_id, artist_id, plays`, one row a pair.
        seed: any integer; the same seed gives the same split.
        held_out_share: share of each user's pairs to judge on, 0 to 1.
        validation_share: share of each user's pairs to choose on, 0 to 1.

    Returns:
        The interactions in their order with `part` (categorical of `PARTS`).

    Raises:
        ValueError: the shares are negative or leave nothing to train on.
    """
    if min(held_out_share, validation_share) < 0 or held_out_share + validation_share >= 1:
        raise ValueError(
            f"shares {held_out_share} held out and {validation_share} validation; expected both "
            ">= 0 and a sum below 1"
        )
    users = interactions[Columns.USER].to_numpy()
    draw = pair_hash(users, interactions[Columns.ARTIST].to_numpy(), seed)
    order = np.lexsort((draw, users))
    _, first, count = np.unique(users[order], return_index=True, return_counts=True)
    place = np.arange(len(users)) - np.repeat(first, count)
    held_out = np.minimum(np.floor(held_out_share * count + 0.5), count - 1)
    validation = np.minimum(np.floor(validation_share * count + 0.5), count - 1 - held_out)
    part = np.where(
        place < np.repeat(held_out, count),
        PARTS.index("held_out"),
        np.where(
            place < np.repeat(held_out + validation, count),
            PARTS.index("validation"),
            PARTS.index("train"),
        ),
    )
    codes = np.empty(len(users), dtype=np.int8)
    codes[order] = part
    parts = pd.Categorical.from_codes(codes.tolist(), categories=pd.Index(PARTS))
    return interactions.assign(**{Columns.PART: parts})


def random_split(
    interactions: pd.DataFrame, *, seed: int, held_out_share: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Holds a share of all pairs out, whoever's they are.

    The usual split of published results; `split`, which gives each user the same share, has the
    smaller variance and judges every user. The draws are those of `split`.

    Args:
        interactions: `user_id, artist_id, plays`, one row a pair.
        seed: any integer; the same seed gives the same split.
        held_out_share: above 0 and below 1.

    Returns:
        The pairs to learn from and those to judge on, each in their order, index from 0.

    Raises:
        ValueError: the share is not between 0 and 1.
    """
    if not 0 < held_out_share < 1:
        raise ValueError(f"share {held_out_share} held out, expected between 0 and 1")
    users = interactions[Columns.USER].to_numpy()
    draw = pair_hash(users, interactions[Columns.ARTIST].to_numpy(), seed)
    n_held_out = int(np.floor(held_out_share * len(users) + 0.5))
    held_out = np.zeros(len(users), dtype=bool)
    held_out[np.argsort(draw, kind="stable")[:n_held_out]] = True
    return (
        interactions[~held_out].reset_index(drop=True),
        interactions[held_out].reset_index(drop=True),
    )


def pairs_of(split_pairs: pd.DataFrame, *parts: Part) -> pd.DataFrame:
    """The pairs of one or several parts: `user_id, artist_id, plays`."""
    chosen = split_pairs[split_pairs[Columns.PART].isin(parts)]
    return chosen[[Columns.USER, Columns.ARTIST, Columns.PLAYS]].reset_index(drop=True)


def pair_hash(users: np.ndarray, artists: np.ndarray, seed: int) -> np.ndarray:
    """A number for each pair, uniform over 64 bits, from the pair and the seed alone.

    SplitMix64's finaliser (Steele, Lea & Flood, 2014), folded over seed, user and artist; any
    engine can compute it.
    """
    value = _mix(np.full(len(users), seed % 2**64, dtype=np.uint64))
    value = _mix(value ^ users.astype(np.int64).view(np.uint64))
    return _mix(value ^ artists.astype(np.int64).view(np.uint64))


def _mix(value: np.ndarray) -> np.ndarray:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))
