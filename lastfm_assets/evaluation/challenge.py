"""Who is to serve: the model best on validation, unless the one that serves now is better.

Validation chooses, but by a hair's breadth it chooses by chance. So its choice, the challenger,
must not be worse than the serving model on the held-out users, as far as these can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation.comparison import compare
from lastfm_assets.evaluation.leaderboard import COMPARED, SELECTION, Evaluation, row_of
from lastfm_assets.vocabulary import Columns

MARGIN: Final = 0.002
"""How much lower than the serving model's the challenger's held-out ndcg@10 may be, at the lower
end of the 95% interval: under 1% of what als reaches on HetRec (.26), which nobody would notice.
With 0 a model that is just as good could take over only by luck. Intervals of few users are wide
(half of one is .005 to .015 on the sample): there a challenger has to be visibly better."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The model that was champion until now, judged on the present data whatever it won by."""

    model: str
    evaluation: Evaluation | None
    """With its own parameters; None where there is no such model any more."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Held-out `COMPARED` of the challenger minus that of the serving model, on the same users."""

    difference: float
    low: float
    """Lower end of the 95% interval."""
    high: float

    @classmethod
    def of(cls, challenger: Evaluation, serving: Evaluation, *, seed: int) -> "Contest":
        """Compares two models on the users that both were judged for.

        Args:
            challenger: best on validation.
            serving: champion until now.
            seed: of the draws behind the interval.
        """
        figures = pd.concat(
            [challenger.held_out(COMPARED), serving.held_out(COMPARED)], axis=1, keys=["a", "b"]
        )
        (row,) = compare(figures, seed=seed).to_dict("records")
        return cls(float(row["difference"]), float(row["low"]), float(row["high"]))

    @property
    def won(self) -> bool:
        """Whether the challenger is at most `MARGIN` worse; NaN never wins."""
        return self.low >= -MARGIN

    def __str__(self) -> str:
        """The figures for an operator."""
        return (
            f"{self.difference:+.4f} (95% interval {self.low:+.4f} to {self.high:+.4f}, whose "
            f"lower end must reach {-MARGIN:+.4f})"
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to serve if the gate lets it, and why."""

    row: pd.Series
    """Its row, see `leaderboard`."""
    because: str
    """One sentence for an operator."""
    challenger: str
    serving: str | None
    contest: Contest | None
    """None where nothing had to be compared."""
    pinned: bool


def best_row(leaderboard: pd.DataFrame) -> pd.Series:
    """The model that is best on validation."""
    return leaderboard.iloc[int(leaderboard[SELECTION].fillna(-np.inf).to_numpy().argmax())]


def candidate_row(leaderboard: pd.DataFrame, pinned: str | None) -> pd.Series:
    """The model that is up for serving: the pinned one, else the best on validation.

    Raises:
        GateRefusedError: the pinned model was not evaluated.
    """
    if pinned is None:
        return best_row(leaderboard)
    rows = leaderboard[leaderboard[Columns.MODEL] == pinned]
    if rows.empty:
        raise GateRefusedError(
            f"LASTFM_CHAMPION is {pinned}, which was not evaluated; expected one of "
            f"{', '.join(leaderboard[Columns.MODEL])}: run a whole refresh"
        )
    return rows.iloc[0]


def choose(
    leaderboard: pd.DataFrame,
    evaluations: Mapping[str, Evaluation],
    *,
    serving: Serving | None,
    pinned: str | None,
    seed: int,
) -> Choice:
    """Takes the pinned model, else the challenger or the serving model.

    Args:
        leaderboard: see `leaderboard`.
        evaluations: those of the leaderboard, by model.
        serving: the champion until now, None where there was none.
        pinned: the model that an operator has set; it needs to win nothing.
        seed: of the draws behind the interval.

    Returns:
        The challenger only where its interval reaches `-MARGIN`, or where there is nobody to
        compare it with, which `because` says.

    Raises:
        GateRefusedError: there is no validation figure to go by, the pinned model was not
            evaluated, or the challenger's evaluation is not that of the leaderboard.
    """
    best = best_row(leaderboard)
    if not np.isfinite(best[SELECTION]):
        raise GateRefusedError(
            "no model has a validation figure, as no user has enough artists to put one aside; "
            "expected users with five artists or more; nothing is published, the last lists stay"
        )
    challenger = str(best[Columns.MODEL])
    before = serving.model if serving else None

    def choice(row: pd.Series, because: str, contest: Contest | None = None) -> Choice:
        return Choice(row, because, challenger, before, contest, pinned is not None)

    if pinned is not None:
        row = candidate_row(leaderboard, pinned)
        return choice(row, _pinned(leaderboard, best, row))
    why = _best(leaderboard, best)
    if serving is None:
        return choice(best, f"{why}; no model served before")
    if serving.evaluation is None:
        return choice(best, f"{why}; {serving.model}, which served before, cannot be fitted now")
    if serving.evaluation.fingerprint == best["fingerprint"]:
        return choice(best, f"{why}; it served before")
    if evaluations[challenger].fingerprint != best["fingerprint"]:
        raise GateRefusedError(
            f"evaluation/{challenger} is not what the leaderboard was made from; run a whole "
            "refresh"
        )
    contest = Contest.of(evaluations[challenger], serving.evaluation, seed=seed)
    who = serving.model if serving.model != challenger else f"{serving.model} as it was set before"
    if contest.won:
        return choice(
            best, f"{why}; replaces {who}: held-out {COMPARED} differs by {contest}", contest
        )
    return choice(
        _row_of(leaderboard, serving.evaluation, seed=seed),
        f"{who} stays: {challenger}, {why}, is not as good for sure, held-out {COMPARED} differs "
        f"by {contest}",
        contest,
    )


def _row_of(leaderboard: pd.DataFrame, evaluation: Evaluation, *, seed: int) -> pd.Series:
    """Its row of the leaderboard, or one like it where its parameters are not those there."""
    rows = leaderboard[leaderboard["fingerprint"] == evaluation.fingerprint]
    return rows.iloc[0] if len(rows) else pd.Series(row_of(evaluation, seed=seed))


def _best(leaderboard: pd.DataFrame, best: pd.Series) -> str:
    others = leaderboard.drop(index=best.name)
    said = f"best of {len(leaderboard)} models on validation, ndcg@10 {best[SELECTION]:.4f}"
    if others.empty:
        return said
    second = best_row(others)
    return f"{said} against {second[SELECTION]:.4f} of {second[Columns.MODEL]}"


def _pinned(leaderboard: pd.DataFrame, best: pd.Series, row: pd.Series) -> str:
    if row[Columns.MODEL] == best[Columns.MODEL]:
        return f"pinned by LASTFM_CHAMPION, and {_best(leaderboard, best)}"
    return (
        f"pinned by LASTFM_CHAMPION; best would have been {best[Columns.MODEL]}, ndcg@10 on "
        f"validation {best[SELECTION]:.4f} against {row[SELECTION]:.4f}"
    )
