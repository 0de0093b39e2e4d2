"""The serving model, its lists, and what readers see of them, as assets."""

import time
from datetime import timedelta
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import SecretStr

from lastfm_assets.automation.every_pair import EveryPair
from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.jobs import STUDIES
from lastfm_assets.automation.lineage import columns_of, lineage_of
from lastfm_assets.automation.metadata import (
    OWNERS,
    key,
    log_progress,
    table_metadata,
)
from lastfm_assets.automation.pictures import picture
from lastfm_assets.automation.plan import SKIPPED_TAG
from lastfm_assets.automation.resources import StoreIOManager, step_of
from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation.gate import Champion, require_approved, threshold_now
from lastfm_assets.io import Store
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.memory import Memory
from lastfm_assets.models import fits
from lastfm_assets.models.approximate import Search
from lastfm_assets.models.assets import fit_metadata
from lastfm_assets.models.ranking import Budget
from lastfm_assets.models.trained import (
    MODELS,
    RANKED_BY,
    TrainedModel,
    model_named,
    model_sources,
    train,
)
from lastfm_assets.provenance import code_version
from lastfm_assets.recommendations import charts
from lastfm_assets.recommendations.drift import BLOCKS, WARNS
from lastfm_assets.recommendations.drift_verdict import (
    against_in_words,
    in_markdown,
    lines_of,
    require_no_drift,
)
from lastfm_assets.recommendations.lists import similar_artists, top_artists
from lastfm_assets.recommendations.names import keep_names
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.publishing import require_sound
from lastfm_assets.recommendations.reference import (
    compared,
    drift_now,
    local_overlap,
    with_profile,
)
from lastfm_assets.recommendations.rules import (
    SIMILAR_ARTISTS_RULES,
    SIMILAR_USERS_RULES,
    TOP_ARTISTS_RULES,
)
from lastfm_assets.recommendations.search import search_figures, search_of
from lastfm_assets.recommendations.serve import serve
from lastfm_assets.recommendations.similar_users import similar_users
from lastfm_assets.recommendations.versions import About
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import Columns
from lastfm_assets.writer import require_held

SERVING = key("recommendations", "serving_model")
TOP = key("recommendations", "top_artists")
PROFILE = key("listening", "profile")
DRIFT = key("recommendations", "drift")
PUBLISHED = key("recommendations", "published")
SERVING_DATABASE = key("recommendations", "serving_database")
_INTERACTIONS = dg.AssetIn(key("listening", "interactions"))
_ARTISTS = dg.AssetIn(key("listening", "artists"))
_CHAMPION = dg.AssetIn(key("evaluation", "champion"))
_LISTED_BY = (
    "recommendations/lists.py",
    "recommendations/reasons.py",
    "recommendations/rules.py",
    "models/threads.py",
)
COMPARED_BY = (
    "listening/profile.py",
    "recommendations/drift.py",
    "recommendations/drift_bounds.py",
    "recommendations/overlap.py",
    "recommendations/reference.py",
)
"""What the figures of `recommendations/drift` are computed by."""
_LISTING = code_version(*{*_LISTED_BY, *RANKED_BY, "recommendations/search.py"})


@dg.asset(
    key=SERVING,
    ins={
        "champion": _CHAMPION,
        "interactions": _INTERACTIONS,
        "artists": _ARTISTS,
        "tag_assignments": dg.AssetIn(
            key("listening", "tag_assignments"), dagster_type=pd.DataFrame
        ),
        "friendships": dg.AssetIn(key("listening", "friendships"), dagster_type=pd.DataFrame),
    },
    group_name="recommendations",
    kinds={"implicit"},
    owners=OWNERS,
    code_version=code_version("evaluation/gate.py", *model_sources(*MODELS)),
)
@fails_clearly
def serving_model(
    context: dg.AssetExecutionContext,
    champion: Champion,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    *,
    settings: dg.ResourceParam[Settings],
    every_pair: dg.ResourceParam[EveryPair],
    processes: dg.ResourceParam[int],
    **side: pd.DataFrame,
) -> dg.MaterializeResult[TrainedModel]:
    """The champion, fitted again with the same parameters and seed on every pair there is."""
    matrix = _approved_matrix(champion, every_pair, interactions, artists, settings)
    config = model_named(champion.model).Config.model_validate(champion.parameters)
    started = time.perf_counter()
    with fits.workers(processes):
        model = train(
            champion.model,
            matrix,
            config,
            side=SideTables(**side),
            seed=champion.seed,
            on_progress=log_progress(context, champion.model),
        )
    return dg.MaterializeResult(
        value=model, metadata=fit_metadata(model, time.perf_counter() - started)
    )


