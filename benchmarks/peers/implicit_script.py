"""ALS by `implicit` alone, with pandas for the files, as its tutorial goes about it."""

import numpy as np
import pandas as pd
import scipy.sparse as sps
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import bm25_weight
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
from threadpoolctl import threadpool_limits


def main() -> None:
    """See the module."""
    stages = Stages()
    pairs, out = job()
    stages.done("import")

    train = pd.read_csv(pairs / TRAIN)
    held_out = pd.read_csv(pairs / HELD_OUT)
    users, artists = (train[name].astype("category") for name in ("user_id", "artist_id"))
    presence = np.ones(len(train), dtype=np.float32)
    shape = (len(users.cat.categories), len(artists.cat.categories))
    plays = sps.csr_matrix((presence, (users.cat.codes, artists.cat.codes)), shape=shape)
    stages.done("read")

    weights = bm25_weight(plays, K1=BM25_K1, B=BM25_B).tocsr()
    with threadpool_limits(1, "blas"):  # as implicit's warning asks for
        model = AlternatingLeastSquares(
            factors=FACTORS,
            regularization=REGULARIZATION,
            alpha=ALPHA,
            iterations=ITERATIONS,
            random_state=SEED,
        )
        model.fit(weights, show_progress=False)
        stages.done("fit")
        ids, _ = model.recommend(np.arange(shape[0]), weights, N=CUTOFF)
    lists = np.where(ids >= 0, artists.cat.categories.to_numpy()[ids], -1)
    stages.done("rank")

    # implicit's own precision divides by min(k, held out); hits are counted here as LightFM does
    user_ids = users.cat.categories.to_numpy()
    wanted = held_out[held_out["user_id"].isin(user_ids)]
    rows = np.searchsorted(user_ids, wanted["user_id"])
    base = int(max(lists.max(), wanted["artist_id"].max())) + 1
    hit = np.isin(
        np.arange(len(lists))[:, None] * base + lists, rows * base + wanted["artist_id"].to_numpy()
    ) & (lists >= 0)
    sizes = np.bincount(rows, minlength=len(lists))
    judged = sizes > 0
    discount = 1 / np.log2(np.arange(CUTOFF) + 2)
    ideal = discount.cumsum()[np.minimum(sizes[judged], CUTOFF) - 1]
    figures = {
        "precision@10": hit[judged].mean(),
        "recall@10": (hit[judged].sum(axis=1) / sizes[judged]).mean(),
        "ndcg@10": (hit[judged] @ discount / ideal).mean(),
    }
    stages.done("metrics")

    np.save(out, np.column_stack([user_ids, lists]))
    stages.done("write")
    stages.report(figures, ("implicit", "pandas", "scipy", "numpy"))


if __name__ == "__main__":
    main()
