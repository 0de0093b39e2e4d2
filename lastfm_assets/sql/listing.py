"""Every table that SQL can ask, with its columns and a sentence on each."""

from collections.abc import Iterable
from typing import Final

import duckdb
import pandas as pd
import pyarrow as pa

from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.sql import relational, stored
from lastfm_assets.sql.stored import StoredTables

COLUMNS: Final = ("table", "rows", "column", "type", "note")
"""Of a listing, in order; rows are unknown where a table is made when it is asked for."""


def listing(tables: StoredTables) -> pd.DataFrame:
    """Tables with their columns.

    Args:
        tables: of a store; each is read once.

    Returns:
        `COLUMNS`, one row a column of a table: HetRec's schema first, then the store's folders.

    Raises:
        StoreError: the store holds no table, or one is damaged.
    """
    names = tables.names()
    rows: list[tuple[str, int | None, str, str, str]] = []
    for relation in relational.RELATIONS if set(relational.SOURCES) <= set(names) else ():
        for column in relation.columns:
            note, kind = relational.note_of(column), relational.type_of(column)
            rows.append((f"{relational.SCHEMA}.{relation.name}", None, column, kind, note))
    with duckdb.connect() as database:
        for name in names:
            table = tables.read(name)
            for column, kind in _types(database, table):
                rows.append((name, table.num_rows, column, kind, stored.note_of(name, column)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"rows": "Int64"})


def as_text(listed: pd.DataFrame) -> str:
    """A listing for people; tables with the same columns stand together."""
    blocks: dict[tuple[tuple[str, str, str], ...], list[str]] = {}
    for name, of_table in listed.groupby("table", sort=False):
        columns = tuple(of_table[["column", "type", "note"]].itertuples(index=False, name=None))
        size = of_table["rows"].iloc[0]
        rows = "" if pd.isna(size) else f" ({size:,} row{'' if size == 1 else 's'})"
        blocks.setdefault(columns, []).append(f"{name}{rows}")
    return "\n".join(_block(names, columns) for columns, names in blocks.items())


def _block(names: Iterable[str], columns: Iterable[tuple[str, str, str]]) -> str:
    columns = list(columns)
    widths = [max(len(row[place]) for row in columns) for place in (0, 1)]
    lines = [one_line(name) for name in names]
    for column, kind, note in columns:
        line = f"  {column:<{widths[0]}}  {kind:<{widths[1]}}  {note}"
        lines.append("".join(c if c.isprintable() else "\ufffd" for c in line).rstrip())
    return "\n".join(lines) + "\n"


def _types(database: duckdb.DuckDBPyConnection, table: pa.Table) -> list[tuple[str, str]]:
    database.register("described", table)
    rows = database.execute("DESCRIBE described").fetchall()
    database.unregister("described")
    return [(str(row[0]), str(row[1])) for row in rows]
