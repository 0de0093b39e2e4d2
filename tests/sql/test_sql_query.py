"""What a query may ask, what it reads for it, and what it is told where it cannot be answered."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sql_world import small_store

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.io import Store
from lastfm_assets.sql.query import answered, frame
from lastfm_assets.sql.stored import StoredTables


def rows(stored: StoredTables, text: str) -> list[tuple[Any, ...]]:
    with answered(stored, text) as answer:
        return [row for batch in answer.batches for row in batch]


@pytest.fixture
def stored(tmp_path: Path) -> StoredTables:
    return small_store(tmp_path)


class Watched(StoredTables):
    """Notes what is read."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.read_tables: list[str] = []

    def read(self, name: str) -> pa.Table:
        self.read_tables.append(name)
        return super().read(name)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT sum(plays) FROM listening.interactions", [(36,)]),
        ("select SUM(Plays) from LISTENING.Interactions;", [(36,)]),
        ('SELECT sum(plays) FROM "listening"."interactions"', [(36,)]),
        ("SELECT sum(plays) FROM memory.listening.interactions", [(36,)]),
        ("SELECT sum(weight) FROM user_artists", [(36,)]),
        ("SELECT sum(weight) FROM lastfm.user_artists", [(36,)]),
        (
            "SELECT count(*) FROM listening.artists JOIN user_artists ON artist_id = artistID",
            [(4,)],
        ),
        ("SELECT count(*) FROM evaluation.als JOIN evaluation.popularity USING (user_id)", [(5,)]),
        ("WITH users AS (SELECT 5 AS n) SELECT n FROM users", [(5,)]),
        ("WITH users AS (SELECT * FROM lastfm.users) SELECT count(*) FROM users", [(4,)]),
        ("SELECT (SELECT max(plays) FROM listening.interactions)", [(13,)]),
        ("SELECT count(*) FROM evaluation.als WHERE part = 'held_out'", [(2,)]),
        ("SELECT count(*) FROM evaluation.als WHERE part = 'no such part'", [(0,)]),
        (
            "PIVOT listening.split ON part USING sum(plays) GROUP BY user_id ORDER BY 1",
            [(1, 7, 5), (2, 11, None)],
        ),
        ("VALUES (1), (2)", [(1,), (2,)]),
    ],
)
def test_a_query_is_answered(
    stored: StoredTables, query: str, expected: list[tuple[Any, ...]]
) -> None:
    assert rows(stored, query) == expected


def test_what_is_missing_is_null_and_no_number(stored: StoredTables) -> None:
    query = 'SELECT avg("ndcg@10"), count("ndcg@10") FROM evaluation.als WHERE part = \'held_out\''
    assert rows(stored, query) == [(0.5, 1)]


def test_figures_of_all_models_stand_in_one_table(stored: StoredTables) -> None:
    query = "SELECT model, count(*) FROM evaluation.per_user GROUP BY model ORDER BY model"
    assert rows(stored, query) == [("als", 3), ("popularity", 3)]


def test_only_what_is_named_is_read(tmp_path: Path) -> None:
    watched = Watched(small_store(tmp_path).store)
    rows(watched, "SELECT user_id AS users FROM listening.interactions WHERE 'tags' <> ''")
    assert watched.read_tables == ["listening.interactions"]


def test_a_question_on_all_tables_finds_all(stored: StoredTables) -> None:
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'evaluation'"
    assert sorted(rows(stored, query)) == [("als",), ("per_user",), ("popularity",)]
    keys = "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'"
    assert rows(stored, keys) == [(7,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM listening.artists WHERE artist_name = 'Show Me'",
        "SELECT count(*) FROM listening.artists WHERE artist_name = 'Björk, (SHOW TABLES)'",
        "SELECT count(*) FROM listening.artists -- (SHOW TABLES) of information_schema",
        "/* SHOW TABLES */ SELECT count(*) FROM listening.artists",
        "SELECT 'duckdb_tables', $$sqlite_master$$, artist_id AS \"show\" FROM listening.artists",
        "SELECT artist_id FROM listening.artists ORDER BY artist_id DESC",
        "DESCRIBE listening.artists",
        "SUMMARIZE listening.artists",
        "SHOW listening.artists",
    ],
)
def test_words_that_only_look_like_a_question_on_all_tables_read_no_other(
    tmp_path: Path, query: str
) -> None:
    """The word "show" anywhere read everything, and failed where any table was damaged."""
    watched = Watched(small_store(tmp_path).store)
    (tmp_path / "evaluation" / "als.parquet").write_bytes(b"PAR1 not at all")
    assert rows(watched, query)
    assert watched.read_tables == ["listening.artists"]


