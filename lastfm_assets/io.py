"""The store: the only module that knows paths and file formats.

Every stored file carries a stamp (format, key, source) and a seal, see `seals`; it is written under
another name and renamed when whole, and is read without running code. A table that Spark wrote is a
folder of files under the same key, see `parts`; where both are there, the single file counts.
"""

import contextlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import fsspec
import pandas as pd
import pyarrow as pa
from pydantic import ValidationError
from upath import UPath

from lastfm_assets import durable, seals
from lastfm_assets.errors import BadInputError, StoreError, store_failures
from lastfm_assets.formats import (
    SUFFIX,
    Header,
    Stored,
    columns_in,
    decode,
    encode,
    header_of,
    rows_of,
    version_of,
)
from lastfm_assets.parts import (
    check_parts,
    header_of_parts,
    is_there,
    read_parts,
    remove,
    rows_of_parts,
)
from lastfm_assets.provenance import Origin
from lastfm_assets.sources.hetrec import one_line

Key = Sequence[str]
"""An asset's key: `("recommendations", "top_artists")`."""
_Read = TypeVar("_Read")

_OPTIONS: Final[dict[str, Any]] = {"use_listings_cache": False}
"""Others write, too: what was listed once says nothing of what is there now."""
_OF_S3: Final[dict[str, Any]] = {"default_cache_type": "blockcache", "default_block_size": 2**23}
"""A small file is one request, in whatever order it is read; of a large one, both ends are two."""
_BUCKETS: Final = ("s3", "gs", "az")
"""Where folders need not be made; drivers would make a bucket that is missing, and pay for it."""
FORMAT: Final = 3
"""Layout of the store; a file of a newer one is refused, and not written over."""
_READABLE: Final = (1, 2, FORMAT)
"""Layouts that can be read: the first says only what source a file was made from, and neither
of the first two must have a seal and its own key."""
_SEALED: Final = 3
"""The first layout whose files have both."""


class NewerStoreError(StoreError):
    """A newer version of the program wrote it; made again by this one it would be lost to that."""


class MissingError(StoreError):
    """There is no such value."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stored file says of itself."""

    source: str
    """Name of the source it was made from, see `sources.files.Source`."""
    version: str = ""
    """Hash of the value itself, see `formats.version_of`."""
    origin: Origin = field(default_factory=Origin)
    """What determined it; equal ones need not be made again."""
    format: int = FORMAT
    key: str = ""
    """Whose it is, as `listening/split`: a file in the place of another one is refused."""


