"""What a night inside Spark takes at a size that nobody has tried, from sizes that were.

    .venv/bin/python benchmarks/spark_estimate.py [--users 1e8] [--artists 1e7] [--each 50]

Each quantity is a sum of terms: a constant times something that is counted in the data. Constants
are of the two smaller sizes in `results/spark.json`, and the largest size tests them. Prints two
tables in Markdown: constants with that test, and what they come to at the size asked for.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

Run = Mapping[str, Any]
"""What `spark_scale.py` prints."""
Sizes = Mapping[str, float]
RESULTS: Final = Path(__file__).parent / "results" / "spark.json"
FACTORS: Final = 64
ROUNDS: Final = 15
FITS: Final = 3
"""Of the model that serves: on train, on train and validation, on all pairs."""
JUDGED: Final = 20_000
_MOST_BLOCKS: Final = 400
_SIZES: Final = 3
"""Two for the constants, one to test them."""
_READ: Final = ("raw_files", "cleaned", "listening/")
_JUDGE: Final = ("evaluations", "evaluation/")


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that a refresh takes, and what it is made of."""

    name: str
    unit: str
    of: Callable[[Run], float]
    """As measured."""
    terms: Mapping[str, Callable[[Sizes], float]]
    """One or two, by the name of their constant."""

    def constants(self, runs: Sequence[Run]) -> np.ndarray:
        """Of so many runs as there are terms, the last ones; none is below 0."""
        own = runs[-len(self.terms) :]
        rows = np.array([[term(run["sizes"]) for term in self.terms.values()] for run in own])
        measured = np.array([self.of(run) for run in own])
        found = np.linalg.solve(rows, measured)
        if (found >= 0).all():
            return found
        last = rows[-1] * (found >= 0)  # one term explains it all
        return np.where(found >= 0, measured[-1] / last.sum(), 0.0)

    def at(self, constants: np.ndarray, sizes: Sizes) -> float:
        """What it comes to."""
        return float(constants @ [term(sizes) for term in self.terms.values()])


def flops(sizes: Sizes) -> float:
    """Of a fit: k (k + 1) for each pair from either side, k^3 / 3 for each row, in each round."""
    k = FACTORS
    rows = sizes["users"] + sizes["artists"]
    return ROUNDS * (2 * sizes["pairs"] * k * (k + 1) + rows * k**3 / 3)


def cores(run: Run, *steps: str, roles: Sequence[str] = ("executor", "python")) -> float:
    """Processor seconds of executors and their Python workers in the steps that begin so."""
    return sum(
        step["processor_seconds"].get(role, 0.0)
        for name, step in run["steps"].items()
        if name.startswith(steps)
        for role in roles
    )


def stored(run: Run, *tables: str) -> float:
    """Bytes of tables by name, or of all in a folder `name/`."""
    sizes: Mapping[str, int] = run["store_bytes"]
    return float(
        sum(
            size
            for name, size in sizes.items()
            if any(name == one or (one.endswith("/") and name.startswith(one)) for one in tables)
        )
    )


def of_step(run: Run, step: str, figure: str) -> float:
    """A figure of Spark's event log."""
    return float(run["steps"][step][figure])


def _fixed(_: Sizes) -> float:
    return 1.0


def _products(sizes: Sizes) -> float:
    return sizes["users"] * sizes["artists"]


