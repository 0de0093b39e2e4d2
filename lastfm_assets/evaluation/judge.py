"""Fits a model where it may learn, and judges its lists where it has not looked."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.evaluation.beyond_accuracy import catalogue_figures, list_figures, tag_counts
from lastfm_assets.evaluation.metrics import auc_per_user, hits_in_lists, per_user_table
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.popularity import Popularity, PopularityConfig
from lastfm_assets.models.product_placing import place_products
from lastfm_assets.models.ranking import RankedLists, rank_and_place
from lastfm_assets.models.trained import TrainedModel, train
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.vocabulary import PARTS, Columns

CUTOFF: Final = 10
"""Length of the published lists, and so of the lists that are judged."""
_MANY: Final = 12
"""Held-out artists a user from which on sorting all scores is faster than counting higher ones."""
_LARGE: Final = 50_000
"""Artists from which on it is not."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one model reached on some held-out pairs."""

    per_user: pd.DataFrame
    """`user_id`, `<metric>@<k>` and `auc`; one row a user with something held out."""
    lists: np.ndarray
    """(n_users, n) columns of the matrix, best first, -1 behind the last; rows as `per_user`."""
    rank_seconds: float
    """Of ranking, and of finding the ranks of held-out artists for auc in the same pass."""


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
            artists. Artists outside the catalogue, or never ranked because they are played,
            count as missed and for auc as the last ones, tied.
        cutoffs: list lengths to judge at.
        leave_out_played: False to judge on the training pairs themselves, which shows how much
            a model has learnt by heart.

    Returns:
        Metrics per user. Lists do not depend on `held_out`, but for whom to rank.

    Raises:
        ValueError: the model was fitted on another matrix.
    """
    if model.data != matrix.fingerprint:
        raise ValueError(f"{model.name} was not fitted on this matrix: its rows are other users")
    pairs = held_out[[Columns.USER, Columns.ARTIST]].drop_duplicates()
    users = np.unique(pairs[Columns.USER].to_numpy(np.int64))
    pairs = pairs.sort_values(Columns.USER, kind="stable")
    rows = np.searchsorted(users, pairs[Columns.USER].to_numpy())
    columns = matrix.columns_of(pairs[Columns.ARTIST].to_numpy())
    sizes = np.bincount(rows, minlength=len(users))
    inside = columns >= 0
    rows, columns = rows[inside], columns[inside]
    started = time.perf_counter()
    ranked = _rank_users(
        model, matrix, users, (rows, columns), n=max(cutoffs), leave_out=leave_out_played
    )
    seconds = time.perf_counter() - started
    hits = hits_in_lists(ranked.lists, rows, columns, len(matrix.artist_ids))
    placed = ~np.isnan(ranked.ranks)
    last = sizes - np.bincount(rows[placed], minlength=len(users))
    auc = auc_per_user(rows[placed], ranked.ranks[placed], sizes, ranked.n_ranked, last)
    return Judgement(per_user_table(users, hits, sizes, cutoffs, auc), ranked.lists, seconds)


def beyond_accuracy(
    judgement: Judgement, matrix: ListeningMatrix, side: SideTables, cutoffs: list[int]
) -> dict[str, float]:
    """What the judged lists are like beside being right.

    Args:
        judgement: of lists for users of `matrix`, or strangers.
        matrix: what was trained on, which says how known an artist is.
        side: its tags say how varied a list is.
        cutoffs: list lengths.

    Returns:
        `novelty@<k>`, `popularity_lift@<k>`, `users_served@<k>` and `diversity@<k>`, means over
        users who have a value, `coverage@<k>` and `gini@<k>`; see `beyond_accuracy`.
    """
    artist_tags = tag_counts(side.tag_assignments, matrix.artist_ids)
    rows = matrix.rows_of(judgement.per_user[Columns.USER].to_numpy(np.int64))
    of_users = list_figures(judgement.lists, matrix.plays, rows, cutoffs, artist_tags)
    means = pd.DataFrame(of_users).mean(skipna=True)
    of_all = catalogue_figures(judgement.lists, len(matrix.artist_ids), cutoffs)
    return {**{str(name): float(value) for name, value in means.items()}, **of_all}


@dataclass(frozen=True, slots=True)
class Parts:
    """What one model reached on all three parts of a split."""

    per_user: pd.DataFrame
    """`part, user_id, <metric>@10, auc`, ordered by part and user."""
    beyond_accuracy: dict[str, float]
    """Of the lists judged on held out, see `beyond_accuracy`."""


def evaluate_parts(  # noqa: PLR0913 (a model, what it learnt, and what is there already)
    model: TrainedModel,
    judged_on: ListeningMatrix,
    split_pairs: pd.DataFrame,
    side: SideTables,
    *,
    alone: tuple[ListeningMatrix, SideTables] | None = None,
    probe: TrainedModel | None = None,
    on_progress: Progress = no_progress,
) -> Parts:
    """Judges a model on all three parts.

    Held out and train are judged on `model`, which has learnt from train and validation. It has
    seen the validation pairs, so the validation figures, which choose the champion, come from a
    second fit of the same parameters and seed on train alone.

    Args:
        model: fitted on train and validation.
        judged_on: the matrix of train and validation.
        split_pairs: every pair with its `part`; with `alone`, those of the users to judge.
        side: what the model was fitted with; the second fit does not see the tags of validation
            pairs either.
        alone: what the second fit learns from, see `train_alone`, where it is there already.
        probe: the second fit where it is there already.
        on_progress: told the steps of the second fit.

    Returns:
        Metrics of every user and part.

    Raises:
        ValueError: the second fit is not of train alone or of the same parameters and seed, or the
            first is of another matrix.
    """
    probe_matrix, probe_side = alone or train_alone(judged_on, split_pairs, side)
    validation_pairs = pairs_of(split_pairs, "validation")
    if probe is None:
        probe = train(
            model.name,
            probe_matrix,
            model.config,
            side=probe_side,
            seed=model.seed,
            on_progress=on_progress,
        )
    if (probe.name, probe.config, probe.seed) != (model.name, model.config, model.seed):
        raise ValueError(f"the second fit is of {probe.name} with other parameters or seed")
    train_pairs = pairs_of(split_pairs, "train", "validation")
    judged = {
        "train": judge(model, judged_on, train_pairs, cutoffs=[CUTOFF], leave_out_played=False),
        "validation": judge(probe, probe_matrix, validation_pairs, cutoffs=[CUTOFF]),
        "held_out": judge(model, judged_on, pairs_of(split_pairs, "held_out"), cutoffs=[CUTOFF]),
    }
    tables = []
    for part, judgement in judged.items():
        tables.append(judgement.per_user.assign(**{Columns.PART: part}))
    table = pd.concat(tables, ignore_index=True)
    table[Columns.PART] = pd.Categorical(table[Columns.PART], categories=list(PARTS))
    return Parts(
        table[[Columns.PART, *table.columns.drop(Columns.PART)]],
        beyond_accuracy(judged["held_out"], judged_on, side, [CUTOFF]),
    )


def train_alone(
    judged_on: ListeningMatrix, split_pairs: pd.DataFrame, side: SideTables
) -> tuple[ListeningMatrix, SideTables]:
    """What the second fit of a model learns from, see `evaluate_parts`.

    Returns:
        The matrix of the train pairs over the whole catalogue, and `side` without the tags of
        validation pairs.
    """
    matrix = ListeningMatrix.from_pairs(pairs_of(split_pairs, "train"), judged_on.artist_ids)
    return matrix, side.without_tags_of(pairs_of(split_pairs, "validation"))


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Lists of some users, and where their held-out artists stand."""

    lists: np.ndarray
    """(n_users, n) columns of the matrix."""
    n_ranked: np.ndarray
    """(n_users,) artists that could have been listed."""
    ranks: np.ndarray
    """(p,) rank of each held-out artist among those, see `ranking.mid_ranks`."""


