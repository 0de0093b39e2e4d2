"""The checks of evaluations: figures of the judged users, held against a split that Spark has."""

from collections.abc import Iterable, Iterator

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import check_result, key
from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.engine import SparkEngine
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.evaluation import checks as local
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.evaluation.rules import EVALUATION_RULES
from lastfm_assets.vocabulary import Columns


def checks_of_evaluations(names: Iterable[str]) -> list[dg.AssetChecksDefinition]:
    """The local checks of each model's evaluation.

    Args:
        names: of the models that compete.
    """
    of_models = {key("evaluation", name) for name in names}
    return [
        _beside_spark(one)
        for one in local.evaluation_checks(names)
        if one.keys_by_input_name.get("checked") in of_models
    ]


def _beside_spark(as_local: dg.AssetChecksDefinition) -> dg.AssetChecksDefinition:
    """The checks of one evaluation, where only users come from Spark, each once."""
    asset = as_local.keys_by_input_name["checked"]

    @dg.multi_asset_check(
        name=as_local.node_def.name,
        specs=[*as_local.check_specs],
        ins={"evaluation": dg.AssetIn(asset)},
        can_subset=True,
    )
    @fails_clearly
    def run_rules(
        context: dg.AssetCheckExecutionContext,
        evaluation: Evaluation,
        spark: dg.ResourceParam[SparkEngine],
    ) -> Iterator[dg.AssetCheckResult]:
        with clear_spark_errors(f"checking {asset.to_user_string()}"):
            users = steps.held_out_sizes(
                spark.tables, seed=evaluation.seed, n=evaluation.judged_users
            ).index
        columns = {Columns.USER: users, Columns.ARTIST: 0, Columns.PLAYS: 1}
        held_out = pd.DataFrame(columns | {Columns.PART: "held_out"})
        for rule in EVALUATION_RULES:
            name = rule.__name__
            if dg.AssetCheckKey(asset, name) in context.selected_asset_check_keys:
                yield check_result(rule(evaluation, held_out), asset=asset, name=name)

    return run_rules
