"""What is known beside plays: who called which artist what, and who are friends."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    import pandas as pd

_PAIR: Final = [Columns.USER, Columns.ARTIST]
_TAGGED: Final = [*_PAIR, Columns.TAG]
_FRIENDS: Final = [Columns.USER, Columns.FRIEND]


@dataclass(frozen=True, slots=True)
class SideTables:
    """Tags and friends by the source's ids; a model looks up its matrix's rows and columns.

    Who tags an artist has usually played it. So the rows of held-out pairs must be taken out
    (`without_tags_of`) before a model that is to be judged sees them.
    """

    tag_assignments: "pd.DataFrame"
    """`user_id, artist_id, tag_id`, int64, one row an assignment; further columns do not matter."""
    friendships: "pd.DataFrame"
    """`user_id, friend_id`, int64."""

    @classmethod
    def none(cls) -> "SideTables":
        """Nothing is known beside plays."""
        return _Nothing()

    def without_tags_of(self, pairs: "pd.DataFrame") -> "SideTables":
        """The same without the tags that these users gave these artists.

        Args:
            pairs: `user_id, artist_id`.
        """
        return SideTables(without_pairs(self.tag_assignments, pairs), self.friendships)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what models read of both tables, whatever the order of their rows."""
        digest = hashlib.sha256()
        for table, columns in ((self.tag_assignments, _TAGGED), (self.friendships, _FRIENDS)):
            values = np.stack([table[name].to_numpy(np.int64) for name in columns])
            digest.update(values[:, np.lexsort(values[::-1])].tobytes())
            digest.update(b"|")
        return digest.hexdigest()


class _Nothing(SideTables):
    """No tag and no friend; the tables are made when somebody looks at them."""

    __slots__ = ()

    def __init__(self) -> None:
        """Holds nothing."""

    @property
    def tag_assignments(self) -> "pd.DataFrame":
        """See `SideTables`; no row."""
        return _no_rows(_TAGGED)

    @property
    def friendships(self) -> "pd.DataFrame":
        """See `SideTables`; no row."""
        return _no_rows(_FRIENDS)


def _no_rows(columns: list[str]) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 (large, and not needed where no table is)

    return pd.DataFrame({name: np.empty(0, np.int64) for name in columns})


def without_pairs(tag_assignments: "pd.DataFrame", pairs: "pd.DataFrame") -> "pd.DataFrame":
    """Tag assignments whose user and artist are not among some pairs.

    Args:
        tag_assignments: `user_id, artist_id, ...`.
        pairs: `user_id, artist_id`.

    Returns:
        The other rows, in their order, index from 0.
    """
    import pandas as pd  # noqa: PLC0415 (large, and not needed where no table is)

    named = pd.MultiIndex.from_frame(pairs[_PAIR])
    inside = pd.MultiIndex.from_frame(tag_assignments[_PAIR]).isin(named)
    return tag_assignments[~inside].reset_index(drop=True)
