"""Tables that Spark reads from the store and writes to it; the driver sees names and figures."""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from upath import UPath

from lastfm_assets.commits import LOG
from lastfm_assets.engines.spark.content import content_of
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.written_parts import (
    counted,
    newest_in,
    replaced,
    rows_in,
)
from lastfm_assets.errors import BadInputError
from lastfm_assets.io import Key, Stamp, Store
from lastfm_assets.parts import STAMP, TYPES, opened, parts_of, remove
from lastfm_assets.provenance import Origin
from lastfm_assets.recommendations.delta import clear_errors, opened_or_cut_back, storage_options

if TYPE_CHECKING:
    from deltalake.transaction import AddAction
    from pyspark.sql import DataFrame, SparkSession

_HADOOP: Final = {"": "file", "file": "file", "s3": "s3a", "gs": "gs"}
"""What Hadoop calls the protocols that it, fsspec and delta-rs all speak."""
_STRAY: Final = timedelta(hours=6)
"""Age of parts in no version after which their writer is taken for dead."""
_NO_GLOB: Final = {"__globPaths__": "false"}


class SparkTables:
    """The store as Spark sees it: what one engine has written, the other reads by the same key."""

    def __init__(self, store: Store, spark: "SparkSession") -> None:
        """Raises BadInputError where Spark cannot reach such a store."""
        self.store = store
        self.spark = spark
        if store.root.protocol not in _HADOOP:
            raise BadInputError(
                f"store {store.root}: the Spark engine cannot reach {store.root.protocol}://; "
                "expected a folder that all workers share, s3:// or gs://"
            )
        self._options = storage_options(store.root)

    def has(self, key: Key) -> bool:
        """Whether there is such a table, whoever wrote it."""
        return self.store.has(key, pd.DataFrame)

    def stamp(self, key: Key) -> Stamp:
        """What a table says of itself; raises as `Store.stamp`."""
        return self.store.stamp(key, pd.DataFrame)

    def rows(self, key: Key) -> int:
        """How many rows a table has, by what its files say.

        Raises:
            StoreError: it is missing or damaged.
        """
        with self._clear(key, "read"):
            return sum(rows_in(path) for path in self._files(key))

    def read(self, key: Key) -> "DataFrame":
        """A table by its key, as it is now: a later write does not show in the frame.

        Text, numbers and `timestamp` in UTC, whichever engine has written it.

        Raises:
            StoreError: it is missing or damaged.
        """
        self.stamp(key)  # says what is missing, or of a newer format
        with self._clear(key, "read"), clear_spark_errors(f"reading {'/'.join(key)}"):
            reader = self.spark.read.options(**_NO_GLOB)
            single = self.store.path(key, pd.DataFrame)
            if single.exists():
                return _in_utc(reader.parquet(self.uri(single)))
            table = opened(self.store.folder(key))
            schema = _struct(table.schema().to_json())
            uris = [self.uri(path) for path in parts_of(self.store.folder(key), table)]
            if not uris:
                return self.spark.createDataFrame([], schema)
            return reader.schema(schema).parquet(*uris)

    def write(
        self,
        key: Key,
        frame: "DataFrame",
        *,
        source: str,
        origin: Origin | None = None,
        types: Mapping[str, str] | None = None,
    ) -> Stamp:
        """Replaces a table in one step, whatever happens: readers see the old one or the new one.

        Workers write files that nobody reads yet; then one commit names them, and what they
        replace is removed.

        Args:
            key: of the asset.
            frame: its rows; where their order matters, they must be ordered.
            source: name of the source that it was made from.
            origin: what determined it.
            types: what pandas is to keep a column as, where it is not as usual (`Int64`).

        Returns:
            What the table says of itself; its version depends on the rows, not on their order.

        Raises:
            StoreError: the store cannot be written to, or lies where workers do not reach it.
            EngineUnavailableError: Spark gave up.
        """
        place = self.store.folder(key)
        parts = place / f"parts-{uuid.uuid4().hex}"
        try:
            with clear_spark_errors(f"writing {'/'.join(key)}"):
                rows = self._write_parts(frame, parts)
                written = self.spark.read.options(**_NO_GLOB).schema(frame.schema)
                version = _version(written.parquet(self.uri(parts)))
            stamp = Stamp(source, version, origin or Origin(), key="/".join(key))
            with self._clear(key, "written"):
                adds = _adds(parts, rows)
                said = {STAMP: json.dumps(asdict(stamp)), TYPES: json.dumps(dict(types or {}))}
                self._commit(place, frame, adds, said)
        except BaseException:
            with contextlib.suppress(Exception):  # what stopped it is told, not this
                self._forget_unread(place, parts)
            raise
        with self._clear(key, "written"):
            self.store.path(key, pd.DataFrame).unlink(missing_ok=True)
            if not adds:  # a table without rows names no file
                remove(parts)
            self._tidy(place, parts)
        return stamp

    def uri(self, path: UPath) -> str:
        """A path of the store as Spark names it."""
        scheme = _HADOOP[path.protocol]
        return f"file://{path.absolute()}" if scheme == "file" else f"{scheme}://{path.path}"

    def _files(self, key: Key) -> list[UPath]:
        single = self.store.path(key, pd.DataFrame)
        if single.exists():
            return [single]
        return parts_of(self.store.folder(key), opened(self.store.folder(key)))

    def _write_parts(self, frame: "DataFrame", parts: UPath) -> int:
        """Has the workers write; gives the rows that they count."""
        from pyspark.sql import Observation  # noqa: PLC0415 (an extra)
        from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

        observed = Observation()
        told = frame.observe(observed, f.count(f.lit(1)).alias("rows"))
        told.write.parquet(self.uri(parts))
        return int(observed.get["rows"])

    def _commit(
        self, place: UPath, frame: "DataFrame", adds: list["AddAction"], said: dict[str, Any]
    ) -> None:
        from deltalake import Schema  # noqa: PLC0415 (heavy)

        from lastfm_assets.committing import commit  # noqa: PLC0415 (heavy)

        table = opened_or_cut_back(place, self._options)
        on = None if table is None else table.version()
        schema = Schema.from_json(_nullable(frame).json())
        commit(place, adds, schema, said, on=on, options=self._options)

    def _forget_unread(self, place: UPath, parts: UPath) -> None:
        """Removes what a failed write left, unless its commit went through."""
        named: set[str] = set()
        if (place / LOG).exists():
            named = {path.parent.name for path in parts_of(place, opened(place))}
        if parts.name not in named:
            remove(parts)

    def _tidy(self, place: UPath, parts: UPath) -> None:
        """Removes parts that the newest version does not name: of the one before, and strays."""
        before = replaced(place)
        horizon = time.time() - _STRAY.total_seconds()
        for folder in list(place.iterdir()):
            if folder.name in (LOG, parts.name) or not folder.is_dir():
                continue
            if folder.name in before or newest_in(folder) < horizon:
                remove(folder)
        with contextlib.suppress(OSError):
            if isinstance(parts, Path):
                for leftover in parts.glob(".*.crc"):  # Hadoop's, of no use to anybody here
                    leftover.unlink()

    @contextlib.contextmanager
    def _clear(self, key: Key, what: str) -> Iterator[None]:
        with clear_errors(self.store.folder(key), what):
            yield


