"""One spelling a genre: `hip hop`, `hip-hop` and `Hip-Hop` are the same."""

import re
import unicodedata
from typing import Final

import pandas as pd

from lastfm_assets.vocabulary import Columns

_BETWEEN_WORDS: Final = re.compile(r"[\s_\-\u2010-\u2015]+")
_SHOWN: Final = 40
"""Characters of a tag in a sentence."""


def spelling_key(tag: str) -> str:
    """What tags have in common that differ in case, hyphens, spaces and underscores only.

    `r&b` and `rnb` stay two: to join them takes knowledge of music, not of spelling. A tag of
    hyphens alone is its own key.
    """
    folded = unicodedata.normalize("NFKC", tag).casefold()
    return _BETWEEN_WORDS.sub("", folded) or tag


def in_one_spelling(tag_assignments: pd.DataFrame) -> pd.DataFrame:
    """Assignments under the most used spelling of each tag, equally used ones by name.

    Who gave an artist two spellings of one tag, or one tag twice, said it once, at the first date.

    Args:
        tag_assignments: `user_id, artist_id, tag, date`, one row an assignment.

    Returns:
        The same columns, one row a user, artist and genre, by date.
    """
    columns = [Columns.USER, Columns.ARTIST, Columns.TAG_VALUE, Columns.DATE]
    given = tag_assignments[columns].sort_values(columns[::-1], kind="stable", ignore_index=True)
    used = given[Columns.TAG_VALUE].value_counts()
    spelled: dict[str, str] = {}
    for tag, _ in sorted(used.items(), key=lambda one: (-int(one[1]), str(one[0]))):
        spelled.setdefault(spelling_key(str(tag)), str(tag))
    names = {tag: spelled[spelling_key(str(tag))] for tag in used.index}
    given[Columns.TAG_VALUE] = given[Columns.TAG_VALUE].map(names).astype("str")
    return given.drop_duplicates(columns[:3], ignore_index=True)


def most_used(assignments: pd.DataFrame, tags: int) -> list[str]:
    """The tags with the most assignments, most first, equally used ones by name."""
    used = assignments[Columns.TAG_VALUE].value_counts()
    ranked = sorted(used.items(), key=lambda one: (-int(one[1]), str(one[0])))
    return [str(tag) for tag, _ in ranked[:tags]]


def quoted(tag: str) -> str:
    """A tag within a sentence: one line, cut, in quotation marks."""
    line = " ".join(tag.split())
    return f"“{line if len(line) <= _SHOWN else line[: _SHOWN - 1] + '…'}”"
