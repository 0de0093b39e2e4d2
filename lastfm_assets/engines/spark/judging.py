"""Metrics of lists made in Spark: the local definitions, on the sampled users, in its workers."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from lastfm_assets.engines.spark.content import POSITION
from lastfm_assets.engines.spark.fitted import LISTENED, SparkModel, catalogue_in, csr_of
from lastfm_assets.engines.spark.ranking import scores_of
from lastfm_assets.engines.spark.tasks import mapped
from lastfm_assets.evaluation.beyond_accuracy import (
    catalogue_figures,
    diversity,
    novelty,
    popularity_lift,
    tag_counts,
    users_served,
)
from lastfm_assets.evaluation.judge import CUTOFF
from lastfm_assets.evaluation.judged_users import JUDGED_USERS
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.evaluation.metrics import (
    AUC,
    METRICS,
    auc_per_user,
    hits_in_lists,
    per_user_table,
)
from lastfm_assets.listening.split import pair_hash
from lastfm_assets.models.ranking import rank_and_place
from lastfm_assets.vocabulary import PARTS, Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_FIGURES: Final = (*(f"{metric}@{CUTOFF}" for metric in METRICS), AUC)
_OF_LISTS: Final = (f"novelty@{CUTOFF}", f"popularity_lift@{CUTOFF}", f"users_served@{CUTOFF}")
_WANTED: Final = "wanted"
_SIZE: Final = "size"
_LIST: Final = "list"
_SCHEMA: Final = ", ".join(
    [
        f"{Columns.USER} bigint",
        *(f"`{name}` double" for name in (*_FIGURES, *_OF_LISTS)),
        f"{_LIST} array<int>",
    ]
)
_SALT: Final = -1


def evaluate(
    model: SparkModel,
    probe: SparkModel,
    split_pairs: "DataFrame",
    *,
    tag_assignments: "DataFrame | None" = None,
    judged_users: int = JUDGED_USERS,
) -> Evaluation:
    """Judges a model on all three parts, see `judge.evaluate_parts`.

    The users judged are those that the local engine judges, see `judged_users`. Only they, their
    figures and their lists come to the driver. Of what lists are like, coverage and gini are over
    the lists of these users.

    Args:
        model: fitted on train and validation.
        probe: the same parameters and seed, fitted on train alone.
        split_pairs: `user_id, artist_id, part`, every pair.
        tag_assignments: `artist_id, tag_id`, for the variety of lists; None: NaN.
        judged_users: most users to judge.

    Returns:
        What the local leaderboard, comparison, champion and gate take.

    Raises:
        ValueError: the second fit is not of the same parameters and seed.
    """
    if (probe.name, probe.config, probe.seed) != (model.name, model.config, model.seed):
        raise ValueError(f"the second fit is of {probe.name} with other parameters or seed")
    pairs = of_judged_users(split_pairs, judged_users, seed=model.seed)
    judged = {
        "train": judge(model, _of(pairs, "train", "validation"), leave_out_played=False),
        "validation": judge(probe, _of(pairs, "validation")),
        "held_out": judge(model, _of(pairs, "held_out")),
    }
    tables = [
        table[[Columns.USER, *_FIGURES]].assign(**{Columns.PART: part})
        for part, table in judged.items()
    ]
    per_user = pd.concat(tables, ignore_index=True)
    per_user[Columns.PART] = pd.Categorical(per_user[Columns.PART], categories=list(PARTS))
    return Evaluation(
        model=model.name,
        parameters=json.dumps(model.config.model_dump(), sort_keys=True),
        seed=model.seed,
        fingerprint=model.fingerprint,
        beyond_accuracy=_beyond_accuracy(judged["held_out"], model, tag_assignments, split_pairs),
        per_user=per_user[[Columns.PART, Columns.USER, *_FIGURES]],
        judged_users=judged_users,
    )


def of_judged_users(split_pairs: "DataFrame", n: int, *, seed: int) -> "DataFrame":
    """The pairs of the users who are judged, the same as `judged_users.of_judged_users` takes."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    users = split_pairs.select(Columns.USER).distinct()
    if users.limit(n + 1).count() <= n:
        return split_pairs
    drawn = mapped(users, _Drawn(seed), f"{Columns.USER} bigint, draw bigint")
    chosen = drawn.orderBy("draw", Columns.USER).limit(n).select(Columns.USER)
    return split_pairs.join(f.broadcast(chosen), Columns.USER, "left_semi")


