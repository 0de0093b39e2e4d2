"""Each tunable model's search, and LightFM's five knobs, as assets outside the daily refresh."""

import math
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.jobs import TUNING
from lastfm_assets.automation.lineage import columns_of
from lastfm_assets.automation.metadata import (
    OWNERS,
    key,
    log_progress,
    table_metadata,
)
from lastfm_assets.automation.pictures import picture
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.assets import SIDE
from lastfm_assets.models.trained import RANKED_BY, model_sources
from lastfm_assets.provenance import code_version
from lastfm_assets.settings import Settings
from lastfm_assets.tuning import charts
from lastfm_assets.tuning.lightfm_knobs import in_words, turn_knobs
from lastfm_assets.tuning.space import tunable_models
from lastfm_assets.tuning.storage import study_folder
from lastfm_assets.tuning.study import DEFAULT_TRIALS, Budget, Known, tune
from lastfm_assets.tuning.trials import Search
from lastfm_assets.vocabulary import Columns

_SPLIT = {
    "split_pairs": dg.AssetIn(key("listening", "split"), dagster_type=pd.DataFrame),
    "artists": dg.AssetIn(key("listening", "artists"), dagster_type=pd.DataFrame),
}
_JUDGING = (
    "evaluation/judge.py",
    "evaluation/metrics.py",
    "listening/split.py",
    *RANKED_BY,
)
_SEARCHING = (
    "models/search.py",
    "tuning/space.py",
    "tuning/storage.py",
    "tuning/study.py",
    "tuning/trials.py",
)


class TuningConfig(dg.Config):
    """When a search ends; what earlier runs have done on the same data counts."""

    trials: int = Field(DEFAULT_TRIALS, ge=1, description="Finished trials in all.")
    timeout: float | None = Field(
        None, gt=0, description="Seconds after which no further trial is begun."
    )


def search_metadata(search: Search) -> dict[str, Any]:
    """The best beside the shipped defaults, how much was tried, and pictures."""
    states = search.trials["state"].value_counts()
    facts: dict[str, Any] = {
        "best_validation_ndcg@10": search.best_value,
        "best_parameters": dg.MetadataValue.json(search.best),
        "default_parameters": dg.MetadataValue.json(search.defaults),
        "trials": len(search.trials),
        "pruned_trials": int(states.get("pruned", 0)),
        "failed_trials": int(states.get("failed", 0)),
        "seconds": search.seconds,
        "study": dg.MetadataValue.path(search.file),
        "history": picture(charts.history(search), "validation ndcg@10 of each trial"),
        "slices": picture(charts.slices(search), "validation ndcg@10 against each parameter"),
    }
    if math.isfinite(search.default_value):
        facts["default_validation_ndcg@10"] = search.default_value
    return facts


def _tuning_asset(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=key(TUNING, name),
        ins={
            **_SPLIT,
            **{
                table: dg.AssetIn(asset, dagster_type=pd.DataFrame) for table, asset in SIDE.items()
            },
        },
        description=(
            f"Every trial of the search for {name}'s parameters: fitted on train, judged on "
            "validation, on pairs that are not held out.\n\nA search goes on where the last one "
            "ended, on the same data. What it finds becomes a default only by a change of the code."
        ),
        group_name=TUNING,
        kinds={"optuna", "parquet"},
        owners=OWNERS,
        code_version=code_version(*model_sources(name), *_JUDGING, *_SEARCHING),
        metadata=columns_of(key(TUNING, name)),
    )
    @fails_clearly
    def trials(
        context: dg.AssetExecutionContext,
        config: TuningConfig,
        split_pairs: pd.DataFrame,
        artists: pd.DataFrame,
        settings: dg.ResourceParam[Settings],
        **side: pd.DataFrame,
    ) -> dg.MaterializeResult[pd.DataFrame]:
        known = Known(
            pairs_of(split_pairs, "train", "validation"),
            artists[Columns.ARTIST].to_numpy(),
            SideTables(**side),
        )
        search = tune(
            name,
            known,
            folder=study_folder(settings.store),
            seed=settings.seed,
            budget=Budget(config.trials, config.timeout),
            on_progress=log_progress(context, f"splits of {name}'s trials"),
        )
        for remark in search.remarks:
            context.log.warning(remark)
        return dg.MaterializeResult(
            value=search.trials,
            metadata={**search_metadata(search), **table_metadata(search.trials)},
        )

    return trials


search_assets = [_tuning_asset(name) for name in tunable_models()]


@dg.asset(
    key=key(TUNING, "lightfm_knobs"),
    ins=_SPLIT,
    group_name=TUNING,
    kinds={"lightfm", "parquet"},
    owners=OWNERS,
    code_version=code_version(*model_sources("lightfm"), *_JUDGING, "tuning/lightfm_knobs.py"),
    metadata=columns_of(key(TUNING, "lightfm_knobs")),
)
@fails_clearly
def lightfm_knobs(
    context: dg.AssetExecutionContext,
    split_pairs: pd.DataFrame,
    artists: pd.DataFrame,
    seed: dg.ResourceParam[int],
) -> dg.MaterializeResult[pd.DataFrame]:
    """What epochs, learning rate, components and both L2 weights do to LightFM's precision@10.

    One knob is turned at a time, the others stand as shipped. The rows `start` and `shipped` say
    what LightFM's own defaults and ours reach on the held-out pairs.
    """
    table = turn_knobs(
        split_pairs,
        artists[Columns.ARTIST].to_numpy(),
        seed=seed,
        on_progress=log_progress(context, "fits of LightFM"),
    )
    return dg.MaterializeResult(
        value=table,
        metadata={
            "in_words": in_words(table),
            "knobs": picture(charts.knobs(table), "precision@10 along each knob"),
            **table_metadata(table),
        },
    )
