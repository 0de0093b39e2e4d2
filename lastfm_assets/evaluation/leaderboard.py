"""All models on one table, best on validation first."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.comparison import ERROR, compare
from lastfm_assets.evaluation.judge import Parts
from lastfm_assets.evaluation.judged_users import JUDGED_USERS
from lastfm_assets.evaluation.metrics import bootstrap_intervals, means, precision_ceiling
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.vocabulary import PARTS, Columns

SELECTION: Final = "validation_ndcg@10"
"""The column that chooses the champion; held-out figures never do."""
JUDGED: Final = "held_out_precision@10"
"""The column that the gate looks at."""
CEILING: Final = "held_out_precision_ceiling@10"
COMPARED: Final = "ndcg@10"
"""The held-out metric by which one model is said to beat another."""
BEST: Final = "best"
_FIRST: Final = [SELECTION, JUDGED, f"{JUDGED}_low", f"{JUDGED}_high", CEILING]
_LAST: Final = ["verdict", "users", "parameters", "seed", "fingerprint"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one model reached, and which model exactly that was."""

    model: str
    parameters: str
    """Its config as JSON."""
    seed: int
    fingerprint: str
    """Of the model judged on held out; see `TrainedModel.fingerprint`."""
    beyond_accuracy: dict[str, float]
    """`<figure>@10` of the lists judged on held out; see `judge.beyond_accuracy`."""
    per_user: pd.DataFrame
    """`part, user_id, <metric>`; see `judge.evaluate_parts`."""
    judged_users: int = JUDGED_USERS
    """Most users that were judged, see `judged_users.of_judged_users`."""

    @classmethod
    def of(
        cls, model: TrainedModel, parts: Parts, *, judged_users: int = JUDGED_USERS
    ) -> "Evaluation":
        """The evaluation of one trained model."""
        parameters = json.dumps(model.config.model_dump(), sort_keys=True)
        return cls(
            model.name,
            parameters,
            model.seed,
            model.fingerprint,
            parts.beyond_accuracy,
            parts.per_user,
            judged_users,
        )

    def part(self, part: str) -> pd.DataFrame:
        """One part's users and metrics."""
        chosen = self.per_user[self.per_user[Columns.PART] == part]
        return chosen.drop(columns=Columns.PART).reset_index(drop=True)

    def held_out(self, metric: str) -> pd.Series:
        """One metric on held out, by user."""
        return self.part("held_out").set_index(Columns.USER)[metric]

    def means(self) -> dict[str, float]:
        """`<part>_<metric>` for every part and metric."""
        return {
            f"{part}_{metric}": value
            for part in PARTS
            for metric, value in means(self.part(part)).items()
        }


def leaderboard(
    evaluations: Sequence[Evaluation], held_out_sizes: pd.Series, *, seed: int
) -> pd.DataFrame:
    """Puts evaluations side by side.

    Args:
        evaluations: one a model.
        held_out_sizes: artists held out for each user, for the ceiling of precision.
        seed: of the bootstrap over users, shared by all models and metrics.

    Returns:
        One row a model, ordered by `SELECTION`, best first (equal: by name): `model`, the mean
        of every metric as `<part>_<metric>`, 95% bounds of every held-out metric as `..._low` and
        `..._high`, `held_out_precision_ceiling@10`, `verdict` (see `verdicts`), `users` (those
        with something held out), `parameters`, `seed`, `fingerprint`.
    """
    rows = [row_of(evaluation, seed=seed) for evaluation in evaluations]
    table = pd.DataFrame(rows).sort_values(
        [SELECTION, Columns.MODEL], ascending=[False, True], ignore_index=True
    )
    table[CEILING] = precision_ceiling(held_out_sizes.to_numpy(), 10)
    table["verdict"] = verdicts(evaluations, str(table[Columns.MODEL].iloc[0]), seed=seed)[
        table[Columns.MODEL]
    ].to_numpy()
    ends = [Columns.MODEL, *_FIRST, *_LAST]
    figures = [column for column in table.columns if column not in ends]
    return table[[Columns.MODEL, *_FIRST, *figures, *_LAST]]


def row_of(evaluation: Evaluation, *, seed: int) -> dict[str, object]:
    """One model's figures: means, bounds of those on held out, and which model exactly it is."""
    held_out = evaluation.part("held_out").drop(columns=Columns.USER)
    bounds = bootstrap_intervals(held_out.to_numpy(np.float64), seed=seed)
    row: dict[str, object] = {Columns.MODEL: evaluation.model, **evaluation.means()}
    for metric, (low, high) in zip(held_out.columns, bounds, strict=True):
        row[f"held_out_{metric}_low"], row[f"held_out_{metric}_high"] = float(low), float(high)
    row |= {f"held_out_{name}": value for name, value in evaluation.beyond_accuracy.items()}
    return row | {
        "users": len(held_out),
        "parameters": evaluation.parameters,
        "seed": evaluation.seed,
        "fingerprint": evaluation.fingerprint,
    }


def held_out_figures(evaluations: Sequence[Evaluation], metric: str) -> pd.DataFrame:
    """(n_users, n_models) one metric on held out, indexed by user; NaN where a user has none."""
    return pd.DataFrame(
        {evaluation.model: evaluation.held_out(metric) for evaluation in evaluations}
    )


def verdicts(evaluations: Sequence[Evaluation], best: str, *, seed: int) -> pd.Series:
    """Each model against the best, by held-out `COMPARED`, as one comparison among all pairs.

    Args:
        evaluations: one a model.
        best: the model that the others are held against.
        seed: of the draws, see `comparison.compare`.

    Returns:
        By model: "best", "als beats this one", "no difference seen from als", or "beats als".
    """
    table = compare(held_out_figures(evaluations, COMPARED), seed=seed)
    said = {best: BEST}
    for row in table.to_dict("records"):
        if best not in (row["model_a"], row["model_b"]):
            continue
        other = row["model_b"] if row["model_a"] == best else row["model_a"]
        ahead = row["difference"] if row["model_a"] == best else -row["difference"]
        if not row["p_adjusted"] < ERROR:
            said[other] = f"no difference seen from {best}"
        else:
            said[other] = f"{best} beats this one" if ahead > 0 else f"beats {best}"
    return pd.Series(said)