def _version(frame: "DataFrame") -> str:
    """Hash of a table's rows, whatever their order; a missing value counts by its place."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    missing = [f.when(f.col(name).isNull(), "1").otherwise("0") for name in frame.columns]
    return content_of(frame.withColumn("_missing", f.concat(*missing)))


def _in_utc(frame: "DataFrame") -> "DataFrame":
    """Times that pandas wrote without a zone are UTC, as all of ours."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    columns = [
        f.col(name).cast("timestamp").alias(name) if kind == "timestamp_ntz" else f.col(name)
        for name, kind in frame.dtypes
    ]
    return frame.select(*columns)


def _nullable(frame: "DataFrame") -> Any:
    """The frame's schema as Parquet gives it back: everything may be missing."""
    from pyspark.sql.types import StructField, StructType  # noqa: PLC0415 (an extra)

    return StructType([StructField(field.name, field.dataType) for field in frame.schema.fields])


def _struct(delta_schema: str) -> Any:
    from pyspark.sql.types import StructType  # noqa: PLC0415 (an extra)

    return StructType.fromJson(json.loads(delta_schema))


def _adds(parts: UPath, rows: int) -> list["AddAction"]:
    """The files that workers have written.

    Raises:
        ValueError: they are not all there.
    """
    from lastfm_assets.committing import added  # noqa: PLC0415 (heavy)

    found = counted(parts, rows)
    return [added(path, f"{parts.name}/{path.name}", count) for path, count in found]
