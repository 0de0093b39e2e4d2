"""The graph of the Spark engine: the keys, tables, checks and gate of the local one."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import BaseModel, SecretStr

from lastfm_assets.automation.resources import determining, resources_of
from lastfm_assets.engines.spark import (
    champion_assets,
    drift_assets,
    list_assets,
    listening_assets,
)
from lastfm_assets.engines.spark.checks import spark_checks
from lastfm_assets.engines.spark.engine import SparkEngine, SparkIOManager, SparkStore
from lastfm_assets.engines.spark.evaluation_assets import evaluation_assets
from lastfm_assets.engines.spark.evaluation_checks import checks_of_evaluations
from lastfm_assets.engines.spark.model_assets import models_asset
from lastfm_assets.engines.spark.steps import SPARK_MODELS
from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.checks import checks_of_figures
from lastfm_assets.io import Store
from lastfm_assets.models.competing import ALL, competing
from lastfm_assets.settings import Settings


def models_of(settings: Settings) -> Mapping[str, BaseModel]:
    """Models that compete, all that Spark can fit where nothing is said.

    Raises:
        BadInputError: one is asked for that cannot be fitted inside Spark.
    """
    if settings.models is None:
        return {name: ALL[name] for name in SPARK_MODELS}
    models = competing(settings.models)
    unfit = [name for name in models if name not in SPARK_MODELS]
    if unfit:
        raise BadInputError(
            f"LASTFM_MODELS names {unfit[0]}, which cannot be fitted inside Spark; expected some "
            f"of {', '.join(SPARK_MODELS)}, or the local engine"
        )
    return models


def conf_of(said: str | None) -> dict[str, str]:
    """Spark's settings from `key=value` with commas between.

    Raises:
        BadInputError: a piece is no such pair.
    """
    conf = {}
    pieces = filter(None, (one.strip() for one in (said or "").split(",")))
    for number, piece in enumerate(pieces, start=1):
        name, equals, value = piece.partition("=")
        if not (equals and name.strip()):
            raise BadInputError(
                # it may be the rest of a password that has a comma, so it is not repeated
                f"LASTFM_SPARK_CONF: piece {number} is no key=value, expected them with commas "
                "between, such as spark.executor.memory=4g; correct it"
            )
        conf[name.strip()] = value.strip()
    return conf


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def spark_assets(models: Mapping[str, BaseModel]) -> list[dg.AssetsDefinition]:
    """Every asset, from raw files to what readers see, and the checks of each evaluation."""
    return [
        listening_assets.raw_files,
        listening_assets.cleaned,
        drift_assets.profile_of_plays,
        listening_assets.split_pairs,
        listening_assets.training_tags,
        listening_assets.weighted_matrix,
        models_asset(models),
        *evaluation_assets(tuple(models)),
        *checks_of_evaluations(tuple(models)),  # to Dagster, checks are assets, too
        champion_assets.serving_model,
        list_assets.top_artists_table,
        list_assets.similar_artists_table,
        drift_assets.drift_of_data_and_lists,
        list_assets.published,
    ]


def spark_asset_checks() -> list[dg.AssetChecksDefinition]:
    """Every check of tables: of rows inside Spark, of figures as the local engine has them."""
    return [*spark_checks, *checks_of_figures()]


def spark_resources(settings: Settings) -> dict[str, Any]:
    """As the local ones; the store takes and gives tables that Spark has.

    Raises:
        BadInputError: LASTFM_SPARK_CONF cannot be made out.
    """
    engine = SparkEngine(
        Store(settings.store),
        master=settings.spark_master,
        conf=conf_of(_plain(settings.spark_conf)),
    )
    store = SparkStore(settings.store, engine)
    return {
        **resources_of(settings),
        "store": store,
        "spark": engine,
        "io_manager": SparkIOManager(store, determining(settings)),
    }
