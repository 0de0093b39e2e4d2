"""Runs of the graph in this process."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.definitions import build_definitions
from lastfm_assets.settings import Settings


def run_in_process(
    settings: Settings,
    select: Sequence[str] = (),
    *,
    instance: dg.DagsterInstance | None = None,
    tags: dict[str, str] | None = None,
    run_config: dict[str, object] | None = None,
) -> dg.ExecuteInProcessResult:
    """The refresh job, or some of its assets, in this process."""
    definitions = build_definitions(settings)
    chosen = dg.AssetSelection.assets(*(dg.AssetKey(name.split("/")) for name in select))
    keys = chosen.required_multi_asset_neighbors().resolve(definitions.resolve_asset_graph())
    with dg.DagsterInstance.ephemeral() as remembers_nothing:
        return definitions.resolve_job_def(REFRESH).execute_in_process(
            instance=instance or remembers_nothing,
            raise_on_error=False,
            asset_selection=sorted(keys) or None,
            tags=tags,
            run_config=run_config,
        )


def run_checks(
    store: Path, asset: Sequence[str], *, then: Sequence[str] = ()
) -> dg.ExecuteInProcessResult:
    """The checks of one stored asset, without making it again, and some assets after it."""
    definitions = build_definitions(Settings(source="sample", store=str(store)))
    checks = dg.AssetSelection.checks_for_assets(dg.AssetKey(list(asset)))
    assets = [dg.AssetKey(name.split("/")) for name in then]
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [*(definitions.assets or ()), *(definitions.asset_checks or ())],
            selection=checks | dg.AssetSelection.assets(*assets) if assets else checks,
            resources=definitions.resources,
            instance=instance,
            raise_on_error=False,
        )
