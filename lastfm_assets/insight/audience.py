"""For whom the champion works: users of few and many plays, of niche and of popular taste."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from lastfm_assets.evaluation.gate import BASELINE, Champion
from lastfm_assets.evaluation.segments import KIND, SEGMENT, USERS
from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import (
    Chart,
    Drawing,
    decimal,
    interval,
    number,
    percent,
    table_of,
)
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.judged import AXIS, ENDS
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.vocabulary import Columns

_SEGMENTS: Final = {
    ("plays", "few"): "few plays",
    ("plays", "middle"): "middling plays",
    ("plays", "many"): "many plays",
    ("taste", "niche"): "niche taste",
    ("taste", "middle"): "middling taste",
    ("taste", "popular"): "popular taste",
}


def segments_chart(
    segments: pd.DataFrame, champion: Champion, noun: Noun = ARTISTS
) -> Chart | None:
    """For whom the champion works, beside popularity; None where nobody was judged."""
    mine = segments[segments[Columns.MODEL] == champion.model].reset_index(drop=True)
    mine = mine[mine["precision@10"].notna()]
    if mine.empty:
        return None
    names = [_named(row) for row in mine.to_dict("records")]
    reached = mine["precision@10"].to_numpy()
    best, least = int(reached.argmax()), int(reached.argmin())
    said = f"{champion.model} by kind of user: " + "; ".join(
        f"{name} {decimal(value)}" for name, value in zip(names, mine["precision@10"], strict=True)
    )
    series = [_series(mine, champion.model)]
    other = segments[segments[Columns.MODEL] == BASELINE]
    if champion.model != BASELINE and len(other) == len(mine):
        series.append(_series(other, BASELINE))
    drawing = charts.dots(names, series, axis=AXIS, said=said)
    table = table_of(
        segments[segments[Columns.MODEL].isin([champion.model, BASELINE])],
        [
            ("users of", _named),
            ("model", lambda row: row[Columns.MODEL]),
            ("users", lambda row: number(row[USERS])),
            ("precision@10", lambda row: decimal(row["precision@10"])),
            (
                "its 95% interval",
                lambda row: interval(row["precision@10_low"], row["precision@10_high"]),
            ),
            ("ndcg@10", lambda row: decimal(row["ndcg@10"])),
            ("with a hit", lambda row: percent(row["hit_rate@10"])),
        ],
        f"Users in thirds, by plays and by how many listeners their {noun.many} have",
    )
    title = (
        f"It works best for users of {names[best]} ({decimal(reached[best], 3)}) "
        f"and least for {names[least]} ({decimal(reached[least], 3)})"
    )
    return Chart(title, table, [Drawing(drawing, said)], "Whiskers: 95% intervals over users.")


def _named(row: Mapping[Any, Any]) -> str:
    return _SEGMENTS.get((row[KIND], row[SEGMENT]), f"{row[SEGMENT]} {row[KIND]}")


def _series(rows: pd.DataFrame, name: str) -> Series:
    return Series(name, *(rows[f"precision@10{end}"].tolist() for end in ENDS))
