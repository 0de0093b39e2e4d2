"""ALS by RecTools, which wraps `implicit` in tables of interactions and recommendations."""

import numpy as np
import pandas as pd
from implicit.als import AlternatingLeastSquares
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import NDCG, Precision, Recall, calc_metrics
from rectools.models import ImplicitALSWrapperModel
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


def weighted(pairs: pd.DataFrame) -> pd.Series:
    """BM25 of presence for each pair."""
    listeners = pairs.groupby(Columns.Item)[Columns.Item].transform("size")
    length = pairs.groupby(Columns.User)[Columns.User].transform("size")
    n_users = pairs[Columns.User].nunique()
    norm = 1 - BM25_B + BM25_B * length / (len(pairs) / n_users)
    return np.log(n_users / (1 + listeners)) * (BM25_K1 + 1) / (1 + BM25_K1 * norm)


def main() -> None:
    """See the module."""
    stages = Stages()
    pairs, out = job()
    stages.done("import")

    train = pd.read_csv(pairs / TRAIN).rename(columns={"artist_id": Columns.Item})
    held_out = pd.read_csv(pairs / HELD_OUT).rename(columns={"artist_id": Columns.Item})
    train[Columns.Weight] = weighted(train)
    train[Columns.Datetime] = "2000-01-01"  # obligatory, and not known
    dataset = Dataset.construct(train)
    stages.done("read")

    with threadpool_limits(1, "blas"):  # as implicit's warning asks for
        solver = AlternatingLeastSquares(
            factors=FACTORS,
            regularization=REGULARIZATION,
            alpha=ALPHA,
            iterations=ITERATIONS,
            random_state=SEED,
        )
        model = ImplicitALSWrapperModel(solver)
        model.fit(dataset)
        stages.done("fit")
        lists = model.recommend(
            train[Columns.User].unique(), dataset=dataset, k=CUTOFF, filter_viewed=True
        )
    stages.done("rank")

    metrics = {
        "precision@10": Precision(k=CUTOFF),
        "recall@10": Recall(k=CUTOFF),
        "ndcg@10": NDCG(k=CUTOFF, divide_by_achievable=True),
    }
    catalog = dataset.item_id_map.external_ids
    figures = calc_metrics(metrics, lists, interactions=held_out, catalog=catalog)
    stages.done("metrics")

    users, row = np.unique(lists[Columns.User], return_inverse=True)
    table = np.full((len(users), CUTOFF), -1, dtype=np.int64)
    table[row, lists[Columns.Rank] - 1] = lists[Columns.Item]
    np.save(out, np.column_stack([users, table]))
    stages.done("write")
    stages.report(figures, ("rectools", "pm-implicit", "pandas", "scipy", "numpy"))


if __name__ == "__main__":
    main()
