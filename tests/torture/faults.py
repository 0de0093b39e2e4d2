"""Lets disks, databases and clocks fail under a refresh, and looks at what readers see.

    python tests/torture/faults.py --points 20 --seed 0

As SQLite does it: the n-th call of a kind fails, for as many n as there is time for. The refresh
must succeed, or say in one line what is wrong; readers see a whole version all the while; and once
the fault is gone, the same refresh publishes what an undisturbed one does.
"""

import argparse
import errno
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any, Final

from places import History, Place, World, opened
from preloaded import (
    OPEN_READ,
    OPEN_WRITE,
    READ,
    RENAME,
    SYNC,
    WRITE,
    Fault,
    FaultyDisk,
    MovedClock,
)
from zygote import Ended, started

FAULTS: Final = (
    Fault("no space (ENOSPC)", OPEN_WRITE | WRITE, errno.ENOSPC, stays=True),
    Fault("no right to write (EACCES)", OPEN_WRITE | RENAME, errno.EACCES, stays=True),
    Fault("write fails (EIO)", WRITE, errno.EIO),
    Fault("fsync fails (EIO)", SYNC, errno.EIO),
    Fault("rename fails (EIO)", RENAME, errno.EIO),
    Fault("read fails (EIO)", OPEN_READ | READ, errno.EIO),
    Fault("half a write", WRITE),
    Fault("half a read", READ),
)
OF_RUNS: Final = (FAULTS[0], FAULTS[2])
"""Those that also befall Dagster's own files."""
_CODES: Final = (0, 1, 2)
_HOUR: Final = 3600.0
_JUMPS: Final = (-_HOUR, -365 * 24 * _HOUR, 40 * 24 * _HOUR, 0.0)


