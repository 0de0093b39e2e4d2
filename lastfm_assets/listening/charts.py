"""Pictures of the listening data: what was refused, and how unevenly plays are spread."""

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from lastfm_assets.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    bars,
    counts_along,
    name_rows,
    paper,
    plain,
    png,
    written,
)
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS: Final = 12
_LOG_FROM: Final = 30
"""Longest bar over the shortest from which bars are drawn on a logarithmic axis."""


def refused(rejected_rows: pd.DataFrame) -> bytes:
    """Refused rows by file and reason, most first (PNG).

    Args:
        rejected_rows: `file, line, text, reason`; may be empty.
    """
    said = rejected_rows[Columns.FILE] + ": " + rejected_rows[Columns.REASON]
    counts = said.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    shown = counts.head(_BARS)
    figure = paper(7.6, 1.3 + 0.32 * max(1, len(shown)))
    axes = figure.subplots()
    if counts.empty:
        axes.text(0.5, 0.5, "no row was refused", ha="center", va="center", color=INK)
        axes.set_axis_off()
        return png(figure)
    bars(axes, shown.tolist(), [f"{count:,}" for count in shown], ORANGE)
    name_rows(axes, [written(str(reason), at_most=64) for reason in shown.index])
    log = bool(shown.max() > _LOG_FROM * shown.min())
    counts_along(axes, "x", log=log)
    axes.set_xlim(0.7 if log else 0, shown.max() * (2.5 if log else 1.15))
    more = len(counts) - len(shown)
    left_out = f"; {more} rarer reasons are not drawn" if more else ""
    axes.set_title(
        f"{len(rejected_rows):,} rows refused, by file and reason{left_out}",
        loc="left",
        fontsize="medium",
    )
    axes.set_xlabel("rows" + (", logarithmic" if log else ""), fontsize="small", color=GREY)
    return png(figure)


def long_tail(interactions: pd.DataFrame) -> bytes:
    """Plays of each user and listeners of each artist, most first, on logarithmic axes (PNG).

    Args:
        interactions: `user_id, artist_id, plays`, one row or more.
    """
    plays = interactions.groupby(Columns.USER)[Columns.PLAYS].sum().to_numpy()
    listeners = interactions.groupby(Columns.ARTIST).size().to_numpy()
    figure = paper(8.4, 3.6)
    left, right = figure.subplots(1, 2)
    _ranked(left, plays, BLUE, ("users", "plays"))
    _ranked(right, listeners, ORANGE, ("artists", "listeners"))
    return png(figure)


def _ranked(axes: "Axes", values: np.ndarray, colour: str, names: tuple[str, str]) -> None:
    """Values of each of some people or artists, falling, and what the first tenth of them has."""
    who, what = names
    falling = np.sort(values)[::-1]
    first = max(1, round(len(falling) / 10))
    ranks = np.arange(1, len(falling) + 1)
    axes.fill_between(ranks[:first], falling[:first], 0.5, color=colour, alpha=0.18, linewidth=0)
    axes.plot(ranks, falling, color=colour, linewidth=1.8)
    plain(axes, grid="y")
    counts_along(axes, "x", log=True)
    counts_along(axes, "y", log=True)
    axes.set_ylim(bottom=max(0.8, falling.min() * 0.6))
    axes.set_xlabel(f"{who}, most {what} first", fontsize="small", color=GREY)
    axes.set_ylabel(what, fontsize="small", color=GREY)
    one = who.removesuffix("s")
    share = falling[:first].sum() / falling.sum()
    axes.set_title(
        f"{what.capitalize()} of each {one}: the first {first:,} of\n{len(falling):,} {who} "
        f"have {share:.0%}, the median is {np.median(falling):,.0f}",
        loc="left",
        fontsize="medium",
    )