def judge(model: SparkModel, wanted: "DataFrame", *, leave_out_played: bool = True) -> pd.DataFrame:
    """Ranks for every user of some pairs and compares, see `evaluation.judge.judge`.

    Args:
        model: whose lists are judged.
        wanted: `user_id, artist_id`, each pair once, of a bounded number of users.
        leave_out_played: False to judge on the training pairs themselves.

    Returns:
        By user: `user_id`, `<metric>@10`, `auc`, `novelty@10`, `popularity_lift@10`,
        `users_served@10` and `list`, positions of artists.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    spark = wanted.sparkSession
    place = model.artists(spark).select(Columns.ARTIST, f.col(POSITION).alias("artist"))
    grouped = (
        wanted.join(place, Columns.ARTIST, "left")
        .groupBy(Columns.USER)
        .agg(
            f.sort_array(f.collect_list("artist")).alias(_WANTED),  # without the missing ones
            f.count(f.lit(1)).cast("int").alias(_SIZE),
        )
    )
    users = grouped.join(model.users(spark), Columns.USER, "left")
    task = _Judged(model, leave_out=leave_out_played)
    found = mapped(users, task, _SCHEMA).toArrow()
    table: pd.DataFrame = found.sort_by(Columns.USER).to_pandas()
    return table


def _of(pairs: "DataFrame", *parts: str) -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    return pairs.filter(f.col(Columns.PART).isin(list(parts)))


class _Drawn:
    """Beside each user the number that it draws, in an order that signed numbers keep."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            users = batch[Columns.USER].to_numpy()
            draw = pair_hash(users, np.full(len(users), _SALT, dtype=np.int64), self._seed)
            signed = (draw ^ np.uint64(1 << 63)).view(np.int64)
            yield pa.RecordBatch.from_pydict({Columns.USER: users, "draw": signed})


class _Judged:
    """Batches of users to their figures; sent to the workers with these few fields."""

    def __init__(self, model: SparkModel, *, leave_out: bool) -> None:
        self._folder, self._n_users = model.folder, model.n_users
        self._fits = getattr(model.config, "fits", 1)
        self._leave_out = leave_out

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield self._figures(batch)

    def _figures(self, users: pa.RecordBatch) -> pa.RecordBatch:
        artists = catalogue_in(self._folder)
        n_artists = len(artists.artist_ids)
        played, wanted = csr_of(users[LISTENED], n_artists), csr_of(users[_WANTED], n_artists)
        rows = np.repeat(np.arange(users.num_rows), np.diff(wanted.indptr))
        lists, ranks = rank_and_place(
            scores_of(users, artists, self._fits),
            np.arange(users.num_rows),
            (rows, wanted.indices),
            n=CUTOFF,
            n_artists=n_artists,
            leave_out=played if self._leave_out else None,
        )
        sizes = users[_SIZE].to_numpy().astype(np.int64)
        n_ranked = np.full(users.num_rows, n_artists) - np.diff(played.indptr) * self._leave_out
        placed = ~np.isnan(ranks)
        last = sizes - np.bincount(rows[placed], minlength=users.num_rows)
        auc = auc_per_user(rows[placed], ranks[placed], sizes, n_ranked, last)
        hits = hits_in_lists(lists.artists, rows, wanted.indices, n_artists)
        table = per_user_table(users[Columns.USER].to_numpy(), hits, sizes, [CUTOFF], auc)
        table[_OF_LISTS[0]] = novelty(lists.artists, artists.listeners, self._n_users, CUTOFF)
        table[_OF_LISTS[1]] = popularity_lift(lists.artists, artists.listeners, played, CUTOFF)
        table[_OF_LISTS[2]] = users_served(lists.artists, CUTOFF)
        columns: dict[str, Any] = {str(name): table[name].to_numpy() for name in table}
        columns[_LIST] = pa.array(list(lists.artists.astype(np.int32)), pa.list_(pa.int32()))
        return pa.RecordBatch.from_pydict(columns)


def _beyond_accuracy(
    held_out: pd.DataFrame,
    model: SparkModel,
    tag_assignments: "DataFrame | None",
    split_pairs: "DataFrame",
) -> dict[str, float]:
    """As `judge.beyond_accuracy`, of the lists of the users judged."""
    lists = _as_array(held_out[_LIST])
    figures = {name: float(held_out[name].mean()) for name in _OF_LISTS}
    varied = float("nan")
    if tag_assignments is not None and len(lists):
        varied = _variety(lists, model, tag_assignments, split_pairs)
    figures[f"diversity@{CUTOFF}"] = varied
    return {**figures, **catalogue_figures(lists, model.n_artists, [CUTOFF])}


def _as_array(lists: pd.Series) -> np.ndarray:
    if not len(lists):
        return np.empty((0, CUTOFF), dtype=np.int64)
    return np.vstack(lists.tolist()).astype(np.int64)


def _variety(
    lists: np.ndarray, model: SparkModel, tag_assignments: "DataFrame", split_pairs: "DataFrame"
) -> float:
    """Mean `diversity`, from the tags of the listed artists alone."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    spark = split_pairs.sparkSession
    listed = np.unique(lists[lists >= 0])
    wanted = spark.createDataFrame(pa.table({POSITION: listed.astype(np.int32)}))
    place = model.artists(spark).join(f.broadcast(wanted), POSITION)
    tags = tag_assignments.join(f.broadcast(place.select(Columns.ARTIST, POSITION)), Columns.ARTIST)
    found = tags.select(f.col(POSITION).cast("bigint").alias(Columns.ARTIST), Columns.TAG)
    among = np.where(lists >= 0, np.searchsorted(listed, lists), -1)
    counts = tag_counts(found.toArrow().to_pandas(), listed)
    return float(pd.Series(diversity(among, counts, CUTOFF)).mean(skipna=True))
