"""What a chapter of the report is made of, and how its figures are written."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

UNKNOWN: Final = "n/a"
"""What stands where a figure does not exist."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures as text, the first column naming the row."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    caption: str
    """What the rows are."""
    prose: bool = False
    """Whether the last column is of sentences, which need room."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture with everything that a reader needs who cannot see it."""

    title: str
    """What is to be seen, as a sentence."""
    table: Table
    """The figures that are drawn, and perhaps more."""
    drawings: list["Drawing"] = field(default_factory=list)
    """Empty where there is nothing to draw yet."""
    note: str = ""
    """How to read it."""
    shown: bool = False
    """Whether the table is open from the beginning."""
    warning: str = ""
    """What must be known before the picture is believed; stands above it."""
    warning_title: str = "No cause."
    """The warning in two words."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One SVG, or one of several small ones."""

    svg: str
    """Markup made by `charts`, which holds no text from the data."""
    said: str
    """What it shows, for those who hear the page."""
    name: str = ""
    """Heading of one of several."""


def table_of(
    frame: pd.DataFrame,
    columns: Sequence[tuple[str, Callable[[Any], str]]],
    caption: str,
    *,
    prose: bool = False,
) -> Table:
    """A frame's rows as text.

    Args:
        frame: one row a row; a column of it for each but the first of a heading's words.
        columns: heading and how a row, a dict, is written under it.
        caption: see `Table`.
        prose: see `Table`.
    """
    rows = [tuple(write(row) for _, write in columns) for row in frame.to_dict("records")]
    return Table(tuple(heading for heading, _ in columns), rows, caption, prose)


def cut(text: str, longest: int) -> str:
    """A text of so many characters at most."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def number(value: float) -> str:
    """A count with its thousands parted: 92,834."""
    return f"{int(value):,}" if math.isfinite(value) else UNKNOWN


def decimal(value: float | None, places: int = 4) -> str:
    """A figure with that many places behind the point."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:.{places}f}"


def percent(share: float, places: int = 1) -> str:
    """A share of one as a percentage: 9.3%."""
    return f"{100 * share:.{places}f}%" if math.isfinite(share) else UNKNOWN


def interval(low: float, high: float) -> str:
    """Both ends of an interval: 0.2142 to 0.2279."""
    return f"{decimal(low)} to {decimal(high)}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count and what is counted: 1 user, 2 users."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def quotient(part: float, whole: float) -> float:
    """Part of a whole, NaN of nothing."""
    return part / whole if whole else math.nan
