"""ALS by Spark's MLlib in one JVM on two cores.

MLlib cannot leave played artists out of `recommendForAllUsers`, so every user gets as many more as
99 in 100 users play at most, and their own are taken out afterwards. Its confidence is 1 + weight,
and its regularisation grows with a user's or an artist's pairs.
"""

from pyspark.ml.evaluation import RankingEvaluator
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 (as everybody writes it)
from stages import (
    ALPHA,
    BM25_B,
    BM25_K1,
    CUTOFF,
    FACTORS,
    HELD_OUT,
    ITERATIONS,
    SEED,
    TRAIN,
    Stages,
    job,
)

REGULARIZATION = 0.05
"""Times a user's pairs, of which HetRec has some forty: about that of the others."""
OVER_FETCH = 0.99
CORES = 2
MEMORY = "8g"


def weighted(pairs: DataFrame) -> DataFrame:
    """The pairs with BM25 of presence."""
    n_pairs = pairs.count()
    n_users = pairs.select("user_id").distinct().count()
    lengths = pairs.groupBy("user_id").agg(F.count("*").alias("length"))
    listeners = pairs.groupBy("artist_id").agg(F.count("*").alias("listeners"))
    norm = 1 - BM25_B + BM25_B * F.col("length") / (n_pairs / n_users)
    rarity = F.log(F.lit(float(n_users)) / (1 + F.col("listeners")))
    weight = (rarity * (BM25_K1 + 1) / (1 + BM25_K1 * norm)).cast("float")
    joined = pairs.join(lengths, "user_id").join(listeners, "artist_id")
    return joined.select("user_id", "artist_id", weight.alias("weight"))


def without_played(lists: DataFrame, train: DataFrame) -> DataFrame:
    """`user_id, artist_id, rank`: the best ten that a user has not played."""
    flat = lists.select("user_id", F.explode("recommendations").alias("one")).select(
        "user_id", F.col("one.artist_id").alias("artist_id"), F.col("one.rating").alias("score")
    )
    left = flat.join(train, ["user_id", "artist_id"], "left_anti")
    by_user = Window.partitionBy("user_id").orderBy(F.desc("score"), "artist_id")
    ranked = left.withColumn("rank", F.row_number().over(by_user))
    return ranked.where(F.col("rank") <= CUTOFF).select("user_id", "artist_id", "rank")


def main() -> None:
    """See the module."""
    stages = Stages()
    pairs, out = job()
    spark = (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.driver.memory", MEMORY)
        .config("spark.sql.shuffle.partitions", 4 * CORES)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    stages.done("import")

    train = spark.read.csv(
        str(pairs / TRAIN), header=True, schema="user_id INT, artist_id INT, plays INT"
    ).select("user_id", "artist_id")
    held_out = spark.read.csv(
        str(pairs / HELD_OUT), header=True, schema="user_id INT, artist_id INT"
    )
    weights = weighted(train).cache()
    longest = weights.groupBy("user_id").count().approxQuantile("count", [OVER_FETCH], 0.001)
    stages.done("read")

    model = ALS(
        rank=FACTORS,
        maxIter=ITERATIONS,
        regParam=REGULARIZATION,
        alpha=ALPHA,
        implicitPrefs=True,
        userCol="user_id",
        itemCol="artist_id",
        ratingCol="weight",
        seed=SEED,
    ).fit(weights)
    stages.done("fit")

    n = CUTOFF + int(longest[0])
    lists = without_played(model.recommendForAllUsers(n), train).cache()
    lists.count()
    stages.done("rank")

    listed = lists.groupBy("user_id").agg(
        F.expr(
            "transform(array_sort(collect_list(struct(rank, artist_id))),"
            " one -> double(one.artist_id))"
        ).alias("prediction")
    )
    wanted = held_out.groupBy("user_id").agg(
        F.collect_list(F.col("artist_id").cast("double")).alias("label")
    )
    both = (
        wanted.join(listed, "user_id", "left")
        .withColumn("prediction", F.coalesce("prediction", F.array().cast("array<double>")))
        .cache()
    )
    figures = {
        f"{name}@10": RankingEvaluator(metricName=metric, k=CUTOFF).evaluate(both)
        for name, metric in (
            ("precision", "precisionAtK"),
            ("recall", "recallAtK"),
            ("ndcg", "ndcgAtK"),
        )
    }
    stages.done("metrics")

    lists.write.csv(str(out), mode="overwrite")
    spark.stop()
    stages.done("write")
    stages.report(figures, ("pyspark", "numpy"))


if __name__ == "__main__":
    main()
