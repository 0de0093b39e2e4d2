"""The history of refreshes and the report page, as assets."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.lineage import columns_of, lineage_of
from lastfm_assets.automation.metadata import OWNERS, key, table_metadata
from lastfm_assets.errors import StoreError
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.insight.history import HISTORY, Refresh, no_history, with_refresh
from lastfm_assets.insight.report import PAGE, Report, ReportInputs, build_report
from lastfm_assets.io import Store
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.provenance import code_version
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.vocabulary import Columns

HISTORY_KEY: Final = key("insight", "history")
PUBLISHED: Final = key("recommendations", "published")
_LEADERBOARD = key("evaluation", "leaderboard")
_INTERACTIONS = dg.AssetIn(key("listening", "interactions"))
_ARTISTS = dg.AssetIn(key("listening", "artists"))
_CHAMPION = dg.AssetIn(key("evaluation", "champion"))
_RAW_INPUTS = {
    f"raw_{table.asset}": dg.AssetIn(key("raw", table.asset), dagster_type=pd.DataFrame)
    for table in RAW_TABLES
}


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
        "split_pairs": dg.AssetIn(key("listening", "split")),
        "lists": dg.AssetIn(key("recommendations", "top_artists")),
        "similar_artists": dg.AssetIn(key("recommendations", "similar_artists")),
        "history": dg.AssetIn(HISTORY_KEY),
        **_RAW_INPUTS,
    },
    deps=[PUBLISHED],
    group_name="insight",
    kinds={"html"},
    owners=OWNERS,
    code_version=code_version(
        "insight/report.py",
        "insight/audience.py",
        "insight/chapters.py",
        "insight/charts.py",
        "insight/history.py",
        "insight/judged.py",
        "insight/lookup.py",
        "insight/quality.py",
        "insight/served.py",
        "insight/svg.py",
        "insight/trends.py",
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
    split_pairs: pd.DataFrame,
    lists: pd.DataFrame,
    similar_artists: pd.DataFrame,
    history: pd.DataFrame,
    *,
    store: dg.ResourceParam[Store],
    ui_url: dg.ResourceParam[str],
    **raw: pd.DataFrame,
) -> dg.MaterializeResult[Report]:
    """One page that shows what this refresh found: models, lists, data, and a search over all."""
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
            split=split_pairs,
            lists=lists,
            similar_artists=similar_artists,
            history=history,
            rows_read={table.stem: len(raw[f"raw_{table.asset}"]) for table in RAW_TABLES},
            source=store.source_of(_LEADERBOARD.path, pd.DataFrame),
            refreshed_at=_started(context),
            run_id=context.run.run_id,
            ui_url=ui_url,
        )
    )
    return dg.MaterializeResult(
        value=page,
        metadata={
            "bytes": len(page.html.encode()),
            "users": int(interactions[Columns.USER].nunique()),
            "artists": len(artists),
            "model": champion.model,
        },
    )


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
        return PublishedLists(store.root).history()[0].number
    except StoreError:
        return None
