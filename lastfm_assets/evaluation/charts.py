"""Pictures of the evidence: what models reach, which differ, for whom, and who is to serve."""

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from lastfm_assets.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    name_rows,
    paper,
    plain,
    png,
)
from lastfm_assets.evaluation.comparison import ERROR
from lastfm_assets.evaluation.gate import BASELINE, MIN_OVER_POPULARITY, Champion
from lastfm_assets.evaluation.leaderboard import CEILING
from lastfm_assets.evaluation.segments import KIND, SEGMENT, SEGMENTS, UNKNOWN
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_ROW: Final = 0.31
"""Inches for a model."""
_NAMED: Final = 4
"""Models with a colour of their own."""
_KINDS: Final = {
    "plays": "by how much they play",
    "taste": "by how popular what they play is",
}


def accuracy(leaderboard: pd.DataFrame) -> bytes:
    """Held-out precision@10 and ndcg@10 of every model with 95% whiskers (PNG).

    On the right the pale dots are precision@10 on train, where a model knows the answers: a long
    way from there to held out is what it learnt by heart.

    Args:
        leaderboard: see `leaderboard.leaderboard`, one model or more.
    """
    figure = paper(10.4, 1.4 + _ROW * len(leaderboard))
    first, second, third = figure.subplots(1, 3, sharey=True)
    for axes, metric in ((first, "precision@10"), (second, "ndcg@10"), (third, "precision@10")):
        _reached(axes, leaderboard, metric)
        axes.set_title(f"{metric} held out, 95%", loc="left", fontsize="medium", pad=18)
    name_rows(first, list(leaderboard[Columns.MODEL]))
    baseline = leaderboard.loc[leaderboard[Columns.MODEL] == BASELINE, "held_out_precision@10"]
    if len(baseline):
        _mark(first, MIN_OVER_POPULARITY * float(baseline.iloc[0]), f"twice {BASELINE}")
    third.plot(leaderboard["train_precision@10"], range(len(leaderboard)), "o", color=PALE)
    third.set_title(
        "precision@10 on train (pale) and held out", loc="left", fontsize="medium", pad=18
    )
    third.set_xlim(0, 1.04)
    if np.isfinite(leaderboard[CEILING].iloc[0]):
        _mark(third, float(leaderboard[CEILING].iloc[0]), "ceiling")
    return png(figure)


def comparison(table: pd.DataFrame, metric: str) -> bytes:
    """Every model against every other: the mean difference, and whether it is one (PNG).

    Args:
        table: see `comparison.compare`, with `metric`.
        metric: which of them.
    """
    one = table[table["metric"] == metric]
    names, differences, sure = _square(one)
    n = len(names)
    figure = paper(2.6 + 0.56 * n, 1.4 + 0.4 * n)
    axes = figure.subplots()
    largest = float(np.nanmax(np.abs(differences), initial=0.0)) or 1.0
    axes.imshow(
        np.where(sure, differences, np.nan), cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto"
    )
    for row, column in zip(*np.nonzero(~np.eye(n, dtype=bool)), strict=True):
        value, is_sure = float(differences[row, column]), bool(sure[row, column])
        strong = is_sure and abs(value) > 0.6 * largest
        axes.text(
            column,
            row,
            f"{value:+.3f}",
            ha="center",
            va="center",
            fontsize="x-small",
            color="white" if strong else INK if is_sure else GREY,
        )
    axes.set_xticks(
        range(n), names, rotation=35, ha="left", rotation_mode="anchor", fontsize="small"
    )
    axes.xaxis.tick_top()
    axes.set_yticks(range(n), names, fontsize="small")
    axes.tick_params(length=0)
    axes.spines[:].set_color(PALE)
    axes.set_xlabel(
        f"Held-out {metric} of the row's model minus the column's. Blue: the row beats, red: the "
        f"column beats;\nwhite: no difference seen ({ERROR:.0%} chance of one false claim among "
        "all pairs).",
        fontsize="small",
        color=GREY,
        loc="left",
    )
    return png(figure)


