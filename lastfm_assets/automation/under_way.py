"""Which runs are under way, and which only seem to be: their process is gone."""

import os
import socket
from typing import Final

import dagster as dg

from lastfm_assets import process
from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.settings import Settings

PID_TAG: Final = "lastfm_assets/pid"
"""Tag of a run: the process that makes it."""
BEGUN_TAG: Final = "lastfm_assets/pid_begun"
"""Tag beside it: when that process began, as its number is given to another one later."""
HOST_TAG: Final = "lastfm_assets/host"
"""Tag beside them: the machine or container whose processes are meant.

A run without it, as earlier versions made them at the command line, is taken for one of here.
"""
SIGNED_TAG: Final = "lastfm_assets/signed"
"""Tag of a run of the daemon: the run that was signed, as a second try inherits all tags."""
_GOING: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def tags_of_this_process() -> dict[str, str]:
    """Tags of a run that this process makes, by which others see whether it still does."""
    pid = os.getpid()
    return {PID_TAG: str(pid), BEGUN_TAG: process.begun(pid), HOST_TAG: socket.gethostname()}


def sign(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Tags a run of the daemon, which nobody else does, with the process that makes it.

    Dagster notes a run whose process is killed alone. Where the machine goes down, daemon and code
    server with it, the run would seem to go on, and hold the queue for the hours a run may take.
    """
    if not _is_signed(run):
        instance.add_run_tags(run.run_id, tags_of_this_process() | {SIGNED_TAG: run.run_id})


def run_under_way(instance: dg.DagsterInstance) -> str | None:
    """Id of a refresh that waits or runs.

    Each run, of whatever job, whose process is gone is noted as failed: it would hold the queue.
    """
    waits_or_runs = None
    for run in instance.get_runs(dg.RunsFilter(statuses=_GOING)):
        if not _is_alive(run):
            instance.report_run_failed(run, "The process that made this run is gone.")
        elif run.job_name == REFRESH:
            waits_or_runs = run.run_id
    return waits_or_runs


def _is_signed(run: dg.DagsterRun) -> bool:
    """Whether its tags name its own process, and not that of the run it is a second try of."""
    if run.parent_run_id is None:
        return PID_TAG in run.tags
    return run.tags.get(SIGNED_TAG) == run.run_id


def _is_alive(run: dg.DagsterRun) -> bool:
    """Whether the process of a run may still be there."""
    tags = run.tags
    if not _is_signed(run) or _is_elsewhere(run):
        return True
    pid = int(tags[PID_TAG])
    if pid == os.getpid():  # of an earlier one: in a container each is the first and only
        return False
    return process.is_alive(pid, tags.get(BEGUN_TAG, ""))


def _is_elsewhere(run: dg.DagsterRun) -> bool:
    """Whether a run's process is on a machine whose processes nobody here sees.

    A command's is so only where machines share a database. A container that is made anew each night
    has another name each time: without a daemon nobody would ever end the run of one that was
    killed, and no refresh could be made any more.
    """
    tags, here = run.tags, socket.gethostname()
    if tags.get(HOST_TAG, here) == here:
        return False
    if SIGNED_TAG in tags:
        return True
    is_shared = Settings.from_environment().dagster_url is not None
    return is_shared and not process.is_of_this_boot(tags.get(BEGUN_TAG, ""))
