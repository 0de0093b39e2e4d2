"""Wires assets, checks, jobs, schedule and resources into what Dagster loads."""

from typing import Any

import dagster as dg

from lastfm_assets.automation.alerts import tell_operator
from lastfm_assets.automation.console import one_line_logger
from lastfm_assets.automation.held_store import held_by_its_run
from lastfm_assets.automation.jobs import refresh_job, studies_job, tune_job
from lastfm_assets.automation.resources import resources_of
from lastfm_assets.automation.unattended import daily_refresh, source_changed
from lastfm_assets.evaluation.assets import evaluation_assets
from lastfm_assets.evaluation.checks import evaluation_checks
from lastfm_assets.insight import assets as insight_assets
from lastfm_assets.listening import assets as listening_assets
from lastfm_assets.listening import checks as listening_checks
from lastfm_assets.models.assets import model_assets
from lastfm_assets.models.competing import competing
from lastfm_assets.music import assets as music_assets
from lastfm_assets.recommendations import assets as recommendation_assets
from lastfm_assets.recommendations import checks as recommendation_checks
from lastfm_assets.settings import Settings
from lastfm_assets.studies import assets as study_assets
from lastfm_assets.tuning import assets as tuning_assets


def build_definitions(settings: Settings) -> dg.Definitions:
    """The whole graph over one source and one store, of the models that compete.

    Raises:
        BadInputError: the models that are to compete, the search among them, or the engine's
            settings cannot be made out.
    """
    parts = _spark_parts(settings) if settings.engine == "spark" else _local_parts(settings)
    manager = parts["resources"]["io_manager"]
    parts["resources"]["io_manager"] = held_by_its_run(manager)
    return dg.Definitions(
        **parts,
        schedules=[daily_refresh],
        sensors=[source_changed, tell_operator],
        executor=dg.in_process_executor,
        loggers={"console": one_line_logger},
    )


def _local_parts(settings: Settings) -> dict[str, Any]:
    """Assets, checks, jobs and resources of one machine."""
    models = competing(settings.models)
    settings.require_champion_among(models)
    settings.require_searchable_among(models)
    return {
        "assets": [
            *dg.load_assets_from_modules(
                [
                    listening_assets,
                    recommendation_assets,
                    insight_assets,
                    study_assets,
                    music_assets,
                    tuning_assets,
                ]
            ),
            *model_assets(models),
            *evaluation_assets(models),
        ],
        "asset_checks": [
            *dg.load_asset_checks_from_modules([listening_checks, recommendation_checks]),
            *evaluation_checks(models),
        ],
        "jobs": [refresh_job, studies_job, tune_job],
        "resources": resources_of(settings),
    }


def _spark_parts(settings: Settings) -> dict[str, Any]:
    """The same of a Spark cluster; studies and tuning are the local engine's."""
    from lastfm_assets.engines.spark import definitions as spark  # noqa: PLC0415 (an extra)

    models = spark.models_of(settings)
    settings.require_champion_among(models)
    settings.require_searchable_among(models)
    return {
        "assets": spark.spark_assets(models),
        "asset_checks": spark.spark_asset_checks(),
        "jobs": [refresh_job],
        "resources": spark.spark_resources(settings),
    }


@dg.definitions
def definitions() -> dg.Definitions:
    """What `dagster dev` loads: settings come from the environment."""
    return build_definitions(Settings.from_environment())
