"""What follows from a change: sentences for an operator, and whether lists may be published."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import pandas as pd

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.formats import version_of
from lastfm_assets.recommendations.acceptance import DIGITS, Acceptance
from lastfm_assets.recommendations.drift import BLOCKS, UNKNOWN, compared_with
from lastfm_assets.recommendations.drift_bounds import BOUNDS, Bound

_OF: Final[Mapping[str, Bound]] = {bound.measure: bound for bound in BOUNDS}


def lines_of(table: pd.DataFrame, *outcomes: str) -> list[str]:
    """A sentence for each row of `DRIFT` of those outcomes, what blocks before what warns."""
    rows: list[dict[Any, Any]] = table[table["outcome"].isin(outcomes)].to_dict("records")
    rows.sort(key=lambda row: row["outcome"] != BLOCKS)
    return [_line(row) for row in rows]


def _line(row: Mapping[str, Any]) -> str:
    bound = _OF[str(row["measure"])]
    write = _writer(bound.measure)
    return bound.says.format(
        before=f"{row['before']:,.0f}",
        now=f"{row['now']:,.0f}",
        change=write(row["change"]),
        bound=write(row["blocking_bound" if row["outcome"] == BLOCKS else "warning_bound"]),
    )


def _writer(measure: str) -> Callable[[float], str]:
    return _figure if measure.endswith("psi") else _percent


def _known(value: float, write: Callable[[float], str] = "{:,.0f}".format) -> str:
    return "-" if math.isnan(value) else write(value)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _figure(value: float) -> str:
    return f"{value:.3g}"


def mark_of(table: pd.DataFrame) -> str:
    """8 hex digits that name this change, and no other, for who accepts it."""
    return version_of(table)[:DIGITS]


def against_in_words(table: pd.DataFrame) -> str:
    """What was compared with."""
    number = compared_with(table)
    if number is None:
        return "nothing: no lists of this source were published before"
    unknown = ", ".join(table.loc[table["outcome"] == UNKNOWN, "measure"])
    return f"version {number}" + (f", of which some is not known: {unknown}" if unknown else "")


def accepted_by(table: pd.DataFrame, acceptance: Acceptance | None) -> str:
    """The reason that a change beyond a bound was accepted for; empty where none was or had to."""
    if acceptance is None or acceptance.mark != mark_of(table) or not lines_of(table, BLOCKS):
        return ""
    return acceptance.reason


def how_to_accept(table: pd.DataFrame) -> str:
    """What an operator does who finds a change beyond a bound to be right."""
    return f'lastfm-assets refresh --accept-drift "{mark_of(table)} REASON"'


def require_no_drift(table: pd.DataFrame, acceptance: Acceptance | None) -> str:
    """Stops lists whose data, or who themselves, have moved too far from what readers see.

    Args:
        table: `DRIFT`.
        acceptance: of an operator.

    Returns:
        The reason of the acceptance, where one was needed.

    Raises:
        GateRefusedError: a blocking bound is passed, and nobody has accepted that.
    """
    reason = accepted_by(table, acceptance)
    broken = lines_of(table, BLOCKS)
    if broken and not reason:
        raise GateRefusedError(
            f"{'; '.join(broken)} against {against_in_words(table)}; nothing is published, the "
            f"last lists stay; if it is right, accept it once by {how_to_accept(table)}"
        )
    return reason


def in_markdown(table: pd.DataFrame) -> str:
    """All measures with their bounds, for the web UI."""
    rows = [
        (
            *(row["measure"], _known(row["before"]), _known(row["now"])),
            _known(row["change"], _writer(row["measure"])),
            *(_writer(row["measure"])(row[bound]) for bound in ("warning_bound", "blocking_bound")),
            row["outcome"],
        )
        for row in table.to_dict("records")
    ]
    head = ("measure", "before", "now", "change", "warns above", "blocks above", "outcome")
    lines = [head, ("---", *["---:"] * 5, "---"), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