@dg.asset(
    key=TOP,
    ins={
        "model": dg.AssetIn(SERVING),
        "champion": _CHAMPION,
        "interactions": _INTERACTIONS,
        "artists": _ARTISTS,
    },
    group_name="recommendations",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=_LISTING,
    metadata=columns_of(TOP),
)
@fails_clearly
def top_artists_table(
    context: dg.AssetExecutionContext,
    model: TrainedModel,
    champion: Champion,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    *,
    settings: dg.ResourceParam[Settings],
    every_pair: dg.ResourceParam[EveryPair],
    search: dg.ResourceParam[Search],
    seed: dg.ResourceParam[int],
    memory: dg.ResourceParam[Memory],
) -> dg.MaterializeResult[pd.DataFrame]:
    """For every user ten artists they do not play yet, with scores and reasons.

    `score` is the model's, min-max scaled within each list; equal ones go to the smaller artist
    id. `because` names the artists the user plays that speak most for the choice.
    """
    matrix = _approved_matrix(champion, every_pair, interactions, artists, settings)
    found = (model.name, model.config.model_dump(mode="json"), model.seed, model.data)
    if found != (champion.model, champion.parameters, champion.seed, matrix.fingerprint):
        raise GateRefusedError(
            f"the serving model is {model.name} of other plays, parameters or seed, expected the "
            f"champion, {champion.model}, on the plays at hand; run a whole refresh"
        )
    search, budget = search_of(model, search, warn=context.log.warning), Budget.of(memory)
    table = top_artists(
        model,
        matrix,
        _names(artists),
        search=search,
        budget=budget,
        on_progress=log_progress(context, "users ranked"),
    )
    _require_sound_lists(table, interactions, artists)
    found_by = search_figures(model, matrix, search, seed=seed, budget=budget, say=context.log.info)
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            model=model.name,
            users=int(table[Columns.USER].nunique()),
            artists_recommended=int(table[Columns.ARTIST].nunique()),
            **{
                "coverage@10": table[Columns.ARTIST].nunique() / len(artists),
                **found_by,
                "lists and listening by popularity": picture(
                    charts.popularity(table, interactions),
                    "Share of the most played artists in lists and in listening, and the artists "
                    "most often recommended",
                ),
                **lineage_of(TOP),
            },
        ),
    )


@dg.asset(
    key=key("recommendations", "similar_artists"),
    ins={"champion": _CHAMPION, "interactions": _INTERACTIONS, "artists": _ARTISTS},
    group_name="recommendations",
    kinds={"scipy", "parquet"},
    owners=OWNERS,
    code_version=code_version(*_LISTED_BY, "models/item_knn.py", "models/neighbours.py"),
    metadata=columns_of(key("recommendations", "similar_artists")),
)
@fails_clearly
def similar_artists_table(
    champion: Champion,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    *,
    settings: dg.ResourceParam[Settings],
    every_pair: dg.ResourceParam[EveryPair],
) -> dg.MaterializeResult[pd.DataFrame]:
    """For every artist its ten nearest by who plays them.

    `similarity` is the cosine of two artists' listeners, shrunk where few play both.
    """
    matrix = _approved_matrix(champion, every_pair, interactions, artists, settings)
    table = similar_artists(matrix, _names(artists))
    findings = {rule.__name__: rule(table, artists=artists) for rule in SIMILAR_ARTISTS_RULES}
    require_sound("recommendations/similar_artists", findings)
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            artists=int(table[Columns.TO_ARTIST].nunique()),
            mean_similarity=float(table[Columns.SIMILARITY].mean()),
            **lineage_of(key("recommendations", "similar_artists")),
        ),
    )


