"""Drawings of the studies: two figures beside each other, and lines over anything but refreshes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lastfm_assets.insight.charts import Series, on_paper
from lastfm_assets.insight.svg import FAINT, FIRST, INK, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES: Final[tuple[dict[str, Any], ...]] = (
    {"color": FIRST, "linewidth": 2},
    {"color": SECOND, "linewidth": 2, "linestyle": (0, (5, 2))},
)
"""How the first and the second series of a drawing are told apart, colours aside."""
_SMALL_HEIGHT: Final = 125
_SHOWN_OF_BAND: Final = 0.93
"""Share of months whose interval is drawn whole."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One of two drawings that stand beside each other."""

    series: Series
    axis: str
    """What it measures, and which way is good."""
    mark: tuple[float, str] | None = None
    """A value to draw a line at, and what it is."""


def beside(names: Sequence[str], panels: Sequence[Panel], *, said: str) -> str:
    """A row a name, the first on top, and a dot with whiskers in each panel, each to its scale.

    Args:
        names: of our own, such as models.
        panels: two.
        said: for those who cannot see it.

    Returns:
        The SVG.
    """

    def draw(figure: "Figure") -> None:
        rows = np.arange(len(names))[::-1]
        every = figure.subplots(1, len(panels), sharey=True)
        for axes, panel, shape, colour in zip(every, panels, "os", (SECOND, FIRST), strict=True):
            axes.errorbar(
                panel.series.values,
                rows,
                xerr=panel.series.errors,
                fmt=shape,
                color=colour,
                markersize=6,
                elinewidth=1.8,
                capsize=3,
            )
            if panel.mark:
                axes.axvline(panel.mark[0], color=INK, linestyle=(0, (4, 3)), linewidth=1)
            axes.set_xlabel(panel.axis)
            axes.set_title(panel.mark[1] if panel.mark else "", loc="right", fontsize=12)
            axes.locator_params(axis="x", nbins=4)
            axes.margins(x=0.15)
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
        every[0].set_yticks(rows, list(names), parse_math=False)
        every[0].set_ylim(-0.7, len(names) - 0.3)

    return on_paper(draw, 92 + 30 * len(names), said)


def over_steps(
    steps: Sequence[Sequence[float]],
    panels: Sequence[Sequence[Series]],
    titles: Sequence[str],
    *,
    axes_said: tuple[str, str],
    said: str,
) -> str:
    """Lines over steps such as epochs, a panel a setting, to one scale of height.

    Args:
        steps: of each panel, rising.
        panels: of each panel, two series at most, named alike in all of them.
        titles: of each panel, words of our own.
        axes_said: what the steps are, and what the lines measure.
        said: for those who cannot see it.
    """
    heights = [one.values for lines in panels for one in lines]
    top = max(float(np.nanmax(np.concatenate(heights))), 1e-9)

    def draw(figure: "Figure") -> None:
        every = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for axes, x, lines, title in zip(every, steps, panels, titles, strict=True):
            for one, style, shape in zip(lines, _LINES, "os", strict=False):
                axes.plot(x, one.values, marker=shape, markersize=4, label=one.name, **style)
            axes.set_title(title, loc="left", fontsize=12)
            axes.set_xlabel(axes_said[0])
            axes.set_ylim(0, 1.05 * top)
            axes.locator_params(axis="x", nbins=4, integer=True)
            axes.grid(axis="y")
        every[0].set_ylabel(axes_said[1])
        handles, labels = every[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, borderpad=0)

    return on_paper(draw, 270, said)


def small_steps(
    steps: Sequence[float],
    series: Sequence[Series],
    *,
    scale: tuple[float, float],
    level: float | None,
    said: str,
) -> str:
    """One of several small drawings of lines over a parameter that grows by factors.

    Args:
        steps: values of the parameter, above zero.
        series: two at most; NaN where there is nothing.
        scale: ends of the height that all of them share.
        level: a height to hold the lines against.
        said: for those who cannot see it.
    """

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for one, style, shape in zip(series, _LINES, "os", strict=False):
            axes.plot(steps, one.values, marker=shape, markersize=4, **style)
        if level is not None:
            axes.axhline(level, color=INK, linestyle=(0, (2, 2)), linewidth=1)
        axes.set_xscale("log")
        axes.minorticks_off()
        # the ends and what lies between: more would not stand beside each other
        shown = sorted({steps[0], steps[len(steps) // 2], steps[-1]})
        axes.set_xticks(shown, [f"{step:g}" for step in shown])
        axes.set_ylim(*scale)
        axes.locator_params(axis="y", nbins=4)
        axes.set_xlabel("K1")
        axes.grid(axis="y")

    return on_paper(draw, _SMALL_HEIGHT, said, small=True)


def small_band(
    years: Sequence[float], line: Sequence[float], band: Series, *, title: str, said: str
) -> str:
    """One of several small lines over years, in a band, each to a scale of its own from zero.

    Args:
        years: when, in years.
        line: shares of one, NaN where there are none.
        band: shares with bounds, month by month, drawn up to the height of `top_of`.
        title: words of our own.
        said: for those who cannot see it.
    """
    top = top_of(line, band)

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        # what is cut away would only bend along the top
        low, high = (100 * np.clip(end or [], 0, top) for end in (band.low, band.high))
        axes.fill_between(years, low, high, color=FAINT, linewidth=0)
        axes.plot(years, 100 * np.asarray(line), color=FIRST, linewidth=2)
        axes.set_ylim(0, 100 * top)
        axes.locator_params(axis="y", nbins=4)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
        _titled(figure, axes, title)
        _years(axes, years)

    return on_paper(draw, _SMALL_HEIGHT + 8, said, small=True)


def top_of(line: Sequence[float], band: Series) -> float:
    """Height that shows a line, and its band but for the widest places, which would flatten it."""
    high = np.asarray(band.high, dtype=float)
    known = high[np.isfinite(high)]
    usual = float(np.quantile(known, _SHOWN_OF_BAND)) if len(known) else 0.0
    return 1.05 * max(usual, float(np.nanmax(line)), 1e-5)


def small_curve(years: Sequence[float], values: Sequence[float], *, unit: str, said: str) -> str:
    """One of several small lines over years, each to a scale of its own.

    Args:
        years: whole ones, rising.
        values: in `unit`, NaN where there are none.
        unit: words of our own; may be empty.
        said: for those who cannot see it.
    """

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot(years, values, color=FIRST, linewidth=2)
        axes.locator_params(axis="y", nbins=4)
        _titled(figure, axes, unit)
        _years(axes, years)

    return on_paper(draw, _SMALL_HEIGHT + 8, said, small=True)


def _titled(figure: "Figure", axes: "Axes", title: str) -> None:
    figure.subplots_adjust(top=0.87)
    axes.set_title(title, loc="left", fontsize=11)


def _years(axes: "Axes", years: Sequence[float]) -> None:
    """Three years along the bottom, at most."""
    first, last = int(np.floor(years[0])), int(np.floor(years[-1]))
    ticks = list(range(first, last + 1, max(1, -(-(last - first) // 2))))
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("year")
    axes.grid(axis="y")
