r"""95% intervals of a share, of a median and of a rank correlation.

With z = 1.96: a share p of n has Wilson's interval (1927, JASA 22, 209-212),

.. math:: \frac{p + z^2 / 2n \pm z \sqrt{p (1 - p) / n + z^2 / 4 n^2}}{1 + z^2 / n},

which stays within 0 and 1 and is no point where p is 0.
"""

from typing import Final

import numpy as np

Z: Final = 1.959963984540054
"""Of the normal distribution, leaving out 2.5% at either end."""
RESAMPLES: Final = 2000
_ENDS: Final = [0.025, 0.975]


def wilson(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of shares.

    Args:
        share: 0 to 1; NaN where there is nothing to have a share of.
        n: how many observations each is of; need not be whole, 0 gives NaN.

    Returns:
        Lower and upper ends, as shaped as `share`.
    """
    of = np.where(np.asarray(n) > 0, n, np.nan).astype(np.float64)
    centre = share + Z**2 / (2 * of)
    half = Z * np.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    scale = 1 + Z**2 / of
    return np.clip((centre - half) / scale, 0, 1), np.clip((centre + half) / scale, 0, 1)


def worth_of_clusters(hits: np.ndarray, size: np.ndarray) -> float:
    r"""How many independent observations a share is worth whose observations come in clusters.

    Who tags a hundred artists in an evening says one thing, not a hundred. With p the share of all
    and :math:`p_{-u}` that without cluster u of U, the jackknife's variance of the share is
    :math:`v = \frac{U - 1}{U} \sum_u (p_{-u} - p)^2` (Efron and Stein, 1981, Annals of Statistics
    9, 586-596), and it is worth p (1 - p) / v. A variance by linearisation would trust a cluster
    that makes up most of the whole, as it draws the share to its own.

    Args:
        hits: (clusters,) of the share.
        size: (clusters,) observations, above 0.

    Returns:
        At most all observations; the number of clusters where the share is 0 or 1 or there is one
        cluster.
    """
    clusters, total = len(size), float(size.sum())
    share = float(hits.sum()) / total if total else 0.0
    if clusters < 2 or share in {0.0, 1.0}:  # noqa: PLR2004 (a spread needs two)
        return float(clusters)
    moved = (share * size - hits) / (total - size)
    variance = (clusters - 1) / clusters * float((moved**2).sum())
    return min(total, share * (1 - share) / variance) if variance else total


def of_median(
    values: np.ndarray, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile interval of a median over observations drawn with replacement.

    Drawing n of n observations comes down to drawing n uniform places along the sorted ones, of
    which only the middle is needed: its place has a beta distribution, so it is drawn at once. The
    medians are distributed as those of n draws each, at a thousandth of the price.

    Args:
        values: (n,) observations.
        rng: of the draws.
        resamples: how many medians are drawn.

    Returns:
        Lower and upper end; NaN without an observation.
    """
    n = len(values)
    if n == 0:
        return float("nan"), float("nan")
    ordered = np.sort(values)
    below = (n + 1) // 2  # rank, from 1, of the median, or of the lower of the middle two
    place = rng.beta(below, n + 1 - below, resamples)
    middle = ordered[_row(place, n)].astype(np.float64)
    if n % 2 == 0:
        # the next of n - below places above this one
        above = place + (1 - place) * rng.beta(1, n - below, resamples)
        middle = (middle + ordered[_row(above, n)]) / 2
    # an end that is a median of some draw: few listeners are whole numbers, with gaps between
    low, high = np.quantile(middle, _ENDS, method="inverted_cdf")
    return float(low), float(high)


def bonett_wright(correlation: float, n: int) -> tuple[float, float]:
    r"""Interval of Spearman's correlation of n independent pairs.

    Fisher's z with the standard error :math:`\sqrt{(1 + r^2 / 2) / (n - 3)}` (Bonett and Wright,
    2000, Psychometrika 65, 23-28).

    Returns:
        Lower and upper end; NaN with fewer than four pairs or without a correlation.
    """
    if n <= 3 or np.isnan(correlation):  # noqa: PLR2004 (n - 3 is divided by)
        return float("nan"), float("nan")
    within = np.clip(correlation, -1 + 1e-12, 1 - 1e-12)  # z of 1 is infinite
    half = Z * np.sqrt((1 + correlation**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(within) + np.array([-half, half]))
    return float(low), float(high)


def percentiles(drawn: np.ndarray) -> tuple[float, float]:
    """95% percentile interval of what was drawn; NaN unless half of it or more is a number."""
    known = drawn[~np.isnan(drawn)]
    if not len(drawn) or 2 * len(known) < len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(known, _ENDS)
    return float(low), float(high)


def _row(place: np.ndarray, n: int) -> np.ndarray:
    return np.minimum((place * n).astype(np.int64), n - 1)
