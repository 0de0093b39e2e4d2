"""Each model's evaluation, the leaderboard and the champion, as assets."""

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import (
    OWNERS,
    code_version,
    key,
    log_progress,
    table_metadata,
)
from lastfm_assets.evaluation.gate import Champion, choose_champion, min_precision_for
from lastfm_assets.evaluation.judge import evaluate_parts
from lastfm_assets.evaluation.leaderboard import (
    CEILING,
    JUDGED,
    SELECTION,
    Evaluation,
    leaderboard,
)
from lastfm_assets.io import Store
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.trained import MODELS, TrainedModel
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import Columns

LEADERBOARD = key("evaluation", "leaderboard")
_JUDGING = code_version("evaluation/metrics.py", "evaluation/judge.py", "models/ranking.py")


def _evaluation_asset(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=key("evaluation", name),
        ins={
            "model": dg.AssetIn(key("models", name)),
            "matrix": dg.AssetIn(key("listening", "weighted_matrix")),
            "split_pairs": dg.AssetIn(key("listening", "split")),
        },
        description=(
            f"What {name} reaches for each user on train, validation and held out: precision, "
            "recall, ndcg, map, mrr and hit rate of ten artists, ranked over the whole catalogue."
        ),
        group_name="evaluation",
        kinds={"numpy", "parquet"},
        owners=OWNERS,
        code_version=_JUDGING,
    )
    @fails_clearly
    def evaluation(
        context: dg.AssetExecutionContext,
        model: TrainedModel,
        matrix: ListeningMatrix,
        split_pairs: pd.DataFrame,
    ) -> dg.MaterializeResult[Evaluation]:
        per_user = evaluate_parts(
            model, matrix, split_pairs, on_progress=log_progress(context, f"{name} on train alone")
        )
        result = Evaluation.of(model, per_user)
        return dg.MaterializeResult(
            value=result,
            metadata=table_metadata(per_user, fingerprint=model.fingerprint, **result.means()),
        )

    return evaluation


evaluation_assets = [_evaluation_asset(name) for name in MODELS]


@dg.asset(
    key=LEADERBOARD,
    ins={
        "split_pairs": dg.AssetIn(key("listening", "split")),
        **{name: dg.AssetIn(key("evaluation", name), dagster_type=Evaluation) for name in MODELS},
    },
    group_name="evaluation",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version("evaluation/leaderboard.py", "evaluation/metrics.py"),
)
@fails_clearly
def leaderboard_table(
    split_pairs: pd.DataFrame, settings: dg.ResourceParam[Settings], **evaluations: Evaluation
) -> dg.MaterializeResult[pd.DataFrame]:
    """All models on one table, best on validation first, with 95% intervals on held out."""
    sizes = pairs_of(split_pairs, "held_out").groupby(Columns.USER).size()
    table = leaderboard([evaluations[name] for name in MODELS], sizes, seed=settings.seed)
    figures = {
        f"{row[Columns.MODEL]}_{metric}": float(row[metric])
        for _, row in table.iterrows()
        for metric in (SELECTION, JUDGED)
    }
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(table, **{CEILING: float(table[CEILING].iloc[0])}, **figures),
    )


@dg.asset(
    key=key("evaluation", "champion"),
    ins={
        "board": dg.AssetIn(LEADERBOARD),
        "judged_on": dg.AssetIn(key("listening", "weighted_matrix")),
        "interactions": dg.AssetIn(key("listening", "interactions")),
    },
    group_name="evaluation",
    kinds={"json"},
    owners=OWNERS,
    code_version=code_version("evaluation/gate.py"),
)
@fails_clearly
def champion(
    context: dg.AssetExecutionContext,
    board: pd.DataFrame,
    judged_on: ListeningMatrix,
    interactions: pd.DataFrame,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Store],
) -> dg.MaterializeResult[Champion]:
    """The model that serves, chosen on validation; refused unless its held-out figures pass."""
    source = store.source_of(LEADERBOARD.path, pd.DataFrame)
    every_pair = ListeningMatrix.from_pairs(interactions, judged_on.artist_ids)
    chosen = choose_champion(
        board,
        data=judged_on.fingerprint,
        pairs=every_pair.fingerprint,
        min_precision=min_precision_for(source, settings.min_precision),
    )
    context.log.info(f"champion: {chosen.model}, {chosen.because}")
    return dg.MaterializeResult(
        value=chosen,
        metadata={
            name: dg.MetadataValue.json(value) if isinstance(value, dict) else value
            for name, value in chosen.model_dump().items()
        },
    )
