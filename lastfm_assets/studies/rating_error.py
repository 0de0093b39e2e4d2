r"""How well models of ratings predict a rating, and how good their lists are.

Plays become ratings by their logarithm, mapped to 1..5:

.. math:: r_{ua} = 1 + 4\,\frac{\log(1 + p_{ua}) - l}{h - l}

with l and h the least and the largest log(1 + plays) of the pairs that are fitted on; ratings of
other pairs are clipped to the scale.

A model of ratings learns from rated pairs alone how loud a pair is, given that it is there. A list
asks which pairs will be there at all: of 17,632 artists, the ten somebody will play. The two need
not go together (Cremonesi, Koren & Turrin, Performance of recommender algorithms on top-N
recommendation tasks, 2010).
"""

from typing import Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.metrics import bootstrap_interval, resampled_counts
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pair_hash, pairs_of
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.studies.lists import NDCG, PRECISION, judged
from lastfm_assets.studies.predictors import (
    PREDICTORS,
    SCALE,
    Predictor,
    fitted,
    predictors_for,
    scores_of,
)
from lastfm_assets.vocabulary import Columns

FOLDS: Final = 5
RATING: Final = "rating"
_RESAMPLES: Final = 2000
COLUMNS: Final = (
    *("model", "rmse", "rmse_low", "rmse_high", "mae", "mae_low", "mae_high"),
    *(PRECISION, f"{PRECISION}_low", f"{PRECISION}_high", NDCG, "folds", "users"),
)


def rating_error(
    split_pairs: pd.DataFrame,
    artist_ids: np.ndarray,
    *,
    seed: int,
    on_progress: Progress = no_progress,
) -> pd.DataFrame:
    """Rating error over five folds, and precision of the same models' lists.

    Folds are of all pairs, dealt by a hash of pair and seed, as an error is usually reported: each
    pair is predicted once, and nothing is chosen by it. Lists are of another fit, on train and
    validation, over the whole catalogue less what a user is known to play, judged on the held-out
    pairs as all models are. The mean tells no artists apart; its lists are the smallest ids.

    Above `predictors.MOST_USERS` users `knn_baseline` is left out, as its similarities of all users
    to all would not fit in memory; see `left_out`.

    Args:
        split_pairs: every pair with its `part` and `plays`.
        artist_ids: (n_artists,) int64, rising: the whole catalogue.
        seed: of folds, svd and intervals.
        on_progress: told fits done and fits in all.

    Returns:
        `COLUMNS`, a row a predictor: root mean square and mean absolute error in rating points (1
        to 5, lower is better) with 95% intervals over users drawn with replacement, as the errors
        of one user go together, and precision and ndcg at 10 of the lists.

    Raises:
        BadInputError: scikit-surprise is not installed.
    """
    names = predictors_for(split_pairs[Columns.USER].nunique())
    total = len(names) * (FOLDS + 1)
    rows = []
    for place, name in enumerate(names):
        errors = []
        for fold in range(FOLDS):
            errors.append(_fold_errors(name, split_pairs, fold, seed=seed))
            on_progress(place * (FOLDS + 1) + fold + 1, total)
        figures = _error_figures(pd.concat(errors), seed=seed)
        rows.append({"model": name, **figures, **_lists(name, split_pairs, artist_ids, seed=seed)})
        on_progress((place + 1) * (FOLDS + 1), total)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"model": "str", "folds": "int64", "users": "int64"})


def left_out(table: pd.DataFrame) -> tuple[Predictor, ...]:
    """Predictors that `rating_error` has no row of, as there are too many users for them."""
    return tuple(name for name in PREDICTORS if name not in set(table["model"]))


def as_ratings(pairs: pd.DataFrame, fitted_on: pd.DataFrame) -> pd.DataFrame:
    """The pairs with `rating`, see the equation above.

    Args:
        pairs: `user_id, artist_id, plays`.
        fitted_on: pairs whose least and largest plays are the ends of the scale.
    """
    low, high = np.log1p(fitted_on[Columns.PLAYS].agg(["min", "max"]).to_numpy(np.float64))
    share = (np.log1p(pairs[Columns.PLAYS].to_numpy(np.float64)) - low) / max(high - low, 1e-12)
    rating = SCALE[0] + (SCALE[1] - SCALE[0]) * np.clip(share, 0.0, 1.0)
    return pairs[[Columns.USER, Columns.ARTIST]].assign(**{RATING: rating})


