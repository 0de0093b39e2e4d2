"""Rows of a table of plays that cannot be used: kept with the reason, and counted."""

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.pieces import Piece
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns

MAX_SHARE: Final = 0.05
"""Share of the rows that one reason may cost; more means that the description is wrong."""
_JUDGED_FROM: Final = 1_000_000
"""Rows from which on the share is looked at before the end of the file is reached."""
WRONG_FIELDS: Final = "wrong number of fields"
REMEDIES: Final = {
    WRONG_FIELDS: "check delimiter, quoted and header",
    "user is missing": "check columns.user",
    "item is missing": "check columns.item and columns.item_name",
    "by is missing": "check columns.by or leave it out",
    "plays is not a whole number": "check columns.plays or leave it out",
    "time is not readable": "check columns.time and time.format",
    "user is not a whole number": 'set ids = "text"',
    "item is not a whole number": 'set ids = "text"',
    "item has no id, and its name has none elsewhere": 'set ids = "text"',
    "unknown bytes": 'set encoding, for instance "cp1252"',
}
"""Every reason, and what to do where it holds against many rows."""
REASONS: Final = tuple(REMEDIES)


class Refusals:
    """The refused rows of one file."""

    def __init__(self, file: PlaysFile) -> None:
        self._file = file
        self._rows: list[tuple[int, str, str]] = []
        self._counts: Counter[str] = Counter()
        self._first: dict[str, tuple[int, str]] = {}

    def add(self, rows: list[tuple[int, str]], reason: str) -> None:
        """Refuses rows: line and text of each."""
        if rows:
            first = min(rows)
            self._first[reason] = min(first, self._first.get(reason, first))
            self._counts[reason] += len(rows)
            self._rows += [(line, text, reason) for line, text in rows]

    def add_piece(self, piece: Piece, why: npt.NDArray[np.int8]) -> None:
        """Refuses rows of a piece, (n,) by position of the reason in `REASONS`, or -1."""
        self.add(piece.refused, WRONG_FIELDS)
        for position in np.unique(why[why >= 0]).tolist():
            rows = np.flatnonzero(why == position)
            texts = piece.texts(rows, self._file.description.delimiter)
            lines = piece.lines[rows].tolist()
            self.add(list(zip(lines, texts, strict=True)), REASONS[position])

    def judge(self, n_rows: int, *, at_end: bool = True) -> None:
        """Refuses the whole file where one reason holds against too many rows.

        Args:
            n_rows: rows so far, refused ones among them.
            at_end: whether there are no more.

        Raises:
            BadInputError: more than 5% of the rows are refused for one reason.
        """
        if not self._counts or not (at_end or n_rows >= _JUDGED_FROM):
            return
        reason, count = self._counts.most_common(1)[0]
        if count > MAX_SHARE * n_rows:
            line, text = self._first[reason]
            raise BadInputError(
                f"{one_line(self._file.path.name)}: {reason} in {count:,} of {n_rows:,} rows, "
                f"first in line {line} ({one_line(repr(text))}), expected at most {MAX_SHARE:.0%};"
                f" in {one_line(self._file.description.file)}, {REMEDIES[reason]}"
            )

    def lines(self) -> npt.NDArray[np.int64]:
        """(r,) line of each refused row."""
        return np.array([line for line, _, _ in self._rows], dtype=np.int64)

    def told(self) -> pd.DataFrame:
        """`line, text, reason` of each refused row, in the order in which they were refused."""
        lines, texts, reasons = zip(*self._rows, strict=True) if self._rows else ((), (), ())
        return pd.DataFrame(
            {
                Columns.LINE: np.array(lines, dtype=np.int64),
                Columns.TEXT: pd.Series(texts, dtype="str"),
                Columns.REASON: pd.Series(reasons, dtype="str"),
            }
        )
