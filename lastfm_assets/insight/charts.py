"""Drawings for the page: narrow enough for a phone, coloured by the page's own style sheet.

Matplotlib draws, `svg` rewrites. No text from the data is ever drawn: Matplotlib would take `$` for
mathematics, and the page can escape, cut and mirror text better. Where it belongs into a drawing,
something else is drawn to keep its place.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lastfm_assets.insight.chapters import cut
from lastfm_assets.insight.svg import FAINT, FIRST, INK, SECOND, rewritten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH: Final = 400
"""Units across, which are about as many pixels on the screen."""
NAME: Final = 22
"""Characters of a name from the data beside a row."""
_SMALL: Final = 165
"""Width of one of several."""
_MARGINS: Final = {"left": 0.23, "right": 0.98, "bottom": 0.34, "top": 0.95}
"""Of one of several, as shares of its size."""
_FONT: Final = 12
_POINTS: Final = 72
"""Matplotlib's SVG has 72 units an inch, so a unit of ours is one of its points."""
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.size": _FONT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.labelsize": _FONT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": _FONT,
}


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one colour, with whiskers where there are bounds."""

    name: str
    values: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None

    @property
    def errors(self) -> np.ndarray | None:
        """(2, n) lengths of the whiskers below and above, or None."""
        if self.low is None or self.high is None:
            return None
        values = np.asarray(self.values, dtype=float)
        ends = np.array([values - np.asarray(self.low), np.asarray(self.high) - values])
        return np.asarray(np.maximum(ends, 0.0))


@contextlib.contextmanager
def without_preferences() -> Iterator[None]:
    """Draws as Matplotlib is shipped, whatever the matplotlibrc of who runs it says.

    Slow to enter (60 ms), so around many drawings.
    """
    import matplotlib as mpl  # noqa: PLC0415 (slow to import)

    with mpl.rc_context():
        mpl.rcdefaults()
        yield


def dots(
    names: Sequence[str],
    series: Sequence[Series],
    *,
    axis: str,
    said: str,
    mark: tuple[float, str] | None = None,
    given: bool = False,
) -> str:
    """A row a name, the first on top, a dot a series, with its whiskers.

    Args:
        names: of our own, such as models and segments.
        series: one or two; with two, a line joins the dots of a row that has no whiskers.
        axis: what the dots measure, with its unit.
        said: for those who cannot see it.
        mark: a value to draw a line at, and what it is.
        given: whether the names are text from the data; they are cut to `NAME` characters.

    Returns:
        The SVG.
    """
    keeps = kept_places(names) if given else {}

    def draw(axes: "Axes") -> None:
        rows = np.arange(len(names))[::-1]
        shift = 0.14 if len(series) > 1 and series[0].errors is not None else 0.0
        if len(series) > 1 and series[0].errors is None:
            axes.hlines(rows, series[0].values, series[1].values, color=FAINT, linewidth=1.2)
        for place, (one, colour) in enumerate(zip(series, (FIRST, SECOND), strict=False)):
            axes.errorbar(
                one.values,
                rows + shift * (1 - 2 * place),
                xerr=one.errors,
                fmt="os"[place],
                color=colour,
                markersize=6 - place,
                elinewidth=1.8,
                capsize=3,
                label=one.name,
            )
        if mark:
            axes.axvline(mark[0], color=INK, linestyle=(0, (4, 3)), linewidth=1, label=mark[1])
        axes.set_yticks(rows, list(keeps) if given else list(names), parse_math=False)
        axes.set_ylim(-0.7, len(names) - 0.3)
        axes.tick_params(axis="y", length=0)
        if given:
            axes.locator_params(axis="x", nbins=5)  # as many whatever room the names leave
        axes.grid(axis="x")
        axes.set_xlabel(axis)
        if len(series) > 1 or mark:
            _legend(axes, columns=len(series) + bool(mark))

    height = 62 + 26 * len(names) + (26 if len(series) > 1 or mark else 0)
    return _drawn(draw, height, said, names=keeps)


def kept_places(names: Sequence[str]) -> dict[str, str]:
    """Each name, cut, by what is drawn in its place: as wide as the longest, and unlike all others.

    Args:
        names: any text.
    """
    shown = [cut(name, NAME) for name in names]
    width = max((len(name) for name in shown), default=0)
    return {f"{place:n>{max(width, 4)}}": name for place, name in enumerate(shown)}


def ranked_shares(played: np.ndarray, listed: np.ndarray, *, said: str) -> str:
    """Cumulative shares of plays and of recommendations over artists by falling popularity.

    Args:
        played: (n_artists,) share of listening of the artists up to each rank.
        listed: (n_artists,) share of recommendations.
        said: for those who cannot see it.
    """

    def draw(axes: "Axes") -> None:
        ranks = np.arange(1, len(played) + 1)
        # a hundred places along a logarithmic axis: more points would only make the page heavy
        shown = np.unique(np.geomspace(1, max(len(played), 1), 100).round().astype(int)) - 1
        axes.plot(ranks[shown], 100 * listed[shown], color=FIRST, linewidth=2, label="recommended")
        axes.plot(
            ranks[shown],
            100 * played[shown],
            color=SECOND,
            linewidth=2,
            linestyle=(0, (5, 2)),
            label="played",
        )
        axes.set_xscale("log")
        ticks = [10**power for power in range(6) if 10**power <= len(played)]
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(0, 102)
        axes.grid(axis="y")
        axes.set_xlabel("how many of the most heard")
        axes.set_ylabel("share of all, %")
        _legend(axes, columns=2)

    return _drawn(draw, 290, said)


def small_line(years: Sequence[float], shares: Sequence[float], *, top: float, said: str) -> str:
    """One of several small lines with a common scale: a share over time.

    Args:
        years: when, in years.
        shares: of one, NaN where there is none.
        top: the largest share of all of them.
        said: for those who cannot see it.
    """

    def draw(axes: "Axes") -> None:
        axes.plot(years, 100 * np.asarray(shares), color=FIRST, linewidth=2)
        axes.plot(years, 100 * np.asarray(shares), "o", color=FIRST, markersize=2.6)
        first, last = int(np.floor(years[0])), int(np.ceil(years[-1]))
        ticks = list(range(first, last + 1, max(1, -(-(last - first) // 2))))
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_ylim(0, 108 * max(top, 1e-9))
        axes.set_ylabel("%")
        axes.set_xlabel("year")
        axes.grid(axis="y")

    return _drawn(draw, 125, said, small=True)


def over_refreshes(days: Sequence[str], series: Sequence[Series], *, said: str) -> str:
    """Figures of the model that served, from refresh to refresh.

    Args:
        days: of each refresh, YYYY-MM-DD, oldest first; two at least.
        series: two at most, with or without whiskers.
        said: for those who cannot see it.
    """

    def draw(axes: "Axes") -> None:
        places = np.arange(len(days))
        for place, (one, colour) in enumerate(zip(series, (FIRST, SECOND), strict=False)):
            axes.errorbar(
                places + 0.06 * place,
                one.values,
                yerr=one.errors,
                fmt=("o-", "s--")[place],
                color=colour,
                markersize=5,
                linewidth=1.5,
                elinewidth=1.5,
                capsize=3,
                label=one.name,
            )
        step = -(-len(days) // 4)
        axes.set_xticks(places[::step], list(days)[::step])
        axes.margins(y=0.15)
        axes.set_xlim(-0.5, len(days) - 0.5)
        axes.grid(axis="y")
        axes.set_xlabel("refresh")
        axes.set_ylabel("held-out figure, 0 to 1")
        _legend(axes, columns=2)

    return _drawn(draw, 270, said)


def _legend(axes: "Axes", *, columns: int) -> None:
    """Above the drawing, where it hides nothing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        borderpad=0,
        handletextpad=0.4,
        columnspacing=1.2,
    )


