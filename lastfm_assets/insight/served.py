"""The chapter on what the lists name, held against what is played."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import Chart, Drawing, Table, number, percent, quotient
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.vocabulary import Columns

_STEPS: Final = (1, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
_TOLD: Final = 100
"""Best known artists that the title speaks of; of a small catalogue, a tenth of it."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """How listening and recommendations spread over the artists, most listeners first."""

    played: np.ndarray
    """(n_artists,) share of all user-artist pairs of the artists up to each rank."""
    listed: np.ndarray
    """(n_artists,) share of all recommendations of the same artists."""
    named: int
    """Artists that anybody's list names."""

    @property
    def artists(self) -> int:
        """Size of the catalogue."""
        return len(self.played)


def exposure(interactions: pd.DataFrame, artists: pd.DataFrame, lists: pd.DataFrame) -> Exposure:
    """Counts pairs and recommendations of every artist.

    Args:
        interactions: `user_id, artist_id`, one row a pair.
        artists: `artist_id`, the catalogue; equal numbers of listeners: by id.
        lists: `TOP_LIST`.
    """
    ids = np.sort(artists[Columns.ARTIST].to_numpy())
    listeners = _times(interactions, ids)
    listed = _times(lists, ids)
    order = np.lexsort((ids, -listeners))
    return Exposure(
        np.cumsum(listeners[order]) / max(int(listeners.sum()), 1),
        np.cumsum(listed[order]) / max(int(listed.sum()), 1),
        int(np.count_nonzero(listed)),
    )


def _times(table: pd.DataFrame, ids: np.ndarray) -> np.ndarray:
    """(n_artists,) rows of a table that name each artist."""
    counts = table[Columns.ARTIST].value_counts()
    return counts.reindex(ids, fill_value=0).to_numpy(dtype=np.int64)


def exposure_chart(spread: Exposure, noun: Noun = ARTISTS) -> Chart:
    """Shares of listening and of recommendations over artists by falling popularity."""
    told = min(_TOLD, max(spread.artists // 10, 1))
    played, listed = float(spread.played[told - 1]), float(spread.listed[told - 1])
    who = f"The {told} most heard {noun.many} are" if told > 1 else f"The most heard {noun.one} is"
    title = (
        f"{who} {percent(played, 0)} of what is played and {percent(listed, 0)} of what is "
        "recommended"
    )
    said = (
        f"Two rising lines over {noun.many} from most to least heard. {title}. Lists name "
        f"{number(spread.named)} of {number(spread.artists)} {noun.many}."
    )
    steps = [step for step in _STEPS if step < spread.artists] + [spread.artists]
    rows = [
        (
            number(step),
            percent(float(spread.played[step - 1])),
            percent(float(spread.listed[step - 1])),
        )
        for step in steps
    ]
    return Chart(
        title,
        Table(
            (f"most heard {noun.many}", "share of what is played", "share of recommendations"),
            rows,
            f"Played: pairs of user and {noun.one}; recommended: places in the lists",
        ),
        [Drawing(charts.ranked_shares(spread.played, spread.listed, said=said), said)],
        f"All lists together name {number(spread.named)} of {number(spread.artists)} {noun.many} "
        f"({percent(quotient(spread.named, spread.artists))}). The higher the solid line above the "
        "dashed one, the more the lists lean to what everybody knows.",
    )
