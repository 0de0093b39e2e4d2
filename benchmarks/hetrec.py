"""Measures the chain on a HetRec folder: quality over seeds, time, memory, orchestration.

    make benchmark-quality LASTFM_SOURCE=path/to/hetrec2011-lastfm-2k

Prints one JSON object; `benchmarks/README.md` shows what was measured, with machine and versions.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lastfm_assets.evaluation.judge import evaluate_parts
from lastfm_assets.evaluation.leaderboard import Evaluation, leaderboard
from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.models.trained import MODELS, train
from lastfm_assets.recommendations.lists import similar_artists, top_artists
from lastfm_assets.vocabulary import Columns


class Stopwatch:
    """Wall seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the seconds of the block to a stage."""
        started = time.perf_counter()
        yield
        elapsed = time.perf_counter() - started
        self.seconds[name] = self.seconds.get(name, 0.0) + elapsed


def pure_chain(source: str, seed: int) -> tuple[dict[str, float], Any]:
    """The whole computation without Dagster or a store: seconds by stage and the leaderboard."""
    watch = Stopwatch()
    with watch.stage("read and clean"):
        tables = load(source, data_folder=Path("data"))
    artist_ids = tables.artists[Columns.ARTIST].to_numpy()
    with watch.stage("split and weigh"):
        pairs = split(tables.interactions, seed=seed)
        judged_on = ListeningMatrix.from_pairs(pairs_of(pairs, "train", "validation"), artist_ids)
        whole = ListeningMatrix.from_pairs(tables.interactions, artist_ids)
        side = SideTables(tables.tag_assignments, tables.friendships)
        known = side.without_tags_of(pairs_of(pairs, "held_out"))
    evaluations = []
    for name in MODELS:
        with watch.stage(f"fit {name}"):
            model = train(name, judged_on, side=known, seed=seed)
        with watch.stage(f"judge {name}, second fit included"):
            parts = evaluate_parts(model, judged_on, pairs, known)
            evaluations.append(Evaluation.of(model, parts))
    with watch.stage("leaderboard"):
        sizes = pairs_of(pairs, "held_out").groupby(Columns.USER).size()
        board = leaderboard(evaluations, sizes, seed=seed)
    names = tables.artists.set_index(Columns.ARTIST)[Columns.NAME]
    with watch.stage("refit champion"):
        serving = train(str(board[Columns.MODEL].iloc[0]), whole, side=side, seed=seed)
    with watch.stage("lists"):
        top_artists(serving, whole, names)
        similar_artists(whole, names)
    return watch.seconds, board


def refresh(source: str) -> dict[str, float]:
    """One `lastfm-assets refresh` as its own process, into an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "LASTFM_SOURCE": source,
            "LASTFM_STORE": f"{folder}/store",
            "DAGSTER_HOME": f"{folder}/dagster",
        }
        command = [sys.executable, "-m", "lastfm_assets.cli", "refresh"]
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603
        wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {"wall_seconds": wall, "peak_gb_so_far": peak}


def spread(measure: Callable[[], float], runs: int) -> dict[str, float]:
    """Minimum, median and maximum of some runs."""
    values = [measure() for _ in range(runs)]
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default=os.environ.get("LASTFM_SOURCE", "sample"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    stages: list[dict[str, float]] = []
    quality: dict[str, dict[str, list[float]]] = {name: {} for name in MODELS}
    for seed in range(chosen.seeds):
        seconds, board = pure_chain(chosen.source, seed)
        stages.append(seconds)
        for row in board.to_dict("records"):
            for metric in ("held_out_precision@10", "held_out_ndcg@10", "train_precision@10"):
                quality[str(row[Columns.MODEL])].setdefault(metric, []).append(float(row[metric]))
    runs = [refresh(chosen.source) for _ in range(chosen.runs)]
    walls = [run["wall_seconds"] for run in runs]
    pure = [sum(seconds.values()) for seconds in stages]
    result = {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            **{name: version(name) for name in ("dagster", "implicit", "rectools-lightfm")},
        },
        "quality_by_seed": quality,
        "quality_mean": {
            name: {metric: statistics.mean(values) for metric, values in metrics.items()}
            for name, metrics in quality.items()
        },
        "pure_seconds_by_stage": {
            stage: statistics.median(seconds[stage] for seconds in stages if stage in seconds)
            for stage in stages[0]
        },
        "pure_seconds": spread(iter(pure).__next__, len(pure)),
        "refresh_wall_seconds": spread(iter(walls).__next__, len(walls)),
        "orchestration_seconds": statistics.median(walls) - statistics.median(pure),
        "refresh_peak_gb": max(run["peak_gb_so_far"] for run in runs),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
