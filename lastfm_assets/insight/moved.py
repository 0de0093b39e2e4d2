"""The chapter on what has changed since the lists that readers saw before, in plain words."""

import math
from collections.abc import Callable
from typing import Any, Final

import pandas as pd

from lastfm_assets.insight.chapters import Table, counted, number, percent, table_of
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.recommendations.drift import BLOCKS, WARNS, compared_with

_ROWS: Final = {
    "users_lost": "users without a list now",
    "users_new": "users without a list before",
    "artists_lost": "{many} played no more",
    "artists_new": "{many} played for the first time",
    "pairs": "pairs of user and {one}",
    "plays": "plays",
    "plays_psi": "how often pairs are played (PSI)",
    "artists_of_a_user_psi": "how many {many} a user plays (PSI)",
    "lists_changed": "{many} of a list that are others",
    "lists_wholly_other": "lists without one {one} of before",
}
"""Words for each measure of `recommendations.drift_bounds.BOUNDS`."""
_FIRST: Final = "Nothing of this source was published before, so that there is nothing to compare."


def moved_sentences(drift: pd.DataFrame, noun: Noun = ARTISTS) -> list[str]:
    """What has changed, for who reads no tables.

    Args:
        drift: see `recommendations.drift.DRIFT`.
        noun: what is recommended.
    """
    version = compared_with(drift)
    if version is None:
        return [_FIRST]
    change = dict(zip(drift["measure"], drift["change"].astype(float), strict=True))
    before = drift.loc[drift["measure"] == "users_lost", "before"].iloc[0]
    users = f"Of {number(before)} users who had a list, {percent(change['users_lost'])} have none"
    said = [f"{users}; {percent(change['users_new'])} of those who have one had none."]
    changed = change["lists_changed"]
    if math.isfinite(changed):
        said.append(
            f"A list shares {percent(1 - changed, 0)} of its {noun.many} with the last one."
        )
    beyond = drift["outcome"].isin([WARNS, BLOCKS])
    if beyond.any():
        what = ", ".join(_words(measure, noun) for measure in drift.loc[beyond, "measure"])
        count = counted(int(beyond.sum()), "figure")
        said.append(f"{count} moved more than usual against version {version}: {what}.")
    return said


def moved_table(drift: pd.DataFrame, noun: Noun = ARTISTS) -> Table:
    """Every measure with its bounds."""

    def figure(name: str) -> Callable[[Any], str]:
        return lambda row: (
            f"{row[name]:.3f}" if str(row["measure"]).endswith("psi") else percent(row[name])
        )

    return table_of(
        drift,
        (
            ("what", lambda row: _words(row["measure"], noun)),
            ("before", lambda row: number(row["before"])),
            ("now", lambda row: number(row["now"])),
            ("changed by", figure("change")),
            ("warns above", figure("warning_bound")),
            ("blocks above", figure("blocking_bound")),
        ),
        "Data and lists against those that readers saw before",
    )


def _words(measure: str, noun: Noun) -> str:
    return _ROWS[measure].format(one=noun.one, many=noun.many)
