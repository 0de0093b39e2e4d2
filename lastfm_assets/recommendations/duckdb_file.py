"""A DuckDB file for services on the same machine, replaced as a whole."""

import contextlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from lastfm_assets.durable import beside, sync
from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.recommendations.serving import (
    LAYOUT,
    PUBLICATION,
    SCHEMA,
    TABLES,
    Served,
    ServingTables,
    create_statements,
)
from lastfm_assets.sources.hetrec import one_line

_CLOSED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
}
"""A connection that reaches neither the network nor any other file."""
_OWN: Final = "system.main"
"""Where DuckDB's own functions are, whose names a file may give to macros of its own."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DamagedFileError(StoreError):
    """The tables are ours, but not all of them can be read."""


class DuckDBFile:
    """The serving database as one file.

    A fresh file is built beside it and renamed over it: who has the old one open goes on reading
    it, and who opens it next gets the next one.
    """

    def __init__(self, path: Path, *, is_ours: bool = False) -> None:
        """Nothing is opened yet.

        Args:
            path: of the file.
            is_ours: whether it can be nobody else's, so that one that cannot be read is replaced.
        """
        self.path = path.absolute()
        self._is_ours = is_ours

    @property
    def shown(self) -> str:
        """`duckdb:///path/of/the/file`."""
        return f"duckdb://{self.path}"

    def publish(self, tables: ServingTables, about: Served) -> bool:
        """Builds the file anew unless it holds exactly this; see `ServingDatabase.publish`."""
        if self._held() == about:
            return False
        with self._clear_errors("written"), beside(self.path) as folder:
            partial = folder / self.path.name
            _build(partial, tables, about)
            sync(partial)
            # changes that somebody left beside the old file do not belong to the next one
            self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)
            partial.replace(self.path)
            sync(self.path.parent)
        return True

    def served(self) -> Served | None:
        """What the file holds; see `ServingDatabase.served`."""
        if not self.path.exists():
            return None
        with self._clear_errors("read"), beside(self.path) as folder:
            copy = folder / self.path.name
            # a copy: the file itself may be locked, by a service that opened it to write
            shutil.copyfile(self.path, copy)
            try:
                with duckdb.connect(copy, read_only=True, config=_CLOSED) as database:
                    return self._said_by(database)
            except duckdb.Error as problem:
                reason = one_line(str(problem).replace(str(copy), str(self.path)))
        raise StoreError(
            f"{self.path}: not readable as a DuckDB file ({reason}); remove it, or name another "
            "in LASTFM_PUBLISH_URL"
        )

    def _held(self) -> Served | None:
        """As `served`, None where the file has to be built anew as it is damaged."""
        try:
            return self.served()
        except DamagedFileError:
            return None
        except StoreError:
            if self._is_ours and self.path.is_file():
                return None
            raise

    def _said_by(self, database: duckdb.DuckDBPyConnection) -> Served | None:
        found = database.execute(
            f"SELECT schema_name, table_name FROM {_OWN}.duckdb_tables()"  # noqa: S608 (our own names)
        ).fetchall()
        if (SCHEMA, PUBLICATION) not in found or any(schema != SCHEMA for schema, _ in found):
            raise BadInputError(
                f"{self.path}: a DuckDB file with other tables than ours, which would be lost; "
                "name another file in LASTFM_PUBLISH_URL"
            )
        if tuple(_columns(database, PUBLICATION)) != TABLES[-1].columns:
            return None
        self._look_through(database, {name for _, name in found})
        said = f"layout, version, content, tables, model, source, {_OWN}.epoch_us(published_at)"
        rows = database.execute(f"SELECT {said} FROM {SCHEMA}.{PUBLICATION}").fetchall()  # noqa: S608 (our own names)
        if len(rows) != 1 or rows[0][0] != LAYOUT:
            return None
        _, version, content, hashed, model, source, moment = rows[0]
        try:
            at = _EPOCH + timedelta(microseconds=moment)
        except (OverflowError, TypeError):  # DuckDB knows years beyond 9999, infinity and NULL
            raise self._damaged(f"no date in {PUBLICATION}.published_at") from None
        return Served(version, content, hashed, model, source, at)

    def _look_through(self, database: duckdb.DuckDBPyConnection, tables: set[str]) -> None:
        """Has DuckDB hold every block of our tables against its checksum.

        A view in the place of a table, and a column that is computed, are not asked: whoever wrote
        the file says what they do.
        """
        hashed = f"SELECT {_OWN}.bit_xor({_OWN}.hash(t)) FROM"
        try:
            for table in TABLES:
                if table.name not in tables:
                    raise self._damaged(f"no table {table.name}")
                if any(_columns(database, table.name).values()):
                    raise self._damaged(f"{table.name} has a column that is computed")
                database.execute(f"{hashed} {SCHEMA}.{table.name} t").fetchall()
        except duckdb.Error as problem:
            raise self._damaged(one_line(problem)) from None

    def _damaged(self, how: str) -> DamagedFileError:
        return DamagedFileError(f"{self.path}: damaged ({how}); run `lastfm-assets refresh`")

    @contextlib.contextmanager
    def _clear_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, duckdb.Error) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else problem
            raise StoreError(
                f"{self.path}: cannot be {what} ({one_line(reason or problem)}); see to the folder "
                "or name another file in LASTFM_PUBLISH_URL"
            ) from None


def _columns(database: duckdb.DuckDBPyConnection, table: str) -> dict[str, str | None]:
    """Columns of a table of ours in order, each with what it is computed by, if it is."""
    asked = f"SELECT name, dflt_value FROM {_OWN}.pragma_table_info('{SCHEMA}.{table}')"  # noqa: S608 (our own names)
    return dict(database.execute(asked).fetchall())


def _build(path: Path, tables: ServingTables, about: Served) -> None:
    with duckdb.connect(path, config=_CLOSED) as database:
        database.execute("BEGIN")
        database.execute(f"CREATE SCHEMA {SCHEMA}")
        for statement in create_statements():
            database.execute(statement)
        for name, frame in tables.one_by_one():
            database.register("incoming", pa.Table.from_pandas(frame, preserve_index=False))
            columns = ", ".join(frame.columns)
            database.execute(f"INSERT INTO {SCHEMA}.{name} SELECT {columns} FROM incoming")  # noqa: S608 (our own names)
            database.unregister("incoming")
        places = ", ".join("?" for _ in TABLES[-1].columns)
        database.execute(f"INSERT INTO {SCHEMA}.{PUBLICATION} VALUES ({places})", about.row())  # noqa: S608 (our own names)
        database.execute("COMMIT")
        database.execute("CHECKPOINT")
