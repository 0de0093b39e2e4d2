"""Pictures of a search, drawn without pyplot's global state."""

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.drawing import paper, png
from lastfm_assets.models.search import Between, OneOf, search_space
from lastfm_assets.models.trained import model_named
from lastfm_assets.tuning.trials import Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOT: Final = "#3b6fb6"
_LINE: Final = "#c0392b"
_GREY: Final = "#8a8a8a"
_PANEL: Final = (3.1, 2.4)
"""Inches of one panel of several."""
_ACROSS: Final = 5


def history(search: Search) -> bytes:
    """Each trial's value in their order, the best so far, and the defaults' (PNG)."""
    figure = paper(6.4, 3.4)
    axes = figure.subplots()
    trials, complete = search.trials, search.trials["state"] == "complete"
    axes.plot(trials["number"], trials["value"].where(complete), "o", color=_DOT, label="complete")
    axes.plot(
        trials["number"],
        trials["value"].where(trials["state"] == "pruned"),
        "o",
        color=_GREY,
        fillstyle="none",
        label="pruned (fewer splits)",
    )
    so_far = trials["value"].where(complete).cummax().ffill()
    axes.step(trials["number"], so_far, where="post", color=_LINE, label="best so far")
    if math.isfinite(search.default_value):
        axes.axhline(search.default_value, color=_GREY, linestyle="--", label="shipped defaults")
    axes.set(xlabel="trial", ylabel="validation ndcg@10", title=search.model)
    axes.legend(fontsize="small")
    return png(figure)


def slices(search: Search) -> bytes:
    """Value against each parameter, a panel each; the best trial is the star (PNG)."""
    space = search_space(model_named(search.model).Config)
    trials = search.trials[search.trials["value"].notna()]
    parameters = [json.loads(text) for text in trials["parameters"]]
    figure = _panels(len(space))
    for axes, (name, said) in zip(figure.axes, space.items(), strict=True):
        drawn = [one[name] for one in parameters]
        places, best = _places(said, drawn), _places(said, [search.best[name]])
        colours = np.where(trials["state"] == "complete", _DOT, "#c9c9c9")
        axes.scatter(places, trials["value"], s=16, c=colours.tolist())
        axes.plot(best, [search.best_value], "*", color=_LINE, markersize=11)
        _name_axis(axes, name, said)
    figure.supylabel("validation ndcg@10", fontsize="small")
    return png(figure)


def knobs(table: pd.DataFrame) -> bytes:
    """precision@10 on train and on validation along each knob of `lightfm_knobs` (PNG)."""
    sweeps = table[~table["value"].isna()]
    names = list(dict.fromkeys(sweeps["knob"]))
    figure = _panels(len(names))
    for axes, name in zip(figure.axes, names, strict=True):
        one = sweeps[sweeps["knob"] == name]
        places = range(len(one))  # evenly spaced: a grid may begin with 0 and go on in tens
        for part, colour in (("train", _GREY), ("validation", _LINE)):
            axes.plot(places, one[f"{part}_precision@10"], "o-", color=colour, label=part)
        axes.set_xticks(places, [f"{value:g}" for value in one["value"]], fontsize="x-small")
        axes.set_xlabel(name, fontsize="small")
    figure.axes[0].set_ylim(0, None)  # of all, as they share it; only now, as it ends autoscaling
    figure.axes[0].legend(fontsize="x-small")
    figure.supylabel("precision@10", fontsize="small")
    return png(figure)


def _places(space: Between | OneOf, values: list[Any]) -> list[float]:
    if isinstance(space, Between):
        return [float(value) for value in values]
    return [float(_names(space).index(str(value))) for value in values]


def _names(space: OneOf) -> list[str]:
    return [str(value) for value in space.values]  # noqa: PD011 (no pandas)


def _name_axis(axes: "Axes", name: str, space: Between | OneOf) -> None:
    axes.set_xlabel(name, fontsize="small")
    axes.tick_params(labelsize="x-small")
    if not isinstance(space, Between):
        axes.set_xticks(range(len(_names(space))), _names(space))
        axes.margins(x=0.2)
    elif space.log:
        axes.set_xscale("log")
        ticks = np.geomspace(space.low, space.high, 4)
        axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        axes.minorticks_off()


def _panels(count: int) -> "Figure":
    across = min(count, _ACROSS)
    down = math.ceil(count / across)
    figure = paper(_PANEL[0] * across, _PANEL[1] * down)
    for axes in figure.subplots(down, across, squeeze=False, sharey=True).ravel()[count:]:
        figure.delaxes(axes)
    return figure
