"""The daemon, its code server, a run's own process or all of them are killed in mid-refresh."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from pipeline_world import almost_the_sample, run_command
from server_world import BIN, Process, members, running, wait_for

from lastfm_assets import process

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


WORKSPACE = ("--workspace", str(PROJECT / "workspace.yaml"))
PREPARE = (str(BIN / "python"), "-m", "lastfm_assets.automation.instance")
LAUNCH = (str(BIN / "dagster"), "job", "launch", "--job", "refresh", *WORKSPACE)
DAEMON = (str(BIN / "dagster-daemon"), "run", *WORKSPACE)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    environment = {
        "DAGSTER_HOME": str(tmp_path / "home"),
        "LASTFM_STORE": str(tmp_path / "store"),
        "LASTFM_SOURCE": str(almost_the_sample(tmp_path / "source")),
        "LASTFM_MODELS": "popularity,item_knn",
        "LASTFM_MIN_PRECISION": "0",
    }
    for command in (PREPARE, LAUNCH):
        to_its_end(command, tmp_path, environment)
    log = tmp_path / "daemon.log"
    with running(DAEMON, cwd=PROJECT, log=log, environment=environment) as daemon:
        yield Machine(tmp_path, environment, daemon)


def to_its_end(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    log = folder / "launch.log"
    with running(command, cwd=PROJECT, log=log, environment=environment) as one:
        assert one.popen.wait(120) == 0, one.said


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


def test_after_a_loss_of_power_the_run_does_not_hold_the_queue_but_is_run_once_more(
    machine: Machine,
) -> None:
    """It stayed "started" until a run may take no longer, and every night waited for it."""
    machine.wait_for_step("listening__split")
    all_of_them = members(machine.daemon.popen.pid)
    assert len(all_of_them) > 2, "the daemon, its code server and the run"
    for pid in all_of_them:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for("their end", lambda: not any(map(process.is_alive, all_of_them)), 30)
    assert [run.status for run in machine.runs()] == [dg.DagsterRunStatus.STARTED]
    to_its_end(PREPARE, machine.folder, machine.environment)
    assert [run.status for run in machine.runs()] == [FAILURE]
    log = machine.folder / "again.log"
    with running(DAEMON, cwd=PROJECT, log=log, environment=machine.environment) as daemon:

        def statuses() -> list[dg.DagsterRunStatus]:
            return [run.status for run in machine.runs()]

        def said() -> str:
            return daemon.said[-4000:]

        wait_for("a second try", lambda: len(statuses()) > 1, 240, every=0.5, logs=said)
        to_its_end(PREPARE, machine.folder, machine.environment)  # it must not take it for dead
        wait_for("its end", lambda: statuses()[-1] in (SUCCESS, FAILURE), 240, logs=said)
        assert statuses() == [FAILURE, SUCCESS]
