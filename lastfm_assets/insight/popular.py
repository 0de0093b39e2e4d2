"""The chapter on what is popular, by what it is called."""

from typing import Any, Final

import pandas as pd

from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import Chart, Drawing, cut, decimal, number, table_of
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.judged import ENDS
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.vocabulary import Columns

SHOWN: Final = 20
"""Tags that are drawn, of the most heard first; the table has all."""
_LONGEST_NAME: Final = 60


def popular_chart(table: pd.DataFrame, noun: Noun = ARTISTS) -> Chart | None:
    """Median listeners of what carries each tag, with its interval.

    Args:
        table: `insight/tag_popularity`; None is returned of an empty one.
        noun: what is tagged.
    """
    known = table[table["listeners"].notna()]
    if known.empty:
        return None
    ordered = known.sort_values("listeners", ascending=False, kind="stable", ignore_index=True)
    drawn = ordered.head(SHOWN)
    first, last = ordered.iloc[0], ordered.iloc[-1]
    title = (
        f"“{_called(first)}” is heard by most: half of its {noun.many} have {first['listeners']:g} "
        f"listeners or more; of “{_called(last)}”, {last['listeners']:g}"
    )
    said = f"A dot with whiskers a tag: median listeners of its {noun.many}. " + "; ".join(
        f"{_called(row)} {row['listeners']:g}" for row in drawn.to_dict("records")
    )
    usual = (ordered["listeners"] / ordered["lift"].where(ordered["lift"] > 0)).median()
    drawing = charts.dots(
        [str(name) for name in drawn[Columns.TAG_VALUE]],
        [Series("of a tag", *(drawn[f"listeners{end}"].tolist() for end in ENDS))],
        axis="median listeners",
        said=said,
        mark=(float(usual), f"all tagged: {usual:g}") if pd.notna(usual) else None,
        given=True,
    )
    figures = table_of(
        ordered,
        [
            ("tag", _called),
            (noun.many, lambda row: number(row["artists"])),
            ("median listeners", lambda row: f"{row['listeners']:g}"),
            ("its 95% interval", lambda row: _ends(row, "listeners", 1)),
            ("times all tagged", lambda row: decimal(row["lift"], 2)),
            ("median plays of a listener", lambda row: decimal(row["plays_per_listener"], 0)),
            ("its 95% interval", lambda row: _ends(row, "plays_per_listener", 0)),
        ],
        f"Tags of {noun.many}, most heard first",
    )
    drawn_of = f"The {len(drawn)} most heard of {len(ordered)} tags. " * (len(drawn) < len(ordered))
    note = (
        f"{drawn_of}Whiskers: 95% intervals over {noun.many}. Who is heard by more is tagged by "
        "more, so compare tags with each other and with all that is tagged; no tag makes anybody "
        "popular."
    )
    return Chart(title, figures, [Drawing(drawing, said)], note, shown=True)


def _called(row: "pd.Series[Any] | dict[Any, Any]") -> str:
    return cut(str(row[Columns.TAG_VALUE]), _LONGEST_NAME)


def _ends(row: dict[str, float], column: str, places: int) -> str:
    low, high = (decimal(row[f"{column}_{end}"], places) for end in ("low", "high"))
    return f"{low} to {high}"
