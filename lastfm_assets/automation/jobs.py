"""The daily refresh: the whole chain with every check, and when it runs."""

from typing import Final

import dagster as dg

REFRESH: Final = "refresh"

refresh_job = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.all(),
    description="From raw files to published lists: every asset and every check.",
)

daily_refresh = dg.ScheduleDefinition(
    name="daily_refresh",
    job=refresh_job,
    cron_schedule="30 3 * * *",
    execution_timezone="Europe/Berlin",
    description="Every night at 03:30, Berlin time. Never falls back to the bundled sample.",
)