@pytest.mark.parametrize(
    ("query", "table"),
    [
        ("SHOW ALL TABLES", "als"),
        ("show tables from evaluation;", "als"),
        ("/* all */ -- é\n SHOW ALL TABLES", "als"),
        ("DESCRIBE", "als"),
        ("FROM (SHOW ALL TABLES)", "als"),
        ("WITH known AS (SHOW TABLES FROM evaluation) FROM known", "als"),
        ("SHOW SCHEMAS", "evaluation"),
        ('SELECT table_name FROM "information_schema".tables', "als"),
        ("SELECT 'é', table_name FROM duckdb_tables()", "als"),
    ],
)
def test_every_way_to_ask_for_all_tables_finds_them(
    stored: StoredTables, query: str, table: str
) -> None:
    assert table in {value for row in rows(stored, query) for value in row if value.__hash__}


def test_an_answer_is_a_table_too(stored: StoredTables) -> None:
    table = frame(stored, "SELECT user_id, date FROM listening.tag_assignments ORDER BY user_id")
    assert table["user_id"].tolist() == [1, 4]
    assert str(table["date"].iloc[0]) == "2009-04-01 00:00:00"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "no statement, expected one that reads"),
        ("-- nothing", "no statement, expected one that reads"),
        ("SELECT '\udcff'", "not text in UTF-8"),
        ("SELECT 1 \0 FROM users", "a character NUL"),
        ("SELECT 1; SELECT 2", "2 statements, expected one"),
        ("DROP TABLE users", "of the kind DROP, expected one that only reads"),
        ("CREATE TABLE mine AS SELECT 1", "of the kind CREATE"),
        ("INSERT INTO users VALUES (5)", "of the kind INSERT"),
        ("WITH a AS (SELECT 1) DELETE FROM users", "of the kind DELETE"),
        ("COPY (SELECT 1) TO '/tmp/stolen.csv'", "of the kind COPY"),
        ("ATTACH '/tmp/other.duckdb'", "of the kind ATTACH"),
        ("INSTALL httpfs", "of the kind LOAD"),
        ("SET enable_external_access = true", "of the kind SET"),
        ("SELECT * FROM read_text('/etc/passwd')", "reaches for a file or the network"),
        ("SELECT * FROM glob('/*')", "reaches for a file or the network"),
        ("SELECT * FROM '/etc/passwd'", "no table '/etc/passwd' in the store"),
        ("SELECT getenv('HOME')", "Function with name getenv does not exist"),
        ("SELECT nme FROM artists", 'Referenced column "nme" not found.*Candidate.*"name"'),
        ("SELEC 1", 'syntax error at or near "SELEC"; correct it'),
        ("SELECT CAST('a' AS INTEGER)", "Could not convert string 'a' to INT32"),
        ("FROM interactions", "no table 'interactions'.*near it: listening.interactions"),
        ("FROM evaluation.alss", "no table 'evaluation.alss'.*near it: evaluation.als"),
        ("FROM lastfm.artist", "near it: lastfm.artists"),
        ("FROM nowhere.zzzzzzz", "nothing is called so; `lastfm-assets sql` lists all"),
        ('FROM "..".passwd', "no table"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_line(
    stored: StoredTables, query: str, said: str
) -> None:
    with pytest.raises(BadInputError, match=said) as told:
        rows(stored, query)
    assert "\n" not in str(told.value)
    with pytest.raises(BadInputError, match=said):
        frame(stored, query)


def test_a_variable_of_this_program_is_no_table(stored: StoredTables) -> None:
    secret = frame(stored, "SELECT 1 AS secret")
    assert len(secret) == 1
    with pytest.raises(BadInputError, match="no table 'secret'"):
        rows(stored, "FROM secret")


def test_an_empty_store_asks_for_a_refresh(tmp_path: Path) -> None:
    empty = StoredTables(Store(str(tmp_path / "nothing")))
    for query in ("FROM listening.interactions", "FROM whatever"):
        with pytest.raises(StoreError, match="holds no table; run `lastfm-assets refresh`"):
            rows(empty, query)
    with pytest.raises(StoreError, match="listening/interactions is not in the store"):
        rows(empty, "FROM user_artists")
    assert rows(empty, "SELECT 1") == [(1,)]


def test_a_damaged_table_is_named_and_harms_no_other(tmp_path: Path) -> None:
    stored = small_store(tmp_path)
    (tmp_path / "evaluation" / "als.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(StoreError, match=r"als\.parquet: cannot be read"):
        rows(stored, "FROM evaluation.als")
    assert rows(stored, "SELECT count(*) FROM evaluation.popularity") == [(3,)]
