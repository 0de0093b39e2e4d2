"""`lastfm-assets tune` as its users type it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from pipeline_world import Ran, run_command

from lastfm_assets.tuning.space import default_parameters, tunable
from lastfm_assets.tuning.study import DEFAULT_TRIALS


def tune(folder: Path, *arguments: str) -> Ran:
    """Over the sample, in a store of its own."""
    return run_command("tune", *arguments, home=folder / "home", store=folder / "store")


def test_prints_the_best_beside_the_shipped_and_where_the_study_lies(tmp_path: Path) -> None:
    ran = tune(tmp_path, "--model", "item_knn", "--source", "sample", "--trials", "3")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    lines = ran.out.splitlines()
    assert lines[0].split() == ["parameter", "shipped", "best"]
    shipped = default_parameters(tunable("item_knn"))
    assert [line.split()[0] for line in lines[1 : len(shipped) + 1]] == list(shipped)
    (values,) = re.findall(r"(?m)^validation ndcg@10 +(0\.\d{4}) +(0\.\d{4})$", ran.out)
    assert values[1] >= values[0]
    assert re.search(r"(?m)^Trials: 3 \(\d complete", ran.out)
    (study,) = re.findall(r"(?m)^Study: (\S+\.db) ", ran.out)
    assert Path(study).parent == tmp_path / "store" / "tuning" / "studies"
    assert Path(study).is_file()


def test_goes_on_where_it_ended(tmp_path: Path) -> None:
    arguments = ("--model", "item_knn", "--source", "sample", "--trials")
    tune(tmp_path, *arguments, "2")
    ran = tune(tmp_path, *arguments, "3", "--timeout", "0.001")
    assert "Trials: 2 (2 complete)" in ran.out
    assert ran.last_line == "trials left: 1; the same command goes on"
    assert "Trials: 3 (3 complete)" in tune(tmp_path, *arguments, "3").out


def test_stopped_by_hand_keeps_what_is_done_and_says_how_to_go_on(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "lastfm_assets.cli", "tune", "--model", "item_knn"),
        *("--source", "sample", "--trials", "10000", "--store", str(tmp_path)),
    ]
    # a shell's background job ignores Ctrl-C, and hands that down unless somebody handles it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    studies = tmp_path / "tuning" / "studies"
    try:
        deadline = time.monotonic() + 60
        while _finished(studies) < 1:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert said.splitlines()[-1] == (
        f"error: interrupted; finished trials are kept in {studies}, the same command goes on"
    )
    assert _finished(studies) >= 1


def _finished(studies: Path) -> int:
    for file in studies.glob("*.db"):
        database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            query = "select count(*) as n from trials where state in ('COMPLETE', 'PRUNED')"
            return int(pd.DataFrame(database.execute(query).fetchall()).iloc[0, 0])
        except sqlite3.OperationalError:  # no table yet
            return 0
        finally:
            database.close()
    return 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--model", "popularity"],
            "popularity has no parameter to tune; expected one of",
        ),
        (["--model", "nope"], "unknown model 'nope'; expected one of popularity, "),
        (["--model", "als", "--trials", "0"], "0 trials, expected at least 1"),
        (["--model", "als", "--trials", "many"], "Invalid value for '--trials'"),
        (["--model", "als", "--timeout", "-1"], "a timeout of -1 seconds, expected more than 0"),
        (["--model", "als", "--timeout", "nan"], "a timeout of nan seconds, expected more than 0"),
        (["--model", "als", "--source", "/no/where"], "/no/where: nothing was found"),
        ([], "Missing option '--model'"),
    ],
)
def test_bad_input_ends_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    ran = tune(tmp_path, *arguments)
    assert ran.code == 2
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    assert line.startswith(f"error: {said}")
    assert not (tmp_path / "store").exists()


def test_help_names_the_common_budget(tmp_path: Path) -> None:
    ran = tune(tmp_path, "--help")
    assert re.search(rf"default\s+{DEFAULT_TRIALS}\.", ran.out)
