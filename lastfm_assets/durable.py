"""Files and folders that survive a power cut: on the disk before anything says that they are."""

import contextlib
import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_PARTIAL: Final = re.compile(r"\..+\.[0-9a-f]{32}\.partial(\.wal)?")
"""Names that we give, and DuckDB behind them: a folder of somebody else's is not ours to remove."""
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
    for left in path.parent.iterdir():
        if _PARTIAL.fullmatch(left.name):
            with contextlib.suppress(OSError):  # it is in use, or gone by now
                _remove_left(left)
    folder = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    handle = _made_and_locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _remove_left(left: Path) -> None:
    if left.is_dir():
        handle = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left)
        finally:
            os.close(handle)
    elif left.stat().st_mtime < time.time() - _OLD:
        left.unlink()


def _made_and_locked(folder: Path) -> int:
    """A handle that holds the lock on a folder of that name.

    Between making and locking it another process may have taken it for one that was left.
    """
    while True:
        folder.mkdir(exist_ok=True)
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), folder.stat()):
                return handle
        os.close(handle)
