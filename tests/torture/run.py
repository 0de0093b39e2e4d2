"""Every torture test, two side by side, and the table of what was tried and what went wrong.

    python tests/torture/run.py [--minutes 60] [--quick]

Ends with 1 if anything was lost or wrong, or less was tried than a run of that size promises. A
whole run writes its table into docs/reliability.md, between the two marks; a quick one only prints
it.
"""

import argparse
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import crashes
import faults
import soak
from places import Kind

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- torture: begin -->"
END: Final = "<!-- torture: end -->"
_ROOM: Final = 6 * 2**30
"""Bytes that all parts together stay far below."""


@dataclass(frozen=True)
class Size:
    """How much of each is tried."""

    kills: dict[Kind, int]
    points: int
    """Calls that fail, of each kind of fault."""
    refreshes: int
    in_one_process: int
    corruptions: int
    power_cuts: int
    inputs: int
    guided: int
    """Inputs that are made by atheris, which looks at what lines of ours they reach."""


WHOLE: Final = Size(
    kills={"local": 95, "s3": 30, "postgres": 80},
    points=3,
    refreshes=500,
    in_one_process=20,
    corruptions=1000,
    power_cuts=600,
    inputs=1_000_000,
    guided=17_000,
)
QUICK: Final = Size(
    kills={"local": 3, "s3": 3, "postgres": 3},
    points=1,
    refreshes=5,
    in_one_process=5,
    corruptions=20,
    power_cuts=20,
    inputs=20_000,
    guided=0,
)
Row = tuple[str, str, int, int]
"""Part, kind, how many were tried, how many were lost or wrong."""


@dataclass(frozen=True)
class Part:
    """What one part of the tests has found."""

    rows: list[Row]
    wrong: list[str]
    notes: list[str]


def _kills(folder: Path, size: Size, until: float) -> Part:
    done = crashes.crashes(folder, kills=size.kills, seed=0, until=until)
    stages = ", ".join(f"{stage} {count}" for stage, count in done.stages.most_common())
    rows = [*_rows("killed (SIGKILL)", done.kills, done.wrong), *_rows("stopped", done.stops, [])]
    short = _short("kills", done.kills.total(), sum(size.kills.values()))
    return Part(rows, [*done.wrong, *short], [f"Kills by what was under way: {stages}."])


def _faults(folder: Path, size: Size, until: float) -> Part:
    done = faults.faults(folder, points=size.points, seed=0, database=True, until=until)
    named = {fault.name for fault in faults.FAULTS} | {"clock jumps", "database lost"}
    untried = [f"{name}: never struck" for name in sorted(named - {*done.tried})]
    return Part(_rows("fault", done.tried, done.wrong), [*done.wrong, *untried], [])


def _soak(folder: Path, size: Size, until: float) -> Part:
    done = soak.soak(folder, refreshes=size.refreshes, in_one=size.in_one_process, until=until)
    said = done.as_json()
    figures = said["fifths"] | {"rss_mb, one process": said["one_process_rss_mb"]}
    notes = [
        f"{name} by fifths of the soak: {', '.join(map(str, means))}."
        for name, means in figures.items()
        if means
    ]
    rows = [("soak", "a process each", done.refreshes, len(done.wrong))]
    rows.append(("soak", "in one process", len(done.in_one_process), 0))
    short = _short("refreshes", done.refreshes, size.refreshes)
    return Part(rows, [*done.wrong, *short], notes)


def _inputs(_folder: Path, size: Size, until: float) -> Part:
    inputs = importlib.import_module("inputs")
    seconds, wrong = max(10.0, until - time.monotonic()), []
    found = inputs.fuzz(size.inputs, 0, seconds, say=wrong.append)
    if size.guided:
        found |= inputs.guided(size.guided, 0, say=wrong.append)
    rows = [("input", name, sum(said.values()), said["defect"]) for name, said in found.items()]
    short = _short("inputs", sum(row[2] for row in rows), int(0.999 * (size.inputs + size.guided)))
    return Part(rows, [*wrong, *short], [])


def _corruptions(folder: Path, size: Size, _until: float) -> Part:
    found: dict[str, int] = importlib.import_module("corruption").corrupt(
        folder, size.corruptions, 0
    )
    bad = found.pop("silent", 0) + found.pop("not healed", 0)
    return _counted("corruption", found, "tried", bad, size.corruptions)


