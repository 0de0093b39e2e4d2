"""Two days of a real daemon whose clock is moved on: what an operator would see, and is told."""

import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from pipeline_world import PLAYS, almost_the_sample
from server_world import BIN, Process, running, wait_for

from lastfm_assets.automation.jobs import REFRESH

sys.path.insert(0, str(Path(__file__).parents[1] / "automation"))
from alert_world import Receiver, answers, receiving

PROJECT = Path(__file__).parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
NOTHING_LEFT = "empty result"
"""What Dagster writes of a look that had no run to tell of."""
DONE = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(which("cc") is None, reason="no C compiler, to make a clock that moves"),
]


class Clock:
    """The clock that all processes of the operator's machine go by: ours, and some seconds."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "clock_ahead.so"
        self._file = folder / "ahead"
        self._file.write_bytes(struct.pack("d", 0.0))
        source = Path(__file__).with_name("clock_ahead.c")
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)]
        subprocess.run(command, check=True)
        self.ahead = 0.0

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def move_to(self, then: datetime) -> None:
        self.ahead = float(round((then - datetime.now(UTC)).total_seconds()))
        with self._file.open("r+b") as file:
            file.write(struct.pack("d", self.ahead))

    def move_on(self, seconds: float) -> None:
        self.move_to(self.now + timedelta(seconds=seconds))

    def to_the_next_night(self) -> None:
        """A few seconds before the next 03:30 in Berlin."""
        local = self.now.astimezone(BERLIN)
        night = local.replace(hour=3, minute=29, second=57, microsecond=0)
        self.move_to(night if night > local else night + timedelta(days=1))

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "CLOCK_AHEAD_FILE": str(self._file)}


@dataclass
class Machine:
    """An operator's machine: a source, a store, a daemon, and whoever gets the alerts."""

    folder: Path
    source: Path
    clock: Clock
    alerts: Receiver
    environment: dict[str, str]
    seen: set[str] = field(default_factory=set)

    def command(self, *arguments: str, **environment: str) -> Process:
        """The console command, to its end."""
        command = [str(BIN / "lastfm-assets"), *arguments]
        return self.ended(command, environment)

    def ended(self, command: list[str], environment: Mapping[str, str]) -> Process:
        log = self.folder / f"{time.monotonic_ns()}.log"
        with running(
            command, cwd=PROJECT, log=log, environment=self.environment | dict(environment)
        ) as process:
            process.popen.wait(240)
            return process

    def history(self) -> list[dict[str, Any]]:
        process = self.command("history", "--json")
        assert process.popen.returncode == 0, process.said
        versions: list[dict[str, Any]] = json.loads(process.said)
        return versions

    def run_after(self, what: str, on: Callable[[], None] = lambda: None) -> dg.RunRecord:
        """The next refresh that ends, after something was done."""
        on()

        def ended() -> dg.RunRecord | None:
            with dg.DagsterInstance.from_config(str(self.folder / "home")) as instance:
                records = instance.get_run_records(
                    dg.RunsFilter(job_name=REFRESH, statuses=list(DONE))
                )
            return next((r for r in records if r.dagster_run.run_id not in self.seen), None)

        log = self.folder / "daemon.log"
        record: dg.RunRecord = wait_for(
            what, ended, 180, every=1, logs=lambda: log.read_text()[-4000:]
        )
        self.seen.add(record.dagster_run.run_id)
        return record

    def note_runs(self) -> None:
        """What has run so far is not what the next question is about."""
        with dg.DagsterInstance.from_config(str(self.folder / "home")) as instance:
            self.seen |= {record.dagster_run.run_id for record in instance.get_run_records()}

    def quiet(self) -> int:
        """Alerts so far, once the sensor that tells of failures has come to the end of the runs."""
        before, since = len(self.alerts.posted), self.clock.now.timestamp()

        def came_to_the_end() -> bool:
            self.clock.move_on(35)
            return any(
                tick.timestamp > since and NOTHING_LEFT in (tick.skip_reason or "")
                for tick in self.looks()
            )

        wait_for(
            "a look of the sensor that found no more failures",
            came_to_the_end,
            120,
            every=1.5,
            logs=lambda: (self.folder / "daemon.log").read_text()[-4000:],
        )
        assert len(self.alerts.posted) in (before, before + 1)
        return len(self.alerts.posted)

    def looks(self) -> list[Any]:
        """The last looks of the sensor that tells of failures."""
        with dg.DagsterInstance.from_config(str(self.folder / "home")) as instance:
            return [
                tick
                for state in instance.all_instigator_state()
                if state.name == "tell_operator"
                for tick in instance.get_ticks(
                    state.instigator_origin_id, state.selector_id, limit=10
                )
            ]

    def until_it_looks(self) -> None:
        """Moves the clock past two looks of the sensor at the source."""
        for _ in range(3):
            self.clock.move_on(65)
            time.sleep(4)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    clock = Clock(tmp_path)
    clock.move_to(datetime.now(UTC).replace(hour=18, minute=0))
    with receiving(answers(200)) as alerts:
        environment = {
            **clock.environment,
            "DAGSTER_HOME": str(tmp_path / "home"),
            "LASTFM_STORE": str(tmp_path / "store"),
            "LASTFM_SOURCE": str(almost_the_sample(tmp_path / "source")),
            "LASTFM_ALERT_WEBHOOK": alerts.url,
            "LASTFM_UI_URL": "http://127.0.0.1:3000",
            "LASTFM_MIN_PRECISION": "0.25",
        }
        yield Machine(tmp_path, tmp_path / "source", clock, alerts, environment)


