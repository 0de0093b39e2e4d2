"""Compares fitting in one process with fitting in several: time, processor time, memory.

    .venv/bin/python benchmarks/processes.py --source path/to/hetrec2011-lastfm-2k

All models are fitted on train and validation and judged on all parts, second fits on train alone
included. Both ways take turns, each time as a program of its own. Prints one JSON object.
"""

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lastfm_assets.evaluation.judge import evaluate_parts
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.models import fits
from lastfm_assets.models.trained import MODELS, train_together
from lastfm_assets.vocabulary import Columns

_EVERY = 0.1
"""Seconds between two looks at the memory."""


def evaluations(source: str, processes: int) -> Iterator[Evaluation]:
    """Every model, fitted and judged."""
    with tempfile.TemporaryDirectory() as folder:
        tables = load(source, data_folder=Path(folder))
    artist_ids = tables.artists[Columns.ARTIST].to_numpy()
    pairs = split(tables.interactions, seed=0)
    judged_on = ListeningMatrix.from_pairs(pairs_of(pairs, "train", "validation"), artist_ids)
    side = SideTables(tables.tag_assignments, tables.friendships).without_tags_of(
        pairs_of(pairs, "held_out")
    )
    probed_on = ListeningMatrix.from_pairs(pairs_of(pairs, "train"), artist_ids)
    beside = side.without_tags_of(pairs_of(pairs, "validation"))
    asked = {name: model.Config() for name, model in MODELS.items()}
    with fits.workers(processes):
        fitted = train_together(asked, judged_on, side=side, seed=0, processes=processes)
        models = {model.name: model for model, _ in fitted}
        probes = train_together(asked, probed_on, side=beside, seed=0, processes=processes)
        for probe, _ in probes:  # the judge asks for the same fit and finds it kept
            model = models[probe.name]
            yield Evaluation.of(model, evaluate_parts(model, judged_on, pairs, side))


def measured(source: str, processes: int) -> dict[str, Any]:
    """Seconds of this process, and what the models reach, as a hash."""
    started = time.perf_counter()
    means = {one.model: one.means() for one in evaluations(source, processes)}
    seconds = time.perf_counter() - started
    said = json.dumps(means, sort_keys=True)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "seconds": seconds,
        "processor_seconds": sum(one.ru_utime + one.ru_stime for one in used),
        "figures": hashlib.sha256(said.encode()).hexdigest()[:16],
    }


def observed(source: str, processes: int) -> dict[str, Any]:
    """`measured` as a program of its own, and the most memory it held with all its processes."""
    own = [sys.executable, __file__, "--source", source, "--measure", str(processes)]
    peak = 0
    with subprocess.Popen(own, stdout=subprocess.PIPE, text=True) as program:  # noqa: S603 (ours)
        while program.poll() is None:
            peak = max(peak, sum(_memory(pid) for pid in _family(program.pid)))
            time.sleep(_EVERY)
        said = program.stdout.read() if program.stdout else ""
    if program.returncode:
        sys.exit(f"measuring with {processes} processes failed, see above")
    return {**json.loads(said), "peak_gb": peak / 2**20}


def _family(pid: int) -> list[int]:
    """A process and those it started, as Linux tells."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [
            int(child) for task in tasks for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has ended in the meantime
        return []
    return [pid, *(one for child in children for one in _family(child))]


def _memory(pid: int) -> int:
    """Kibibytes of a process, shared pages by its share of them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default=os.environ.get("LASTFM_SOURCE", "sample"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", type=int, help="measure in this program, with so many")
    chosen = parser.parse_args()
    if chosen.measure:
        result = measured(chosen.source, chosen.measure)
    else:
        pairs = [
            [observed(chosen.source, processes) for processes in (1, chosen.processes)]
            for _ in range(chosen.runs)
        ]
        ratios = [several["seconds"] / one["seconds"] for one, several in pairs]
        figures = {one["figures"] for pair in pairs for one in pair}
        result = {
            "cores": os.cpu_count(),
            "processes": chosen.processes,
            "in_process": [one for one, _ in pairs],
            "in_processes": [several for _, several in pairs],
            "ratio": statistics.median(ratios),
            "ratios": ratios,
            "same_figures": len(figures) == 1,
        }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
