"""Lists for users, relatives of artists and what readers see, as assets made inside Spark.

The report, its history and the serving database are not made: they look at whole tables on one
machine, and a refresh of theirs by the local engine reads what lies in the store.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import key
from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.approval import require_still_approved
from lastfm_assets.engines.spark.asset_keys import CODE, READ, SIMILAR, TOP
from lastfm_assets.engines.spark.drift import overlap_in
from lastfm_assets.engines.spark.engine import TABLE, SparkEngine, SparkTable
from lastfm_assets.engines.spark.listening_assets import KINDS, spec_of
from lastfm_assets.engines.spark.model_rows import model_of
from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation import assets as judging
from lastfm_assets.evaluation.gate import (
    Champion,
)
from lastfm_assets.io import Store
from lastfm_assets.recommendations import assets as local
from lastfm_assets.recommendations.drift_verdict import require_no_drift
from lastfm_assets.recommendations.names import keep_about
from lastfm_assets.recommendations.reference import drift_now, with_profile
from lastfm_assets.recommendations.versions import About as Publishing
from lastfm_assets.settings import Settings
from lastfm_assets.writer import require_held


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=TOP,
    ins={
        "model": dg.AssetIn(local.SERVING),
        "champion": dg.AssetIn(judging.CHAMPION),
        **READ,
    },
    dagster_type=TABLE,
    kinds=KINDS,
    **spec_of(TOP, local.top_artists_table, CODE),
)
@fails_clearly
def top_artists_table(
    model: pd.DataFrame,
    champion: Champion,
    interactions: SparkTable,
    artists: SparkTable,
    *,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Store],
    spark: dg.ResourceParam[SparkEngine],
) -> Iterator[dg.MaterializeResult[Any]]:
    """See the local asset."""
    del interactions, artists  # read by key
    require_still_approved(champion, store, settings)
    serving = model_of(spark, model, "all")
    found = (serving.name, serving.config.model_dump(mode="json"), serving.seed)
    if found != (champion.model, champion.parameters, champion.seed):
        raise GateRefusedError(
            f"the serving model is {serving.name} of other parameters or seed, expected the "
            f"champion, {champion.model}; run a whole refresh"
        )
    with steps.top_artists(spark.tables, serving) as lists:
        yield dg.MaterializeResult(value=SparkTable(lists), metadata={"model": serving.name})


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=SIMILAR,
    ins={"champion": dg.AssetIn(judging.CHAMPION), **READ},
    dagster_type=TABLE,
    kinds=KINDS,
    **spec_of(SIMILAR, local.similar_artists_table, CODE),
)
@fails_clearly
def similar_artists_table(
    champion: Champion,
    interactions: SparkTable,
    artists: SparkTable,
    *,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Store],
    spark: dg.ResourceParam[SparkEngine],
) -> Iterator[dg.MaterializeResult[Any]]:
    """See the local asset."""
    del interactions, artists  # read by key
    require_still_approved(champion, store, settings)
    with steps.similar_artists(spark.tables) as similar:
        yield dg.MaterializeResult(value=SparkTable(similar))


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=local.PUBLISHED,
    ins={
        "lists": dg.AssetIn(TOP),
        "profile": dg.AssetIn(local.PROFILE, dagster_type=pd.DataFrame),
        "champion": dg.AssetIn(judging.CHAMPION),
        "about": dg.AssetIn(key("raw", "source")),
        "keys": dg.AssetIn(key("raw", "keys")),
    },
    deps=[SIMILAR, local.DRIFT, key("listening", "rejected_rows")],  # whose checks must pass
    kinds={"spark", "deltalake"},
    **spec_of(local.PUBLISHED, local.published, CODE),
)
@fails_clearly
def published(
    context: dg.AssetExecutionContext,
    lists: SparkTable,
    profile: pd.DataFrame,
    champion: Champion,
    about: pd.DataFrame,
    keys: SparkTable,
    *,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Store],
    spark: dg.ResourceParam[SparkEngine],
) -> dg.MaterializeResult[None]:
    """See the local asset."""
    del lists, keys  # read by key
    require_still_approved(champion, store, settings)
    source = store.source_of(TOP.path, pd.DataFrame)
    said = Publishing(champion.model, source, champion.precision, context.run.run_id)
    drift = drift_now(store, overlap_in(spark.tables))
    accepted = require_no_drift(drift, settings.accepted_drift)
    require_held(store.root)
    publication = with_profile(
        lambda: steps.publish(spark.tables, said), store, profile, about=said, accepted=accepted
    )
    version = publication.version
    if publication.outcome == "held":
        context.log.warning(
            f"these lists were rolled back: readers keep version {version.number} until the "
            "lists change, or somebody rolls back to them"
        )
    else:
        steps.keep_names(spark.tables, version.source)
        keep_about(store, about, version.source)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.content),
        metadata={
            "dagster/row_count": version.rows,
            "outcome": publication.outcome,
            "version": version.number,
            "model": version.model,
            "precision": version.precision,
            "source": version.source,
            "because": champion.because,
            "accepted_drift": accepted or "nothing",
        },
    )
