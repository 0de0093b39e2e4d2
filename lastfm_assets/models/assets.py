"""One asset a model, fitted to be judged."""

import time
from typing import Any

import dagster as dg
from pydantic import create_model

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import (
    OWNERS,
    code_version,
    key,
    log_progress,
)
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.trained import MODELS, TrainedModel, model_named, train
from lastfm_assets.settings import Settings

_KINDS = {"als": {"implicit"}, "lightfm": {"lightfm"}}
_SHARED_SOURCES = (
    "models/protocol.py",
    "models/arrays.py",
    "models/factors.py",
    "listening/weighting.py",
    "listening/matrix.py",
)


def model_sources(*names: str) -> list[str]:
    """The files that decide what these models learn."""
    return [*_SHARED_SOURCES, *(f"models/{name}.py" for name in names)]


def fit_metadata(model: TrainedModel, seconds: float) -> dict[str, Any]:
    """What determined a fitted model, and how long the fit took."""
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
        ins={"matrix": dg.AssetIn(key("listening", "weighted_matrix"))},
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
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult[TrainedModel]:
        chosen = model_named(name).Config.model_validate(config.model_dump())  # type: ignore[attr-defined]
        started = time.perf_counter()
        trained = train(
            name, matrix, chosen, seed=settings.seed, on_progress=log_progress(context, name)
        )
        return dg.MaterializeResult(
            value=trained, metadata=fit_metadata(trained, time.perf_counter() - started)
        )

    return model


def _summary(name: str) -> str:
    return (model_named(name).__doc__ or name).strip().splitlines()[0]


model_assets = [_model_asset(name) for name in MODELS]
