"""Forgets old runs, which Dagster itself keeps for ever; run by a timer, see docs/server."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log import EventLogStorage, SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

from lastfm_assets.automation.instance import prepare_home
from lastfm_assets.errors import LastfmAssetsError

DAYS: Final = 365
_AT_MOST: Final = 500
"""Runs forgotten at once: the rest waits for the next time, so that no call takes hours."""
_ENDED: Final = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]


def prune(instance: dg.DagsterInstance, *, before: datetime) -> list[str]:
    """Deletes runs that began before a moment, with their events, checks and output.

    A run that holds the latest materialization of an asset stays, however old, and so does one
    that has not ended.

    Args:
        instance: where the runs are kept.
        before: with its time zone.

    Returns:
        Ids of the deleted runs, oldest first, at most 500.
    """
    events = [instance.get_latest_materialization_event(key) for key in instance.all_asset_keys()]
    latest = {event.run_id for event in events if event is not None}
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, created_before=before),
        limit=_AT_MOST + len(latest),
        ascending=True,
    )
    old = [record.dagster_run.run_id for record in records]
    deleted = [run_id for run_id in old if run_id not in latest][:_AT_MOST]
    files = Path(instance.root_directory, "history", "runs")
    for run_id in deleted:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
        for emptied in files.glob(f"{run_id}.db*"):  # SQLite: Dagster leaves the file of its events
            emptied.unlink()
    _forget_checks(instance.event_log_storage, before)
    return deleted


def _forget_checks(storage: EventLogStorage, before: datetime) -> None:
    """Deletes what checks said before a moment, which Dagster leaves behind when it deletes a run.

    What each check said last stays, for the web UI.
    """
    if not isinstance(storage, SqlEventLogStorage):
        return
    said = AssetCheckExecutionsTable.c
    last = sa.select(sa.func.max(said.id)).group_by(said.asset_key, said.check_name)
    moment = before.astimezone(UTC).replace(tzinfo=None)
    old = sa.and_(said.create_timestamp < moment, said.id.not_in(last))
    with storage.index_connection() as connection:
        connection.execute(sa.delete(AssetCheckExecutionsTable).where(old))


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m lastfm_assets.automation.pruning --days 365`."""
    parser = argparse.ArgumentParser(description="Forget runs that are older than some days.")
    parser.add_argument("--days", type=int, default=DAYS, help=f"default {DAYS}, at least 1")
    days = parser.parse_args(arguments).days
    if days < 1:
        parser.error(f"--days is {days}, expected at least 1")
    try:
        prepare_home()
    except LastfmAssetsError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return problem.exit_code
    with dg.DagsterInstance.get() as instance:
        deleted = prune(instance, before=datetime.now(UTC) - timedelta(days=days))
    sys.stdout.write(f"{len(deleted)} runs older than {days} days are forgotten\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