def in_words(table: pd.DataFrame, best: str, best_precision: float) -> str:
    """What a low error is worth for a list, from the figures.

    Args:
        table: see `rating_error`.
        best: a model made for lists.
        best_precision: its held-out precision@10 for the same users.
    """
    exact = table.sort_values("rmse", kind="stable").iloc[0]
    floor = table[table["model"] == "mean"].iloc[0]
    if floor["rmse"] == 0:
        return "All pairs have equally many plays: there is no rating to predict."
    useful = table.sort_values(PRECISION, ascending=False, kind="stable").iloc[0]
    return (
        f"{exact['model']} predicts ratings best: {exact['rmse']:.3f} points off (root mean "
        f"square), where the mean of all ratings is {floor['rmse']:.3f} off. Of ten artists that "
        f"it puts first, {10 * exact[PRECISION]:.2f} are played; {best}, which is asked for lists "
        f"and not for ratings, finds {10 * best_precision:.2f}. The best lists of these models are "
        f"{useful['model']}'s, {10 * useful[PRECISION]:.2f} of ten. An error is taken over pairs "
        "that are there; a list has to find them among all that are not."
    )


def _fold_errors(
    name: Predictor, split_pairs: pd.DataFrame, fold: int, *, seed: int
) -> pd.DataFrame:
    """`user_id, error` of each pair of one fold, predicted from the others."""
    users, artists = (split_pairs[column].to_numpy() for column in (Columns.USER, Columns.ARTIST))
    inside = pair_hash(users, artists, seed) % np.uint64(FOLDS) == fold
    known, asked = split_pairs[~inside], split_pairs[inside]
    algorithm = fitted(name, as_ratings(known, known), seed=seed)
    ratings = as_ratings(asked, known)
    said = algorithm.test(list(ratings.itertuples(index=False, name=None)))
    errors = np.array([prediction.est - prediction.r_ui for prediction in said])
    return pd.DataFrame({Columns.USER: ratings[Columns.USER].to_numpy(), "error": errors})


def _error_figures(errors: pd.DataFrame, *, seed: int) -> dict[str, Any]:
    """RMSE and MAE over all folds' pairs, with intervals over users."""
    by_user = errors.assign(square=errors["error"] ** 2, absolute=errors["error"].abs())
    sums = by_user.groupby(Columns.USER).agg(
        square=("square", "sum"), absolute=("absolute", "sum"), pairs=("error", "size")
    )
    values = sums.to_numpy(np.float64)
    drawn = np.vstack(
        [
            counts @ values
            for counts in resampled_counts(len(values), seed=seed, resamples=_RESAMPLES)
        ]
    )
    square, absolute, pairs = values.sum(axis=0)
    rmse = np.quantile(np.sqrt(drawn[:, 0] / drawn[:, 2]), [0.025, 0.975])
    mae = np.quantile(drawn[:, 1] / drawn[:, 2], [0.025, 0.975])
    return {
        "rmse": float(np.sqrt(square / pairs)),
        "rmse_low": float(rmse[0]),
        "rmse_high": float(rmse[1]),
        "mae": float(absolute / pairs),
        "mae_low": float(mae[0]),
        "mae_high": float(mae[1]),
        "folds": FOLDS,
    }


def _lists(
    name: Predictor, split_pairs: pd.DataFrame, artist_ids: np.ndarray, *, seed: int
) -> dict[str, Any]:
    """Precision and ndcg of the model's lists on the held-out pairs."""
    known = pairs_of(split_pairs, "train", "validation")
    matrix = ListeningMatrix.from_pairs(known, artist_ids)
    algorithm = fitted(name, as_ratings(known, known), seed=seed)
    reached = judged(scores_of(name, algorithm, matrix), matrix, pairs_of(split_pairs, "held_out"))
    precision = reached[PRECISION].to_numpy()
    low, high = bootstrap_interval(precision, seed=seed)
    return {
        PRECISION: float(precision.mean()),
        f"{PRECISION}_low": low,
        f"{PRECISION}_high": high,
        NDCG: float(reached[NDCG].mean()),
        "users": len(reached),
    }