def segments(table: pd.DataFrame, metric: str) -> bytes:
    """For whom models work: the metric by segment, the best models in colour (PNG).

    Args:
        table: see `segments.segment_table`, with `model`.
        metric: one that has an interval.
    """
    users = table["users"]
    overall = (table[metric] * users).groupby(table[Columns.MODEL]).sum() / users.groupby(
        table[Columns.MODEL]
    ).sum()
    ranked = [str(name) for name in overall.sort_values(ascending=False, kind="stable").index]
    best = [name for name in ranked if name != BASELINE][: _NAMED - 1]
    named = [*best, *([BASELINE] if BASELINE in ranked else [])]
    figure = paper(8.6, 3.7)
    panels = figure.subplots(1, len(SEGMENTS), sharey=True)
    for axes, kind in zip(panels, SEGMENTS, strict=True):
        _by_segment(axes, table[table[KIND] == kind], metric, [*ranked, *named], named)
        plain(axes, grid="y")
        axes.set_title(f"Users {_KINDS[kind]}", loc="left", fontsize="medium")
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel(f"held-out {metric}", fontsize="small", color=GREY)
    figure.legend(*_once(panels[0]), loc="outside right upper", fontsize="small", frameon=False)
    return png(figure)


def champion(chosen: Champion) -> bytes:
    """The champion against every threshold, and against the model that served before (PNG)."""
    contested = chosen.difference is not None
    figure = paper(7.8, 3.5 if contested else 1.9)
    if contested:
        gate, contest = figure.subplots(2, 1)
        _contest(contest, chosen)
    else:
        gate = figure.subplots()
    _gate(gate, chosen)
    return png(figure)


def _reached(axes: "Axes", board: pd.DataFrame, metric: str) -> None:
    rows = np.arange(len(board))
    value, low, high = (
        board[f"held_out_{metric}{end}"].to_numpy(np.float64) for end in ("", "_low", "_high")
    )
    axes.errorbar(
        value,
        rows,
        xerr=np.maximum([value - low, high - value], 0),
        fmt="o",
        color=BLUE,
        markersize=5,
        capsize=2.5,
    )
    plain(axes, grid="x")


