"""What starts a refresh while nobody looks: the night, and a source that has changed."""

from typing import Final

import dagster as dg

from lastfm_assets.automation.jobs import REFRESH, refresh_job
from lastfm_assets.automation.plan import MADE_TAG, Plan, plan_refresh
from lastfm_assets.automation.under_way import run_under_way
from lastfm_assets.errors import LastfmAssetsError
from lastfm_assets.settings import Settings, data_folder
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.sources.signature import is_known, signature_of

SECONDS_BETWEEN_LOOKS: Final = 60


def _request(plan: Plan) -> dg.RunRequest:
    """A run that makes what is planned."""
    return dg.RunRequest(
        asset_selection=plan.selection, asset_check_keys=plan.checks, tags=plan.tags
    )


@dg.schedule(
    job=refresh_job,
    cron_schedule="30 3 * * *",
    execution_timezone="Europe/Berlin",
    description="Every night at 03:30, Berlin time: makes again what changed, and confirms what "
    "readers see. Never falls back to the bundled sample.",
)
def daily_refresh(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """Plans the night's run, unless one is under way."""
    going = run_under_way(context.instance)
    if going is not None:
        return dg.SkipReason(f"run {going} is under way; what changed since waits for the next one")
    try:
        plan = plan_refresh(_job(context), settings)
    except (LastfmAssetsError, OSError) as problem:
        # a failed tick would tell nobody, a run does
        return dg.RunRequest(tags={MADE_TAG: f"all: {one_line(problem)}"})
    context.log.info(plan.in_words)
    return _request(plan)


@dg.sensor(
    job=refresh_job,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    description="Starts a refresh when the content of the source has changed and stood still for "
    "one look; a content that failed is not tried again until it changes.",
)
def source_changed(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult:
    """Holds the source against what the stored tables were made from."""
    going = run_under_way(context.instance)  # at each look: it frees the queue of dead runs
    signature = signature_of(settings.source, data_folder=data_folder())
    seen, _, tried = (context.cursor or "").partition("\n")

    def nothing(reason: str, *, tried: str = tried) -> dg.SensorResult:
        return dg.SensorResult(skip_reason=reason, cursor=f"{signature}\n{tried}")

    plan = _plan(context, settings, signature)
    if isinstance(plan, str):
        return nothing(plan)
    if not any(key.path[0] == "raw" for key in plan.stale):
        return nothing("the source is as it was at the last refresh", tried="")
    if signature == tried:
        return nothing("a refresh was started for this content of the source already")
    if signature != seen:
        return nothing("the source has changed; it may be changing still")
    if going is not None:
        return nothing(f"the source has changed, but run {going} is under way")
    return dg.SensorResult(run_requests=[_request(plan)], cursor=f"{signature}\n{signature}")


def _plan(context: dg.SensorEvaluationContext, settings: Settings, signature: str) -> Plan | str:
    """What would be made of the source as it is, or why that cannot be said now."""
    if not is_known(signature):
        return f"the source cannot be looked at: {signature}"
    try:
        # every minute: whether anything stored is damaged, the night's refresh looks
        return plan_refresh(_job(context), settings, thoroughly=False)
    except (LastfmAssetsError, OSError) as problem:
        return f"the store cannot be looked at: {one_line(problem)}"


def _job(context: dg.ScheduleEvaluationContext | dg.SensorEvaluationContext) -> dg.JobDefinition:
    assert context.repository_def is not None  # noqa: S101 (a code location has one)
    return context.repository_def.get_job(REFRESH)
