"""Pictures of the studies: error against lists, weightings, and LightFM's epochs."""

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from lastfm_assets.drawing import BLUE, GREY, INK, ORANGE, PALE, paper, plain, png
from lastfm_assets.studies.lists import PRECISION
from lastfm_assets.studies.weighting_effect import BM25

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HELD_OUT: Final = f"held_out_{PRECISION}"
_TITLES: Final = {"start": "LightFM's own parameters", "shipped": "the shipped parameters"}


def error_and_lists(table: pd.DataFrame, best: str, best_precision: float) -> bytes:
    """Rating error against precision@10 of each rating model, with 95% whiskers (PNG).

    Args:
        table: see `rating_error`.
        best: a model made for lists, drawn as a line, as it has no rating error.
        best_precision: its precision@10 for the same users.
    """
    figure = paper(7.2, 3.6)
    axes = figure.subplots()
    for row in table.to_dict("records"):
        x, y = row["rmse"], row[PRECISION]
        axes.errorbar(
            x,
            y,
            xerr=[[x - row["rmse_low"]], [row["rmse_high"] - x]],
            yerr=[[y - row[f"{PRECISION}_low"]], [row[f"{PRECISION}_high"] - y]],
            fmt="o",
            color=BLUE,
            capsize=2,
        )
        axes.annotate(
            row["model"], (x, y), xytext=(6, 6), textcoords="offset points", fontsize="small"
        )
    axes.axhline(best_precision, color=ORANGE, linewidth=1)
    axes.annotate(
        f"{best}, made for lists: {best_precision:.3f}",
        (float(table["rmse"].max()), best_precision),
        xytext=(0, -12),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color=ORANGE,
    )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("error of predicted ratings (RMSE, points of 1 to 5; left is better)")
    axes.set_ylabel(f"{PRECISION} held out")
    plain(axes, grid="y")
    return png(figure)


def weightings(table: pd.DataFrame) -> bytes:
    """Held-out precision@10 under each weighting: bars, and both BM25s over K1 and B (PNG)."""
    figure = paper(10.4, 3.2)
    first, *grids = figure.subplots(1, 1 + len(BM25), width_ratios=[1.1, 1, 1])
    _best_of_schemes(first, table)
    values = table.loc[table["scheme"].isin(BM25), _HELD_OUT]
    low, high = float(values.min()), float(values.max())
    for axes, scheme in zip(grids, BM25, strict=True):
        grid = table[table["scheme"] == scheme].pivot_table(
            index="b", columns="k1", values=_HELD_OUT
        )
        axes.imshow(grid.to_numpy(), cmap="cividis", vmin=low, vmax=high, aspect="auto")
        for (row, column), value in np.ndenumerate(grid.to_numpy()):
            dark = value < (low + high) / 2
            colour = "white" if dark else "black"
            said = f"{value:.3f}"
            axes.text(column, row, said, ha="center", va="center", color=colour, fontsize="small")
        axes.set_xticks(range(grid.shape[1]), [f"{k1:g}" for k1 in grid.columns])
        axes.set_yticks(range(grid.shape[0]), [f"{b:g}" for b in grid.index])
        axes.set_xlabel("K1")
        axes.set_ylabel("B")
        on = "presence" if scheme == "bm25" else "play counts"
        axes.set_title(f"BM25 on {on}", loc="left", fontsize="medium")
        axes.tick_params(length=0, labelsize="small")
        axes.spines[:].set_visible(False)
    return png(figure)


def epochs(table: pd.DataFrame) -> bytes:
    """precision@10 over LightFM's epochs, on the pairs of the fit and held out (PNG)."""
    settings = list(dict.fromkeys(table["setting"]))
    figure = paper(4.6 * len(settings), 3.2)
    every = figure.subplots(1, len(settings), sharey=True, squeeze=False)[0]
    for axes, setting in zip(every, settings, strict=True):
        rows = table[table["setting"] == setting]
        lines = (
            (f"train_{PRECISION}", GREY, "pairs it was fitted on"),
            (_HELD_OUT, BLUE, "held out"),
        )
        for column, colour, said in lines:
            axes.plot(rows["epoch"], rows[column], "o-", color=colour, markersize=4)
            last = rows.iloc[-1]
            axes.annotate(
                f"{said} {last[column]:.3f}",
                (last["epoch"], last[column]),
                xytext=(0, 7),
                textcoords="offset points",
                ha="right",
                fontsize="small",
                color=colour if colour != GREY else INK,
            )
        axes.set_title(_TITLES.get(setting, setting), loc="left", fontsize="medium")
        axes.set_xlabel("epochs")
        axes.margins(y=0.15)
        plain(axes, grid="y")
    every[0].set_ylabel(PRECISION)
    every[0].set_ylim(bottom=0)
    return png(figure)


def _best_of_schemes(axes: "Axes", table: pd.DataFrame) -> None:
    """The best of each scheme by validation, on held out with 95% whiskers."""
    best = table.loc[table.groupby("scheme", sort=False)[f"validation_{PRECISION}"].idxmax()]
    places = range(len(best))
    value = best[_HELD_OUT]
    axes.barh(places, value, color=PALE, height=0.6)
    errors = [value - best[f"{_HELD_OUT}_low"], best[f"{_HELD_OUT}_high"] - value]
    axes.errorbar(value, places, xerr=errors, fmt="o", color=BLUE, capsize=2, markersize=4)
    names = {"plays": "play counts", "binary": "presence", "log": "log of counts"}
    names |= {"bm25": "BM25 on presence", "bm25_plays": "BM25 on counts"}
    axes.set_yticks(places, [names.get(one, one) for one in best["scheme"]])
    axes.set_ylim(len(best) - 0.5, -0.5)
    axes.set_title(f"held-out {PRECISION}, 95%", loc="left", fontsize="medium")
    plain(axes, grid="x")
