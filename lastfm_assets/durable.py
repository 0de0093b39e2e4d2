"""Files and folders that survive a power cut: on the disk before anything says that they are."""

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_PARTIAL: Final = ".*.partial*"
_OLD: Final = 24 * 3600
"""Seconds after which a half-written file, as earlier versions wrote them, is a dead writer's."""


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk; one that is gone by now needs no wait."""
    with contextlib.suppress(FileNotFoundError):  # another process's upkeep has come between
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it where they are missing, and has their names on the disk."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in reversed(missing):
        sync(one.parent)


def write(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Writes a file that nobody looks for yet; its name is for the caller to have on the disk."""
    try:
        with path.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def replace(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Writes a file whole or not at all: readers see the one before, or this one."""
    with beside(path) as folder:
        write(folder / path.name, pieces)
        (folder / path.name).replace(path)
    sync(path.parent)  # the new name itself must survive, too


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A folder on the same disk for what is to get the name `path` once it is whole.

    It goes at the end. What a killed process left goes with the next one's: a lock on the folder,
    which ends with its process, tells which of them somebody is at work in.
    """
    make_folder(path.parent)
    for left in path.parent.glob(_PARTIAL):
        with contextlib.suppress(OSError):  # it is in use, or gone by now
            _remove_left(left)
    folder = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    folder.mkdir()
    try:
        with _locked(folder):
            folder.mkdir(exist_ok=True)  # another process may have taken it for one that was left
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(left: Path) -> None:
    if left.is_dir():
        with _locked(left):
            shutil.rmtree(left)
    elif left.stat().st_mtime < time.time() - _OLD:
        left.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