@dataclass
class Faults:
    """What has been done, and what went wrong."""

    tried: Counter[str] = field(default_factory=Counter)
    """By kind of fault: those that struck."""
    failed: Counter[str] = field(default_factory=Counter)
    """Those after which the refresh said that it had failed."""
    calls: dict[str, int] = field(default_factory=dict)
    """How many calls of a kind a refresh makes."""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For a table."""
        return {
            "tried": dict(self.tried),
            "failed": dict(self.failed),
            "calls": self.calls,
            "seconds": round(self.seconds, 1),
            "wrong": self.wrong,
        }


@dataclass
class Trial:
    """Refreshes under faults, one after the other at one place."""

    world: World
    place: Place
    done: Faults
    chance: random.Random
    turn: int = 0

    def under(self, name: str, begin: Callable[[], None], end: Callable[[], bool]) -> None:
        """Refreshes under a fault, judges it, and refreshes again without.

        Args:
            name: of the fault.
            begin: brings the fault about.
            end: takes it away; whether it has struck.
        """
        self.turn += 1
        before = self.place.history()
        begin()
        try:
            ended = self.refreshed()
        except TimeoutError as problem:
            ended = Ended(-1, 0.0, str(problem), ())
        if end():
            self.done.tried[name] += 1
            self.done.failed[name] += ended.code != 0
        wrong = [*_of_end(ended), *self.judged(before, ended)]
        self.done.wrong += [f"{name}: {line}" for line in (*wrong, *self.afterwards())]

    def judged(self, before: History, ended: Ended) -> list[str]:
        """What is wrong behind a refresh that ended so; one that succeeded has done all of it."""
        wanted = {self.world.content(self.turn)}
        wanted |= {content for _, content in before[:1]} if ended.code else set()
        return self.place.what_is_wrong(before, wanted, done=ended.code == 0)

    def afterwards(self) -> list[str]:
        """What is wrong once the same has been asked for without the fault."""
        before = self.place.history()
        ended = self.refreshed()
        if ended.code:
            return [f"the refresh without the fault failed: {ended.said[-600:]}"]
        wrong = self.judged(before, ended)
        left = [f"left behind: {path}" for path in self.place.strays()]
        return wrong + left + self.place.what_dagster_has_wrong()

    def refreshed(self) -> Ended:
        """The refresh of this turn, as it ended."""
        command = self.world.refresh(self.turn)
        return self.world.zygote.run(*command, environment=self.place.environment, name="fault")


def _of_end(ended: Ended) -> list[str]:
    """Whether a refresh has ended as it may: well, or with a line that says why not."""
    if ended.code not in _CODES:
        return [f"it ended with {ended.code}: {ended.said[-600:]}"]
    if "Traceback" in ended.said or "panicked" in ended.said:
        return [f"it wrote a traceback: {ended.said[-900:]}"]
    if ended.code and not ended.last_line.startswith("error: "):
        return [f"it did not say in a line what is wrong: {ended.said[-300:]}"]
    return []


def disk_faults(
    trial: Trial,
    disk: FaultyDisk,
    faults: Sequence[Fault],
    below: Path,
    *,
    points: int,
    until: float = float("inf"),
) -> None:
    """Lets the n-th call of each kind fail below a folder, for so many n of all that there are."""
    for fault in faults:
        name = fault.name if below == trial.place.root else f"{fault.name}, Dagster's files"
        trial.turn += 1
        disk.fail(fault, below, 0)
        counted = trial.refreshed()
        calls, _ = disk.heal()
        if counted.code or not calls:
            trial.done.wrong.append(f"{name}: {calls} calls counted, {counted.last_line}")
        trial.done.calls[name] = calls
        for at in sorted(trial.chance.sample(range(1, calls + 1), min(points, calls))):
            if time.monotonic() > until:
                return

            def begin(fault: Fault = fault, at: int = at) -> None:
                disk.fail(fault, below, at)

            trial.under(name, begin, lambda: disk.heal()[1] > 0)


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[str], None] | None]:
    """A file system of its own in memory, and how to mount it again; None where we may not."""
    folder.mkdir(parents=True, exist_ok=True)
    mount, unmount = which("mount"), which("umount")
    if os.geteuid() != 0 or mount is None or unmount is None:
        yield None
        return
    command = [mount, "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        yield None
        return

    def mount_again(options: str) -> None:
        subprocess.run([mount, "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield mount_again
    finally:
        subprocess.run([unmount, "--lazy", str(folder)], check=True)


def full_disks(trial: Trial, mount_again: Callable[[str], None], *, points: int) -> None:
    """Leaves less and less room on the store's disk, and then none to write at all."""
    root = trial.place.root
    assert root is not None
    trial.refreshed()
    for point in range(points):
        used = sum(path.stat().st_blocks // 2 for path in root.rglob("*"))
        room = used + 8 + point * 400 // points  # KiB; a refresh needs some hundred beside

        def begin(room: int = room) -> None:
            mount_again(f"size={room}k")

        def end() -> bool:
            mount_again("size=256m")
            return True

        trial.under("full disk (tmpfs)", begin, end)

    def writable() -> bool:
        mount_again("rw")
        return True

    trial.under("read-only disk (tmpfs)", lambda: mount_again("ro"), writable)


def jumping_clock(trial: Trial, clock: MovedClock) -> None:
    """Sets the clock back an hour and a year, ahead 40 days and right again."""
    for ahead in _JUMPS:

        def begin(ahead: float = ahead) -> None:
            clock.move_to(ahead)

        trial.under("clock jumps", begin, lambda: True)


def lost_database(trial: Trial, *, points: int) -> None:
    """Kills the PostgreSQL server while a refresh publishes to it, and starts it again."""
    server, chance = trial.place.server, trial.chance
    for _ in range(points):
        trial.turn += 1
        before = trial.place.history()
        command, settings = trial.world.refresh(trial.turn), trial.place.environment
        child = trial.world.zygote.start(command, environment=settings, name="database")
        while "insight/history" not in child.said and Path(f"/proc/{child.pid}").exists():
            time.sleep(0.003)
        time.sleep(chance.uniform(0.0, 0.5))
        server.kill()
        time.sleep(chance.uniform(0.0, 0.5))
        server.ensure_running()
        ended = child.wait()
        trial.done.tried["database lost"] += 1
        trial.done.failed["database lost"] += ended.code != 0
        wrong = [*_of_end(ended), *trial.judged(before, ended), *trial.afterwards()]
        trial.done.wrong += [f"database lost: {line}" for line in wrong]


def faults(
    folder: Path, *, points: int, seed: int, database: bool, until: float = float("inf")
) -> Faults:
    """Lets so many calls of each kind fail, and as much of all else.

    Args:
        folder: for everything.
        points: of each kind of fault.
        seed: of the moments.
        database: whether a PostgreSQL server is started to be lost.
        until: by the monotonic clock; then no more calls fail.
    """
    done, began = Faults(), time.monotonic()
    disk, clock = FaultyDisk(folder / "disk"), MovedClock(folder / "clock")
    both = {**disk.environment, **clock.environment}
    both["LD_PRELOAD"] = f"{disk.environment['LD_PRELOAD']}:{clock.environment['LD_PRELOAD']}"
    with started(folder / "zygote", both) as zygote:
        chance = random.Random(seed)  # noqa: S311 (not a secret)
        trial = Trial(World.made(folder, zygote), Place("local", folder, {}), done, chance)
        with opened("local", folder / "faulty") as trial.place:
            trial.refreshed()
            assert trial.place.root is not None
            for kinds, below in ((FAULTS, trial.place.root), (OF_RUNS, trial.place.home)):
                disk_faults(trial, disk, kinds, below, points=points, until=until)
            jumping_clock(trial, clock)
        with small_disk(folder / "small" / "store") as mount_again:
            if mount_again is not None:
                with opened("local", folder / "small") as trial.place:
                    full_disks(trial, mount_again, points=points)
        if database:
            with opened("postgres", folder / "database") as trial.place:
                lost_database(trial, points=points)
    done.seconds = time.monotonic() - began
    return done


def main() -> int:
    """Lets things fail, and prints what was found as JSON."""
    options = argparse.ArgumentParser(description="Refresh on disks and clocks that fail.")
    options.add_argument("--points", type=int, default=20, help="of each kind of fault")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--no-database", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="lastfm-faults-") as folder:
        done = faults(
            Path(folder),
            points=chosen.points,
            seed=chosen.seed,
            database=not chosen.no_database,
        )
    sys.stdout.write(json.dumps(done.as_json(), indent=2) + "\n")
    return int(bool(done.wrong))


if __name__ == "__main__":
    sys.exit(main())