@dg.asset(
    key=key("recommendations", "similar_users"),
    ins={"interactions": _INTERACTIONS, "artists": _ARTISTS},
    group_name=STUDIES,
    kinds={"scipy", "parquet"},
    owners=OWNERS,
    code_version=code_version(
        *_LISTED_BY,
        "recommendations/similar_users.py",
        "models/item_knn.py",
        "models/neighbours.py",
        "models/user_knn.py",
    ),
    metadata=columns_of(key("recommendations", "similar_users")),
)
@fails_clearly
def similar_users_table(
    context: dg.AssetExecutionContext, interactions: pd.DataFrame, artists: pd.DataFrame
) -> dg.MaterializeResult[pd.DataFrame]:
    """For every user the ten who play most alike, and the artists that say so.

    `similarity` is the cosine of two users' weighted artists, shrunk where they share few. The
    list names people and what they play: it stays in the store and is not served to others.
    """
    matrix = ListeningMatrix.from_pairs(interactions, artists[Columns.ARTIST].to_numpy())
    table = similar_users(
        matrix, _names(artists), on_progress=log_progress(context, "users compared")
    )
    findings = {rule.__name__: rule(table, matrix.user_ids) for rule in SIMILAR_USERS_RULES}
    require_sound("recommendations/similar_users", findings)
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            users=int(table[Columns.TO_USER].nunique()),
            mean_similarity=float(table[Columns.SIMILARITY].mean()),
            **lineage_of(key("recommendations", "similar_users")),
        ),
    )


@dg.asset(
    key=DRIFT,
    ins={"profile": dg.AssetIn(PROFILE, dagster_type=pd.DataFrame)},
    deps=[TOP],  # of which two columns are read
    group_name="recommendations",
    kinds={"numpy", "parquet"},
    owners=OWNERS,
    code_version=code_version(*COMPARED_BY),
    metadata=columns_of(DRIFT),
)
@fails_clearly
def drift_of_data_and_lists(
    context: dg.AssetExecutionContext,
    profile: pd.DataFrame,
    *,
    store: dg.ResourceParam[Store],
    io_manager: dg.ResourceParam[StoreIOManager],
) -> dg.MaterializeResult[pd.DataFrame]:
    """How far data and lists have moved from those that readers see, a row a measure.

    Compared with the last published version, never with a run that was refused; the first one has
    nothing to be compared with, and passes.
    """
    del profile  # read by key
    io_manager.rows(step_of(context), TOP)  # notes that this is made from them
    table = compared(store, local_overlap(store))
    return dg.MaterializeResult(value=table, metadata=drift_metadata(table))


def drift_metadata(table: pd.DataFrame) -> dict[str, Any]:
    """What the web UI shows of `recommendations/drift`."""
    moved = "; ".join(lines_of(table, BLOCKS, WARNS))
    return table_metadata(
        table,
        against=against_in_words(table),
        beyond_a_bound=moved or "nothing",
        drift=dg.MetadataValue.md(in_markdown(table)),
        **lineage_of(DRIFT),
    )


