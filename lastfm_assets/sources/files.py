"""What a source hands over: HetRec's five files, or one table of plays with its description."""

import errno
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from lastfm_assets.sources.description import Description

Stem = Literal["artists", "user_artists", "tags", "user_taggedartists", "user_friends"]
"""A file's name without its ending."""

REQUIRED: Final[tuple[Stem, ...]] = ("artists", "user_artists")
OPTIONAL: Final[tuple[Stem, ...]] = ("tags", "user_taggedartists", "user_friends")


def short_content(file: Path, most: int) -> bytes:
    """Content of a file that ought to be short, and at most one byte more than it may have.

    Args:
        file: which is not waited for where it is a pipe, nor read without end where a device.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: its name cannot be one.
    """
    kind = stat.S_IFMT(file.stat().st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):  # a folder is refused by the system
        raise OSError(errno.EINVAL, "a pipe or a device")
    with file.open("rb") as opened:
        return opened.read(most + 1)


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
class PlaysFile:
    """One table of plays, on this machine, and how it is to be read."""

    path: Path
    description: "Description"


@dataclass(frozen=True, slots=True)
class Source:
    """A place with listening files, opened and found complete; contents are read on demand."""

    name: str
    """`sample`, `hetrec2011-lastfm-2k` (recognised by content), a description's, or `custom`."""
    location: str
    """What the user knows it by: a folder, an archive, a URL without credentials."""
    read: Callable[[Stem], RawFile | None]
    """Hands over one file; None for an optional file that the source lacks."""
    plays: PlaysFile | None = None
    """The one table of a source that a small file describes."""
    is_fallback: bool = False
    """True where the sample stands in for a source that could not be reached."""