def _drawn(
    draw: Callable[["Axes"], None],
    height: int,
    said: str,
    *,
    small: bool = False,
    names: Mapping[str, str] = MappingProxyType({}),
) -> str:
    return on_paper(lambda figure: draw(figure.subplots()), height, said, small=small, names=names)


def on_paper(
    draw: Callable[["Figure"], None],
    height: int,
    said: str,
    *,
    small: bool = False,
    names: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A drawing of one or more panels, see `svg.rewritten`.

    Args:
        draw: makes axes of a figure and draws on them, in the colours of `svg`.
        height: in units.
        said: for those who cannot see it.
        small: whether it is one of several, of a common margin.
        names: text from the data, by what is drawn in its place.
    """
    import matplotlib as mpl  # noqa: PLC0415 (slow to import)
    from matplotlib.figure import Figure  # noqa: PLC0415

    size = ((_SMALL if small else WIDTH) / _POINTS, height / _POINTS)
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": said}):
        # to find margins takes as long as to draw, and those of many small ones are the same
        figure = Figure(figsize=size, layout=None if small else "constrained", frameon=False)
        if small:
            figure.subplots_adjust(**_MARGINS)
        draw(figure)
        for axes in figure.axes:
            axes.set_facecolor("none")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return rewritten(buffer.getvalue(), said, names)
