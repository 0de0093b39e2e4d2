"""What five knobs of LightFM do to precision@10, one at a time, and both ends of the way.

Students of this data set report some 14% precision@10 for LightFM as it comes with the WARP
loss, and 25% and more once they had turned epochs, learning rate, components and both L2 weights.
Such a figure is only worth something beside the pairs it was taken on: here are train,
validation and held out side by side.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.judge import judge
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.lightfm import LightFm, LightFmConfig
from lastfm_assets.models.trained import TrainedModel, train
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.vocabulary import Part

START: Final = LightFmConfig(
    loss="warp",
    epochs=10,
    components=10,
    learning_rate=0.05,
    max_sampled=10,
    item_alpha=0.0,
    user_alpha=0.0,
)
"""LightFM's own defaults with the WARP loss, for ten epochs."""
GRIDS: Final[dict[str, tuple[float, ...]]] = {
    "epochs": (5, 10, 20, 40),
    "learning_rate": (0.01, 0.03, 0.05, 0.1),
    "components": (10, 32, 64, 128),
    "item_alpha": (0.0, 1e-5, 1e-4),
    "user_alpha": (0.0, 1e-5, 1e-4),
}
"""Values of each knob that are tried while the others stay at the shipped defaults."""
METRIC: Final = "precision@10"
_CUTOFF: Final = 10


def turn_knobs(
    split_pairs: pd.DataFrame,
    artist_ids: np.ndarray,
    *,
    seed: int,
    grids: dict[str, tuple[float, ...]] | None = None,
    on_progress: Progress = no_progress,
) -> pd.DataFrame:
    """Fits LightFM along each knob around the shipped defaults, and at both ends.

    Args:
        split_pairs: every pair with its `part`.
        artist_ids: (n_artists,) int64, rising: the whole catalogue.
        seed: of every fit.
        grids: values by knob; `GRIDS` when None.
        on_progress: told fits done and fits in all.

    Returns:
        `knob, value, train_precision@10, validation_precision@10, held_out_precision@10`. Train
        and validation are of a fit on train. The last two rows, knobs `start` and `shipped`, have
        no value and say what is reached on the held-out pairs by a fit on train and validation;
        along the way nobody looks at those, and they are NaN. Validation is half as large as
        held out, so that its precision is about half of what the same lists would have there.
    """
    turned = list(_turned(GRIDS if grids is None else grids))
    ends = [("start", np.nan, START), ("shipped", np.nan, LightFmConfig())]
    seen: dict[LightFmConfig, dict[str, float]] = {}  # the shipped ones stand on every grid
    rows: list[dict[str, Any]] = []
    for knob, value, config in [*turned, *ends]:
        if config not in seen:
            seen[config] = _on_train_and_validation(split_pairs, artist_ids, config, seed)
        held_out = np.nan
        if np.isnan(value):
            model = _fitted(split_pairs, artist_ids, config, ("train", "validation"), seed)
            held_out = _reached(model, pairs_of(split_pairs, "held_out"))
        rows.append({"knob": knob, "value": value, **seen[config], f"held_out_{METRIC}": held_out})
        on_progress(len(rows), len(turned) + len(ends))
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> str:
    """Two sentences on what the way from the start to the shipped parameters was worth."""
    ends = table.set_index("knob").loc[["start", "shipped"]]
    start, shipped = (ends.loc[name] for name in ("start", "shipped"))
    swings = table[table["value"].notna()].groupby("knob", sort=False)[f"validation_{METRIC}"]
    swing = swings.max() - swings.min()
    return (
        f"From {start[f'held_out_{METRIC}']:.1%} held out at LightFM's own defaults to "
        f"{shipped[f'held_out_{METRIC}']:.1%} at the shipped ones, which "
        f"reach {shipped[f'train_{METRIC}']:.1%} on the very pairs they were fitted on. "
        f"The knob that moves validation most is {swing.idxmax()} ({swing.max():.1%}), the one "
        f"that moves it least {swing.idxmin()} ({swing.min():.1%})."
    )


def _turned(
    grids: dict[str, tuple[float, ...]],
) -> Iterator[tuple[str, float, LightFmConfig]]:
    shipped = LightFmConfig().model_dump()
    for knob, values in grids.items():
        for value in sorted({*values, shipped[knob]}):
            yield knob, float(value), LightFmConfig.model_validate({**shipped, knob: value})


def _on_train_and_validation(
    split_pairs: pd.DataFrame, artist_ids: np.ndarray, config: LightFmConfig, seed: int
) -> dict[str, float]:
    model = _fitted(split_pairs, artist_ids, config, ("train",), seed)
    learnt = _reached(model, pairs_of(split_pairs, "train"), leave_out_played=False)
    return {
        f"train_{METRIC}": learnt,
        f"validation_{METRIC}": _reached(model, pairs_of(split_pairs, "validation")),
    }


def _fitted(
    split_pairs: pd.DataFrame,
    artist_ids: np.ndarray,
    config: LightFmConfig,
    parts: tuple[Part, ...],
    seed: int,
) -> tuple[TrainedModel, ListeningMatrix]:
    matrix = ListeningMatrix.from_pairs(pairs_of(split_pairs, *parts), artist_ids)
    return train(LightFm.name, matrix, config, side=SideTables.none(), seed=seed), matrix


def _reached(
    fitted: tuple[TrainedModel, ListeningMatrix],
    pairs: pd.DataFrame,
    *,
    leave_out_played: bool = True,
) -> float:
    model, matrix = fitted
    judged = judge(model, matrix, pairs, cutoffs=[_CUTOFF], leave_out_played=leave_out_played)
    return float(judged.per_user[METRIC].mean())
