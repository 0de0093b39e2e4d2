"""Which runs are under way, and which only seem to be."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lastfm_assets import process
from lastfm_assets.automation.held_store import held_by_its_run
from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.automation.resources import StoreIOManager
from lastfm_assets.automation.under_way import (
    BEGUN_TAG,
    HOST_TAG,
    PID_TAG,
    SIGNED_TAG,
    run_under_way,
    sign,
    tags_of_this_process,
)
from lastfm_assets.io import Store

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as remembers_a_test:
        yield remembers_a_test


def going(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus = STARTED,
    *,
    pid: int | None = None,
    begun: str = "",
    host: str | None = None,
    job: str = REFRESH,
) -> str:
    """A run that the instance takes to be under way."""
    tags = {} if pid is None else {PID_TAG: str(pid), BEGUN_TAG: begun}
    tags |= {} if host is None else {HOST_TAG: host}
    run = dg.DagsterRun(job_name=job, status=status, tags=tags)
    return instance.add_run(run).run_id


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class TestARunUnderWay:
    def test_is_one_that_waits_or_runs(self, instance: dg.DagsterInstance) -> None:
        assert run_under_way(instance) is None
        going(instance, dg.DagsterRunStatus.SUCCESS)
        going(instance, dg.DagsterRunStatus.FAILURE)
        assert run_under_way(instance) is None
        run_id = going(instance, dg.DagsterRunStatus.STARTING)
        assert run_under_way(instance) == run_id

    def test_is_not_one_of_tuning(self, instance: dg.DagsterInstance) -> None:
        run_id = going(instance, job="tune")
        assert run_under_way(instance) is None
        assert status_of(instance, run_id) is STARTED

    def test_frees_the_queue_of_dead_runs_of_any_job(self, instance: dg.DagsterInstance) -> None:
        dead, alive = going(instance, pid=dead_pid(), job="tune"), going(instance)
        assert run_under_way(instance) == alive
        assert status_of(instance, dead) is FAILURE

    def test_of_another_machine_counts_until_dagster_ends_it(
        self, instance: dg.DagsterInstance
    ) -> None:
        """Its processes are not ours: that none here has the number says nothing."""
        run_id = going(instance, pid=dead_pid(), host="another")
        instance.add_run_tags(run_id, {SIGNED_TAG: run_id})
        assert run_under_way(instance) == run_id
        run_id = going(instance, pid=dead_pid(), host=socket.gethostname())
        run_under_way(instance)
        assert status_of(instance, run_id) is FAILURE

    def test_of_the_daemon_is_signed_by_the_process_that_makes_it(
        self, instance: dg.DagsterInstance, tmp_path: Path
    ) -> None:
        """After a loss of power a run of the daemon held the queue for six hours."""
        manager = held_by_its_run(StoreIOManager(Store(str(tmp_path / "store")), {}))

        @dg.asset(io_manager_key="io")
        def nothing() -> dg.MaterializeResult[None]:
            return dg.MaterializeResult()

        made = dg.materialize([nothing], instance=instance, resources={"io": manager})
        tags = {**made.dagster_run.tags, **instance.get_runs()[0].tags}
        assert tags[PID_TAG] == str(os.getpid())
        assert tags[BEGUN_TAG] == process.begun(os.getpid())
        assert tags[HOST_TAG] == socket.gethostname()

    def test_that_is_a_second_try_is_not_over_with_the_first(
        self, instance: dg.DagsterInstance
    ) -> None:
        """It inherits all tags, and was noted as failed before it had begun."""
        first = instance.get_run_by_id(going(instance, pid=dead_pid(), host=socket.gethostname()))
        assert first is not None
        tags = {**first.tags, SIGNED_TAG: first.run_id}
        again = dg.DagsterRun(
            job_name=REFRESH,
            status=STARTED,
            tags=tags,
            parent_run_id=first.run_id,
            root_run_id=first.run_id,
        )
        instance.add_run(again)
        assert run_under_way(instance) == again.run_id
        assert status_of(instance, first.run_id) is FAILURE
        sign(instance, again)
        signed = instance.get_run_by_id(again.run_id)
        assert signed is not None
        assert (signed.tags[PID_TAG], signed.tags[SIGNED_TAG]) == (str(os.getpid()), again.run_id)
        instance.add_run_tags(again.run_id, {PID_TAG: str(dead_pid())})
        assert run_under_way(instance) is None, "once it is signed, its own process counts"

    def test_of_the_command_line_keeps_its_own_tags(self, instance: dg.DagsterInstance) -> None:
        run = instance.get_run_by_id(going(instance, pid=17, begun="then"))
        assert run is not None
        sign(instance, run)
        again = instance.get_run_by_id(run.run_id)
        assert again is not None
        assert again.tags == run.tags

    def test_of_the_command_line_counts_as_long_as_its_process_lives(
        self, instance: dg.DagsterInstance
    ) -> None:
        killed = going(instance, pid=dead_pid())
        assert run_under_way(instance) is None, "a killed command must not stop every night"
        assert status_of(instance, killed) is FAILURE, "nor hold the queue"
        run_id = going(instance, pid=os.getppid())
        assert run_under_way(instance) == run_id

    def test_of_another_machine_s_command_line_is_not_over(
        self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where two machines share a database, one noted the other's refresh as failed."""
        monkeypatch.setenv("LASTFM_DAGSTER_URL", "postgresql://u:p@127.0.0.1/shared")
        theirs = {PID_TAG: str(dead_pid()), HOST_TAG: "another", BEGUN_TAG: "another boot"}
        run = dg.DagsterRun(job_name=REFRESH, status=STARTED, tags=theirs)
        instance.add_run(run)
        assert run_under_way(instance) == run.run_id

    @pytest.mark.parametrize(
        ("boot", "database"),
        [("this", ""), ("another", ""), ("this", "postgresql://u:p@127.0.0.1/shared")],
    )
    def test_of_a_command_in_a_container_of_another_name_is_over(
        self,
        instance: dg.DagsterInstance,
        monkeypatch: pytest.MonkeyPatch,
        boot: str,
        database: str,
    ) -> None:
        """Each night has a container of its own; one that was killed would stop all others."""
        monkeypatch.setenv("LASTFM_DAGSTER_URL", database)
        tags = tags_of_this_process() | {PID_TAG: str(dead_pid()), HOST_TAG: "5f2c"}
        if boot == "another":
            tags[BEGUN_TAG] = "another boot"
        killed = dg.DagsterRun(job_name=REFRESH, status=STARTED, tags=tags)
        instance.add_run(killed)
        assert run_under_way(instance) is None
        assert status_of(instance, killed.run_id) is FAILURE

    def test_that_tries_a_command_s_run_again_is_of_the_machine_that_signs_it(
        self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The daemon's second try inherits the host of the first, too."""
        first = dg.DagsterRun(job_name=REFRESH, tags={**tags_of_this_process(), HOST_TAG: "one"})
        again = dg.DagsterRun(
            job_name=REFRESH,
            status=STARTED,
            tags=first.tags,
            parent_run_id=first.run_id,
            root_run_id=first.run_id,
        )
        instance.add_run(again)
        assert run_under_way(instance) == again.run_id
        sign(instance, again)
        instance.add_run_tags(again.run_id, {PID_TAG: str(dead_pid())})
        monkeypatch.setattr(socket, "gethostname", lambda: "one")
        assert run_under_way(instance) == again.run_id
        monkeypatch.undo()
        assert run_under_way(instance) is None

    def test_of_a_process_of_our_own_number_is_over(self, instance: dg.DagsterInstance) -> None:
        going(instance, pid=os.getpid())
        assert run_under_way(instance) is None, "in a container each command is process 1"

    def test_whose_number_another_program_has_by_now_is_over(
        self, instance: dg.DagsterInstance
    ) -> None:
        """The night waited for a shell that had the number of a killed refresh by then."""
        run_id = going(instance, pid=os.getppid(), begun=process.begun(os.getppid()))
        assert run_under_way(instance) == run_id
        instance.delete_run(run_id)
        going(instance, pid=os.getppid(), begun="an earlier boot 17")
        assert run_under_way(instance) is None

    def test_whose_process_has_ended_unasked_is_over(self, instance: dg.DagsterInstance) -> None:
        """Killed with its parent, it may wait for ever until somebody asks how it ended."""
        ended = subprocess.Popen([sys.executable, "-c", ""])
        try:
            os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
            going(instance, pid=ended.pid, begun=process.begun(ended.pid))
            assert run_under_way(instance) is None
        finally:
            ended.wait()

    def test_says_which_process_makes_it_and_when_that_began(self) -> None:
        tags = tags_of_this_process()
        assert tags == {
            PID_TAG: str(os.getpid()),
            BEGUN_TAG: process.begun(os.getpid()),
            HOST_TAG: socket.gethostname(),
        }
        assert len(tags[BEGUN_TAG]) > 36, "a boot's id and ticks, as Linux has them"
