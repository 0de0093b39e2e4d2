"""Measures `score` on one core: judging a million users' lists, and reading them from CSV.

    .venv/bin/python benchmarks/score.py [--users 1000000] [--runs 5] [--read]

Prints one JSON object: median and spread of the seconds of `judge_lists`, computation only, for
lists in the order in which most tools write them, for the same rows shuffled, and for ids spread
over 60 bits; with `--read`, those of `read_lists` on the same lists as CSV.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from lastfm_assets.evaluation.exchange import read_lists
from lastfm_assets.evaluation.given_lists import judge_lists
from lastfm_assets.vocabulary import Columns

LENGTH = 10
HELD_OUT = 5
WITH_A_HIT = 0.5
"""Share of users of whom a listed artist is held out on purpose."""


def made(users: int, artists: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lists and held-out pairs of random users.

    Args:
        users: how many, each with `LENGTH` listed and `HELD_OUT` held-out artists.
        artists: size of the catalogue; popular ones are drawn more often.
        seed: of the draws.

    Returns:
        `user_id, artist_id, score` by user, highest score first; `user_id, artist_id`.
    """
    rng = np.random.default_rng(seed)
    # the cube of a uniform number: the first percent of the artists gets a fifth of the draws
    drawn = (artists * rng.random((users, LENGTH)) ** 3).astype(np.int64)
    drawn.sort(axis=1)
    # distinct within a list: the j-th smallest moves up by j
    drawn += np.arange(LENGTH)
    scores = -np.sort(-rng.random((users, LENGTH), dtype=np.float32), axis=1).astype(np.float64)
    order = rng.permuted(np.tile(np.arange(LENGTH), (users, 1)), axis=1)
    wanted = np.sort((artists * rng.random((users, HELD_OUT)) ** 3).astype(np.int64), axis=1)
    wanted += np.arange(HELD_OUT)
    wanted[:, 0] = np.where(rng.random(users) < WITH_A_HIT, drawn[:, 0], wanted[:, 0])
    lists = pd.DataFrame(
        {
            Columns.USER: np.repeat(np.arange(1, users + 1), LENGTH),
            Columns.ARTIST: np.take_along_axis(drawn, order, axis=1).ravel() + 1,
            Columns.SCORE: scores.ravel(),
        }
    )
    held_out = pd.DataFrame(
        {
            Columns.USER: np.repeat(np.arange(1, users + 1), HELD_OUT),
            Columns.ARTIST: wanted.ravel() + 1,
        }
    )
    return lists, held_out


def spread_ids(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with ids that lie far apart, in the same order."""
    factor = 1_000_003 * 7_919
    return table.assign(
        **{name: table[name] * factor + 17 for name in (Columns.USER, Columns.ARTIST)}
    )


def seconds(work: Callable[[], object], runs: int) -> dict[str, float]:
    """Median, minimum and maximum of some runs, after one that does not count.

    On a machine that others use as well, the processor's seconds say more than those of the wall.
    """
    walls, processor = [], []
    for _ in range(runs + 1):
        wall, used = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - used)
    return {
        "median": statistics.median(walls[1:]),
        "min": min(walls[1:]),
        "max": max(walls[1:]),
        "processor_median": statistics.median(processor[1:]),
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--artists", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--read", action="store_true", help="measure reading CSV as well")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    threadpool_limits(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    lists, held_out = made(chosen.users, chosen.artists, chosen.seed)
    worlds = {
        "judge_seconds": (lists, held_out),
        "judge_seconds_shuffled": tuple(
            table.sample(frac=1, random_state=chosen.seed, ignore_index=True)
            for table in (lists, held_out)
        ),
        "judge_seconds_ids_of_60_bits": (spread_ids(lists), spread_ids(held_out)),
    }
    result: dict[str, object] = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores_used": 1,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pandas")},
        },
        "users": chosen.users,
        "rows": len(lists),
        "held_out_pairs": len(held_out),
        "runs": chosen.runs,
    }
    for name, (given, pairs) in worlds.items():
        result[name] = seconds(partial(judge_lists, given, pairs, [LENGTH]), chosen.runs)
    if chosen.read:
        content = lists.to_csv(index=False).encode()
        result["csv_megabytes"] = len(content) / 2**20
        result["read_lists_seconds"] = seconds(
            partial(read_lists, content, "lists.csv"), chosen.runs
        )
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
