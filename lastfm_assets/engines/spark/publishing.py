"""Publishing from Spark: workers write the lists where readers will look; one commit shows them."""

import uuid
from typing import TYPE_CHECKING, Final

from upath import UPath

from lastfm_assets.engines.spark.content import content_of
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.written_parts import counted
from lastfm_assets.parts import remove
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import About, Publication
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from deltalake.transaction import AddAction
    from pyspark.sql import DataFrame

    from lastfm_assets.engines.spark.tables import SparkTables

_GROUP_BYTES: Final = 4 * 2**20
"""Of a group of rows: who asks for one user reads one of them."""


def publish(tables: "SparkTables", lists: "DataFrame", about: About) -> Publication:
    """Puts lists in the place of those that readers see, as `PublishedLists.publish` does.

    Files are written into a folder of their own beside those that readers know, renamed into the
    table's, and named by one commit. Whoever is killed before leaves files in no version, which
    `PublishedLists.expire` removes in time.

    Args:
        tables: of the store to publish in.
        lists: `TOP_LIST` columns, as stored; they are read three times.
        about: what they were made by.

    Raises:
        StoreError: the store cannot be written to; readers see what they saw before.
        EngineUnavailableError: Spark gave up; readers see what they saw before.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    published = PublishedLists(tables.store.root)
    with clear_spark_errors("publishing lists"):
        sizes = lists.agg(f.count(f.lit(1)), f.count_distinct(Columns.USER)).first()
        rows, users = sizes or (0, 0)
        content = content_of(lists)

        def write() -> list["AddAction"]:
            return _write(tables, lists, published.place, rows=int(rows))

        return published.publish_parts(
            write, about, users=int(users), rows=int(rows), content=content
        )


def _write(
    tables: "SparkTables", lists: "DataFrame", place: UPath, *, rows: int
) -> list["AddAction"]:
    """Has the workers write, and moves their files to where the table keeps its own.

    Raises:
        ValueError: fewer rows are seen from here than there are.
    """
    name = uuid.uuid4().hex
    parts = place / f"parts-{name}"
    try:
        ordered = lists.sort(Columns.USER, Columns.RANK)
        ordered.write.option("parquet.block.size", _GROUP_BYTES).parquet(tables.uri(parts))
        return [
            _moved(path, place / f"part-{number:05}-{name}.parquet", count)
            for number, (path, count) in enumerate(counted(parts, rows))
        ]
    finally:
        remove(parts)


def _moved(path: UPath, new: UPath, rows: int) -> "AddAction":
    from lastfm_assets.committing import added  # noqa: PLC0415 (heavy)

    return added(path.rename(new), new.name, rows)
