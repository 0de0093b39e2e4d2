"""What a study holds, as a table and as the best parameters."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.hetrec import one_line

if TYPE_CHECKING:
    import optuna

FAILED_BECAUSE: Final = "failed_because"
"""Attribute of a trial whose fit failed; one without it was interrupted."""
MADE_BY: Final = "code"
"""Attribute of a trial: version of the sources that fitted it."""
_STATES: Final = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True, slots=True)
class Search:
    """A model's finished trials and the best of them."""

    model: str
    trials: pd.DataFrame
    """`number, state, value, splits, seconds, parameters, error, code`, a row a finished trial.

    `state` is complete, pruned or failed; `value` the mean ndcg@10 of the `splits` that were
    judged, NaN where none was; `parameters` JSON; `code` the version of the model's sources.
    """
    best: dict[str, Any]
    """The parameters of the complete trial of the highest value, the first of equals."""
    best_value: float
    defaults: dict[str, Any]
    """The shipped parameters."""
    default_value: float
    """What those reached; NaN where they were not judged."""
    file: Path
    """Where the study lies."""

    @property
    def seconds(self) -> float:
        """Time that all trials took."""
        return float(self.trials["seconds"].sum())

    @property
    def remarks(self) -> list[str]:
        """What whoever reads the figures should know: failed trials, and trials of other code."""
        failed = self.trials.loc[self.trials["state"] == "failed"]
        said = [f"trial {row.number} failed: {row.error}" for row in failed.itertuples()]
        versions = self.trials["code"].nunique()
        if versions > 1:
            said.append(
                f"the trials come from {versions} versions of the code of {self.model}, so their "
                f"values may not be comparable; delete {self.file} to start over"
            )
        return said


def finished(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    """The trials that count: complete, pruned or failed by their parameters, in their order."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in ("COMPLETE", "PRUNED") or FAILED_BECAUSE in trial.user_attrs
    ]


def search_of(name: str, study: "optuna.Study", defaults: dict[str, Any], file: Path) -> Search:
    """Reads a study.

    Raises:
        BadInputError: no trial is complete.
    """
    done = finished(study)
    table = pd.DataFrame([_row(number, trial) for number, trial in enumerate(done)])
    complete = table[table["state"] == "complete"] if len(table) else table
    if not len(complete):
        why = f" (the first: {table['error'].iloc[0]})" if len(table) else ""
        raise BadInputError(
            f"none of {len(table)} trials of {name} could be completed{why}; allow more trials or "
            f"time, or delete {file} to start over"
        )
    best = done[complete["number"].iloc[complete["value"].to_numpy().argmax()]]
    values = [trial.value for trial in done if trial.params == defaults and trial.value is not None]
    return Search(
        model=name,
        trials=table,
        best=dict(best.params),
        best_value=float(complete["value"].max()),
        defaults=defaults,
        default_value=values[0] if values else np.nan,
        file=file,
    )


def _row(number: int, trial: "optuna.trial.FrozenTrial") -> dict[str, Any]:
    began, ended = trial.datetime_start, trial.datetime_complete
    return {
        "number": number,
        "state": _STATES[trial.state.name],
        "value": np.nan if trial.value is None else float(trial.value),
        "splits": len(trial.intermediate_values),
        "seconds": (ended - began).total_seconds() if began and ended else np.nan,
        "parameters": json.dumps(trial.params),
        "error": one_line(str(trial.user_attrs.get(FAILED_BECAUSE, ""))),
        "code": str(trial.user_attrs.get(MADE_BY, "")),
    }
