"""Pictures of audio features: how they went over the years, and what goes with popularity."""

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from lastfm_assets.drawing import BLUE, GREEN, GREY, INK, ORANGE, PALE, name_rows, paper, plain, png
from lastfm_assets.music.audio_features import POPULARITY, UNITS
from lastfm_assets.music.correlations import by_chance
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS: Final = 4
_A_MINUTE: Final = 60_000
"""Milliseconds."""


def features(table: pd.DataFrame) -> bytes:
    """Every feature over the years, a panel each (PNG).

    Args:
        table: `year, feature, value`, one row or more.
    """
    figure = paper(10.4, 5.5)
    panels = list(figure.subplots(-(-(len(UNITS) + 1) // _ACROSS), _ACROSS, sharex=True).ravel())
    _said(panels.pop(_ACROSS - 1))
    for axes, name in zip(panels, UNITS, strict=False):
        rows = table[table["feature"] == name]
        minutes = name == "duration_ms"
        values = rows["value"] / (_A_MINUTE if minutes else 1)
        colour = ORANGE if name == POPULARITY else BLUE
        axes.plot(rows[Columns.YEAR], values, color=colour, linewidth=1.6)
        plain(axes, grid="y")
        axes.margins(y=0.12)
        axes.locator_params(axis="y", nbins=4)
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.set_title(
            f"{_named(name)}, {'minutes' if minutes else UNITS[name]}",
            loc="left",
            fontsize="medium",
            color=colour if name == POPULARITY else INK,
        )
    first, last = int(table[Columns.YEAR].min()), int(table[Columns.YEAR].max())
    figure.suptitle(
        f"What songs of each year sound like, {first} to {last}: means by year, scales differ",
        x=0.01,
        ha="left",
        fontsize="medium",
    )
    return png(figure)


def correlations(table: pd.DataFrame) -> bytes:
    """Correlations with popularity: over years, of changes, and over genres, side by side (PNG).

    Args:
        table: see `correlations.audio_correlations`, one row or more.
    """
    years = table[table["of"] == "years"].set_index("feature")
    genres = table[table["of"] == "genres"].set_index("feature")
    order = years["correlation"].fillna(0).sort_values(ascending=False, kind="stable").index
    years, genres = years.loc[order], genres.reindex(order)
    figure = paper(9.6, 4.4)
    first, second, third = figure.subplots(1, 3, sharey=True)
    of_changes = years.assign(correlation=years["of_changes"], correlation_low=np.nan)
    n = int(years["n"].max())
    _bars(first, years, ORANGE, f"Over {n} years:\nboth follow time")
    _bars(second, of_changes, BLUE, "Changes from year to year:\nwhat is left of it")
    _bars(third, genres, GREEN, f"Over {int(genres['n'].max()):,} genres\n")
    chance = by_chance(n - 1)
    second.axvspan(-chance, chance, color=PALE, alpha=0.4, linewidth=0, zorder=0)
    name_rows(first, [_named(str(name)).lower() for name in order])
    figure.suptitle(
        "What goes with popularity (Spearman's correlation, -1 to 1)",
        x=0.01,
        ha="left",
        fontsize="medium",
    )
    figure.supxlabel(
        "Whiskers: 95% intervals, over years of blocks of ten. Grey: about as much as chance does. "
        "None of this is a cause by itself.",
        x=0.01,
        ha="left",
        fontsize="small",
        color=GREY,
    )
    return png(figure)


def _said(axes: "Axes") -> None:
    """What popularity is, where a panel would be."""
    axes.set_axis_off()
    axes.text(
        0,
        0.5,
        "Popularity counts plays of\ntoday: it says which years\nare heard now, not what\n"
        "was popular then.",
        transform=axes.transAxes,
        va="center",
        fontsize="small",
        color=GREY,
    )


def _bars(axes: "Axes", rows: pd.DataFrame, colour: str, title: str) -> None:
    value, low, high = (rows[f"correlation{end}"].to_numpy() for end in ("", "_low", "_high"))
    places = np.arange(len(rows))
    axes.barh(places, value, color=colour, height=0.62, alpha=0.75)
    ends = np.nan_to_num(np.maximum([value - low, high - value], 0))
    known = np.isfinite(low)
    axes.errorbar(
        value[known],
        places[known],
        xerr=ends[:, known],
        fmt="none",
        ecolor=INK,
        elinewidth=1.2,
        capsize=2.5,
    )
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_xlim(-1.05, 1.05)
    plain(axes, grid="x")
    axes.set_title(title, loc="left", fontsize="medium", color=colour)


def _named(feature: str) -> str:
    return feature.removesuffix("_ms").capitalize()
