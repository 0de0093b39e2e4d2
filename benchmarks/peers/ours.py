"""ALS by this package, as a library: read pairs, matrix, fit, rank, judge."""

from pathlib import Path

import numpy as np
import scipy.sparse as sps
from stages import (
    ALPHA,
    BM25_B,
    BM25_K1,
    CUTOFF,
    FACTORS,
    HELD_OUT,
    ITERATIONS,
    REGULARIZATION,
    SEED,
    TRAIN,
    Stages,
    job,
)

from lastfm_assets.evaluation.metrics import hits_in_lists, metrics_per_user
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.als import AlsConfig
from lastfm_assets.models.trained import train


def main() -> None:
    """See the module."""
    stages = Stages()
    pairs, out = job()
    stages.done("import")

    users, artists, plays = _columns(pairs / TRAIN)
    held_out = _columns(pairs / HELD_OUT)
    user_ids, rows = np.unique(users, return_inverse=True)
    artist_ids, columns = np.unique(artists, return_inverse=True)
    shape = (len(user_ids), len(artist_ids))
    counts = sps.coo_array((plays.astype(np.float32), (rows, columns)), shape=shape).tocsr()
    del users, artists, plays, rows, columns
    matrix = ListeningMatrix(counts, user_ids, artist_ids)
    stages.done("read")

    config = AlsConfig(
        bm25_k1=BM25_K1,
        bm25_b=BM25_B,
        intensity=0.0,
        factors=FACTORS,
        regularization=REGULARIZATION,
        alpha=ALPHA,
        fits=1,
        iterations=ITERATIONS,
    )
    model = train("als", matrix, config, side=SideTables.none(), seed=SEED)
    stages.done("fit")

    ranked = model.rank(np.arange(len(user_ids)), n=CUTOFF, leave_out=matrix.plays)
    stages.done("rank")

    wanted, columns = matrix.rows_of(held_out[0]), matrix.columns_of(held_out[1])
    sizes = np.bincount(wanted, minlength=len(user_ids))
    inside = columns >= 0
    hits = hits_in_lists(ranked.artists, wanted[inside], columns[inside], len(artist_ids))
    per_user = metrics_per_user(hits, sizes, CUTOFF)
    figures = {f"{name}@10": np.nanmean(per_user[name]) for name in ("precision", "recall", "ndcg")}
    stages.done("metrics")

    listed = np.where(ranked.artists >= 0, artist_ids[ranked.artists], -1)
    np.save(out, np.column_stack([matrix.user_ids, listed]))
    stages.done("write")
    stages.report(figures, ("lastfm-assets", "implicit", "scipy", "numpy"))


def _columns(file: Path) -> np.ndarray:
    """(columns, rows) of a CSV of whole numbers."""
    return np.loadtxt(file, delimiter=",", skiprows=1, dtype=np.int32, unpack=True)


if __name__ == "__main__":
    main()
