"""One asset a model, fitted to be judged."""

import time
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
    train,
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


def side_inputs(name: str) -> dict[str, dg.AssetIn]:
    """The further inputs of a model that looks beside plays, none of another."""
    if not model_named(name).needs_side:
        return {}
    return {table: dg.AssetIn(asset, dagster_type=pd.DataFrame) for table, asset in SIDE.items()}


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


def _launchpad_config(name: str) -> type[dg.Config]:
    """A model's parameters, with their defaults and sentences, for the UI's launchpad."""
    fields: dict[str, Any] = {
        field: (info.annotation, info)
        for field, info in model_named(name).Config.model_fields.items()
    }
    return create_model(f"{name.title().replace('_', '')}Parameters", __base__=dg.Config, **fields)


def _model_asset(name: str) -> dg.AssetsDefinition:
    parameters = _launchpad_config(name)

    @dg.asset(
        key=key("models", name),
        ins={"matrix": dg.AssetIn(key("listening", "weighted_matrix")), **side_inputs(name)},
        description=f"{_summary(name)} Fitted on the train and validation pairs, to be judged.",
        group_name="models",
        kinds=_KINDS.get(name, {"scipy"}),
        owners=OWNERS,
        code_version=code_version(*model_sources(name)),
    )
    @fails_clearly
    def model(
        context: dg.AssetExecutionContext,
        config: parameters,  # type: ignore[valid-type]  # made above, read by Dagster at run time
        matrix: ListeningMatrix,
        seed: dg.ResourceParam[int],
        **side: pd.DataFrame,
    ) -> dg.MaterializeResult[TrainedModel]:
        chosen = model_named(name).Config.model_validate(config.model_dump())  # type: ignore[attr-defined]
        started = time.perf_counter()
        trained = train(
            name,
            matrix,
            chosen,
            side=SideTables(**side) if side else SideTables.none(),
            seed=seed,
            on_progress=log_progress(context, name),
        )
        return dg.MaterializeResult(
            value=trained, metadata=fit_metadata(trained, time.perf_counter() - started)
        )

    return model


def _summary(name: str) -> str:
    return (model_named(name).__doc__ or name).strip().splitlines()[0]


model_assets = [_model_asset(name) for name in MODELS]
