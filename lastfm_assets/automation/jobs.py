"""The refresh, the whole chain with every check; studies and tuning, on demand."""

from typing import Final

import dagster as dg

REFRESH: Final = "refresh"
TUNING: Final = "tuning"
"""Group of the assets that cost hours and change nothing that is published."""
STUDIES: Final = "studies"
"""Group of the assets that explain data and models, and change nothing that is published."""

refresh_job = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(STUDIES, TUNING),
    description="From raw files to published lists: every asset and check but studies and tuning.",
)

studies_job = dg.define_asset_job(
    "studies",
    selection=dg.AssetSelection.groups(STUDIES),
    description="What explains data and models, on the tables of the last refresh; the next one "
    "shows it on the report. Takes minutes.",
)

tune_job = dg.define_asset_job(
    "tune",
    tags={"dagster/max_runtime": str(24 * 3600)},  # the instance ends any other run much sooner
    selection=dg.AssetSelection.groups(TUNING),
    description="The search for every model's parameters, on the split of the last refresh.",
)
