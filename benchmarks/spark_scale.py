"""What the Spark engine takes at a size: seconds and shuffle by step, memory of each process.

    .venv/bin/python benchmarks/spark_scale.py DESCRIPTION.toml [--memory 1700m] [--keep FOLDER]

Starts a standalone master and two workers of one core on this machine, JVMs of their own, and has
`lastfm-assets refresh --engine spark` of popularity and ALS (64 factors, 15 rounds, one fit) fill
an empty store with them. When a step began and ended is read from Dagster's record of the run, what
Spark did meanwhile from its event log; memory is looked at twice a second. Prints one JSON object.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import dagster as dg
import numpy as np
import pyarrow.parquet as pq
from dagster import DagsterEventType as Event
from scale import LIMIT, MODELS
from spark_processes import Watched, watched

from lastfm_assets.engines.spark.cluster import StandaloneCluster, standalone_cluster
from lastfm_assets.engines.spark.similar import MOST_OF_A_USER

WORKERS: Final = 2
_WORKER_MEGABYTES: Final = 3072
"""What a worker may give to its executor's JVM; Python is beside it."""
_LOG: Final = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
    "spark.eventLog.rolling.enabled": "false",
}
_METRICS: Final = "internal.metrics."
_FIGURES: Final = {
    "task_seconds": ("executorRunTime", 1e-3),
    "cpu_seconds": ("executorCpuTime", 1e-9),
    "gc_seconds": ("jvmGCTime", 1e-3),
    "shuffle_bytes": ("shuffle.write.bytesWritten", 1),
    "shuffle_rows": ("shuffle.write.recordsWritten", 1),
    "spilled_bytes": ("diskBytesSpilled", 1),
    "peak_execution_bytes": ("peakExecutionMemory", 1),
}
"""What is told of a stage, and Spark's name and unit of it; all are sums over its tasks."""


def refresh(source: str, folder: Path, memory: str, *, limit: float = LIMIT) -> dict[str, Any]:
    """One refresh of a source by a cluster of its own.

    Args:
        source: as LASTFM_SOURCE.
        folder: empty, for everything that is written.
        memory: heap of each executor, such as `2g`.
        limit: seconds after which it is ended.

    Returns:
        Whether it `finished`; `seconds`, and what the `steps` that did took; `store_bytes`; `sizes`
        of the data; `memory` by process, see `Watched.peaks`.
    """
    with standalone_cluster(
        folder / "cluster", workers=WORKERS, megabytes=_WORKER_MEGABYTES
    ) as cluster:
        (folder / "models.toml").write_text(MODELS, encoding="utf-8")
        (folder / "log").mkdir()
        environment = _environment(cluster, source, folder, memory)
        started = time.perf_counter()
        with watched(os.getpid()) as seen:
            code, error = _refreshed(environment, limit)
        seconds = time.perf_counter() - started
    if code:
        sys.exit(f"the refresh of {source} ended with {code}: {error}")
    stages = [stage for log in (folder / "log").iterdir() for stage in stages_in(log)]
    return {
        "finished": code == 0,
        "seconds": seconds,
        "executor_heap": memory,
        "sizes": _sizes(folder / "store"),
        "memory": dict(sorted(seen.peaks.items())),
        "store_bytes": _bytes_by_table(folder / "store"),
        "steps": _steps(folder / "home", stages, seen),
        "versions": {
            **{name: version(name) for name in ("pyspark", "numpy", "pyarrow", "dagster")},
            "java": _java(folder / "log"),
            "python": platform.python_version(),
        },
    }


