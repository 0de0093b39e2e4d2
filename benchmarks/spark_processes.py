"""What each process of a Spark cluster on this machine holds and computes, looked at as it runs."""

import contextlib
import os
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from measured import bytes_in, said_of

_EVERY: Final = 0.5
"""Seconds between two looks."""
_ROLES: Final = {
    "CoarseGrainedExecutorBackend": "executor",
    "deploy.SparkSubmit": "driver",
    "deploy.master.Master": "master",
    "deploy.worker.Worker": "worker",
    "lastfm_assets.cli": "refresh",
}
PYTHON: Final = "python"
"""Role of the Python workers of executors."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Watched:
    """The most that each process was seen to hold, and what all of a role have computed."""

    peaks: dict[str, dict[str, int]] = field(default_factory=dict)
    """By process: `bytes` of it and, of an executor, its Python workers at one moment;
    `process_bytes` of it alone, as the system counts its peak; `python_bytes` of its workers."""
    looks: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    """Seconds since 1970, and processor seconds by role since the start."""
    _spent: dict[tuple[str, int], float] = field(default_factory=dict)

    def look(self, root: int) -> None:
        """Looks once at all that a process has started."""
        now: dict[str, dict[str, int]] = {}
        for pid, owner in _family(root, ""):
            status = said_of(Path(f"/proc/{pid}/status"))
            if not owner or "VmRSS" not in status:
                continue
            one, _, python = owner.partition("/")
            own = now.setdefault(one, {"bytes": 0})
            held = bytes_in(status["VmRSS"])
            if python:  # forks of one process, which share its pages
                held = bytes_in(said_of(Path(f"/proc/{pid}/smaps_rollup")).get("Pss", "0 kB"))
                own["python_bytes"] = own.get("python_bytes", 0) + held
            else:
                own["process_bytes"] = bytes_in(status["VmHWM"])
            own["bytes"] += held
            self._spent[python or one.partition(" ")[0], pid] = _processor_seconds(pid)
        for one, said in now.items():
            before = self.peaks.setdefault(one, {})
            for name, value in said.items():
                before[name] = max(value, before.get(name, 0))
        spent: dict[str, float] = {}
        for (role, _), seconds in self._spent.items():
            spent[role] = spent.get(role, 0.0) + seconds
        self.looks.append((time.time(), spent))

    def spent(self, start: float, end: float) -> dict[str, float]:
        """Processor seconds by role between two moments, to the nearest look before each."""
        first, last = self._at(start), self._at(end)
        return {role: round(last[role] - first.get(role, 0.0), 2) for role in last}

    def _at(self, moment: float) -> Mapping[str, float]:
        place = bisect_right(self.looks, moment, key=lambda look: look[0])
        return self.looks[place - 1][1] if place else {}


@contextlib.contextmanager
def watched(root: int) -> Iterator[Watched]:
    """Looks at a process's family again and again until the block ends."""
    seen, over = Watched(), threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            seen.look(root)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _family(pid: int, owner: str) -> Iterator[tuple[int, str]]:
    """A process and those it started, each with whose it is: `executor 0`, `executor 0/python`."""
    owner = _owner(pid, owner)
    yield pid, owner
    with contextlib.suppress(OSError):  # it has ended in the meantime
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            for child in (task / "children").read_text().split():
                yield from _family(int(child), owner)


def _owner(pid: int, owner: str) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    if owner.startswith("executor"):
        return f"{owner.partition('/')[0]}/{PYTHON}"
    role = next((role for sign, role in _ROLES.items() if any(sign in word for word in words)), "")
    if role == "executor" and "--executor-id" in words:
        return f"executor {words[words.index('--executor-id') + 1]}"
    return role or owner


def _processor_seconds(pid: int) -> float:
    try:
        said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(said[11]) + int(said[12])) / _TICKS
