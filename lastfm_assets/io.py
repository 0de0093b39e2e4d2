"""The store: the only module that knows paths and file formats.

Every stored file carries a stamp (format, source), is written under another name and renamed
when whole, and is read without running code. A table that Spark wrote is a folder of files under
the same key, see `parts`; where both are there, the single file counts.
"""

import os
import uuid
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import fsspec
import pandas as pd
import pyarrow as pa
from pydantic import ValidationError
from upath import UPath

from lastfm_assets.errors import BadInputError, StoreError
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
from lastfm_assets.parts import header_of_parts, is_there, read_parts, remove, rows_of_parts
from lastfm_assets.provenance import Origin
from lastfm_assets.sources.hetrec import one_line

Key = Sequence[str]
"""An asset's key: `("recommendations", "top_artists")`."""
_Read = TypeVar("_Read")

FORMAT: Final = 2
"""Layout of the store; a file of a newer one is refused."""
_READABLE: Final = (1, FORMAT)
"""Layouts that can be read: the first says only what source a file was made from."""


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
        """Whether there is such a value."""
        return self.path(key, kind).exists() or self._is_of_parts(key, kind)

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
        stamp = Stamp(source, version_of(value), origin or Origin())
        path = self.path(key, type(value))
        content = encode(value, {"stamp": asdict(stamp)})
        try:
            _replace(path, content)
        except OSError as problem:
            raise StoreError(f"{path}: cannot be written ({problem.strerror or problem})") from None
        if self._is_of_parts(key, type(value)):
            remove(self.folder(key))  # only now: readers have had the file from here on
        return path, stamp

    def read(self, key: Key, kind: type[Stored]) -> Stored:
        """Reads a value.

        Raises:
            StoreError: it is missing, damaged, or of a newer format.
        """
        return self.read_with_stamp(key, kind)[0]

    def source_of(self, key: Key, kind: type[Stored]) -> str:
        """Name of the source that a value was made from; errors as in `read`."""
        return self.stamp(key, kind).source

    def stamp(self, key: Key, kind: type) -> Stamp:
        """What a value's file says of it, without reading the value; errors as in `read`."""

        def look(path: UPath) -> Stamp:
            with path.open("rb") as file:
                return _stamp(header_of(file, kind))

        return self._tried(key, kind, look, lambda folder: _stamp(header_of_parts(folder)))

    def rows(self, key: Key) -> int:
        """How many rows a table has, without reading them; errors as in `read`."""

        def count(path: UPath) -> int:
            with path.open("rb") as file:
                return rows_of(file)

        return self._tried(key, pd.DataFrame, count, rows_of_parts)

    def columns(self, key: Key, names: Sequence[str]) -> pd.DataFrame:
        """Some columns of a table, in that order, without reading the others; errors as in `read`.

        Args:
            key: of the table.
            names: its columns.
        """

        def read(path: UPath) -> pd.DataFrame:
            with path.open("rb") as file:
                return columns_in(file, names)

        return self._tried(key, pd.DataFrame, read, lambda folder: read_parts(folder, names)[0])

    def read_with_stamp(self, key: Key, kind: type[Stored]) -> tuple[Stored, Stamp]:
        """Reads a value and what its file says of itself; errors as in `read`."""

        def read(path: UPath) -> tuple[Stored, Stamp]:
            value, header = decode(path.read_bytes(), kind)
            return value, _stamp(header)

        def read_folder(folder: UPath) -> tuple[Stored, Stamp]:
            table: Any
            table, header = read_parts(folder)
            return table, _stamp(header)

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
        if self._is_of_parts(key, kind) and not path.exists():
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
        path = self.path(key, kind)
        if not path.exists() and self._is_of_parts(key, kind):
            path = self.folder(key)
        try:
            return self._found(key, kind, read, read_folder)
        except FileNotFoundError:
            raise StoreError(
                f"{'/'.join(key)} is not in the store {self.root}; run `lastfm-assets refresh`"
            ) from None
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            RuntimeError,  # from zipfile: a method of compression or a flag that it does not know
            pa.ArrowException,
            zipfile.BadZipFile,
            zlib.error,
            ValidationError,
            StoreError,
        ) as problem:
            raise StoreError(
                f"{path}: cannot be read ({one_line(problem)}); run `lastfm-assets refresh`"
            ) from problem


def _stamp(header: Header) -> Stamp:
    said: dict[str, Any] = header["stamp"]
    if said["format"] not in _READABLE:
        raise StoreError(f"its format is {said['format']}, this version reads {FORMAT}")
    return Stamp(**{**said, "origin": Origin(**said.get("origin", {}))})


def _open(location: str) -> UPath:
    protocol, separator, _ = location.partition("://")
    try:
        if not separator or protocol == "file":  # a plain path, which can be renamed in one step
            return UPath(location.removeprefix("file://")).absolute()
        fsspec.get_filesystem_class(protocol)  # UPath takes an unknown protocol for a folder's name
        return UPath(location)
    except (ValueError, ImportError) as problem:
        raise BadInputError(
            f"store {location!r} cannot be opened ({problem}); expected a folder or an fsspec URL "
            "whose driver is installed, such as s3://bucket/prefix with s3fs"
        ) from None


def _replace(path: UPath, content: bytes) -> None:
    """Writes whole or not at all: renamed locally; object stores swap an object in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(path, Path):
        path.write_bytes(content)
        return
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name itself must survive a power cut
    finally:
        os.close(folder)
