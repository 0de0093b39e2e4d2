"""The Spark benchmark's own arithmetic: what is read of a log, seen of processes, and reckoned."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS)]

from spark_estimate import QUANTITIES, Quantity, asked_for, tables  # noqa: E402 (scripts)
from spark_processes import Watched  # noqa: E402
from spark_scale import stages_in  # noqa: E402


def test_stages_are_read_with_the_sums_of_their_tasks(tmp_path: Path) -> None:
    info = {
        "Stage Name": "flatMap at ALS.scala:1",
        "Number of Tasks": 2,
        "Submission Time": 5_000,
        "Completion Time": 7_500,
        "Accumulables": [
            {"Name": "internal.metrics.executorRunTime", "Value": 3_000},
            {"Name": "internal.metrics.shuffle.write.bytesWritten", "Value": 640},
            {"Name": "number of output rows", "Value": "9"},
        ],
    }
    lines = [{"Event": "SparkListenerStageCompleted", "Stage Info": info}, {"Event": "Other"}]
    log = tmp_path / "log"
    log.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in lines))

    (stage,) = stages_in(log)

    assert (stage["began"], stage["seconds"], stage["tasks"]) == (5.0, 2.5, 2)
    assert (stage["task_seconds"], stage["shuffle_bytes"], stage["cpu_seconds"]) == (3.0, 640, 0)


def test_a_process_is_seen_with_its_role_its_memory_and_its_work() -> None:
    busy = "import sys; held = b'x' * 50_000_000; sum(range(10**7)); print(1, flush=True); input()"
    command = [sys.executable, "-c", busy, "lastfm_assets.cli"]
    seen = Watched()
    seen.look(os.getpid())
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        seen.look(os.getpid())
        program.communicate("\n")
    assert seen.peaks["refresh"]["bytes"] > 50_000_000
    before, after = (moment for moment, _ in seen.looks)
    assert seen.spent(before, after)["refresh"] > 0


def _run(users: int) -> dict[str, object]:
    sizes = asked_for(users, users / 10, 50)
    spent = {"executor": 7 + sizes["pairs"] / 1000, "python": 0.0}
    return {"sizes": sizes, "steps": {"cleaned": {"processor_seconds": spent}}}


def test_constants_of_two_sizes_foretell_the_third() -> None:
    (reading,) = (one for one in QUANTITIES if one.name.startswith("cores: reading"))
    runs = [_run(users) for users in (1_000, 4_000, 16_000)]
    constants = reading.constants(runs[:2])
    assert constants == pytest.approx([7, 1 / 1000])
    assert reading.at(constants, asked_for(16_000, 1_600, 50)) == pytest.approx(reading.of(runs[2]))


def test_a_constant_that_would_be_negative_is_nothing() -> None:
    shrinking = Quantity(
        "x", "s", lambda run: run["x"], {"once": lambda _: 1.0, "a": lambda s: s["a"]}
    )
    runs = [{"x": 10.0, "sizes": {"a": 1.0}}, {"x": 8.0, "sizes": {"a": 2.0}}]
    assert list(shrinking.constants(runs)) == [8.0, 0.0]
    growing = [{"x": 1.0, "sizes": {"a": 1.0}}, {"x": 8.0, "sizes": {"a": 2.0}}]
    assert list(shrinking.constants(growing)) == [0.0, 4.0]


def test_what_als_sends_is_bounded_by_pairs_and_by_blocks() -> None:
    few, many = asked_for(1_000, 100, 50), asked_for(1e8, 1e7, 50)
    assert few["blocks"] == 2
    assert few["meetings"] == pytest.approx(2 * 1_100, rel=1e-3)
    assert many["blocks"] == 400
    assert many["meetings"] < 2 * many["pairs"]


def test_tables_name_every_quantity() -> None:
    of_table = {"shuffle_bytes": 1.0, "processor_seconds": {"executor": 1.0, "python": 1.0}}
    names = ("cleaned", "recommendations/top_artists", "recommendations/similar_artists")
    steps = dict.fromkeys(names, of_table)
    steps["recommendations/serving_model"] = {**of_table, "als": {"shuffle_bytes": 1.0}}
    runs = [
        {"sizes": asked_for(users, users / 10, 50), "steps": steps, "store_bytes": {"raw/x": 1}}
        for users in (1_000, 4_000, 16_000)
    ]
    text = tables(runs, asked_for(1e8, 1e7, 50))
    assert all(text.count(f"| {one.name} |") == 2 for one in QUANTITIES)
