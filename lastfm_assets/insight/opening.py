"""What the page says before its first chapter, and above its search."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from lastfm_assets.insight.chapters import counted, decimal, interval, number, percent, quotient
from lastfm_assets.insight.inputs import ReportInputs
from lastfm_assets.insight.lookup import Lookup
from lastfm_assets.insight.quality import lost_rows
from lastfm_assets.vocabulary import Columns

_SAMPLE: Final = "sample"


def verdict(inputs: ReportInputs) -> str:
    """Which model serves, how good it is, for whom, from what and since when: one sentence."""
    champion = inputs.champion
    users = int(inputs.lists[Columns.USER].nunique())
    return (
        f"{champion.model} serves {counted(users, 'user')} of {_called(inputs.source)} with a "
        f"held-out precision@10 of {decimal(champion.precision)} (95% interval "
        f"{interval(champion.precision_low, champion.precision_high)}), as of "
        f"{moment(inputs.refreshed_at)}."
    )


def banner(source: str) -> str:
    """A warning where the figures are not of one set of real listeners; else empty."""
    if "+" in source:
        return (
            f"The tables come from several sources ({source}): nothing on this page can be "
            "trusted. Run a whole refresh."
        )
    if source == _SAMPLE:
        return (
            "Made from the bundled sample: its listeners and artists are invented. It is used "
            "where LASTFM_SOURCE is sample, or where real listening data could not be reached."
        )
    return ""


def lede(inputs: ReportInputs) -> str:
    """The verdict once more, in plain words."""
    champion, many = inputs.champion, inputs.noun.many
    return (
        f"Of ten {many} that it names, {10 * champion.precision:.1f} are ones that the listener "
        f"does play, though it was never told so. Naming the best known {many} to everybody would "
        f"find {10 * champion.popularity_precision:.1f}."
    )


def key_figures(inputs: ReportInputs, named: int) -> Sequence[tuple[str, str]]:
    """Figure and what it counts.

    Args:
        inputs: the tables.
        named: how many of the catalogue any list names.
    """
    noun = inputs.noun
    read, refused = sum(inputs.rows_read.values()), lost_rows(inputs.rejected_rows)
    return [
        (number(inputs.interactions[Columns.USER].nunique()), "users"),
        (number(len(inputs.artists)), noun.many),
        (number(len(inputs.interactions)), f"pairs of user and {noun.one}"),
        (number(float(inputs.interactions[Columns.PLAYS].sum())), "plays"),
        (percent(quotient(named, len(inputs.artists))), f"of {noun.many} recommended"),
        (percent(quotient(refused, read), 2), "of rows refused"),
    ]


def search_says(found: Lookup | None, inputs: ReportInputs) -> str:
    """What the search leaves out; empty where that is nothing."""
    if found is None:
        return (
            f"There are too many users and {inputs.noun.many} for a page to carry; ask "
            "`lastfm-assets recommend --user` instead."
        )
    most = int(inputs.interactions.groupby(Columns.USER).size().max())
    if most > found.played:
        return f"Of each user the {found.played} most played {inputs.noun.many} are here."
    return ""


def moment(when: datetime) -> str:
    """A time for people, to the minute."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _called(source: str) -> str:
    return "the bundled sample" if source == _SAMPLE else source