def stages_in(log: Path) -> Iterator[dict[str, Any]]:
    """What an event log of Spark's says of each stage that ended: its name, times and figures."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith('{"Event":"SparkListenerStageCompleted"'):
                continue
            info = json.loads(line)["Stage Info"]
            sums = {one["Name"]: one.get("Value", 0) for one in info["Accumulables"]}
            figures = {
                name: float(sums.get(_METRICS + key, 0)) * unit
                for name, (key, unit) in _FIGURES.items()
            }
            yield {
                "name": info["Stage Name"],
                "began": info["Submission Time"] / 1000,
                "seconds": (info["Completion Time"] - info["Submission Time"]) / 1000,
                "tasks": info["Number of Tasks"],
                **figures,
            }


def _refreshed(environment: dict[str, str], limit: float) -> tuple[int | None, str]:
    """Exit code, None where it took too long, and what was said on stderr."""
    program = subprocess.Popen(
        [sys.executable, "-m", "lastfm_assets.cli", "refresh", "--engine", "spark"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        error = program.communicate(timeout=limit)[1]
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
    return program.returncode, error[-2000:]


def _environment(
    cluster: StandaloneCluster, source: str, folder: Path, memory: str
) -> dict[str, str]:
    conf = {**_LOG, "spark.eventLog.dir": (folder / "log").as_uri()}
    conf |= {"spark.executor.memory": memory, "spark.sql.shuffle.partitions": "8"}
    return {
        "LASTFM_SPARK_MASTER": cluster.url,
        "LASTFM_SPARK_CONF": ",".join(f"{name}={value}" for name, value in conf.items()),
        "LASTFM_STORE": str(folder / "store"),
        "LASTFM_MODELS": str(folder / "models.toml"),
        "LASTFM_SOURCE": source,
        "DAGSTER_HOME": str(folder / "home"),
    }


def _steps(home: Path, stages: list[dict[str, Any]], seen: Watched) -> dict[str, Any]:
    """Each step of the only run in a Dagster home, with what Spark did while it ran."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (record,) = instance.get_run_records()
        events = instance.all_logs(record.dagster_run.run_id)
    times: dict[str, dict[str, float]] = {}
    for event in events:
        if event.step_key and event.dagster_event:
            own = times.setdefault(event.step_key, {})
            own[event.dagster_event.event_type_value] = event.timestamp
    found = {}
    for step, own in times.items():
        if Event.STEP_SUCCESS.value not in own:
            continue
        start, end = own[Event.STEP_START.value], own[Event.STEP_SUCCESS.value]
        during = [stage for stage in stages if start <= stage["began"] < end]
        of_als = [stage for stage in during if "ALS.scala" in stage["name"]]
        found[step.replace("__", "/")] = {
            "seconds": end - start,
            "stages": len(during),
            "processor_seconds": seen.spent(start, end),
            **_summed(during),
            **({"als": _summed(of_als)} if of_als else {}),
        }
    return found


def _summed(stages: list[dict[str, Any]]) -> dict[str, float]:
    return {name: sum(stage[name] for stage in stages) for name in _FIGURES}


def _sizes(store: Path) -> dict[str, float]:
    """Of the data: pairs, users, artists, and what grows faster than these.

    `meetings` are the vectors that ALS sends in a round: each user's to every block of artists
    where it has a pair, each artist's to every block of users; blocks are drawn by a row's number,
    so a row of m pairs is expected in B (1 - (1 - 1/B)^m) of B. `couples` are the two artists of a
    user, all users together, each of whom has so many as the engine compares.
    """
    files = sorted(map(str, (store / "listening" / "interactions").rglob("*.parquet")))
    if not files:
        return {}
    pairs = pq.ParquetDataset(files).read()
    of_users, of_artists = (
        np.unique(pairs[name], return_counts=True)[1] for name in ("user_id", "artist_id")
    )
    blocks = min(400, max(2, len(pairs) // 500_000))
    both = np.concatenate([of_users, of_artists])
    compared = np.minimum(of_users, MOST_OF_A_USER)
    return {
        "pairs": len(pairs),
        "users": len(of_users),
        "artists": len(of_artists),
        "blocks": blocks,
        "meetings": float((blocks * (1 - (1 - 1 / blocks) ** both)).sum()),
        "couples": int((compared * (compared - 1) // 2).sum()),
    }


def _bytes_by_table(store: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for path in store.rglob("*"):
        if path.is_file():
            name = "/".join(path.relative_to(store).parts[:2])
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return dict(sorted(sizes.items()))


def _java(logs: Path) -> str:
    for log in logs.iterdir():
        with log.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith('{"Event":"SparkListenerEnvironmentUpdate"'):
                    return str(dict(json.loads(line)["JVM Information"].items())["Java Version"])
    return ""


def main() -> None:
    """See the module."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("source", help="Description of a generated source, or any other source.")
    options.add_argument("--memory", default="1700m", help="Heap of each executor.")
    options.add_argument("--keep", type=Path, help="Folder, not there yet, that keeps all files.")
    options.add_argument("--limit", type=float, default=LIMIT, help="Seconds it may take.")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster ends as well
    with contextlib.ExitStack() as stack:
        if given.keep:
            given.keep.mkdir(parents=True)
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        said = refresh(given.source, folder.resolve(), given.memory, limit=given.limit)
    json.dump(said, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