class Store:
    """Typed values by asset key, in a folder or behind an fsspec URL such as `s3://bucket/x`."""

    def __init__(self, location: str) -> None:
        self.root = _open(location)

    def path(self, key: Key, kind: type) -> UPath:
        """Where a value of that type lies."""
        return self.root.joinpath(*key[:-1], key[-1] + SUFFIX[kind])

    def folder(self, key: Key) -> UPath:
        """Where a table of that key lies that is of many parts."""
        return self.root.joinpath(*key)

    def has(self, key: Key, kind: type) -> bool:
        """Whether there is such a value.

        Raises:
            StoreError: that cannot be said.
        """
        try:
            return self.path(key, kind).exists() or self._is_of_parts(key, kind)
        except store_failures() as problem:
            raise StoreError(
                f"store {self.root}: cannot be looked into ({one_line(problem)})"
            ) from problem

    def _is_of_parts(self, key: Key, kind: type) -> bool:
        return kind is pd.DataFrame and is_there(self.folder(key))

    def write(
        self, key: Key, value: Stored, *, source: str, origin: Origin | None = None
    ) -> tuple[UPath, Stamp]:
        """Replaces a value in one step: a reader sees the old one or the new one.

        Args:
            key: of the asset.
            value: what to keep.
            source: name of the source that it was made from.
            origin: what determined it, where it is to be known again.

        Returns:
            Where it lies, and what its file says of it.

        Raises:
            StoreError: the store cannot be written to.
            TypeError: the store does not keep such values.
        """
        stamp = Stamp(source, version_of(value), origin or Origin(), key="/".join(key))
        path = self.path(key, type(value))
        pieces = seals.sealed(encode(value, {"stamp": asdict(stamp)}), path.suffix)
        self._refuse_newer(key, type(value))
        try:
            _replace(path, pieces)
        except store_failures() as problem:
            reason = one_line(getattr(problem, "strerror", None) or problem)
            raise StoreError(f"{path}: cannot be written ({reason})") from None
        if self._is_of_parts(key, type(value)):
            remove(self.folder(key))  # only now: readers have had the file from here on
        return path, stamp

    def read(self, key: Key, kind: type[Stored]) -> Stored:
        """Reads a value.

        Raises:
            StoreError: it is missing, damaged, or of a newer format.
        """
        return self.read_with_stamp(key, kind)[0]

    def _refuse_newer(self, key: Key, kind: type) -> None:
        """Raises NewerStoreError where a newer program has written the value that is there."""
        try:
            self.stamp(key, kind)
        except NewerStoreError:
            raise
        except StoreError:  # missing or damaged: nothing is lost
            return

    def source_of(self, key: Key, kind: type[Stored]) -> str:
        """Name of the source that a value was made from; errors as in `read`."""
        return self.stamp(key, kind).source

    def stamp(self, key: Key, kind: type) -> Stamp:
        """What a value's file says of it, without reading the value; errors as in `read`."""
        return self._tried(
            key,
            kind,
            lambda path: _look(path, key, kind),
            lambda folder: _stamp(header_of_parts(folder), key),
        )

    def check(self, key: Key, kind: type) -> Stamp:
        """As `stamp`, once all of the value's file is known to be as it was written."""

        def check(path: UPath) -> Stamp:
            with path.open("rb") as file:
                is_sealed = seals.check(file, path.suffix)
                file.seek(0)
                return _stamp(header_of(file, kind), key, is_sealed=is_sealed)

        return self._tried(key, kind, check, lambda folder: _stamp(check_parts(folder), key))

    def rows(self, key: Key) -> int:
        """How many rows a table has, without reading them; errors as in `read`."""

        def count(path: UPath) -> int:
            with _opened(path, key, pd.DataFrame) as file:
                return rows_of(file)

        return self._tried(key, pd.DataFrame, count, rows_of_parts)

    def columns(self, key: Key, names: Sequence[str]) -> pd.DataFrame:
        """Some columns of a table, in that order, without reading the others; errors as in `read`.

        Args:
            key: of the table.
            names: its columns.
        """

        def read(path: UPath) -> pd.DataFrame:
            with _opened(path, key, pd.DataFrame) as file:
                return columns_in(seals.guarded(file), names)

        return self._tried(key, pd.DataFrame, read, lambda folder: read_parts(folder, names)[0])

    def read_with_stamp(self, key: Key, kind: type[Stored]) -> tuple[Stored, Stamp]:
        """Reads a value and what its file says of itself; errors as in `read`."""

        def read(path: UPath) -> tuple[Stored, Stamp]:
            content = path.read_bytes()
            is_sealed = seals.check(io.BytesIO(content), path.suffix)
            value, header = decode(content, kind)
            return value, _stamp(header, key, is_sealed=is_sealed)

        def read_folder(folder: UPath) -> tuple[Stored, Stamp]:
            table: Any
            table, header = read_parts(folder)
            return table, _stamp(header, key)

        return self._tried(key, kind, read, read_folder)

    def _found(
        self,
        key: Key,
        kind: type,
        read: Callable[[UPath], _Read],
        read_folder: Callable[[UPath], _Read],
    ) -> _Read:
        """Reads the file, or the folder where there is no file."""
        path = self.path(key, kind)
        try:
            return read(path)
        except FileNotFoundError:
            if not self._is_of_parts(key, kind):
                raise
        try:
            return read_folder(self.folder(key))
        except FileNotFoundError:
            if is_there(self.folder(key)):  # replaced while it was read, its parts removed
                return read_folder(self.folder(key))
        return read(path)

    def _tried(
        self,
        key: Key,
        kind: type,
        read: Callable[[UPath], _Read],
        read_folder: Callable[[UPath], _Read],
    ) -> _Read:
        try:
            return self._found(key, kind, read, read_folder)
        except FileNotFoundError:
            raise MissingError(
                f"{'/'.join(key)} is not in the store {self.root}; run `lastfm-assets refresh`"
            ) from None
        except NewerStoreError as problem:
            raise NewerStoreError(f"{self._place(key, kind)}: {problem}") from None
        except (
            *store_failures(),
            EOFError,
            ValueError,
            KeyError,
            AttributeError,  # an entry that is no array has an array's name
            TypeError,
            RuntimeError,  # from zipfile: a method of compression or a flag that it does not know
            pa.ArrowException,
            zipfile.BadZipFile,
            zlib.error,
            ValidationError,
            StoreError,
        ) as problem:
            unread = isinstance(problem, store_failures())
            first = "see to the disk or the server, then " if unread else ""
            raise StoreError(
                f"{self._place(key, kind)}: cannot be read ({one_line(problem)}); {first}run "
                "`lastfm-assets refresh`"
            ) from problem

    def _place(self, key: Key, kind: type) -> UPath:
        """Where a value lies, for an error."""
        path = self.path(key, kind)
        with contextlib.suppress(*store_failures()):
            if not path.exists() and self._is_of_parts(key, kind):
                return self.folder(key)
        return path