def daemon(machine: Machine, **environment: str) -> Any:
    return running(
        [str(BIN / "dagster-daemon"), "run", "--workspace", str(PROJECT / "workspace.yaml")],
        cwd=PROJECT,
        log=machine.folder / "daemon.log",
        environment=machine.environment | environment,
    )


def turn_on(machine: Machine) -> None:
    workspace = ["--workspace", str(PROJECT / "workspace.yaml")]
    for what, name in (("schedule", "daily_refresh"), ("sensor", "source_changed")):
        process = machine.ended([str(BIN / "dagster"), what, "start", name, *workspace], {})
        assert process.popen.returncode == 0, process.said


def made_again(record: dg.RunRecord) -> str:
    return record.dagster_run.tags["lastfm_assets/made_again"]


def test_two_days_of_a_refresh_that_nobody_watches(machine: Machine) -> None:  # noqa: PLR0915 (a story)
    first = machine.command("refresh")
    assert first.popen.returncode == 0, first.said
    assert len(machine.history()) == 1
    turn_on(machine)
    machine.note_runs()
    good = (machine.source / PLAYS).read_bytes()

    with ExitStack() as first_daemon:
        first_daemon.enter_context(daemon(machine))
        # the first night: nothing changed
        night = machine.run_after("the first night", machine.clock.to_the_next_night)
        assert night.dagster_run.tags["dagster/schedule_name"] == "daily_refresh"
        assert night.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        assert made_again(night) == "nothing changed"
        assert "models 12 of 12" in night.dagster_run.tags["lastfm_assets/skipped"]
        assert len(machine.history()) == 1

        # in the morning the data changes: the sensor starts a refresh, readers get new lists
        (machine.source / PLAYS).write_bytes(good + b"2\t3\t77\n")
        morning = machine.run_after("the data change", machine.until_it_looks)
        assert morning.dagster_run.tags["dagster/sensor_name"] == "source_changed"
        assert morning.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        assert "the source changed" in made_again(morning)
        assert len(machine.history()) == 2
        assert machine.quiet() == 0

        # at noon a bad file drops in: told once, readers keep what they have
        (machine.source / PLAYS).write_bytes(b"not\ta\theader\n" * 50)
        noon = machine.run_after("the bad drop", machine.until_it_looks)
        assert noon.dagster_run.status is dg.DagsterRunStatus.FAILURE
        assert machine.quiet() == 1
        assert PLAYS in machine.alerts.posted[0]["text"]
        assert machine.alerts.posted[0]["run_id"] == noon.dagster_run.run_id

        # the second night it still lies there: not told again
        second = machine.run_after("the second night", machine.clock.to_the_next_night)
        assert second.dagster_run.status is dg.DagsterRunStatus.FAILURE
        assert machine.quiet() == 1
        assert len(machine.history()) == 2

    # the file is put right, but the lists are not good enough any more
    (machine.source / PLAYS).write_bytes(good + b"2\t3\t78\n")
    with daemon(machine, LASTFM_MIN_PRECISION="0.9"):
        refused = machine.run_after("the gate", machine.until_it_looks)
        assert refused.dagster_run.status is dg.DagsterRunStatus.FAILURE
        assert machine.quiet() == 2
        told = machine.alerts.posted[1]
        assert "refused by the gate" in told["text"]
        assert told["run_url"].endswith(f"/runs/{refused.dagster_run.run_id}")
        assert "0.9" in json.dumps(told["failed_checks"])
        assert len(machine.history()) == 2

    with daemon(machine):
        healed = machine.run_after("the third night", machine.clock.to_the_next_night)
        assert healed.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        assert len(machine.history()) == 3

        # the operator goes back; the next night does not undo it
        back = machine.command("rollback")
        assert back.popen.returncode == 0, back.said
        newest = machine.history()[0]
        assert (newest["action"], len(machine.history())) == ("rolled back", 4)
        machine.run_after("the night after the rollback", machine.clock.to_the_next_night)
        assert machine.history()[0]["number"] == newest["number"]
        assert machine.quiet() == 2
