"""The chapter on tags by month: which rose and which fell."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.insight.chapters import Chart, Drawing, Table, cut, percent
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.curves import small_band
from lastfm_assets.vocabulary import Columns

TAGS: Final = 12
"""Tags that get a drawing of their own, those whose share moved most."""
END: Final = 24
"""Months at either end that are held against each other."""
_SMOOTHED: Final = 7
"""Months, around each, whose tags make a point of the line."""
_LEAST: Final = 4
"""Months of those that must exist, at the ends of the span."""
_LONGEST_NAME: Final = 60
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Move:
    """What became of one tag."""

    name: str
    first: float
    """Share of all tags given in the first months."""
    last: float
    """The same of the last months."""

    @property
    def change(self) -> float:
        """Share of one by which it rose, below zero where it fell."""
        return self.last - self.first


def months_chart(table: pd.DataFrame) -> Chart | None:
    """A small line a tag over the months, with each month's interval.

    Args:
        table: `insight/tag_trends`; None is returned of fewer than two months with tags.
    """
    given = table.groupby("month_start")["of_all"].max()
    if (given > 0).sum() < 2:  # noqa: PLR2004 (a line needs two points)
        return None
    end = min(END, len(given) // 2)
    every = moves(table, end)
    shown = sorted(every, key=lambda move: -abs(move.change))[:TAGS]
    shown.sort(key=lambda move: -move.change)
    rows = {move.name: _by_month(table, move.name, given.index) for move in shown}
    lines = {name: _smoothed(one) for name, one in rows.items()}
    drawings = [_drawing(move, rows[move.name], lines[move.name]) for move in shown]
    return Chart(_title(every), _table(rows, given), drawings, _note(len(shown), len(every), end))


def moves(table: pd.DataFrame, end: int) -> list[Move]:
    """Each tag's share of all tags in the first and in the last so many months."""
    months = np.sort(table["month_start"].unique())
    found = []
    for name, rows in table.groupby(Columns.TAG_VALUE, sort=False):
        ends = (
            rows[rows["month_start"].isin(span)][["assignments", "of_all"]].sum()
            for span in (months[:end], months[-end:])
        )
        first, last = (
            float(sums["assignments"] / sums["of_all"]) if sums["of_all"] else 0.0 for sums in ends
        )
        found.append(Move(str(name), first, last))
    return found


def _by_month(table: pd.DataFrame, name: str, months: pd.Index) -> pd.DataFrame:
    rows = table[table[Columns.TAG_VALUE] == name].drop_duplicates("month_start")
    return rows.set_index("month_start").reindex(months)


def _smoothed(rows: pd.DataFrame) -> np.ndarray:
    """(months,) share over the months around each; NaN where none of them has tags."""
    counts = rows[["assignments", "of_all"]]
    around = counts.rolling(_SMOOTHED, center=True, min_periods=min(_LEAST, len(rows))).sum()
    share = around["assignments"] / around["of_all"].where(around["of_all"] > 0)
    return np.asarray(share.to_numpy(dtype=np.float64))


def _drawing(move: Move, rows: pd.DataFrame, line: np.ndarray) -> Drawing:
    said = (
        f"Share of tags that say {move.name}: {percent(move.first)} in the first months, "
        f"{percent(move.last)} in the last, {100 * move.change:+.1f} points."
    )
    years = [month.year + (month.month - 0.5) / _MONTHS for month in rows.index]
    bounds = (rows[f"share_{end}"].tolist() for end in ("low", "high"))
    band = Series(move.name, rows["share"].tolist(), *bounds)
    title = f"{percent(move.first)} to {percent(move.last)}"
    svg = small_band(years, line.tolist(), band, title=title, said=said)
    return Drawing(svg, said, cut(move.name, _LONGEST_NAME))


def _title(every: list[Move]) -> str:
    up = max(every, key=lambda move: move.change)
    down = min(every, key=lambda move: move.change)
    if up is down:
        return f"“{cut(up.name, _LONGEST_NAME)}” is the one tag that is followed"
    verbs = (
        ("rose most" if up.change > 0 else "fell least"),
        ("fell most" if down.change < 0 else "rose least"),
    )
    return "; ".join(
        f"“{cut(move.name, _LONGEST_NAME)}” {verb}, from {percent(move.first)} to "
        f"{percent(move.last)} of all tags"
        for move, verb in zip((up, down), verbs, strict=True)
    )


def _note(shown: int, of: int, end: int) -> str:
    months = f"first {end} months against last {end}" if end > 1 else "first month against last"
    return (
        f"The {shown} of {of} followed tags that moved most, {months}; scales differ. Line: "
        f"{_SMOOTHED} months around each. Band: 95% interval of each month by itself, cut at the "
        "top; wide where few tags were given. It takes tags for independent of each other, though "
        "one user may give hundreds in a day."
    )


def _table(rows: dict[str, pd.DataFrame], given: "pd.Series[int]") -> Table:
    shares = [one["share"].tolist() for one in rows.values()]
    return Table(
        ("month", "tags given", *(cut(name, _LONGEST_NAME) for name in rows)),
        [
            (f"{month:%Y-%m}", f"{count:,}", *(percent(one[place]) for one in shares))
            for place, (month, count) in enumerate(given.items())
        ],
        "Share of all tags given in each month",
    )
