"""Each model's evaluation, the leaderboard and the champion, as assets."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import dagster as dg
import pandas as pd
from pydantic import BaseModel, ValidationError

from lastfm_assets.automation.every_pair import EveryPair
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
from lastfm_assets.automation.resources import StoreIOManager, step_of
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
from lastfm_assets.evaluation.judged_users import of_judged_users
from lastfm_assets.evaluation.leaderboard import (
    CEILING,
    JUDGED,
    SELECTION,
    Evaluation,
    held_out_figures,
    leaderboard,
)
from lastfm_assets.evaluation.segments import segment_tables, segments
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.assets import SIDE
from lastfm_assets.models.trained import (
    MODELS,
    RANKED_BY,
    TrainedModel,
    model_named,
    train,
    train_together,
)
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
    "evaluation/judged_users.py",
    *RANKED_BY,
)
_OF_GROUP: Final[dict[str, Any]] = {"group_name": "evaluation", "owners": OWNERS}
_SIDE_INPUTS = {t: dg.AssetIn(asset, dagster_type=pd.DataFrame) for t, asset in SIDE.items()}


def evaluation_assets(names: Iterable[str]) -> list[dg.AssetsDefinition]:
    """Assets that judge some models and choose among them.

    Args:
        names: keys of `MODELS`, popularity among them.
    """
    names = tuple(names)
    of_models = {
        name: dg.AssetIn(key("evaluation", name), dagster_type=Evaluation) for name in names
    }
    split_pairs = dg.AssetIn(key("listening", "split"))
    matrix = dg.AssetIn(key("listening", "weighted_matrix"))
    return [
        _judging(names),
        dg.asset(
            key=COMPARISON,
            ins=of_models,
            kinds={"pandas", "parquet"},
            code_version=code_version(
                "evaluation/comparison.py", "evaluation/leaderboard.py", "evaluation/metrics.py"
            ),
            metadata=columns_of(COMPARISON),
            **_OF_GROUP,
        )(comparison),
        dg.asset(
            key=SEGMENTS,
            ins={"matrix": matrix, **of_models},
            kinds={"pandas", "parquet"},
            code_version=code_version("evaluation/segments.py", "evaluation/metrics.py"),
            metadata=columns_of(SEGMENTS),
            **_OF_GROUP,
        )(segments_table),
        dg.asset(
            key=LEADERBOARD,
            ins={"split_pairs": split_pairs, **of_models},
            kinds={"pandas", "parquet"},
            code_version=code_version(
                "evaluation/judged_users.py",
                "evaluation/leaderboard.py",
                "evaluation/comparison.py",
                "evaluation/metrics.py",
            ),
            metadata=columns_of(LEADERBOARD),
            **_OF_GROUP,
        )(leaderboard_table),
        dg.asset(
            key=CHAMPION,
            ins={
                "board": dg.AssetIn(LEADERBOARD),
                "about": dg.AssetIn(key("raw", "source")),
                "judged_on": matrix,
                "split_pairs": split_pairs,
                "interactions": dg.AssetIn(key("listening", "interactions")),
                **_SIDE_INPUTS,
                **of_models,
            },
            kinds={"json"},
            code_version=code_version(
                "evaluation/gate.py",
                "evaluation/challenge.py",
                "evaluation/comparison.py",
                "evaluation/metrics.py",
            ),
            **_OF_GROUP,
        )(champion),
    ]


def _judging(names: tuple[str, ...]) -> dg.AssetsDefinition:
    """The step that judges the models, an asset each."""
    judged_on = {
        key("listening", "weighted_matrix"),
        key("listening", "split"),
        *SIDE.values(),
    }
    return dg.multi_asset(
        name="evaluations",
        ins={
            "matrix": dg.AssetIn(key("listening", "weighted_matrix")),
            "split_pairs": dg.AssetIn(key("listening", "split")),
            **_SIDE_INPUTS,  # tags say how varied a list is, whatever the model looks at
        },
        deps=[key("models", name) for name in names],
        outs={
            name: dg.AssetOut(
                key=key("evaluation", name),
                dagster_type=Evaluation,
                is_required=False,
                description=(
                    f"What {name} reaches for each user on train, validation and held out: "
                    "precision, recall, ndcg, map, mrr and hit rate of ten artists and auc, ranked "
                    "over the whole catalogue; and how novel, varied and popular its lists are."
                ),
                kinds={"numpy", "parquet"},
                code_version=_JUDGING,
                metadata=columns_of(key("evaluation", name)),
                **_OF_GROUP,
            )
            for name in names
        },
        internal_asset_deps={name: {key("models", name), *judged_on} for name in names},
        can_subset=True,
    )(evaluations)


def _in_order(given: Mapping[str, Any]) -> Iterator[Evaluation]:
    """The evaluations among an asset's arguments, in the order of `MODELS`."""
    return (given[name] for name in MODELS if name in given)


