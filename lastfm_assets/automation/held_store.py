"""Runs of Dagster, whoever starts them, hold the store that they write to."""

from collections.abc import Iterator
from typing import Any, cast

import dagster as dg

from lastfm_assets.automation.resources import StoreIOManager
from lastfm_assets.automation.under_way import sign
from lastfm_assets.writer import held


def held_by_its_run(manager: StoreIOManager) -> dg.IOManagerDefinition:
    """The IO manager of runs that have its store to themselves, from first step to last.

    A run waits until the store is free: nobody looks at it who could start it again. All steps of
    a run are of one process (`dg.in_process_executor`), which makes and ends this once.
    """

    def alone(context: dg.InitResourceContext) -> Iterator[StoreIOManager]:
        run = context.run
        if run is None:  # somebody reads a value outside any run
            yield manager
            return
        if context.instance is not None:
            sign(context.instance, run)
        what = f"run {run.run_id} ({run.job_name})"
        log = context.log
        with held(manager.store.root, what, wait=True, say=log.warning if log else lambda _: None):
            yield manager

    return dg.IOManagerDefinition(
        cast("Any", alone),  # as any resource, it may yield
        description="Every value in the store, which a run holds to its end.",
    )
