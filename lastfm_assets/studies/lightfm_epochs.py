"""LightFM over its epochs: what it reaches on pairs it was fitted on, and on others."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.lightfm import LightFmConfig, factors_of, training
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.studies.lists import PRECISION, judged
from lastfm_assets.tuning.lightfm_knobs import START
from lastfm_assets.vocabulary import PARTS, Part

EPOCHS: Final = (1, 2, 3, 5, 10, 15, 20, 30)
SETTINGS: Final[Mapping[str, LightFmConfig]] = {"start": START, "shipped": LightFmConfig()}
"""LightFM's own defaults with the WARP loss, and the tuned parameters; see `tuning`."""

COLUMNS: Final = ("setting", "epoch", *(f"{part}_{PRECISION}" for part in PARTS))


def lightfm_epochs(
    split_pairs: pd.DataFrame,
    artist_ids: np.ndarray,
    *,
    seed: int,
    epochs: tuple[int, ...] = EPOCHS,
    settings: Mapping[str, LightFmConfig] = SETTINGS,
    on_progress: Progress = no_progress,
) -> pd.DataFrame:
    """Goes on fitting, and looks after some of the epochs.

    A fit that goes on is the same as one that was begun with so many epochs, which is tested.

    Args:
        split_pairs: every pair with its `part`.
        artist_ids: (n_artists,) int64, rising: the whole catalogue.
        seed: of every fit.
        epochs: after which to look, rising.
        settings: by name; how many epochs they ask for does not matter.
        on_progress: told epochs done and epochs in all.

    Returns:
        `setting, epoch, train_precision@10, validation_precision@10, held_out_precision@10`.
        Train and held out are of one fit on train and validation, judged on those pairs and on the
        held-out ones; validation is of a fit on train alone. Validation is half as large as held
        out: the same lists have about half the precision there. Nothing is chosen here.
    """
    total = 2 * len(settings) * max(epochs)
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    done = 0
    for name, config in settings.items():
        longest = config.model_copy(update={"epochs": max(epochs)})
        for fitted_on in (("train", "validation"), ("train",)):
            matrix = _matrix(split_pairs, artist_ids, fitted_on)
            for epoch, model in enumerate(training(matrix.plays, longest, seed=seed), start=1):
                if epoch in epochs:
                    row = rows.setdefault((name, epoch), {"setting": name, "epoch": epoch})
                    row |= _reached(model, matrix, split_pairs, fitted_on)
                done += 1
                on_progress(done, total)
    return pd.DataFrame(list(rows.values()), columns=list(COLUMNS)).astype({"setting": "str"})


def in_words(table: pd.DataFrame) -> str:
    """How far train and held out part, for both settings, at the last epoch looked at."""
    said = []
    for name, rows in table.groupby("setting", sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        said.append(
            f"{name}: held out {first[f'held_out_{PRECISION}']:.1%} after epoch "
            f"{first['epoch']} and {last[f'held_out_{PRECISION}']:.1%} after {last['epoch']}, while"
            f" the pairs it was fitted on go from {first[f'train_{PRECISION}']:.1%} to "
            f"{last[f'train_{PRECISION}']:.1%}"
        )
    return (
        f"{PRECISION}, {'; '.join(said)}. A figure on the pairs of the fit says what was learnt by "
        "heart, not what a listener will like."
    )


def _matrix(
    split_pairs: pd.DataFrame, artist_ids: np.ndarray, parts: tuple[Part, ...]
) -> ListeningMatrix:
    return ListeningMatrix.from_pairs(pairs_of(split_pairs, *parts), artist_ids)


def _reached(
    model: Any, matrix: ListeningMatrix, split_pairs: pd.DataFrame, fitted_on: tuple[Part, ...]
) -> dict[str, float]:
    """Precision on the parts that this fit speaks for."""
    factors = factors_of(model)

    def reached(*parts: Part, leave_out_played: bool = True) -> float:
        found = judged(
            lambda rows: factors.scores(factors.users[rows]),
            matrix,
            pairs_of(split_pairs, *parts),
            leave_out_played=leave_out_played,
        )
        return float(found[PRECISION].mean())

    if "validation" not in fitted_on:
        return {f"validation_{PRECISION}": reached("validation")}
    return {
        f"train_{PRECISION}": reached(*fitted_on, leave_out_played=False),
        f"held_out_{PRECISION}": reached("held_out"),
    }
