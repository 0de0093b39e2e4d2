"""What cleaned plays look like, in figures that a later refresh can be compared with.

The table is small whatever the size of the data, so that one can be kept beside every published
version, see `recommendations/reference.py`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lastfm_assets.vocabulary import Columns

PROFILE: Final = ("figure", "bin", "count")
"""Columns of `listening/profile`, in order."""
TOTALS: Final = ("users", "artists", "pairs", "plays")
"""Figures of one row, whose `bin` is 0."""
PLAYS_OF_A_PAIR: Final = "plays_of_a_pair"
ARTISTS_OF_A_USER: Final = "artists_of_a_user"
"""Histograms: `bin` is where a bin begins, see `bin_of`."""
SAMPLED_ARTIST: Final = "sampled_artist"
"""`bin` is the id of a played artist, one of those with the smallest hashes."""
SAMPLED: Final = 1024
"""Artists that are kept: of more, shares are estimates with a standard error of 1.6 points."""
PRIME: Final = 2**31 - 1
MULTIPLIER: Final = 1_664_525
"""An artist's hash is `(artist_id mod PRIME) * MULTIPLIER mod PRIME`, in 64 bits on any engine."""
KEPT_BITS: Final = 2
"""Binary digits of a number, after its first, that say which bin it is in."""
_BLOCK: Final = 2**20
"""Rows that are binned at once."""

Integers = npt.NDArray[np.int64]


def profile(interactions: pd.DataFrame) -> pd.DataFrame:
    """Totals, histograms and a sample of artists.

    Args:
        interactions: `user_id, artist_id, plays`, one row a pair, plays above 0.

    Returns:
        `PROFILE`: `figure` (str), `bin` and `count` (int64), in a fixed order.
    """
    plays = interactions[Columns.PLAYS].to_numpy(np.int64)
    of_users = np.unique(interactions[Columns.USER].to_numpy(np.int64), return_counts=True)[1]
    artists = interactions[Columns.ARTIST].unique().astype(np.int64)
    totals = (len(of_users), len(artists), len(plays), int(plays.sum()))
    return profile_of(
        totals,
        {PLAYS_OF_A_PAIR: _histogram(plays), ARTISTS_OF_A_USER: _histogram(of_users)},
        sample_of(artists),
    )


def profile_of(
    totals: tuple[int, ...], histograms: dict[str, tuple[Integers, Integers]], sample: Integers
) -> pd.DataFrame:
    """The table of figures that somebody has counted.

    Args:
        totals: in the order of `TOTALS`.
        histograms: where bins begin, rising, and their counts; of both kinds.
        sample: ids, rising, see `sample_of`.
    """
    parts = [pd.DataFrame({"figure": TOTALS, "bin": 0, "count": totals})]
    for figure in (PLAYS_OF_A_PAIR, ARTISTS_OF_A_USER):
        begins, counts = histograms[figure]
        parts.append(pd.DataFrame({"figure": figure, "bin": begins, "count": counts}))
    parts.append(pd.DataFrame({"figure": SAMPLED_ARTIST, "bin": sample, "count": 1}))
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"figure": "str", "bin": "int64", "count": "int64"})


def total(table: pd.DataFrame, figure: str) -> int:
    """One of `TOTALS`."""
    return int(table.loc[table["figure"] == figure, "count"].iloc[0])


def rows_of(table: pd.DataFrame, figure: str) -> tuple[Integers, Integers]:
    """Bins and counts of one figure, both (n,), bins rising."""
    rows = table[table["figure"] == figure]
    return rows["bin"].to_numpy(np.int64), rows["count"].to_numpy(np.int64)


def bin_of(numbers: Integers) -> Integers:
    """(n,) where the bin of each number begins: four bins an octave, as wide as one another.

    Numbers from 1 to 7 have a bin each; above, a bin is a quarter to a seventh of its begin wide.
    """
    bits = np.searchsorted(2 ** np.arange(63), numbers, side="right") - 1
    dropped = np.maximum(bits - KEPT_BITS, 0)
    return (numbers >> dropped) << dropped


def hash_of(artist_ids: Integers) -> Integers:
    """(n,) numbers below `PRIME` that look drawn at random, always the same for an id."""
    return artist_ids % PRIME * MULTIPLIER % PRIME


def sample_of(artist_ids: Integers) -> Integers:
    """The `SAMPLED` ids with the smallest hashes, rising; equal hashes go to the smaller id."""
    hashes = hash_of(artist_ids)
    return np.sort(artist_ids[np.lexsort((artist_ids, hashes))[:SAMPLED]])


def _histogram(numbers: Integers) -> tuple[Integers, Integers]:
    counted: dict[int, int] = {}
    for start in range(0, len(numbers), _BLOCK):
        begins, counts = np.unique(bin_of(numbers[start : start + _BLOCK]), return_counts=True)
        for begin, count in zip(begins.tolist(), counts.tolist(), strict=True):
            counted[begin] = counted.get(begin, 0) + count
    begins = np.array(sorted(counted), dtype=np.int64)
    return begins, np.array([counted[begin] for begin in begins.tolist()], dtype=np.int64)
