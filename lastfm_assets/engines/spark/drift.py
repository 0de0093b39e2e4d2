"""What a refresh is compared by, counted inside Spark: only figures come to the driver."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.steps import TOP_ARTISTS
from lastfm_assets.errors import StoreError, may_be_read_later
from lastfm_assets.listening.profile import (
    ARTISTS_OF_A_USER,
    KEPT_BITS,
    MULTIPLIER,
    PLAYS_OF_A_PAIR,
    PRIME,
    SAMPLED,
    Integers,
    profile_of,
)
from lastfm_assets.parts import opened
from lastfm_assets.recommendations.delta import clear_errors
from lastfm_assets.recommendations.overlap import Overlap
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.reference import Compare
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import Column, DataFrame

    from lastfm_assets.engines.spark.tables import SparkTables
    from lastfm_assets.recommendations.versions import Version

_COUNT = "count"


def profile(pairs: "DataFrame") -> "pd.DataFrame":
    """The table that `listening.profile.profile` makes of the same pairs.

    Args:
        pairs: `user_id, artist_id, plays`, one row a pair, plays above 0.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    row = pairs.agg(
        f.count_distinct(Columns.USER),
        f.count_distinct(Columns.ARTIST),
        f.count(f.lit(1)),
        f.coalesce(f.sum(Columns.PLAYS), f.lit(0)),
    ).first()
    histograms = {
        PLAYS_OF_A_PAIR: _histogram(pairs, Columns.PLAYS),
        ARTISTS_OF_A_USER: _histogram(pairs.groupBy(Columns.USER).count(), _COUNT),
    }
    number = f.pmod(f.pmod(f.col(Columns.ARTIST), f.lit(PRIME)) * MULTIPLIER, f.lit(PRIME))
    artists = pairs.select(Columns.ARTIST).distinct().orderBy(number, Columns.ARTIST)
    sample = [int(one[0]) for one in artists.limit(SAMPLED).collect()]
    totals = tuple(int(figure) for figure in row or (0, 0, 0, 0))
    return profile_of(totals, histograms, np.array(sorted(sample), dtype=np.int64))


def _histogram(frame: "DataFrame", column: str) -> tuple[Integers, Integers]:
    """Where bins begin, and their counts, see `listening.profile.bin_of`."""
    counted = frame.groupBy(_bin_of(column).alias("bin")).count().collect()
    bins = np.array(sorted((int(one[0]), int(one[1])) for one in counted), dtype=np.int64)
    begins, counts = bins.reshape(-1, 2).T
    return begins, counts


def _bin_of(column: str) -> "Column":
    from pyspark.sql import functions as f  # noqa: PLC0415

    digits = f.length(f.bin(column)) - 1
    dropped = f.greatest(digits - KEPT_BITS, f.lit(0))
    kept = f.call_function("shiftright", f.col(column), dropped)
    return f.call_function("shiftleft", kept, dropped)


def overlap(before: "DataFrame", now: "DataFrame") -> Overlap:
    """What two sets of lists have in common, as `Overlap.of_lists` finds it.

    Args:
        before: `user_id, artist_id` of the lists before; no pair twice.
        now: the same of the lists now.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415

    def sizes(lists: "DataFrame", name: str) -> "DataFrame":
        return lists.groupBy(Columns.USER).agg(f.count(f.lit(1)).alias(name))

    both = before.join(now, [Columns.USER, Columns.ARTIST])
    names = ["shared", "was", "is_now"]
    of_users = sizes(before, "was").join(sizes(now, "is_now"), Columns.USER, "full")
    of_users = of_users.join(sizes(both, "shared"), Columns.USER, "left").na.fill(0, names)
    rows: list[Any] = of_users.groupBy(*names).count().collect()
    return Overlap.of_counts((int(a), int(b), int(c), int(users)) for a, b, c, users in rows)


def overlap_in(tables: "SparkTables") -> Compare:
    """Compares lists where the workers read them."""

    def compare(version: "Version") -> Overlap | None:
        del version  # the one that readers see, or none is whole
        try:
            if PublishedLists(tables.store.root).damage():
                return None
        except StoreError as problem:
            if may_be_read_later(problem):  # uncompared, whatever they are would pass
                raise
            return None  # damaged: they are published again, if those at hand are fit to be
        pair = [Columns.USER, Columns.ARTIST]
        lists = tables.read(TOP_ARTISTS).select(*pair)
        with clear_spark_errors("comparing lists with those that readers see"):
            return overlap(seen_by_readers(tables, lists.schema), lists)

    return compare


def seen_by_readers(tables: "SparkTables", schema: Any) -> "DataFrame":
    """Columns of the lists that readers see, where Spark has them.

    Args:
        tables: of the store.
        schema: of the columns.

    Raises:
        StoreError: nothing is published, or it cannot be read.
    """
    place = PublishedLists(tables.store.root).place
    with clear_errors(place, "read"):
        names = [uri.rpartition("/")[2] for uri in opened(place).file_uris()]
    if not names:
        return tables.spark.createDataFrame([], schema)
    parts = tables.spark.read.parquet(*(tables.uri(place / name) for name in names))
    return parts.select(*schema.names)
