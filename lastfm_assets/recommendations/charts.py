"""Pictures of the lists: how far they stray from what everybody plays anyway."""

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from lastfm_assets.drawing import (
    BLUE,
    GREY,
    ORANGE,
    bars,
    counts_along,
    name_rows,
    paper,
    plain,
    png,
    written,
)
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES: Final = 12


def popularity(top_artists: pd.DataFrame, interactions: pd.DataFrame) -> bytes:
    """What is recommended against what is played, and who is recommended most (PNG).

    On the left artists stand in the order of their listeners. A curve says what share the first
    so many of them have: of all places of the lists, of all pairs, of all plays. The higher a
    curve, the more is of the well-known.

    Args:
        top_artists: see `vocabulary.TOP_LIST`, one row or more.
        interactions: `user_id, artist_id, plays`, one row or more.
    """
    figure = paper(9.4, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    _curves(left, top_artists, interactions)
    _most_recommended(right, top_artists)
    return png(figure)


def _curves(axes: "Axes", lists: pd.DataFrame, interactions: pd.DataFrame) -> None:
    played = interactions.groupby(Columns.ARTIST)[Columns.PLAYS].agg(["size", "sum"])
    listed = lists.groupby(Columns.ARTIST).size()
    artists = played.join(listed.rename("listed"), how="outer").fillna(0)
    artists = artists.sort_values("size", ascending=False, kind="stable")
    ranks = np.arange(1, len(artists) + 1)
    for column, name, colour, style in (
        ("listed", "places of the lists", BLUE, "-"),
        ("size", "pairs of user and artist", ORANGE, "-"),
        ("sum", "plays", GREY, "--"),
    ):
        share = artists[column].cumsum() / artists[column].sum()
        axes.plot(ranks, share, style, color=colour, linewidth=1.8, label=name)
    plain(axes, grid="y")
    counts_along(axes, "x", log=True)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("artists, most listeners first", fontsize="small", color=GREY)
    axes.set_title("Share of the first so many artists", loc="left", fontsize="medium")
    axes.legend(loc="upper left", fontsize="small", frameon=False)


def _most_recommended(axes: "Axes", lists: pd.DataFrame) -> None:
    counts = lists.groupby(Columns.ARTIST).size().sort_values(ascending=False, kind="stable")
    most = counts.head(_NAMES)
    names = lists.drop_duplicates(Columns.ARTIST).set_index(Columns.ARTIST)[Columns.NAME]
    shares = most.to_numpy() / lists[Columns.USER].nunique()
    bars(axes, shares.tolist(), [f"{share:.1%}" for share in shares], BLUE)
    name_rows(axes, [written(str(names[artist]), at_most=26) for artist in most.index])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlim(0, float(shares.max()) * 1.18)
    axes.set_title("Most recommended: share of users", loc="left", fontsize="medium")
