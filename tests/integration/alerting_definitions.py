"""The definitions as servers load them, with the sensor that tells of failures."""

import dagster as dg

from lastfm_assets.automation.alerts import tell_operator
from lastfm_assets.definitions import build_definitions
from lastfm_assets.settings import Settings


@dg.definitions
def definitions() -> dg.Definitions:
    """Adds the sensor where it is not there already."""
    ours = build_definitions(Settings.from_environment())
    names = {sensor.name for sensor in ours.sensors or ()}
    if tell_operator.name in names:
        return ours
    return dg.Definitions.merge(ours, dg.Definitions(sensors=[tell_operator]))
