"""Which columns each table has, and which columns of other tables each of them comes from.

Declared once, as data. The web UI shows columns before a table is first made, and follows a column
upstream and downstream.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import dagster as dg

from lastfm_assets.automation.metadata import schema_of
from lastfm_assets.evaluation.comparison import COMPARISON
from lastfm_assets.evaluation.judge import CUTOFF
from lastfm_assets.evaluation.leaderboard import CEILING, JUDGED, SELECTION
from lastfm_assets.evaluation.metrics import AUC, METRICS
from lastfm_assets.evaluation.segments import KIND, SEGMENT, USERS
from lastfm_assets.insight.history import HISTORY
from lastfm_assets.listening.about import ABOUT
from lastfm_assets.listening.profile import PROFILE
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.models.trained import MODELS
from lastfm_assets.music.audio_features import AUDIO_FEATURES
from lastfm_assets.music.correlations import AUDIO_CORRELATIONS
from lastfm_assets.music.tag_popularity import TAG_POPULARITY
from lastfm_assets.music.tag_trends import TAG_TRENDS
from lastfm_assets.recommendations.drift import DRIFT
from lastfm_assets.studies.lightfm_epochs import COLUMNS as LIGHTFM_EPOCHS
from lastfm_assets.studies.rating_error import COLUMNS as RATING_ERROR
from lastfm_assets.studies.weighting_effect import COLUMNS as WEIGHTING_EFFECT
from lastfm_assets.tuning.space import tunable_models
from lastfm_assets.vocabulary import (
    PARTS,
    SIMILAR_LIST,
    SIMILAR_USERS,
    TOP_LIST,
    Columns,
    column_type,
)

Source = tuple[str, str]
"""An asset, as `group/name`, and one of its columns."""

_METRICS: Final = (*(f"{metric}@{CUTOFF}" for metric in METRICS), AUC)
_BEYOND: Final = ("novelty", "popularity_lift", "users_served", "diversity", "coverage", "gini")
_FIRST: Final = (SELECTION, JUDGED, f"{JUDGED}_low", f"{JUDGED}_high", CEILING)
_MEANS: Final = tuple(f"{part}_{metric}" for part in PARTS for metric in _METRICS)
_BOUNDS: Final = tuple(f"held_out_{metric}_{end}" for metric in _METRICS for end in ("low", "high"))
_WITH_INTERVAL: Final = ("precision", "ndcg")

_PLAYED: Final = (Columns.USER, Columns.ARTIST, Columns.PLAYS)
_TAGGED: Final = (Columns.USER, Columns.ARTIST, Columns.TAG, Columns.TAG_VALUE, Columns.DATE)
_DAY: Final = (Columns.DAY, Columns.MONTH, Columns.YEAR)


def _segment_columns() -> Iterable[str]:
    yield from (Columns.MODEL, KIND, SEGMENT, USERS)
    for metric in _METRICS:
        yield metric
        if metric.startswith(_WITH_INTERVAL):
            yield from (f"{metric}_low", f"{metric}_high")


COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **{
            f"raw/{table.asset}": (
                Columns.LINE,
                *(field.column for field in table.fields),
                Columns.TEXT,
                Columns.REASON,
            )
            for table in RAW_TABLES
        },
        "raw/source": ABOUT,
        "raw/keys": (Columns.KIND, Columns.ID, Columns.KEY),
        "listening/interactions": _PLAYED,
        "listening/artists": (Columns.ARTIST, Columns.NAME, Columns.URL, Columns.PICTURE),
        "listening/tag_assignments": _TAGGED,
        "listening/friendships": (Columns.USER, Columns.FRIEND),
        "listening/rejected_rows": (Columns.FILE, Columns.LINE, Columns.TEXT, Columns.REASON),
        "listening/split": (*_PLAYED, Columns.PART),
        "listening/training_tags": _TAGGED,
        "listening/profile": PROFILE,
        **{f"evaluation/{name}": (Columns.PART, Columns.USER, *_METRICS) for name in MODELS},
        "evaluation/comparison": ("metric", *COMPARISON),
        "evaluation/segments": tuple(_segment_columns()),
        "evaluation/leaderboard": (
            Columns.MODEL,
            *_FIRST,
            *(name for name in (*_MEANS, *_BOUNDS) if name not in _FIRST),
            *(f"held_out_{figure}@{CUTOFF}" for figure in _BEYOND),
            *("verdict", "users", "parameters", "seed", "fingerprint"),
        ),
        "evaluation/rating_error": RATING_ERROR,
        "evaluation/weighting_effect": WEIGHTING_EFFECT,
        "evaluation/lightfm_epochs": LIGHTFM_EPOCHS,
        "recommendations/top_artists": TOP_LIST,
        "recommendations/similar_artists": SIMILAR_LIST,
        "recommendations/similar_users": SIMILAR_USERS,
        "recommendations/drift": DRIFT,
        "recommendations/published": TOP_LIST,
        "insight/history": HISTORY,
        "insight/tag_trends": TAG_TRENDS,
        "insight/tag_popularity": TAG_POPULARITY,
        "insight/audio_features": AUDIO_FEATURES,
        "insight/audio_correlations": AUDIO_CORRELATIONS,
        **{
            f"tuning/{name}": (
                *("number", "state", "value", "splits"),
                *("seconds", "parameters", "error", "code"),
            )
            for name in tunable_models()
        },
        "tuning/lightfm_knobs": (
            *("knob", "value"),
            *(f"{part}_precision@{CUTOFF}" for part in PARTS),
        ),
    }
)
"""Columns of every table, in order, by asset."""


def _same(asset: str, *columns: str) -> dict[str, tuple[Source, ...]]:
    """Columns that pass through under their names."""
    return {column: ((asset, column),) for column in columns}


def _of_models(metric: str) -> tuple[Source, ...]:
    return tuple((f"evaluation/{name}", metric) for name in MODELS)


def _leaderboard() -> dict[str, tuple[Source, ...]]:
    metric_of = {name: name.partition("_")[2] for name in _MEANS if name.startswith("train_")}
    metrics = metric_of.values()
    found = {f"{part}_{metric}": _of_models(metric) for part in PARTS for metric in metrics}
    for metric in metrics:
        for end in ("low", "high"):
            found[f"held_out_{metric}_{end}"] = _of_models(metric)
    split = "listening/split"
    return {
        **found,
        CEILING: ((split, Columns.USER), (split, Columns.ARTIST), (split, Columns.PART)),
        "verdict": _of_models(f"ndcg@{CUTOFF}"),
        "users": _of_models(Columns.USER),
    }


_COMPARED: Final = (*_of_models(f"ndcg@{CUTOFF}"), *_of_models(f"precision@{CUTOFF}"))
_BOARD: Final = COLUMNS["evaluation/leaderboard"]
_CATALOGUE: Final = "listening/artists"
_TAGS: Final = "listening/tag_assignments"
_PLAYS: Final = "listening/interactions"
_REASONS: Final = ((_CATALOGUE, Columns.NAME), (_PLAYS, Columns.ARTIST), (_PLAYS, Columns.PLAYS))

LINEAGE: Final[Mapping[str, Mapping[str, tuple[Source, ...]]]] = MappingProxyType(
    {
        "listening/interactions": _same("raw/user_artists", *_PLAYED),
        "listening/artists": _same("raw/artists", *COLUMNS["listening/artists"]),
        "listening/tag_assignments": {
            **_same("raw/tagged_artists", Columns.USER, Columns.ARTIST, Columns.TAG),
            Columns.TAG_VALUE: (
                ("raw/tags", Columns.TAG_VALUE),
                ("raw/tagged_artists", Columns.TAG),
            ),
            Columns.DATE: tuple(("raw/tagged_artists", column) for column in _DAY),
        },
        "listening/friendships": _same("raw/friends", Columns.USER, Columns.FRIEND),
        "listening/rejected_rows": {
            column: tuple((f"raw/{table.asset}", column) for table in RAW_TABLES)
            for column in (Columns.LINE, Columns.TEXT, Columns.REASON)
        },
        "listening/split": _same(_PLAYS, *_PLAYED),
        "listening/training_tags": _same("listening/tag_assignments", *_TAGGED),
        **{
            f"evaluation/{name}": _same("listening/split", Columns.PART, Columns.USER)
            for name in MODELS
        },
        "evaluation/leaderboard": _leaderboard(),
        "evaluation/comparison": dict.fromkeys(
            ("difference", "low", "high", "p_adjusted", "verdict"), _COMPARED
        ),
        "evaluation/segments": {
            USERS: _of_models(Columns.USER),
            **{
                column: _of_models(column.removesuffix("_low").removesuffix("_high"))
                for column in COLUMNS["evaluation/segments"][4:]
            },
        },
        "recommendations/top_artists": {
            **_same(_PLAYS, Columns.USER),
            **_same(_CATALOGUE, Columns.ARTIST, Columns.NAME),
            Columns.BECAUSE: _REASONS,
        },
        "recommendations/similar_artists": {
            Columns.TO_ARTIST: ((_CATALOGUE, Columns.ARTIST),),
            Columns.TO_NAME: ((_CATALOGUE, Columns.NAME),),
            **_same(_CATALOGUE, Columns.ARTIST, Columns.NAME),
            Columns.SIMILARITY: ((_PLAYS, Columns.USER), (_PLAYS, Columns.ARTIST)),
            Columns.SCORE: ((_PLAYS, Columns.USER), (_PLAYS, Columns.ARTIST)),
        },
        "recommendations/similar_users": {
            Columns.TO_USER: ((_PLAYS, Columns.USER),),
            **_same(_PLAYS, Columns.USER),
            Columns.SIMILARITY: ((_PLAYS, Columns.USER), (_PLAYS, Columns.ARTIST)),
            Columns.SCORE: ((_PLAYS, Columns.USER), (_PLAYS, Columns.ARTIST)),
            Columns.BECAUSE: _REASONS,
        },
        "recommendations/published": _same("recommendations/top_artists", *TOP_LIST),
        "insight/tag_trends": {
            **_same(_TAGS, Columns.TAG_VALUE),
            **dict.fromkeys(TAG_TRENDS[1:], ((_TAGS, Columns.TAG_VALUE), (_TAGS, Columns.DATE))),
        },
        "insight/tag_popularity": {
            **_same(_TAGS, Columns.TAG_VALUE),
            "artists": ((_TAGS, Columns.ARTIST),),
            **{
                column: (
                    (_TAGS, Columns.ARTIST),
                    (_PLAYS, Columns.PLAYS if "plays" in column else Columns.USER),
                )
                for column in TAG_POPULARITY[2:]
            },
        },
        "insight/history": {
            **_same("evaluation/leaderboard", *(name for name in HISTORY if name in _BOARD)),
            "users": ((_PLAYS, Columns.USER),),
            "artists": ((_CATALOGUE, Columns.ARTIST),),
            "pairs": ((_PLAYS, Columns.USER), (_PLAYS, Columns.ARTIST)),
        },
    }
)
"""By asset and column: the columns upstream that its values come from."""


_RAW_TYPES: Final = {
    field.column: "Int64"  # pandas' integer that may be missing
    for table in RAW_TABLES
    for field in table.fields
    if field.kind == "integer"
}


def columns_of(asset: dg.AssetKey) -> dict[str, Any]:
    """Definition metadata: the columns of a table, each with its type and a sentence.

    Args:
        asset: one of `COLUMNS`.
    """
    raw = _RAW_TYPES if asset.path[0] == "raw" else {}
    types = {name: raw.get(name, column_type(name)) for name in COLUMNS[asset.to_user_string()]}
    lineage = lineage_of(asset).get("dagster/column_lineage")
    return {"dagster/column_schema": schema_of(types, lineage)}


def lineage_of(asset: dg.AssetKey) -> dict[str, Any]:
    """Metadata of a materialization: where the columns come from; empty where none passes through.

    Args:
        asset: of which the table is.
    """
    columns = LINEAGE.get(asset.to_user_string(), {})
    if not columns:
        return {}
    deps = {
        column: [dg.TableColumnDep(dg.AssetKey(one.split("/")), name) for one, name in sources]
        for column, sources in columns.items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}
