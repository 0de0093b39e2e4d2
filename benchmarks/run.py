"""Measures everything that `benchmarks/README.md` shows, and writes its tables and picture.

    .venv/bin/python benchmarks/run.py [--quick] [--again] [--only peers,scale] [--data FOLDER]

Results are kept part by part in `benchmarks/results`; a run that was stopped goes on, and what is
there is not measured again without `--again`. `--quick` measures small sizes once, in about five
minutes, keeps its results in `data/benchmarks/quick` and leaves the README alone. HetRec is read
from `LASTFM_SOURCE` or `../shared/data/hetrec2011-lastfm-2k`; without it those parts are left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from contest import contest
from kept import Kept
from written import in_words, write_into_readme

HERE: Final = Path(__file__).parent
PROJECT: Final = HERE.parent
RESULTS: Final = HERE / "results"
QUICK: Final = PROJECT / "data" / "benchmarks" / "quick"
HETREC: Final = "hetrec2011-lastfm-2k"
SIZES: Final = {"93k": 93_000, "1m": 1_000_000, "4m": 4_000_000, "17m": 17_500_000}
OTHERS: Final = {
    "ranking": ("ranking.py",),
    "reading": ("reading.py", "--file", "17m"),
}
"""Further benchmarks: scripts beside this one that print a JSON object, by result file; a size
stands for the description of a source of that size."""
PARTS: Final = ("scale", "peers", *OTHERS)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and where."""

    results: Path
    data: Path
    again: bool
    quick: bool
    only: tuple[str, ...]

    @property
    def repeats(self) -> int:
        """Runs of each peer on HetRec."""
        return 1 if self.quick else 3

    @property
    def sizes(self) -> list[str]:
        """Of the chain."""
        return list(SIZES)[:2] if self.quick else list(SIZES)

    @property
    def contests(self) -> Iterator[tuple[str, str, int, float]]:
        """Name, source, runs of each peer, and seconds after which a run is ended."""
        hetrec = _hetrec()
        if hetrec:
            yield "hetrec", hetrec, self.repeats, 400.0
        else:
            _say("HetRec is not here (set LASTFM_SOURCE to its folder): peers on the sample")
            yield "sample", "sample", self.repeats, 400.0
        if not self.quick:
            yield "4m", str(generated("4m", self.data)), 1, 300.0


def generated(size: str, folder: Path) -> Path:
    """The description of an invented source of that size, written unless it is there."""
    found = folder / size / f"{size}.toml"
    if not found.is_file():
        _say(f"inventing {SIZES[size]:,} pairs")
        script = (
            "import sys; from pathlib import Path;"
            "from lastfm_assets.sources.generated_files import write_table;"
            "from lastfm_assets.sources.generator import World;"
            "write_table(World.of_size(int(sys.argv[1])), Path(sys.argv[2]), name=sys.argv[3])"
        )
        # in a process of its own: this one stays small, as what it starts begins with its memory
        arguments = [sys.executable, "-c", script, str(SIZES[size]), str(found.parent), size]
        subprocess.run(arguments, check=True, cwd=PROJECT)  # noqa: S603 (ours)
    return found


def main() -> None:
    """See the module."""
    plan = _plan()
    if "scale" in plan.only:
        kept = Kept(plan.results / "scale.json", plan.again)
        for size in plan.sizes:
            if plan.again or size not in kept.parts:
                _say(f"the whole chain at {SIZES[size]:,} pairs")
                source = str(generated(size, plan.data))
                _keep(kept, size, ("scale.py", source), {"pairs": SIZES[size]})
    with tempfile.TemporaryDirectory() as scratch:
        if "peers" in plan.only:
            for name, source, repeats, limit in plan.contests:
                kept = Kept(plan.results / f"peers-{name}.json", plan.again)
                contest(kept, source, Path(scratch) / name, repeats=repeats, limit=limit, say=_say)
    for name, command in OTHERS.items():
        if name in plan.only and not plan.quick:
            kept = Kept(plan.results / f"{name}.json", plan.again)
            if plan.again or "all" not in kept.parts:
                _say(f"benchmarks/{command[0]}")
                described = (str(generated(x, plan.data)) if x in SIZES else x for x in command)
                _keep(kept, "all", tuple(described))
    sys.stdout.write(in_words(plan.results) + "\n")
    if plan.results == RESULTS:
        write_into_readme(plan.results, HERE / "README.md")


def _keep(
    kept: Kept, part: str, command: Sequence[str], more: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Keeps what a script of this folder prints, run as a process of its own.

    Where it fails nothing is kept, so that the next run tries again, and the others go on.
    """
    script, *arguments = command
    own = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(own, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = None
    if done.returncode or not isinstance(said, dict):
        _say(f"{script} failed with exit {done.returncode} and printed no JSON object; left out")
        return
    kept.put(part, {**more, **said})


def _hetrec() -> str | None:
    named = os.environ.get("LASTFM_SOURCE", "")
    beside = PROJECT.parent / "shared" / "data" / HETREC
    if named:
        return named
    return str(beside) if (beside / "user_artists.dat").is_file() else None


def _plan() -> Plan:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="small sizes, once")
    options.add_argument("--again", action="store_true", help="measure what is there already, too")
    options.add_argument("--only", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    options.add_argument(
        "--data",
        type=Path,
        default=PROJECT / "data" / "benchmarks",
        help="where invented sources lie or are written: <size>/<size>.toml, sizes "
        + ", ".join(SIZES),
    )
    options.add_argument("--results", type=Path, help="where results are kept instead")
    given = options.parse_args()
    only = tuple(name.strip() for name in given.only.split(","))
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        options.error(f"--only names {unknown[0]!r}, expected some of {', '.join(PARTS)}")
    results = given.results or (QUICK if given.quick else RESULTS)
    return Plan(results, given.data, given.again, given.quick, only)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
