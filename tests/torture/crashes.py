"""Kills refreshes at random moments, and looks after each at what readers, runs and disks say.

    python tests/torture/crashes.py --kills 70 --seed 0

The moment is drawn over the time that a whole refresh takes, or lies just behind a line that tells
of a step whose end readers would see. After each kill the same refresh is asked for again: it must
succeed, and publish what an undisturbed one publishes of the same source.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from places import Kind, Place, World, opened
from zygote import started

TARGETS: Final = (
    "s  evaluations",
    "s  recommendations/top_artists",
    "s  recommendations/published",
    "s  insight/history",
)
"""Lines behind which the steps lie whose end readers see; what is told is that a step has ended."""
_SHARE_OF_TARGETS: Final = 0.4
_STOPPED: Final = {signal.SIGTERM: 143, signal.SIGINT: 130}
_STAGES: Final = ("raw", "listening", "models", "evaluation", "recommendations", "insight")
_STEPS: Final = {
    "raw_files": "raw",
    "cleaned": "listening",
    "evaluations": "evaluation",
    "gate": "evaluation",
}
"""Steps that are named otherwise than the stage that they belong to."""

Moment = Callable[[Callable[[], str], Callable[[], bool]], bool]
"""Waits for the moment of a signal; whether it has come.

It is told how to see what a refresh says, and whether the refresh is gone."""


@dataclass
class Crashes:
    """What has been done, and what went wrong."""

    kills: Counter[str] = field(default_factory=Counter)
    """By place."""
    stops: Counter[str] = field(default_factory=Counter)
    """By signal: those that ask."""
    stages: Counter[str] = field(default_factory=Counter)
    """By the stage that was under way."""
    steps: Counter[str] = field(default_factory=Counter)
    """By the step that was under way."""
    missed: int = 0
    """Refreshes that were done before the signal came."""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Crashes") -> None:
        """Takes in what was done elsewhere."""
        for name in ("kills", "stops", "stages", "steps"):
            getattr(self, name).update(getattr(other, name))
        self.missed += other.missed
        self.seconds += other.seconds
        self.wrong += other.wrong

    def as_json(self) -> dict[str, Any]:
        """For a table."""
        return {
            "kills": dict(self.kills),
            "stops": dict(self.stops),
            "stages": dict(self.stages),
            "steps": dict(self.steps),
            "missed": self.missed,
            "seconds": round(self.seconds, 1),
            "wrong": self.wrong,
        }


def stage_of(step: str) -> str:
    """The stage that a step belongs to: a group of assets, or the time before and between them."""
    name = step.removeprefix("after ").removeprefix("check_")
    for prefix, stage in _STEPS.items():
        if name.startswith(prefix):
            return stage
    return next((stage for stage in _STAGES if name.startswith(stage)), step)


class Round:
    """One refresh that is disturbed, and the one after it."""

    def __init__(self, world: World, place: Place, turn: int, done: Crashes) -> None:
        self.world, self.place, self.turn, self.done = world, place, turn, done
        self.before = place.history()

    def disturbed_by(self, number: int, moment: Moment) -> None:
        """Starts a refresh, signals it at the moment, and judges what is left.

        Args:
            number: of the signal.
            moment: when.
        """
        name = f"{self.place.kind}-{self.turn}"
        child = self.world.zygote.start(
            self.world.refresh(self.turn), environment=self.place.environment, name=name
        )
        if moment(lambda: child.said, lambda: not Path(f"/proc/{child.pid}").exists()):
            child.signal(number)
        ended = child.wait()
        self.judge(number, ended.code, ended.said)

    def judge(self, number: int, code: int, said: str) -> None:
        """What must hold after the signal, and after the refresh that follows it."""
        _, status, step = self.place.last_run()
        if code == 0:
            self.done.missed += 1
            self.world.seconds *= 0.97  # the machine is quicker now: aim a little earlier
        elif number == signal.SIGKILL and code != -signal.SIGKILL:
            self._tell([f"it ended with {code} before it was killed: {said[-600:]}"])
        elif number == signal.SIGKILL:
            self.done.kills[self.place.kind] += 1
            self.done.steps[step] += 1
            self.done.stages[stage_of(step)] += 1
        else:
            self.done.stops[signal.Signals(number).name] += 1
            self._tell(_of_stop(number, code, said, status))
        wanted = {self.world.content(self.turn)}
        wanted |= {content for _, content in self.before[:1]} if code else set()
        self._tell(self.place.what_is_wrong(self.before, wanted, done=code == 0))
        self._go_on(f"{step} ({said.rstrip().rpartition(chr(10))[2][-80:]})")

    def _go_on(self, where: str) -> None:
        """The next refresh, as a user or a timer would start it."""
        before, place = self.place.history(), self.place
        ended = self.world.zygote.run(
            *self.world.refresh(self.turn), environment=place.environment, name="after"
        )
        place.last_run()
        if ended.code:
            self._tell([f"killed in {where}: the next refresh failed: {ended.said[-600:]}"])
            return
        wrong = place.what_is_wrong(before, {self.world.content(self.turn)}, done=True)
        wrong += place.lost()
        wrong += [f"left behind: {path}" for path in place.strays()]
        self._tell(wrong + place.what_dagster_has_wrong())

    def _tell(self, wrong: Sequence[str]) -> None:
        self.done.wrong += [f"{self.place.kind}, turn {self.turn}: {line}" for line in wrong]


def _of_stop(number: int, code: int, said: str, status: str) -> list[str]:
    """Whether a refresh that was asked to stop has stopped as it should."""
    wrong = []
    expected = _STOPPED[signal.Signals(number)]
    last = said.rstrip().rpartition("\n")[2]
    if code != expected:
        wrong.append(f"stopped by {number} it ended with {code}, expected {expected}: {last}")
    if "Traceback" in said or not last.startswith("error: "):
        wrong.append(f"stopped by {number} it did not say so in a line: {said[-300:]}")
    if status not in ("", "FAILURE", "CANCELED"):
        wrong.append(f"stopped by {number} its run is {status}")
    return wrong


def after(seconds: float) -> Moment:
    """That long after the start."""

    def wait(_said: Callable[[], str], _is_gone: Callable[[], bool]) -> bool:
        time.sleep(seconds)
        return True

    return wait


def behind(line: str, seconds: float) -> Moment:
    """That long after a line has been said; not at all where it is over before."""

    def wait(said: Callable[[], str], is_gone: Callable[[], bool]) -> bool:
        while line not in said():
            if is_gone():
                return False
            time.sleep(0.003)
        time.sleep(seconds)
        return True

    return wait


def some_moment(chance: random.Random, seconds: float) -> Moment:
    """A moment within a whole refresh of so many seconds, or close behind a line that tells."""
    if chance.random() < _SHARE_OF_TARGETS:
        return behind(chance.choice(TARGETS), chance.uniform(0.0, seconds / 10))
    return after(chance.uniform(0.0, seconds))


def kill_many(
    world: World, place: Place, *, kills: int, seed: int, until: float = float("inf")
) -> Crashes:
    """Kills so many refreshes, or as many as there is time for."""
    chance, done, began = random.Random(seed), Crashes(), time.monotonic()  # noqa: S311
    turn = 0
    while sum(done.kills.values()) < kills and time.monotonic() < until and turn < 3 * kills:
        turn += 1
        moment = some_moment(chance, world.seconds)
        Round(world, place, turn, done).disturbed_by(signal.SIGKILL, moment)
    done.seconds = time.monotonic() - began
    return done


def stop_some(world: World, place: Place, *, stops: int, seed: int) -> Crashes:
    """Asks refreshes to stop, as a service manager and Ctrl-C do; two processes fit models."""
    chance, done, began = random.Random(seed), Crashes(), time.monotonic()  # noqa: S311
    place.settings["LASTFM_PROCESSES"] = "2"
    for turn in range(1, stops + 1):
        number = list(_STOPPED)[turn % len(_STOPPED)]
        moment = behind("raw_files", chance.uniform(0.0, world.seconds / 2))
        Round(world, place, turn, done).disturbed_by(number, moment)
    del place.settings["LASTFM_PROCESSES"]
    done.seconds = time.monotonic() - began
    return done


def kill_the_command(world: World, place: Place, *, kills: int, seed: int) -> Crashes:
    """The same with the command as its users start it, imports and all."""
    chance, done, began = random.Random(seed), Crashes(), time.monotonic()  # noqa: S311
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("LASTFM_", "DAGSTER_"))}
    for turn in range(1, kills + 1):
        this = Round(world, place, turn, done)
        log = place.folder / "command.log"
        with log.open("wb") as out:
            command = [sys.executable, "-m", "lastfm_assets.cli", *world.refresh(turn)]
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=kept | place.environment,
                start_new_session=True,
            )
        moment = behind("raw_files", chance.uniform(0.0, world.seconds))
        if moment(log.read_text, lambda process=process: process.poll() is not None):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        this.judge(signal.SIGKILL, process.wait(600), log.read_text())
    done.seconds = time.monotonic() - began
    return done


def crashes(
    folder: Path,
    *,
    kills: Mapping[Kind, int],
    seed: int,
    sources: int = 3,
    until: float = float("inf"),
) -> Crashes:
    """Kills refreshes over places of several kinds.

    Args:
        folder: for everything.
        kills: over a place of each kind.
        seed: of the moments.
        sources: that refreshes find by turns.
        until: by the monotonic clock; then no more is begun.
    """
    done = Crashes()
    with started(folder / "zygote") as zygote:
        world = World.made(folder, zygote, sources=sources)
        for number, (kind, times) in enumerate(kills.items()):
            with opened(kind, folder / kind) as place:
                done.add(kill_many(world, place, kills=times, seed=seed + number, until=until))
                if kind == "local":
                    done.add(stop_some(world, place, stops=max(2, times // 8), seed=seed))
                    done.add(kill_the_command(world, place, kills=times // 25, seed=seed))
    return done


def main() -> int:
    """Kills, and prints what was found as JSON."""
    options = argparse.ArgumentParser(description="Kill refreshes at random moments.")
    options.add_argument("--kills", type=int, default=70, help="over each kind of place")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--kinds", default="local,s3,postgres")
    chosen = options.parse_args()
    kills: Any = dict.fromkeys(chosen.kinds.split(","), chosen.kills)
    with tempfile.TemporaryDirectory(prefix="lastfm-crashes-") as folder:
        done = crashes(Path(folder), kills=kills, seed=chosen.seed)
    sys.stdout.write(json.dumps(done.as_json(), indent=2) + "\n")
    return int(bool(done.wrong))


if __name__ == "__main__":
    sys.exit(main())
