"""Refreshes hundreds of times in a row, and measures what grows.

    python tests/torture/soak.py --refreshes 500

Each refresh is a process of its own, as a daemon starts it, and finds other data than the last one.
The clock moves on by a day each time: the published lists' files go 30 days after they were
replaced, their entries in the log as long after that, and a weekly pruning forgets runs that are 30
days old. Beside that, one process makes refreshes one after the other, and its memory is watched.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from places import Place, World, opened
from preloaded import MovedClock
from zygote import Zygote, started

STEP: Final = timedelta(days=1)
"""How far the clock moves on before each refresh."""
_PRUNED_EVERY: Final = 7
"""Refreshes between two calls of the pruning."""
_DAYS_KEPT: Final = 30
"""Days after which a run is forgotten."""
_SETTLED: Final = 250
"""Refreshes from which on the last two fifths lie behind all that is kept for a time."""
_GROWTH: Final = 0.05
"""How much more the last fifth may have of something than the fifth before."""
_MEASURED: Final = ("store_files", "store_mb", "home_files", "home_mb", "rss_mb", "files")


@dataclass
class Soak:
    """What was measured after each refresh, and what went wrong."""

    refreshes: int = 0
    measured: list[dict[str, float]] = field(default_factory=list)
    in_one_process: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For a table: the mean of each fifth."""
        return {
            "refreshes": self.refreshes,
            "in_one_process": len(self.in_one_process),
            "fifths": {name: fifths(self.measured, name) for name in _MEASURED if self.measured},
            "one_process_rss_mb": fifths(self.in_one_process, "rss_mb"),
            "one_process_files": fifths(self.in_one_process, "files"),
            "seconds": round(self.seconds, 1),
            "wrong": self.wrong,
        }


def fifths(measured: Sequence[dict[str, float]], name: str) -> list[float]:
    """The mean of a figure in each fifth of a row of measurements; nothing of fewer than five."""
    size = len(measured) // 5
    if not size:
        return []
    values = [one[name] for one in measured]
    parts = [values[size * n : size * (n + 1) if n < 4 else None] for n in range(5)]
    return [round(statistics.fmean(part), 2) for part in parts]


def what_grows(measured: Sequence[dict[str, float]], names: Sequence[str]) -> list[str]:
    """What the last fifth has more of than the fifth before, by more than is allowed."""
    grown = []
    for name in names:
        means = fifths(measured, name)
        if means and means[-1] > means[-2] * (1 + _GROWTH):
            grown.append(f"{name} grows: {' '.join(map(str, means))} by fifths")
    return grown


def _sizes(place: Place) -> dict[str, float]:
    sizes: dict[str, float] = {}
    assert place.root is not None
    for name, folder in (("store", place.root), ("home", place.home)):
        files = [path for path in folder.rglob("*") if path.is_file()]
        sizes[f"{name}_files"] = len(files)
        sizes[f"{name}_mb"] = sum(path.stat().st_size for path in files) / 2**20
    return sizes


def each_in_its_process(
    world: World,
    place: Place,
    clock: MovedClock,
    *,
    refreshes: int,
    until: float = float("inf"),
) -> Soak:
    """Refreshes one after the other, hours apart by the clock, with pruning now and then."""
    done, began = Soak(), time.monotonic()
    for number in range(1, refreshes + 1):
        if time.monotonic() > until:
            break
        clock.move_to(number * STEP.total_seconds())
        before = place.history()
        ended = world.zygote.run(*world.refresh(number), environment=place.environment)
        if ended.code:
            done.wrong.append(f"refresh {number} failed: {ended.said[-600:]}")
            continue
        done.refreshes += 1
        wrong = place.what_is_wrong(_kept(before, place), {world.content(number)})
        done.wrong += [f"refresh {number}: {line}" for line in wrong]
        if number % _PRUNED_EVERY == 0:
            pruned = world.zygote.run("prune", str(_DAYS_KEPT), environment=place.environment)
            if pruned.code:
                done.wrong.append(f"pruning failed: {pruned.said[-600:]}")
        figures = {name: float(value) for name, value in ended.figures[-1].items()}
        done.measured.append(figures | _sizes(place))
    done.wrong += [f"left behind: {path}" for path in place.strays()]
    done.wrong += place.what_dagster_has_wrong()
    done.seconds = time.monotonic() - began
    return done


def _kept(before: list[tuple[int, str]], place: Place) -> list[tuple[int, str]]:
    """The part of a history that is still remembered."""
    oldest = min((number for number, _ in place.history()), default=0)
    return [version for version in before if version[0] >= oldest]


def in_one_process(zygote: Zygote, world: World, place: Place, *, refreshes: int) -> Soak:
    """Refreshes by one process, which a notebook or a test may do."""
    began = time.monotonic()
    commands = [world.refresh(number) for number in range(1, refreshes + 1)]
    child = zygote.start(*commands, environment=place.environment, name="one")
    ended = child.wait(60.0 * refreshes + 60)
    done = Soak(in_one_process=[dict(figures) for figures in ended.figures])
    failed = [n for n, figures in enumerate(ended.figures, 1) if figures["code"]]
    if failed or len(ended.figures) < refreshes:
        done.wrong.append(f"in one process refreshes {failed} failed: {ended.said[-600:]}")
    done.seconds = time.monotonic() - began
    return done


def soak(folder: Path, *, refreshes: int, in_one: int, until: float = float("inf")) -> Soak:
    """Refreshes in a row.

    Args:
        folder: for everything.
        refreshes: each in a process of its own.
        in_one: by one process, beside those.
        until: by the monotonic clock; then no more is begun.
    """
    clock = MovedClock(folder / "clock")
    with started(folder / "zygote", clock.environment) as zygote:
        world = World.made(folder, zygote, sources=min(4, refreshes))
        with opened("local", folder / "one") as place:
            one = in_one_process(zygote, world, place, refreshes=in_one)
        with opened("local", folder / "soaked") as place:
            done = each_in_its_process(world, place, clock, refreshes=refreshes, until=until)
    done.in_one_process, done.seconds = one.in_one_process, done.seconds + one.seconds
    done.wrong += one.wrong
    if done.refreshes >= _SETTLED:  # of fewer, what is kept for a month would count as growth
        done.wrong += what_grows(done.measured, _MEASURED)
    done.wrong += what_grows(done.in_one_process, ("rss_mb", "files"))
    return done


def main() -> int:
    """Refreshes, and prints what was measured as JSON."""
    options = argparse.ArgumentParser(description="Refresh many times in a row.")
    options.add_argument("--refreshes", type=int, default=500)
    options.add_argument("--in-one-process", type=int, default=40)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="lastfm-soak-") as folder:
        done = soak(Path(folder), refreshes=chosen.refreshes, in_one=chosen.in_one_process)
    sys.stdout.write(json.dumps(done.as_json(), indent=2) + "\n")
    return int(bool(done.wrong))


if __name__ == "__main__":
    sys.exit(main())
