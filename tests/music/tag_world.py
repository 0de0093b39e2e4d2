"""Invented tags and plays, small enough to count by hand."""

from collections.abc import Iterable

import pandas as pd

Given = tuple[int, int, str, str]
"""A user, an artist, a tag and a day."""


def assignments(rows: Iterable[Given]) -> pd.DataFrame:
    """A table as `listening/tag_assignments` keeps it."""
    given = list(rows)
    words = {word: number for number, word in enumerate(sorted({row[2] for row in given}), 1)}
    return pd.DataFrame(
        {
            "user_id": pd.Series([row[0] for row in given], dtype="int64"),
            "artist_id": pd.Series([row[1] for row in given], dtype="int64"),
            "tag_id": pd.Series([words[row[2]] for row in given], dtype="int64"),
            "tag": pd.Series([row[2] for row in given], dtype="str"),
            "date": pd.Series(pd.to_datetime([row[3] for row in given]), dtype="datetime64[ms]"),
        }
    )


def plays(rows: Iterable[tuple[int, int, int]]) -> pd.DataFrame:
    """A table as `listening/interactions` keeps it, from user, artist and plays."""
    return pd.DataFrame(list(rows), columns=["user_id", "artist_id", "plays"], dtype="int64")


def of_months(tag: str, months: dict[str, int], *, users: int = 1) -> list[Given]:
    """As many assignments of a tag in each month, `2005-01`, of as many users in turn.

    Artists are numbered on within a tag, so that no assignment is given twice.
    """
    days = [f"{month}-01" for month, count in months.items() for _ in range(count)]
    return [(1 + n % users, 1000 + n, tag, day) for n, day in enumerate(days)]
