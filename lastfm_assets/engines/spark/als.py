r"""Implicit ALS by Spark's MLlib, with the parameters of the local model.

The local model (`models.als`) minimises

.. math:: \sum_{u, a} c_{ua} (p_{ua} - x_u^\top v_a)^2
          + \lambda \Big(\sum_u \lVert x_u\rVert^2 + \sum_a \lVert v_a\rVert^2\Big)

with c = alpha w and p = 1 for a listened pair, c = 1 and p = 0 for any other. MLlib has
c = 1 + alpha' r for a pair of rating r > 0, and multiplies the penalty of a vector by the number
of ratings of its user or artist (Zhou et al., 2008). Hence

============ ======================================================================================
confidence   alpha' = 1 and r = alpha w - 1, so that c = alpha w. Where alpha w is below 1 (an
             artist whom nearly everybody plays: 1.3% of HetRec's pairs at our parameters), MLlib
             cannot say so: r is the smallest positive number, c = 1, p = 1
penalty      :math:`\lambda' = \lambda / m` with m = `PAIRS_OF_A_ROW`; the two penalties differ in
             shape, heavier here for whom or what has more than m pairs, so no value makes the
             models equal
fits         as locally: vectors of several seeds laid end to end, the users' divided by the number
solver       MLlib solves each vector exactly (Cholesky), `implicit` by three conjugate gradients
============ ======================================================================================
"""

import json
from typing import TYPE_CHECKING, Final

from lastfm_assets.engines.spark.content import POSITION, content_of, numbered
from lastfm_assets.engines.spark.fitted import LISTENED, LISTENERS, RATING, VECTOR, SparkModel
from lastfm_assets.engines.spark.folders import forget
from lastfm_assets.models.als import Als, AlsConfig
from lastfm_assets.models.popularity import Popularity, PopularityConfig
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.ml.recommendation import ALSModel
    from pyspark.sql import Column, DataFrame

PAIRS_OF_A_ROW: Final = 236.0
"""m above, by the best validation ndcg@10 on HetRec with 64 factors and 15 rounds among six values:
MLlib's penalty of .05, .07, .10, .14, .20 and .35 reaches .1687, .1696, .1691, .1674, .1640 and
.1549, the local model .1718. At .07 held-out precision@10 is .2073, locally .2078."""
SMALLEST_RATING: Final = 1e-6
CHECKPOINT_EVERY: Final = 5
"""Rounds after which factors are written down, so that what they came from can be forgotten."""
_PAIRS_OF_A_BLOCK: Final = 500_000
_BLOCKS: Final = (2, 400)
_USERS_OF_A_FILE: Final = 20_000


def fit_als(
    pairs: "DataFrame", artists: "DataFrame", config: AlsConfig, *, seed: int, folder: str
) -> SparkModel:
    """Fits MLlib's ALS on weighted pairs.

    Nothing is collected. The result depends on pairs, parameters and seed, and on the number of
    executors only in the last digits of a float, as MLlib adds up in the order of arrival.

    Args:
        pairs: `user_id, artist_id, plays, weight`, one row a pair, weights >= 0 under
            `config.as_weighting()`.
        artists: `artist_id, artist_name`, the whole catalogue; artists without a pair get the
            zero vector, as locally.
        config: the local model's.
        seed: of the first fit; the others have those after it.
        folder: for the model's files, where driver and executors can write; what it holds goes.

    Returns:
        The model.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    spark = pairs.sparkSession
    catalogue = _catalogue(pairs, artists, folder)
    profiles = _profiles(_rated(pairs, config.alpha), catalogue, folder)
    ratings = profiles.select(
        f.col(POSITION).alias("user"), f.explode(f.arrays_zip(LISTENED, RATING)).alias("entry")
    ).select("user", f.col(f"entry.{LISTENED}").alias("artist"), f.col(f"entry.{RATING}"))
    regularization = config.regularization / PAIRS_OF_A_ROW
    spark.sparkContext.setCheckpointDir(f"{folder}/_checkpoints")
    users, vectors = profiles, catalogue
    n_pairs = ratings.count()
    for fit in range(config.fits):
        fitted = _fit(
            ratings, config, (seed + fit) % 2**31, regularization, blocks=_blocks(n_pairs)
        )
        users = _beside(users, fitted.userFactors, config.factors)
        vectors = _beside(vectors, fitted.itemFactors, config.factors)
    n_users = _write(users.drop(POSITION), f"{folder}/users", Columns.USER)
    n_artists = _write(vectors, f"{folder}/artists", POSITION)
    for name in ("_checkpoints", "_numbered_users", "_numbered_artists"):
        forget(spark, f"{folder}/{name}")
    return SparkModel(
        Als.name, config, seed, _data_of(pairs), folder, n_users, n_artists, regularization
    )


def fit_popularity(
    pairs: "DataFrame", artists: "DataFrame", *, seed: int, folder: str
) -> SparkModel:
    """Counts listeners, see `models.popularity`.

    Args:
        pairs: `user_id, artist_id, plays`, one row a pair.
        artists: `artist_id, artist_name`, the whole catalogue.
        seed: which decides nothing here.
        folder: as for `fit_als`.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    spark = pairs.sparkSession
    catalogue = _catalogue(pairs, artists, folder)
    profiles = _profiles(pairs.withColumn(RATING, f.lit(1.0).cast("float")), catalogue, folder)
    n_users = _write(profiles.drop(POSITION, RATING), f"{folder}/users", Columns.USER)
    n_artists = _write(catalogue, f"{folder}/artists", POSITION)
    for name in ("_numbered_users", "_numbered_artists"):
        forget(spark, f"{folder}/{name}")
    return SparkModel(
        Popularity.name, PopularityConfig(), seed, _data_of(pairs), folder, n_users, n_artists
    )


