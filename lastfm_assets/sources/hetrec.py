"""Which files of a folder or an archive are HetRec's five, and how each is spelled."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, cast

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.files import OPTIONAL, REQUIRED, Dialect, RawFile, Source, Stem

HETREC_NAME: Final = "hetrec2011-lastfm-2k"
SAMPLE_NAME: Final = "sample"
HETREC_PLAYS_SHA256: Final = "edbb24b56424eadec8fbe60f05037749360ea4bef7e51821ca96fb4b1c5b38dc"
"""SHA-256 of the published user_artists.dat with LF line ends and no newline after the last."""
HETREC_PLAYS_BYTES: Final = range(1_203_000, 1_298_000)
"""What that file may weigh: 1,203,619 bytes, and up to a byte more for each of 92,835 lines."""

ENDINGS: Final = (".dat", ".csv")
"""In order of preference: HetRec's own form, and its export as comma separated text."""
EXPECTED: Final = "artists and user_artists (.dat or .csv), in it or in one sub-folder"
_SHOWN_NAMES: Final = 5
_SHOWN_CHARACTERS: Final = 200
_STEMS: Final = frozenset({*REQUIRED, *OPTIONAL})


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or an archive that was looked into."""

    location: str
    """What messages call it."""
    sizes: Mapping[str, int]
    """Bytes of each file that may be ours, by its path inside the place, parted by `/`."""
    read: Callable[[str], bytes]
    """Content of the file at a path of `sizes`."""


def one_line(text: object) -> str:
    """Any text as a message may show it: one printable line, cut where it is overlong."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(line.split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[:_SHOWN_CHARACTERS] + "..."


def listed(names: Iterable[str]) -> str:
    """A few names for a message: `a, b, c and 4 more`, or `nothing`."""
    every = sorted(names)
    more = len(every) - _SHOWN_NAMES
    shown = ", ".join(one_line(name) for name in every[:_SHOWN_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown or "nothing"


def stem_of(path: str) -> Stem | None:
    """Which of the five files a path names; None if it names another, or lies too deep."""
    parts = PurePosixPath(path)
    is_ours = parts.suffix in ENDINGS and parts.stem in _STEMS and len(parts.parts) <= 2  # noqa: PLR2004 (a folder and a name)
    return cast("Stem", parts.stem) if is_ours else None


def as_source(place: Place, *, name: str | None = None) -> Source:
    """A place as a source: its required files are there, its name is found.

    Args:
        place: what was opened.
        name: the source's name; None to recognise it by its content.

    Raises:
        BadInputError: a required file is missing, or the files lie in several sub-folders.
    """
    paths = _chosen(place)

    def read(stem: Stem) -> RawFile | None:
        if stem not in paths:
            return None
        path = paths[stem]
        return RawFile(PurePosixPath(path).name, place.read(path), _dialect(path))

    return Source(name or _recognised(place, paths["user_artists"]), place.location, read)


def _chosen(place: Place) -> dict[Stem, str]:
    """Path of each of our files: those of the place itself, else those of its one sub-folder."""
    by_folder: dict[str, dict[Stem, str]] = {}
    for path in sorted(place.sizes, key=lambda path: (path.endswith(".csv"), path)):
        stem = stem_of(path)
        if stem is not None:
            files = by_folder.setdefault(str(PurePosixPath(path).parent), {})
            files.setdefault(stem, path)
    if "." not in by_folder and len(by_folder) > 1:
        raise BadInputError(
            f"{place.location}: files were found in {len(by_folder)} sub-folders "
            f"({listed(by_folder)}), expected one; name the one to read in LASTFM_SOURCE"
        )
    chosen = by_folder.get(".") or next(iter(by_folder.values()), {})
    missing = [stem for stem in REQUIRED if stem not in chosen]
    if missing:
        raise BadInputError(
            f"{place.location}: {' and '.join(missing)} missing; found "
            f"{listed(chosen.values() or place.sizes)}, expected {EXPECTED}; put the missing "
            "there, or set LASTFM_SOURCE to where all of them are"
        )
    return chosen


def _dialect(path: str) -> Dialect:
    if path.endswith(".csv"):
        return Dialect(",", quoted=True, encoding="utf-8")
    is_latin = PurePosixPath(path).stem == "tags"  # the one file that HetRec wrote so
    return Dialect("\t", quoted=False, encoding="iso-8859-1" if is_latin else "utf-8")


def _recognised(place: Place, path: str) -> str:
    """HetRec's name if the plays are HetRec's; a file of another size is not even read."""
    if place.sizes[path] not in HETREC_PLAYS_BYTES:
        return "custom"
    content = place.read(path).replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
    digest = hashlib.sha256(content).hexdigest()
    return HETREC_NAME if digest == HETREC_PLAYS_SHA256 else "custom"
