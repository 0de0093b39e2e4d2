"""Files and folders that survive a power cut: on the disk before anything says that they are."""

import contextlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path


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
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    write(temporary, pieces)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)  # the new name itself must survive, too
