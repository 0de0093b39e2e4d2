"""Archives (.zip, .tar, .tar.gz) read in place: nothing is ever unpacked to disk.

What an archive says of itself is judged before any content is read, and believed afterwards only
as far as the bytes agree.
"""

import gzip
import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.files import Source
from lastfm_assets.sources.hetrec import Place, as_source, one_line

MOST_MEMBERS: Final = 1_000
"""HetRec's archive has 7; a thousand leaves room for whatever else someone packs with them."""
MOST_BYTES: Final = 4 << 30
"""Unpacked; the largest public listening file (Last.fm-360K) has 1.5 GiB."""
HIGHEST_RATIO: Final = 200
"""Unpacked to packed; tables of numbers reach about 10, deflate's limit is 1,032."""
RATIO_MATTERS_FROM: Final = 50 << 20
"""Bytes below which a ratio harms nobody: an almost empty archive may compress very well."""
LONGEST_READ: Final = 4 << 20
"""Bytes that one read may ask for: a member list or a tar header above it is an attack."""
_CHUNK: Final = 1 << 20
_UNSAFE_NAME: Final = re.compile(r"^$|^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)|[\x00-\x1f\x7f]")
_READABLE: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN: Final = (
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    ValueError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the standard library raises on damaged or unsupported archives."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive: its name, its declared size, what is against it, its way in."""

    name: str
    n_bytes: int
    is_file: bool
    objection: str | None
    read_from: Callable[[IO[bytes]], IO[bytes]]
    """Given the archive's opened file, the entry's content as a stream."""


class _CarefulReader(io.BufferedReader):
    """A file that refuses to fetch overlong pieces into memory at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = LONGEST_READ + 1 if size is None or size < 0 else size
        content = super().read(wanted) if wanted <= LONGEST_READ + 1 else b""
        if wanted > LONGEST_READ + 1 or len(content) > LONGEST_READ:
            raise tarfile.TarError("its list of members is overlong")
        return content


def open_archive(path: Path, *, location: str | None = None) -> Source:
    """Opens an archive: judged as a whole, members listed, none read but to recognise it.

    Args:
        path: a .zip, .tar or .tar.gz, recognised by its first bytes.
        location: what messages and the source call it; None for its path.

    Raises:
        BadInputError: it is not such an archive, is damaged, unsafe or lacks a required file.
    """
    location = location or one_line(path)
    members = {}
    with _opened(path, location) as (file, list_members):
        for member in _judged(list_members(file), path.stat().st_size, location):
            if member.is_file and member.name in members:
                raise _refusal(location, f"two entries are named {one_line(member.name)}")
            members[member.name] = member
    files = {name: member.n_bytes for name, member in members.items() if member.is_file}

    def read(name: str) -> bytes:
        with _opened(path, location) as (file, _):
            return _content(members[name], file, location)

    return as_source(Place(location, files, read))


def _refusal(location: str, found: str) -> BadInputError:
    return BadInputError(
        f"{location}: {found}; expected a whole and harmless .zip, .tar or .tar.gz with the "
        "listening files; fetch or pack it again"
    )


@contextmanager
def _opened(
    path: Path, location: str
) -> Iterator[tuple[IO[bytes], Callable[[IO[bytes]], Iterator[Member]]]]:
    """The archive's bytes, behind its gzip if it has one, and how to list what is in them."""
    try:
        with path.open("rb") as start:
            magic = start.read(4)
        raw = gzip.GzipFile(path) if magic[:2] == b"\x1f\x8b" else io.FileIO(path)
        with _CarefulReader(raw) as file:
            yield file, _zip_members if magic[:2] == b"PK" else _tar_members
    except _BROKEN as problem:
        reason = one_line(problem) or type(problem).__name__
        raise _refusal(location, f"not an archive, or a damaged one ({reason})") from None
    except OSError as problem:
        reason = one_line(problem.strerror or problem)
        raise _refusal(location, f"it cannot be read ({reason})") from None


def _judged(members: Iterator[Member], packed_bytes: int, location: str) -> Iterator[Member]:
    """Passes members on, until one of them, or their number or size so far, is refused."""
    total = 0
    for count, member in enumerate(members, start=1):
        total += member.n_bytes if member.is_file else 0  # nothing of others is ever unpacked
        shown = one_line(member.name)
        if _UNSAFE_NAME.search(member.name):
            raise _refusal(location, f"the entry {shown} points outside the archive")
        if member.objection:
            raise _refusal(location, f"the entry {shown} is {member.objection}")
        if member.n_bytes < 0:
            raise _refusal(location, f"the entry {shown} declares a size below zero")
        if count > MOST_MEMBERS:
            raise _refusal(location, f"more than {MOST_MEMBERS} entries")
        if total > MOST_BYTES:
            raise _refusal(location, f"more than {MOST_BYTES >> 30} GiB when unpacked")
        if total > RATIO_MATTERS_FROM and total > HIGHEST_RATIO * packed_bytes:
            raise _refusal(location, f"it unpacks to more than {HIGHEST_RATIO} times its size")
        yield member


def _zip_members(file: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            yield Member(
                name=_tidy(info.orig_filename),
                n_bytes=info.file_size,
                is_file=not info.filename.endswith("/"),
                objection=_zip_objection(info),
                read_from=partial(_open_zipped, info=info),
            )


def _open_zipped(file: IO[bytes], *, info: zipfile.ZipInfo) -> IO[bytes]:
    return zipfile.ZipFile(file).open(info)


def _zip_objection(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type not in _READABLE:
        return f"packed by method {info.compress_type}, which is neither stored nor deflated"
    return None


def _tar_members(file: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            is_plain = info.isdir() or (info.isreg() and not info.issparse())
            yield Member(
                name=_tidy(info.name),
                n_bytes=info.size,
                is_file=info.isreg(),
                objection=None if is_plain else "a link or a device",
                read_from=partial(_open_tarred, info=info),
            )
        # tarfile takes a cut or spoilt header for the end; a true end is blocks of zeros, and
        # behind it, reached by reading on, lies gzip's checksum of all that was before
        file.seek(archive.offset)
    end = file.read(LONGEST_READ)
    if len(end) < tarfile.BLOCKSIZE or end.strip(b"\0"):
        raise tarfile.TarError("its end is missing")


def _open_tarred(file: IO[bytes], *, info: tarfile.TarInfo) -> IO[bytes]:
    stream = tarfile.open(fileobj=file, mode="r:").extractfile(info)  # noqa: SIM115 (file's owner closes it)
    if stream is None:
        raise tarfile.TarError("not a file")
    return stream


def _tidy(name: str) -> str:
    """`./a//b` as `a/b`; absolute and upward paths stay as they are, to be refused."""
    name = re.sub(r"(?<=.)/+", "/", name)
    return re.sub(r"^(\./)+", "", name)


def _content(member: Member, file: IO[bytes], location: str) -> bytes:
    """An entry's bytes, never more than it declared."""
    content = io.BytesIO()
    with member.read_from(file) as stream:
        while chunk := stream.read(_CHUNK):
            content.write(chunk)
            if content.tell() > member.n_bytes:
                break
    if content.tell() != member.n_bytes:
        found = f"the entry {one_line(member.name)} does not have the size it declares"
        raise _refusal(location, found)
    return content.getvalue()
