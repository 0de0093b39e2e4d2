"""All models on one table, best on validation first."""

import json
from dataclasses import dataclass
from typing import Final

import pandas as pd

from lastfm_assets.evaluation.metrics import (
    METRICS,
    bootstrap_interval,
    means,
    precision_ceiling,
)
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.vocabulary import PARTS, Columns

SELECTION: Final = "validation_ndcg@10"
"""The column that chooses the champion; held-out figures never do."""
JUDGED: Final = "held_out_precision@10"
"""The column that the gate looks at."""
CEILING: Final = "held_out_precision_ceiling@10"
_INTERVALS: Final = ("precision@10", "ndcg@10")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one model reached, and which model exactly that was."""

    model: str
    parameters: str
    """Its config as JSON."""
    seed: int
    fingerprint: str
    """Of the model judged on held out; see `TrainedModel.fingerprint`."""
    per_user: pd.DataFrame
    """`part, user_id, <metric>@10`; see `judge.evaluate_parts`."""

    @classmethod
    def of(cls, model: TrainedModel, per_user: pd.DataFrame) -> "Evaluation":
        """The evaluation of one trained model."""
        parameters = json.dumps(model.config.model_dump(), sort_keys=True)
        return cls(model.name, parameters, model.seed, model.fingerprint, per_user)

    def part(self, part: str) -> pd.DataFrame:
        """One part's users and metrics."""
        chosen = self.per_user[self.per_user[Columns.PART] == part]
        return chosen.drop(columns=Columns.PART).reset_index(drop=True)

    def means(self) -> dict[str, float]:
        """`<part>_<metric>@10` for every part and metric."""
        return {
            f"{part}_{metric}": value
            for part in PARTS
            for metric, value in means(self.part(part)).items()
        }


def leaderboard(
    evaluations: list[Evaluation], held_out_sizes: pd.Series, *, seed: int
) -> pd.DataFrame:
    """Puts evaluations side by side.

    Args:
        evaluations: one a model.
        held_out_sizes: artists held out for each user, for the ceiling of precision.
        seed: of the bootstrap over users, shared by all models.

    Returns:
        One row a model, ordered by `SELECTION`, best first (equal: by name): `model`, the mean
        of every metric as `<part>_<metric>@10`, 95% bounds of held-out precision and ndcg as
        `..._low` and `..._high`, `held_out_precision_ceiling@10`, `users` (those with something
        held out), `parameters`, `seed`, `fingerprint`.
    """
    ceiling = precision_ceiling(held_out_sizes.to_numpy(), 10)
    rows = []
    for evaluation in evaluations:
        held_out = evaluation.part("held_out")
        row: dict[str, object] = {Columns.MODEL: evaluation.model, **evaluation.means()}
        for metric in _INTERVALS:
            low, high = bootstrap_interval(held_out[metric].to_numpy(), seed=seed)
            row[f"held_out_{metric}_low"], row[f"held_out_{metric}_high"] = low, high
        row[CEILING] = ceiling
        row["users"] = len(held_out)
        row["parameters"] = evaluation.parameters
        row["seed"] = evaluation.seed
        row["fingerprint"] = evaluation.fingerprint
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.sort_values(
        [SELECTION, Columns.MODEL], ascending=[False, True], ignore_index=True
    )[[Columns.MODEL, *_metric_columns(), "users", "parameters", "seed", "fingerprint"]]


def _metric_columns() -> list[str]:
    columns = [SELECTION, JUDGED, f"{JUDGED}_low", f"{JUDGED}_high", CEILING]
    columns += [f"held_out_ndcg@10{end}" for end in ("", "_low", "_high")]
    every = [
        f"{part}_{metric}@10" for part in ("held_out", "train", "validation") for metric in METRICS
    ]
    return columns + [column for column in every if column not in columns]
