"""Models, their judging, the champion and the lists, as assets that are made inside Spark.

What the local graph holds as a model is here a row that says where its workers' files lie. The
report, its history and the serving database are not made: they look at whole tables on one machine,
and a refresh of theirs by the local engine reads what lies in the store.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
import pandas as pd
from pydantic import BaseModel

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import finite, key, table_metadata
from lastfm_assets.engines.spark import steps
from lastfm_assets.engines.spark.engine import TABLE, SparkEngine, SparkTable
from lastfm_assets.engines.spark.fitted import SparkModel
from lastfm_assets.engines.spark.listening_assets import KINDS, spec_of
from lastfm_assets.errors import GateRefusedError, StoreError
from lastfm_assets.evaluation import assets as judging
from lastfm_assets.evaluation.challenge import Serving, choose
from lastfm_assets.evaluation.gate import (
    Champion,
    choose_champion,
    min_precision_for,
    require_approved,
    threshold_now,
    with_its_reason,
)
from lastfm_assets.evaluation.leaderboard import JUDGED, Evaluation, leaderboard
from lastfm_assets.evaluation.segments import segment_table, segments_by
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.models.assets import model_assets, models_config
from lastfm_assets.models.trained import model_named
from lastfm_assets.provenance import code_version
from lastfm_assets.recommendations import assets as local
from lastfm_assets.recommendations.names import keep_about
from lastfm_assets.recommendations.versions import About as Publishing
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import Columns

_CODE = code_version("engines/spark")
_INTERACTIONS: Final = key("listening", "interactions")
_ARTISTS: Final = key("listening", "artists")
_SPLIT: Final = key("listening", "split")
_MATRIX: Final = key("listening", "weighted_matrix")
_TAGS: Final = key("listening", "training_tags")
_TOP: Final = key("recommendations", "top_artists")
_SIMILAR: Final = key("recommendations", "similar_artists")
_READ: Final[dict[str, dg.AssetIn]] = {
    "interactions": dg.AssetIn(_INTERACTIONS),
    "artists": dg.AssetIn(_ARTISTS),
}


def spark_model_assets(competing: Mapping[str, BaseModel]) -> list[dg.AssetsDefinition]:
    """Every asset from the models to what readers see.

    Args:
        competing: parameters by name, of models that can be fitted inside Spark.
    """
    of_judging = {
        next(iter(made.keys)): made
        for made in judging.evaluation_assets(competing)
        if len(made.keys) == 1
    }
    return [
        _models(competing),
        _evaluations(tuple(competing)),
        of_judging[judging.COMPARISON],  # made of figures alone
        *_of_evaluations(tuple(competing), of_judging),
        *_of_champion(),
    ]


def _models(competing: Mapping[str, BaseModel]) -> dg.AssetsDefinition:
    (as_local,) = model_assets(competing)
    config_type: Any = models_config(competing)

    @dg.multi_asset(
        name="models",
        ins={
            "matrix": dg.AssetIn(_MATRIX),
            "split_pairs": dg.AssetIn(_SPLIT),
            "artists": dg.AssetIn(_ARTISTS),
        },
        outs={
            name: dg.AssetOut(
                key=key("models", name),
                dagster_type=pd.DataFrame,
                is_required=False,
                kinds=KINDS,
                **spec_of(key("models", name), as_local, _CODE),
            )
            for name in competing
        },
        can_subset=True,
    )
    @fails_clearly
    def models(
        context: dg.AssetExecutionContext,
        config: config_type,
        matrix: SparkTable,
        split_pairs: SparkTable,
        artists: SparkTable,
        *,
        seed: dg.ResourceParam[int],
        spark: dg.ResourceParam[SparkEngine],
    ) -> Iterator[dg.MaterializeResult[pd.DataFrame]]:
        """Fits the chosen models, one after the other, each on the whole cluster."""
        del matrix, split_pairs, artists  # read by key; named for what the models are made from
        for name, shipped in competing.items():
            if key("models", name) in context.selected_asset_keys:
                said = getattr(config, name).model_dump()
                parameters = type(shipped).model_validate(said)
                started = time.perf_counter()
                model = steps.fit(spark.tables, name, parameters, seed=seed, on="judged")
                seconds = time.perf_counter() - started
                context.log.info(f"{name} fitted in {seconds:.1f} s")
                yield dg.MaterializeResult(
                    asset_key=key("models", name),
                    value=_row(model),
                    metadata=_fit_metadata(model, seconds),
                )

    return models


def _evaluations(names: tuple[str, ...]) -> dg.AssetsDefinition:
    (as_local,) = (one for one in judging.evaluation_assets(names) if len(one.keys) > 1)

    @dg.multi_asset(
        name="evaluations",
        ins={
            "split_pairs": dg.AssetIn(_SPLIT),
            "training_tags": dg.AssetIn(_TAGS),
            **{name: dg.AssetIn(key("models", name), dagster_type=pd.DataFrame) for name in names},
        },
        outs={
            name: dg.AssetOut(
                key=key("evaluation", name),
                dagster_type=Evaluation,
                is_required=False,
                kinds=KINDS,
                **spec_of(key("evaluation", name), as_local, _CODE),
            )
            for name in names
        },
        internal_asset_deps={name: {_SPLIT, _TAGS, key("models", name)} for name in names},
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
                model = _model(spark, models[name], "judged")
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


def _of_evaluations(
    names: tuple[str, ...], as_local: Mapping[dg.AssetKey, dg.AssetsDefinition]
) -> list[dg.AssetsDefinition]:
    """Tables of all models, whose counts of users and pairs come from Spark."""
    of_models = {
        name: dg.AssetIn(key("evaluation", name), dagster_type=Evaluation) for name in names
    }

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=judging.LEADERBOARD,
        ins={"split_pairs": dg.AssetIn(_SPLIT), **of_models},
        kinds=KINDS,
        **spec_of(judging.LEADERBOARD, as_local[judging.LEADERBOARD], _CODE),
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

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=judging.SEGMENTS,
        ins={"matrix": dg.AssetIn(_MATRIX), **of_models},
        kinds=KINDS,
        **spec_of(judging.SEGMENTS, as_local[judging.SEGMENTS], _CODE),
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
        table = pd.concat(
            [
                segment_table(one.part("held_out"), labels, seed=seed).assign(
                    **{Columns.MODEL: one.model}
                )
                for one in (evaluations[name] for name in names)
            ],
            ignore_index=True,
        )
        table = table[[Columns.MODEL, *table.columns.drop(Columns.MODEL)]]
        return dg.MaterializeResult(value=table, metadata=table_metadata(table))

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=judging.CHAMPION,
        ins={
            "board": dg.AssetIn(judging.LEADERBOARD),
            "about": dg.AssetIn(key("raw", "source")),
            "interactions": dg.AssetIn(_INTERACTIONS),
            **of_models,
        },
        kinds=KINDS,
        **spec_of(judging.CHAMPION, as_local[judging.CHAMPION], _CODE),
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
        last = _last_champion(context, store)
        serving = Serving(last.model, evaluations.get(last.model)) if last else None
        choice = choose(board, evaluations, serving=serving, pinned=pinned, seed=seed)
        source = store.source_of(judging.LEADERBOARD.path, pd.DataFrame)
        asked = About.from_table(about).min_precision
        chosen = choose_champion(
            board,
            choice,
            data=steps.fitted(spark.tables, str(choice.row[Columns.MODEL]), "judged").data,
            side="",
            pairs=_pairs(store),
            min_precision=min_precision_for(source, min_precision, asked),
        )
        chosen = with_its_reason(chosen, last)
        context.log.info(f"champion: {chosen.model}, {chosen.because}")
        said = {
            name: dg.MetadataValue.json(value) if isinstance(value, dict) else value
            for name, value in chosen.model_dump().items()
        }
        return dg.MaterializeResult(value=chosen, metadata=finite(said))

    return [leaderboard_table, segments_table, champion]


def _of_champion() -> list[dg.AssetsDefinition]:
    """The serving model, its lists, the artists' relatives, and what readers see."""

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=local.SERVING,
        ins={"champion": dg.AssetIn(judging.CHAMPION), **_READ},
        kinds=KINDS,
        **spec_of(local.SERVING, local.serving_model, _CODE),
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
        _require_approved(champion, store, settings)
        config = model_named(champion.model).Config.model_validate(champion.parameters)
        started = time.perf_counter()
        model = steps.fit(spark.tables, champion.model, config, seed=champion.seed, on="all")
        return dg.MaterializeResult(
            value=_row(model), metadata=_fit_metadata(model, time.perf_counter() - started)
        )

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=_TOP,
        ins={
            "model": dg.AssetIn(local.SERVING),
            "champion": dg.AssetIn(judging.CHAMPION),
            **_READ,
        },
        dagster_type=TABLE,
        kinds=KINDS,
        **spec_of(_TOP, local.top_artists_table, _CODE),
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
        _require_approved(champion, store, settings)
        serving = _model(spark, model, "all")
        found = (serving.name, serving.config.model_dump(mode="json"), serving.seed)
        if found != (champion.model, champion.parameters, champion.seed):
            raise GateRefusedError(
                f"the serving model is {serving.name} of other parameters or seed, expected the "
                f"champion, {champion.model}; run a whole refresh"
            )
        with steps.top_artists(spark.tables, serving) as lists:
            yield dg.MaterializeResult(value=SparkTable(lists), metadata={"model": serving.name})

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=_SIMILAR,
        ins={"champion": dg.AssetIn(judging.CHAMPION), **_READ},
        dagster_type=TABLE,
        kinds=KINDS,
        **spec_of(_SIMILAR, local.similar_artists_table, _CODE),
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
        _require_approved(champion, store, settings)
        with steps.similar_artists(spark.tables) as similar:
            yield dg.MaterializeResult(value=SparkTable(similar))

    @dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
        key=local.PUBLISHED,
        ins={
            "lists": dg.AssetIn(_TOP),
            "champion": dg.AssetIn(judging.CHAMPION),
            "about": dg.AssetIn(key("raw", "source")),
            "keys": dg.AssetIn(key("raw", "keys")),
        },
        deps=[_SIMILAR],
        kinds={"spark", "deltalake"},
        **spec_of(local.PUBLISHED, local.published, _CODE),
    )
    @fails_clearly
    def published(
        context: dg.AssetExecutionContext,
        lists: SparkTable,
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
        _require_approved(champion, store, settings)
        source = store.source_of(_TOP.path, pd.DataFrame)
        said = Publishing(champion.model, source, champion.precision, context.run.run_id)
        publication = steps.publish(spark.tables, said)
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
            },
        )

    return [serving_model, top_artists_table, similar_artists_table, published]


