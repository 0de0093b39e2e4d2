"""The gate's first layer, and the rules of evaluations, as Dagster checks."""

from collections.abc import Iterable, Iterator

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import check_result, key, rules_as_checks
from lastfm_assets.evaluation.challenge import candidate_row
from lastfm_assets.evaluation.gate import (
    Verdict,
    min_precision_for,
    popularity_precision,
    popularity_verdict,
    precision_verdict,
)
from lastfm_assets.evaluation.leaderboard import JUDGED, Evaluation
from lastfm_assets.evaluation.rules import COMPARISON_RULES, EVALUATION_RULES, SEGMENT_RULES
from lastfm_assets.findings import Finding
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.vocabulary import Columns

SOURCE_TABLE = key("raw", "source")
_LEADERBOARD = key("evaluation", "leaderboard")
PRECISION_CHECK = "best_model_reaches_min_precision"
POPULARITY_CHECK = "best_model_is_twice_popularity"


def evaluation_checks(names: Iterable[str]) -> list[dg.AssetChecksDefinition]:
    """The rules of each model's evaluation, those of the tables made from them, and the gate.

    Args:
        names: keys of `MODELS`.
    """
    of_evaluations = [
        rules_as_checks(
            key("evaluation", name),
            EVALUATION_RULES,
            kind=Evaluation,
            others={"split_pairs": (key("listening", "split"), pd.DataFrame)},
        )
        for name in names
    ]
    return [*of_evaluations, *checks_of_figures()]


def checks_of_figures() -> list[dg.AssetChecksDefinition]:
    """The rules of the tables of all models, and the gate."""
    return [
        rules_as_checks(key("evaluation", "comparison"), COMPARISON_RULES, kind=pd.DataFrame),
        rules_as_checks(key("evaluation", "segments"), SEGMENT_RULES, kind=pd.DataFrame),
        gate_checks,
    ]


@dg.multi_asset_check(
    name="gate",
    specs=[
        dg.AssetCheckSpec(
            name=PRECISION_CHECK,
            asset=_LEADERBOARD,
            additional_deps=[SOURCE_TABLE],
            blocking=True,
            description="Held-out precision@10 of the model best on validation, or of the pinned "
            "one, reaches the threshold (LASTFM_MIN_PRECISION, else the source's own).",
        ),
        dg.AssetCheckSpec(
            name=POPULARITY_CHECK,
            asset=_LEADERBOARD,
            additional_deps=[SOURCE_TABLE],
            blocking=True,
            description="Held-out precision@10 of the model best on validation, or of the pinned "
            "one, is at least twice that of recommending what everybody plays.",
        ),
    ],
    ins={"board": dg.AssetIn(_LEADERBOARD), "about": dg.AssetIn(SOURCE_TABLE)},
    can_subset=True,
)
@fails_clearly
def gate_checks(
    context: dg.AssetCheckExecutionContext,
    board: pd.DataFrame,
    about: pd.DataFrame,
    min_precision: dg.ResourceParam[float | None],
    pinned: dg.ResourceParam[str | None],
    store: dg.ResourceParam[Store],
) -> Iterator[dg.AssetCheckResult]:
    """Holds the held-out figures of whoever is up for serving against both thresholds."""
    candidate = candidate_row(board, pinned)
    source = store.source_of(_LEADERBOARD.path, pd.DataFrame)
    precision = float(candidate[JUDGED])
    asked = About.from_table(about).min_precision
    threshold = min_precision_for(source, min_precision, asked)
    verdicts = {
        PRECISION_CHECK: precision_verdict(precision, threshold),
        POPULARITY_CHECK: popularity_verdict(precision, popularity_precision(board)),
    }
    for name, verdict in verdicts.items():  # yielded: Dagster stores a returned tuple as a value
        if dg.AssetCheckKey(_LEADERBOARD, name) in context.selected_asset_check_keys:
            finding = _finding(verdict, str(candidate[Columns.MODEL]))
            yield check_result(finding, asset=_LEADERBOARD, name=name)


def _finding(verdict: Verdict, model: str) -> Finding:
    return Finding(
        verdict.passed,
        {
            "actual": verdict.actual,
            "threshold": verdict.threshold,
            "margin": verdict.margin,
            "model": model,
        },
    )