@fails_clearly
def evaluations(
    context: dg.AssetExecutionContext,
    matrix: ListeningMatrix,
    split_pairs: pd.DataFrame,
    *,
    io_manager: dg.ResourceParam[StoreIOManager],
    processes: dg.ResourceParam[int],
    seed: dg.ResourceParam[int],
    judged_users: dg.ResourceParam[int],
    **side: pd.DataFrame,
) -> Iterator[dg.MaterializeResult[Evaluation]]:
    """Judges the chosen models; their second fits run side by side where more processes may."""
    step = step_of(context)
    beside = SideTables(**side)
    models = {  # read one by one, as the others are not there where few are chosen
        name: io_manager.read(step, key("models", name), TrainedModel)
        for name in MODELS
        if key("evaluation", name) in context.selected_asset_keys
    }
    alone = train_alone(matrix, split_pairs, beside)
    judged = of_judged_users(split_pairs, judged_users, seed=seed)
    for probe, _ in train_together(
        {name: model.config for name, model in models.items()},
        alone[0],
        side=alone[1],
        seed=next(iter(models.values())).seed,
        processes=processes,
        progress_of=lambda name: log_progress(context, f"{name} on train alone"),
    ):
        model = models.pop(probe.name)
        parts = evaluate_parts(model, matrix, judged, beside, alone=alone, probe=probe)
        result = Evaluation.of(model, parts, judged_users=judged_users)
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


@fails_clearly
def comparison(
    seed: dg.ResourceParam[int], **evaluations: Evaluation
) -> dg.MaterializeResult[pd.DataFrame]:
    """Every pair of models on the same held-out users, and which of the two beats the other.

    All pairs are told apart at once, by the step-down maximum of Romano and Wolf: the chance of
    any false "beats" in the table is 5%. Users are drawn with replacement, not their artists.
    """
    tables = [
        compare(held_out_figures(list(_in_order(evaluations)), metric), seed=seed).assign(
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


@fails_clearly
def segments_table(
    matrix: ListeningMatrix, seed: dg.ResourceParam[int], **evaluations: Evaluation
) -> dg.MaterializeResult[pd.DataFrame]:
    """For whom each model works: users of few and many plays, of niche and of popular taste.

    Users are cut into thirds twice: by their plays in training, and by the mean number of
    listeners of the artists they play. Each figure is a mean over the users of one third.
    """
    labels = segments(matrix)
    of_models = {one.model: one.part("held_out") for one in _in_order(evaluations)}
    table = segment_tables(of_models, labels, seed=seed)
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


@fails_clearly
def leaderboard_table(
    split_pairs: pd.DataFrame,
    seed: dg.ResourceParam[int],
    judged_users: dg.ResourceParam[int],
    **evaluations: Evaluation,
) -> dg.MaterializeResult[pd.DataFrame]:
    """All models on one table, best on validation first, with 95% intervals on held out.

    Validation chooses the champion; held out judges it and chooses nothing. The ceiling is what
    perfect lists would reach, as some users have fewer than ten artists held out. Where there are
    more users than LASTFM_JUDGED_USERS, figures are of that many, drawn by the seed.
    """
    n_users = split_pairs[Columns.USER].nunique()
    split_pairs = of_judged_users(split_pairs, judged_users, seed=seed)
    sizes = pairs_of(split_pairs, "held_out").groupby(Columns.USER).size()
    table = leaderboard(list(_in_order(evaluations)), sizes, seed=seed)
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
            users_judged=f"{split_pairs[Columns.USER].nunique():,} of {n_users:,}",
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
    judged_users: dg.ResourceParam[int],
    min_precision: dg.ResourceParam[float | None],
    pinned: dg.ResourceParam[str | None],
    every_pair: dg.ResourceParam[EveryPair],
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
    evaluations = {one.model: one for one in _in_order(others)}

    def judged_again(name: str, config: BaseModel) -> Evaluation:
        context.log.info(f"{name} serves with other parameters: it is fitted and judged again")
        model = train(name, judged_on, config, side=side, seed=seed)
        alone = train_alone(judged_on, split_pairs, side)
        judged = of_judged_users(split_pairs, judged_users, seed=seed)
        parts = evaluate_parts(model, judged_on, judged, side, alone=alone)
        return Evaluation.of(model, parts, judged_users=judged_users)

    pairs = every_pair.matrix(interactions, judged_on.artist_ids)
    last = last_champion(context, store)
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
        pairs=pairs.fingerprint,
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
            **champion_metadata(chosen),
        },
    )


def champion_metadata(chosen: Champion) -> dict[str, Any]:
    """What a champion shows of itself in the web UI."""
    return finite(
        {
            name: dg.MetadataValue.json(value) if isinstance(value, dict) else value
            for name, value in chosen.model_dump().items()
        }
    )


def last_champion(context: dg.AssetExecutionContext, store: Store) -> Champion | None:
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
