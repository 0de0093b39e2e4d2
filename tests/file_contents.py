"""All that a file says, unpacked: tables, databases, archives, and what zlib made of a text."""

import contextlib
import io
import sqlite3
import zipfile
import zlib
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

_SQLITE = b"SQLite format 3\0"


def shown(file: Path) -> str:
    """The file's bytes as text, and what they hold in packed form."""
    content = file.read_bytes()
    said = content.decode(errors="replace")
    if file.suffix == ".parquet":
        table: Any = pq.read_table(file)
        said += f"{table.schema}{table.schema.metadata}{table.to_pylist()}"
    if file.suffix == ".duckdb":
        said += _of_duckdb(file)
    if content.startswith(_SQLITE):
        said += _of_sqlite(file)
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [archive.read(name).decode(errors="replace") for name in archive.namelist()]
        said += "".join(parts) + str(archive.namelist())
    return said


def _of_duckdb(file: Path) -> str:
    with duckdb.connect(file, read_only=True) as database:
        tables = database.execute("SELECT schema_name, table_name FROM duckdb_tables()")
        names = [f'"{schema}"."{name}"' for schema, name in tables.fetchall()]
        texts = [str(database.execute(f"FROM {name}").fetchall()) for name in names]
        return "".join(texts) + str(database.execute("FROM duckdb_views()").fetchall())


def _of_sqlite(file: Path) -> str:
    """Each cell; Dagster keeps what it knows of jobs packed by zlib."""
    texts = []
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in database.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 (its own name)
                texts += [_unpacked(cell) for cell in row if isinstance(cell, str | bytes)]
    return "".join(texts)


def _unpacked(cell: str | bytes) -> str:
    if isinstance(cell, str):
        return cell
    with contextlib.suppress(zlib.error):
        cell = zlib.decompress(cell)
    return cell.decode(errors="replace")
