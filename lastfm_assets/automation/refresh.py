"""Runs the refresh job in this process, and says in one line how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from lastfm_assets.automation.console import shown_facts
from lastfm_assets.automation.failures import EXIT_CODE
from lastfm_assets.automation.instance import prepare_home
from lastfm_assets.automation.jobs import REFRESH, TUNING
from lastfm_assets.definitions import build_definitions
from lastfm_assets.errors import BadInputError
from lastfm_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    exit_code: int
    """0 done, 1 a check or the gate failed, 2 bad input."""
    message: str
    """One line; empty where all went well."""
    run_id: str


def run_refresh(settings: Settings, select: Sequence[str] = ()) -> Outcome:
    """Materializes the chain, or some of it, with every check, over Dagster's own storage.

    Args:
        settings: source, store, seed and gate.
        select: asset keys (`models/als`) or groups (`models`), each with a `+` behind it to take
            along all that follows; empty for everything.

    Returns:
        How it ended; whatever failed is in the web UI too, under the run's id.

    Raises:
        BadInputError: a selection names nothing.
    """
    definitions = build_definitions(settings)
    keys = _selected(definitions, select)
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        result = definitions.resolve_job_def(REFRESH).execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=keys,
            run_config={"loggers": {"console": {}}},
        )
    if result.success:
        return Outcome(0, "", result.run_id)
    exit_code, message = _failure(result.all_events)
    return Outcome(exit_code, message, result.run_id)


def _selected(definitions: dg.Definitions, select: Sequence[str]) -> list[dg.AssetKey] | None:
    if not select:
        return None
    graph = definitions.resolve_asset_graph()
    tuning = dg.AssetSelection.groups(TUNING).resolve(graph)
    known = graph.materializable_asset_keys - tuning
    groups = {graph.get(key).group_name for key in known}
    chosen: set[dg.AssetKey] = set()
    for text in select:
        name = text.removesuffix("+")
        key = dg.AssetKey(name.split("/"))
        selection: dg.AssetSelection
        if key in known:
            selection = dg.AssetSelection.assets(key)
        elif name in groups:
            selection = dg.AssetSelection.groups(name)
        else:
            raise BadInputError(
                f"--select names {name!r}, which is neither an asset such as models/als nor a "
                f"group; groups are {', '.join(sorted(groups))}"
            )
        selection = selection.downstream() if text.endswith("+") else selection
        # tables that are made in one step are made together
        chosen |= selection.required_multi_asset_neighbors().resolve(graph) - tuning
    return sorted(chosen)


def _failure(events: Sequence[dg.DagsterEvent]) -> tuple[int, str]:
    """Exit code and line of the first failure: our own error, a check, or the unexpected."""
    unexpected = "the run failed"
    for event in events:
        if event.event_type is not dg.DagsterEventType.STEP_FAILURE:
            continue
        data = event.step_failure_data
        said = data.user_failure_data
        if said is not None and EXIT_CODE in said.metadata:
            return int(str(said.metadata[EXIT_CODE].value)), said.description or said.label
        if data.error is not None and data.error.cls_name != "DagsterAssetCheckFailedError":
            cause = data.error.cause or data.error  # Dagster's own says only which step it was
            return 1, f"{event.step_key}: {' '.join(cause.message.split())}"
    checks = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    failed = [check for check in checks if not check.passed]
    if failed:
        facts = shown_facts(failed[0])
        asset = failed[0].asset_key.to_user_string()
        return 1, (
            f"check {failed[0].check_name} on {asset} did not pass ({facts}); nothing is "
            "published, the last lists stay"
        )
    return 1, unexpected
