"""What every peer's script shares: the job, its files, a stopwatch and the line it prints.

Needs Python alone, so that every peer can import it in an environment of its own.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

FACTORS: Final = 64
ITERATIONS: Final = 15
REGULARIZATION: Final = 1.0
ALPHA: Final = 1.0
BM25_K1: Final = 100.0
BM25_B: Final = 0.8
CUTOFF: Final = 10
SEED: Final = 0
TRAIN: Final = "train.csv"
"""Pairs to learn from, with the header `user_id,artist_id,plays`."""
HELD_OUT: Final = "held_out.csv"
"""Pairs to judge on, with the header `user_id,artist_id`."""


class Stages:
    """Wall seconds of one stage after the other, the first one from the start of the process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = _started()

    def done(self, stage: str) -> None:
        """Ends a stage: it took what has gone by since the one before."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.seconds[stage] = now - self._last
        self._last = now

    def report(self, figures: Mapping[str, float], packages: tuple[str, ...]) -> None:
        """Prints what there is to say, in one line of JSON, the last one.

        Args:
            figures: precision, recall and ndcg at 10 as the library itself means them; empty where
                it has no such metrics.
            packages: distributions whose versions matter.
        """
        said = {
            "seconds": self.seconds,
            "own_peak_bytes": _peak_bytes(),
            "own_figures": {name: float(value) for name, value in figures.items()},
            "versions": {
                "python": ".".join(map(str, sys.version_info[:3])),
                **{name: version(name) for name in packages},
            },
        }
        sys.stdout.write("\n" + json.dumps(said) + "\n")  # some leave a progress bar on the line


def job() -> tuple[Path, Path]:
    """The folder with the pairs, and where the lists go: `user_id` and ten artists a row."""
    options = argparse.ArgumentParser()
    options.add_argument("pairs", type=Path, help=f"Folder with {TRAIN} and {HELD_OUT}.")
    options.add_argument("lists", type=Path, help="File (.npy) or folder (CSV) to write.")
    given = options.parse_args()
    return given.pairs, given.lists


def _started() -> float:
    """When this process was started, in seconds on the clock since boot; to 10 ms."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks_a_second = 100  # USER_HZ, the same on every Linux
    return int(fields[19]) / ticks_a_second


def _peak_bytes() -> int:
    """Most memory that this process held, the programs it started left out."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
