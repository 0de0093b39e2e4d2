"""What a model must reach before anybody sees its lists: every threshold, and the champion."""

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from pydantic import BaseModel

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation.challenge import MARGIN, Choice
from lastfm_assets.evaluation.leaderboard import JUDGED, SELECTION
from lastfm_assets.models.trained import code_of, fingerprint, model_named
from lastfm_assets.vocabulary import Columns

BASELINE: Final = "popularity"
MIN_OVER_POPULARITY: Final = 2.0
"""Held-out precision@10 of the champion over that of popularity: below it, a model adds little."""
MIN_PRECISION: Final = {
    "hetrec2011-lastfm-2k": 0.20,
    "sample": 0.27,
}
"""Held-out precision@10 by source: about 2.5 half-widths of its 95% interval below what the
default champion reaches there."""
MIN_PRECISION_ELSEWHERE: Final = 0.02
"""For sources nobody has measured yet: set LASTFM_MIN_PRECISION once you know yours."""


class Champion(BaseModel, frozen=True, extra="forbid"):
    """Which model serves, why, and on what evidence."""

    model: str
    because: str
    """One sentence for an operator."""
    challenger: str
    """The model best on validation."""
    serving: str | None
    """The champion before this one."""
    difference: float | None
    """Held-out ndcg@10 of the challenger minus that of `serving`, None where not compared."""
    low: float | None
    """Lower end of its 95% interval."""
    high: float | None
    margin: float
    """How far below zero `low` may be for the challenger to replace `serving`."""
    pinned: bool
    """Whether an operator chose it, by LASTFM_CHAMPION."""
    parameters: dict[str, Any]
    seed: int
    fingerprint: str
    """Of the model that was judged."""
    pairs: str
    """Fingerprint of all pairs, held out included: the lists are refitted on exactly these."""
    code: str
    """Version of the sources that fitted it; others are refused."""
    validation_ndcg: float
    precision: float
    precision_low: float
    precision_high: float
    popularity_precision: float
    min_precision: float
    """The threshold in force when it was judged."""


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


def min_precision_for(source: str, override: float | None, asked: float | None = None) -> float:
    """The threshold in force: the operator's, else the source's own.

    Args:
        source: its name, see `sources.files.Source`.
        override: LASTFM_MIN_PRECISION.
        asked: what a source asks for in its description.

    Raises:
        GateRefusedError: the tables come from several sources.
    """
    if "+" in source:
        raise GateRefusedError(
            f"the tables come from several sources ({source}), expected one; run a whole refresh"
        )
    if override is not None:
        return override
    usual = MIN_PRECISION_ELSEWHERE if asked is None else asked
    return MIN_PRECISION.get(source, usual)


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


def popularity_precision(leaderboard: pd.DataFrame) -> float:
    """Held-out precision@10 of popularity; NaN where it was not evaluated."""
    rows = leaderboard.loc[leaderboard[Columns.MODEL] == BASELINE, JUDGED]
    return float(rows.iloc[0]) if len(rows) else math.nan


def choose_champion(
    leaderboard: pd.DataFrame,
    choice: Choice,
    *,
    data: str,
    side: str,
    pairs: str,
    min_precision: float,
) -> Champion:
    """Makes the chosen model champion, or refuses.

    Args:
        leaderboard: see `leaderboard`.
        choice: who is to serve, see `challenge.choose`.
        data: fingerprint of the matrix that the models should have been judged with.
        side: fingerprint of the tags and friends that those who look at them should have had.
        pairs: fingerprint of all pairs that the champion will be refitted on.
        min_precision: the threshold in force.

    Returns:
        The champion, if its held-out figures pass, whoever chose it.

    Raises:
        GateRefusedError: a threshold is missed, or the figures are of another model.
    """
    row, contest = choice.row, choice.contest
    champion = Champion(
        model=str(row[Columns.MODEL]),
        because=f"{choice.because}; held-out precision@10 {row[JUDGED]:.4f}",
        challenger=choice.challenger,
        serving=choice.serving,
        difference=contest.difference if contest else None,
        low=contest.low if contest else None,
        high=contest.high if contest else None,
        margin=MARGIN,
        pinned=choice.pinned,
        parameters=json.loads(str(row["parameters"])),
        seed=int(row["seed"]),
        fingerprint=_current_fingerprint(row, data=data, side=side),
        pairs=pairs,
        code=code_of(str(row[Columns.MODEL])),
        validation_ndcg=float(row[SELECTION]),
        precision=float(row[JUDGED]),
        precision_low=float(row[f"{JUDGED}_low"]),
        precision_high=float(row[f"{JUDGED}_high"]),
        popularity_precision=popularity_precision(leaderboard),
        min_precision=min_precision,
    )
    require_approved(champion, pairs=pairs, min_precision=min_precision)
    return champion


def with_its_reason(champion: Champion, last: Champion | None) -> Champion:
    """The last record, if a rerun has found the same again: it says by what contest it was chosen.

    Args:
        champion: as found now.
        last: the champion until now.

    Returns:
        `last` where they differ in nothing but the story of the choice, else `champion`.
    """
    if last is None or champion.difference is not None:
        return champion
    story = last.model_dump(include={"because", "serving", "difference", "low", "high"})
    return last if champion.model_copy(update=story) == last else champion


def _current_fingerprint(row: pd.Series, *, data: str, side: str) -> str:
    """Of the model on the present data with the present code, which the figures must be of."""
    name = str(row[Columns.MODEL])
    model = model_named(name)
    current = fingerprint(
        name,
        model.Config.model_validate_json(str(row["parameters"])),
        seed=int(row["seed"]),
        data=data,
        side=side if model.needs_side else "",
        code=code_of(name),
    )
    if current != row["fingerprint"]:
        raise GateRefusedError(
            f"the leaderboard's figures for {name} are of another model, of older data or of "
            "older code; expected those of the current matrix: run a whole refresh"
        )
    return current


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
    if champion.code != code_of(champion.model):
        raise GateRefusedError(
            f"{champion.model} was judged with other code than that at hand; run a whole refresh"
        )
