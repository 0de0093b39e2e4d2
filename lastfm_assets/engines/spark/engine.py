"""The Spark engine as Dagster uses it: one session a process, opened by whoever needs it first."""

import atexit
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import dagster as dg
import pandas as pd
from upath import UPath

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import PREVIEW_ROWS, table_metadata
from lastfm_assets.automation.resources import StoreIOManager
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.session import TIMEOUT, spark_session
from lastfm_assets.engines.spark.tables import SparkTables
from lastfm_assets.errors import EngineUnavailableError
from lastfm_assets.formats import Stored
from lastfm_assets.io import Key, Stamp, Store
from lastfm_assets.provenance import Origin

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True, slots=True)
class SparkTable:
    """A table where Spark has it, as assets hand it on; a stored one of a key is read as such."""

    frame: "DataFrame"
    types: Mapping[str, str] = field(default_factory=dict)
    """See `SparkTables.write`."""


TABLE: Final = dg.DagsterType(
    type_check_fn=lambda _, value: isinstance(value, SparkTable | pd.DataFrame),
    name="Table",
    typing_type=pd.DataFrame,  # as which the store is asked for it
    description="Rows that Spark's workers hold, or a small table; in the store both are one kind.",
)
"""Of an asset that the Spark engine makes."""


class SparkEngine:
    """Settings of a cluster, and the session with it once somebody has asked for it."""

    def __init__(
        self,
        store: Store,
        *,
        master: str | None = None,
        conf: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Opens nothing yet; see `session.spark_session` for the arguments."""
        self._store = store
        self._how: dict[str, Any] = {"master": master, "conf": conf, "timeout": timeout}
        self._opened = contextlib.ExitStack()
        self._tables: SparkTables | None = None
        self._refused_until = 0.0
        self._refusal = ""

    @property
    def tables(self) -> SparkTables:
        """The store as Spark sees it; opens a session where there is none that works.

        A cluster that did not answer is not asked again for as long as it was waited for: steps
        of a run that need it fail one after the other, without a wait for each.

        Raises:
            BadInputError, EngineUnavailableError: see `session.spark_session`.
        """
        if self._tables is not None and not _works(self._tables):
            self.close()  # a killed driver: whoever tries again gets another
        if self._tables is None:
            self._tables = SparkTables(self._store, self._session())
            atexit.register(self.close)
        return self._tables

    def _session(self) -> "SparkSession":
        if time.monotonic() < self._refused_until:
            raise EngineUnavailableError(self._refusal)
        try:
            return self._opened.enter_context(spark_session(**self._how))
        except EngineUnavailableError as problem:
            self._refused_until = time.monotonic() + float(self._how["timeout"])
            self._refusal = str(problem)
            raise

    def close(self) -> None:
        """Ends the session, if there is one."""
        atexit.unregister(self.close)
        self._tables = None
        self._opened.close()


def _works(tables: SparkTables) -> bool:
    try:
        context: Any = tables.spark.sparkContext
        return not context._jsc.sc().isStopped()  # noqa: SLF001 (pyspark has no other way)
    except Exception:  # noqa: BLE001 (whatever it is, the driver does not answer)
        return False


class SparkStore(Store):
    """The store, which also takes and gives tables that Spark has."""

    def __init__(self, location: str, engine: SparkEngine) -> None:
        super().__init__(location)
        self.engine = engine

    def write(
        self, key: Key, value: Any, *, source: str, origin: Origin | None = None
    ) -> tuple[UPath, Stamp]:
        """As `Store.write`; a `SparkTable` is written by Spark's workers."""
        if not isinstance(value, SparkTable):
            return super().write(key, value, source=source, origin=origin)
        stamp = self.engine.tables.write(
            key, value.frame, source=source, origin=origin, types=value.types
        )
        return self.folder(key), stamp

    def read_with_stamp(self, key: Key, kind: type[Stored]) -> tuple[Stored, Stamp]:
        """As `Store.read_with_stamp`; a `SparkTable` is read when it is worked with."""
        if kind is not cast("Any", SparkTable):
            return super().read_with_stamp(key, kind)
        stamp = self.stamp(key, pd.DataFrame)
        return cast("Any", SparkTable(self.engine.tables.read(key))), stamp


class SparkIOManager(StoreIOManager):
    """As the local one; tables of Spark are shown by their counts and first rows."""

    def __init__(self, store: SparkStore, settings: Mapping[str, Any]) -> None:
        super().__init__(store, settings)
        self._engine = store.engine

    @fails_clearly
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Replaces the stored value in one step."""
        if not isinstance(obj, SparkTable):
            super().handle_output(context, obj)
            return
        asset = context.asset_key
        with clear_spark_errors(f"making {asset.to_user_string()}"):
            super().handle_output(context, obj)
            first = _first_rows(self._engine.tables.read(asset.path))
        shown = table_metadata(first)
        shown["dagster/row_count"] = self._engine.tables.rows(asset.path)
        context.add_output_metadata(shown)


def _first_rows(frame: "DataFrame") -> pd.DataFrame:
    return cast("pd.DataFrame", frame.limit(PREVIEW_ROWS).toArrow().to_pandas())
