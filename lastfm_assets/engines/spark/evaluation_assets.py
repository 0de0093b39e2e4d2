"""What models reach, beside one another, and which of them serves, as assets made inside Spark."""

from collections.abc import Iterator, Mapping

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import key, table_metadata
from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.asset_keys import CODE, MATRIX, SPLIT, TAGS
from lastfm_assets.engines.spark.champion_assets import champion_asset
from lastfm_assets.engines.spark.engine import SparkEngine, SparkTable
from lastfm_assets.engines.spark.listening_assets import KINDS, spec_of
from lastfm_assets.engines.spark.model_rows import model_of
from lastfm_assets.evaluation import assets as judging
from lastfm_assets.evaluation.leaderboard import JUDGED, Evaluation, leaderboard
from lastfm_assets.evaluation.segments import segment_tables, segments_by
from lastfm_assets.vocabulary import Columns


def evaluation_assets(names: tuple[str, ...]) -> list[dg.AssetsDefinition]:
    """Every asset from the judging of models to the champion.

    Args:
        names: of the models that compete.
    """
    every = judging.evaluation_assets(names)
    as_local = {next(iter(made.keys)): made for made in every if len(made.keys) == 1}
    of_models = {
        name: dg.AssetIn(key("evaluation", name), dagster_type=Evaluation) for name in names
    }
    return [
        _evaluations(names),
        as_local[judging.COMPARISON],  # made of figures alone
        _leaderboard(names, of_models, as_local[judging.LEADERBOARD]),
        _segments(names, of_models, as_local[judging.SEGMENTS]),
        champion_asset(of_models, as_local[judging.CHAMPION]),
    ]


def _evaluations(names: tuple[str, ...]) -> dg.AssetsDefinition:
    as_local, *_ = judging.evaluation_assets(names)

    @dg.multi_asset(
        name="evaluations",
        ins={
            "split_pairs": dg.AssetIn(SPLIT),
            "training_tags": dg.AssetIn(TAGS),
            **{name: dg.AssetIn(key("models", name), dagster_type=pd.DataFrame) for name in names},
        },
        outs={
            name: dg.AssetOut(
                key=key("evaluation", name),
                dagster_type=Evaluation,
                is_required=False,
                kinds=KINDS,
                **spec_of(key("evaluation", name), as_local, CODE),
            )
            for name in names
        },
        internal_asset_deps={name: {SPLIT, TAGS, key("models", name)} for name in names},
        can_subset=True,
    )
    @fails_clearly
    def evaluations(
        context: dg.AssetExecutionContext,
        split_pairs: SparkTable,
        training_tags: SparkTable,
        *,
        spark: dg.ResourceParam[SparkEngine],
        judged_users: dg.ResourceParam[int],
        **models: pd.DataFrame,
    ) -> Iterator[dg.MaterializeResult[Evaluation]]:
        """Judges the chosen models on their lists for a sample of users."""
        del split_pairs, training_tags  # read by key
        for name in names:
            if key("evaluation", name) in context.selected_asset_keys:
                model = model_of(spark, models[name], "judged")
                probe = steps.fit(spark.tables, name, model.config, seed=model.seed, on="train")
                result = steps.judged(spark.tables, model, probe, judged_users)
                precision = result.means()[JUDGED]
                context.log.info(f"{name}: held-out precision@10 {precision:.4f}")
                yield dg.MaterializeResult(
                    asset_key=key("evaluation", name),
                    value=result,
                    metadata=table_metadata(
                        result.per_user, fingerprint=model.fingerprint, **result.means()
                    ),
                )

    return evaluations


def _leaderboard(
    names: tuple[str, ...], of_models: Mapping[str, dg.AssetIn], as_local: dg.AssetsDefinition
) -> dg.AssetsDefinition:
    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=judging.LEADERBOARD,
        ins={"split_pairs": dg.AssetIn(SPLIT), **of_models},
        kinds=KINDS,
        **spec_of(judging.LEADERBOARD, as_local, CODE),
    )
    @fails_clearly
    def leaderboard_table(
        split_pairs: SparkTable,
        seed: dg.ResourceParam[int],
        judged_users: dg.ResourceParam[int],
        spark: dg.ResourceParam[SparkEngine],
        **evaluations: Evaluation,
    ) -> dg.MaterializeResult[pd.DataFrame]:
        """See the local asset."""
        del split_pairs  # read by key
        sizes = steps.held_out_sizes(spark.tables, seed=seed, n=judged_users)
        board = leaderboard([evaluations[name] for name in names], sizes, seed=seed)
        best = str(board[Columns.MODEL].iloc[0])
        return dg.MaterializeResult(value=board, metadata=table_metadata(board, best_model=best))

    made: dg.AssetsDefinition = leaderboard_table
    return made


def _segments(
    names: tuple[str, ...], of_models: Mapping[str, dg.AssetIn], as_local: dg.AssetsDefinition
) -> dg.AssetsDefinition:
    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=judging.SEGMENTS,
        ins={"matrix": dg.AssetIn(MATRIX), **of_models},
        kinds=KINDS,
        **spec_of(judging.SEGMENTS, as_local, CODE),
    )
    @fails_clearly
    def segments_table(
        matrix: SparkTable,
        seed: dg.ResourceParam[int],
        judged_users: dg.ResourceParam[int],
        spark: dg.ResourceParam[SparkEngine],
        **evaluations: Evaluation,
    ) -> dg.MaterializeResult[pd.DataFrame]:
        """See the local asset; thirds are of the users who are judged."""
        del matrix  # read by key
        listening = steps.listening_of(spark.tables, seed=seed, n=judged_users)
        labels = segments_by(*listening)
        of_models = {name: evaluations[name].part("held_out") for name in names}
        table = segment_tables(of_models, labels, seed=seed)
        return dg.MaterializeResult(value=table, metadata=table_metadata(table))

    made: dg.AssetsDefinition = segments_table
    return made