def _power_cuts(folder: Path, size: Size, _until: float) -> Part:
    found: dict[str, int] = importlib.import_module("power_cuts").cut(folder, size.power_cuts, 0)
    return _counted("power cut", found, "cuts", found.pop("wrong", 0), size.power_cuts * 9 // 10)


def _counted(what: str, found: dict[str, int], tried: str, bad: int, wanted: int) -> Part:
    """Of tests that say how often something came out, one of the counts being of all."""
    short = _short(f"tries of {what}", found.get(tried, 0), wanted)
    rest = ", ".join(f"{name} {count:,}" for name, count in found.items() if name != tried)
    rows = [(what, rest, found.get(tried, 0), bad)]
    return Part(rows, [*[f"{what}: silent or not healed"] * bad, *short], [])


def _short(what: str, tried: int, wanted: int) -> list[str]:
    """A line where fewer were tried than a run of this size promises."""
    return [f"{tried:,} {what}, {wanted:,} were to be tried"] if tried < wanted else []


_PARTS: Final[dict[str, tuple[Callable[[Path, Size, float], Part], float]]] = {
    "soak": (_soak, 0.97),
    "crashes": (_kills, 0.8),
    "inputs": (_inputs, 0.97),
    "faults": (_faults, 0.95),
    "corruption": (_corruptions, 1.0),
    "power_cuts": (_power_cuts, 1.0),
}
"""Each with the share of the time after which it begins nothing more; the longest first."""


def _rows(part: str, tried: Mapping[str, int], wrong: Sequence[str]) -> list[Row]:
    """A row a kind, each with those lines of what went wrong that begin with its name."""
    return [
        (part, kind, count, sum(line.startswith(kind) for line in wrong))
        for kind, count in sorted(tried.items())
    ]


def _run(name: str, size: Size, until: float) -> Part:
    """One part, in a process of its own, on a disk in memory where there is one of that size."""
    shared = Path("/dev/shm")  # noqa: S108 (the folder in it is made for us alone)
    room = shutil.disk_usage(shared).free if shared.is_dir() else 0
    place = shared if room > _ROOM else None
    with tempfile.TemporaryDirectory(prefix=f"lastfm-{name}-", dir=place) as folder:
        try:
            return _PARTS[name][0](Path(folder), size, until)
        except Exception:  # noqa: BLE001 (the other parts go on)
            return Part([], [f"{name} broke off: {traceback.format_exc()}"], [])


def table(parts: Sequence[Part], minutes: float) -> str:
    """What was tried, in Markdown."""
    rows = [row for part in parts for row in part.rows]
    lost = sum(len(part.wrong) for part in parts)
    lines = ["| what | kind | tried | lost or wrong |", "|---|---|---:|---:|"]
    lines += [f"| {what} | {kind} | {tried:,} | {wrong:,} |" for what, kind, tried, wrong in rows]
    notes = [f"- {note}" for part in parts for note in part.notes]
    ended = f"Lost or wrong: {lost}. {minutes:.0f} minutes on {os.cpu_count()} processors."
    return "\n".join([*lines, "", *notes, "", ended])


def _write(text: str) -> None:
    """Puts the table into the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{PAGE.name} has no place for the table")
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Runs all parts; 1 where anything was lost or wrong, or less was tried than is promised."""
    options = argparse.ArgumentParser(description="Run every torture test.")
    options.add_argument("--minutes", type=float, default=60.0, help="no part goes on for longer")
    options.add_argument("--quick", action="store_true", help="a few of each")
    options.add_argument("--only", action="append", choices=_PARTS, help="a part; again for more")
    chosen = options.parse_args()
    began, size = time.monotonic(), QUICK if chosen.quick else WHOLE
    done: dict[str, Part] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        going: dict[Future[Part], str] = {}
        for name in chosen.only or _PARTS:
            until = began + chosen.minutes * 60 * _PARTS[name][1]
            going[pool.submit(_run, name, size, until)] = name
        for future in as_completed(going):
            part = done[going[future]] = future.result()
            tried = sum(count for _, _, count, _ in part.rows)
            minutes = (time.monotonic() - began) / 60
            sys.stderr.write(
                f"{minutes:5.1f} min  {going[future]}: {tried:,} tried, {len(part.wrong)} wrong\n"
            )
            sys.stderr.writelines(f"  {line}\n" for line in part.wrong)
    parts = [done[name] for name in _PARTS if name in done]
    text = table(parts, (time.monotonic() - began) / 60)
    sys.stdout.write(text + "\n")
    if not chosen.quick and not chosen.only:
        _write(text)
    return int(any(part.wrong for part in parts))


if __name__ == "__main__":
    sys.exit(main())
