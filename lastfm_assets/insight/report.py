"""The report page: one HTML file that needs neither network nor server."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.insight import charts
from lastfm_assets.insight.audience import segments_chart
from lastfm_assets.insight.chapters import counted, decimal, interval, number, percent, quotient
from lastfm_assets.insight.history import history_chart
from lastfm_assets.insight.judged import (
    champion_facts,
    contests_table,
    leaderboard_chart,
    train_chart,
)
from lastfm_assets.insight.lookup import Lookup, lookup
from lastfm_assets.insight.quality import files_read, lost_rows, quality_sentences, refusals
from lastfm_assets.insight.served import exposure, exposure_chart
from lastfm_assets.insight.trends import trends, trends_chart
from lastfm_assets.vocabulary import Columns

PAGE: Final = ("page/report.html.j2", "page/chart.html.j2", "page/page.css", "page/page.js")
"""What the page is laid out by, as paths from this folder."""
SEARCH_BUDGET: Final = 3_400_000
"""Bytes of compressed data for the search, which a page of 5 MB can hold in base64."""
_HERE: Final = Path(__file__).parent
_SAMPLE: Final = "sample"
_WEB: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Report:
    """One self-contained page."""

    html: str


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Everything that a report is made from; equal inputs give the same page to the byte."""

    leaderboard: pd.DataFrame
    champion: Champion
    comparison: pd.DataFrame
    segments: pd.DataFrame
    interactions: pd.DataFrame
    artists: pd.DataFrame
    tag_assignments: pd.DataFrame
    rejected_rows: pd.DataFrame
    split: pd.DataFrame
    lists: pd.DataFrame
    """`TOP_LIST`, as published."""
    similar_artists: pd.DataFrame
    history: pd.DataFrame
    """See `history.HISTORY`; the last row is this refresh."""
    rows_read: Mapping[str, int]
    """Rows of each file of the source, by its name without ending."""
    source: str
    refreshed_at: datetime
    """When the refresh began, with a time zone."""
    run_id: str
    ui_url: str
    """Where Dagster's web UI is reached."""


def build_report(inputs: ReportInputs) -> Report:
    """Lays out the page.

    Args:
        inputs: see `ReportInputs`.

    Returns:
        The page, whose head begins with one literal `<head>`.
    """
    spread = exposure(inputs.interactions, inputs.artists, inputs.lists)
    found = lookup(
        interactions=inputs.interactions,
        artists=inputs.artists,
        tag_assignments=inputs.tag_assignments,
        lists=inputs.lists,
        similar=inputs.similar_artists,
        budget=SEARCH_BUDGET,
    )
    tags = trends(inputs.tag_assignments)
    with charts.without_preferences():
        drawn = {
            "leaderboard": leaderboard_chart(inputs.leaderboard, inputs.champion),
            "train": train_chart(inputs.leaderboard),
            "exposure": exposure_chart(spread),
            "segments": segments_chart(inputs.segments, inputs.champion),
            "trends": trends_chart(tags) if tags else None,
            "history": history_chart(inputs.history, inputs.source),
        }
    said = {
        "verdict": verdict(inputs),
        "lede": _lede(inputs.champion),
        "banner": banner(inputs.source),
        "key_figures": _figures(inputs, spread.named),
        "champion": inputs.champion,
        "facts": champion_facts(inputs.champion, inputs.leaderboard),
        "contests": contests_table(inputs.comparison, inputs.champion),
        "quality": quality_sentences(inputs.rows_read, inputs.rejected_rows, inputs.split),
        "files": files_read(inputs.rows_read, inputs.rejected_rows),
        "refusals": refusals(inputs.rejected_rows),
        "data": base64.b64encode(found.content).decode() if found else "",
        "search_says": _search_says(found, inputs),
        "moment": _moment(inputs.refreshed_at),
        "stamp": inputs.refreshed_at.astimezone(UTC).isoformat(timespec="seconds"),
        "run_id": inputs.run_id,
        "run_url": _run_url(inputs.ui_url, inputs.run_id),
    }
    return Report(_rendered({**drawn, **said}))


def verdict(inputs: ReportInputs) -> str:
    """Which model serves, how good it is, for whom, from what and since when: one sentence."""
    champion = inputs.champion
    users = int(inputs.lists[Columns.USER].nunique())
    return (
        f"{champion.model} serves {counted(users, 'user')} of {_called(inputs.source)} with a "
        f"held-out precision@10 of {decimal(champion.precision)} (95% interval "
        f"{interval(champion.precision_low, champion.precision_high)}), as of "
        f"{_moment(inputs.refreshed_at)}."
    )


def banner(source: str) -> str:
    """A warning where the figures are not of one set of real listeners; else empty."""
    if "+" in source:
        return (
            f"The tables come from several sources ({source}): nothing on this page can be "
            "trusted. Run a whole refresh."
        )
    if source == _SAMPLE:
        return (
            "Made from the bundled sample: its listeners and artists are invented. It is used "
            "where LASTFM_SOURCE is sample, or where real listening data could not be reached."
        )
    return ""


def _lede(champion: Champion) -> str:
    """The verdict once more, in plain words."""
    return (
        f"Of ten artists that it names, {10 * champion.precision:.1f} are ones that the listener "
        "does play, though it was never told so. Naming the best known artists to everybody would "
        f"find {10 * champion.popularity_precision:.1f}."
    )


def _figures(inputs: ReportInputs, named: int) -> list[tuple[str, str]]:
    read, refused = sum(inputs.rows_read.values()), lost_rows(inputs.rejected_rows)
    return [
        (number(inputs.interactions[Columns.USER].nunique()), "users"),
        (number(len(inputs.artists)), "artists"),
        (number(len(inputs.interactions)), "pairs of user and artist"),
        (number(float(inputs.interactions[Columns.PLAYS].sum())), "plays"),
        (percent(quotient(named, len(inputs.artists))), "of artists recommended"),
        (percent(quotient(refused, read), 2), "of rows refused"),
    ]


def _search_says(found: Lookup | None, inputs: ReportInputs) -> str:
    if found is None:
        return (
            "There are too many users and artists for a page to carry; ask "
            "`lastfm-assets recommend --user` instead."
        )
    most = int(inputs.interactions.groupby(Columns.USER).size().max())
    if most > found.played:
        return f"Of each user the {found.played} most played artists are here."
    return ""


def _called(source: str) -> str:
    return "the bundled sample" if source == _SAMPLE else source


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _run_url(ui_url: str, run_id: str) -> str:
    """The run's page in the web UI; empty where that is no web address."""
    return f"{ui_url.rstrip('/')}/runs/{run_id}" if ui_url.startswith(_WEB) else ""


def _rendered(content: Mapping[str, Any]) -> str:
    """The page with its style and script, whose hashes its own security policy names."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 (slow)
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_HERE / "page", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["drawn"] = Markup  # SVG of `charts`, in which everything is escaped
    style, script = ((_HERE / "page" / name).read_text("utf-8") for name in ("page.css", "page.js"))
    page = environment.get_template("report.html.j2").render(
        **content,
        style=Markup(style),  # noqa: S704 (our own file)
        script=Markup(script),  # noqa: S704 (our own file)
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    # ASCII alone: whatever else is put into its head, no browser can mistake its encoding
    return page.encode("ascii", "xmlcharrefreplace").decode()


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
