"""Pictures of tags: which rose and fell, and how popular those are who carry them."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
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

    from lastfm_assets.music.tag_trends import Moves

_ACROSS: Final = 3
_PANELS: Final = 9
_SMOOTHED: Final = 7
"""Months, around each, whose assignments make a point of the thick line."""
_ROW: Final = 0.235
"""Inches for a tag."""
_TAG: Final = 26
"""Characters of a tag."""


def trends(table: pd.DataFrame, moved: "Moves") -> bytes:
    """The tags that rose and fell most, a panel each, to a scale of its own (PNG).

    The thick line is the share over seven months around each, the band the 95% interval of each
    month by itself: wide at first, as few assignments are known of the early months.

    Args:
        table: see `tag_trends.tag_trends`.
        moved: see `tag_trends.moves`.
    """
    names = _most_moved(moved.shares)
    rows = max(1, -(-len(names) // _ACROSS))
    figure = paper(9.6, 0.7 + 1.85 * rows)
    panels = figure.subplots(rows, _ACROSS, sharex=True, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    if not names:
        panels[0].text(0, 0.5, "fewer than two months have tags", va="center", color=INK)
        return png(figure)
    of = moved.shares.set_index(Columns.TAG_VALUE)
    for axes, name in zip(panels, names, strict=False):
        _trend(axes, table[table[Columns.TAG_VALUE] == name], of.loc[name])
    for axes in panels[max(0, len(names) - _ACROSS) : len(names)]:
        axes.tick_params(labelbottom=True)
    figure.suptitle(
        f"Share of all tags given: the {len(names)} tags that moved most, "
        f"{moved.first} against {moved.last}",
        x=0.01,
        ha="left",
        fontsize="medium",
    )
    figure.supxlabel(
        "Line: seven months around each. Band: 95% interval of each month by itself, cut at the "
        "top. Scales differ.\n"
        "Sure: the 95% intervals over users of the first and the last span do not overlap.",
        x=0.01,
        ha="left",
        fontsize="small",
        color=GREY,
    )
    return png(figure)


def popularity(table: pd.DataFrame, untagged: float) -> bytes:
    """Listeners of the artists of each tag, and plays of each listener, with intervals (PNG).

    Args:
        table: see `tag_popularity.tag_popularity`.
        untagged: median listeners of artists that carry no tag; NaN where all do.
    """
    figure = paper(9.2, 1.7 + _ROW * max(1, len(table)))
    left, right = figure.subplots(1, 2, sharey=True)
    if table.empty:
        left.text(0, 0.5, "no tag is carried by enough artists", va="center", color=INK)
        for axes in (left, right):
            axes.set_axis_off()
        return png(figure)
    _dots(left, table, "listeners", BLUE)
    _dots(right, table, "plays_per_listener", ORANGE)
    usual = float((table["listeners"] / table["lift"]).median())
    _mark(left, usual, f"all tagged {usual:g}")
    if np.isfinite(untagged) and untagged != usual:
        _mark(left, untagged, f"untagged {untagged:g} ", ha="right")
    name_rows(
        left,
        [
            f"{written(row[Columns.TAG_VALUE], at_most=_TAG)}  ({row['artists']:,})"
            for row in table.to_dict("records")
        ],
    )
    left.set_title("Listeners of an artist\n", loc="left", fontsize="medium")
    right.set_title("Plays of each of its listeners\n", loc="left", fontsize="medium")
    left.set_xlim(left=0)
    figure.supxlabel(
        "Medians over the artists that carry a tag (how many: in brackets), with 95% intervals "
        "over artists.\nWho is heard by more is tagged by more: compare tags with each other and "
        "with all tagged artists.",
        x=0.01,
        ha="left",
        fontsize="small",
        color=GREY,
    )
    return png(figure)


def _most_moved(moved: pd.DataFrame) -> list[str]:
    """Those that rose most, then those that fell most, about as many of each."""
    if len(moved) <= _PANELS:
        return [str(name) for name in moved[Columns.TAG_VALUE]]
    rose = min(int((moved["change"] > 0).sum()), 5)
    fell = min(int((moved["change"] <= 0).sum()), _PANELS - rose)
    shown = pd.concat([moved.head(_PANELS - fell), moved.tail(fell)[::-1]])
    return [str(name) for name in shown[Columns.TAG_VALUE]]


def _trend(axes: "Axes", rows: pd.DataFrame, moved: Any) -> None:
    colour = BLUE if moved["change"] > 0 else ORANGE
    month = rows["month_start"].to_numpy()
    low, high = (100 * rows[f"share_{end}"].to_numpy() for end in ("low", "high"))
    axes.fill_between(month, low, high, color=colour, alpha=0.22, linewidth=0)
    around = rows[["assignments", "of_all"]].rolling(_SMOOTHED, center=True, min_periods=1).sum()
    line = 100 * around["assignments"] / around["of_all"].where(around["of_all"] > 0)
    axes.plot(month, line.to_numpy(), color=colour, linewidth=2)
    plain(axes, grid="y")
    # a month of few assignments has an interval that would flatten all others
    axes.set_ylim(0, 1.05 * max(np.nanquantile(high, 0.93), np.nanmax(line), 0.1))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.locator_params(axis="y", nbins=4)
    _years(axes)
    axes.set_title(
        f"{written(str(moved.name), at_most=_TAG)}\n"
        f"{moved['first']:.1%} to {moved['last']:.1%}{', sure' if moved['sure'] else ''}",
        loc="left",
        fontsize="medium",
        color=colour,
        parse_math=False,
    )


def _years(axes: "Axes") -> None:
    from matplotlib import dates  # noqa: PLC0415 (slow to import)

    found: Any = dates  # its functions have no types
    axes.xaxis.set_major_locator(found.AutoDateLocator(minticks=3, maxticks=7))
    axes.xaxis.set_major_formatter(found.DateFormatter(_written_year(axes)))


def _written_year(axes: "Axes") -> str:
    """Years alone, unless they are too few to tell ticks apart."""
    first, last = axes.get_xlim()
    return "%Y" if last - first > 2 * 366 else "%Y-%m"


def _dots(axes: "Axes", table: pd.DataFrame, column: str, colour: str) -> None:
    value, low, high = (table[f"{column}{end}"].to_numpy() for end in ("", "_low", "_high"))
    axes.errorbar(
        value,
        np.arange(len(table)),
        xerr=np.maximum([value - low, high - value], 0),
        fmt="o",
        color=colour,
        markersize=5,
        capsize=2,
        elinewidth=1.4,
    )
    plain(axes, grid="x")
    counts_along(axes, "x")


def _mark(axes: "Axes", value: float, what: str, *, ha: str = "left") -> None:
    axes.axvline(value, color=GREY, linewidth=1.2, linestyle="--")
    axes.annotate(
        what,
        (value, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha=ha,
        fontsize="small",
        color=GREY,
    )
