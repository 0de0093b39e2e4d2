"""What must be true of evaluations."""

from itertools import combinations
from typing import Final

import pandas as pd

from lastfm_assets.evaluation.comparison import verdict
from lastfm_assets.evaluation.judged_users import of_judged_users
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.evaluation.metrics import AUC
from lastfm_assets.evaluation.segments import KIND, SEGMENT, USERS
from lastfm_assets.findings import Finding, Rule, no_violations
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.vocabulary import Columns

_ROUNDING: Final = 1e-12

_SEGMENT: Final = [Columns.MODEL, KIND, SEGMENT]


def metrics_are_shares(evaluation: Evaluation, split_pairs: pd.DataFrame) -> Finding:
    """Every metric of every user lies in 0..1 and none is missing, but auc may be undefined."""
    del split_pairs
    metrics = evaluation.per_user.drop(columns=[Columns.PART, Columns.USER])
    missing = metrics.drop(columns=AUC, errors="ignore").isna()
    outside = (metrics < 0) | (metrics > 1)
    return no_violations(outside=outside.to_numpy().sum(), missing=missing.to_numpy().sum())


def every_user_is_judged(evaluation: Evaluation, split_pairs: pd.DataFrame) -> Finding:
    """Each user with something held out is judged once, or each of those drawn; nobody else."""
    of_drawn = of_judged_users(split_pairs, evaluation.judged_users, seed=evaluation.seed)
    expected = set(pairs_of(of_drawn, "held_out")[Columns.USER])
    judged = evaluation.part("held_out")[Columns.USER]
    return no_violations(
        missing=len(expected - set(judged)),
        unexpected=len(set(judged) - expected),
        doubled=judged.duplicated().sum(),
    )


def every_pair_is_compared(comparison: pd.DataFrame) -> Finding:
    """By each metric, each two of the models stand in one row."""
    models = sorted({*comparison["model_a"], *comparison["model_b"]})
    expected = set(combinations(models, 2))
    counts = {"missing": 0, "doubled": 0, "unexpected": 0}
    for _, rows in comparison.groupby("metric"):
        found = [tuple(sorted(pair)) for pair in rows[["model_a", "model_b"]].to_numpy()]
        counts["missing"] += len(expected - set(found))
        counts["doubled"] += len(found) - len(set(found))
        counts["unexpected"] += len(set(found) - expected)
    return no_violations(**counts)


def comparisons_hold_together(comparison: pd.DataFrame) -> Finding:
    """Differences lie in their intervals, p-values in 0..1, and the verdicts say the same."""
    difference, p = comparison["difference"], comparison["p_adjusted"]
    inside = (comparison["low"] <= difference + _ROUNDING) & (
        difference <= comparison["high"] + _ROUNDING
    )
    said = [
        verdict(str(row["model_a"]), str(row["model_b"]), row["difference"], row["p_adjusted"])
        for row in comparison.to_dict("records")
    ]
    return no_violations(
        outside=(~inside).sum(),
        no_share=(~p.between(0, 1)).sum(),
        another_verdict=(comparison["verdict"] != pd.Series(said, index=comparison.index)).sum(),
    )


def every_user_is_in_one_segment(segments: pd.DataFrame) -> Finding:
    """Of each kind and for each model, segments have the same number of users in all."""
    sizes = segments.groupby([Columns.MODEL, KIND])[USERS].sum()
    expected = sizes.max() if len(sizes) else 0
    return no_violations(
        unlike=int((sizes != expected).sum()), doubled=segments.duplicated(_SEGMENT).sum()
    )


EVALUATION_RULES: Final[list[Rule]] = [metrics_are_shares, every_user_is_judged]
COMPARISON_RULES: Final[list[Rule]] = [every_pair_is_compared, comparisons_hold_together]
SEGMENT_RULES: Final[list[Rule]] = [every_user_is_in_one_segment]
