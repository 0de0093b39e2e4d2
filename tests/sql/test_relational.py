"""HetRec's relational schema: what stands in it, and that its keys are real."""

from pathlib import Path

import duckdb
import pytest
from sql_world import small_store

from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.sql import relational
from lastfm_assets.sql.relational import RELATIONS, create, with_referred

FOREIGN = "does not exist in the referenced table"


@pytest.fixture
def database(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    create(connection, relational.NAMES, small_store(tmp_path).read)
    return connection


def test_tables_and_columns_are_those_of_the_files() -> None:
    files = {raw.stem: tuple(field.header for field in raw.fields) for raw in RAW_TABLES}
    ours = {relation.name: relation.columns for relation in RELATIONS if relation.name != "users"}
    assert ours == files


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("users", [(1,), (2,), (3,), (4,)]),  # the fourth tags and plays nothing
        ("tags", [(7, "calm")]),
        ("user_artists", [(1, 10, 5), (1, 20, 7), (2, 10, 11), (3, 20, 13)]),
        ("user_taggedartists", [(1, 10, 7, 1, 4, 2009), (4, 30, 7, 31, 12, 2010)]),
        ("user_friends", [(1, 2), (2, 1)]),
    ],
)
def test_rows_are_the_cleaned_ones(
    database: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[object, ...]]
) -> None:
    assert database.execute(f"FROM lastfm.{table} ORDER BY ALL").fetchall() == rows


def test_tables_are_reached_without_a_schema(database: duckdb.DuckDBPyConnection) -> None:
    assert database.execute("SELECT name FROM artists WHERE id = 10").fetchall() == [("Björk",)]


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        ("user_artists VALUES (1, 10, 1)", "violates primary key"),
        ("user_artists VALUES (99, 10, 1)", FOREIGN),
        ("user_artists VALUES (1, 99, 1)", FOREIGN),
        ("user_taggedartists VALUES (1, 10, 99, 1, 1, 2010)", FOREIGN),
        ("user_friends VALUES (1, 99)", FOREIGN),
        ("users VALUES (NULL)", "NOT NULL constraint"),
        ("artists VALUES (10, 'again', NULL, NULL)", "violates primary key"),
    ],
)
def test_every_key_is_kept_by_the_database(
    database: duckdb.DuckDBPyConnection, row: str, broken: str
) -> None:
    with pytest.raises(duckdb.ConstraintException, match=broken):
        database.execute(f"INSERT INTO lastfm.{row}")


def test_what_a_table_refers_to_comes_before_it() -> None:
    assert [one.name for one in with_referred(["user_taggedartists"])] == [
        "users",
        "artists",
        "tags",
        "user_taggedartists",
    ]
    assert [one.name for one in with_referred(["artists"])] == ["artists"]
