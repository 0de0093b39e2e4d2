"""Two writers of one store at once: the second waits or is told who came first, nothing mixes."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from child_process import Process, line_from, running, tell
from graph_world import run_in_process
from pipeline_world import Command, Ran, run_command, snapshot
from upath import UPath

from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.automation.plan import plan_refresh
from lastfm_assets.definitions import build_definitions
from lastfm_assets.errors import StoreError, StoreHeldError
from lastfm_assets.io import Store
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import Publication
from lastfm_assets.settings import Settings
from lastfm_assets.writer import NAME, held

HOLDER = """
import sys
from upath import UPath
from lastfm_assets.writer import held
with held(UPath(sys.argv[1]), "a test"):
    print("holds", flush=True)
    sys.stdin.readline()
print("let go", flush=True)
sys.stdin.readline()
"""
RUN = """
import sys
sys.path[:0] = [sys.argv[2], f"{sys.argv[2]}/automation"]
from graph_world import run_in_process
from lastfm_assets.settings import Settings
settings = Settings(source="sample", store=sys.argv[1])
print("success" if run_in_process(settings, ["recommendations/published"]).success else "failure")
"""
MODELS = "popularity,item_knn"
"""They are enough to publish, and quick."""


@contextmanager
def holder(store: Path) -> Iterator[Process]:
    """Another process that holds a store until it is told something, or killed."""
    with running(HOLDER, store) as other:
        assert line_from(other.stdout) == "holds\n"
        yield other


class TestAHeldFolder:
    def test_is_had_by_one_process_at_a_time(self, tmp_path: Path) -> None:
        with holder(tmp_path) as other:
            said = rf"held by a test, process {other.pid} on \S+, since 20\d\d-.* UTC; wait for it"
            with pytest.raises(StoreHeldError, match=said), held(UPath(tmp_path), "me"):
                pass
            tell(other, "let go")
            assert line_from(other.stdout) == "let go\n"
            with held(UPath(tmp_path), "me"):
                pass

    def test_is_free_when_its_holder_is_killed(self, tmp_path: Path) -> None:
        """No file that a killed process left may stop every night from then on."""
        with holder(tmp_path) as other:
            other.kill()
            other.wait()
        assert (tmp_path / NAME).exists()
        with held(UPath(tmp_path), "me"):
            assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()

    def test_has_nothing_more_in_it_afterwards(self, tmp_path: Path) -> None:
        with held(UPath(tmp_path), "me"):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_may_be_held_again_by_the_same_process(self, tmp_path: Path) -> None:
        with held(UPath(tmp_path), "the command"), held(UPath(tmp_path), "its run"):
            pass
        with holder(tmp_path):
            pass

    def test_is_waited_for_on_request(self, tmp_path: Path) -> None:
        said = []
        with holder(tmp_path) as other:

            def let_go(line: str) -> None:
                said.append(line)
                tell(other, "let go")

            with held(UPath(tmp_path), "me", wait=True, say=let_go):
                assert line_from(other.stdout) == "let go\n"
        (line,) = said
        assert line.startswith("waits until it is free: the store")

    def test_that_cannot_be_written_to_is_told_in_a_line(self, tmp_path: Path) -> None:
        (tmp_path / "store").write_text("a file")
        with (
            pytest.raises(StoreError, match=r"store: cannot be written \(File exists\)"),
            held(UPath(tmp_path / "store"), "me"),
        ):
            pass

    def test_is_given_to_one_of_many_that_ask_at_once(self, tmp_path: Path) -> None:
        """Each adds one to a number, reading and writing it apart: none is lost."""
        script = """
import sys
from pathlib import Path
from upath import UPath
from lastfm_assets import writer
writer._SECONDS_BETWEEN_LOOKS = 0.001
number = Path(sys.argv[1], "number")
for _ in range(25):
    with writer.held(UPath(sys.argv[1]), "a test", wait=True):
        found = int(number.read_text())
        number.write_text("")
        number.write_text(str(found + 1))
