"""Each artist's nearest, by who plays them, inside Spark: `item_knn`'s shrunk cosine.

Users are joined with themselves: every two artists of a user meet once, and products are summed
by pairs of artists. Locally sums are of float32 in the order of users, here of float64: figures
agree to about 1e-6, and two neighbours nearer to each other than that may change places.
"""

from typing import TYPE_CHECKING, Final

from lastfm_assets.models.item_knn import ItemKnnConfig
from lastfm_assets.recommendations.lists import LENGTH
from lastfm_assets.vocabulary import SIMILAR_LIST, Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOST_OF_A_USER: Final = 1000
"""Artists of one user that are compared with one another: the heaviest. Whoever plays more makes
as many pairs as a thousand usual users, and says less with each."""


def similar_artists(
    weighted: "DataFrame",
    artists: "DataFrame",
    *,
    n: int = LENGTH,
    most_of_a_user: int = MOST_OF_A_USER,
) -> "DataFrame":
    """The table of `recommendations.lists.similar_artists`.

    Args:
        weighted: `user_id, artist_id, weight` of all pairs, weights under
            `ItemKnnConfig().as_weighting()`.
        artists: `artist_id, artist_name`, the whole catalogue.
        n: neighbours at most.
        most_of_a_user: see `MOST_OF_A_USER`; where nobody plays more, the table is the local one.

    Returns:
        `SIMILAR_LIST` columns, made when they are written, ordered by artist and rank within
        each range of artists.
    """
    from pyspark.sql import Window  # noqa: PLC0415 (an extra)
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    norms = weighted.groupBy(Columns.ARTIST).agg(
        f.sqrt(f.sum(f.pow("weight", f.lit(2)))).alias("norm")
    )
    sums = _products(_capped(weighted, most_of_a_user))
    either = sums.union(sums.select(f.col("other").alias("one"), "one", "product", "common"))
    one, other = (
        norms.select(f.col(Columns.ARTIST).alias(name), f.col("norm").alias(f"norm_{name}"))
        for name in ("one", "other")
    )
    shrink = ItemKnnConfig().shrink
    cosine = f.col("product") / (f.col("norm_one") * f.col("norm_other") + shrink)
    near = either.join(one, "one").join(other, "other").withColumn("cosine", cosine.cast("float"))
    best = Window.partitionBy("one").orderBy(f.desc("cosine"), "other")
    ranked = near.filter("cosine > 0").withColumn(Columns.RANK, f.row_number().over(best))
    return _as_table(ranked.filter(f.col(Columns.RANK) <= n), artists)


def _capped(weighted: "DataFrame", most: int) -> "DataFrame":
    """Each user's heaviest pairs; nothing is sorted where nobody has more."""
    from pyspark.sql import Window  # noqa: PLC0415 (an extra)
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    pairs = weighted.select(Columns.USER, Columns.ARTIST, "weight")
    most_played = pairs.groupBy(Columns.USER).count().agg(f.max("count")).first()
    if most_played is None or (most_played[0] or 0) <= most:
        return pairs
    heaviest = Window.partitionBy(Columns.USER).orderBy(f.desc("weight"), Columns.ARTIST)
    return pairs.withColumn("_n", f.row_number().over(heaviest)).filter(f.col("_n") <= most)


def _products(pairs: "DataFrame") -> "DataFrame":
    """`one, other, product, common`, each two artists of a user once, the smaller id first."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    a = pairs.select(Columns.USER, f.col(Columns.ARTIST).alias("one"), f.col("weight").alias("a"))
    b = pairs.select(Columns.USER, f.col(Columns.ARTIST).alias("other"), f.col("weight").alias("b"))
    met = a.join(b, Columns.USER).filter(f.col("one") < f.col("other"))
    return met.groupBy("one", "other").agg(
        f.sum(f.col("a").cast("double") * f.col("b")).alias("product"),
        f.count(f.lit(1)).alias("common"),
    )


def _as_table(ranked: "DataFrame", artists: "DataFrame") -> "DataFrame":
    from pyspark.sql import Window  # noqa: PLC0415 (an extra)
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    of_one = Window.partitionBy("one")
    similarity = f.col("cosine").cast("double")
    low, width = f.min(similarity).over(of_one), f.max(similarity).over(of_one)
    scaled = f.when(width > low, (similarity - low) / (width - low)).otherwise(1.0)
    listeners = f.when(f.col("common") == 1, " listener in common").otherwise(
        " listeners in common"
    )
    to, of = (
        artists.select(f.col(Columns.ARTIST).alias(column), f.col(Columns.NAME).alias(name))
        for column, name in (("one", Columns.TO_NAME), ("other", Columns.NAME))
    )
    named = (
        ranked.withColumn(Columns.SCORE, scaled)
        .withColumn(Columns.SIMILARITY, similarity)
        .withColumn(Columns.BECAUSE, f.concat(f.col("common").cast("string"), listeners))
        .join(to, "one")
        .join(of, "other")
        .withColumnsRenamed({"one": Columns.TO_ARTIST, "other": Columns.ARTIST})
    )
    return named.select(*SIMILAR_LIST).sort(Columns.TO_ARTIST, Columns.RANK)
