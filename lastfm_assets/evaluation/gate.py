"""What a model must reach before anybody sees its lists: every threshold, and the champion."""

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from pydantic import BaseModel

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation.leaderboard import JUDGED, SELECTION
from lastfm_assets.models.trained import fingerprint, model_named
from lastfm_assets.vocabulary import Columns

BASELINE: Final = "popularity"
MIN_OVER_POPULARITY: Final = 2.0
"""Held-out precision@10 of the champion over that of popularity: below it, a model adds little."""
MIN_PRECISION: Final = {
    "hetrec2011-lastfm-2k": 0.19,
    "sample": 0.22,
}
"""Held-out precision@10 by source: about 2.5 half-widths of its 95% interval below what the
default champion reaches there."""
MIN_PRECISION_ELSEWHERE: Final = 0.02
"""For sources nobody has measured yet: set LASTFM_MIN_PRECISION once you know yours."""


class Champion(BaseModel, frozen=True, extra="forbid"):
    """Which model serves, why, and on what evidence."""

    model: str
    parameters: dict[str, Any]
    seed: int
    fingerprint: str
    """Of the model that was judged."""
    pairs: str
    """Fingerprint of all pairs, held out included: the lists are refitted on exactly these."""
    validation_ndcg: float
    precision: float
    precision_low: float
    precision_high: float
    popularity_precision: float
    min_precision: float
    """The threshold in force when it was judged."""
    because: str
    """One sentence for an operator."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One threshold held against one figure; NaN never passes."""

    actual: float
    threshold: float

    @property
    def passed(self) -> bool:
        """Whether the figure reaches the threshold."""
        return math.isfinite(self.actual) and self.actual >= self.threshold

    @property
    def margin(self) -> float:
        """How far above the threshold, negative below it."""
        return self.actual - self.threshold


def min_precision_for(source: str, override: float | None) -> float:
    """The threshold in force: the operator's, else the source's own.

    Raises:
        GateRefusedError: the tables come from several sources.
    """
    if "+" in source:
        raise GateRefusedError(
            f"the tables come from several sources ({source}), expected one; run a whole refresh"
        )
    if override is not None:
        return override
    return MIN_PRECISION.get(source, MIN_PRECISION_ELSEWHERE)


def threshold_now(champion: Champion, override: float | None) -> float:
    """The threshold after the champion was named: the operator's of now, else that of then."""
    return champion.min_precision if override is None else override


def precision_verdict(precision: float, min_precision: float) -> Verdict:
    """Held-out precision@10 against its threshold."""
    return Verdict(precision, min_precision)


def popularity_verdict(precision: float, popularity_precision: float) -> Verdict:
    """Held-out precision@10 as a multiple of popularity's, against `MIN_OVER_POPULARITY`."""
    ratio = precision / popularity_precision if popularity_precision > 0 else math.nan
    return Verdict(ratio, MIN_OVER_POPULARITY)


def best_row(leaderboard: pd.DataFrame) -> pd.Series:
    """The model that is best on validation."""
    return leaderboard.iloc[int(leaderboard[SELECTION].fillna(-math.inf).to_numpy().argmax())]


def popularity_precision(leaderboard: pd.DataFrame) -> float:
    """Held-out precision@10 of popularity; NaN where it was not evaluated."""
    rows = leaderboard.loc[leaderboard[Columns.MODEL] == BASELINE, JUDGED]
    return float(rows.iloc[0]) if len(rows) else math.nan


def choose_champion(
    leaderboard: pd.DataFrame, *, data: str, pairs: str, min_precision: float
) -> Champion:
    """Names the champion, or refuses.

    Args:
        leaderboard: see `leaderboard`.
        data: fingerprint of the matrix that the models should have been judged with.
        pairs: fingerprint of all pairs that the champion will be refitted on.
        min_precision: the threshold in force.

    Returns:
        The model best on validation, if its held-out figures pass.

    Raises:
        GateRefusedError: a threshold is missed, or the figures are of another model.
    """
    best = best_row(leaderboard)
    if not math.isfinite(best[SELECTION]):
        raise GateRefusedError(
            "no model has a validation figure, as no user has enough artists to put one aside; "
            "expected users with five artists or more; nothing is published, the last lists stay"
        )
    name, parameters = str(best[Columns.MODEL]), json.loads(str(best["parameters"]))
    config = model_named(name).Config.model_validate(parameters)
    judged = fingerprint(name, config, seed=int(best["seed"]), data=data)
    if judged != best["fingerprint"]:
        raise GateRefusedError(
            f"the leaderboard's figures for {name} are of another model or of older data; "
            "expected those of the current matrix: run a whole refresh"
        )
    champion = Champion(
        model=name,
        parameters=parameters,
        seed=int(best["seed"]),
        fingerprint=judged,
        pairs=pairs,
        validation_ndcg=float(best[SELECTION]),
        precision=float(best[JUDGED]),
        precision_low=float(best[f"{JUDGED}_low"]),
        precision_high=float(best[f"{JUDGED}_high"]),
        popularity_precision=popularity_precision(leaderboard),
        min_precision=min_precision,
        because=_reason(leaderboard, best),
    )
    require_approved(champion, pairs=pairs, min_precision=min_precision)
    return champion


def require_approved(champion: Champion, *, pairs: str, min_precision: float) -> None:
    """Lets nothing past that is not covered by this champion's evidence.

    Args:
        champion: as recorded.
        pairs: fingerprint of the pairs at hand.
        min_precision: the threshold in force now.

    Raises:
        GateRefusedError: a threshold is missed, or the pairs are not those it was judged on.
    """
    precision = precision_verdict(champion.precision, min_precision)
    if not precision.passed:
        raise GateRefusedError(
            f"{champion.model}: held-out precision@10 is {precision.actual:.4f}, expected at least "
            f"{precision.threshold:.4f}; nothing is published, the last lists stay"
        )
    ratio = popularity_verdict(champion.precision, champion.popularity_precision)
    if not ratio.passed:
        raise GateRefusedError(
            f"{champion.model}: held-out precision@10 is {ratio.actual:.2f} times that of "
            f"popularity, expected at least {ratio.threshold:.1f} times; nothing is published, "
            "the last lists stay"
        )
    if champion.pairs != pairs:
        raise GateRefusedError(
            f"{champion.model} was judged on other plays than those at hand; run a whole refresh"
        )


def _reason(leaderboard: pd.DataFrame, best: pd.Series) -> str:
    others = leaderboard.drop(index=best.name)
    said = f"best of {len(leaderboard)} models on validation, ndcg@10 {best[SELECTION]:.4f}"
    if len(others):
        second = best_row(others)
        said += f" against {second[SELECTION]:.4f} of {second[Columns.MODEL]}"
    return f"{said}; held-out precision@10 {best[JUDGED]:.4f}"
