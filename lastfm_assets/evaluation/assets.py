"""Each model's evaluation, the leaderboard and the champion, as assets."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import dagster as dg
import pandas as pd
from pydantic import BaseModel, ValidationError

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.lineage import columns_of, lineage_of
from lastfm_assets.automation.metadata import (
    OWNERS,
    finite,
    key,
    log_progress,
    table_metadata,
)
from lastfm_assets.automation.pictures import picture
from lastfm_assets.automation.resources import StoreIOManager
from lastfm_assets.errors import StoreError
from lastfm_assets.evaluation import charts
from lastfm_assets.evaluation.challenge import Serving, choose
from lastfm_assets.evaluation.comparison import compare
from lastfm_assets.evaluation.gate import (
    Champion,
    choose_champion,
    min_precision_for,
    with_its_reason,
)
from lastfm_assets.evaluation.judge import evaluate_parts, train_alone
from lastfm_assets.evaluation.leaderboard import (
    CEILING,
    JUDGED,
    SELECTION,
    Evaluation,
    held_out_figures,
    leaderboard,
)
from lastfm_assets.evaluation.segments import segment_table, segments
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.assets import SIDE
from lastfm_assets.models.trained import MODELS, TrainedModel, model_named, train, train_together
from lastfm_assets.provenance import code_version
from lastfm_assets.vocabulary import Columns

LEADERBOARD = key("evaluation", "leaderboard")
COMPARISON = key("evaluation", "comparison")
SEGMENTS = key("evaluation", "segments")
CHAMPION = key("evaluation", "champion")
COMPARED_METRICS: Final = ("ndcg@10", "precision@10")
_DRAWN: Final = "ndcg@10"
"""The metric of the pictures of comparison and segments."""
_BEST_FIGURES: Final = (SELECTION, JUDGED, "held_out_ndcg@10", "held_out_recall@10")
"""Of the best model, whichever it is: plotted over the runs."""
_JUDGING = code_version(
    "evaluation/metrics.py",
    "evaluation/judge.py",
    "evaluation/beyond_accuracy.py",
    "models/ranking.py",
)
_SIDE_INPUTS = {t: dg.AssetIn(asset, dagster_type=pd.DataFrame) for t, asset in SIDE.items()}


@dg.multi_asset(
    name="evaluations",
    ins={
        "matrix": dg.AssetIn(key("listening", "weighted_matrix")),
        "split_pairs": dg.AssetIn(key("listening", "split")),
        **_SIDE_INPUTS,  # tags say how varied a list is, whatever the model looks at
    },
    deps=[key("models", name) for name in MODELS],
    outs={
        name: dg.AssetOut(
            key=key("evaluation", name),
            dagster_type=Evaluation,
            is_required=False,
            description=(
                f"What {name} reaches for each user on train, validation and held out: precision, "
                "recall, ndcg, map, mrr and hit rate of ten artists and auc, ranked over the whole "
                "catalogue; and how novel, varied and popular its lists are."
            ),
            group_name="evaluation",
            kinds={"numpy", "parquet"},
            owners=OWNERS,
            code_version=_JUDGING,
            metadata=columns_of(key("evaluation", name)),
        )
        for name in MODELS
    },
    internal_asset_deps={
        name: {
            key("models", name),
            key("listening", "weighted_matrix"),
            key("listening", "split"),
            *SIDE.values(),
        }
        for name in MODELS
    },
    can_subset=True,
)
@fails_clearly
def evaluations(
    context: dg.AssetExecutionContext,
    matrix: ListeningMatrix,
    split_pairs: pd.DataFrame,
    *,
    io_manager: dg.ResourceParam[StoreIOManager],
    processes: dg.ResourceParam[int],
    **side: pd.DataFrame,
) -> Iterator[dg.MaterializeResult[Evaluation]]:
    """Judges the chosen models; their second fits run side by side where more processes may."""
    step = (context.run.run_id, context.op_execution_context.get_step_execution_context().step.key)
    beside = SideTables(**side)
    models = {  # read one by one, as the others are not there where few are chosen
        name: io_manager.read(step, key("models", name), TrainedModel)
        for name in MODELS
        if key("evaluation", name) in context.selected_asset_keys
    }
    probed_on, probe_side = train_alone(matrix, split_pairs, beside)
    for probe, _ in train_together(
        {name: model.config for name, model in models.items()},
        probed_on,
        side=probe_side,
        seed=next(iter(models.values())).seed,
        processes=processes,
        progress_of=lambda name: log_progress(context, f"{name} on train alone"),
    ):
        model = models.pop(probe.name)
        parts = evaluate_parts(model, matrix, split_pairs, beside, probe=probe)
        result = Evaluation.of(model, parts)
        context.log.info(f"{model.name}: held-out precision@10 {result.means()[JUDGED]:.4f}")
        yield dg.MaterializeResult(
            asset_key=key("evaluation", model.name),
            value=result,
            metadata=table_metadata(
                parts.per_user,
                fingerprint=model.fingerprint,
                **result.means(),
                **{f"held_out_{name}": value for name, value in parts.beyond_accuracy.items()},
                **lineage_of(key("evaluation", model.name)),
            ),
        )


_EVALUATIONS = {
    name: dg.AssetIn(key("evaluation", name), dagster_type=Evaluation) for name in MODELS
}


@dg.asset(
    key=COMPARISON,
    ins=_EVALUATIONS,
    group_name="evaluation",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version(
        "evaluation/comparison.py", "evaluation/leaderboard.py", "evaluation/metrics.py"
    ),
    metadata=columns_of(COMPARISON),
)
@fails_clearly
def comparison(
    seed: dg.ResourceParam[int], **evaluations: Evaluation
) -> dg.MaterializeResult[pd.DataFrame]:
    """Every pair of models on the same held-out users, and which of the two beats the other.

    All pairs are told apart at once, by the step-down maximum of Romano and Wolf: the chance of
    any false "beats" in the table is 5%. Users are drawn with replacement, not their artists.
    """
    tables = [
        compare(held_out_figures([evaluations[name] for name in MODELS], metric), seed=seed).assign(
            metric=metric
        )
        for metric in COMPARED_METRICS
    ]
    table = pd.concat(tables, ignore_index=True)
    table = table[["metric", *table.columns.drop("metric")]]
    beaten = int(table["verdict"].str.contains(" beats ").sum())
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            beaten=beaten,
            **{
                "every model against every other": picture(
                    charts.comparison(table, _DRAWN),
                    f"Difference of held-out {_DRAWN} of every two models",
                ),
                **lineage_of(COMPARISON),
            },
        ),
    )


@dg.asset(
    key=SEGMENTS,
    ins={"matrix": dg.AssetIn(key("listening", "weighted_matrix")), **_EVALUATIONS},
    group_name="evaluation",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version("evaluation/segments.py", "evaluation/metrics.py"),
    metadata=columns_of(SEGMENTS),
)
@fails_clearly
def segments_table(
    matrix: ListeningMatrix, seed: dg.ResourceParam[int], **evaluations: Evaluation
) -> dg.MaterializeResult[pd.DataFrame]:
    """For whom each model works: users of few and many plays, of niche and of popular taste.

    Users are cut into thirds twice: by their plays in training, and by the mean number of
    listeners of the artists they play. Each figure is a mean over the users of one third.
    """
    labels = segments(matrix)
    tables = [
        segment_table(evaluations[name].part("held_out"), labels, seed=seed).assign(
            **{Columns.MODEL: name}
        )
        for name in MODELS
    ]
    table = pd.concat(tables, ignore_index=True)
    table = table[[Columns.MODEL, *table.columns.drop(Columns.MODEL)]]
    named = table["segment_kind"] + "_" + table["segment"]
    best = table.groupby(named, sort=False)[_DRAWN].max()
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            **{f"best_{_DRAWN}_{name}": float(value) for name, value in best.items()},
            **{
                "for whom models work": picture(
                    charts.segments(table, _DRAWN),
                    f"Held-out {_DRAWN} of users of few and many plays, of niche and popular taste",
                ),
                **lineage_of(SEGMENTS),
            },
        ),
    )


@dg.asset(
    key=LEADERBOARD,
    ins={"split_pairs": dg.AssetIn(key("listening", "split")), **_EVALUATIONS},
    group_name="evaluation",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version(
        "evaluation/leaderboard.py", "evaluation/comparison.py", "evaluation/metrics.py"
    ),
    metadata=columns_of(LEADERBOARD),
)
@fails_clearly
def leaderboard_table(
    split_pairs: pd.DataFrame, seed: dg.ResourceParam[int], **evaluations: Evaluation
) -> dg.MaterializeResult[pd.DataFrame]:
    """All models on one table, best on validation first, with 95% intervals on held out.

    Validation chooses the champion; held out judges it and chooses nothing. The ceiling is what
    perfect lists would reach, as some users have fewer than ten artists held out.
    """
    sizes = pairs_of(split_pairs, "held_out").groupby(Columns.USER).size()
    table = leaderboard([evaluations[name] for name in MODELS], sizes, seed=seed)
    figures = {
        f"{row[Columns.MODEL]}_{metric}": float(row[metric])
        for _, row in table.iterrows()
        for metric in (SELECTION, JUDGED)
    }
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            best_model=str(table[Columns.MODEL].iloc[0]),
            **{
                "accuracy of every model": picture(
                    charts.accuracy(table),
                    "Precision@10 and ndcg@10 of every model on held out, with 95% intervals",
                ),
                **{f"best_{name}": float(table[name].iloc[0]) for name in _BEST_FIGURES},
                CEILING: float(table[CEILING].iloc[0]),
                **figures,
                **lineage_of(LEADERBOARD),
            },
        ),
    )


@dg.asset(
    key=CHAMPION,
    ins={
        "board": dg.AssetIn(LEADERBOARD),
        "about": dg.AssetIn(key("raw", "source")),
        "judged_on": dg.AssetIn(key("listening", "weighted_matrix")),
        "split_pairs": dg.AssetIn(key("listening", "split")),
        "interactions": dg.AssetIn(key("listening", "interactions")),
        **_SIDE_INPUTS,
        **_EVALUATIONS,
    },
    group_name="evaluation",
    kinds={"json"},
    owners=OWNERS,
    code_version=code_version(
        "evaluation/gate.py",
        "evaluation/challenge.py",
        "evaluation/comparison.py",
        "evaluation/metrics.py",
    ),
)
@fails_clearly
def champion(
    context: dg.AssetExecutionContext,
    board: pd.DataFrame,
    about: pd.DataFrame,
    judged_on: ListeningMatrix,
    split_pairs: pd.DataFrame,
    interactions: pd.DataFrame,
    *,
    seed: dg.ResourceParam[int],
    min_precision: dg.ResourceParam[float | None],
    pinned: dg.ResourceParam[str | None],
    store: dg.ResourceParam[Store],
    **others: Any,
) -> dg.MaterializeResult[Champion]:
    """The model that serves: best on validation, not worse than the last one, past the gate.

    1. The model best on validation challenges the one that serves.
    2. It replaces it only if its held-out ndcg@10 is not lower, within the margin, at the lower
       end of the 95% interval of the difference; LASTFM_CHAMPION sets a model without a contest.
    3. Whoever is chosen must reach the least held-out precision@10, and twice that of popularity.
    """
    source = store.source_of(LEADERBOARD.path, pd.DataFrame)
    side = SideTables(**{table: others[table] for table in SIDE})
    evaluations = {name: others[name] for name in MODELS}

    def judged_again(name: str, config: BaseModel) -> Evaluation:
        context.log.info(f"{name} serves with other parameters: it is fitted and judged again")
        model = train(name, judged_on, config, side=side, seed=seed)
        return Evaluation.of(model, evaluate_parts(model, judged_on, split_pairs, side))

    every_pair = ListeningMatrix.from_pairs(interactions, judged_on.artist_ids)
    last = _last_champion(context, store)
    chosen = choose_champion(
        board,
        choose(
            board,
            evaluations,
            serving=_serving(last, evaluations, judged_again),
            pinned=pinned,
            seed=seed,
        ),
        data=judged_on.fingerprint,
        side=side.fingerprint,
        pairs=every_pair.fingerprint,
        min_precision=min_precision_for(
            source, min_precision, About.from_table(about).min_precision
        ),
    )
    chosen = with_its_reason(chosen, last)
    context.log.info(f"champion: {chosen.model}, {chosen.because}")
    return dg.MaterializeResult(
        value=chosen,
        metadata={
            "evidence for the champion": picture(
                charts.champion(chosen), "The champion against its thresholds and its predecessor"
            ),
            **finite(
                {
                    name: dg.MetadataValue.json(value) if isinstance(value, dict) else value
                    for name, value in chosen.model_dump().items()
                }
            ),
        },
    )


def _last_champion(context: dg.AssetExecutionContext, store: Store) -> Champion | None:
    """The champion until now, as recorded."""
    if not store.has(CHAMPION.path, Champion):
        return None
    try:
        return store.read(CHAMPION.path, Champion)
    except StoreError as problem:  # damaged or of an older version: it must not block its successor
        context.log.warning(f"which model served is not known: {problem}")
        return None


def _serving(
    last: Champion | None,
    evaluations: Mapping[str, Evaluation],
    judged_again: Callable[[str, BaseModel], Evaluation],
) -> Serving | None:
    """The last champion on the present data, whatever data and code it won with.

    The leaderboard's model of that name is the same where its parameters are; else it is judged
    again with its own, unless they mean nothing to this code: then that model stands for it.
    """
    if last is None:
        return None
    present = evaluations.get(last.model)
    if present is None or json.loads(present.parameters) == last.parameters:
        return Serving(last.model, present)
    try:
        config = model_named(last.model).Config.model_validate(last.parameters)
    except ValidationError:
        return Serving(last.model, present)
    return Serving(last.model, judged_again(last.model, config))
