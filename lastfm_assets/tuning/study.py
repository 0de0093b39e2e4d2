r"""The search for a model's parameters: resumable, seeded, and blind to held-out pairs.

A trial fits the model on the train pairs of up to three inner splits and is worth the mean of

.. math:: \mathrm{ndcg@10} \text{ on the validation pairs, mean over users, then over splits.}

The first split decides whether the others are worth their time: a trial below the median of the
earlier ones is pruned. The first trial is the shipped defaults, so the best is never worse.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.errors import BadInputError, LastfmAssetsError
from lastfm_assets.evaluation.judge import judge
from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import HELD_OUT_SHARE, VALIDATION_SHARE, pairs_of, split
from lastfm_assets.models.search import search_space
from lastfm_assets.models.trained import code_of, model_named, train
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.tuning.space import default_parameters, suggest, tunable
from lastfm_assets.tuning.storage import opened
from lastfm_assets.tuning.trials import FAILED_BECAUSE, MADE_BY, Search, finished, search_of
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    import optuna
    from pydantic import BaseModel

DEFAULT_TRIALS: Final = 30
"""Trials of every model: a comparison of tuned models is fair if all had the same."""
SPLITS: Final = 3
"""Inner splits that a trial is judged on, with the seeds seed, seed + 1, ..."""
OBJECTIVE: Final = "ndcg@10"
_CUTOFF: Final = 10
_FIT_FAILURES: Final = (LastfmAssetsError, ValueError, ArithmeticError, np.linalg.LinAlgError)
"""What a model raises that its parameters lead astray; anything else ends the search."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a search may look at: nothing in it is held out."""

    pairs: pd.DataFrame
    """`user_id, artist_id, plays` of train and validation."""
    artist_ids: np.ndarray
    """(n_artists,) int64, rising: the whole catalogue."""
    side: SideTables
    """Tags and friends, without the tags of held-out pairs."""

    @classmethod
    def of_source(cls, tables: CleanTables, *, seed: int) -> "Known":
        """Leaves out what the pipeline holds out of a whole source under that seed."""
        dealt = split(tables.interactions, seed=seed, plays=tables.plays)
        side = SideTables(tables.tag_assignments, tables.friendships)
        return cls(
            pairs_of(dealt, "train", "validation"),
            tables.artists[Columns.ARTIST].to_numpy(),
            side.without_tags_of(pairs_of(dealt, "held_out")),
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """When a search ends.

    Raises:
        BadInputError: it allows nothing.
    """

    trials: int = DEFAULT_TRIALS
    """Finished trials in all, those of earlier calls included."""
    timeout: float | None = None
    """Seconds after which this call begins no further trial."""

    def __post_init__(self) -> None:
        """Refuses what would end before it begins."""
        if self.trials < 1:
            raise BadInputError(f"{self.trials} trials, expected at least 1")
        if self.timeout is not None and not self.timeout > 0:
            raise BadInputError(f"a timeout of {self.timeout:g} seconds, expected more than 0")


@dataclass(frozen=True, slots=True)
class Fold:
    """One inner split."""

    matrix: ListeningMatrix
    validation: pd.DataFrame
    side: SideTables
    """Without the tags of its validation pairs."""


def folds_of(known: Known, *, seed: int) -> list[Fold]:
    """Deals the known pairs into train and validation, once a split.

    An eighth of them is validation, a tenth of all pairs as in the pipeline; under the
    pipeline's seed the first split is the pipeline's own, as pairs are dealt in the same order.
    """
    share = VALIDATION_SHARE / (1 - HELD_OUT_SHARE)
    folds = []
    for number in range(SPLITS):
        dealt = split(known.pairs, seed=seed + number, held_out_share=0.0, validation_share=share)
        validation = pairs_of(dealt, "validation")
        matrix = ListeningMatrix.from_pairs(pairs_of(dealt, "train"), known.artist_ids)
        folds.append(Fold(matrix, validation, known.side.without_tags_of(validation)))
    return folds


def fold_values(name: str, config: "BaseModel", folds: list[Fold], *, seed: int) -> Iterator[float]:
    """ndcg@10 on the validation pairs of each inner split, one fit at a time.

    Raises:
        ValueError: a split has no validation pair, or scores are not finite.
    """
    for fold in folds:
        model = train(name, fold.matrix, config, side=fold.side, seed=seed)
        per_user = judge(model, fold.matrix, fold.validation, cutoffs=[_CUTOFF]).per_user
        value = float(per_user[OBJECTIVE].mean())
        if not np.isfinite(value):
            raise ValueError(f"{OBJECTIVE} is {value}; expected a number from validation pairs")
        yield value


def study_name(name: str, known: Known, *, seed: int) -> str:
    """The model, and a fingerprint of what its values depend on: data, seed and search space.

    Other data starts another study, as values from different data cannot be compared.
    """
    model = model_named(name)
    said = {
        "data": ListeningMatrix.from_pairs(known.pairs, known.artist_ids).fingerprint,
        "side": known.side.fingerprint if model.needs_side else "",
        "seed": seed,
        "splits": SPLITS,
        "space": {field: repr(space) for field, space in search_space(model.Config).items()},
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return f"{name}-{digest[:12]}"


def tune(
    name: str,
    known: Known,
    *,
    folder: Path,
    seed: int,
    budget: Budget | None = None,
    on_progress: Progress = no_progress,
) -> Search:
    """Searches a model's parameters, or goes on with a search that was ended.

    Every trial draws with a sampler seeded by (`seed`, number of trials finished before it). So
    a search that was killed and continued makes the very trials of one that was not; the one
    that was killed within is made again.

    Args:
        name: a model with a search space.
        known: the pairs to search on, see `Known`.
        folder: of studies; this one is a SQLite file named after the study.
        seed: of splits, fits and sampler.
        budget: when to end; `DEFAULT_TRIALS` when None. Where the shipped defaults have
            changed since the study was begun, they are one trial more.
        on_progress: told splits judged and splits in all, a pruned trial counting whole.

    Returns:
        Every finished trial, and the best.

    Raises:
        BadInputError: there is nothing to tune, or no trial could be fitted.
        StoreError: the study cannot be kept.
    """
    config, budget = tunable(name), budget or Budget()
    study_id = study_name(name, known, seed=seed)
    folds = folds_of(known, seed=seed)
    defaults = default_parameters(config)
    file = folder / f"{study_id}.db"
    started = time.monotonic()
    with opened(file, study_id) as study:
        _end_killed(study)
        while True:
            done = finished(study)
            first = all(trial.params != defaults for trial in done)
            if len(done) >= budget.trials + first:
                break
            if budget.timeout is not None and time.monotonic() - started >= budget.timeout:
                break
            trial = _next(study, seed=seed, done=len(done), enqueued=defaults if first else None)
            trial.set_user_attr(MADE_BY, code_of(name))
            values = fold_values(name, suggest(trial, config), folds, seed=seed)
            report = _within(on_progress, len(done), max(budget.trials, len(done) + 1))
            _run(study, trial, values, report, may_prune=not first)
        on_progress(budget.trials * SPLITS, budget.trials * SPLITS)
        return search_of(name, study, defaults, file)


def _end_killed(study: "optuna.Study") -> None:
    """Closes what a killed process left open; it does not count and is made again."""
    from optuna.trial import TrialState  # noqa: PLC0415

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _next(
    study: "optuna.Study", *, seed: int, done: int, enqueued: dict[str, Any] | None
) -> "optuna.Trial":
    from optuna.samplers import TPESampler  # noqa: PLC0415
    from optuna.trial import TrialState  # noqa: PLC0415

    drawn = np.random.SeedSequence([seed, done]).generate_state(1)[0]
    study.sampler = TPESampler(seed=int(drawn))
    if enqueued and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(enqueued)
    return study.ask()


def _run(
    study: "optuna.Study",
    trial: "optuna.Trial",
    values: Iterator[float],
    on_progress: Progress,
    *,
    may_prune: bool,
) -> None:
    """Judges one trial split by split; however it ends, the study knows."""
    from optuna.trial import TrialState  # noqa: PLC0415

    reached: list[float] = []
    try:
        for number, value in enumerate(values):
            reached.append(value)
            trial.report(float(np.mean(reached)), step=number)
            on_progress(number + 1, SPLITS)
            if may_prune and number + 1 < SPLITS and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return
        study.tell(trial, float(np.mean(reached)))
    except _FIT_FAILURES as problem:
        trial.set_user_attr(FAILED_BECAUSE, f"{type(problem).__name__}: {problem}")
        study.tell(trial, state=TrialState.FAIL)
    except BaseException:
        # one that has been told is finished; any other is not, and is made again
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        raise


def _within(on_progress: Progress, done: int, total: int) -> Progress:
    on_progress(done * SPLITS, total * SPLITS)
    return lambda part, _: on_progress(done * SPLITS + part, total * SPLITS)
