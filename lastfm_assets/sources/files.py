"""The five files of a HetRec-shaped source, wherever they lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Stem = Literal["artists", "user_artists", "tags", "user_taggedartists", "user_friends"]
"""A file's name without its ending."""

REQUIRED: Final[tuple[Stem, ...]] = ("artists", "user_artists")
OPTIONAL: Final[tuple[Stem, ...]] = ("tags", "user_taggedartists", "user_friends")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file spells its rows."""

    delimiter: str
    quoted: bool
    """Whether `"` opens a quoted field; in HetRec's .dat files it is an ordinary character."""
    encoding: str


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file as it came."""

    name: str
    """Name with its ending, as in messages: `artists.dat`."""
    content: bytes
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Source:
    """A place with listening files, opened and found complete; contents are read on demand."""

    name: str
    """`sample`, `hetrec2011-lastfm-2k` (recognised by content) or `custom`."""
    location: str
    """What the user knows it by: a folder, an archive, a URL without credentials."""
    read: Callable[[Stem], RawFile | None]
    """Hands over one file; None for an optional file that the source lacks."""
    is_fallback: bool = False
    """True where the sample stands in for a source that could not be reached."""
