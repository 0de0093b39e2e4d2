"""What goes with popularity, over years and over genres; and why it is no cause.

Over years both follow time. Spotify's popularity counts plays of today, so recent years are popular
whatever their sound, and every feature that rose or fell steadily goes with it. What is left once
time is taken out is the correlation of changes from one year to the next.
"""

from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.music.audio_features import POPULARITY, UNITS
from lastfm_assets.music.intervals import RESAMPLES, Z, bonett_wright, percentiles
from lastfm_assets.vocabulary import Columns

AUDIO_CORRELATIONS: Final = (
    "of",
    "feature",
    "n",
    "correlation",
    "correlation_low",
    "correlation_high",
    "of_changes",
    "warning",
)
"""Columns of `insight/audio_correlations`, in order."""
FEATURES: Final = tuple(name for name in UNITS if name != POPULARITY)
BLOCK: Final = 10
"""Consecutive years that are drawn together."""
_NAMED: Final = 3


def audio_correlations(years: pd.DataFrame, genres: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Spearman's correlation of every feature with popularity.

    Args:
        years: see `AudioFiles`.
        genres: see `AudioFiles`.
        seed: of the draws of blocks of years.

    Returns:
        `AUDIO_CORRELATIONS`, years first, then genres, features by name. Correlations are NaN
        where a column does not vary.

        Over genres the interval is that of independent pairs (see `bonett_wright`): each genre
        counts once, however many songs it has. Over years, which follow each other, it is of
        blocks of ten consecutive years drawn with replacement (Kuensch, 1989, Annals of
        Statistics 17, 1217-1241). It says how far the figure hangs on single decades, and nothing
        of what two series do that both follow time: of those, blocks keep the common drift.
    """
    years = years.sort_values(Columns.YEAR, ignore_index=True)
    rows = [
        *(_over_years(years, feature, seed) for feature in FEATURES),
        *(_over_genres(genres, feature) for feature in FEATURES),
    ]
    return _table(rows)


def no_correlations() -> pd.DataFrame:
    """The table where no files are given."""
    return _table([])


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of ranks, equal values having their mean rank; NaN where one does not vary."""
    return float(_of_rows(one[None, :], other[None, :])[0])


def changes(years: pd.DataFrame, feature: str) -> np.ndarray:
    """(n,) changes of a feature from each year to the next, where both are there."""
    step = np.diff(years[Columns.YEAR].to_numpy()) == 1
    return np.asarray(np.diff(years[feature].to_numpy(np.float64))[step])


def of_blocks(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Correlations of as many years, drawn in blocks of consecutive ones with replacement.

    Args:
        x: (n,) one value a year, in the order of years.
        y: (n,) likewise.
        rng: of the draws.

    Returns:
        (RESAMPLES,) Spearman's correlation; none with less than two blocks.
    """
    if len(x) < 2 * BLOCK:
        return np.empty(0)
    drawn = drawn_years(len(x), rng)
    return _of_rows(x[drawn], y[drawn])


def drawn_years(n: int, rng: np.random.Generator) -> np.ndarray:
    """(RESAMPLES, n) places of years: blocks of `BLOCK` consecutive ones, the last cut to fit."""
    starts = rng.integers(n - BLOCK + 1, size=(RESAMPLES, -(-n // BLOCK)))
    return (starts[:, :, None] + np.arange(BLOCK)).reshape(RESAMPLES, -1)[:, :n]


def by_chance(n: int) -> float:
    """Size that a rank correlation of n independent pairs exceeds in 5% of cases, about."""
    return Z / np.sqrt(n - 1) if n > 1 else float("nan")


def in_words(table: pd.DataFrame) -> str:
    """What goes with popularity most, and how much of it is left.

    Args:
        table: see `audio_correlations`.
    """
    said = []
    for of, column in (
        ("years", "correlation"),
        ("years", "of_changes"),
        ("genres", "correlation"),
    ):
        rows = table[table["of"] == of].dropna(subset=column)
        rows = rows.sort_values(column, key=abs, ascending=False, kind="stable").head(_NAMED)
        figures = [f"{row['feature']} {row[column]:+.2f}" for row in rows.to_dict("records")]
        what = "changes from year to year" if column == "of_changes" else of
        said.append(f"over {what} {', '.join(figures) or 'nothing'}")
    return f"Goes with popularity most: {'; '.join(said)}"


def _over_years(years: pd.DataFrame, feature: str, seed: int) -> tuple[object, ...]:
    x, y = (years[name].to_numpy(np.float64) for name in (feature, POPULARITY))
    correlation = spearman(x, y)
    # the same blocks for all features, so that one feature more changes no other's interval
    low, high = percentiles(of_blocks(x, y, np.random.default_rng(seed)))
    steps, other = changes(years, feature), changes(years, POPULARITY)
    left = spearman(steps, other)
    warning = _of_time(low, high, correlation, left, len(steps))
    return ("years", feature, len(years), correlation, low, high, left, warning)


def _over_genres(genres: pd.DataFrame, feature: str) -> tuple[object, ...]:
    x, y = (genres[name].to_numpy(np.float64) for name in (feature, POPULARITY))
    correlation = spearman(x, y)
    low, high = bonett_wright(correlation, len(genres))
    seen = low > 0 or high < 0
    warning = (
        "Genres differ in more than their sound, such as age, language and how much they are "
        "promoted, any of which may be the cause."
    )
    return ("genres", feature, len(genres), correlation, low, high, np.nan, warning * seen)


def _of_time(low: float, high: float, correlation: float, left: float, n: int) -> str:
    """Why a correlation over years is no cause; empty where none is seen."""
    if not (low > 0 or high < 0):
        return ""
    said = (
        "Both follow time, as Spotify counts plays of today and recent years are popular whatever "
        "their sound"
    )
    if np.isnan(left):
        return f"{said}."
    if not abs(left) > by_chance(n):
        return f"{said}: of changes from year to year nothing certain is left ({left:+.2f})."
    if left * correlation < 0:
        return f"{said}: changes from year to year go the other way ({left:+.2f})."
    return f"{said}: of changes from year to year {left:+.2f} is left, which is no cause either."


def _of_rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(rows,) Spearman's correlation of each row of x (rows, n) with that of y."""
    ranked = [pd.DataFrame(values).rank(axis=1).to_numpy() for values in (x, y)]
    a, b = (values - (values.shape[1] + 1) / 2 for values in ranked)
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    found = (a * b).sum(axis=1) / np.where(size > 0, size, np.nan)
    return np.asarray(np.clip(found, -1, 1))


def _table(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    types = {"of": "str", "feature": "str", "n": "int64", "warning": "str"}
    table = pd.DataFrame(rows, columns=list(AUDIO_CORRELATIONS))
    return table.astype({name: types.get(name, "float64") for name in AUDIO_CORRELATIONS})
