"""The serving databases: which one a setting names, what services find there, and the file."""

import contextlib
import importlib.util
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from child_process import line_from, running
from published_worlds import ODD_NAMES, about, lists_of
from pydantic import SecretStr
from serving_worlds import artists_of, keyed, served_of, similar_of, tables_of
from upath import UPath

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.recommendations import postgresql
from lastfm_assets.recommendations.databases import open_database
from lastfm_assets.recommendations.duckdb_file import DamagedFileError, DuckDBFile
from lastfm_assets.recommendations.postgresql import as_copy
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.serving import TABLES, Served, ServingTables, artists_with_plays
from lastfm_assets.vocabulary import column_note

PASSWORD = "planted-5ecret"  # noqa: S105 (it opens nothing)
needs_driver = pytest.mark.skipif(
    importlib.util.find_spec("psycopg2") is None, reason="the driver of PostgreSQL is not installed"
)


@pytest.fixture
def database(tmp_path: Path) -> DuckDBFile:
    return DuckDBFile(tmp_path / "serving" / "lists.duckdb")


@contextlib.contextmanager
def reading(database: DuckDBFile) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(database.path, read_only=True) as connection:
        yield connection


def open_url(url: str, root: Path) -> Any:
    return open_database(SecretStr(url), UPath(root))


class TestTheSetting:
    def test_that_is_missing_means_a_file_beside_the_published_lists(self, tmp_path: Path) -> None:
        database = open_database(None, UPath(tmp_path))
        assert database is not None
        assert database.shown == f"duckdb://{tmp_path}/recommendations/serving.duckdb"

    def test_that_is_missing_means_none_where_the_store_is_elsewhere(self) -> None:
        assert open_database(None, UPath("memory://far")) is None

    @pytest.mark.parametrize("slashes", ["", "/", "//"])
    def test_may_name_a_file_by_its_whole_path(self, tmp_path: Path, slashes: str) -> None:
        database = open_url(f"duckdb://{slashes}{tmp_path}/a%20b.duckdb", tmp_path)
        assert database.path == tmp_path / "a b.duckdb"

    def test_may_name_a_file_from_where_the_command_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert open_url("duckdb://data/x.duckdb", tmp_path).path == tmp_path / "data" / "x.duckdb"

    @pytest.mark.parametrize("url", ["duckdb://", "duckdb:///", "duckdb:///tmp/", "mysql://x/y"])
    def test_that_names_no_database_is_refused(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(BadInputError, match="names no database; expected postgresql://"):
            open_url(url, tmp_path)

    @pytest.mark.parametrize("name", ["lastfm", "lastfm.duckdb", "LastFM.2026.db"])
    def test_of_a_file_that_is_named_as_its_schema_is_refused(
        self, tmp_path: Path, name: str
    ) -> None:
        """Nobody could ask for a table in it; building it ended with "see to the folder"."""
        with pytest.raises(BadInputError, match=rf"names {name}, .* such as lists\.duckdb$"):
            open_url(f"duckdb://{tmp_path}/{name}", tmp_path)
        other = open_url(f"duckdb://{tmp_path}/lastfm-lists.duckdb", tmp_path)
        assert other.publish(tables_of(1), served_of(1)) is True

    @needs_driver
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            (f"postgresql://u:{PASSWORD}@db.example:6432/lists", "db.example:6432/lists"),
            (f"postgres://u:{PASSWORD}@127.0.0.1/lists", "127.0.0.1:5432/lists"),
            (f"postgresql://u:{PASSWORD}@[::1]:7/x", "[::1]:7/x"),
            (f"postgresql://u:%40%2F{PASSWORD}@h/x?sslmode=require", "h:5432/x"),
            (f"postgresql://u:a b?[{PASSWORD}@h/x", "h:5432/x"),
        ],
    )
    def test_may_name_postgresql_and_is_shown_without_credentials(
        self, tmp_path: Path, url: str, shown: str
    ) -> None:
        assert open_url(url, tmp_path).shown == f"postgresql://{shown}"

    @needs_driver
    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://u:{PASSWORD}@h:port/x",
            f"postgresql://u:{PASSWORD}@h:1",
            f"postgresql://u:a@{PASSWORD}@h/x",
            f"postgresql://u:a/{PASSWORD}@h/x",
            f"postgresql://u:5/{PASSWORD}@h/x",
            f"postgresql://u:a#{PASSWORD}@h/x?{PASSWORD}",
            f"postgresql://u:%zz{PASSWORD}@h/x",
            f"postgresql://[{PASSWORD}",
            f"postgresql://u:{PASSWORD}@h/x?{PASSWORD}=1",
            f"postgresql://{PASSWORD}",
            f"postgresql://u:\ud800{PASSWORD}@h/",
        ],
    )
    def test_that_cannot_be_read_never_shows_its_password(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(BadInputError, match="is no URL of PostgreSQL's; expected") as caught:
            open_url(url, tmp_path)
        chain: BaseException | None = caught.value
        while chain is not None:
            assert PASSWORD not in f"{chain!s} {chain!r}"
            chain = chain.__cause__ or chain.__context__

    def test_of_postgresql_without_its_driver_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "psycopg2", None)
        with pytest.raises(
            BadInputError, match=r"pip install -e '\.\[postgres\]' in the checkout$"
        ):
            open_url(f"postgresql://u:{PASSWORD}@h/x", tmp_path)


