"""The history of refreshes and the report page, as assets."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.lineage import columns_of, lineage_of
from lastfm_assets.automation.metadata import OWNERS, key, table_metadata
from lastfm_assets.automation.resources import BESIDE, StoreIOManager, step_of
from lastfm_assets.errors import StoreError
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.insight.history import (
    HISTORY,
    REFRESHED_AT,
    RUN,
    Refresh,
    no_history,
    with_refresh,
)
from lastfm_assets.insight.inputs import ReportInputs
from lastfm_assets.insight.lookup import fits
from lastfm_assets.insight.report import PAGE, SEARCH_BUDGET, Report, build_report
from lastfm_assets.insight.studies import OF_NO_SOURCE, STUDY_TABLES
from lastfm_assets.io import Stamp, Store
from lastfm_assets.listening.about import ARTIST, About
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.provenance import code_version
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.vocabulary import TOP_LIST, Columns

HISTORY_KEY: Final = key("insight", "history")
PUBLISHED: Final = key("recommendations", "published")
_LEADERBOARD = key("evaluation", "leaderboard")
_INTERACTIONS = dg.AssetIn(key("listening", "interactions"))
_ARTISTS = dg.AssetIn(key("listening", "artists"))
_CHAMPION = dg.AssetIn(key("evaluation", "champion"))
_SOURCE: Final = "raw/source"
_KEYS: Final = "raw/keys"
_MONTHS: Final = "insight/tag_trends"
_TAGS: Final = ("listening", "tag_assignments")
_SPLIT: Final = key("listening", "split")
_LISTS: Final = key("recommendations", "top_artists")
_DRIFT: Final = key("recommendations", "drift")
_SIMILAR: Final = key("recommendations", "similar_artists")
_OPTIONAL: Final = {name: key(*name.split("/")) for name in (_SOURCE, _KEYS, *STUDY_TABLES)}
"""Tables that the report shows where they are there, and waits for nowhere."""


@dg.asset(
    key=HISTORY_KEY,
    ins={
        "champion": _CHAMPION,
        "board": dg.AssetIn(_LEADERBOARD),
        "interactions": _INTERACTIONS,
        "artists": _ARTISTS,
    },
    deps=[PUBLISHED],
    group_name="insight",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version("insight/history.py"),
    metadata=columns_of(HISTORY_KEY),
)
@fails_clearly
def history_table(
    context: dg.AssetExecutionContext,
    champion: Champion,
    board: pd.DataFrame,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    store: dg.ResourceParam[Store],
) -> dg.MaterializeResult[pd.DataFrame]:
    """What every refresh reached, a row a refresh; rows of earlier ones are never changed."""
    refresh = Refresh(
        refreshed_at=_started(context),
        run_id=context.run.run_id,
        source=store.source_of(_LEADERBOARD.path, pd.DataFrame),
        champion=champion,
        leaderboard=board,
        interactions=interactions,
        artists=artists,
        published_version=_published_version(store),
    )
    table = with_refresh(_history_until_now(store), refresh)
    newest_first = table_metadata(table.tail()[::-1])["preview"]
    return dg.MaterializeResult(
        value=table,
        metadata={**table_metadata(table, **lineage_of(HISTORY_KEY)), "preview": newest_first},
    )


@dg.asset(
    key=key("insight", "report"),
    ins={
        "champion": _CHAMPION,
        "board": dg.AssetIn(_LEADERBOARD),
        "comparison": dg.AssetIn(key("evaluation", "comparison")),
        "segments": dg.AssetIn(key("evaluation", "segments")),
        "interactions": _INTERACTIONS,
        "artists": _ARTISTS,
        "tag_assignments": dg.AssetIn(key("listening", "tag_assignments")),
        "rejected_rows": dg.AssetIn(key("listening", "rejected_rows")),
        "history": dg.AssetIn(HISTORY_KEY),
        "drift": dg.AssetIn(_DRIFT),
    },
    # of the raw tables only their rows are counted, of the others as much is read as is shown
    deps=[
        _SPLIT,
        _LISTS,
        _SIMILAR,
        *(key("raw", table.asset) for table in RAW_TABLES),
        PUBLISHED,
        _OPTIONAL[_SOURCE],
        _OPTIONAL[_KEYS],
    ],
    metadata={BESIDE: list(STUDY_TABLES)},
    group_name="insight",
    kinds={"html"},
    owners=OWNERS,
    code_version=code_version(
        "insight/report.py",
        "insight/audience.py",
        "insight/chapters.py",
        "insight/charts.py",
        "insight/curves.py",
        "insight/history.py",
        "insight/inputs.py",
        "insight/judged.py",
        "insight/lookup.py",
        "insight/months.py",
        "insight/moved.py",
        "insight/nouns.py",
        "insight/opening.py",
        "insight/popular.py",
        "insight/promised.py",
        "insight/quality.py",
        "insight/served.py",
        "insight/sound.py",
        "insight/studies.py",
        "insight/svg.py",
        "insight/trends.py",
        "insight/weighted.py",
        "listening/about.py",
        "listening/keys.py",
        "listening/wording.py",
        "music/audio_features.py",
        *(f"insight/{file}" for file in PAGE),
    ),
)
@fails_clearly
def report(  # noqa: PLR0917 (as many tables as the page shows)
    context: dg.AssetExecutionContext,
    champion: Champion,
    board: pd.DataFrame,
    comparison: pd.DataFrame,
    segments: pd.DataFrame,
    interactions: pd.DataFrame,
    artists: pd.DataFrame,
    tag_assignments: pd.DataFrame,
    rejected_rows: pd.DataFrame,
    history: pd.DataFrame,
    drift: pd.DataFrame,
    *,
    store: dg.ResourceParam[Store],
    io_manager: dg.ResourceParam[StoreIOManager],
    ui_url: dg.ResourceParam[str],
) -> dg.MaterializeResult[Report]:
    """One page that shows what this refresh found: models, lists, data, and a search over all.

    Studies are shown where they were made.
    """
    step = step_of(context)
    beside = _those_there(context, io_manager)
    searched = fits(io_manager.rows(step, _LISTS), len(artists), SEARCH_BUDGET)
    source = store.source_of(_LEADERBOARD.path, pd.DataFrame)
    studies = {name: beside[name] for name in _of_source(context, store, source, beside)}
    refresh = history.iloc[-1]
    page = build_report(
        ReportInputs(
            leaderboard=board,
            champion=champion,
            comparison=comparison,
            segments=segments,
            interactions=interactions,
            artists=artists,
            tag_assignments=tag_assignments,
            rejected_rows=rejected_rows,
            split=io_manager.columns(step, _SPLIT, [Columns.USER, Columns.PART]),
            lists=io_manager.columns(
                step, _LISTS, TOP_LIST if searched else [Columns.USER, Columns.ARTIST]
            ),
            similar_artists=io_manager.read(step, _SIMILAR, pd.DataFrame) if searched else None,
            history=history,
            drift=drift,
            rows_read={
                table.stem: io_manager.rows(step, key("raw", table.asset)) for table in RAW_TABLES
            },
            source=source,
            refreshed_at=refresh[REFRESHED_AT].to_pydatetime(),
            run_id=str(refresh[RUN]),
            ui_url=ui_url,
            studies=studies,
            item=About.from_table(beside[_SOURCE]).item if _SOURCE in beside else ARTIST,
            keys=beside.get(_KEYS),
        )
    )
    return dg.MaterializeResult(
        value=page,
        metadata={
            "bytes": len(page.html.encode()),
            "users": int(interactions[Columns.USER].nunique()),
            "artists": len(artists),
            "model": champion.model,
            "studies": ", ".join(studies) or "none",
        },
    )


def _those_there(
    context: dg.AssetExecutionContext, io_manager: StoreIOManager
) -> dict[str, pd.DataFrame]:
    """What was made of `_OPTIONAL`, by name, read so that the report is known to be made from it.

    A table that cannot be read is as good as not made: no study may stop a refresh.
    """
    step, found = step_of(context), {}
    for name, asset in _OPTIONAL.items():
        if io_manager.store.has(asset.path, pd.DataFrame):
            try:
                found[name] = io_manager.read(
                    step, asset, pd.DataFrame, is_listening=name not in OF_NO_SOURCE
                )
            except StoreError as problem:
                io_manager.note_unreadable(step, asset, pd.DataFrame)
                context.log.warning(f"the report goes without {name}: {problem}")
    return found


def _of_source(
    context: dg.AssetExecutionContext, store: Store, source: str, there: Iterable[str]
) -> list[str]:
    """Names of the studies that belong on a report of a source: those of another one mislead."""
    found = []
    for name in (name for name in STUDY_TABLES if name in there):
        stamp = store.stamp(_OPTIONAL[name].path, pd.DataFrame)
        made_from = stamp.source
        if name == _MONTHS and _is_outdated(store, stamp):
            context.log.info(f"the report goes without {name}: it is of earlier tags")
        elif name in OF_NO_SOURCE or made_from == source:
            found.append(name)
        else:
            context.log.warning(
                f"the report goes without {name}: it was made from {made_from}, the report is of "
                f"{source}; make the studies again"
            )
    return found


def _is_outdated(store: Store, stamp: Stamp) -> bool:
    """Whether tags have changed since: then the years' trends, made of today's, say more."""
    made_of = stamp.origin.inputs.get("/".join(_TAGS))
    return made_of != store.stamp(_TAGS, pd.DataFrame).version


def _history_until_now(store: Store) -> pd.DataFrame:
    """The rows of earlier refreshes; a damaged file is not written over, as nothing replaces it."""
    if not store.has(HISTORY_KEY.path, pd.DataFrame):
        return no_history()
    try:
        table = store.read(HISTORY_KEY.path, pd.DataFrame)
    except StoreError:
        table = None
    if table is None or not set(HISTORY) <= set(table.columns):
        raise StoreError(
            f"{store.path(HISTORY_KEY.path, pd.DataFrame)}: earlier refreshes cannot be read; "
            "restore the file, or move it away to begin anew"
        )
    return table


def _started(context: dg.AssetExecutionContext) -> datetime:
    """When the run began: the same for every asset of it, and for a step that is tried again."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    if record is None:
        raise StoreError(f"run {context.run.run_id} is not on record; run `lastfm-assets refresh`")
    if record.start_time is not None:
        return datetime.fromtimestamp(record.start_time, UTC)
    created: datetime = record.create_timestamp
    return created.astimezone(UTC)


def _published_version(store: Store) -> int | None:
    """Of what readers see now; None where nothing was ever published."""
    try:
        return PublishedLists(store.root).version().number
    except StoreError:
        return None
