"""The gate's word on a champion, held against what lies in the store now."""

import pandas as pd

from lastfm_assets.engines.spark.asset_keys import INTERACTIONS
from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation.gate import (
    Champion,
    require_approved,
    threshold_now,
)
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings


def pairs_at_hand(store: Store) -> str:
    """Which pairs there are: the hash of the stored ones."""
    return store.stamp(INTERACTIONS.path, pd.DataFrame).version


def require_still_approved(champion: Champion, store: Store, settings: Settings) -> None:
    """Holds the champion's evidence against the pairs at hand, as the local assets do."""
    if settings.champion not in (None, champion.model):
        raise GateRefusedError(
            f"LASTFM_CHAMPION is {settings.champion}, but the champion is {champion.model}; run a "
            "whole refresh"
        )
    threshold = threshold_now(champion, settings.min_precision)
    require_approved(champion, pairs=pairs_at_hand(store), min_precision=threshold)
