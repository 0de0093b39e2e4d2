"""What data and lists look like, and how far they have moved, as assets made inside Spark."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import table_metadata
from lastfm_assets.engines.spark.asset_keys import INTERACTIONS, TOP
from lastfm_assets.engines.spark.drift import overlap_in, profile
from lastfm_assets.engines.spark.engine import SparkEngine, SparkTable
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.listening_assets import KINDS, spec_of
from lastfm_assets.io import Store
from lastfm_assets.listening.assets import PROFILE, profile_table
from lastfm_assets.provenance import code_version
from lastfm_assets.recommendations import assets as local
from lastfm_assets.recommendations import checks as of_lists
from lastfm_assets.recommendations.reference import compared, drift_now
from lastfm_assets.settings import Settings

_CODE = code_version("engines/spark/drift.py")


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=PROFILE,
    ins={"interactions": dg.AssetIn(INTERACTIONS)},
    kinds=KINDS,
    **spec_of(PROFILE, profile_table, _CODE),
)
@fails_clearly
def profile_of_plays(interactions: SparkTable) -> dg.MaterializeResult[pd.DataFrame]:
    """See the local asset."""
    with clear_spark_errors("counting plays"):
        table = profile(interactions.frame)
    return dg.MaterializeResult(value=table, metadata=table_metadata(table))


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=local.DRIFT,
    ins={"profile": dg.AssetIn(PROFILE, dagster_type=pd.DataFrame), "lists": dg.AssetIn(TOP)},
    kinds=KINDS,
    **spec_of(local.DRIFT, local.drift_of_data_and_lists, _CODE),
)
@fails_clearly
def drift_of_data_and_lists(
    profile: pd.DataFrame,
    lists: SparkTable,
    *,
    store: dg.ResourceParam[Store],
    spark: dg.ResourceParam[SparkEngine],
) -> dg.MaterializeResult[pd.DataFrame]:
    """See the local asset."""
    del profile, lists  # read by key
    table = compared(store, overlap_in(spark.tables))
    return dg.MaterializeResult(value=table, metadata=local.drift_metadata(table))


@dg.multi_asset_check(
    name=of_lists.drift_checks.node_def.name, specs=[*of_lists.drift_checks.check_specs]
)
@fails_clearly
def drift_checks(
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[Settings],
    spark: dg.ResourceParam[SparkEngine],
) -> Iterator[dg.AssetCheckResult]:
    """See the local checks."""
    table = drift_now(store, overlap_in(spark.tables))
    yield from of_lists.drift_results(table, settings.accepted_drift)
