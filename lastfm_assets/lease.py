"""A store in S3 is held by a lease: an object that is there, and was renewed a moment ago.

S3 decides who comes first, by conditional puts, and how old a lease is, by its own clock: no
machine's clock is asked. Who holds it renews it from a thread. Whose lease has run out, as its
machine is gone, is taken over; should it come back, it finds out before it writes anything more.
"""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from email.utils import parsedate_to_datetime
from typing import Any, Final

from upath import UPath

from lastfm_assets.errors import StoreHeldError, store_failures
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.writer import NAME, Writer, held_by

SECONDS: Final = 300
"""How long a lease holds after its last renewal."""
_BETWEEN: Final = 30.0
"""Seconds between renewals."""
_SURELY_OURS: Final = 120.0
"""Seconds after a renewal in which a holder need not ask: the rest is for what it then sends."""
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""It goes on while the machine sleeps."""
_SECOND: Final = frozenset({404, 409, 412})
"""Answers to a conditional put that came second: there is none, a conflict, another one."""


class Lease:
    """A store's lease, ours until it is released or lost."""

    def __init__(self, root: UPath, me: Writer) -> None:
        """Raises StoreHeldError where another process holds it; OSError where it cannot be."""
        self._root, self._me = root, me
        bucket, _, prefix = root.path.partition("/")
        self._at = {"Bucket": bucket, "Key": f"{prefix}/{NAME}".lstrip("/")}
        self._lock = threading.Lock()
        self._renewals = 0
        self._etag, self._renewed = self._take()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_always, daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Raises StoreHeldError where it has been taken over, OSError where nobody can tell."""
        if _now() - self._renewed > _SURELY_OURS:
            self._renew()

    def release(self) -> None:
        """Removes it, if it is still ours."""
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # it runs out by itself
            found = self._look()
            if found is not None and found["token"] == self._me.token:
                self._call("delete_object")

    def _take(self) -> tuple[str, float]:
        condition = {"IfNoneMatch": "*"}
        while True:
            try:
                return self._put(**condition)
            except OSError as problem:
                if not _came_second(problem):
                    raise
            found = self._look()
            if found is None:  # released in between
                condition = {"IfNoneMatch": "*"}
                continue
            if found["token"] == self._me.token:  # the answer to our put was lost
                return found["etag"], _now()
            holder, left = _writer(found), SECONDS - found["age"]
            if left > 0 and not (holder and holder.is_gone):
                more = f" (if its machine is gone, it is free {left:.0f} s from now)"
                raise held_by(self._root, holder, more)
            condition = {"IfMatch": found["etag"]}

    def _renew_always(self) -> None:
        while not self._ended.wait(_BETWEEN):
            with contextlib.suppress(OSError, StoreHeldError):  # `require` will say so
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            try:
                self._etag, self._renewed = self._put(IfMatch=self._etag)
            except OSError as problem:
                if not _came_second(problem):
                    raise
                found = self._look()
                if found is None or found["token"] != self._me.token:
                    raise self._lost(found) from None
                self._etag, self._renewed = found["etag"], _now()

    def _lost(self, found: Mapping[str, Any] | None) -> StoreHeldError:
        by = _writer(found) if found else None
        return StoreHeldError(
            f"the store {self._root} was taken over by {by.shown if by else 'another process'}, as "
            f"this one gave no sign for {SECONDS} s; nothing more is written, refresh again"
        )

    def _put(self, **condition: str) -> tuple[str, float]:
        """Writes the lease if the condition holds: its ETag, and when at the latest it was new."""
        before = _now()
        self._renewals += 1
        answer = self._call(
            "put_object",
            Body=f"{self._me.token} {self._renewals}".encode(),  # another ETag each time
            Metadata={name: str(value) for name, value in asdict(self._me).items()},
            **condition,
        )
        return str(answer["ETag"]), before

    def _look(self) -> dict[str, Any] | None:
        """What the lease says of its holder, its `etag`, and its `age` in seconds."""
        try:
            answer = self._call("head_object")
        except FileNotFoundError:
            return None
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (now - answer["LastModified"]).total_seconds()
        return {"token": "", **answer["Metadata"], "etag": answer["ETag"], "age": age}

    def _call(self, method: str, **more: Any) -> Any:
        try:
            return self._root.fs.call_s3(method, **self._at, **more)
        except OSError:
            raise
        except store_failures() as problem:
            raise OSError(one_line(problem)) from problem


def _writer(found: Mapping[str, Any]) -> Writer | None:
    names = Writer.__dataclass_fields__
    try:
        said = {name: found[name] for name in names}
        return Writer(**{**said, "pid": int(said["pid"])})
    except (KeyError, ValueError):
        return None


def _came_second(problem: OSError) -> bool:
    answer = getattr(problem.__cause__, "response", {})
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in _SECOND and answer["Error"].get("Code") != "NoSuchBucket"


def _now() -> float:
    return time.clock_gettime(_CLOCK)
