"""ALS by LensKit: a top-n pipeline, its batch recommender and its run analysis.

Its loss is `implicit`'s with confidence 1 + weight where `implicit` has the weight alone.
"""

import numpy as np
import pandas as pd
from lenskit.als import ImplicitMFConfig, ImplicitMFScorer
from lenskit.batch import recommend
from lenskit.data import ItemListCollection, from_interactions_df
from lenskit.metrics import NDCG, Precision, Recall, RunAnalysis
from lenskit.pipeline import topn_pipeline
from lenskit.training import TrainingOptions
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


def weighted(pairs: pd.DataFrame) -> pd.Series:
    """BM25 of presence for each pair."""
    listeners = pairs.groupby("item_id")["item_id"].transform("size")
    length = pairs.groupby("user_id")["user_id"].transform("size")
    n_users = pairs["user_id"].nunique()
    norm = 1 - BM25_B + BM25_B * length / (len(pairs) / n_users)
    return np.log(n_users / (1 + listeners)) * (BM25_K1 + 1) / (1 + BM25_K1 * norm)


def main() -> None:
    """See the module."""
    stages = Stages()
    pairs, out = job()
    stages.done("import")

    train = pd.read_csv(pairs / TRAIN).rename(columns={"artist_id": "item_id"})
    held_out = pd.read_csv(pairs / HELD_OUT).rename(columns={"artist_id": "item_id"})
    users = train["user_id"].unique()
    train["rating"] = weighted(train)
    dataset = from_interactions_df(train.drop(columns="plays"))
    wanted = ItemListCollection.from_df(held_out, ["user_id"])
    stages.done("read")

    config = ImplicitMFConfig(
        embedding_size=FACTORS,
        epochs=ITERATIONS,
        regularization=REGULARIZATION,
        weight=ALPHA,
        use_ratings=True,
        user_embeddings="prefer",
    )
    pipeline = topn_pipeline(ImplicitMFScorer(config), n=CUTOFF)
    pipeline.train(dataset, TrainingOptions(rng=SEED))
    stages.done("fit")

    lists = recommend(pipeline, users.tolist(), n=CUTOFF)
    stages.done("rank")

    analysis = RunAnalysis(Precision(CUTOFF), Recall(CUTOFF), NDCG(CUTOFF))
    said = analysis.measure(lists, wanted).list_summary()["mean"]
    figures = {f"{name.lower()}@10": said[f"{name}@10"] for name in ("Precision", "Recall", "NDCG")}
    stages.done("metrics")

    table = np.full((len(lists), CUTOFF + 1), -1, dtype=np.int64)
    for row, (key, own) in enumerate(lists):
        table[row, 0] = key.user_id
        table[row, 1 : len(own) + 1] = own.ids()
    np.save(out, table)
    stages.done("write")
    stages.report(figures, ("lenskit", "torch", "pandas", "scipy", "numpy"))


if __name__ == "__main__":
    main()