@dg.asset(
    key=PUBLISHED,
    ins={
        "profile": dg.AssetIn(PROFILE),
        "lists": dg.AssetIn(TOP),
        "champion": _CHAMPION,
        "interactions": _INTERACTIONS,
        "artists": _ARTISTS,
        "about": dg.AssetIn(key("raw", "source")),
        "keys": dg.AssetIn(key("raw", "keys")),
    },
    # whose checks must have passed, too
    deps=[key("recommendations", "similar_artists"), DRIFT, key("listening", "rejected_rows")],
    group_name="recommendations",
    kinds={"deltalake"},
    owners=OWNERS,
    code_version=code_version(
        "recommendations/published.py",
        "recommendations/delta.py",
        "recommendations/names.py",
        "recommendations/versions.py",
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
    ),
    metadata=columns_of(PUBLISHED),
)
@fails_clearly
def published(  # noqa: PLR0917 (what is published, and all that it is held against)
    context: dg.AssetExecutionContext,
    lists: pd.DataFrame,
    champion: Champion,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    about: pd.DataFrame,
    keys: pd.DataFrame,
    profile: pd.DataFrame,
    *,
    settings: dg.ResourceParam[Settings],
    every_pair: dg.ResourceParam[EveryPair],
    store: dg.ResourceParam[Store],
) -> dg.MaterializeResult[None]:
    """What readers see: the lists, once every check on them has passed, as a new version.

    Lists that readers see already make no new version, but are confirmed in every refresh; lists
    that somebody rolled back are held.
    """
    _approved_matrix(champion, every_pair, interactions, artists, settings)
    _require_sound_lists(lists, interactions, artists)  # selected alone, it runs before any check
    others = set(lists[Columns.MODEL]) - {champion.model}
    if others:
        raise GateRefusedError(
            f"recommendations/top_artists is of {', '.join(sorted(others))}, expected the "
            f"champion, {champion.model}; run a whole refresh"
        )
    accepted = require_no_drift(drift_now(store, local_overlap(store)), settings.accepted_drift)
    source = store.source_of(TOP.path, pd.DataFrame)
    said = About(champion.model, source, champion.precision, context.run.run_id)
    require_held(store.root)
    publication = with_profile(
        lambda: PublishedLists(store.root).publish(lists, said),
        store,
        profile,
        about=said,
        accepted=accepted,
    )
    version = publication.version
    if publication.outcome == "held":
        context.log.warning(
            f"these lists were rolled back: readers keep version {version.number} until the lists "
            "change, or somebody rolls back to them"
        )
    else:
        keep_names(store, keys, about, version.source)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.content),
        metadata=table_metadata(
            lists,
            outcome=publication.outcome,
            version=version.number,
            published_at=version.published_at.isoformat(timespec="seconds"),
            model=version.model,
            precision=version.precision,
            source=version.source,
            because=champion.because,
            accepted_drift=accepted or "nothing",
            left_as_it_was=context.run.tags.get(SKIPPED_TAG, "nothing"),
            **lineage_of(PUBLISHED),
        ),
    )


@dg.asset(
    key=SERVING_DATABASE,
    deps=[
        PUBLISHED,
        key("recommendations", "similar_artists"),
        key("listening", "artists"),
        key("listening", "interactions"),
    ],
    group_name="recommendations",
    kinds={"sql"},
    owners=OWNERS,
    code_version=code_version(
        "recommendations/delta.py",
        "recommendations/published.py",
        "recommendations/serve.py",
        "recommendations/serving.py",
        "listening/keys.py",
        "recommendations/postgresql.py",
        "recommendations/duckdb_file.py",
    ),
    retry_policy=dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL),
)
@fails_clearly
def serving_database(
    publish_url: dg.ResourceParam[SecretStr | None], store: dg.ResourceParam[Store]
) -> dg.MaterializeResult[None]:
    """The published lists where online services ask for them: PostgreSQL, else a DuckDB file.

    A database that holds these tables already is left alone; another gets them all in one step.
    """
    serving = serve(store, publish_url)
    if serving is None:
        return dg.MaterializeResult(
            metadata={"outcome": "none: the store is remote, and LASTFM_PUBLISH_URL is not set"}
        )
    return dg.MaterializeResult(
        metadata={
            "outcome": "published" if serving.changed else "unchanged",
            "database": serving.database,
            "version": serving.version,
            **serving.rows,
        }
    )


def _approved_matrix(
    champion: Champion,
    every_pair: EveryPair,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    settings: Settings,
) -> ListeningMatrix:
    """All plays, once the champion's evidence has been held against them."""
    if settings.champion not in (None, champion.model):
        raise GateRefusedError(
            f"LASTFM_CHAMPION is {settings.champion}, but the champion is {champion.model}; run a "
            "whole refresh"
        )
    matrix = every_pair.matrix(interactions, artists[Columns.ARTIST].to_numpy())
    require_approved(
        champion,
        pairs=matrix.fingerprint,
        min_precision=threshold_now(champion, settings.min_precision),
    )
    return matrix


def _require_sound_lists(
    lists: pd.DataFrame, interactions: pd.DataFrame, artists: pd.DataFrame
) -> None:
    findings = {
        rule.__name__: rule(lists, interactions=interactions, artists=artists)
        for rule in TOP_ARTISTS_RULES
    }
    require_sound("recommendations/top_artists", findings)


def _names(artists: pd.DataFrame) -> pd.Series:
    return artists.set_index(Columns.ARTIST)[Columns.NAME]
