"""Rating models of scikit-surprise: fitted and asked by it, and as scores of a whole catalogue."""

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.vocabulary import Columns

Predictor = Literal["mean", "baseline", "knn_baseline", "svd"]
PREDICTORS: Final[tuple[Predictor, ...]] = get_args(Predictor)
SCALE: Final = (1.0, 5.0)
NEIGHBOURS: Final = 40
"""Raters that a neighbour prediction hears; scikit-surprise's default."""
MOST_USERS: Final = 10_000
"""Users up to whom `knn_baseline` is fitted.

Fitting it holds three tables of users x users at once, 8 bytes a cell: 2.4 GB for so many, 10 GB
for twice as many.
"""
Scores = Callable[[np.ndarray], np.ndarray]


def predictors_for(n_users: int) -> tuple[Predictor, ...]:
    """Those that so many users can be fitted with: all, or all but `knn_baseline`."""
    return tuple(one for one in PREDICTORS if one != "knn_baseline" or n_users <= MOST_USERS)


def fitted(name: Predictor, ratings: pd.DataFrame, *, seed: int) -> Any:
    r"""One of scikit-surprise's algorithms, with its own defaults, on some ratings.

    - `mean`: the mean :math:`\mu` of all ratings, for everything.
    - `baseline`: :math:`b_{ua} = \mu + b_u + b_a`, shrunk, by alternating least squares (Koren,
      Factor in the neighbors, 2010).
    - `knn_baseline`: :math:`b_{ua} + \frac{\sum_{v \in N(u; a)} s_{uv} (r_{va} - b_{va})}
      {\sum_{v \in N(u; a)} s_{uv}}` over the 40 raters of a most like u, s the
      similarity of users, 1 / (1 + mean square difference of what both rated) (Koren, 2010).
    - `svd`: :math:`\mu + b_u + b_a + p_u^\top q_a`, 100 factors, by stochastic gradients (Funk,
      2006; Koren, Bell & Volinsky, 2009).

    Args:
        name: which.
        ratings: `user_id, artist_id, rating`, ratings within `SCALE`, in any order.
        seed: of svd's first vectors.

    Raises:
        BadInputError: scikit-surprise is not installed.
    """
    try:
        import surprise  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError:
        raise BadInputError(
            "rating error is computed by scikit-surprise, which is not installed; "
            "pip install -e '.[ratings]' in the checkout"
        ) from None
    # surprise hears the first of equally near raters, and takes its steps in the order of rows
    ordered = ratings.sort_values([Columns.USER, Columns.ARTIST])
    known = surprise.Dataset.load_from_df(
        ordered[[Columns.USER, Columns.ARTIST, "rating"]], surprise.Reader(rating_scale=SCALE)
    ).build_full_trainset()
    similarity = {"user_based": True}  # between artists it would take gigabytes
    algorithms: dict[str, Callable[[], Any]] = {
        "mean": _mean(surprise),
        "baseline": lambda: surprise.BaselineOnly(verbose=False),
        "knn_baseline": lambda: surprise.KNNBaseline(
            k=NEIGHBOURS, sim_options=similarity, verbose=False
        ),
        "svd": lambda: surprise.SVD(random_state=seed),
    }
    return algorithms[name]().fit(known)


def _mean(surprise: Any) -> Any:
    class Mean(surprise.AlgoBase):  # type: ignore[misc] # surprise has no types
        """The mean of all ratings."""

        def estimate(self, _user: int, _artist: int) -> float:
            return float(self.trainset.global_mean)

    return Mean


