"""Artists for users, in Spark's Python workers: numpy on a batch, all artists at hand.

MLlib's own `recommendForAllUsers` cannot leave out what somebody plays: it would have to be asked
for as many artists more as the busiest user plays. Here each task holds the artists' vectors,
4 k bytes an artist, and takes users as they come; nothing is shuffled, and nothing but the lists
is sent on.

Workers need this package, numpy, scipy, pandas and pyarrow. Those on this machine run this Python;
a remote cluster is handed a packed environment: `spark.archives=env.tar.gz#env` and
`spark.pyspark.python=./env/bin/python` in LASTFM_SPARK_CONF (`spark.submit.pyFiles` carries
Python files only, and none of the compiled ones).
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import scipy.sparse as sps

from lastfm_assets.engines.spark.fitted import (
    LISTENED,
    RATING,
    VECTOR,
    Catalogue,
    SparkModel,
    catalogue_in,
    csr_of,
    rows_of,
)
from lastfm_assets.engines.spark.reasons import Reasons
from lastfm_assets.engines.spark.tasks import mapped
from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_ranking import rank_products
from lastfm_assets.models.ranking import NOBODY, Budget, RankedLists, rank
from lastfm_assets.recommendations.lists import LENGTH, min_max
from lastfm_assets.vocabulary import TOP_LIST, Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA: Final = (
    f"{Columns.USER} bigint, {Columns.RANK} int, {Columns.ARTIST} bigint, {Columns.NAME} string, "
    f"{Columns.SCORE} double, {Columns.BECAUSE} string, {Columns.MODEL} string"
)
"""Of `recommendations/top_artists`."""
_BUDGET: Final = Budget(threads=1)
"""Spark gives a task one core; the lists are the same whatever it gives."""
Scores = Callable[[np.ndarray], np.ndarray]


def top_artists(spark: "SparkSession", model: SparkModel, *, n: int = LENGTH) -> "DataFrame":
    """The best artists of every user that they do not play, see `recommendations.lists`.

    Args:
        spark: the session.
        model: fitted on all pairs.
        n: length of a list.

    Returns:
        `TOP_LIST` columns, made when they are written; each user's rows lie together, by rank.
        Equal scores go to the smaller artist id. `because` is exact, see `reasons`.
    """
    return mapped(model.users(spark), _Lists(model, n), SCHEMA)


class _Lists:
    """Batches of users to rows of their lists; sent to the workers with these few fields."""

    def __init__(self, model: SparkModel, n: int) -> None:
        self._folder, self._name, self._n = model.folder, model.name, n
        self._fits = getattr(model.config, "fits", 1)
        self._regularization = model.regularization

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        artists = catalogue_in(self._folder)
        reasons = None
        if artists.vectors is not None:
            reasons = Reasons(artists.vectors, self._fits, self._regularization)
        for batch in batches:
            if batch.num_rows:
                yield self._rows(batch, artists, reasons)

    def _ranked(
        self, users: pa.RecordBatch, artists: Catalogue, played: sps.csr_array
    ) -> RankedLists:
        rows = np.arange(users.num_rows)
        if artists.vectors is None:
            scores = scores_of(users, artists, self._fits)
            return rank(scores, rows, n=self._n, n_artists=len(artists.names), leave_out=played)
        factors = Factors(
            vectors_of(users, artists.vectors.shape[1], self._fits),
            artists.vectors,
            np.zeros(len(artists.names), dtype=np.float32),
        )
        return rank_products(factors, rows, n=self._n, leave_out=played, budget=_BUDGET)

    def _rows(
        self, users: pa.RecordBatch, artists: Catalogue, reasons: Reasons | None
    ) -> pa.RecordBatch:
        played = csr_of(users[LISTENED], len(artists.artist_ids))
        ranked = self._ranked(users, artists, played)
        listed = ranked.artists != NOBODY
        because = np.full(listed.shape, "", dtype=object)
        if reasons is not None:
            rated = csr_of(users[LISTENED], len(artists.artist_ids), users[RATING])
            because = reasons.of(rated, ranked.artists, artists.names)
        user_ids = users[Columns.USER].to_numpy()
        position = ranked.artists[listed]
        columns = {
            Columns.USER: np.repeat(user_ids, listed.sum(axis=1)),
            Columns.RANK: (np.nonzero(listed)[1] + 1).astype(np.int32),
            Columns.ARTIST: artists.artist_ids[position],
            Columns.NAME: artists.names.take(pa.array(position)),
            Columns.SCORE: min_max(ranked.scores, listed)[listed],
            Columns.BECAUSE: pa.array(because[listed], pa.string()),
            Columns.MODEL: pa.array([self._name] * len(position), pa.string()),
        }
        return pa.RecordBatch.from_pydict({name: columns[name] for name in TOP_LIST})


def vectors_of(users: pa.RecordBatch, width: int, fits: int) -> np.ndarray:
    """(n, width) float32 of the users of a batch, divided by the fits; zeros of unknown ones."""
    given = users[VECTOR]
    known = given.is_valid().to_numpy(zero_copy_only=False)
    vectors = np.zeros((users.num_rows, width), dtype=np.float32)
    vectors[known] = rows_of(given.drop_null()).reshape(-1, width) / np.float32(fits)
    return vectors


def scores_of(users: pa.RecordBatch, artists: Catalogue, fits: int) -> Scores:
    """What a model says of every artist for the users of a batch.

    Args:
        users: with `vector` where the model has any; a missing one is of a user whom the model
            does not know.
        artists: of the model.
        fits: number of fits whose vectors lie end to end.

    Returns:
        (m,) rows of the batch -> (m, n_artists) float32; listeners for users without a vector.
    """
    popular = artists.listeners.astype(np.float32)
    if artists.vectors is None:
        return lambda rows: np.tile(popular, (len(rows), 1))
    vectors = artists.vectors
    known = users[VECTOR].is_valid().to_numpy(zero_copy_only=False)
    of_users = vectors_of(users, vectors.shape[1], fits)

    def scores(rows: np.ndarray) -> np.ndarray:
        block = of_users[rows] @ vectors.T
        block[~known[rows]] = popular
        return np.asarray(block)

    return scores
