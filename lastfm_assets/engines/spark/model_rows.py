"""A fitted model as assets hand it on: a row that says where its workers' files lie."""

import json
from typing import Any

import dagster as dg
import pandas as pd

from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.engine import SparkEngine
from lastfm_assets.engines.spark.fitted import SparkModel
from lastfm_assets.errors import StoreError


def row_of(model: SparkModel) -> pd.DataFrame:
    """A model as the store's tables keep it; its vectors lie in its folder."""
    said = json.loads(model.to_json())
    said["config"] = json.dumps(said["config"], sort_keys=True)
    return pd.DataFrame([said]).astype(dict.fromkeys(("name", "config", "data", "folder"), "str"))


def model_of(spark: SparkEngine, row: pd.DataFrame, on: steps.On) -> SparkModel:
    """The model that a row says, as it lies in the store.

    Raises:
        StoreError: another one lies there.
    """
    said = row.iloc[0]
    model = steps.fitted(spark.tables, str(said["name"]), on)
    if model.data != said["data"]:
        raise StoreError(f"the vectors of {model.name} are of other plays; run a whole refresh")
    return model


def fit_metadata(model: SparkModel, seconds: float) -> dict[str, Any]:
    """What a fit shows of itself in the web UI, `seconds` of it included."""
    return {
        "model": model.name,
        "parameters": dg.MetadataValue.json(model.config.model_dump()),
        "seed": model.seed,
        "fingerprint": model.fingerprint,
        "users": model.n_users,
        "artists": model.n_artists,
        "fit_seconds": seconds,
    }
