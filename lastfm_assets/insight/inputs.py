"""What a report is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.insight.nouns import Noun
from lastfm_assets.listening.about import ARTIST


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Everything that a report is made from; equal inputs give the same page to the byte."""

    leaderboard: pd.DataFrame
    champion: Champion
    comparison: pd.DataFrame
    segments: pd.DataFrame
    interactions: pd.DataFrame
    artists: pd.DataFrame
    tag_assignments: pd.DataFrame
    rejected_rows: pd.DataFrame
    split: pd.DataFrame
    """`user_id, part`."""
    lists: pd.DataFrame
    """`TOP_LIST`, as published; `user_id, artist_id` where `similar_artists` is None."""
    similar_artists: pd.DataFrame | None
    """None where there is too much to be searched on a page, see `lookup.fits`."""
    history: pd.DataFrame
    """See `history.HISTORY`; the last row is the refresh that is reported on."""
    rows_read: Mapping[str, int]
    """Rows of each file of the source, by its name without ending."""
    source: str
    refreshed_at: datetime
    """When the refresh began, with a time zone."""
    run_id: str
    """Of the refresh; whichever run makes the page again, its figures are of this one."""
    ui_url: str
    """Where Dagster's web UI is reached."""
    studies: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Tables of `studies.STUDY_TABLES` by their assets' keys; one that is not here was not made."""
    item: str = ARTIST
    """What is recommended, in the singular."""
    drift: pd.DataFrame | None = None
    """See `recommendations.drift.DRIFT`; None where nothing was compared."""
    keys: pd.DataFrame | None = None
    """`kind, id, key`: the source's own ids, where those are text; None or empty: numbers."""

    @property
    def noun(self) -> Noun:
        """What is recommended, for sentences."""
        return Noun(self.item)
