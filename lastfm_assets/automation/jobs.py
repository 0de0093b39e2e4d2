"""The refresh, the whole chain with every check; and tuning, on demand."""

from typing import Final

import dagster as dg

REFRESH: Final = "refresh"
TUNING: Final = "tuning"
"""Group of the assets that cost hours and change nothing that is published."""

refresh_job = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(TUNING),
    description="From raw files to published lists: every asset and every check but tuning's.",
)

tune_job = dg.define_asset_job(
    "tune",
    tags={"dagster/max_runtime": str(24 * 3600)},  # the instance ends any other run much sooner
    selection=dg.AssetSelection.groups(TUNING),
    description="The search for every model's parameters, on the split of the last refresh.",
)
