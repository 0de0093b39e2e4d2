"""Chapters on audio features: over the years, and what goes with popularity."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import (
    UNKNOWN,
    Chart,
    Drawing,
    Table,
    counted,
    decimal,
    table_of,
)
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.curves import small_curve
from lastfm_assets.insight.judged import ENDS
from lastfm_assets.music.audio_features import POPULARITY, UNITS
from lastfm_assets.vocabulary import Columns

_MILLISECONDS: Final = "_ms"
_MINUTE: Final = 60_000
_NONE: Final = (0.0, "none")
_AXIS: Final = "correlation with popularity, -1 to 1"


def features_chart(table: pd.DataFrame) -> Chart | None:
    """A small line a feature over the years, each to its own scale.

    Args:
        table: `insight/audio_features`; None is returned of fewer than two years.
    """
    rows = table[table["value"].notna()].drop_duplicates([Columns.YEAR, "feature"])
    names = list(dict.fromkeys(rows["feature"]))
    wide = rows.pivot_table(index=Columns.YEAR, columns="feature", values="value").sort_index()
    if len(wide) < 2:  # noqa: PLR2004 (a line needs two points)
        return None
    shown = {str(name): _in_minutes(str(name), wide[name]) for name in names}
    first, last = wide.index[0], wide.index[-1]
    drawings = [_drawing(name, values) for name, values in shown.items()]
    title = f"How music sounded, {first} to {last}"
    if {"acousticness", "energy"} <= set(shown):
        acoustic, energy = shown["acousticness"], shown["energy"]
        title = (
            f"From {first} to {last} music went from {decimal(acoustic.iloc[0], 2)} to "
            f"{decimal(acoustic.iloc[-1], 2)} of acousticness and from "
            f"{decimal(energy.iloc[0], 2)} to {decimal(energy.iloc[-1], 2)} of energy"
        )
    figures = Table(
        ("year", *(f"{_called(name)}{_unit(name, ', ')}" for name in shown)),
        [
            (str(year), *(_written(values.iloc[place]) for values in shown.values()))
            for place, year in enumerate(wide.index)
        ],
        "Mean of each feature in each year",
    )
    note = (
        "Means over songs of Spotify by the year of their release, each to a scale of its own. The "
        "first decades have few songs, so their means jump."
    )
    if POPULARITY in shown:
        note += " Popularity counts plays of today: which years are heard now, not what was then."
    return Chart(title, figures, drawings, note)


def years_chart(table: pd.DataFrame) -> Chart | None:
    """What goes with popularity over the years, and what is left of it from year to year.

    Args:
        table: `insight/audio_correlations`; None is returned where it has no years.
    """
    rows = _of(table, "years")
    if rows.empty:
        return None
    most = rows.iloc[int(rows["correlation"].abs().to_numpy().argmax())]
    left = rows["of_changes"].dropna()
    title = (
        f"{_called(str(most['feature'])).capitalize()} goes with popularity over the years "
        f"({_signed(most['correlation'])}); from year to year {_signed(most['of_changes'])} is left"
    )
    said = "Two dots a feature: " + "; ".join(
        f"{_called(str(row['feature']))} {_signed(row['correlation'])} over years, "
        f"{_signed(row['of_changes'])} of changes"
        for row in rows.to_dict("records")
    )
    series = [Series("over years", *_bounds(rows))]
    if len(left):
        series.append(Series("changes", rows["of_changes"].tolist()))
    drawing = charts.dots(_names(rows), series, axis=_AXIS, said=said, mark=_NONE, given=True)
    note = (
        f"Correlation of ranks (Spearman) over {counted(int(rows['n'].max()), 'year')}; whiskers: "
        "95% intervals of blocks of ten years. Changes: the same of steps from one year to the "
        "next, which is what remains once time is taken out."
    )
    figures = _figures(rows, "Correlation with popularity over the years", changes=True)
    return Chart(title, figures, [Drawing(drawing, said)], note, shown=True, warning=_warning(rows))


def genres_chart(table: pd.DataFrame) -> Chart | None:
    """What goes with popularity over genres.

    Args:
        table: as for `years_chart`; None is returned where it has no genres.
    """
    rows = _of(table, "genres")
    if rows.empty:
        return None
    most = rows.iloc[int(rows["correlation"].abs().to_numpy().argmax())]
    title = (
        f"Over genres {_called(str(most['feature']))} goes with popularity most "
        f"({_signed(most['correlation'])})"
    )
    said = "A dot a feature: " + "; ".join(
        f"{_called(str(row['feature']))} {_signed(row['correlation'])}"
        for row in rows.to_dict("records")
    )
    series = [Series("over genres", *_bounds(rows))]
    drawing = charts.dots(_names(rows), series, axis=_AXIS, said=said, mark=_NONE, given=True)
    note = (
        f"Correlation of ranks (Spearman) over {counted(int(rows['n'].max()), 'genre')}, each of "
        "which counts once; whiskers: 95% intervals."
    )
    figures = _figures(rows, "Correlation with popularity over genres", changes=False)
    return Chart(title, figures, [Drawing(drawing, said)], note, shown=True, warning=_warning(rows))


def _of(table: pd.DataFrame, of: str) -> pd.DataFrame:
    rows = table[(table["of"] == of) & table["correlation"].notna()]
    return rows.sort_values("correlation", ascending=False, kind="stable", ignore_index=True)


def _warning(rows: pd.DataFrame) -> str:
    """The warning of the strongest correlation that has one, and how many have; or nothing."""
    warned = rows[rows["warning"].fillna("") != ""]
    if warned.empty:
        return ""
    most = warned.iloc[int(warned["correlation"].abs().to_numpy().argmax())]
    return (
        f"{len(warned)} of {len(rows)} figures here are to be read with a warning, which stands "
        f"beside them below. That of {_called(str(most['feature']))}: {most['warning']}"
    )


def _figures(rows: pd.DataFrame, caption: str, *, changes: bool) -> Table:
    return table_of(
        rows,
        [
            ("feature", lambda row: _called(str(row["feature"]))),
            ("correlation", lambda row: _signed(row["correlation"])),
            (
                "its 95% interval",
                lambda row: (
                    f"{_signed(row['correlation_low'])} to {_signed(row['correlation_high'])}"
                ),
            ),
            *([("of changes", _changes)] if changes else []),
            ("warning", lambda row: str(row["warning"]) or "none"),
        ],
        caption,
        prose=True,
    )


def _changes(row: Mapping[Any, Any]) -> str:
    return _signed(row["of_changes"])


def _drawing(name: str, values: "pd.Series[float]") -> Drawing:
    known = values.dropna()
    unit = _unit(name, "")
    said = (
        f"{_called(name)}{_unit(name, ' in ')}: {_written(known.iloc[0])} in {known.index[0]}, "
        f"{_written(known.iloc[-1])} in {known.index[-1]}."
    )
    svg = small_curve(values.index.tolist(), values.tolist(), unit=unit, said=said)
    return Drawing(svg, said, _called(name).capitalize())


def _called(name: str) -> str:
    return name.removesuffix(_MILLISECONDS)


def _unit(name: str, before: str) -> str:
    """The unit behind some words; empty of a feature that nobody has told the unit of."""
    if name.endswith(_MILLISECONDS):
        return f"{before}minutes"
    return f"{before}{UNITS[name]}" if name in UNITS else ""


def _in_minutes(name: str, values: "pd.Series[float]") -> "pd.Series[float]":
    return values / _MINUTE if name.endswith(_MILLISECONDS) else values


def _written(value: float) -> str:
    """Four figures, as features range from thousandths to hundreds."""
    return f"{value:.4g}" if np.isfinite(value) else UNKNOWN


def _signed(value: float) -> str:
    return f"{value:+.2f}" if np.isfinite(value) else UNKNOWN


def _names(rows: pd.DataFrame) -> list[str]:
    return [_called(str(name)) for name in rows["feature"]]


def _bounds(rows: pd.DataFrame) -> tuple[list[float], ...]:
    return tuple(rows[f"correlation{end}"].tolist() for end in ENDS)