_SERVING: Final = "recommendations/serving_model"
_TOP: Final = "recommendations/top_artists"
_SIMILAR: Final = "recommendations/similar_artists"
QUANTITIES: Final = (
    Quantity(
        "store: raw and cleaned tables, split, weights",
        "bytes",
        lambda run: stored(run, "raw/", "listening/"),
        {"a pair": lambda sizes: sizes["pairs"]},
    ),
    Quantity(
        "store: models, three fits",
        "bytes",
        lambda run: stored(run, "models/"),
        {"a row of vectors": lambda sizes: sizes["users"] + sizes["artists"]},
    ),
    Quantity(
        "store: lists, one published version",
        "bytes",
        lambda run: stored(run, _TOP, "recommendations/published"),
        {"a user": lambda sizes: sizes["users"]},
    ),
    Quantity(
        "shuffle: one fit of ALS",
        "bytes",
        lambda run: float(run["steps"][_SERVING]["als"]["shuffle_bytes"]),
        {"a vector sent": lambda sizes: ROUNDS * sizes["meetings"]},
    ),
    Quantity(
        "shuffle: similar artists",
        "bytes",
        lambda run: of_step(run, _SIMILAR, "shuffle_bytes"),
        {"a couple of artists": lambda sizes: sizes["couples"]},
    ),
    Quantity(
        "shuffle: reading, cleaning, split",
        "bytes",
        lambda run: sum(
            step["shuffle_bytes"] for name, step in run["steps"].items() if name.startswith(_READ)
        ),
        {"a pair": lambda sizes: sizes["pairs"]},
    ),
    Quantity(
        "cores: reading, cleaning, split, weights",
        "s",
        lambda run: cores(run, *_READ),
        {"once": _fixed, "a pair": lambda sizes: sizes["pairs"]},
    ),
    Quantity(
        "cores: one fit of ALS",
        "s",
        lambda run: cores(run, _SERVING),
        {"once": _fixed, "an operation": flops},
    ),
    Quantity(
        "cores: ranking for all users",
        "s",
        lambda run: cores(run, _TOP, roles=("python",)),
        {"a user": lambda sizes: sizes["users"], "a user and artist": _products},
    ),
    Quantity(
        "cores: similar artists",
        "s",
        lambda run: cores(run, _SIMILAR),
        {"once": _fixed, "a couple of artists": lambda sizes: sizes["couples"]},
    ),
)


def asked_for(users: float, artists: float, each: float) -> dict[str, float]:
    """Counts of data of a size; users and artists alike, which says most of what can be sent."""
    pairs = users * each
    blocks = min(_MOST_BLOCKS, max(2.0, pairs // 500_000))
    met = [
        rows * blocks * -math.expm1(pairs / rows * math.log1p(-1 / blocks))
        for rows in (users, artists)
    ]
    couples = users * each * (each - 1) / 2
    return {
        "users": users,
        "artists": artists,
        "pairs": pairs,
        "blocks": blocks,
        "meetings": sum(met),
        "couples": couples,
    }


def tables(runs: Sequence[Run], wanted: Sizes) -> str:
    """Both tables, of runs by rising size."""
    *smaller, largest = runs
    tested = ["| | constants | predicted | measured | error |", "| --- | --- | --- | --- | --- |"]
    there = ["| | at the size asked for |", "| --- | --- |"]
    for one in QUANTITIES:
        constants = one.constants(smaller)
        said = ", ".join(
            f"{value:.3g} {one.unit} {name}"
            for name, value in zip(one.terms, constants, strict=True)
        )
        predicted, measured = one.at(constants, largest["sizes"]), one.of(largest)
        error = predicted / measured - 1 if measured else math.nan
        tested.append(f"| {one.name} | {said} | {predicted:.4g} | {measured:.4g} | {error:+.0%} |")
        there.append(f"| {one.name} | {one.at(one.constants(runs), wanted):.3g} {one.unit} |")
    return "\n".join([*tested, "", *there])


def main() -> None:
    """See the module."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--users", type=float, default=1e8)
    options.add_argument("--artists", type=float, default=1e7)
    options.add_argument("--each", type=float, default=50.0, help="Artists of a user.")
    given = options.parse_args()
    parts = json.loads(RESULTS.read_text(encoding="utf-8"))["parts"].values()
    runs = sorted(
        (one for one in parts if one.get("finished")), key=lambda one: one["sizes"]["pairs"]
    )
    if len(runs) < _SIZES:
        sys.exit(f"{RESULTS.name} has {len(runs)} whole runs, expected {_SIZES} sizes or more")
    sys.stdout.write(tables(runs, asked_for(given.users, given.artists, given.each)) + "\n")


if __name__ == "__main__":
    main()
