"""One asset a model, fitted to be judged."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
import pandas as pd
from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import (
    OWNERS,
    key,
    log_progress,
)
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.memory import Memory
from lastfm_assets.models.needs import REMEDY, bytes_to_fit
from lastfm_assets.models.trained import (
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


def model_assets(competing: Mapping[str, BaseModel]) -> list[dg.AssetsDefinition]:
    """Assets that fit some models, an asset each, in one step.

    Args:
        competing: parameters by name, see `competing`; the UI's launchpad offers them.
    """
    config_type: Any = models_config(competing)
    # where no model looks beside plays, the step does not either
    beside = SIDE if any(model_named(name).needs_side for name in competing) else {}

    @dg.multi_asset(
        name="models",
        ins={
            "matrix": dg.AssetIn(key("listening", "weighted_matrix")),
            **{t: dg.AssetIn(asset, dagster_type=pd.DataFrame) for t, asset in beside.items()},
        },
        outs={name: _out(name) for name in competing},
        internal_asset_deps={
            name: {
                key("listening", "weighted_matrix"),
                *(SIDE.values() if model_named(name).needs_side else ()),
            }
            for name in competing
        },
        can_subset=True,
    )
    @fails_clearly
    def models(
        context: dg.AssetExecutionContext,
        config: config_type,
        matrix: ListeningMatrix,
        *,
        seed: dg.ResourceParam[int],
        processes: dg.ResourceParam[int],
        memory: dg.ResourceParam[Memory],
        **side: pd.DataFrame,
    ) -> Iterator[dg.MaterializeResult[TrainedModel]]:
        """Fits the chosen models, side by side where more than one process may."""
        asked = {
            name: type(shipped).model_validate(getattr(config, name).model_dump())
            for name, shipped in competing.items()
            if key("models", name) in context.selected_asset_keys
        }
        for name, parameters in asked.items():
            memory.require(bytes_to_fit(name, parameters, matrix), f"fitting {name}", REMEDY)
        for model, seconds in train_together(
            asked,
            matrix,
            side=SideTables(**side) if side else SideTables.none(),
            seed=seed,
            processes=processes,
            progress_of=lambda name: log_progress(context, name),
        ):
            context.log.info(f"{model.name} fitted in {seconds:.1f} s")
            yield dg.MaterializeResult(
                asset_key=key("models", model.name),
                value=model,
                metadata=fit_metadata(model, seconds),
            )

    return [models]


def models_config(competing: Mapping[str, BaseModel]) -> type[dg.Config]:
    """A section a model, with its parameters as they are set."""
    sections: dict[str, Any] = {}
    for name, config in competing.items():
        section = _parameters(config, name)
        sections[name] = (section, section())
    made: type[dg.Config] = create_model("ModelsConfig", __base__=dg.Config, **sections)
    return made


def _out(name: str) -> dg.AssetOut:
    """What is said of a fitted model."""
    return dg.AssetOut(
        key=key("models", name),
        dagster_type=TrainedModel,
        is_required=False,
        description=f"{_summary(name)} Fitted on the train and validation pairs, to be judged.",
        group_name="models",
        kinds=_KINDS.get(name, {"scipy"}),
        owners=OWNERS,
        code_version=code_version(*model_sources(name)),
    )


def _parameters(config: BaseModel, name: str) -> type[dg.Config]:
    """A model's parameters, with their defaults and sentences, for the UI's launchpad."""
    fields: dict[str, Any] = {
        field: (info.annotation, FieldInfo.merge_field_infos(info, default=getattr(config, field)))
        for field, info in type(config).model_fields.items()
    }
    return create_model(f"{name.title().replace('_', '')}Parameters", __base__=dg.Config, **fields)


def _summary(name: str) -> str:
    return (model_named(name).__doc__ or name).strip().splitlines()[0]