def _stamp(header: Header, key: Key, *, is_sealed: bool = True) -> Stamp:
    said: dict[str, Any] = header["stamp"]
    if said["format"] > FORMAT:
        raise NewerStoreError(
            f"its format is {said['format']}, this version reads up to {FORMAT}; go on with the "
            "newer lastfm-assets that wrote it, or name another store"
        )
    if said["format"] not in _READABLE:
        raise StoreError(f"its format is {said['format']}, expected one of {_READABLE}")
    stamp = Stamp(**{**said, "origin": Origin(**said.get("origin", {}))})
    if stamp.format >= _SEALED and not is_sealed:
        raise StoreError("it is damaged: its checksum is missing")
    if stamp.format >= _SEALED and stamp.key != "/".join(key):
        raise StoreError(f"it is a file of {stamp.key} in the place of another")
    return stamp


@contextlib.contextmanager
def _opened(path: UPath, key: Key, kind: type) -> Iterator[IO[bytes]]:
    """A file of which the header is known to be as it was written, and of that key."""
    with path.open("rb") as file:
        is_sealed = seals.check_head(file, path.suffix)
        file.seek(0)
        _stamp(header_of(file, kind), key, is_sealed=is_sealed)
        file.seek(0)
        yield file


def _look(path: UPath, key: Key, kind: type) -> Stamp:
    with _opened(path, key, kind) as file:
        return _stamp(header_of(file, kind), key)


def _open(location: str) -> UPath:
    protocol, separator, _ = location.partition("://")
    try:
        if not separator or protocol == "file":  # a plain path, which can be renamed in one step
            return UPath(location.removeprefix("file://")).absolute()
        fsspec.get_filesystem_class(protocol)  # UPath takes an unknown protocol for a folder's name
        root: UPath = UPath(location, **_OPTIONS, **(_OF_S3 if protocol == "s3" else {}))
    except (ValueError, ImportError) as problem:
        raise BadInputError(
            f"store {location!r} cannot be opened ({problem}); expected a folder or an fsspec URL "
            "whose driver is installed, for s3://bucket/prefix by pip install -e '.[s3]' in the "
            "checkout"
        ) from None
    return root


def _replace(path: UPath, pieces: Sequence[bytes | memoryview]) -> None:
    """Writes whole or not at all: renamed locally; object stores swap an object in one step."""
    if isinstance(path, Path):
        durable.replace(path, pieces)
        return
    if path.protocol not in _BUCKETS:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(pieces))