class TestTheTables:
    def test_count_listeners_and_plays_of_every_artist(self) -> None:
        artists = pd.DataFrame(
            {"artist_id": [3, 1, 2], "artist_name": ["c", "a", "b"], "url": "x"}
        ).astype({"artist_name": "str"})
        plays = pd.DataFrame({"user_id": [7, 8, 7], "artist_id": [1, 1, 3], "plays": [5, 6, 2]})
        found = artists_with_plays(artists, plays)
        expected = pd.DataFrame(
            {
                "artist_id": [1, 2, 3],
                "artist_name": pd.Series(["a", "b", "c"], dtype="str"),
                "listeners": [2, 0, 1],
                "plays": [11, 0, 2],
            }
        )
        pd.testing.assert_frame_equal(found, expected)

    @pytest.mark.parametrize("part", ["lists", "similar", "artists"])
    def test_have_another_hash_when_any_value_changes(self, part: str) -> None:
        tables = tables_of(1)
        changed = getattr(tables, part).copy()
        changed.loc[3, "artist_name"] = "Else"
        assert replace(tables, **{part: changed}).content != tables.content
        assert tables_of(1).content == tables.content

    def test_may_be_read_only_when_they_are_needed(self, database: DuckDBFile) -> None:
        tables, reads = tables_of(1), []

        def read(name: str) -> pd.DataFrame:
            reads.append(name)
            return getattr(tables, name)

        later = replace(tables, lists=lambda: read("lists"), similar=lambda: read("similar"))
        assert reads == []
        assert (later.content, later.rows) == (tables.content, tables.rows)
        assert reads == ["lists", "similar"]
        database.publish(later, served_of(1))
        assert reads == ["lists", "similar"] * 2
        database.publish(later, served_of(1))
        assert len(reads) == 4
        with reading(database) as connection:
            assert connection.sql("FROM lastfm.top_artists").df().equals(tables.lists)

    def test_count_their_rows(self) -> None:
        tables = tables_of(1)
        assert tables.rows == {name: len(frame) for name, frame in tables.by_name().items()}

    def test_are_described_by_what_was_published(self, tmp_path: Path) -> None:
        version = PublishedLists(UPath(tmp_path)).publish(lists_of(1), about(1)).version
        served = Served.of(version, tables_of(1))
        assert (served.version, served.content) == (0, version.content)
        assert (served.model, served.source) == ("model 1", "sample")
        assert served.published_at == version.published_at


REPLACED = "DROP TABLE lastfm.top_artists CASCADE; CREATE"


def changed(database: DuckDBFile, statement: str) -> None:
    """Publishes, and has somebody write to the file."""
    database.publish(tables_of(1), served_of(1))
    with duckdb.connect(database.path) as connection:
        connection.execute(statement)


