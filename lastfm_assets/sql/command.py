"""What the command `sql` puts out: the list of tables, or an answer in one of three forms."""

import os
import sys
from io import TextIOWrapper
from itertools import chain, islice
from typing import Final, Literal

import pandas as pd

from lastfm_assets import terminal
from lastfm_assets.sql.listing import as_text, listing
from lastfm_assets.sql.query import Answer, answered
from lastfm_assets.sql.stored import StoredTables
from lastfm_assets.sql.writing import json_value, write_csv, write_json

Output = Literal["table", "csv", "json"]
SHOWN: Final = 100
"""Rows of an answer that a terminal is shown."""
_WIDE: Final = 16
"""Columns above which a row stands upright, a column a line."""
_UPRIGHT: Final = 6
"""Rows that are shown then."""


def typed(query: str) -> str:
    """The query itself; `-` is what comes on stdin."""
    if query != "-":
        return query
    return sys.stdin.buffer.read().decode("utf-8", errors="surrogateescape")


def show_tables(stored: StoredTables, output: Output) -> None:
    """Every table that can be asked; see `listing.listing`."""
    found = listing(stored)
    if output == "table":
        sys.stdout.write(as_text(found))
        return
    whole = found.astype(object).where(found.notna(), None)
    rows = list(whole.itertuples(index=False, name=None))
    _write(Answer(tuple(found.columns), iter([rows])), output)


def show_answer(stored: StoredTables, text: str, output: Output) -> None:
    """What a query finds; errors as in `query.answered`."""
    with answered(stored, text) as answer:
        if output == "table":
            _show(answer)
        else:
            _write(answer, output)


def _show(answer: Answer) -> None:
    wide = len(answer.columns) > _WIDE
    most = _UPRIGHT if wide else SHOWN
    rows = chain.from_iterable(answer.batches)
    first = [tuple(map(json_value, row)) for row in islice(rows, most)]
    more = sum(1 for _ in rows)
    names = list(answer.columns)
    if wide:
        first = list(zip(names, *first, strict=True))
        names = ["column", *(f"row {number}" for number in range(1, len(first[0])))]
    terminal.show_table(pd.DataFrame(first, columns=names, dtype=object))
    if more:
        terminal.note(
            f"{most} of {most + more:,} rows are shown; --output csv or --output json has all"
        )


def _write(answer: Answer, output: Output) -> None:
    """Text in UTF-8, whatever the terminal's is: the exact form is for files and programs."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        (write_csv if output == "csv" else write_json)(answer, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
