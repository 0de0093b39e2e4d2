"""How genres rose and fell: each tag's share of all tags given, month by month."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.music.intervals import wilson, worth_of_clusters
from lastfm_assets.music.spelling import in_one_spelling, most_used, quoted
from lastfm_assets.vocabulary import Columns

TAGS: Final = 30
"""Tags that are followed, the most used of the whole span."""
TAG_TRENDS: Final = (
    Columns.TAG_VALUE,
    "month_start",
    "assignments",
    "of_all",
    "share",
    "share_low",
    "share_high",
)
"""Columns of `insight/tag_trends`, in order."""
MOVES: Final = (
    Columns.TAG_VALUE,
    *("first", "first_low", "first_high"),
    *("last", "last_low", "last_high"),
    *("change", "sure", "counted"),
)
"""Columns of `Moves.shares`, in order."""
_END: Final = 24
"""Months at either end that are held against each other."""
_NAMED: Final = 3
"""Tags that a sentence names."""


def tag_trends(tag_assignments: pd.DataFrame, *, tags: int = TAGS) -> pd.DataFrame:
    """Shares of the most used tags by month.

    Args:
        tag_assignments: `user_id, artist_id, tag, date`, one row an assignment. Tags that differ
            only in case, hyphens and spaces are one, see `spelling`.
        tags: how many are followed.

    Returns:
        `TAG_TRENDS`, most used tag first, every month from the first to the last, also those in
        which the tag was not given (0) and those in which none was (share NaN). `share` is of
        `of_all`, all assignments of the month. The interval is Wilson's and takes assignments
        for independent; a user who tags many artists at once makes it too narrow.
    """
    given = in_one_spelling(tag_assignments)
    names = most_used(given, tags)
    if not names:
        return no_trends()
    month = given[Columns.DATE].dt.to_period("M")
    span = pd.period_range(month.min(), month.max(), freq="M")
    of_all = month.value_counts().reindex(span, fill_value=0).to_numpy(np.int64)
    counts = given.groupby([Columns.TAG_VALUE, month]).size()
    every = pd.MultiIndex.from_product([names, span])
    assignments = counts.reindex(every, fill_value=0).to_numpy(np.int64)
    n = np.tile(of_all, len(names))
    share = np.where(n > 0, assignments / np.maximum(n, 1), np.nan)
    low, high = wilson(share, n)
    starts = span.to_timestamp().to_numpy().astype("datetime64[ms]")
    return pd.DataFrame(
        {
            Columns.TAG_VALUE: pd.Series(np.repeat(names, len(span)), dtype="str"),
            "month_start": np.tile(starts, len(names)),
            "assignments": assignments,
            "of_all": n,
            "share": share,
            "share_low": low,
            "share_high": high,
        }
    )


def no_trends() -> pd.DataFrame:
    """The table of a source without tags."""
    types = {
        Columns.TAG_VALUE: "str",
        "month_start": "datetime64[ms]",
        "assignments": "int64",
        "of_all": "int64",
    }
    return pd.DataFrame({name: pd.Series(dtype=types.get(name, "float64")) for name in TAG_TRENDS})


@dataclass(frozen=True, slots=True)
class Moves:
    """Shares of the most used tags at both ends of the span."""

    shares: pd.DataFrame
    """`MOVES`, the tag that gained most on top; `sure` where the two 95% intervals do not overlap,
    `counted` where they would not if every assignment were somebody else's."""
    first: str = ""
    """The months of the first end, as `2005-08 to 2007-07`."""
    last: str = ""
    """The months of the last end."""


def moves(tag_assignments: pd.DataFrame, *, tags: int = TAGS) -> Moves:
    """Shares of the most used tags in the first two years and in the last two.

    Less than four years are cut into halves. Here users, not assignments, are the observations
    (see `worth_of_clusters`), or one diligent user would look like a fashion.

    Args:
        tag_assignments: see `tag_trends`.
        tags: how many are followed.

    Returns:
        The shares of each tag; no row where less than two months have tags.
    """
    given = in_one_spelling(tag_assignments)
    month = given[Columns.DATE].dt.to_period("M")
    if month.nunique() < 2:  # noqa: PLR2004 (two ends)
        return Moves(pd.DataFrame(columns=list(MOVES)))
    span = pd.period_range(month.min(), month.max(), freq="M")
    end = min(_END, len(span) // 2)
    first, last = given[month <= span[end - 1]], given[month >= span[-end]]
    rows = [(name, *_share(first, name), *_share(last, name)) for name in most_used(given, tags)]
    table = pd.DataFrame(rows, columns=list(MOVES[:7]))
    ends = (("first", len(first)), ("last", len(last)))
    table = table.assign(
        change=table["last"] - table["first"],
        sure=_apart(*((table[f"{at}_low"], table[f"{at}_high"]) for at, _ in ends)),
        counted=_apart(*(wilson(table[at].to_numpy(), np.array(n)) for at, n in ends)),
    )
    table = table.sort_values("change", ascending=False, kind="stable", ignore_index=True)
    return Moves(table, f"{span[0]} to {span[end - 1]}", f"{span[-end]} to {span[-1]}")


def in_words(moved: Moves) -> str:
    """What rose and what fell most, of those tags whose intervals do not overlap.

    Args:
        moved: see `moves`.
    """
    shares = moved.shares
    if shares.empty:
        return "Fewer than two months have tags."
    sure = shares[shares["sure"]]
    rose = sure[sure["change"] > 0].head(_NAMED)
    fell = sure[sure["change"] < 0][::-1].head(_NAMED)
    said = [
        f"{what} most: {_listed(rows)}"
        for what, rows in (("rose", rose), ("fell", fell))
        if len(rows)
    ]
    return (
        f"{moved.last} against {moved.first}: "
        f"{'; '.join(said) or 'no tag rose or fell for sure'}. "
        f"{len(sure)} of {len(shares)} tags moved beyond their 95% intervals over users; were each "
        f"assignment somebody else's, {int(shares['counted'].sum())} would have."
    )


def _share(end: pd.DataFrame, name: str) -> tuple[float, float, float]:
    """A tag's share of what was given at one end, with the interval over users."""
    size = end.groupby(Columns.USER).size()
    hits = end[end[Columns.TAG_VALUE] == name].groupby(Columns.USER).size()
    hits = hits.reindex(size.index, fill_value=0)
    share = np.array(hits.sum() / size.sum())
    worth = worth_of_clusters(hits.to_numpy(np.float64), size.to_numpy(np.float64))
    low, high = wilson(share, np.array(worth))
    return float(share), float(low), float(high)


def _apart(one: tuple[Any, Any], other: tuple[Any, Any]) -> Any:
    """Where intervals, given by their lower and upper ends, do not overlap."""
    return (one[1] < other[0]) | (other[1] < one[0])


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(
        f"{quoted(row[Columns.TAG_VALUE])} ({row['first']:.1%} to {row['last']:.1%})"
        for row in rows.to_dict("records")
    )
