"""How far data and lists have moved from those that readers see, as figures.

Nothing here is as large as the data.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lastfm_assets.listening.profile import (
    ARTISTS_OF_A_USER,
    PLAYS_OF_A_PAIR,
    SAMPLED,
    SAMPLED_ARTIST,
    hash_of,
    rows_of,
    total,
)
from lastfm_assets.recommendations.drift_bounds import BOUNDS, Bound
from lastfm_assets.recommendations.overlap import Overlap

DRIFT: Final = (
    *("measure", "before", "now", "change"),
    *("warning_bound", "blocking_bound", "outcome", "against"),
)
"""Columns of `recommendations/drift`, in order."""
FINE: Final = "fine"
WARNS: Final = "warns"
BLOCKS: Final = "blocks"
UNKNOWN: Final = "not compared"
"""Outcome where the figure before is not known."""
QUANTILES: Final = 10
OCTAVES: Final = np.concatenate([[1, 3], 7 * 2 ** np.arange(60)])
"""Edges between numbers of artists. Where a source has 50, 64, 100, 128, 200, 250, 500 or 1000 a
user at most, most users have as many: none of these lies less than a tenth above an edge, which a
few pairs fewer would cross."""
_LEAST: Final = 1e-4
"""Share that an empty bin counts as, as the logarithm of nothing is infinite."""


Move = tuple[float, float, float]
"""A figure before and now, and its change; NaN where unknown."""


def psi(before: npt.NDArray[np.float64], now: npt.NDArray[np.float64]) -> float:
    r"""Population stability index, :math:`\sum_b (p_b - q_b) \ln(p_b / q_b)`.

    Args:
        before: (n,) counts of bins, or shares.
        now: the same bins.

    Returns:
        0 for equal distributions, without a bound above; NaN where one has nothing. An empty bin
        counts as a share of 0.0001.
    """
    if before.sum() <= 0 or now.sum() <= 0:
        return math.nan
    p, q = (np.maximum(counts / counts.sum(), _LEAST) for counts in (before, now))
    return float(((p - q) * np.log(p / q)).sum())


def plays_psi(before: pd.DataFrame, now: pd.DataFrame) -> float:
    """`psi` of the plays of pairs of two profiles, over bins by quantiles of the one before."""
    begins, counts = rows_of(before, PLAYS_OF_A_PAIR)
    below = np.cumsum(counts) - counts
    quantile = below * QUANTILES // max(int(counts.sum()), 1)
    edges = begins[np.flatnonzero(np.diff(quantile, prepend=-1))]
    return _psi_between(edges, before, now, PLAYS_OF_A_PAIR)


def artists_psi(before: pd.DataFrame, now: pd.DataFrame) -> float:
    """`psi` of the artists of users, over octaves: sources that cap them leave no quantiles."""
    return _psi_between(OCTAVES, before, now, ARTISTS_OF_A_USER)


def _psi_between(
    edges: npt.NDArray[np.int64], before: pd.DataFrame, now: pd.DataFrame, figure: str
) -> float:
    return psi(*(_counts_from(edges, *rows_of(table, figure)) for table in (before, now)))


def _counts_from(
    edges: npt.NDArray[np.int64], begins: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """(n,) counts from each edge to the next; what lies below the first belongs to it."""
    place = np.maximum(np.searchsorted(edges, begins, side="right") - 1, 0)
    return np.bincount(place, weights=counts, minlength=len(edges)).astype(np.float64)


def shares_lost_and_new(
    before: npt.NDArray[np.int64], now: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Share of the artists before that are lost, and of those now that are new.

    Args:
        before: ids as `listening.profile.sample_of` draws them.
        now: the same.

    Returns:
        Exact where both together are `SAMPLED` at most, else estimates: what has the smallest
        hashes of both together is a sample of both together.
    """
    both = np.union1d(before, now)
    drawn = both[np.lexsort((both, hash_of(both)))[:SAMPLED]]
    was, is_now = np.isin(drawn, before), np.isin(drawn, now)
    lost, new = (was & ~is_now).sum(), (is_now & ~was).sum()
    return float(lost / max(was.sum(), 1)), float(new / max(is_now.sum(), 1))


