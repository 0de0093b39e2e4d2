"""One statement that only reads, answered by a DuckDB in memory that reaches no file."""

import contextlib
import difflib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pandas as pd

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.hetrec import listed
from lastfm_assets.sql import relational
from lastfm_assets.sql.stored import StoredTables

_CLOSED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
"""A connection that reaches neither the network nor any file, nor variables of this program."""
_READS: Final = (
    duckdb.StatementType.SELECT,
    duckdb.StatementType.MULTI,  # PIVOT, which DuckDB makes several statements of
)
_NAME: Final = r'(?:"[^"]+"|\w+)'
_NAMES: Final = re.compile(rf"{_NAME}(?:\s*\.\s*{_NAME})*")
_OF_ALL: Final = re.compile(
    r"\b(?:information_schema|duckdb_\w+|sqlite_master)\b"
    r"|(?:^|\()\s*(?:show|desc|describe)\b\s*(?:all\b|tables\b|schemas\b|[;)]|$)",
    re.IGNORECASE,
)
"""What speaks of tables in general: then all of them are there.

SHOW and DESCRIBE do where a statement begins, a whole one or one in parentheses; SHOW, DESCRIBE or
SUMMARIZE of a table name it, and read no other.
"""
_BATCH: Final = 10_000
_NEAR: Final = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows as they come; they end with the block that they were asked for in."""

    columns: tuple[str, ...]
    batches: Iterator[Sequence[tuple[Any, ...]]]
    """Lists of rows; their values are Python's own, what is missing None."""


@contextlib.contextmanager
def answered(stored: StoredTables, text: str) -> Iterator[Answer]:
    """Answers a query over a store.

    Args:
        stored: the store; only those tables are read that the query names.
        text: one statement that reads: SELECT, WITH, FROM, VALUES, PIVOT, SUMMARIZE, DESCRIBE or
            SHOW TABLES.

    Yields:
        The answer. Errors of rows that come late are raised where they are taken.

    Raises:
        BadInputError: it is not one such statement, DuckDB refuses it, or it names no table that
            there is.
        StoreError: a table that it names is damaged, or the store holds none.
    """
    with _clear_errors(stored):
        _one_that_reads(text)
        with duckdb.connect(config=_CLOSED) as database:
            _fill(database, stored, text)
            ran = _run(database, text)
            columns = tuple(str(column[0]) for column in ran.description or ())
            yield Answer(columns, _batches(ran))


def frame(stored: StoredTables, text: str) -> pd.DataFrame:
    """The whole answer as a table; see `answered`."""
    with _clear_errors(stored):
        _one_that_reads(text)
        with duckdb.connect(config=_CLOSED) as database:
            _fill(database, stored, text)
            return _run(database, text).df()


def _run(database: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyConnection:
    """Runs a query in another thread: DuckDB does not look for Ctrl-C, this thread does."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(database.execute, text)
        try:
            return running.result()
        except KeyboardInterrupt:
            database.interrupt()
            raise


def _batches(ran: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, ...]]]:
    while rows := ran.fetchmany(_BATCH):
        yield rows


def _one_that_reads(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInputError("the query is not text in UTF-8; save it as such") from None
    if "\0" in text:
        raise BadInputError("the query has a character NUL, expected text; correct it")
    statements = duckdb.extract_statements(text)
    if len(statements) != 1:
        found = f"{len(statements)} statements" if statements else "no statement"
        raise BadInputError(f"the query has {found}, expected one that reads, such as SELECT")
    kind = statements[0].type
    if kind not in _READS:
        raise BadInputError(
            f"the query is of the kind {kind.name}, expected one that only reads, such as SELECT"
        )


def _fill(database: duckdb.DuckDBPyConnection, stored: StoredTables, text: str) -> None:
    """Makes the tables that a query names, and no other."""
    database.execute("SET TimeZone = 'UTC'")
    named = _named(database, stored, text)
    relational.create(database, [name for name in relational.NAMES if name in named], stored.read)
    for name in sorted(name for name in named if stored.has(name)):
        schema, _, table = name.partition(".")
        database.register("incoming", stored.read(name))
        database.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        database.execute(f'CREATE TABLE "{schema}"."{table}" AS FROM incoming')
        database.unregister("incoming")
    database.execute("SET lock_configuration = true")


def _named(database: duckdb.DuckDBPyConnection, stored: StoredTables, text: str) -> set[str]:
    """Tables that a query names: `schema.table`, and those of HetRec's schema alone."""
    if _OF_ALL.search(_without_literals(text)):
        return {*stored.names(), *relational.NAMES}
    try:
        found = database.get_table_names(text, qualified=True)
    except duckdb.Error:  # it looks for columns of tables that are not there yet
        found = set(_NAMES.findall(text))
    return {_bare(name) for name in found}


def _without_literals(text: str) -> str:
    """A query less its comments and quoted texts, in which any word can stand."""
    data = text.encode()  # DuckDB counts bytes
    tokens = duckdb.tokenize(text)
    ends = [start for start, _ in tokens[1:]] + [len(data)]
    left_out = (duckdb.token_type.comment, duckdb.token_type.string_const)
    kept = [
        b" " if kind in left_out else data[start:end]
        for (start, kind), end in zip(tokens, ends, strict=True)
    ]
    return b"".join(kept).decode()


def _bare(name: str) -> str:
    """`Memory."lastfm".Users` -> `users`."""
    parts = [part.strip().strip('"').lower() for part in name.split(".")]
    if len(parts) > 2 and parts[0] == "memory":  # noqa: PLR2004 (database, schema, table)
        parts = parts[1:]
    if parts[0] == relational.SCHEMA:
        parts = parts[1:]
    return ".".join(parts[:2])


@contextlib.contextmanager
def _clear_errors(stored: StoredTables) -> Iterator[None]:
    try:
        yield
    except duckdb.CatalogException as problem:
        said = str(problem)
        unknown = re.match(r'Catalog Error: Table with name "?([^"\s]+)"? does not exist', said)
        if unknown is None:
            raise BadInputError(_in_one_line(said)) from None
        raise BadInputError(_no_such_table(stored, unknown[1])) from None
    except duckdb.PermissionException:
        raise BadInputError(
            "the query reaches for a file or the network, expected tables of the store alone; "
            "`lastfm-assets sql` lists them"
        ) from None
    except duckdb.Error as problem:
        raise BadInputError(_in_one_line(str(problem))) from None


def _in_one_line(said: str) -> str:
    """DuckDB's words and hints, without the drawing of where in the text it is."""
    return f"the query is refused: {' '.join(said.partition('LINE ')[0].split())}; correct it"


def _no_such_table(stored: StoredTables, name: str) -> str:
    known = [*(f"{relational.SCHEMA}.{table}" for table in relational.NAMES), *stored.names()]
    bare = name.rpartition(".")[2].lower()
    near = [table for table in known if table.partition(".")[2] == bare]
    near += difflib.get_close_matches(name.lower(), known, n=_NEAR)
    of_names = {table.partition(".")[2]: table for table in reversed(known)}
    near += [of_names[table] for table in difflib.get_close_matches(bare, of_names, n=_NEAR)]
    hint = f"near it: {listed(dict.fromkeys(near))}" if near else "nothing is called so"
    return f"no table {name[:100]!r} in the store; {hint}; `lastfm-assets sql` lists all"
