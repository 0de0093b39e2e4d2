"""Hostile input in bulk: every parser must end in a result or in an error of ours.

    python tests/torture/inputs.py --cases 1000000 --guided 200000

Cases run in a process of their own, which notes in a shared file what it is at. Whatever ends that
process, holds it up or takes its memory is a defect of the case that it was at, and another
process goes on behind it. The same parser, seed and number make the same case.
"""

import argparse
import json
import mmap
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds that a case may take, most of them waiting for a processor."""
_UNTIL_READY = 600.0
"""Seconds that a process may take until it has imported everything."""
OUTCOMES = ("result", "refused", "defect")
PARSERS = {
    "files of HetRec": ("hetrec_file", 60),
    "sources of HetRec": ("hetrec_source", 3),
    "archives": ("archives", 150),
    "descriptions in TOML": ("description_toml", 180),
    "descriptions in YAML": ("description_yaml", 110),
    "described tables": ("described_table", 12),
    "described parquet": ("parquet_table", 5),
    "held-out pairs": ("held_out", 20),
    "given lists": ("given_lists", 10),
    "listeners' plays": ("listeners_plays", 10),
    "models.toml": ("models_file", 100),
    "saved models": ("models", 20),
    "settings": ("settings", 220),
    "typed words": ("words_typed", 20),
    "audio features": ("audio_features", 30),
    "sql": ("sql", 3),
    "shown names": ("names_shown", 50),
}
"""Each by what it reads: the function that makes it ready, and its cases of a thousand."""
CELLS = 6
"""Numbers of the shared file: parser, case, cases by outcome, and whether all is imported."""
_WORKER = Path(__file__).with_name("input_worker.py")
Counts = dict[str, dict[str, int]]
"""By parser, and then by outcome."""


def fuzz(
    cases: int,
    seed: int,
    seconds: float | None = None,
    *,
    only: Sequence[str] = (),
    say: Callable[[str], None] = lambda _line: None,
) -> Counts:
    """Feeds hostile input to every parser.

    Args:
        cases: in all; each parser has its share.
        seed: of what is made up.
        seconds: after which no case is begun any more.
        only: names of parsers; all where there is none.
        say: told each defect once, with its case.

    Returns:
        Cases that ended as a result, refused by an error of ours, or otherwise: as a defect.
    """
    names = list(only or PARSERS)
    until = None if seconds is None else time.monotonic() + seconds
    plan = {"cases": cases, "seed": seed, "until": until, "only": names}
    found = {name: Counter[str]() for name in names}
    with tempfile.TemporaryDirectory(prefix="inputs-") as folder:
        start: tuple[int, int] | None = (0, 0)
        while start is not None and start[0] < len(names):
            start = _process(plan, Path(folder), start, found, say)
    return {name: {one: counts[one] for one in OUTCOMES} for name, counts in found.items()}


def guided(
    cases: int, seed: int, *, only: Sequence[str] = (), say: Callable[[str], None] = print
) -> Counts:
    """The same, but atheris makes the cases, guided by which lines of ours they reach.

    Args:
        cases: in all; parsers have equal parts, each in a process of its own.
        seed: of atheris.
        only: as for `fuzz`.
        say: as for `fuzz`.
    """
    names = list(only or PARSERS)
    found = {name: Counter[str]() for name in names}
    for name in names:
        plan = {"cases": cases // len(names), "seed": seed, "only": [name], "guided": True}
        with tempfile.TemporaryDirectory(prefix="inputs-") as folder:
            _process(plan, Path(folder), (0, 0), found, say)
    return {
        f"{name}, guided": {one: counts[one] for one in OUTCOMES} for name, counts in found.items()
    }


def _process(
    plan: dict[str, Any],
    folder: Path,
    start: tuple[int, int],
    found: dict[str, Counter[str]],
    say: Callable[[str], None],
) -> tuple[int, int] | None:
    """Runs one process to its end; where another has to go on if a case ended this one."""
    shared = folder / "shared"
    shared.write_bytes(bytes(8 * CELLS))
    with (
        shared.open("r+b") as file,
        mmap.mmap(file.fileno(), 8 * CELLS) as memory,
        (folder / "said").open("w+") as said,
        (folder / "errors").open("w+") as errors,
    ):
        cells = memoryview(memory).cast("q")
        cells[0], cells[1] = start
        command = [sys.executable, str(_WORKER), str(folder), json.dumps(plan)]
        process = subprocess.Popen(command, stdout=said, stderr=errors)
        held_up = _watch(process, cells)
        place, case, *counts, is_ready = cells.tolist()
        cells.release()
        said.seek(0)
        errors.seek(0)
        told = [json.loads(line) for line in said if line.startswith("{")]
        last = errors.read().strip().splitlines()[-12:]
    for one in told:
        found[one["parser"]].update(one.get("counts", {}))
        if "defect" in one:
            say(f"{one['parser']}, {one['defect']}")
    if process.returncode == 0:
        return None
    if not is_ready:
        raise RuntimeError(f"the process did not begin: {' | '.join(last)}")
    name = plan["only"][place]
    found[name].update(dict(zip(OUTCOMES, counts, strict=True)))
    found[name]["defect"] += 1
    how = f"took over {PATIENCE:.0f} s" if held_up else f"ended the process ({process.returncode})"
    say(f"{name}, case {case} {how}: {' | '.join(last)}")
    return place, case + 1


def _watch(process: subprocess.Popen[Any], cells: memoryview) -> bool:
    """Waits for a process's end; whether it had to be ended, as a case took too long."""
    seen, since = cells.tolist(), time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            return False
        if cells.tolist() != seen:
            seen, since = cells.tolist(), time.monotonic()
        elif time.monotonic() - since > (PATIENCE if seen[-1] else _UNTIL_READY):
            process.kill()
            process.wait()
            return True


def table(found: Counts) -> str:
    """Counts as text, a row a parser."""
    total = {one: sum(counts[one] for counts in found.values()) for one in OUTCOMES}
    rows = [f"{'parser':<32}{'cases':>11}{'result':>11}{'refused':>11}{'defect':>9}"]
    for name, counts in [*found.items(), ("all", total)]:
        cells = "".join(f"{counts[one]:>11,}" for one in OUTCOMES[:2]) + f"{counts['defect']:>9,}"
        rows.append(f"{name:<32}{sum(counts.values()):>11,}{cells}")
    return "\n".join(rows)


def main() -> int:
    """Prints the table; 1 where there was a defect."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cases", type=int, default=1_000_000, help="made from good input")
    options.add_argument("--guided", type=int, default=0, help="further cases, made by atheris")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--seconds", type=float)
    options.add_argument("--only", action="append", default=[], choices=PARSERS)
    said = options.parse_args()
    started = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    found = fuzz(said.cases, said.seed, said.seconds, only=said.only, say=say) if said.cases else {}
    if said.guided:
        found |= guided(said.guided, said.seed, only=said.only, say=say)
    sys.stdout.write(f"{table(found)}\n{time.monotonic() - started:.0f} s\n")
    return int(any(counts["defect"] for counts in found.values()))


if __name__ == "__main__":
    sys.exit(main())
