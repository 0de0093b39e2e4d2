"""The usable rows of a described table of plays, gathered piece by piece."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lastfm_assets.listening.blocks import Numbers
from lastfm_assets.listening.described.moments import Clock
from lastfm_assets.listening.described.pieces import Piece
from lastfm_assets.listening.described.refusals import REASONS, Refusals
from lastfm_assets.listening.described.texts import (
    MISSING,
    Coded,
    Flags,
    Texts,
    coded,
    whole_numbers,
)
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import one_line

Integers = npt.NDArray[np.int64]
_ITEM_ROLES: Final = ("item", "item_name", "by")


@dataclass(slots=True)
class Gathering:
    """What is kept of the rows that can be used, and what is refused."""

    file: PlaysFile
    refusals: Refusals
    lines: Numbers = field(default_factory=Numbers)
    plays: Numbers = field(default_factory=Numbers)
    seconds: Numbers = field(default_factory=Numbers)
    """Since 1970 UTC; none where no column has times."""
    texts: dict[str, Texts] = field(default_factory=dict)
    """Of user, item, item_name and by, as far as there are such columns."""
    n_rows: int = 0
    """Rows that are neither blank nor left out."""
    left_out: int = 0
    """Rows of the day `until` or later."""


def gathering(file: PlaysFile) -> Gathering:
    """An empty one for a file."""
    named = file.description.columns.named()
    texts: dict[str, Texts] = {role: Texts() for role in ("user", *_ITEM_ROLES) if role in named}
    return Gathering(file, Refusals(file), texts=texts)


def clock_of(file: PlaysFile) -> Clock:
    """What reads the file's times."""
    remedy = f"time_zone in {one_line(file.description.file)}"
    return Clock(file.description.time, one_line(file.path.name), remedy)


def take(piece: Piece, clock: Clock, kept: Gathering) -> None:
    """Keeps what can be used of a piece, and refuses the rest.

    Raises:
        BadInputError: its times cannot be told apart.
    """
    said = kept.file.description
    n = len(piece.lines)
    texts = {role: coded(piece.column(role)) for role in kept.texts}
    there = ~_blank(piece, texts)
    seconds, timely = np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
    if said.columns.time is not None:
        seconds, timely = clock.read(piece.column("time"), piece.lines)
    if said.until is not None:
        late = there & timely & (seconds >= clock.start_of(said.until))
        kept.left_out += int(late.sum())
        there &= ~late
    plays, counted = _plays(piece)
    why = _reasons(texts, counted, timely, is_number=said.ids == "number")
    kept.refusals.add_piece(piece, np.where(there, why, MISSING).astype(np.int8))
    good = there & (why == MISSING)
    kept.lines.add(piece.lines[good])
    kept.plays.add(plays[good])
    if said.columns.time is not None:
        kept.seconds.add(seconds[good])
    for role, (column, _) in texts.items():
        kept.texts[role].add(column.rows(good))
    kept.n_rows += int(there.sum()) + len(piece.refused)


def _blank(piece: Piece, texts: dict[str, tuple[Coded, Flags]]) -> Flags:
    """(n,) which rows have nothing but space in any column."""
    blank: Flags = texts["user"][0].codes == MISSING
    for column in piece.whole.columns if blank.any() else []:
        rows = np.flatnonzero(blank)
        blank[rows] = coded(column.take(pa.array(rows)))[0].codes == MISSING
    return blank


def _plays(piece: Piece) -> tuple[Integers, Flags]:
    """(n,) plays, and (n,) whether they can be read; one each where no column has them."""
    if "plays" not in piece.positions:
        return np.ones(len(piece.lines), dtype=np.int64), np.ones(len(piece.lines), dtype=bool)
    column, _ = coded(piece.column("plays"))
    numbers, good = whole_numbers(column.texts)
    return np.append(numbers, 0)[column.codes], column.flagged(good)


def _reasons(
    texts: dict[str, tuple[Coded, Flags]], counted: Flags, timely: Flags, *, is_number: bool
) -> npt.NDArray[np.int8]:
    """(n,) position in `REASONS` of the first reason against each row, or -1."""
    user, (item, name, by) = texts["user"][0], (texts.get(role) for role in _ITEM_ROLES)
    no_id = np.ones(len(user.codes), dtype=bool) if item is None else item[0].codes == MISSING
    no_name = np.ones(len(user.codes), dtype=bool) if name is None else name[0].codes == MISSING
    against = {
        "unknown bytes": np.any([one.flagged(bad) for one, bad in texts.values()], axis=0),
        "user is missing": user.codes == MISSING,
        "item is missing": no_id & no_name,
        "plays is not a whole number": ~counted,
        "time is not readable": ~timely,
    }
    if by is not None:
        against["by is missing"] = no_id & (by[0].codes == MISSING)
    if is_number:
        against["user is not a whole number"] = ~_numeric(user)
        if item is not None:
            against["item is not a whole number"] = ~_numeric(item[0])
    why = np.full(len(user.codes), MISSING, dtype=np.int8)
    for reason, rows in reversed(against.items()):
        why[rows] = REASONS.index(reason)
    return why


def _numeric(column: Coded) -> Flags:
    """(n,) whether each row has a whole number, or nothing."""
    return column.flagged(whole_numbers(column.texts)[1], missing=True)