class TestTheDuckDBFile:
    def test_holds_what_was_published(self, database: DuckDBFile) -> None:
        assert database.served() is None
        assert database.publish(tables_of(1), served_of(1)) is True
        assert database.served() == served_of(1)

    def test_is_made_once_for_equal_tables(self, database: DuckDBFile) -> None:
        database.publish(tables_of(1), served_of(1))
        before = database.path.stat()
        assert database.publish(tables_of(1), served_of(1)) is False
        after = database.path.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_is_made_anew_when_only_a_name_has_changed(self, database: DuckDBFile) -> None:
        database.publish(tables_of(1), served_of(1))
        renamed = replace(tables_of(1), artists=artists_of(1).assign(artist_name="Else"))
        assert database.publish(renamed, served_of(1, renamed)) is True

    def test_gives_a_service_all_tables_exactly(self, database: DuckDBFile) -> None:
        tables = tables_of(2)
        database.publish(tables, served_of(2))
        with reading(database) as connection:
            for name, frame in tables.by_name().items():
                found = connection.sql(f"FROM lastfm.{name}").df()
                pd.testing.assert_frame_equal(found, frame, check_exact=True)

    def test_gives_a_service_a_users_list_with_its_version(self, database: DuckDBFile) -> None:
        database.publish(tables_of(2), served_of(2))
        with reading(database) as connection:
            found = connection.execute(
                "SELECT user_id, rank, artist_id, artist_name, score, because, model, version, "
                "epoch_ms(published_at) FROM lastfm.recommendations "
                "WHERE user_id = ? ORDER BY rank",
                [5],
            ).fetchall()
        moment = int(served_of(2).published_at.timestamp() * 1000)
        expected = lists_of(2).query("user_id == 5").itertuples(index=False)
        assert found == [(*row, 2, moment) for row in expected]

    def test_gives_a_service_popular_artists(self, database: DuckDBFile) -> None:
        database.publish(tables_of(2), served_of(2))
        with reading(database) as connection:
            found = connection.sql("SELECT rank, artist_id FROM lastfm.popular_artists").fetchall()
        first = artists_of(2).sort_values(["listeners", "plays"], ascending=False)["artist_id"]
        assert found == list(zip(range(1, 11), first.head(10), strict=True))

    def test_says_what_each_column_holds(self, database: DuckDBFile) -> None:
        database.publish(tables_of(1), served_of(1))
        with reading(database) as connection:
            notes = connection.sql(
                "SELECT table_name, column_name, comment FROM duckdb_columns() "
                "WHERE schema_name = 'lastfm' AND comment IS NOT NULL"
            ).fetchall()
        said = {(table, column): note for table, column, note in notes}
        assert said["similar_artists", "similarity"] == column_note("similarity")
        assert said["artists", "listeners"] == "Users who have played the artist."
        assert len(said) == sum(len(table.columns) for table in TABLES)

    def test_is_found_by_the_source_s_own_ids(self, database: DuckDBFile) -> None:
        tables = keyed(tables_of(1))
        database.publish(tables, served_of(1, tables))
        query = "SELECT DISTINCT user_id FROM lastfm.recommendations WHERE user_key = 'user é 3'"
        with reading(database) as connection:
            assert connection.sql(query).fetchall() == [(3,)]

    def test_calls_users_by_their_number_where_that_is_the_source_s_own(
        self, database: DuckDBFile
    ) -> None:
        database.publish(tables_of(1), served_of(1))
        query = "SELECT DISTINCT user_id, user_key FROM lastfm.users WHERE user_key = '3'"
        with reading(database) as connection:
            assert connection.sql(query).fetchall() == [(3, "3")]

    def test_keeps_odd_names(self, database: DuckDBFile) -> None:
        names = [*ODD_NAMES, "a\0b", "x" * 100_000]
        artists = artists_of(1, artists=len(names)).assign(
            artist_name=pd.Series(names, dtype="str")
        )
        tables = replace(tables_of(1), artists=artists)
        database.publish(tables, served_of(1, tables))
        with reading(database) as connection:
            found = connection.sql("SELECT artist_name FROM lastfm.artists ORDER BY artist_id")
            assert [row[0] for row in found.fetchall()] == names

    def test_is_read_on_by_whoever_has_the_one_before_open(self, database: DuckDBFile) -> None:
        database.publish(tables_of(1), served_of(1))
        models = "SELECT DISTINCT model, version FROM lastfm.recommendations"
        with reading(database) as connection:
            database.publish(tables_of(2), served_of(2))
            assert connection.sql(models).fetchall() == [("model 1", 1)]
        with reading(database) as connection:
            assert connection.sql(models).fetchall() == [("model 2", 2)]

    def test_is_replaced_although_a_service_holds_it_open_to_write(
        self, database: DuckDBFile
    ) -> None:
        database.publish(tables_of(1), served_of(1))
        holder = (
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); "
            "sys.stdin.readline()"
        )
        with running(holder, database.path) as process:
            assert line_from(process.stdout) == "open\n"
            assert database.publish(tables_of(2), served_of(2)) is True
            assert database.served() == served_of(2)

    def test_is_read_whole_by_threads_while_it_is_replaced(self, database: DuckDBFile) -> None:
        database.publish(tables_of(0), served_of(0))
        seen: set[tuple[Any, ...]] = set()
        done = threading.Event()

        def read() -> None:
            query = (
                "SELECT count(*), min(model), max(model), min(version), max(version) "
                "FROM lastfm.recommendations"
            )
            while not done.is_set():
                with reading(database) as connection:
                    seen.update(connection.sql(query).fetchall())

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for number in range(1, 8):
                database.publish(tables_of(number), served_of(number))
        finally:
            done.set()
            reader.join()
        allowed = {(400, f"model {n}", f"model {n}", n, n) for n in range(8)}
        assert seen
        assert seen <= allowed

    def test_is_alone_in_its_folder_afterwards(self, database: DuckDBFile) -> None:
        for number in range(3):
            database.publish(tables_of(number), served_of(number))
        assert [path.name for path in database.path.parent.iterdir()] == ["lists.duckdb"]

    def test_takes_old_leftovers_of_killed_writers_away(self, database: DuckDBFile) -> None:
        database.path.parent.mkdir()
        old, fresh = (
            database.path.with_name(f".lists.duckdb.{n * 32}.partial.wal") for n in ("a", "b")
        )
        for left in (old, fresh):
            left.write_bytes(b"half")
        days = time.time() - 2 * 86_400
        os.utime(old, (days, days))
        database.publish(tables_of(1), served_of(1))
        assert (old.exists(), fresh.exists()) == (False, True)

    def test_with_tables_of_another_layout_is_made_anew(self, database: DuckDBFile) -> None:
        database.path.parent.mkdir()
        with duckdb.connect(database.path) as connection:
            connection.execute("CREATE SCHEMA lastfm; CREATE TABLE lastfm.publication (a int)")
        assert database.served() is None
        assert database.publish(tables_of(1), served_of(1)) is True
        assert database.served() == served_of(1)

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TABLE thesis (a int)",
            "CREATE SCHEMA lastfm; CREATE TABLE lastfm.publication (a int); CREATE TABLE b (a int)",
        ],
    )
    def test_of_somebody_else_is_left_alone(self, database: DuckDBFile, statement: str) -> None:
        database.path.parent.mkdir()
        with duckdb.connect(database.path) as connection:
            connection.execute(statement)
        before = database.path.read_bytes()
        with pytest.raises(BadInputError, match="other tables than ours, which would be lost"):
            database.publish(tables_of(1), served_of(1))
        assert database.path.read_bytes() == before

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            (
                f"{REPLACED} VIEW lastfm.top_artists AS SELECT error('asked') AS user_id",
                "no table top_artists",
            ),
            (
                f"{REPLACED} TABLE lastfm.top_artists (user_id int, rank int AS (1 + 1))",
                "top_artists has a column that is computed",
            ),
            (
                "UPDATE lastfm.publication SET published_at = '20000-01-01'",
                "no date in publication.published_at",
            ),
            (
                "UPDATE lastfm.publication SET published_at = 'infinity'",
                "no date in publication.published_at",
            ),
        ],
    )
    def test_that_somebody_has_changed_is_told_and_made_anew(
        self, database: DuckDBFile, statement: str, said: str
    ) -> None:
        """A planted view of a cross join held the refresh for ever, a date ended in a traceback."""
        changed(database, statement)
        with pytest.raises(DamagedFileError, match=rf"damaged \({re.escape(said)}\); run"):
            database.served()
        assert database.publish(tables_of(1), served_of(1)) is True
        assert database.served() == served_of(1)

    @pytest.mark.parametrize(
        "planted",
        [
            "hash(a) AS error('asked')",
            "bit_xor(a) AS error('asked')",
            "epoch_us(a) AS error('asked')",
            "row(a, b) AS error('asked')",
            "duckdb_tables() AS TABLE SELECT 'lastfm' AS schema_name, error('asked') AS table_name",
        ],
    )
    def test_with_a_macro_by_the_name_of_a_function_is_read_by_duckdb_s_own(
        self, database: DuckDBFile, planted: str
    ) -> None:
        """A planted macro was asked in its place: a file's own names come first."""
        changed(database, f"CREATE MACRO {planted}")
        assert database.served() == served_of(1)

    @pytest.mark.parametrize("content", [b"", b"some notes of mine", b"\0" * 9000])
    def test_that_is_no_duckdb_file_is_left_alone(
        self, database: DuckDBFile, content: bytes
    ) -> None:
        database.path.parent.mkdir()
        database.path.write_bytes(content)
        with pytest.raises(
            (StoreError, BadInputError), match=r"lists\.duckdb: .* in LASTFM_PUBLISH_URL$"
        ) as caught:
            database.publish(tables_of(1), served_of(1))
        assert str(caught.value).isprintable()
        assert database.path.read_bytes() == content

    def test_in_a_place_that_is_no_folder_is_refused_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        for path in (tmp_path / "file" / "x.duckdb", tmp_path):
            with pytest.raises(StoreError, match=r"cannot be (read|written) \(.*PUBLISH_URL$"):
                DuckDBFile(path).publish(tables_of(1), served_of(1))

    def test_reaches_no_other_file_and_no_network(
        self, database: DuckDBFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A table that is named like a file must not be read from that file."""
        secret = tmp_path / "secret.csv"
        secret.write_text("a\n1\n")
        connections: list[duckdb.DuckDBPyConnection] = []
        real = duckdb.connect

        def connect(*arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
            connections.append(real(*arguments, **options))
            with pytest.raises(duckdb.Error, match=r"disabled|does not exist"):
                connections[-1].execute(f"FROM '{secret}'")
            with pytest.raises(duckdb.Error, match=r"disabled"):
                connections[-1].execute("INSTALL delta")
            return connections[-1]

        monkeypatch.setattr(duckdb, "connect", connect)
        database.publish(tables_of(1), served_of(1))
        database.served()
        assert len(connections) == 2


PUBLISH = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from serving_worlds import served_of, tables_of
from lastfm_assets.errors import StoreError
from lastfm_assets.recommendations.duckdb_file import DuckDBFile
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    DuckDBFile(Path(sys.argv[1])).publish(tables_of(2), served_of(2))
except StoreError as problem:
    sys.exit(f"StoreError: {problem}")
"""


@pytest.mark.parametrize("limit", [5_000, 300_000])
def test_a_full_disk_leaves_the_file_before(database: DuckDBFile, limit: int) -> None:
    database.publish(tables_of(1), served_of(1))
    before = database.path.read_bytes()
    with running(PUBLISH, database.path, limit) as process:
        err = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert err.startswith(f"StoreError: {database.path}: cannot be ")
    assert err.count("\n") == 1
    assert database.path.read_bytes() == before
    assert [path.name for path in database.path.parent.iterdir()] == [database.path.name]


class TestRowsForPostgreSQL:
    def test_are_parted_by_tabs_and_escaped(self) -> None:
        frame = pd.DataFrame(
            {
                "a": [1, 2],
                "b": pd.Series(["x\ty\\z\nw\r", "\\N"], dtype="str"),
                "c": [0.1 + 0.2, float("nan")],
            }
        )
        assert as_copy(frame).read() == (
            b"1\tx\\ty\\\\z\\nw\\r\t0.30000000000000004\n2\t\\\\N\t\\N\n"
        )

    def test_have_no_nul_and_say_what_is_missing(self) -> None:
        frame = pd.DataFrame({"a": pd.Series(["a\0b", None], dtype="object")})
        assert as_copy(frame).read() == "a\N{REPLACEMENT CHARACTER}b\n\\N\n".encode()

    def test_keep_every_digit(self) -> None:
        chance = np.random.default_rng(7)
        numbers = [*chance.normal(size=500), 5e-324, -1.7976931348623157e308, 1e22, -0.0, 1 / 3]
        text = as_copy(pd.DataFrame({"a": numbers})).read().decode()
        assert [float(line) for line in text.splitlines()] == numbers

    @pytest.mark.parametrize("size", [1, 7, 100, -1])
    def test_are_the_same_however_they_are_read(
        self, size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = as_copy(similar_of(1)).read()
        assert whole.count(b"\n") == 300
        monkeypatch.setattr(postgresql, "_ROWS", 7)
        rows = as_copy(similar_of(1))
        assert b"".join(iter(lambda: rows.read(size), b"")) == whole

    def test_may_be_none(self) -> None:
        assert as_copy(similar_of(1).iloc[:0]).read() == b""

    def test_are_the_served_columns_in_order(self) -> None:
        tables = ServingTables(lists_of(1).iloc[:, ::-1], similar_of(1), artists_of(1))
        assert tuple(tables.by_name()["top_artists"].columns) == TABLES[0].columns
