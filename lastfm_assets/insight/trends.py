"""The chapter on tags over time: which words users reach for, and when."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import Chart, Drawing, Table, cut, percent
from lastfm_assets.vocabulary import Columns

TAGS: Final = 12
"""Tags that get a drawing of their own."""
MIN_ASSIGNMENTS: Final = 100
"""Tags given in a quarter, below which a share of them says little: half a point at the least."""
_YEAR: Final = 4
"""Quarters of a year, by whose mean the ends are compared."""
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Trends:
    """Shares of the most used tags."""

    shares: pd.DataFrame
    """(quarters, tags) share of all tags given in a quarter; NaN in quarters of too few."""
    given: "pd.Series[int]"
    """Tags given, by quarter."""

    @property
    def change(self) -> "pd.Series[float]":
        """Mean share of the last four quarters that have one minus that of the first four."""
        known = self.shares.dropna(how="all")
        return known.tail(_YEAR).mean() - known.head(_YEAR).mean()


def trends(tag_assignments: pd.DataFrame, *, tags: int = TAGS) -> Trends | None:
    """Shares of the most used tags by quarter.

    Args:
        tag_assignments: `tag, date`, one row an assignment.
        tags: how many; equally often used ones: by name.

    Returns:
        Quarters from the first to the last with `MIN_ASSIGNMENTS`; None unless there are two.
    """
    quarters = tag_assignments[Columns.DATE].dt.to_period("Q")
    given = quarters.value_counts().sort_index()
    enough = given.index[given >= MIN_ASSIGNMENTS]
    if len(enough) < 2:  # noqa: PLR2004 (a line needs two points)
        return None
    span = pd.period_range(enough[0], enough[-1], freq="Q")
    counts = tag_assignments[Columns.TAG_VALUE].value_counts()
    most = sorted(counts.items(), key=lambda one: (-int(one[1]), str(one[0])))[:tags]
    names = [name for name, _ in most]
    chosen = tag_assignments[tag_assignments[Columns.TAG_VALUE].isin(names)]
    table = pd.crosstab(
        chosen[Columns.DATE].dt.to_period("Q").to_numpy(), chosen[Columns.TAG_VALUE].to_numpy()
    )
    table = table.reindex(index=span, columns=names, fill_value=0)
    all_given = given.reindex(span, fill_value=0)
    shares = table.div(all_given.where(all_given >= MIN_ASSIGNMENTS), axis=0)
    return Trends(shares, all_given)


def trends_chart(found: Trends) -> Chart:
    """A small line a tag, all to one scale."""
    change = found.change
    up, down = str(change.idxmax()), str(change.idxmin())
    years = np.array([period.year + (period.quarter - 0.5) / 4 for period in found.shares.index])
    top = float(found.shares.max().max())
    drawings = []
    for name in found.shares.columns:
        share = found.shares[name]
        said = (
            f"Share of tags that say {name}: {_moved(share)}, {_points(float(change[name]))} from "
            "the first year to the last."
        )
        line = charts.small_line(years.tolist(), share.tolist(), top=top, said=said)
        drawings.append(Drawing(line, said, short(str(name))))
    table = Table(
        ("quarter", "tags given", *(short(str(name)) for name in found.shares.columns)),
        [
            (str(quarter), f"{found.given[quarter]:,}", *(percent(x) for x in row))
            for quarter, row in zip(
                found.shares.index, found.shares.itertuples(index=False), strict=True
            )
        ],
        "Share of all tags given in each quarter",
    )
    title = (
        f"“{short(up)}” gained most, {_points(float(change[up]))}; “{short(down)}” "
        f"{'gained least' if change[down] >= 0 else 'lost most'}, {_points(float(change[down]))}"
        if up != down
        else f"“{short(up)}” is the one tag in use"
    )
    note = (
        f"The {len(found.shares.columns)} most used tags; first four quarters against last four, "
        f"in points of a percent. Quarters with fewer than {MIN_ASSIGNMENTS} tags are left out."
    )
    return Chart(title, table, drawings, note)


def short(text: str) -> str:
    """A name that fits a heading."""
    return cut(text, _LONGEST_NAME)


def _points(change: float) -> str:
    return f"{100 * change:+.1f} points"


def _moved(share: "pd.Series[float]") -> str:
    known = share.dropna()
    return f"{percent(float(known.iloc[0]))} at first, {percent(float(known.iloc[-1]))} at last"