def scores_of(name: Predictor, algorithm: Any, matrix: ListeningMatrix) -> Scores:
    """The same predictions for whole rows of a catalogue, not clipped to the scale.

    scikit-surprise predicts one pair at a time, which for 33 million pairs takes half an hour.
    Tests hold these against its own.

    Args:
        name: which predictor.
        algorithm: what `fitted` gave, for pairs of `matrix`.
        matrix: whose rows and columns are asked for.

    Returns:
        (m,) rows -> (m, n_artists) float32. An artist without a rating has no bias, no vector and
        no neighbour.
    """
    known = algorithm.trainset
    users = np.array([known.to_inner_uid(user) for user in matrix.user_ids.tolist()])
    of_artist = {known.to_raw_iid(inner): inner for inner in known.all_items()}
    inner = np.array([of_artist.get(artist, -1) for artist in matrix.artist_ids.tolist()])
    rated = inner >= 0
    mean = float(known.global_mean)
    if name == "mean":
        return lambda rows: np.full((len(rows), len(inner)), mean, dtype=np.float32)
    user_bias = np.asarray(algorithm.bu)[users]
    artist_bias = np.where(rated, np.asarray(algorithm.bi)[inner], 0.0)

    def baseline(rows: np.ndarray) -> np.ndarray:
        return np.asarray(mean + user_bias[rows][:, None] + artist_bias[None, :])

    if name == "baseline":
        return lambda rows: baseline(rows).astype(np.float32)
    if name == "svd":
        vectors = np.asarray(algorithm.qi)[inner] * rated[:, None]
        of_users = np.asarray(algorithm.pu)[users]
        return lambda rows: (baseline(rows) + of_users[rows] @ vectors.T).astype(np.float32)
    similarity = np.maximum(np.asarray(algorithm.sim)[np.ix_(users, users)], 0.0)
    heard = _Heard(similarity, _above_baseline(known, matrix, mean, user_bias, artist_bias))
    return lambda rows: (baseline(rows) + heard.shift(rows)).astype(np.float32)


def _above_baseline(
    known: Any,
    matrix: ListeningMatrix,
    mean: float,
    user_bias: np.ndarray,
    artist_bias: np.ndarray,
) -> sps.csc_array:
    """(n_users, n_artists) each rating less its baseline."""
    users, artists, ratings = zip(*known.all_ratings(), strict=True)
    rows = matrix.rows_of(np.array([known.to_raw_uid(user) for user in users]))
    columns = matrix.columns_of(np.array([known.to_raw_iid(artist) for artist in artists]))
    above = np.array(ratings) - mean - user_bias[rows] - artist_bias[columns]
    return sps.coo_array((above, (rows, columns)), shape=matrix.plays.shape).tocsc()


class _Heard:
    """What the nearest raters of each artist add to a baseline."""

    def __init__(self, similarity: np.ndarray, above: sps.csc_array) -> None:
        counts = np.diff(above.indptr)
        columns = np.repeat(np.arange(len(counts)), counts)
        few = counts[columns] <= NEIGHBOURS
        where = (above.indices[few], columns[few])
        self._similarity = similarity
        self._above = sps.coo_array((above.data[few], where), shape=above.shape).tocsr()
        self._raters = sps.coo_array((np.ones(int(few.sum())), where), shape=above.shape).tocsr()
        self._crowded = [
            (
                column,
                above.indices[above.indptr[column] : above.indptr[column + 1]],
                above.data[above.indptr[column] : above.indptr[column + 1]],
            )
            for column in np.flatnonzero(counts > NEIGHBOURS)
        ]

    def shift(self, rows: np.ndarray) -> np.ndarray:
        """(m, n_artists) weighted mean of what they rated above their baselines; 0 where none."""
        similarity = self._similarity[rows]
        total = np.asarray((self._above.T @ similarity.T).T)
        weight = np.asarray((self._raters.T @ similarity.T).T)
        places = _places(similarity)
        for column, raters, above in self._crowded:
            of_raters = similarity[:, raters]
            nearest = np.argpartition(places[:, raters], NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
            of_nearest = np.take_along_axis(of_raters, nearest, axis=1)
            total[:, column] = (of_nearest * above[nearest]).sum(axis=1)
            weight[:, column] = of_nearest.sum(axis=1)
        shift = np.zeros_like(total)
        np.divide(total, weight, out=shift, where=weight > 0)
        return shift


def _places(similarity: np.ndarray) -> np.ndarray:
    """(m, n_users) place of each user, 0 the nearest; of equally near ones the first is nearer."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    places = np.empty(similarity.shape, dtype=np.int32)
    np.put_along_axis(places, order, np.arange(similarity.shape[1], dtype=np.int32)[None], axis=1)
    return places