print("done", flush=True)
"""
        (tmp_path / "number").write_text("0")
        with (
            running(script, tmp_path) as one,
            running(script, tmp_path) as two,
            running(script, tmp_path) as three,
        ):
            for other in (one, two, three):
                assert line_from(other.stdout) == "done\n"
        assert (tmp_path / "number").read_text() == "75"


class TestACommandBesideAWriter:
    def test_refresh_is_refused_in_a_line_that_says_who(
        self, store: Path, command: Command
    ) -> None:
        before = snapshot(store)
        with holder(store) as other:
            ran = command("refresh", "--source", "sample", store=store)
        assert (ran.code, ran.out) == (2, "")
        assert f"held by a test, process {other.pid} on" in ran.last_line
        assert {**snapshot(store), NAME: ""} == {**before, NAME: ""}

    def test_rollback_is_refused_too(self, store: Path, command: Command) -> None:
        """Its serving database would be made of tables that a refresh is just replacing."""
        with holder(store):
            ran = command("rollback", store=store)
        assert ran.code == 2
        assert "held by a test" in ran.last_line

    def test_reading_waits_for_nobody(self, store: Path, command: Command) -> None:
        with holder(store):
            for asked in (("recommend", "--user", "2"), ("history",), ("sql", "--tables")):
                ran = command(*asked, store=store)
                assert ran.code == 0, ran.err


class TestTwoRefreshesAtOnce:
    @pytest.fixture
    def ran(self, tmp_path: Path) -> dict[str, Ran]:
        """Two of different homes and seeds, started together into one new store."""

        def refresh(seed: str) -> Ran:
            home, store = tmp_path / f"home {seed}", tmp_path / "store"
            asked = ("refresh", "--source", "sample")
            return run_command(
                *asked, home=home, store=store, LASTFM_SEED=seed, LASTFM_MODELS=MODELS
            )

        with ThreadPoolExecutor() as side_by_side:
            return dict(zip("12", side_by_side.map(refresh, "12"), strict=True))

    def test_end_as_one_refresh_and_one_line(self, ran: dict[str, Ran], tmp_path: Path) -> None:
        """The second once planned by what the first was just writing, and wrote over it."""
        assert sorted(one.code for one in ran.values()) == [0, 2], ran
        (first,) = (seed for seed, one in ran.items() if one.code == 0)
        (second,) = (one for one in ran.values() if one.code == 2)
        assert "is held by a refresh, process " in second.last_line
        store = tmp_path / "store"
        seeds = {
            Store(str(store)).stamp(("models", name), TrainedModel).origin.parameters["seed"]
            for name in MODELS.split(",")
        }
        assert seeds == {int(first)}
        settings = Settings(source="sample", store=str(store), seed=int(first), models=MODELS)
        plan = plan_refresh(build_definitions(settings).resolve_job_def(REFRESH), settings)
        assert plan.why == "nothing changed"


class TestARunOfDagster:
    """Started by the daemon or the web UI: nobody looks at it who could start it again."""

    def test_waits_for_the_writer_and_then_runs(self, store: Path) -> None:
        with holder(store) as other, running(RUN, store) as run:
            assert any("waits until it is free" in line for line in iter(run.stderr.readline, ""))
            assert run.poll() is None
            tell(other, "let go")
            assert line_from(run.stdout) == "success\n", run.stderr.read()

    def test_holds_the_store_to_its_end_and_no_longer(
        self, store: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        publish = PublishedLists.publish

        def watched(published: PublishedLists, *arguments: Any) -> Publication:
            seen.append(json.loads((store / NAME).read_text())["what"])
            return publish(published, *arguments)

        monkeypatch.setattr(PublishedLists, "publish", watched)
        settings = Settings(source="sample", store=str(store))
        ran = run_in_process(settings, ["recommendations/published"])
        assert seen == [f"run {ran.run_id} (refresh)"]
        assert not (store / NAME).exists()
