"""Tags and audio features over time, and what goes with popularity, as assets."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.jobs import STUDIES
from lastfm_assets.automation.lineage import columns_of, lineage_of
from lastfm_assets.automation.metadata import OWNERS, key, table_metadata
from lastfm_assets.automation.pictures import picture
from lastfm_assets.automation.resources import SIGNATURE, SOURCE
from lastfm_assets.music import audio_charts, charts, correlations
from lastfm_assets.music import tag_popularity as popular
from lastfm_assets.music import tag_trends as trends
from lastfm_assets.music.audio_features import (
    NOT_SET,
    AudioFiles,
    long_table,
    no_features,
    read_audio_files,
)
from lastfm_assets.provenance import code_version
from lastfm_assets.vocabulary import Columns

TAG_TRENDS = key("insight", "tag_trends")
TAG_POPULARITY = key("insight", "tag_popularity")
AUDIO_FEATURES = key("insight", "audio_features")
AUDIO_CORRELATIONS = key("insight", "audio_correlations")
_TAG_ASSIGNMENTS = dg.AssetIn(key("listening", "tag_assignments"), dagster_type=pd.DataFrame)
_AUDIO = {
    "audio_features": (
        "How music sounded, year by year: Spotify's means of acousticness, tempo, loudness and so "
        "on.\n\nRead from the folder in LASTFM_AUDIO_FEATURES; empty where that is not set. "
        "Popularity counts plays of today, not of the year."
    ),
    "audio_correlations": (
        "What goes with popularity: Spearman's correlation of every audio feature with it, over "
        "years, over genres and over changes from one year to the next.\n\nNo cause: over years "
        "both follow time, as Spotify counts plays of today and recent years are popular whatever "
        "their sound; `of_changes` is what is left once time is taken out, and `warning` says so "
        "row by row. Empty where LASTFM_AUDIO_FEATURES is not set."
    ),
}


@dg.asset(
    key=TAG_TRENDS,
    ins={"tag_assignments": _TAG_ASSIGNMENTS},
    group_name=STUDIES,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version("music/tag_trends.py", "music/spelling.py", "music/intervals.py"),
    metadata=columns_of(TAG_TRENDS),
)
@fails_clearly
def tag_trends(tag_assignments: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
    """How genres rose and fell: of the 30 most used tags, each one's share of a month's tags.

    Tags that differ in case, hyphens and spaces only are one. Early months have few tags, and so
    wide intervals. Most of HetRec's dates are the first day of a month: there is nothing finer
    than months. The monthly intervals take tags for independent; what rose for sure, in
    `in_words`, is judged over users, some of whom give hundreds of tags in a day.
    """
    table = trends.tag_trends(tag_assignments)
    moved = trends.moves(tag_assignments)
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            in_words=trends.in_words(moved),
            trends=picture(charts.trends(table, moved), "shares of tags over the months"),
            tags=int(table[Columns.TAG_VALUE].nunique()),
            months=int(table["month_start"].nunique()),
            moved_for_sure=int(moved.shares["sure"].sum()),
            **lineage_of(TAG_TRENDS),
        ),
    )


@dg.asset(
    key=TAG_POPULARITY,
    ins={
        "tag_assignments": _TAG_ASSIGNMENTS,
        "interactions": dg.AssetIn(key("listening", "interactions"), dagster_type=pd.DataFrame),
    },
    group_name=STUDIES,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version("music/tag_popularity.py", "music/spelling.py", "music/intervals.py"),
    metadata=columns_of(TAG_POPULARITY),
)
@fails_clearly
def tag_popularity(
    tag_assignments: pd.DataFrame, interactions: pd.DataFrame, seed: dg.ResourceParam[int]
) -> dg.MaterializeResult[pd.DataFrame]:
    """How popular artists are by what they are called: listeners, and plays of each listener.

    Of the 40 most used tags that 30 artists or more carry. Popular artists are tagged by more
    people, so tagged artists are better known than untagged ones and those of many tags better
    than those of one: `lift` therefore holds a tag against all tagged artists, and even so says
    what goes together, not that a tag makes anybody popular.
    """
    table = popular.tag_popularity(tag_assignments, interactions, seed=seed)
    tagged, untagged = popular.tagged_and_untagged(tag_assignments, interactions)
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            in_words=popular.in_words(table),
            popularity=picture(
                charts.popularity(table, untagged), "listeners and plays of artists by tag"
            ),
            listeners_of_tagged=tagged,
            listeners_of_untagged=untagged,
            **lineage_of(TAG_POPULARITY),
        ),
    )


@dg.multi_asset(
    name="audio_files",
    outs={
        name: dg.AssetOut(
            key=key("insight", name),
            dagster_type=pd.DataFrame,
            description=description,
            group_name=STUDIES,
            kinds={"source", "parquet"},
            owners=OWNERS,
            code_version=code_version(
                "music/audio_features.py", "music/correlations.py", "music/intervals.py"
            ),
            metadata=columns_of(key("insight", name)),
        )
        for name, description in _AUDIO.items()
    },
)
@fails_clearly
def audio_files(
    audio_features: dg.ResourceParam[str | None], seed: dg.ResourceParam[int]
) -> Iterator[dg.MaterializeResult[pd.DataFrame]]:
    """Reads both files before either table is replaced: a bad one replaces none."""
    if not audio_features:
        unset = {"outcome": NOT_SET, SOURCE: "none", SIGNATURE: "not set"}
        made = [(AUDIO_FEATURES, no_features(), unset)]
        made.append((AUDIO_CORRELATIONS, correlations.no_correlations(), unset))
    else:
        made = _from_files(read_audio_files(audio_features), seed)
    yield from [
        dg.MaterializeResult(asset_key=asset, value=table, metadata=table_metadata(table, **facts))
        for asset, table, facts in made
    ]


def _from_files(files: AudioFiles, seed: int) -> list[tuple[dg.AssetKey, pd.DataFrame, Any]]:
    """Both tables, each with what is shown of it; neither comes from a table of Last.fm's."""
    features = long_table(files.years)
    found = correlations.audio_correlations(files.years, files.genres, seed=seed)
    stamp = {SOURCE: "audio features", SIGNATURE: files.signature}
    shown = {
        "features": picture(audio_charts.features(features), "audio features over the years"),
        "years": len(files.years),
    }
    compared = {
        "in_words": correlations.in_words(found),
        "correlations": picture(
            audio_charts.correlations(found), "correlations of audio features with popularity"
        ),
        "warnings": int((found["warning"] != "").sum()),
        "genres": len(files.genres),
    }
    return [
        (AUDIO_FEATURES, features, shown | stamp),
        (AUDIO_CORRELATIONS, found, compared | stamp),
    ]
