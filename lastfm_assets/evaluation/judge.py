"""Fits a model where it may learn, and judges its lists where it has not looked."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.metrics import hits_in_lists, per_user_table
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.popularity import Popularity, PopularityConfig
from lastfm_assets.models.ranking import RankedLists, rank
from lastfm_assets.models.trained import TrainedModel, train
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.vocabulary import PARTS, Columns

CUTOFF: Final = 10
"""Length of the published lists, and so of the lists that are judged."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one model reached on some held-out pairs."""

    per_user: pd.DataFrame
    """`user_id` and `<metric>@<k>`; one row a user with something held out."""
    rank_seconds: float


def judge(
    model: TrainedModel,
    matrix: ListeningMatrix,
    held_out: pd.DataFrame,
    *,
    cutoffs: list[int],
    leave_out_played: bool = True,
) -> Judgement:
    """Ranks for every user of `held_out` and compares.

    Args:
        model: fitted on `matrix`.
        matrix: its pairs never enter a list (unless `leave_out_played` is False).
        held_out: `user_id, artist_id`; users without a play in `matrix` get the most popular
            artists, artists outside the catalogue count as missed.
        cutoffs: list lengths to judge at.
        leave_out_played: False to judge on the training pairs themselves, which shows how much
            a model has learnt by heart.

    Returns:
        Metrics per user. `held_out` is looked at only after ranking, but for whom to rank.

    Raises:
        ValueError: the model was fitted on another matrix.
    """
    if model.data != matrix.fingerprint:
        raise ValueError(f"{model.name} was not fitted on this matrix: its rows are other users")
    pairs = held_out[[Columns.USER, Columns.ARTIST]].drop_duplicates()
    users = np.unique(pairs[Columns.USER].to_numpy(np.int64))
    started = time.perf_counter()
    ranked = _rank_users(model, matrix, users, n=max(cutoffs), leave_out=leave_out_played)
    seconds = time.perf_counter() - started
    rows = np.searchsorted(users, pairs[Columns.USER].to_numpy())
    columns = matrix.columns_of(pairs[Columns.ARTIST].to_numpy())
    known = columns >= 0
    hits = hits_in_lists(ranked.artists, rows[known], columns[known], len(matrix.artist_ids))
    sizes = np.bincount(rows, minlength=len(users))
    return Judgement(per_user_table(users, hits, sizes, cutoffs), seconds)


def evaluate_parts(
    model: TrainedModel,
    judged_on: ListeningMatrix,
    split_pairs: pd.DataFrame,
    *,
    on_progress: Progress = no_progress,
) -> pd.DataFrame:
    """Judges a model on all three parts.

    Held out and train are judged on `model`, which has learnt from train and validation. It has
    seen the validation pairs, so the validation figures, which choose the champion, come from a
    second fit of the same parameters and seed on train alone.

    Args:
        model: fitted on train and validation.
        judged_on: the matrix of train and validation.
        split_pairs: every pair with its `part`.
        on_progress: told the steps of the second fit.

    Returns:
        `part, user_id, <metric>@10`, ordered by part and user.
    """
    probe_matrix = ListeningMatrix.from_pairs(pairs_of(split_pairs, "train"), judged_on.artist_ids)
    probe = train(model.name, probe_matrix, model.config, seed=model.seed, on_progress=on_progress)
    train_pairs = pairs_of(split_pairs, "train", "validation")
    judged = {
        "train": judge(model, judged_on, train_pairs, cutoffs=[CUTOFF], leave_out_played=False),
        "validation": judge(
            probe, probe_matrix, pairs_of(split_pairs, "validation"), cutoffs=[CUTOFF]
        ),
        "held_out": judge(model, judged_on, pairs_of(split_pairs, "held_out"), cutoffs=[CUTOFF]),
    }
    tables = []
    for part, judgement in judged.items():
        tables.append(judgement.per_user.assign(**{Columns.PART: part}))
    table = pd.concat(tables, ignore_index=True)
    table[Columns.PART] = pd.Categorical(table[Columns.PART], categories=list(PARTS))
    return table[[Columns.PART, *table.columns.drop(Columns.PART)]]


def _rank_users(
    model: TrainedModel,
    matrix: ListeningMatrix,
    users: np.ndarray,
    *,
    n: int,
    leave_out: bool,
) -> RankedLists:
    """Lists for users by id, those the matrix does not know by popularity."""
    rows = matrix.rows_of(users)
    known = rows >= 0
    ranked = model.rank(
        rows[known],
        n=n,
        leave_out=matrix.plays if leave_out else None,
    )
    if known.all():
        return ranked
    popular = Popularity.fit(matrix, PopularityConfig(), seed=0)
    one = rank(popular.scores, np.zeros(1, dtype=np.int64), n=n, n_artists=len(matrix.artist_ids))
    artists = np.tile(one.artists, (len(users), 1))
    scores = np.tile(one.scores, (len(users), 1))
    artists[known], scores[known] = ranked.artists, ranked.scores
    return RankedLists(artists, scores)