def first_drift(profile: pd.DataFrame) -> pd.DataFrame:
    """The table of a store that readers have seen nothing of: figures of now, no change.

    Args:
        profile: see `listening.profile.profile`.
    """
    return _table(_of_totals(None, profile), None)


def drift_table(
    before: pd.DataFrame | None, now: pd.DataFrame, overlap: Overlap | None, *, against: int
) -> pd.DataFrame:
    """Holds every change against its bounds.

    Args:
        before: profile of the data that the published lists were made from; None: not known.
        now: profile of the data at hand.
        overlap: of the published lists with those at hand; None: they cannot be read.
        against: number of the published version.

    Returns:
        `DRIFT`, one row a bound. `change` is the share that was lost or is new, how much the larger
        number is above the smaller as a share of the larger, or a PSI.
    """
    moves = _of_totals(before, now)
    if before is not None:
        moves |= _of_distributions(before, now)
    if overlap is not None:
        moves |= _of_lists(overlap)
    return _table(moves, against)


def compared_with(table: pd.DataFrame) -> int | None:
    """Number of the published version that a table of `DRIFT` is against; None: of none."""
    number = table["against"].iloc[0]
    return None if pd.isna(number) else int(number)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _of_totals(before: pd.DataFrame | None, now: pd.DataFrame) -> dict[str, Move]:
    def counts(figure: str) -> tuple[float, float]:
        return (math.nan if before is None else total(before, figure)), total(now, figure)

    found: dict[str, Move] = {}
    for figure in ("users", "artists"):
        was, is_now = counts(figure)
        # at least as many: where ids are known, they say how many exactly
        found[f"{figure}_lost"] = (was, is_now, _share(max(was - is_now, 0), was))
        found[f"{figure}_new"] = (was, is_now, _share(max(is_now - was, 0), is_now))
    for figure in ("pairs", "plays"):
        was, is_now = counts(figure)
        found[figure] = (was, is_now, _share(abs(is_now - was), max(was, is_now)))
    return found


def _of_distributions(before: pd.DataFrame, now: pd.DataFrame) -> dict[str, Move]:
    lost, new = shares_lost_and_new(*(rows_of(one, SAMPLED_ARTIST)[0] for one in (before, now)))
    was, is_now = (float(total(one, "artists")) for one in (before, now))
    return {
        "artists_lost": (was, is_now, lost),
        "artists_new": (was, is_now, new),
        "plays_psi": (math.nan, math.nan, plays_psi(before, now)),
        "artists_of_a_user_psi": (math.nan, math.nan, artists_psi(before, now)),
    }


def _of_lists(overlap: Overlap) -> dict[str, Move]:
    was, is_now, common = overlap.users_before, overlap.users_now, overlap.common
    return {
        "users_lost": (was, is_now, _share(was - common, was)),
        "users_new": (was, is_now, _share(is_now - common, is_now)),
        "lists_changed": (math.nan, math.nan, 1.0 - overlap.mean_jaccard),
        "lists_wholly_other": (math.nan, math.nan, _share(overlap.other, common)),
    }


def _table(moves: Mapping[str, Move], against: int | None) -> pd.DataFrame:
    nothing = (math.nan, math.nan, math.nan)
    rows = [
        (
            bound.measure,
            *moves.get(bound.measure, nothing),
            *(bound.warning, bound.blocking),
            _outcome(bound, moves.get(bound.measure, nothing)[2]),
        )
        for bound in BOUNDS
    ]
    table = pd.DataFrame(rows, columns=list(DRIFT[:-1]))
    figures = dict.fromkeys(DRIFT[1:-2], "float64")
    table = table.astype({"measure": "str", "outcome": "str", **figures})
    return table.assign(against=pd.Series([against] * len(table), dtype="Int64"))


def _outcome(bound: Bound, change: float) -> str:
    if math.isnan(change):
        return UNKNOWN
    if change > bound.blocking:
        return BLOCKS
    return WARNS if change > bound.warning else FINE
