"""Time and memory of the whole chain by stage, at several sizes.

    .venv/bin/python benchmarks/scale.py DESCRIPTION.toml [--pairs 1000000]

A `lastfm-assets refresh` of popularity and ALS (64 factors, 15 rounds, one fit) as a process of its
own, into an empty store. When each stage began and ended is read from Dagster's own record of the
run; the process's memory is looked at ten times a second. Prints one JSON object.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster import DagsterEventType as Event
from measured import Run, run

MODELS: Final = """\
[popularity]

[als]
factors = 64
iterations = 15
fits = 1
intensity = 0.0
"""
RANKING: Final = ("recommendations/top_artists",)
"""Steps that rank artists for every user; the growth of the others is stated apart."""
LIMIT: Final = 3600.0


def chain(source: str, *, limit: float = LIMIT) -> dict[str, Any]:
    """One refresh of a source.

    Args:
        source: as LASTFM_SOURCE.
        limit: seconds after which it is ended.

    Returns:
        Whole wall seconds and peak bytes; by step its seconds, of which the reading of its inputs,
        and the peak of memory while it ran; seconds that belong to no step.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = folder / "models.toml"
        models.write_text(MODELS, encoding="utf-8")
        environment = {
            "LASTFM_STORE": str(folder / "store"),
            "LASTFM_MODELS": str(models),
            "LASTFM_SOURCE": source,
            "DAGSTER_HOME": str(folder / "home"),
        }
        command = [sys.executable, "-m", "lastfm_assets.cli", "refresh"]
        seen = run(command, more=environment, limit=limit)
        if seen.code is None:
            return {"did_not_finish_in_seconds": limit, "peak_bytes": seen.peak_bytes}
        if seen.code:
            sys.exit(f"the refresh of {source} ended with {seen.code}: {seen.error}")
        steps = _steps(folder / "home", seen)
        stored = sum(one.stat().st_size for one in (folder / "store").rglob("*") if one.is_file())
    inside = sum(step["seconds"] for step in steps.values())
    return {
        "seconds": seen.seconds,
        "peak_bytes": seen.peak_bytes,
        "store_bytes": stored,
        "steps": steps,
        "ranking_seconds": sum(steps[name]["seconds"] for name in RANKING if name in steps),
        "orchestration_seconds": seen.seconds - inside,
    }


def growth(pairs: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent b of seconds = a pairs^b, by least squares on logarithms.

    Args:
        pairs: at least two different sizes.
        seconds: of each.
    """
    x, y = [math.log(one) for one in pairs], [math.log(one) for one in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    top = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return top / sum((a - mean_x) ** 2 for a in x)


def _steps(home: Path, seen: Run) -> dict[str, Any]:
    """Each step of the only run in a Dagster home, in their order."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (record,) = instance.get_run_records()
        events = instance.all_logs(record.dagster_run.run_id)
    times: dict[str, dict[str, float]] = {}
    for event in events:
        if event.step_key and event.dagster_event:
            times.setdefault(event.step_key, {})[event.dagster_event.event_type_value] = (
                event.timestamp
            )
    return {
        step.replace("__", "/"): _step(own, seen.memory)
        for step, own in times.items()
        if Event.STEP_SUCCESS.value in own
    }


def _step(own: Mapping[str, float], memory: Iterable[tuple[float, int]]) -> dict[str, float]:
    start, end = own[Event.STEP_START.value], own[Event.STEP_SUCCESS.value]
    computed = own.get(Event.STEP_INPUT.value, start)
    during = [held for at, held in memory if start <= at <= end]
    before = [held for at, held in memory if at < start]
    return {
        "seconds": end - start,
        "reading_seconds": computed - start,
        "peak_bytes": max(during, default=before[-1] if before else 0),
    }


def main() -> None:
    """See the module."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("source", help="Description of a generated source, or any other source.")
    given = options.parse_args()
    json.dump(chain(given.source), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
