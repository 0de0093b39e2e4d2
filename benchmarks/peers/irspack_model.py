"""ALS by irspack, with its own id mapping, ranking and evaluator.

Its loss is `implicit`'s with confidence 1 + weight where `implicit` has the weight alone.
"""

import numpy as np
import pandas as pd
from irspack import Evaluator, IALSRecommender
from irspack.utils import df_to_sparse
from irspack.utils.id_mapping import IDMapper
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

USERS_AT_ONCE = 1_000
"""Scores of as many users are dense at a time: irspack would hold all of them."""


def weighted(presence):  # noqa: ANN001, ANN201 (a scipy matrix of whatever kind irspack makes)
    """BM25 of presence for each pair."""
    matrix = presence.tocsr().astype(np.float64)
    n_users, n_artists = matrix.shape
    length = np.diff(matrix.indptr)
    listeners = np.bincount(matrix.indices, minlength=n_artists)
    norm = 1 - BM25_B + BM25_B * length / length.mean()
    saturated = np.repeat((BM25_K1 + 1) / (1 + BM25_K1 * norm), length)
    matrix.data = np.log(n_users / (1 + listeners))[matrix.indices] * saturated
    return matrix


def main() -> None:
    """See the module."""
    stages = Stages()
    pairs, out = job()
    stages.done("import")

    train = pd.read_csv(pairs / TRAIN)
    held_out = pd.read_csv(pairs / HELD_OUT)
    plays, users, artists = df_to_sparse(train, "user_id", "artist_id")
    known = held_out[held_out["user_id"].isin(users) & held_out["artist_id"].isin(artists)]
    wanted, _, _ = df_to_sparse(known, "user_id", "artist_id", user_ids=users, item_ids=artists)
    stages.done("read")

    model = IALSRecommender(
        weighted(plays) * ALPHA,
        n_components=FACTORS,
        alpha0=1.0,
        reg=REGULARIZATION,
        nu=0.0,
        loss_type="ORIGINAL",
        train_epochs=ITERATIONS,
        random_seed=SEED,
    ).learn()
    stages.done("fit")

    ids = list(users)
    mapper = IDMapper(ids, list(artists))
    lists = []
    for start in range(0, len(ids), USERS_AT_ONCE):
        some = ids[start : start + USERS_AT_ONCE]
        lists += mapper.recommend_for_known_user_batch(model, some, cutoff=CUTOFF)
    stages.done("rank")

    said = Evaluator(wanted, cutoff=CUTOFF).get_score(model)
    figures = {f"{name}@10": said[name] for name in ("precision", "recall", "ndcg")}
    stages.done("metrics")

    table = np.full((len(ids), CUTOFF), -1, dtype=np.int64)
    for row, own in enumerate(lists):
        table[row, : len(own)] = [artist for artist, _ in own]
    np.save(out, np.column_stack([np.asarray(users), table]))
    stages.done("write")
    stages.report(figures, ("irspack", "pandas", "scipy", "numpy"))


if __name__ == "__main__":
    main()
