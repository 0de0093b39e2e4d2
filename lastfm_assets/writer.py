"""One writer at a time: who changes a store holds it, and others are told who does.

Reading never waits: each file, and the published table, is replaced in one step.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from upath import UPath

from lastfm_assets import process
from lastfm_assets.errors import StoreError, StoreHeldError
from lastfm_assets.sources.hetrec import one_line

NAME: Final = ".writer"
"""In the store's root: the file that is locked, or the object that is the lease."""
_SECONDS_BETWEEN_LOOKS: Final = 2.0
_UNKNOWN: Final = "another process"
_NO_LOCKS: Final = frozenset({errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK})


@dataclass(frozen=True, slots=True)
class Writer:
    """Who changes a store, as the others read it."""

    what: str
    """`a refresh`, or the run."""
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    since: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
    begun: str = field(default_factory=lambda: process.begun(os.getpid()))
    """See `process.begun`."""
    place: str = field(default_factory=process.here)
    """See `process.here`."""
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def shown(self) -> str:
        """For an error: who, where and since when."""
        return f"{self.what}, process {self.pid} on {self.host}, since {self.since}"

    @property
    def is_gone(self) -> bool:
        """Whether it surely runs no more: known only of this machine's processes."""
        return self.place == process.here() and not process.is_alive(self.pid, self.begun)


class Hold(Protocol):
    """A store that is held."""

    def require(self) -> None:
        """Raises StoreHeldError where another process has it, OSError where nobody can tell."""

    def release(self) -> None:
        """Lets others have the store."""


_HELD: Final[dict[str, Hold]] = {}
"""What this process holds, by the store's root."""


@contextlib.contextmanager
def held(
    root: UPath, what: str, *, wait: bool = False, say: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Keeps every other writer out of a store, whatever its DAGSTER_HOME or its machine.

    A folder is locked by the kernel, which lets go when the process ends, however it ends; on NFS
    that reaches other machines where the mount locks there, too. In S3 an object is the lease, see
    `lease`. What this process holds already, it may hold again.

    Args:
        root: of the store.
        what: who writes, for the others' errors: `a refresh`.
        wait: until the store is free; else its being held is an error.
        say: told once who is waited for, or that this kind of store cannot be held.

    Raises:
        StoreHeldError: another process holds it.
        StoreError: it cannot be written to.
    """
    place = str(root)
    if place in _HELD:
        yield
        return
    hold = _taken(root, Writer(what), wait=wait, say=say)
    if hold is None:
        say(f"two refreshes at once are not kept apart in {root}; start one at a time")
        yield
        return
    _HELD[place] = hold
    try:
        yield
    finally:
        del _HELD[place]
        hold.release()


def require_held(root: UPath) -> None:
    """Before something is written: what this process held of the store, it must hold still.

    Raises:
        StoreHeldError: another process took it over, as this one gave no sign for too long.
        StoreError: the store does not answer, so that nobody can tell.
    """
    hold = _HELD.get(str(root))
    if hold is not None:
        try:
            hold.require()
        except OSError as problem:
            raise StoreError(
                f"{root}: it does not say whether this process holds it still "
                f"({one_line(problem)}); refresh again"
            ) from problem


def _taken(root: UPath, me: Writer, *, wait: bool, say: Callable[[str], None]) -> Hold | None:
    told = False
    while True:
        try:
            return _take(root, me)
        except StoreHeldError as problem:
            if not wait:
                raise
            if not told:
                say(f"waits until it is free: {problem}")
                told = True
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        except OSError as problem:
            if problem.errno in _NO_LOCKS:
                raise StoreError(
                    f"{root}: its file system has no locks, by which one writer at a time is kept; "
                    "name a store on another one by --store or LASTFM_STORE"
                ) from None
            raise StoreError(
                f"{root}: cannot be written ({problem.strerror or problem}); see to the store, or "
                "name another by --store or LASTFM_STORE"
            ) from None


def _take(root: UPath, me: Writer) -> Hold | None:
    if isinstance(root, Path):
        return LockedFolder(root, me)
    if root.protocol == "s3":
        from lastfm_assets.lease import Lease  # noqa: PLC0415 (an extra)

        return Lease(root, me)
    return None


class LockedFolder:
    """A folder's lock: the file is only a sign, the kernel's lock on it is what holds."""

    def __init__(self, root: Path, me: Writer) -> None:
        """Raises StoreHeldError where another process holds it; OSError where it cannot be."""
        self._path = root / NAME
        self._made = not root.exists()
        while True:
            root.mkdir(parents=True, exist_ok=True)
            try:
                self._file = self._path.open("a+", encoding="utf-8")
            except FileNotFoundError:  # its holder has just removed a folder that stayed empty
                continue
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_there():  # else its holder has just removed it: others make a new one
                    break
                self._file.close()
            except BlockingIOError:
                raise held_by(root, self._read()) from None
            except BaseException:
                self._file.close()
                raise
        self._file.truncate(0)
        self._file.write(json.dumps(asdict(me)))
        self._file.flush()

    def require(self) -> None:
        """The kernel takes a lock from nobody."""

    def release(self) -> None:
        """Removes the file while it is still locked, and a folder made for nothing; lets go."""
        with self._file:
            self._path.unlink(missing_ok=True)
            if self._made:
                with contextlib.suppress(OSError):  # something is in it
                    self._path.parent.rmdir()

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _read(self) -> Writer | None:
        with self._file as file:
            file.seek(0)
            return writer_from(file.read())


def writer_from(text: str) -> Writer | None:
    """The inverse of `json.dumps(asdict(writer))`; None where it is half written or foreign."""
    try:
        return Writer(**json.loads(text))
    except (ValueError, TypeError):
        return None


def held_by(root: UPath | Path, writer: Writer | None, more: str = "") -> StoreHeldError:
    """The error for those who come second."""
    by = writer.shown if writer else _UNKNOWN
    return StoreHeldError(
        f"the store {root} is held by {by}; wait for it, or end it{more}: two writers at once "
        "would mix their tables"
    )
