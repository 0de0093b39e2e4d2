"""How many artists each listener of a block plays, which ones, and how often."""

from typing import Final

import numpy as np
import numpy.typing as npt

from lastfm_assets.sources.generated_taste import STRAY, Ints, Tastes

Counts = npt.NDArray[np.int64]

BUSIEST: Final = 3.4
"""Artists of the busiest listener over an average one's: 166 over 49 in Last.fm-360K."""
MOST_PLAYS: Final = 500_000
"""Of a listener and an artist; fits into 20 bits."""


def artists_each(n_users: int, n_pairs: int, rng: np.random.Generator) -> Counts:
    """How many artists each listener plays, at least one; `n_pairs` in all.

    Mostly near the average, some few, and rarely many. Rounded is what all listeners up to each
    should have, so that nothing is left over.
    """
    share = 1.0 + 0.1 * rng.standard_normal(n_users)
    kind = rng.random(n_users)
    few, many = kind < 0.06, kind > 0.97  # noqa: PLR2004 (six and three in a hundred)
    share[few] = rng.random(few.sum())
    share[many] = 1.0 + rng.exponential(0.4, many.sum())
    until = np.cumsum(np.clip(share, 0.02, BUSIEST))
    shared = np.floor(until / until[-1] * (n_pairs - n_users)).astype(np.int64)
    counts: Counts = np.diff(shared, prepend=0) + 1
    return counts


def distinct_artists(
    tastes: Tastes, counts: Counts, n_artists: int, rng: np.random.Generator
) -> Ints:
    """As many artists for each listener as they have, none twice, the most loved first.

    Draws with repetition and leaves out what came before, which is drawing without replacement;
    listeners who lack some draw again, and stray the further the longer it takes.
    """
    mixes = tastes.mixed(len(counts), rng)
    owners, artists = (np.empty(0, dtype=np.int32) for _ in range(2))
    lacking, stray = counts, STRAY
    while lacking.any():
        wanted = np.where(lacking > 0, lacking + lacking // 2 + 4, 0)
        of = np.repeat(np.arange(len(counts), dtype=np.int32), wanted)
        if stray < 1.0:
            fresh = tastes.drawn(mixes, of, stray=stray, rng=rng)
        else:
            fresh = rng.integers(n_artists, size=len(of), dtype=np.int32)
        owners, artists = _first_times(np.append(owners, of), np.append(artists, fresh))
        lacking = np.maximum(counts - np.bincount(owners, minlength=len(counts)), 0)
        stray *= 2.0
    return _foremost(owners, artists, counts)


def _first_times(owners: Ints, artists: Ints) -> tuple[Ints, Ints]:
    """The draws, in their order, without those that an owner has drawn before."""
    # one number of owner (12 bits), artist (27) and position (24): sorting it is sorting all three
    position = np.arange(len(owners), dtype=np.int64)
    packed = (owners.astype(np.int64) << 51) | (artists.astype(np.int64) << 24) | position
    packed.sort()
    pair = packed >> 24
    is_first = np.append(True, pair[1:] != pair[:-1])
    kept = np.zeros(len(owners), dtype=np.bool_)
    kept[packed[is_first] & 0xFFFFFF] = True
    return owners[kept], artists[kept]


def _foremost(owners: Ints, artists: Ints, counts: Counts) -> Ints:
    """The first draws of each owner, as many as they should have, owner by owner."""
    order = np.argsort(owners, kind="stable")
    owners, artists = owners[order], artists[order]
    until = np.cumsum(np.bincount(owners, minlength=len(counts)))
    begins = np.append(0, until[:-1])
    foremost: Ints = artists[np.arange(len(owners)) - begins[owners] < counts[owners]]
    return foremost


def falling_plays(rows: Counts, n_users: int, rng: np.random.Generator) -> Ints:
    """Log-normal around each listener's own level, falling within the listener."""
    level = 4.6 + 1.2 * rng.standard_normal(n_users)
    plays = np.exp(level[rows] + 0.9 * rng.standard_normal(len(rows)))
    whole = np.clip(np.rint(plays), 1, MOST_PLAYS).astype(np.int64)
    packed = (rows << 20) | (MOST_PLAYS - whole)  # sorted: by listener, most plays first
    packed.sort()
    return (MOST_PLAYS - (packed & 0xFFFFF)).astype(np.int32)
