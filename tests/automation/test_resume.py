"""A refresh that is killed goes on, when it is run again, behind the last asset it finished."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dagster as dg
import pandas as pd
import pytest
from pipeline_world import Ran, Snapshot, run_command, snapshot

from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.vocabulary import TOP_LIST

MODELS: Final = "popularity,item_knn,user_knn"
MOMENTS: Final = {
    "item_knn fitted in": "models/popularity.npz",
    "  evaluation/leaderboard": "evaluation/leaderboard.parquet",
    "  recommendations/top_artists": "recommendations/top_artists.parquet",
}
"""What the command says when it is killed, and a file that it has stored by then: one in the
middle of a step that makes several assets, and two between steps."""
OF_THE_RUN: Final = (
    ".writer",
    "insight/",
    "recommendations/published/",
    "recommendations/published_profiles",
    "recommendations/serving.duckdb",
)
"""Files that tell when they were made, or are kept by others."""


@dataclass(frozen=True)
class Killed:
    """A refresh that was killed, and what it had stored by then."""

    said: list[str]
    left: Snapshot
    inodes: dict[str, int]
    code: int
    had_reported: bool


@dataclass(frozen=True)
class Resumed:
    """A store whose refresh was killed again and again, until it was let through."""

    store: Path
    home: Path
    killed: list[Killed]
    last: Ran


def refresh_until(line: str, *, home: Path, store: Path) -> Killed:
    """Runs the real command, and kills it with SIGKILL as soon as it says a line."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "lastfm_assets.cli", "refresh", "--source", "sample"]
    settings = {"DAGSTER_HOME": str(home), "LASTFM_STORE": str(store), "LASTFM_MODELS": MODELS}
    said = []
    with subprocess.Popen(
        command,
        cwd=home,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        for found in process.stderr:
            said.append(found.rstrip("\n"))
            if line in found:
                break
        os.kill(process.pid, signal.SIGKILL)
    return Killed(
        said, finished(store), inodes(store), process.returncode, (store / "insight").exists()
    )


def finished(store: Path) -> Snapshot:
    """Values in the store; half a file under a passing name is none."""
    return {
        name: digest
        for name, digest in snapshot(store).items()
        if not name.startswith(OF_THE_RUN) and not name.endswith(".partial")
    }


def inodes(store: Path) -> dict[str, int]:
    """Which file lies under each name: a value that is written again is another one."""
    return {name: (store / name).stat().st_ino for name in finished(store)}


def count_left(said: str, group: str) -> int:
    """`leaves as it is: raw 7 of 7, models 1 of 3` -> 1 for models, 0 where it is not named."""
    named = said.partition("leaves as it is: ")[2].split(", ")
    (count,) = [part.split()[1] for part in named if part.split()[0] == group] or ["0"]
    return int(count)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    folder = tmp_path_factory.mktemp("resumed")
    home, store = folder / "home", folder / "store"
    killed = [refresh_until(line, home=home, store=store) for line in MOMENTS]
    last = run_command(
        "refresh", "--source", "sample", home=home, store=store, LASTFM_MODELS=MODELS
    )
    return Resumed(store, home, killed, last)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    store = folder / "store"
    ran = run_command(
        "refresh", "--source", "sample", home=folder / "home", store=store, LASTFM_MODELS=MODELS
    )
    assert ran.code == 0, ran.err
    return store


def runs_after(resumed: Resumed) -> Iterator[tuple[Killed, str, dict[str, int]]]:
    """Each kill, the first line of the run after it, and the files behind that run."""
    after = [*resumed.killed[1:], None]
    for killed, following in zip(resumed.killed, after, strict=True):
        if following is None:
            yield killed, resumed.last.err.splitlines()[0], inodes(resumed.store)
        else:
            yield killed, following.said[0], following.inodes


class TestAKilledRefresh:
    def test_was_killed_in_the_middle(self, resumed: Resumed) -> None:
        for killed, stored in zip(resumed.killed, MOMENTS.values(), strict=True):
            assert killed.code == -signal.SIGKILL
            assert stored in killed.left
            assert not killed.had_reported

    def test_is_run_again_at_once_and_ends_well(self, resumed: Resumed) -> None:
        assert resumed.last.code == 0, resumed.last.err

    def test_is_noted_as_failed(self, resumed: Resumed) -> None:
        """Otherwise the web UI would show it as running, and a schedule would wait for it."""
        with dg.DagsterInstance.from_config(str(resumed.home)) as instance:
            runs = instance.get_runs(dg.RunsFilter(job_name=REFRESH))
        statuses = [run.status for run in runs]
        assert statuses == [dg.DagsterRunStatus.SUCCESS] + 3 * [dg.DagsterRunStatus.FAILURE]


class TestTheRunAfterIt:
    def test_says_first_what_it_leaves_as_it_is(self, resumed: Resumed) -> None:
        for killed, said, _ in runs_after(resumed):
            assert said.startswith("makes again ")
            for group in ("raw", "listening", "models", "evaluation"):
                stored = [name for name in killed.left if name.startswith(f"{group}/")]
                assert count_left(said, group) == len(stored), (group, said)
        assert "raw 7 of 7, listening 9 of 9, models " in resumed.killed[1].said[0]
        assert "models 3 of 3" in resumed.killed[2].said[0]

    def test_makes_nothing_again_that_was_finished(self, resumed: Resumed) -> None:
        for killed, _, after in runs_after(resumed):
            again = [name for name, inode in killed.inodes.items() if after[name] != inode]
            assert again == []

    def test_ends_with_the_tables_of_an_undisturbed_run(
        self, resumed: Resumed, undisturbed: Path
    ) -> None:
        assert finished(resumed.store) == finished(undisturbed)

    def test_publishes_the_lists_of_an_undisturbed_run_once(
        self, resumed: Resumed, undisturbed: Path
    ) -> None:
        found, expected = (
            PublishedLists(Store(str(store)).root) for store in (resumed.store, undisturbed)
        )
        assert len(found.history()) == 1
        lists, version = found.current()
        assert tuple(lists.columns) == TOP_LIST
        pd.testing.assert_frame_equal(lists, expected.current()[0])
        assert version.content == expected.current()[1].content

    def test_is_followed_by_one_that_changes_nothing(self, resumed: Resumed) -> None:
        ran = run_command(
            "refresh",
            *("--source", "sample"),
            home=resumed.home,
            store=resumed.store,
            LASTFM_MODELS=MODELS,
        )
        assert ran.code == 0, ran.err
        assert ran.err.startswith("nothing changed; leaves as it is: raw 7 of 7, ")
