"""What must be true of evaluations."""

from typing import Final

import pandas as pd

from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.findings import Finding, Rule, no_violations
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.vocabulary import Columns


def metrics_are_shares(evaluation: Evaluation, split_pairs: pd.DataFrame) -> Finding:
    """Every metric of every user lies in 0..1 and none is missing."""
    del split_pairs
    metrics = evaluation.per_user.drop(columns=[Columns.PART, Columns.USER])
    outside = (metrics < 0) | (metrics > 1)
    return no_violations(outside=outside.to_numpy().sum(), missing=metrics.isna().to_numpy().sum())


def every_user_is_judged(evaluation: Evaluation, split_pairs: pd.DataFrame) -> Finding:
    """Each user with something held out is judged once, and nobody else."""
    expected = set(pairs_of(split_pairs, "held_out")[Columns.USER])
    judged = evaluation.part("held_out")[Columns.USER]
    return no_violations(
        missing=len(expected - set(judged)),
        unexpected=len(set(judged) - expected),
        doubled=judged.duplicated().sum(),
    )


EVALUATION_RULES: Final[list[Rule]] = [metrics_are_shares, every_user_is_judged]
