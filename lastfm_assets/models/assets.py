"""One asset a model, fitted to be judged."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg
import pandas as pd
from pydantic import create_model

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import (
    OWNERS,
    key,
    log_progress,
)
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import (
    MODELS,
    TrainedModel,
    model_named,
    model_sources,
    train_together,
)
from lastfm_assets.provenance import code_version

_KINDS = {
    "als": {"implicit"},
    "bpr": {"implicit"},
    "lightfm": {"lightfm"},
    "lightfm_tags": {"lightfm"},
}
SIDE: Final = {
    "tag_assignments": key("listening", "training_tags"),
    "friendships": key("listening", "friendships"),
}
"""What models that look beside plays read, none of it of held-out pairs."""


def fit_metadata(model: TrainedModel, seconds: float) -> dict[str, Any]:
    """What determined a fitted model, and how long the fit took in this run.

    A blend whose members the run has fitted already does not fit them again, see `fits`.
    """
    return {
        "model": model.name,
        "parameters": dg.MetadataValue.json(model.config.model_dump()),
        "seed": model.seed,
        "fingerprint": model.fingerprint,
        "fit_seconds": seconds,
    }


def _parameters(name: str) -> type[dg.Config]:
    """A model's parameters, with their defaults and sentences, for the UI's launchpad."""
    fields: dict[str, Any] = {
        field: (info.annotation, info)
        for field, info in model_named(name).Config.model_fields.items()
    }
    return create_model(f"{name.title().replace('_', '')}Parameters", __base__=dg.Config, **fields)


_SECTIONS: Final[dict[str, Any]] = {
    name: (made, made()) for name, made in ((name, _parameters(name)) for name in MODELS)
}
ModelsConfig = create_model("ModelsConfig", __base__=dg.Config, **_SECTIONS)
"""A section a model."""


def _summary(name: str) -> str:
    return (model_named(name).__doc__ or name).strip().splitlines()[0]


@dg.multi_asset(
    name="models",
    ins={
        "matrix": dg.AssetIn(key("listening", "weighted_matrix")),
        **{table: dg.AssetIn(asset, dagster_type=pd.DataFrame) for table, asset in SIDE.items()},
    },
    outs={
        name: dg.AssetOut(
            key=key("models", name),
            dagster_type=TrainedModel,
            is_required=False,
            description=f"{_summary(name)} Fitted on the train and validation pairs, to be judged.",
            group_name="models",
            kinds=_KINDS.get(name, {"scipy"}),
            owners=OWNERS,
            code_version=code_version(*model_sources(name)),
        )
        for name in MODELS
    },
    internal_asset_deps={
        name: {
            key("listening", "weighted_matrix"),
            *(SIDE.values() if model_named(name).needs_side else ()),
        }
        for name in MODELS
    },
    can_subset=True,
)
@fails_clearly
def models(
    context: dg.AssetExecutionContext,
    config: ModelsConfig,  # made above, read by Dagster at run time
    matrix: ListeningMatrix,
    *,
    seed: dg.ResourceParam[int],
    processes: dg.ResourceParam[int],
    **side: pd.DataFrame,
) -> Iterator[dg.MaterializeResult[TrainedModel]]:
    """Fits the chosen models, side by side where more than one process may."""
    chosen = {name: key("models", name) in context.selected_asset_keys for name in MODELS}
    asked = {
        name: model_named(name).Config.model_validate(getattr(config, name).model_dump())
        for name in MODELS
        if chosen[name]
    }
    for model, seconds in train_together(
        asked,
        matrix,
        side=SideTables(**side),
        seed=seed,
        processes=processes,
        progress_of=lambda name: log_progress(context, name),
    ):
        context.log.info(f"{model.name} fitted in {seconds:.1f} s")
        yield dg.MaterializeResult(
            asset_key=key("models", model.name), value=model, metadata=fit_metadata(model, seconds)
        )
