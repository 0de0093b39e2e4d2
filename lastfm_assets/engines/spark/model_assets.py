"""Models that compete, each fitted by the whole cluster."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import BaseModel

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import key
from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.asset_keys import ARTISTS, CODE, MATRIX, SPLIT
from lastfm_assets.engines.spark.engine import SparkEngine, SparkTable
from lastfm_assets.engines.spark.listening_assets import KINDS, spec_of
from lastfm_assets.engines.spark.model_rows import fit_metadata, row_of
from lastfm_assets.models.assets import model_assets, models_config


def models_asset(competing: Mapping[str, BaseModel]) -> dg.AssetsDefinition:
    """Every model that competes, fitted on train and validation.

    Args:
        competing: parameters by name, of models that can be fitted inside Spark.
    """
    (as_local,) = model_assets(competing)
    config_type: Any = models_config(competing)

    @dg.multi_asset(
        name="models",
        ins={
            "matrix": dg.AssetIn(MATRIX),
            "split_pairs": dg.AssetIn(SPLIT),
            "artists": dg.AssetIn(ARTISTS),
        },
        outs={
            name: dg.AssetOut(
                key=key("models", name),
                dagster_type=pd.DataFrame,
                is_required=False,
                kinds=KINDS,
                **spec_of(key("models", name), as_local, CODE),
            )
            for name in competing
        },
        can_subset=True,
    )
    @fails_clearly
    def models(
        context: dg.AssetExecutionContext,
        config: config_type,
        matrix: SparkTable,
        split_pairs: SparkTable,
        artists: SparkTable,
        *,
        seed: dg.ResourceParam[int],
        spark: dg.ResourceParam[SparkEngine],
    ) -> Iterator[dg.MaterializeResult[pd.DataFrame]]:
        """Fits the chosen models, one after the other, each on the whole cluster."""
        del matrix, split_pairs, artists  # read by key; named for what the models are made from
        for name, shipped in competing.items():
            if key("models", name) in context.selected_asset_keys:
                said = getattr(config, name).model_dump()
                parameters = type(shipped).model_validate(said)
                started = time.perf_counter()
                model = steps.fit(spark.tables, name, parameters, seed=seed, on="judged")
                seconds = time.perf_counter() - started
                context.log.info(f"{name} fitted in {seconds:.1f} s")
                yield dg.MaterializeResult(
                    asset_key=key("models", name),
                    value=row_of(model),
                    metadata=fit_metadata(model, seconds),
                )

    return models
