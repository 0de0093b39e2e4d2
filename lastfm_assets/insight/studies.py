"""Chapters on what explains rather than serves: each is there if its table is."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

from lastfm_assets.insight.inputs import ReportInputs
from lastfm_assets.insight.months import months_chart
from lastfm_assets.insight.popular import popular_chart
from lastfm_assets.insight.promised import epochs_chart, rating_chart
from lastfm_assets.insight.sound import features_chart, genres_chart, years_chart
from lastfm_assets.insight.weighted import grid_chart, schemes_chart
from lastfm_assets.vocabulary import Columns


def _bounded(*columns: str) -> tuple[str, ...]:
    return tuple(f"{column}{end}" for column in columns for end in ("", "_low", "_high"))


_HELD_OUT: Final = "held_out_precision@10"
STUDY_TABLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "evaluation/rating_error": (
            *(Columns.MODEL, *_bounded("rmse", "mae", "precision@10")),
            *("ndcg@10", "folds", "users"),
        ),
        "evaluation/weighting_effect": (
            *("scheme", "k1", "b", "validation_precision@10"),
            *(*_bounded(_HELD_OUT), "held_out_ndcg@10"),
        ),
        "evaluation/lightfm_epochs": (
            *("setting", "epoch", "train_precision@10", "validation_precision@10", _HELD_OUT),
        ),
        "insight/tag_trends": (
            *(Columns.TAG_VALUE, "month_start", "assignments", "of_all"),
            *_bounded("share"),
        ),
        "insight/tag_popularity": (
            *(Columns.TAG_VALUE, "artists", *_bounded("listeners", "plays_per_listener"), "lift"),
        ),
        "insight/audio_features": (Columns.YEAR, "feature", "value"),
        "insight/audio_correlations": (
            *("of", "feature", "n", *_bounded("correlation"), "of_changes", "warning"),
        ),
    }
)
"""Columns that the page needs of each study, by its asset's key."""
OF_NO_SOURCE: Final = frozenset({"insight/audio_features", "insight/audio_correlations"})
"""Those that are not made from the listening data, so fit whatever source it has."""


def study_charts(inputs: ReportInputs) -> dict[str, Any]:
    """Charts of the studies that were made, by their names in the template.

    Returns:
        `promised` and `correlated`, lists of charts; `months`, `popular` and `sound`, a chart or
        None; `studied`, whether there is any of them.
    """
    table = {name: _made(inputs.studies.get(name), name) for name in STUDY_TABLES}
    weighting = table["evaluation/weighting_effect"]
    correlations = table["insight/audio_correlations"]
    promised = [
        rating_chart(table["evaluation/rating_error"], inputs.champion, inputs.noun),
        epochs_chart(table["evaluation/lightfm_epochs"]),
        schemes_chart(weighting),
        grid_chart(weighting),
    ]
    correlated = [years_chart(correlations), genres_chart(correlations)]
    found = {
        "promised": [chart for chart in promised if chart],
        "months": months_chart(table["insight/tag_trends"]),
        "popular": popular_chart(table["insight/tag_popularity"], inputs.noun),
        "sound": features_chart(table["insight/audio_features"]),
        "correlated": [chart for chart in correlated if chart],
    }
    return {**found, "studied": any(found.values())}


def _made(table: pd.DataFrame | None, name: str) -> pd.DataFrame:
    """The columns of a table that are shown; none of its rows where an older version made it."""
    wanted = list(STUDY_TABLES[name])
    if table is None or not set(wanted) <= set(table.columns):
        return pd.DataFrame({column: [] for column in wanted})
    return table[wanted]
