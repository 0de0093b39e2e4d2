"""One asset a model, fitted to be judged, and the champion fitted to serve."""

import time
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import create_model

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import OWNERS, code_version, key, log_progress
from lastfm_assets.evaluation.gate import Champion, require_approved, threshold_now
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.trained import MODELS, TrainedModel, model_named, train
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import Columns

_KINDS = {"als": {"implicit"}, "lightfm": {"lightfm"}}
_SHARED_CODE = (
    "models/protocol.py",
    "models/arrays.py",
    "models/factors.py",
    "listening/weighting.py",
    "listening/matrix.py",
)


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
        code_version=code_version(f"models/{name}.py", *_SHARED_CODE),
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
            value=trained, metadata=_facts(trained, time.perf_counter() - started)
        )

    return model


def _summary(name: str) -> str:
    return (model_named(name).__doc__ or name).strip().splitlines()[0]


def _facts(model: TrainedModel, seconds: float) -> dict[str, Any]:
    return {
        "parameters": dg.MetadataValue.json(model.config.model_dump()),
        "seed": model.seed,
        "fingerprint": model.fingerprint,
        "fit_seconds": seconds,
    }


model_assets = [_model_asset(name) for name in MODELS]


@dg.asset(
    key=key("models", "serving"),
    ins={
        "champion": dg.AssetIn(key("evaluation", "champion")),
        "interactions": dg.AssetIn(key("listening", "interactions")),
        "artists": dg.AssetIn(key("listening", "artists")),
    },
    group_name="models",
    kinds={"implicit"},
    owners=OWNERS,
    code_version=code_version(
        "evaluation/gate.py", *_SHARED_CODE, *(f"models/{name}.py" for name in MODELS)
    ),
)
@fails_clearly
def serving_model(
    context: dg.AssetExecutionContext,
    champion: Champion,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[TrainedModel]:
    """The champion, fitted again with the same parameters and seed on every pair there is."""
    matrix = ListeningMatrix.from_pairs(interactions, artists[Columns.ARTIST].to_numpy())
    require_approved(
        champion,
        pairs=matrix.fingerprint,
        min_precision=threshold_now(champion, settings.min_precision),
    )
    config = model_named(champion.model).Config.model_validate(champion.parameters)
    started = time.perf_counter()
    model = train(
        champion.model,
        matrix,
        config,
        seed=champion.seed,
        on_progress=log_progress(context, champion.model),
    )
    return dg.MaterializeResult(
        value=model,
        metadata={"model": model.name, **_facts(model, time.perf_counter() - started)},
    )
