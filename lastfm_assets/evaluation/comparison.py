r"""Whether one model is better than another, on the same users, with every pair told apart at once.

Each user has one figure a model. Users, and not their artists, are drawn with replacement, as the
artists of one user stand or fall together; the same draws serve all pairs.

M models make M (M - 1) / 2 pairs, and the more are looked at, the likelier one of them seems to
differ by chance. The step-down maximum of Romano and Wolf (2005, Econometrica 73, 1237-1282) keeps
the chance of any false "beats" in the whole table at 5%. It is preferred to Holm's, which guards
against the worst dependence: pairs share models and users, so their differences go together, and
the shared draws show by how much. Holm's smallest p-value is besides that of one draw times the
number of pairs, which 2,000 draws cannot bring far enough down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.metrics import resampled_counts

RESAMPLES: Final = 2000
ERROR: Final = 0.05
"""Chance of one false "beats" or more among all pairs, and what an interval leaves out."""
COMPARISON: Final = ("model_a", "model_b", "difference", "low", "high", "p_adjusted", "verdict")
"""Columns of a comparison, in order."""
_ROUNDING: Final = 1e-9
"""Figures nearer than this share of themselves are equal."""


def compare(figures: pd.DataFrame, *, seed: int, resamples: int = RESAMPLES) -> pd.DataFrame:
    r"""Every pair of models on the users that both have a figure for.

    With d_u the difference of user u, its mean :math:`\bar d` over n users and standard error
    :math:`s = \mathrm{sd}(d) / \sqrt n`, a pair has :math:`t = |\bar d| / s`. In each draw it has
    :math:`t^* = |\bar d^* - \bar d| / s^*`, what chance alone does. Pairs are taken by falling t;
    the p-value of one is the share of draws in which the largest :math:`t^*` of it and of all
    those after it reaches its t, and is never smaller than that of the one before.

    Args:
        figures: (n_users, n_models) one column a model, NaN where a user has none. A user who
            stands in several splits is averaged first, see `mean_over_splits`.
        seed: of the draws.
        resamples: how many times users are drawn.

    Returns:
        `COMPARISON`, one row a pair, in the order of the columns. `difference` is the mean of
        model_a minus model_b, `low` and `high` its 95% percentile interval, of this pair alone;
        `p_adjusted` and `verdict` are of the pair as one of all. Without a common user the figures
        are NaN and p is 1.
    """
    names = [str(name) for name in figures.columns]
    first, second = _pairs(len(names))
    values = figures.to_numpy(np.float64)
    values = values[~np.isnan(values).all(axis=1)]
    differences = values[:, first] - values[:, second]
    drawn = _Drawn.of(differences, seed=seed, resamples=resamples)
    adjusted = _step_down(drawn)
    low, high = _percentiles(drawn.means)
    table = pd.DataFrame(
        {
            "model_a": [names[a] for a in first],
            "model_b": [names[b] for b in second],
            "difference": drawn.mean,
            "low": low,
            "high": high,
            "p_adjusted": adjusted,
        }
    )
    said = [
        verdict(names[a], names[b], float(d), float(p))
        for a, b, d, p in zip(first, second, drawn.mean, adjusted, strict=True)
    ]
    return table.assign(verdict=pd.Series(said, dtype="str"))[list(COMPARISON)]


def verdict(model_a: str, model_b: str, difference: float, p_adjusted: float) -> str:
    """What a comparison says, in words."""
    if not p_adjusted < ERROR:
        return f"no difference seen between {model_a} and {model_b}"
    better, worse = (model_a, model_b) if difference > 0 else (model_b, model_a)
    return f"{better} beats {worse}"


def mean_over_splits(splits: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row a user, whose figures of several splits depend on each other and count as one.

    Args:
        splits: for each split the figures of `compare`, indexed by user. A user's figures of a
            split in which a model has none are left out for all models, or the difference would
            be one of splits too.

    Returns:
        The figures of `compare`, indexed by user, ascending.
    """
    return pd.concat([figures.dropna() for figures in splits]).groupby(level=0).mean()


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Each pair's differences as seen, and in every draw of users."""

    mean: np.ndarray
    """(n_pairs,) NaN where no user has both figures."""
    t: np.ndarray
    """(n_pairs,) the mean's size in standard errors."""
    surest: np.ndarray
    """(n_pairs,) the smallest p-value that these users could give."""
    means: np.ndarray
    """(n_draws, n_pairs) the mean in each draw."""
    t_by_chance: np.ndarray
    """(n_draws, n_pairs) how far it is from the mean as seen, in standard errors of the draw."""

    @classmethod
    def of(cls, differences: np.ndarray, *, seed: int, resamples: int) -> "_Drawn":
        """From (n_users, n_pairs) differences, NaN where a user lacks a figure."""
        given = ~np.isnan(differences)
        users = given.sum(axis=0)
        with np.errstate(invalid="ignore"):
            mean = np.where(given, differences, 0.0).sum(axis=0) / users
        centred = np.where(given, differences - mean, 0.0)
        centred[np.abs(centred) <= _ROUNDING * np.abs(mean)] = 0.0
        present, squared = given.astype(np.float64), centred**2
        t = _in_standard_errors(mean, squared.sum(axis=0), users)
        # all users alike in sign has this chance where either sign is as likely (sign test)
        surest = 0.5 ** np.maximum((given & (differences != 0)).sum(axis=0) - 1.0, 0.0)
        means, t_by_chance = [np.empty((0, len(mean)))], [np.empty((0, len(mean)))]
        for counts in resampled_counts(len(differences), seed=seed, resamples=resamples):
            drawn = counts @ present
            with np.errstate(invalid="ignore"):
                shift = (counts @ centred) / drawn
                squares = np.maximum(counts @ squared - drawn * shift**2, 0.0)
            means.append(mean + shift)
            t_by_chance.append(_in_standard_errors(shift, squares, drawn))
        return cls(mean, t, surest, np.concatenate(means), np.concatenate(t_by_chance))


def _in_standard_errors(shift: np.ndarray, squares: np.ndarray, users: np.ndarray) -> np.ndarray:
    """|shift| over its standard error; no shift is 0, one without a spread is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(squares / np.maximum(users - 1, 1) / users)
        return np.asarray(np.nan_to_num(np.abs(shift) / error, nan=0.0, posinf=np.inf))


def _step_down(drawn: _Drawn) -> np.ndarray:
    """(n_pairs,) p-values of Romano and Wolf's step-down maximum; see `compare`."""
    order = np.argsort(-drawn.t, kind="stable")
    # column j: the largest of pair j, in this order, and of all pairs after it
    largest = np.maximum.accumulate(drawn.t_by_chance[:, order[::-1]], axis=1)[:, ::-1]
    reached = (largest >= drawn.t[order] * (1.0 - _ROUNDING)).sum(axis=0)
    shares = np.maximum((1 + reached) / (1 + len(largest)), drawn.surest[order])
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(shares)
    return adjusted


def _percentiles(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95% bounds of each column, NaN where it has no value."""
    bounds = np.full((2, means.shape[1]), np.nan)
    known = ~np.isnan(means).all(axis=0) if len(means) else np.zeros(means.shape[1], dtype=bool)
    bounds[:, known] = np.nanquantile(means[:, known], [ERROR / 2, 1 - ERROR / 2], axis=0)
    return bounds[0], bounds[1]


def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of every pair of n columns."""
    first, second = np.array(list(combinations(range(n), 2)), dtype=np.int64).reshape(-1, 2).T
    return first, second