def _row(model: SparkModel) -> pd.DataFrame:
    """A model as the store's tables keep it; its vectors lie in its folder."""
    said = json.loads(model.to_json())
    said["config"] = json.dumps(said["config"], sort_keys=True)
    return pd.DataFrame([said]).astype(dict.fromkeys(("name", "config", "data", "folder"), "str"))


def _model(spark: SparkEngine, row: pd.DataFrame, on: steps.On) -> SparkModel:
    """The model that a row says, as it lies in the store.

    Raises:
        StoreError: another one lies there.
    """
    said = row.iloc[0]
    model = steps.fitted(spark.tables, str(said["name"]), on)
    if model.data != said["data"]:
        raise StoreError(f"the vectors of {model.name} are of other plays; run a whole refresh")
    return model


def _fit_metadata(model: SparkModel, seconds: float) -> dict[str, Any]:
    return {
        "model": model.name,
        "parameters": dg.MetadataValue.json(model.config.model_dump()),
        "seed": model.seed,
        "fingerprint": model.fingerprint,
        "users": model.n_users,
        "artists": model.n_artists,
        "fit_seconds": seconds,
    }


def _pairs(store: Store) -> str:
    """Which pairs there are: the hash of the stored ones."""
    return store.stamp(_INTERACTIONS.path, pd.DataFrame).version


def _require_approved(champion: Champion, store: Store, settings: Settings) -> None:
    """Holds the champion's evidence against the pairs at hand, as the local assets do."""
    if settings.champion not in (None, champion.model):
        raise GateRefusedError(
            f"LASTFM_CHAMPION is {settings.champion}, but the champion is {champion.model}; run a "
            "whole refresh"
        )
    threshold = threshold_now(champion, settings.min_precision)
    require_approved(champion, pairs=_pairs(store), min_precision=threshold)


def _last_champion(context: dg.AssetExecutionContext, store: Store) -> Champion | None:
    if not store.has(judging.CHAMPION.path, Champion):
        return None
    try:
        return store.read(judging.CHAMPION.path, Champion)
    except StoreError as problem:  # it must not block its successor
        context.log.warning(f"which model served is not known: {problem}")
        return None
