"""Each user's pairs dealt into train, validation and held out: the last ones held out, or random.

Where plays have a time, what a user found last is held out: figures then say how well the next
discovery is foretold. Without times (HetRec), pairs are dealt at random, seeded.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from lastfm_assets.listening.blocks import blocks, ordered_within, ranked
from lastfm_assets.vocabulary import PARTS, Columns, Part

if TYPE_CHECKING:
    import pandas as pd

HELD_OUT_SHARE: Final = 0.2
VALIDATION_SHARE: Final = 0.1


def split(
    interactions: "pd.DataFrame",
    *,
    seed: int,
    held_out_share: float = HELD_OUT_SHARE,
    validation_share: float = VALIDATION_SHARE,
    plays: "pd.DataFrame | None" = None,
) -> "pd.DataFrame":
    """Deals every pair to exactly one part, user by user.

    A user's pairs, in an order, fill held out first, then validation, then train. With
    `first_played` the order is from the latest first play to the earliest. Without it, each pair
    draws a 64-bit number from (seed, user, artist) alone, which also decides among first plays of
    the same moment. So neither the order of rows nor the presence of other users changes where a
    pair goes. A user of n artists has round(share * n) in held out and in validation (halves up),
    and at least one in train.

    The split is by each user's own clock: other users' plays may be later than what is held out.
    A pair of train counts its plays up to the first pair that the user puts aside, one of
    validation those up to the first that is held out.

    Args:
        interactions: `user_id, artist_id, plays`, one row a pair, and `first_played` if known.
        seed: any integer; the same seed gives the same split.
        held_out_share: share of each user's pairs to judge on, 0 to 1.
        validation_share: share of each user's pairs to choose on, 0 to 1.
        plays: `user_id, artist_id, plays, played_at`, every play, where plays have a time.

    Returns:
        The interactions in their order with `part` (categorical of `PARTS`), and with times with
        fewer plays, see above.

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
    user_ids, user_rows = ranked(users)
    if Columns.FIRST_PLAYED in interactions:
        moment = interactions[Columns.FIRST_PLAYED].to_numpy("datetime64[s]").astype(np.int64)
        order = np.lexsort((draw, -moment, user_rows))
    else:
        order = ordered_within(user_rows, len(user_ids), draw)
    del draw
    count = np.bincount(user_rows, minlength=len(user_ids))
    held_out = np.minimum(np.floor(held_out_share * count + 0.5), count - 1)
    validation = np.minimum(np.floor(validation_share * count + 0.5), count - 1 - held_out)
    codes = np.empty(len(order), dtype=np.int8)
    codes[order] = _dealt_in_order(held_out, validation, count)
    import pandas as pd  # noqa: PLC0415 (large, and not needed where no table is)

    parts = pd.Categorical.from_codes(codes, categories=pd.Index(PARTS))
    dealt = interactions.assign(**{Columns.PART: parts})
    return dealt if plays is None else _up_to_the_cut(dealt, plays)


def _dealt_in_order(
    held_out: np.ndarray, validation: np.ndarray, count: np.ndarray
) -> npt.NDArray[np.int8]:
    """(n,) place in `PARTS` of each pair, user by user, from (n_users,) sizes of the parts."""
    sizes = np.stack([held_out, validation, count - held_out - validation], axis=1)
    parts = [PARTS.index(part) for part in ("held_out", "validation", "train")]
    in_turn = np.tile(np.array(parts, dtype=np.int8), len(count))
    return np.repeat(in_turn, sizes.astype(np.int64).ravel())


def _up_to_the_cut(dealt: "pd.DataFrame", plays: "pd.DataFrame") -> "pd.DataFrame":
    """The pairs without the plays that come after what their user puts aside begins."""
    first, user = dealt[Columns.FIRST_PLAYED], dealt[Columns.USER]
    is_train, is_held_out = (dealt[Columns.PART] == part for part in ("train", "held_out"))
    aside = first.where(~is_train).groupby(user).transform("min")
    held_out = first.where(is_held_out).groupby(user).transform("min")
    cut = aside.where(is_train, held_out).mask(is_held_out)
    pair = [Columns.USER, Columns.ARTIST]
    timed = plays.merge(dealt[pair].assign(cut=cut), on=pair)
    seen = timed[timed["cut"].isna() | (timed[Columns.PLAYED_AT] <= timed["cut"])]
    counts = seen.groupby(pair)[Columns.PLAYS].sum().rename("seen")
    known = dealt[pair].merge(counts, left_on=pair, right_index=True, how="left")["seen"]
    return dealt.assign(**{Columns.PLAYS: known.to_numpy(np.int64)})


def random_split(
    interactions: "pd.DataFrame", *, seed: int, held_out_share: float
) -> "tuple[pd.DataFrame, pd.DataFrame]":
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


def pairs_of(split_pairs: "pd.DataFrame", *parts: Part) -> "pd.DataFrame":
    """The pairs of one or several parts: `user_id, artist_id, plays`."""
    chosen = split_pairs[Columns.PART].isin(parts).to_numpy()
    pairs = split_pairs[[Columns.USER, Columns.ARTIST, Columns.PLAYS]]
    return pairs[chosen].reset_index(drop=True)


def pair_hash(users: np.ndarray, artists: np.ndarray, seed: int) -> np.ndarray:
    """A number for each pair, uniform over 64 bits, from the pair and the seed alone.

    SplitMix64's finaliser (Steele, Lea & Flood, 2014), folded over seed, user and artist; any
    engine can compute it.
    """
    start = _mix(np.full(1, seed % 2**64, dtype=np.uint64))
    draws = np.empty(len(users), dtype=np.uint64)
    for rows in blocks(len(users)):
        value = _mix(start ^ users[rows].astype(np.int64).view(np.uint64))
        draws[rows] = _mix(value ^ artists[rows].astype(np.int64).view(np.uint64))
    return draws


def _mix(value: np.ndarray) -> np.ndarray:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))
