"""Tells the operator of failed refreshes and searches, once for each cause, wherever they ran."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import dagster as dg
from dagster._core.definitions.run_request import DagsterRunReaction
from pydantic import SecretStr

from lastfm_assets.automation import delivery
from lastfm_assets.automation.alert_message import Alert
from lastfm_assets.automation.jobs import refresh_job, tune_job
from lastfm_assets.automation.outcome import Failure, failure_of
from lastfm_assets.errors import BadInputError, LastfmAssetsError
from lastfm_assets.settings import Settings

WATCHED: Final = frozenset({refresh_job.name, tune_job.name})
LOCATION: Final = "lastfm_assets"
"""Name of our code location; a module's name after it, as `dagster dev -m` gives, is ours too."""
ALERTED: Final = "lastfm_assets/alerted"
"""Run tag: the cause that the operator knows of."""
ALERTED_BY: Final = "lastfm_assets/alerted_by"
"""Run tag: the run whose alert told of it."""
_WILL_RETRY: Final = "dagster/will_retry"
_READ: Final = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.RUN_FAILURE,
}
_LOOKED_BACK: Final = 25
"""Runs of the job among which the one that ended last is sought."""


# runs of the command line belong to no code location: only a sensor of all of them sees those
@dg.run_failure_sensor(
    monitor_all_code_locations=True,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Tells of a failed refresh or search by webhook and e-mail, once for each cause.",
)
def tell_operator(
    context: dg.RunFailureSensorContext, settings: dg.ResourceParam[Settings]
) -> dg.SkipReason | DagsterRunReaction:
    """Sends an alert for a failed run of ours, unless the last one told the same.

    Something is always returned: then Dagster hands over one run a look, where it would else take
    several, and break off, and repeat, if it were to act on one and skip another.
    """
    run = context.dagster_run
    channels = _channels(settings)
    skipped = _not_ours(run) or (None if channels else "neither LASTFM_ALERT_WEBHOOK nor EMAIL set")
    if skipped:
        return dg.SkipReason(skipped)
    alert = _alert_of(context, settings)
    cause = alert.failure.cause
    known = _told_by_the_run_before(context.instance, run, cause)
    if known:
        context.instance.add_run_tags(run.run_id, {ALERTED: cause, ALERTED_BY: known})
        return dg.SkipReason(f"run {known} was alerted for the same cause ({cause})")
    taken = [name for name, tell in channels if _told(context, name, tell, alert)]
    if not taken:
        return dg.SkipReason(f"no channel took the alert for run {run.run_id}")
    context.instance.add_run_tags(run.run_id, {ALERTED: cause, ALERTED_BY: run.run_id})
    context.log.info(f"told of run {run.run_id} by {' and '.join(taken)}")
    return DagsterRunReaction(dagster_run=run, run_status=dg.DagsterRunStatus.FAILURE)


def _not_ours(run: dg.DagsterRun) -> str | None:
    """Why nobody is told of this run, None where somebody is.

    What is launched by "Materialize" in the UI has a job of its own, without a name of ours:
    whoever clicked sees how it ends.
    """
    origin = run.remote_job_origin
    location = origin.location_name if origin else LOCATION
    if run.job_name not in WATCHED or location.partition(".")[0] != LOCATION:
        return f"run {run.run_id} is of {run.job_name} in {location}, which is not watched"
    if run.tags.get(_WILL_RETRY) == "true":
        return f"run {run.run_id} is tried again"
    if ALERTED in run.tags:
        return f"run {run.run_id} was told of already"
    return None


Tell = Callable[[Alert], None]


def _channels(settings: Settings) -> list[tuple[str, Tell]]:
    """What is set, by the name that the log may show."""
    channels: list[tuple[str, Tell]] = []
    if settings.alert_webhook is not None:
        url = settings.alert_webhook.get_secret_value()
        channels.append(("webhook", lambda alert: delivery.post(url, alert.as_json())))
    addresses = [part.strip() for part in (settings.alert_email or "").split(",") if part.strip()]
    if addresses:
        channels.append(("e-mail", lambda alert: _mail(settings.smtp_url, addresses, alert)))
    return channels


def _mail(server: SecretStr | None, addresses: list[str], alert: Alert) -> None:
    if server is None:
        raise BadInputError("LASTFM_ALERT_EMAIL is set, and LASTFM_SMTP_URL is not; set both")
    mail = delivery.Mail(alert.subject, alert.text)
    delivery.send(server.get_secret_value(), addresses, mail)


def _told(context: dg.RunFailureSensorContext, name: str, tell: Tell, alert: Alert) -> bool:
    """Whether a channel took the alert; where it did not, the log says why."""
    try:
        tell(alert)
    except LastfmAssetsError as problem:
        context.log.warning(f"the alert was not delivered by {name}: {problem}")
        return False
    except Exception as problem:  # noqa: BLE001 (the other channel must still be tried)
        # its text may hold a secret
        context.log.warning(f"the alert was not delivered by {name}: {type(problem).__name__}")
        return False
    return True


def _alert_of(context: dg.RunFailureSensorContext, settings: Settings) -> Alert:
    run = context.dagster_run
    entries = context.instance.all_logs(run.run_id, of_type=_READ)
    events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    record = context.instance.get_run_record_by_id(run.run_id)
    ended = record.end_time if record is not None else None
    return Alert(
        job=run.job_name,
        run_id=run.run_id,
        run_url=f"{settings.ui_url.rstrip('/')}/runs/{run.run_id}",
        failure=_failure(context, events),
        source=_source(events),
        at=datetime.fromtimestamp(ended, UTC) if ended else datetime.now(UTC),
    )


def _failure(context: dg.RunFailureSensorContext, events: list[dg.DagsterEvent]) -> Failure:
    """What failed; a run that never started has no event but the one that woke us."""
    known = any(event.event_type is dg.DagsterEventType.RUN_FAILURE for event in events)
    return failure_of(events if known else [*events, context.failure_event])


def _source(events: list[dg.DagsterEvent]) -> str | None:
    """Where the run's tables came from, by what the last one written says."""
    for event in reversed(events):
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            said = event.step_materialization_data.materialization.metadata.get("source")
            if isinstance(said, dg.TextMetadataValue):
                return said.text
    return None


def _told_by_the_run_before(
    instance: dg.DagsterInstance, run: dg.DagsterRun, cause: str
) -> str | None:
    """The run that was alerted, where the run of this job that ended before failed likewise.

    Runs that somebody cancelled say nothing and are passed over; a success ends the silence.
    """
    records = instance.get_run_records(
        dg.RunsFilter(
            job_name=run.job_name,
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE],
        ),
        limit=_LOOKED_BACK,
    )
    ends = {record.dagster_run.run_id: record.end_time or 0.0 for record in records}
    ended = ends.get(run.run_id, float("inf"))
    before = [
        record
        for record in records
        if record.dagster_run.run_id != run.run_id and ends[record.dagster_run.run_id] <= ended
    ]
    if not before:
        return None
    last = max(before, key=lambda record: ends[record.dagster_run.run_id]).dagster_run
    if last.tags.get(_WILL_RETRY) == "true" or last.tags.get(ALERTED) != cause:
        return None
    return last.tags.get(ALERTED_BY, last.run_id)
