"""The champion, held against the gate, and the model that serves."""

import time
from collections.abc import Mapping

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import key
from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.approval import pairs_at_hand, require_still_approved
from lastfm_assets.engines.spark.asset_keys import CODE, INTERACTIONS, READ
from lastfm_assets.engines.spark.engine import SparkEngine, SparkTable
from lastfm_assets.engines.spark.listening_assets import KINDS, spec_of
from lastfm_assets.engines.spark.model_rows import fit_metadata, row_of
from lastfm_assets.evaluation import assets as judging
from lastfm_assets.evaluation.challenge import Serving, choose
from lastfm_assets.evaluation.gate import (
    Champion,
    choose_champion,
    min_precision_for,
    with_its_reason,
)
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.models.trained import model_named
from lastfm_assets.recommendations import assets as local
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import Columns


def champion_asset(
    of_models: Mapping[str, dg.AssetIn], as_local: dg.AssetsDefinition
) -> dg.AssetsDefinition:
    """The asset that chooses the champion and holds it against the gate.

    Args:
        of_models: an input for each model's evaluation.
        as_local: the local engine's asset of the same key.
    """

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=judging.CHAMPION,
        ins={
            "board": dg.AssetIn(judging.LEADERBOARD),
            "about": dg.AssetIn(key("raw", "source")),
            "interactions": dg.AssetIn(INTERACTIONS),
            **of_models,
        },
        kinds=KINDS,
        **spec_of(judging.CHAMPION, as_local, CODE),
    )
    @fails_clearly
    def champion(
        context: dg.AssetExecutionContext,
        board: pd.DataFrame,
        about: pd.DataFrame,
        interactions: SparkTable,
        *,
        seed: dg.ResourceParam[int],
        min_precision: dg.ResourceParam[float | None],
        pinned: dg.ResourceParam[str | None],
        spark: dg.ResourceParam[SparkEngine],
        store: dg.ResourceParam[Store],
        **evaluations: Evaluation,
    ) -> dg.MaterializeResult[Champion]:
        """See the local asset; who served with other parameters is not fitted again."""
        del interactions  # its version is what the lists are approved for
        last = judging.last_champion(context, store)
        serving = Serving(last.model, evaluations.get(last.model)) if last else None
        choice = choose(board, evaluations, serving=serving, pinned=pinned, seed=seed)
        source = store.source_of(judging.LEADERBOARD.path, pd.DataFrame)
        asked = About.from_table(about).min_precision
        chosen = choose_champion(
            board,
            choice,
            data=steps.fitted(spark.tables, str(choice.row[Columns.MODEL]), "judged").data,
            side="",
            pairs=pairs_at_hand(store),
            min_precision=min_precision_for(source, min_precision, asked),
        )
        chosen = with_its_reason(chosen, last)
        context.log.info(f"champion: {chosen.model}, {chosen.because}")
        return dg.MaterializeResult(value=chosen, metadata=judging.champion_metadata(chosen))

    made: dg.AssetsDefinition = champion
    return made


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=local.SERVING,
    ins={"champion": dg.AssetIn(judging.CHAMPION), **READ},
    kinds=KINDS,
    **spec_of(local.SERVING, local.serving_model, CODE),
)
@fails_clearly
def serving_model(
    champion: Champion,
    interactions: SparkTable,
    artists: SparkTable,
    *,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Store],
    spark: dg.ResourceParam[SparkEngine],
) -> dg.MaterializeResult[pd.DataFrame]:
    """See the local asset."""
    del interactions, artists  # read by key
    require_still_approved(champion, store, settings)
    config = model_named(champion.model).Config.model_validate(champion.parameters)
    started = time.perf_counter()
    model = steps.fit(spark.tables, champion.model, config, seed=champion.seed, on="all")
    return dg.MaterializeResult(
        value=row_of(model), metadata=fit_metadata(model, time.perf_counter() - started)
    )
