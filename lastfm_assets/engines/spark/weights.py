"""How much a listened pair counts, as `listening.weighting` has it, as a column of pairs."""

from typing import TYPE_CHECKING

from lastfm_assets.listening.weighting import Weighting
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def weighted(
    pairs: "DataFrame", weighting: Weighting | None = None, *, fitted_on: "DataFrame | None" = None
) -> "DataFrame":
    """Pairs with their weight.

    Args:
        pairs: `user_id, artist_id, plays`, one row a pair, plays >= 1.
        weighting: scheme and parameters; BM25 on presence by default.
        fitted_on: pairs of which users, listeners and the mean length are counted; `pairs` by
            default. It must hold no pair that is to be judged on.

    Returns:
        The same with `weight`, float >= 0; of an artist whom `fitted_on` does not know, that of
        one nobody plays. Equal to the local ones but for the last bit of a logarithm.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    weighting = weighting or Weighting()
    weight = _by_scheme(weighting)
    if weighting.scheme in ("bm25", "bm25_plays"):
        pairs = _with_statistics(pairs, fitted_on or pairs, weighting)
    if weighting.intensity:
        pairs = _with_mean_loudness(pairs)
        loudness = f.log1p(Columns.PLAYS) / f.col("_loudness")
        weight = weight * f.pow(loudness, f.lit(weighting.intensity))
    columns = [Columns.USER, Columns.ARTIST, Columns.PLAYS]
    return pairs.select(*columns, weight.cast("float").alias("weight"))


def _counts(weighting: Weighting) -> "Column":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    presence = weighting.scheme in ("binary", "bm25")
    return f.lit(1.0) if presence else f.col(Columns.PLAYS).cast("double")


def _by_scheme(weighting: Weighting) -> "Column":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    counts = _counts(weighting)
    if weighting.scheme == "log":
        return f.log1p(Columns.PLAYS).cast("float")
    if weighting.scheme in ("plays", "binary"):
        return counts.cast("float")
    k1, b = weighting.k1, weighting.b
    norm = f.lit(1.0 - b) + f.lit(b) * f.col("_length") / f.greatest(f.col("_mean"), f.lit(1e-12))
    saturated = counts * f.lit(k1 + 1.0) / (counts + f.lit(k1) * norm)
    return (f.col("_rarity") * saturated).cast("float")


def _with_statistics(
    pairs: "DataFrame", fitted_on: "DataFrame", weighting: Weighting
) -> "DataFrame":
    """Pairs beside `_rarity` of the artist, `_length` of the user and the `_mean` length."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    counts = _counts(weighting)
    users = fitted_on.groupBy(Columns.USER).agg(f.sum(counts).alias("_length"))
    row = users.agg(f.count(f.lit(1)), f.sum("_length")).first()
    n_users, total = (row[0], row[1] or 0.0) if row else (0, 0.0)
    listeners = fitted_on.groupBy(Columns.ARTIST).agg(f.count(f.lit(1)).alias("_listeners"))
    heard = f.coalesce(f.col("_listeners"), f.lit(0))
    rarity = f.log(f.greatest(f.lit(float(n_users)) / (f.lit(1.0) + heard), f.lit(1.0)))
    lengths = pairs.groupBy(Columns.USER).agg(f.sum(counts).alias("_length"))
    joined = pairs.join(lengths, Columns.USER).join(listeners, Columns.ARTIST, "left")
    mean = f.lit(float(total) / max(n_users, 1))
    return joined.withColumn("_rarity", rarity).withColumn("_mean", mean)


def _with_mean_loudness(pairs: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    mean = f.sum(f.log1p(Columns.PLAYS)) / f.count(f.lit(1))
    means = pairs.groupBy(Columns.USER).agg(mean.alias("_loudness"))
    return pairs.join(means, Columns.USER)