def _mark(axes: "Axes", value: float, what: str) -> None:
    """A line across all rows, named above them."""
    axes.axvline(value, color=ORANGE, linewidth=1.2, linestyle="--")
    axes.annotate(
        f"{what} {value:.3f}",
        (value, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        fontsize="x-small",
        color=ORANGE,
    )


def _square(table: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names best first, differences (row minus column, NaN on the diagonal), and which are sure."""
    names = list(dict.fromkeys([*table["model_a"], *table["model_b"]]))
    at = {name: place for place, name in enumerate(names)}
    differences = np.full((len(names), len(names)), np.nan)
    sure = np.zeros(differences.shape, dtype=bool)
    for row in table.to_dict("records"):
        a, b = at[row["model_a"]], at[row["model_b"]]
        differences[a, b], differences[b, a] = row["difference"], -row["difference"]
        sure[a, b] = sure[b, a] = row["p_adjusted"] < ERROR
    order = np.argsort(-np.nansum(differences, axis=1), kind="stable")
    return (
        [names[place] for place in order],
        differences[np.ix_(order, order)],
        sure[np.ix_(order, order)],
    )


def _by_segment(
    axes: "Axes", table: pd.DataFrame, metric: str, order: list[str], named: list[str]
) -> None:
    """A line a model over the segments of one kind; those in `named` in colour, with whiskers."""
    kind = str(table[KIND].iloc[0])
    present = set(table[SEGMENT])
    places = [name for name in (*SEGMENTS[kind], UNKNOWN) if name in present]
    sizes = table.drop_duplicates(SEGMENT).set_index(SEGMENT)["users"]
    for name in order:
        rows = table[table[Columns.MODEL] == name].set_index(SEGMENT).reindex(places)
        if name not in named:
            axes.plot(range(len(places)), rows[metric], color=PALE, linewidth=1, label="others")
            continue
        colour = GREY if name == BASELINE else (BLUE, ORANGE, GREEN, PURPLE)[named.index(name)]
        value = rows[metric].to_numpy()
        axes.errorbar(
            np.arange(len(places)) + 0.05 * (named.index(name) - 1),
            value,
            yerr=np.maximum([value - rows[f"{metric}_low"], rows[f"{metric}_high"] - value], 0),
            fmt="o-",
            color=colour,
            markersize=4,
            capsize=2.5,
            linewidth=1.4,
            label=name,
        )
    axes.set_xticks(range(len(places)), [f"{name}\n{sizes[name]:,} users" for name in places])
    axes.margins(x=0.12)


def _once(axes: "Axes") -> tuple[list["Artist"], list[str]]:
    """Legend entries, each name once, the models in colour first."""
    entries = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = sorted(entries, key=lambda name: name == "others")
    return [entries[name] for name in names], names


def _gate(axes: "Axes", chosen: Champion) -> None:
    value, low, high = chosen.precision, chosen.precision_low, chosen.precision_high
    axes.errorbar(
        [value],
        [0],
        xerr=np.maximum([[value - low], [high - value]], 0),
        fmt="o",
        color=BLUE,
        markersize=7,
        capsize=4,
    )
    thresholds = [(chosen.min_precision, "threshold")]
    if np.isfinite(chosen.popularity_precision):
        thresholds.append((MIN_OVER_POPULARITY * chosen.popularity_precision, f"twice {BASELINE}"))
    for place, (threshold, what) in enumerate(sorted(thresholds)):
        axes.axvline(threshold, color=ORANGE, linewidth=1.2, linestyle="--")
        axes.annotate(
            f"{what} {threshold:.3f}",
            (threshold, 0.84 - 0.2 * place),
            xycoords=("data", "axes fraction"),
            xytext=(5, 0),
            textcoords="offset points",
            fontsize="small",
            color=ORANGE,
        )
    axes.set_title(
        f"{chosen.model}: held-out precision@10 is {value:.4f} ({low:.4f} to {high:.4f})",
        loc="left",
        fontsize="medium",
    )
    _one_row(axes)
    axes.set_xlim(0, max(high, *(threshold for threshold, _ in thresholds)) * 1.25)


def _contest(axes: "Axes", chosen: Champion) -> None:
    """The challenger minus the serving model; its interval must not reach below the margin."""
    value, low, high = (float(x or 0.0) for x in (chosen.difference, chosen.low, chosen.high))
    won = low >= -chosen.margin
    axes.axvspan(-1, -chosen.margin, color=PALE, alpha=0.45, linewidth=0)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.errorbar(
        [value],
        [0],
        xerr=np.maximum([[value - low], [high - value]], 0),
        fmt="o",
        color=BLUE if won else ORANGE,
        markersize=7,
        capsize=4,
    )
    widest = max(abs(low), abs(high), 2 * chosen.margin) * 1.3
    axes.set_xlim(-widest, widest)
    axes.set_title(
        f"{chosen.challenger} minus {chosen.serving}: held-out ndcg@10 differs by {value:+.4f} "
        f"({low:+.4f} to {high:+.4f})",
        loc="left",
        fontsize="medium",
    )
    axes.annotate(
        f"the interval may not reach in here, below {-chosen.margin:g}",
        (0.01, 0.08),
        xycoords="axes fraction",
        fontsize="x-small",
        color=INK,
    )
    _one_row(axes)


def _one_row(axes: "Axes") -> None:
    plain(axes, grid="x")
    axes.set_yticks([])
    axes.set_ylim(-1, 1)
    axes.spines["left"].set_visible(False)