def _data_of(pairs: "DataFrame") -> str:
    """Hash of the pairs, as no other engine's."""
    content = content_of(pairs.select(Columns.USER, Columns.ARTIST, Columns.PLAYS))
    return json.dumps({"engine": "spark", "pairs": content})


def _rated(pairs: "DataFrame", alpha: float) -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    rating = f.greatest(f.col("weight") * alpha - 1.0, f.lit(SMALLEST_RATING)).cast("float")
    return pairs.withColumn(RATING, rating)


def _catalogue(pairs: "DataFrame", artists: "DataFrame", folder: str) -> "DataFrame":
    """`artist_id, artist_name, listeners, position`."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    counts = pairs.groupBy(Columns.ARTIST).agg(f.count(f.lit(1)).alias(LISTENERS))
    known = artists.select(Columns.ARTIST, Columns.NAME).join(counts, Columns.ARTIST, "left")
    known = known.withColumn(LISTENERS, f.coalesce(LISTENERS, f.lit(0).cast("bigint")))
    return numbered(known, Columns.ARTIST, f"{folder}/_numbered_artists")


def _profiles(pairs: "DataFrame", catalogue: "DataFrame", folder: str) -> "DataFrame":
    """`user_id, position, listened, rating`, a row a user, kept for the rounds."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    place = catalogue.select(Columns.ARTIST, f.col(POSITION).alias("artist"))
    entries = f.sort_array(f.collect_list(f.struct("artist", RATING)))
    grouped = pairs.join(place, Columns.ARTIST).groupBy(Columns.USER).agg(entries.alias("e"))
    grouped = grouped.select(
        Columns.USER, f.col("e.artist").alias(LISTENED), f.col(f"e.{RATING}").alias(RATING)
    )
    return numbered(grouped, Columns.USER, f"{folder}/_numbered_users")


def _blocks(n_pairs: int) -> int:
    """Blocks of users and of artists: by the data alone, as they decide the first vectors."""
    least, most = _BLOCKS
    return min(most, max(least, n_pairs // _PAIRS_OF_A_BLOCK))


def _fit(
    ratings: "DataFrame", config: AlsConfig, seed: int, regularization: float, *, blocks: int
) -> "ALSModel":
    from pyspark.ml.recommendation import ALS  # noqa: PLC0415 (an extra)

    return ALS(
        rank=config.factors,
        maxIter=config.iterations,
        regParam=regularization,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        implicitPrefs=True,
        alpha=1.0,
        userCol="user",
        itemCol="artist",
        ratingCol=RATING,
        seed=seed,
        checkpointInterval=CHECKPOINT_EVERY,
    ).fit(ratings)


def _beside(rows: "DataFrame", factors: "DataFrame", k: int) -> "DataFrame":
    """Rows with one fit's vectors behind those of the fits before it; zeros where there is none."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    found = factors.select(f.col("id").alias(POSITION), f.col("features").alias("_found"))
    vector: Column = f.coalesce("_found", f.array_repeat(f.lit(0.0).cast("float"), k))
    if VECTOR in rows.columns:
        vector = f.concat(VECTOR, vector)
    return rows.join(found, POSITION, "left").withColumn(VECTOR, vector).drop("_found")


def _write(rows: "DataFrame", place: str, order: str) -> int:
    """Writes rows in order, and says how many there are."""
    spark = rows.sparkSession
    rows.sort(order).write.mode("overwrite").option("maxRecordsPerFile", _USERS_OF_A_FILE).parquet(
        place
    )
    return int(spark.read.parquet(place).count())
