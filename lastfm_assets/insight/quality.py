"""The chapter on the data itself: what was read, what was refused, and why."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from lastfm_assets.insight.chapters import Table, counted, number, percent, quotient
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.listening.clean import MERGED
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import PARTS, Columns

_EXAMPLES: Final = 3
_NOT_TWICE: Final = "no pair is told of twice"
_MOST_REASONS: Final = 100
"""Lines of the table of reasons; a source that makes more is broken anyway."""


def refusals(rejected_rows: pd.DataFrame) -> Table:
    """Refused rows by file and reason, most first, with the first lines of each."""
    groups = rejected_rows.groupby([Columns.FILE, Columns.REASON], observed=True, sort=True)
    found = [
        (str(file), str(reason), rows.sort_values(Columns.LINE, kind="stable"))
        for (file, reason), rows in groups
    ]
    found.sort(key=lambda one: (-len(one[2]), one[0], one[1]))
    rows = [
        (
            file,
            one_line(reason),
            number(len(lines)),
            ", ".join(number(line) for line in lines[Columns.LINE].head(_EXAMPLES)),
            one_line(lines[Columns.TEXT].iloc[0]),
        )
        for file, reason, lines in found[:_MOST_REASONS]
    ]
    head = ("file", "reason", "rows", "first lines", "what the first one says")
    return Table(head, rows, "Rows that are in no table, by reason")


def files_read(rows_read: Mapping[str, int], rejected_rows: pd.DataFrame) -> Table:
    """Rows read and refused of each file."""
    lost = rejected_rows[rejected_rows[Columns.REASON] != MERGED]
    refused = lost[Columns.FILE].value_counts()
    rows = [
        (
            stem,
            number(count),
            number(int(refused.get(stem, 0))),
            percent(quotient(int(refused.get(stem, 0)), count), 2),
        )
        for stem, count in rows_read.items()
    ]
    head = ("file", "rows read", "refused", "share refused")
    return Table(head, rows, "Files of the source; a row summed with another is not lost")


def lost_rows(rejected_rows: pd.DataFrame) -> int:
    """Rows refused; one that was summed with another is not lost."""
    return int((rejected_rows[Columns.REASON] != MERGED).sum())


def quality_sentences(
    rows_read: Mapping[str, int],
    rejected_rows: pd.DataFrame,
    split: pd.DataFrame,
    noun: Noun = ARTISTS,
) -> list[str]:
    """What the tables say, for who reads no tables."""
    lost, read = lost_rows(rejected_rows), sum(rows_read.values())
    merged = len(rejected_rows) - lost
    sizes = split[Columns.PART].value_counts()
    users = split[Columns.USER].nunique()
    unjudged = users - split.loc[split[Columns.PART] == "held_out", Columns.USER].nunique()
    words = {"train": "to fit on", "validation": "to choose on", "held_out": "to judge on"}
    parts = ", ".join(f"{number(int(sizes.get(part, 0)))} {words[part]}" for part in PARTS)
    twice = (
        f"{counted(merged, 'row')} told of a pair again, with plays that were added to the first"
    )
    refused = f"{number(lost)} of {counted(read, 'row')} read {_was(lost)} refused"
    unjudged_of = f"{counted(unjudged, 'user')} of {number(users)}"
    has = "has" if unjudged == 1 else "have"
    return [
        f"{refused} ({percent(quotient(lost, read), 2)}); {twice if merged else _NOT_TWICE}.",
        f"{counted(len(split), 'pair')} of user and {noun.one} remain: {parts}.",
        f"{unjudged_of} {has} too few {noun.many} to hold any out.",
    ]


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