def _rank_users(
    model: TrainedModel,
    matrix: ListeningMatrix,
    users: np.ndarray,
    wanted: tuple[np.ndarray, np.ndarray],
    *,
    n: int,
    leave_out: bool,
) -> _Ranked:
    """Ranks for users by id, for those the matrix does not know by popularity.

    Args:
        model: fitted on `matrix`.
        matrix: whose artists are ranked.
        users: (n_users,) ids.
        wanted: (p,) rows of `users`, not falling, and (p,) columns of held-out artists.
        n: length of a list.
        leave_out: whether a user's pairs of `matrix` stay out.
    """
    n_artists = len(matrix.artist_ids)
    user_rows = matrix.rows_of(users)
    known = user_rows >= 0
    pair_known = known[wanted[0]]
    of_pairs = (np.cumsum(known) - 1)[wanted[0][pair_known]], wanted[1][pair_known]
    stay_out = matrix.plays if leave_out else None
    ranked, of_known = _rank_known(model, user_rows[known], of_pairs, n=n, leave_out=stay_out)
    lists = np.empty((len(users), n), dtype=np.int64)
    lists[known] = ranked.artists
    n_ranked = np.full(len(users), n_artists)
    if leave_out:
        n_ranked[known] -= np.diff(matrix.plays.indptr)[user_rows[known]]
    ranks = np.empty(len(wanted[0]))
    ranks[pair_known] = of_known
    if not known.all():
        popular = Popularity.fit(matrix, PopularityConfig(), side=SideTables.none(), seed=0)
        others = wanted[1][~pair_known]
        one, ranks[~pair_known] = rank_and_place(
            popular.scores,
            np.zeros(1, dtype=np.int64),
            (np.zeros(len(others), dtype=np.int64), others),
            n=n,
            n_artists=n_artists,
        )
        lists[~known] = one.artists
    return _Ranked(lists, n_ranked, ranks)


def _rank_known(
    model: TrainedModel,
    user_rows: np.ndarray,
    wanted: tuple[np.ndarray, np.ndarray],
    *,
    n: int,
    leave_out: sps.csr_array | None,
) -> tuple[RankedLists, np.ndarray]:
    """See `rank_and_place`; products of factors are ranked and placed without most of them.

    Many artists of a user are placed sooner in the sorted scores of a small catalogue.
    """
    factors = model.factors
    ranked = model.rank(user_rows, n=n, leave_out=leave_out) if factors else None
    many = len(wanted[0]) > _MANY * len(user_rows) and len(model.artist_ids) < _LARGE
    if ranked is not None and factors is not None and not many:
        return ranked, place_products(factors, user_rows, wanted, leave_out=leave_out)
    lists, ranks = rank_and_place(
        model.recommender.scores,
        user_rows,
        wanted,
        n=n,
        n_artists=len(model.artist_ids),
        leave_out=leave_out,
    )
    return lists if ranked is None else ranked, ranks
