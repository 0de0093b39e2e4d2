"""The report page: one HTML file that needs neither network nor server."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from lastfm_assets.insight import charts, opening
from lastfm_assets.insight.audience import segments_chart
from lastfm_assets.insight.chapters import Chart
from lastfm_assets.insight.history import history_chart
from lastfm_assets.insight.inputs import ReportInputs
from lastfm_assets.insight.judged import (
    champion_facts,
    contests_table,
    leaderboard_chart,
    train_chart,
)
from lastfm_assets.insight.lookup import Lookup, lookup
from lastfm_assets.insight.moved import moved_sentences, moved_table
from lastfm_assets.insight.quality import files_read, quality_sentences, refusals
from lastfm_assets.insight.served import Exposure, exposure, exposure_chart
from lastfm_assets.insight.studies import study_charts
from lastfm_assets.insight.trends import trends, trends_chart

PAGE: Final = ("page/report.html.j2", "page/chart.html.j2", "page/page.css", "page/page.js")
"""What the page is laid out by, as paths from this folder."""
SEARCH_BUDGET: Final = 3_400_000
"""Bytes of compressed data for the search, which a page of 5 MB can hold in base64."""
_HERE: Final = Path(__file__).parent
_WEB: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Report:
    """One self-contained page."""

    html: str


def build_report(inputs: ReportInputs) -> Report:
    """Lays out the page.

    Args:
        inputs: see `ReportInputs`.

    Returns:
        The page, whose head begins with one literal `<head>`.
    """
    noun = inputs.noun
    spread = exposure(inputs.interactions, inputs.artists, inputs.lists)
    found = _searched(inputs)
    said = {
        "verdict": opening.verdict(inputs),
        "lede": opening.lede(inputs),
        "banner": opening.banner(inputs.source),
        "key_figures": opening.key_figures(inputs, spread.named),
        "noun": noun,
        "keyed": found is not None and found.keyed,
        "champion": inputs.champion,
        "facts": champion_facts(inputs.champion, inputs.leaderboard, noun),
        "contests": contests_table(inputs.comparison, inputs.champion),
        "quality": quality_sentences(inputs.rows_read, inputs.rejected_rows, inputs.split, noun),
        "files": files_read(inputs.rows_read, inputs.rejected_rows),
        "refusals": refusals(inputs.rejected_rows),
        "moved": [] if inputs.drift is None else moved_sentences(inputs.drift, noun),
        "drift": None if inputs.drift is None else moved_table(inputs.drift, noun),
        "data": base64.b64encode(found.content).decode() if found else "",
        "search_says": opening.search_says(found, inputs),
        "moment": opening.moment(inputs.refreshed_at),
        "stamp": inputs.refreshed_at.astimezone(UTC).isoformat(timespec="seconds"),
        "run_id": inputs.run_id,
        "run_url": _run_url(inputs.ui_url, inputs.run_id),
    }
    return Report(_rendered({**_drawn(inputs, spread), **said}))


def _searched(inputs: ReportInputs) -> Lookup | None:
    """What the search box knows; None where there is too much to be searched on a page."""
    if inputs.similar_artists is None:
        return None
    return lookup(
        interactions=inputs.interactions,
        artists=inputs.artists,
        tag_assignments=inputs.tag_assignments,
        lists=inputs.lists,
        similar=inputs.similar_artists,
        budget=SEARCH_BUDGET,
        noun=inputs.noun,
        keys=inputs.keys,
    )


def _drawn(inputs: ReportInputs, spread: Exposure) -> Mapping[str, Chart | None]:
    """Every chart by its name in the template; None where there is nothing to show."""
    noun = inputs.noun
    with charts.without_preferences():
        studied = study_charts(inputs)
        tags = None if studied["months"] else trends(inputs.tag_assignments)
        return {
            "leaderboard": leaderboard_chart(inputs.leaderboard, inputs.champion, noun),
            "train": train_chart(inputs.leaderboard),
            "exposure": exposure_chart(spread, noun),
            "segments": segments_chart(inputs.segments, inputs.champion, noun),
            "trends": trends_chart(tags) if tags else studied["months"],
            "history": history_chart(inputs.history, inputs.source, noun),
            **studied,
        }


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
