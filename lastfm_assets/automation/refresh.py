"""Runs the refresh job in this process, and says in one line how it ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dagster as dg

from lastfm_assets.automation.event_log import with_kept_connections
from lastfm_assets.automation.failures import of_dagsters_storage
from lastfm_assets.automation.instance import prepare_home
from lastfm_assets.automation.jobs import REFRESH, TUNING
from lastfm_assets.automation.outcome import failure_of, warnings_of
from lastfm_assets.automation.plan import plan_refresh
from lastfm_assets.automation.under_way import run_under_way, tags_of_this_process
from lastfm_assets.definitions import build_definitions
from lastfm_assets.errors import BadInputError
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings
from lastfm_assets.writer import held

ACCEPTED_TAG: Final = "lastfm_assets/accepted_drift"
"""Tag of a run for which an operator accepts a change beyond a bound."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    exit_code: int
    """0 done, 1 a check or the gate failed, 2 bad input."""
    message: str
    """One line; empty where all went well."""
    run_id: str
    warnings: tuple[str, ...] = ()
    """A line for each check that did not pass and stops nothing."""


def run_refresh(
    settings: Settings,
    select: Sequence[str] = (),
    *,
    everything: bool = False,
    say: Callable[[str], None] = lambda line: None,  # noqa: ARG005
) -> Outcome:
    """Materializes what changed in the chain, or what is asked for, over Dagster's own storage.

    Args:
        settings: source, store, seed and gate.
        select: asset keys (`models/als`) or groups (`models`, `studies`), each with a `+` behind it
            to take along all that follows; empty for whatever of the refresh is not as it would be
            made now.
        everything: makes again what is current, too.
        say: told in a line each what is made again, why, and what is left as it is.

    Returns:
        How it ended; whatever failed is in the web UI too, under the run's id.

    Raises:
        BadInputError: a selection names nothing, or an accepted change is not named as it should.
        StoreHeldError: another process writes to the store.
        StoreError: the store, or Dagster's own storage, cannot be written to.
    """
    accepted = settings.accepted_drift
    definitions = build_definitions(settings)
    job = definitions.resolve_job_def(REFRESH)
    home = prepare_home()
    root = Store(settings.store).root
    with (
        of_dagsters_storage(home),
        _instance_at_a_terminal(home) as instance,
        held(root, "a refresh", say=say),
    ):
        going = run_under_way(instance)
        if going is not None:
            raise BadInputError(
                f"run {going} is under way, and two refreshes would write the same tables; wait "
                "for it, or cancel it in the web UI"
            )
        tags = tags_of_this_process()
        if accepted is not None:
            tags[ACCEPTED_TAG] = f"{accepted.mark} {accepted.reason}"
        if select:
            chosen = _selected(definitions, select)
            if not chosen <= job.asset_layer.selected_asset_keys:  # a study, perhaps
                job = definitions.resolve_implicit_global_asset_job_def()
            job = job.get_subset(asset_selection=chosen)
        else:
            plan = plan_refresh(job, settings, everything=everything)
            say(plan.in_words)
            job = job.get_subset(
                asset_selection=set(plan.selection), asset_check_selection=set(plan.checks)
            )
            tags |= plan.tags
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {}}},
            tags=tags,
        )
    if result.success:
        return Outcome(0, "", result.run_id, warnings_of(result.all_events))
    failure = failure_of(result.all_events)
    return Outcome(failure.exit_code, failure.message, result.run_id)


def _instance_at_a_terminal(home: Path) -> dg.DagsterInstance:
    """Dagster's storage, without the processes that copy what a run writes into files.

    Whoever gave the command reads that where it was given; and Ctrl-C is for the command alone,
    where each of the four would end with a traceback of its own.
    """
    nothing = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    return dg.DagsterInstance.from_ref(with_kept_connections(home, {"compute_logs": nothing}))


def _selected(definitions: dg.Definitions, select: Sequence[str]) -> set[dg.AssetKey]:
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
    return chosen
