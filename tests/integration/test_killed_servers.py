"""The daemon, its code server or a run's own process is killed alone in the middle of a refresh."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from pipeline_world import almost_the_sample, run_command
from server_world import BIN, Process, members, running, wait_for

PROJECT = Path(__file__).parents[2]
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
pytestmark = pytest.mark.integration


@dataclass
class Machine:
    """A daemon in whose midst a refresh runs."""

    folder: Path
    environment: dict[str, str]
    daemon: Process

    def runs(self) -> list[dg.DagsterRun]:
        """What was launched, the first one first."""
        with dg.DagsterInstance.from_config(str(self.folder / "home")) as instance:
            return [*reversed(instance.get_runs())]

    def said(self) -> str:
        return self.daemon.said[-4000:]

    def wait_for_step(self, step: str) -> None:
        """Until a step of the refresh has ended."""

        def ended() -> bool:
            runs = self.runs()
            if not runs or runs[0].status is not dg.DagsterRunStatus.STARTED:
                return False
            with dg.DagsterInstance.from_config(str(self.folder / "home")) as instance:
                logs = instance.all_logs(runs[0].run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
            return step in {entry.step_key for entry in logs}

        wait_for(f"step {step}", ended, 240, every=0.5, logs=self.said)

    def processes(self, word: str) -> list[int]:
        """Those of the daemon's session whose command line has a word."""
        found = []
        for pid in members(self.daemon.popen.pid):
            with contextlib.suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "):
                    found.append(pid)
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    environment = {
        "DAGSTER_HOME": str(tmp_path / "home"),
        "LASTFM_STORE": str(tmp_path / "store"),
        "LASTFM_SOURCE": str(almost_the_sample(tmp_path / "source")),
        "LASTFM_MODELS": "popularity,item_knn",
        "LASTFM_MIN_PRECISION": "0",
    }
    workspace = ["--workspace", str(PROJECT / "workspace.yaml")]
    log = tmp_path / "daemon.log"
    prepare = [str(BIN / "python"), "-m", "lastfm_assets.automation.instance"]
    launch = [str(BIN / "dagster"), "job", "launch", "--job", "refresh", *workspace]
    daemon = [str(BIN / "dagster-daemon"), "run", *workspace]
    for command in (prepare, launch):
        with running(
            command, cwd=PROJECT, log=tmp_path / "launch.log", environment=environment
        ) as one:
            assert one.popen.wait(120) == 0, one.said
    with running(daemon, cwd=PROJECT, log=log, environment=environment) as process:
        yield Machine(tmp_path, environment, process)


def kill_code_server(machine: Machine) -> None:
    (server,) = machine.processes("api grpc")
    os.kill(server, signal.SIGKILL)


def kill_run(machine: Machine) -> None:
    """The process that makes the run: what a thread of the code server has forked or spawned."""
    (server,) = machine.processes("api grpc")
    threads = Path(f"/proc/{server}/task").glob("*/children")
    children = [child for thread in threads for child in thread.read_text().split()]
    assert children, "there is a process that makes the run"
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def kill_daemon(machine: Machine) -> None:
    os.kill(machine.daemon.popen.pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_code_server, kill_run, kill_daemon])
def test_the_run_ends_or_is_run_once_more_and_the_next_one_succeeds(
    machine: Machine, kill: Callable[[Machine], None]
) -> None:
    machine.wait_for_step("listening__split")
    kill(machine)

    def ended() -> bool:
        """All of them, with the second try that a living daemon gives to a run that failed."""
        statuses = [run.status for run in machine.runs()]
        tried = statuses[-1] is SUCCESS or len(statuses) > 1 or kill is kill_daemon
        return tried and all(status in (SUCCESS, FAILURE) for status in statuses)

    wait_for("the end of the runs", ended, 240, every=0.5, logs=machine.said)
    statuses = [run.status for run in machine.runs()]
    if kill is kill_run:
        assert statuses == [FAILURE, SUCCESS], "Dagster notes it and runs it once more"
    environment = {n: v for n, v in machine.environment.items() if n.startswith("LASTFM_")}
    store = Path(environment.pop("LASTFM_STORE"))
    ran = run_command("refresh", home=machine.folder / "home", store=store, **environment)
    assert ran.code == 0, ran.err
    history = run_command("history", "--json", home=machine.folder / "home", store=store)
    assert history.out.count('"action": "published"') == 1
