"""What every refresh reached, a row a refresh, and the chapter that shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import JUDGED, SELECTION
from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import Chart, Drawing, Table, decimal, interval, number
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.judged import ENDS, NDCG, champion_row
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.vocabulary import Columns

REFRESHED_AT: Final = "refreshed_at"
RUN: Final = "run_id"
_TYPES: Final = {
    REFRESHED_AT: "datetime64[s, UTC]",
    RUN: "str",
    "source": "str",
    "users": "int64",
    "artists": "int64",
    "pairs": "int64",
    Columns.MODEL: "str",
    SELECTION: "float64",
    **{f"{metric}{end}": "float64" for metric in (JUDGED, NDCG) for end in ENDS},
    "published_version": "Int64",
    "fingerprint": "str",
}
HISTORY: Final = tuple(_TYPES)
"""Columns of the history, in order."""
SHOWN: Final = 60
"""Refreshes that the page shows, the last ones."""
_HEAD: Final = ("refresh", "model", "precision@10", "its 95% interval", "ndcg@10", "users")


def no_history() -> pd.DataFrame:
    """A history without a refresh."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _TYPES.items()})


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh: when it was, and what it worked on and found."""

    refreshed_at: datetime
    """When it began, with a time zone."""
    run_id: str
    source: str
    champion: Champion
    leaderboard: pd.DataFrame
    """ndcg is NaN where the champion, serving with other parameters, has no row here."""
    interactions: pd.DataFrame
    artists: pd.DataFrame
    published_version: int | None
    """Of the published table, None where it has none."""

    def row(self) -> dict[str, Any]:
        """A value for each of `HISTORY`."""
        row = champion_row(self.leaderboard, self.champion)
        return {
            REFRESHED_AT: self.refreshed_at.astimezone(UTC).replace(microsecond=0),
            RUN: self.run_id,
            "source": self.source,
            "users": int(self.interactions[Columns.USER].nunique()),
            "artists": len(self.artists),
            "pairs": len(self.interactions),
            Columns.MODEL: self.champion.model,
            SELECTION: self.champion.validation_ndcg,
            JUDGED: self.champion.precision,
            f"{JUDGED}_low": self.champion.precision_low,
            f"{JUDGED}_high": self.champion.precision_high,
            **{
                f"{NDCG}{end}": np.nan if row is None else float(row[f"{NDCG}{end}"])
                for end in ENDS
            },
            "published_version": self.published_version,
            "fingerprint": self.champion.fingerprint,
        }


def with_refresh(history: pd.DataFrame, refresh: Refresh) -> pd.DataFrame:
    """The history and one refresh more, behind all others; a run that is repeated counts once.

    Args:
        history: columns of `HISTORY`; left as it is.
        refresh: the one to add.
    """
    others = history.loc[history[RUN] != refresh.run_id, list(HISTORY)]
    added = pd.DataFrame([refresh.row()], columns=list(HISTORY)).astype(_TYPES)
    whole = added if others.empty else pd.concat([others, added], ignore_index=True)
    return pd.DataFrame(whole.astype(_TYPES))


def history_chart(history: pd.DataFrame, source: str, noun: Noun = ARTISTS) -> Chart:
    """The champion's held-out figures from refresh to refresh of one source."""
    mine = history[history["source"] == source].tail(SHOWN)
    table = Table(
        (*_HEAD, noun.many, "pairs", "published version"),
        [_written(row) for row in mine.to_dict("records")],
        f"Refreshes of {source}, oldest first",
    )
    if len(mine) < 2:  # noqa: PLR2004 (a line needs two points)
        return Chart(
            "This is the first refresh",
            table,
            note=f"A chart stands here from the second refresh of {source} on.",
            shown=True,
        )
    first, last = mine.iloc[0], mine.iloc[-1]
    move = last[JUDGED] - first[JUDGED]
    title = (
        f"Held-out precision@10 went from {decimal(first[JUDGED], 3)} to "
        f"{decimal(last[JUDGED], 3)} in {len(mine)} refreshes"
        if abs(move) >= 5e-4  # noqa: PLR2004 (what three places show)
        else f"Held-out precision@10 has stayed at {decimal(last[JUDGED], 3)} for {len(mine)} "
        "refreshes"
    )
    said = f"{title}; ndcg@10 from {decimal(first[NDCG], 3)} to {decimal(last[NDCG], 3)}."
    drawing = charts.over_refreshes(
        [f"{day:%Y-%m-%d}" for day in mine[REFRESHED_AT]],
        [
            Series(name, *(mine[f"{metric}{end}"].tolist() for end in ENDS))
            for name, metric in (("precision@10", JUDGED), ("ndcg@10", NDCG))
        ],
        said=said,
    )
    note = "Whiskers: 95% intervals over users. Figures of other sources are left out."
    return Chart(title, table, [Drawing(drawing, said)], note)


def _written(row: Mapping[Any, Any]) -> tuple[str, ...]:
    version = row["published_version"]
    return (
        f"{row[REFRESHED_AT]:%Y-%m-%d %H:%M}",
        row[Columns.MODEL],
        decimal(row[JUDGED]),
        interval(row[f"{JUDGED}_low"], row[f"{JUDGED}_high"]),
        decimal(row[NDCG]),
        *(number(row[name]) for name in ("users", "artists", "pairs")),
        decimal(None) if pd.isna(version) else str(version),
    )
