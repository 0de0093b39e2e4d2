"""What a source says of itself: what it recommends, what its ids are, whether plays have a time."""

import math
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Final, Literal, Self

import pandas as pd

ARTIST: Final = "artist"


@dataclass(frozen=True, slots=True)
class About:
    """Facts on a source that later steps and readers go by."""

    source: str
    """Name of the source, see `sources.files.Source`."""
    item: str = ARTIST
    """What is recommended, in the singular."""
    ids: Literal["number", "text"] = "number"
    """`text`: numbers stand for the source's own ids, see `raw/keys`."""
    one_row_a_play: bool = False
    """Whether every row is one play: then a pair that comes again is no mistake."""
    timed: bool = False
    """Whether plays have a time: then each user's last ones are held out."""
    rows: int = 0
    """Rows of plays that were read, those left out not among them."""
    until: date | None = None
    """Day from which on plays are left out."""
    left_out: int = 0
    """Rows of plays of that day or later."""
    min_precision: float | None = None
    """Held-out precision@10 under which nothing is published; None for the usual one."""

    def to_table(self) -> pd.DataFrame:
        """One row, a column a field."""
        row: dict[str, Any] = asdict(self) | {
            "min_precision": math.nan if self.min_precision is None else self.min_precision
        }
        table = pd.DataFrame({name: [value] for name, value in row.items()})
        texts = dict.fromkeys(("source", "item", "ids"), "str")
        until = pd.to_datetime(table["until"]).astype("datetime64[s]")
        return table.astype(texts | {"rows": "int64", "left_out": "int64"}).assign(until=until)

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """The inverse of `to_table`."""
        row = table.iloc[0]
        return cls(
            source=str(row["source"]),
            item=str(row["item"]),
            ids="text" if row["ids"] == "text" else "number",
            one_row_a_play=bool(row["one_row_a_play"]),
            timed=bool(row["timed"]),
            rows=int(row["rows"]),
            until=None if pd.isna(row["until"]) else row["until"].date(),
            left_out=int(row["left_out"]),
            min_precision=None if pd.isna(row["min_precision"]) else float(row["min_precision"]),
        )


ABOUT: Final = tuple(field.name for field in fields(About))
"""Columns of `raw/source`, in order."""
