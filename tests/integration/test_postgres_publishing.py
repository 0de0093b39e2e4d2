"""Publishing to a real PostgreSQL: whole versions for readers, clear words when it goes wrong."""

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pandas as pd
import pytest
from published_worlds import ODD_NAMES, lists_of
from pydantic import SecretStr
from serving_worlds import artists_of, keyed, served_of, tables_of
from upath import UPath

from lastfm_assets.errors import BadInputError, DatabaseUnavailableError
from lastfm_assets.recommendations import postgresql
from lastfm_assets.recommendations.databases import open_database
from lastfm_assets.recommendations.postgresql import PostgreSQL
from lastfm_assets.recommendations.serving import TABLES, VIEWS, Served, ServingTables
from lastfm_assets.vocabulary import TOP_LIST, column_note

if TYPE_CHECKING:
    from postgres import Postgres

psycopg2 = pytest.importorskip("psycopg2", reason="the driver of PostgreSQL is not installed")
pytestmark = pytest.mark.integration

GRANTS = """
GRANT USAGE ON SCHEMA lastfm TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA lastfm TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA lastfm GRANT SELECT ON TABLES TO {role}
"""
"""What the owner of the schema runs once for a service; docs/decisions/0013 names it."""
WORD = "pa ss@w/o:r?d#%25'\"é"


@pytest.fixture
def url(postgres: "Postgres") -> str:
    """A fresh database."""
    return postgres.database("lists")


@pytest.fixture
def database(url: str) -> PostgreSQL:
    found = open_database(SecretStr(url), UPath("memory://far"))
    assert isinstance(found, PostgreSQL)
    return found


def rows_of(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a service reads in one statement."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def run(url: str, statements: str) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection:
        connection.cursor().execute(statements)


def count_of_versions(url: str) -> list[tuple[Any, ...]]:
    """Rows, models and versions that the view shows."""
    return rows_of(
        url,
        "SELECT count(*), min(model), max(model), min(version), max(version) "
        "FROM lastfm.recommendations",
    )


def whole(number: int) -> tuple[Any, ...]:
    """What `count_of_versions` gives for tables of that number."""
    return (400, f"model {number}", f"model {number}", number, number)


def stored(url: str, table: str, like: pd.DataFrame) -> pd.DataFrame:
    found = rows_of(url, f"SELECT {', '.join(like.columns)} FROM lastfm.{table} ORDER BY 1, 2")  # noqa: S608
    return pd.DataFrame(found, columns=like.columns).astype(like.dtypes.to_dict())


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    by = list(frame.columns[:2])
    # what PostgreSQL sorts by is not text of another order: the first columns are numbers
    return frame.sort_values(by, kind="stable", ignore_index=True)


class TestAPublication:
    def test_holds_what_was_published(self, database: PostgreSQL) -> None:
        assert database.served() is None
        assert database.publish(tables_of(1), served_of(1)) is True
        assert database.served() == served_of(1)

    def test_stores_every_value_exactly(self, database: PostgreSQL, url: str) -> None:
        tables = tables_of(3)
        database.publish(tables, served_of(3))
        for name, frame in tables.by_name().items():
            if name == "top_artists":
                pd.testing.assert_frame_equal(
                    stored(url, name, frame), ordered(frame), check_exact=True
                )
            elif name in ("artists", "users"):
                found = stored(url, name, frame)
                pd.testing.assert_frame_equal(found, frame, check_exact=True)
            else:
                found = stored(url, name, frame[["to_artist_id", "rank", "similarity", "because"]])
                pd.testing.assert_frame_equal(found, frame[found.columns], check_exact=True)

    def test_is_made_once_for_equal_tables(self, database: PostgreSQL, url: str) -> None:
        database.publish(tables_of(1), served_of(1))
        before = rows_of(url, "SELECT xmin::text FROM lastfm.publication")
        assert database.publish(tables_of(1), served_of(1)) is False
        assert rows_of(url, "SELECT xmin::text FROM lastfm.publication") == before

    def test_is_made_again_when_only_a_name_has_changed(self, database: PostgreSQL) -> None:
        database.publish(tables_of(1), served_of(1))
        renamed = replace(tables_of(1), artists=artists_of(1).assign(artist_name="Else"))
        assert database.publish(renamed, served_of(1, renamed)) is True

    def test_replaces_the_one_before(self, database: PostgreSQL, url: str) -> None:
        for number in (1, 2, 3):
            database.publish(tables_of(number), served_of(number))
            assert count_of_versions(url) == [whole(number)]

    def test_may_have_fewer_rows(self, database: PostgreSQL, url: str) -> None:
        database.publish(tables_of(1), served_of(1))
        whole_tables = tables_of(2)
        empty = ServingTables(
            whole_tables.lists.iloc[:0],
            whole_tables.similar.iloc[:0],
            whole_tables.artists.iloc[:0],
        )
        database.publish(empty, served_of(2, empty))
        assert rows_of(url, "SELECT count(*) FROM lastfm.recommendations") == [(0,)]

    def test_keeps_odd_names_but_for_nul(self, database: PostgreSQL, url: str) -> None:
        names = [*ODD_NAMES, "a\0b", "\\.", "\\", "\r\n", "\x7f\x01", "x" * 2000]
        artists = artists_of(1, artists=len(names)).assign(
            artist_name=pd.Series(names, dtype="str")
        )
        tables = replace(tables_of(1), artists=artists)
        database.publish(tables, served_of(1, tables))
        found = rows_of(url, "SELECT artist_name FROM lastfm.artists ORDER BY artist_id")
        assert [row[0] for row in found] == [name.replace("\0", "\ufffd") for name in names]

    def test_is_found_by_the_source_s_own_ids(self, database: PostgreSQL, url: str) -> None:
        tables = keyed(tables_of(1))
        database.publish(tables, served_of(1, tables))
        found = rows_of(
            url, "SELECT DISTINCT user_id FROM lastfm.recommendations WHERE user_key = 'user é 3'"
        )
        assert found == [(3,)]
        assert rows_of(url, "SELECT artist_key FROM lastfm.artists WHERE artist_id = 7") == [
            ("artist é 7",)
        ]

    def test_touches_nothing_outside_its_schema(self, database: PostgreSQL, url: str) -> None:
        run(url, "CREATE TABLE top_artists (mine int); INSERT INTO top_artists VALUES (7)")
        database.publish(tables_of(1), served_of(1))
        assert rows_of(url, "SELECT mine FROM public.top_artists") == [(7,)]

    def test_says_what_tables_views_and_columns_hold(self, database: PostgreSQL, url: str) -> None:
        database.publish(tables_of(1), served_of(1))
        notes = rows_of(
            url,
            "SELECT c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid) "
            "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
            "WHERE c.relnamespace = 'lastfm'::regnamespace AND c.relkind IN ('r', 'v')",
        )
        said = {(table, column): note for table, column, note, _ in notes if note}
        assert said["top_artists", "because"] == column_note("because")
        assert len(said) == sum(len(table.columns) for table in TABLES)
        assert {table for table, *_, note in notes if note} == {t.name for t in TABLES} | set(VIEWS)

    def test_has_keys_and_proper_types(self, database: PostgreSQL, url: str) -> None:
        database.publish(tables_of(1), served_of(1))
        types = dict(
            rows_of(
                url,
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = 'lastfm' AND table_name = 'recommendations'",
            )
        )
        assert types == {
            "user_id": "bigint",
            "rank": "integer",
            "artist_id": "bigint",
            "artist_name": "text",
            "score": "double precision",
            "because": "text",
            "model": "text",
            "version": "bigint",
            "published_at": "timestamp with time zone",
            "user_key": "text",
            "artist_key": "text",
        }
        keys = rows_of(
            url,
            "SELECT conname FROM pg_constraint "
            "WHERE contype = 'p' AND connamespace = 'lastfm'::regnamespace",
        )
        assert {key for (key,) in keys} == {f"{table.name}_pkey" for table in TABLES}


class TestTablesOfAnotherLayout:
    @pytest.mark.parametrize(
        "older",
        [
            "ALTER TABLE lastfm.publication DROP COLUMN tables CASCADE",
            "UPDATE lastfm.publication SET layout = 0",
            "DELETE FROM lastfm.publication",
            "DROP VIEW lastfm.popular_artists",
            "DROP TABLE lastfm.artists CASCADE",
            "DROP SCHEMA lastfm CASCADE",
            "DROP SCHEMA lastfm CASCADE; CREATE SCHEMA lastfm; CREATE TABLE lastfm.artists (a int)",
        ],
    )
    def test_are_made_anew(self, database: PostgreSQL, url: str, older: str) -> None:
        database.publish(tables_of(1), served_of(1))
        run(url, older)
        assert database.publish(tables_of(2), served_of(2)) is True
        assert count_of_versions(url) == [whole(2)]
        assert database.served() == served_of(2)

    def test_that_somebody_built_upon_are_left_alone(self, database: PostgreSQL, url: str) -> None:
        database.publish(tables_of(1), served_of(1))
        run(url, "CREATE VIEW public.mine AS SELECT * FROM lastfm.artists")
        run(url, "UPDATE lastfm.publication SET layout = 0")
        with pytest.raises(BadInputError, match=r"nothing was published .*other objects depend"):
            database.publish(tables_of(2), served_of(2))
        assert rows_of(url, "SELECT count(*) FROM public.mine") == [(1000,)]


@pytest.fixture
def service(postgres: "Postgres", database: PostgreSQL, url: str) -> Iterator[str]:
    """A role with nothing but the rights of a reader; a publication is there."""
    database.publish(tables_of(1), served_of(1))
    postgres.as_admin("CREATE ROLE service LOGIN PASSWORD 'reads'")
    run(url, GRANTS.format(role="service"))
    yield postgres.url_for("lists", "service", "reads")
    for statement in ("DROP OWNED BY service", "DROP ROLE service"):
        postgres.as_admin(statement, database="lists")


class TestAService:
    def test_reads_a_users_list_through_the_view(self, service: str) -> None:
        found = rows_of(
            service,
            f"SELECT {', '.join(TOP_LIST)}, version, published_at FROM lastfm.recommendations "  # noqa: S608
            "WHERE user_id = %s ORDER BY rank",
            5,
        )
        expected = lists_of(1).query("user_id == 5").itertuples(index=False)
        at = served_of(1).published_at
        assert [(*row[:-1], row[-1].astimezone(UTC)) for row in found] == [
            (*row, 1, at) for row in expected
        ]

    def test_finds_a_users_list_by_an_index(self, service: str) -> None:
        run(service, "SET enable_seqscan = off")
        plan = rows_of(service, "EXPLAIN SELECT * FROM lastfm.recommendations WHERE user_id = 5")
        assert "top_artists_pkey" in str(plan)

    def test_reads_popular_artists_for_a_stranger(self, service: str) -> None:
        found = rows_of(service, "SELECT rank, artist_id FROM lastfm.popular_artists")
        first = artists_of(1).sort_values(["listeners", "plays"], ascending=False)["artist_id"]
        assert found == list(zip(range(1, 11), first.head(10), strict=True))

    def test_may_read_also_after_a_change_of_layout(
        self, service: str, database: PostgreSQL, url: str
    ) -> None:
        run(url, "UPDATE lastfm.publication SET layout = 0")
        database.publish(tables_of(2), served_of(2))
        assert count_of_versions(service) == [whole(2)]

    def test_may_not_write(self, service: str) -> None:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"):
            run(service, "DELETE FROM lastfm.top_artists")
        publisher = PostgreSQL(SecretStr(service))
        assert publisher.served() == served_of(1)
        with pytest.raises(BadInputError, match=r"nothing was published \(permission denied"):
            publisher.publish(tables_of(2), served_of(2))

    def test_in_a_long_transaction_sees_one_version_and_holds_nobody_up(
        self, service: str, database: PostgreSQL
    ) -> None:
        with contextlib.closing(psycopg2.connect(service)) as connection:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            cursor = connection.cursor()
            query = "SELECT min(version), max(version), count(*) FROM lastfm.recommendations"
            for number in range(2, 5):
                cursor.execute(query)
                assert cursor.fetchall() == [(1, 1, 400)]
                started = time.monotonic()
                database.publish(tables_of(number), served_of(number))
                assert time.monotonic() - started < 5
            cursor.execute(query)
            assert cursor.fetchall() == [(1, 1, 400)]
            connection.rollback()
            cursor.execute(query)
            assert cursor.fetchall() == [(4, 4, 400)]

    def test_reading_in_a_loop_sees_only_whole_versions_and_never_waits(
        self, service: str, database: PostgreSQL
    ) -> None:
        seen: set[tuple[Any, ...]] = set()
        waits: list[float] = []

        def read() -> None:
            with contextlib.closing(psycopg2.connect(service)) as connection:
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute("SET lock_timeout = '500ms'")
                while not done.is_set():
                    started = time.monotonic()
                    cursor.execute(
                        "SELECT count(*), min(model), max(model), min(version), max(version) "
                        "FROM lastfm.recommendations"
                    )
                    waits.append(time.monotonic() - started)
                    seen.update(cursor.fetchall())

        with in_background(read) as done:
            for number in range(2, 22):
                database.publish(tables_of(number), served_of(number))
        assert seen <= {whole(number) for number in range(1, 22)}
        assert len(seen) > 5
        assert len(waits) > 20
        assert max(waits) < 0.5


@contextlib.contextmanager
def in_background(work: Callable[[], None]) -> Iterator[threading.Event]:
    """Runs work in a thread, which looks at the event; what it raises is raised here."""
    failed: list[BaseException] = []
    done = threading.Event()

    def guarded() -> None:
        try:
            work()
        except BaseException as problem:  # noqa: BLE001 (raised again below)
            failed.append(problem)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield done
    finally:
        done.set()
        thread.join(timeout=60)
    if failed:
        raise failed[0]


class Slowly:
    """Rows that arrive so slowly that something can happen to the server in between."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self.happens = happens

    def __call__(self, frame: pd.DataFrame) -> "Slowly":
        self.rest = as_copy_of(frame)
        self.told = False
        return self

    def read(self, size: int = -1) -> bytes:
        if not self.told:
            self.told = True
            self.happens()
        return self.rest.read(size)


as_copy_of = postgresql.as_copy


class TestAServerThatGoesAway:
    @pytest.mark.parametrize("how", ["kill", "stop"])
    def test_in_the_middle_leaves_the_version_before(
        self,
        postgres: "Postgres",
        database: PostgreSQL,
        url: str,
        how: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        database.publish(tables_of(1), served_of(1))
        with monkeypatch.context() as slow:
            slow.setattr(postgresql, "as_copy", Slowly(getattr(postgres, how)))
            with pytest.raises(
                DatabaseUnavailableError, match=r"/lists: nothing was published \(.*try again$"
            ):
                database.publish(tables_of(2), served_of(2))
        postgres.start()
        assert count_of_versions(url) == [whole(1)]
        assert database.served() == served_of(1)
        assert database.publish(tables_of(2), served_of(2)) is True
        assert count_of_versions(url) == [whole(2)]

    def test_before_is_told_as_such(self, postgres: "Postgres", database: PostgreSQL) -> None:
        postgres.stop()
        for ask in (database.served, lambda: database.publish(tables_of(1), served_of(1))):
            with pytest.raises(
                DatabaseUnavailableError, match=r"cannot be reached \(Connection refused\); see"
            ):
                ask()

    def test_with_a_connection_cut_by_an_operator(
        self,
        postgres: "Postgres",
        database: PostgreSQL,
        url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        database.publish(tables_of(1), served_of(1))

        def cut() -> None:
            postgres.as_admin(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lists'"
            )

        with monkeypatch.context() as slow:
            slow.setattr(postgresql, "as_copy", Slowly(cut))
            with pytest.raises(DatabaseUnavailableError, match="nothing was published"):
                database.publish(tables_of(2), served_of(2))
        assert count_of_versions(url) == [whole(1)]

    def test_with_no_free_connection(self, postgres: "Postgres", database: PostgreSQL) -> None:
        postgres.as_admin("ALTER ROLE lastfm CONNECTION LIMIT 0")
        try:
            with pytest.raises(DatabaseUnavailableError, match="too many connections"):
                database.served()
        finally:
            postgres.as_admin("ALTER ROLE lastfm CONNECTION LIMIT -1")


class TestTwoPublishers:
    def test_go_one_after_the_other(self, database: PostgreSQL, url: str) -> None:
        """Also for the very first tables, which both want to make."""

        def other() -> None:
            for number in range(100, 108):
                PostgreSQL(SecretStr(url)).publish(tables_of(number), served_of(number))

        with in_background(other):
            for number in range(1, 9):
                database.publish(tables_of(number), served_of(number))
        held = database.served()
        assert held is not None
        assert held.version in (8, 107)
        assert count_of_versions(url) == [whole(held.version)]

    def test_that_wait_too_long_for_one_another_are_told(
        self, database: PostgreSQL, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.publish(tables_of(1), served_of(1))
        monkeypatch.setattr(postgresql, "LOCK_SECONDS", 1)
        with contextlib.closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (postgresql._LOCK,))
            with pytest.raises(DatabaseUnavailableError, match="lock timeout"):
                database.publish(tables_of(2), served_of(2))
        assert database.publish(tables_of(2), served_of(2)) is True


class TestRightsAndNames:
    @pytest.mark.parametrize("part", ["password", "user", "database"])
    def test_that_are_wrong_are_told_without_the_password(
        self, postgres: "Postgres", url: str, part: str
    ) -> None:
        parts = urlsplit(url)
        user, word, name = str(parts.username), str(parts.password), "lists"
        wrong = "planted-5ecret"
        given = {
            "password": postgres.url_for(name, user, wrong),
            "user": postgres.url_for(name, "nobody", wrong),
            "database": postgres.url_for("elsewhere", user, word),
        }[part]
        reason = "does not exist" if part == "database" else "wrong user or password"
        with pytest.raises(BadInputError, match=rf"refuses the connection \(.*{reason}") as caught:
            PostgreSQL(SecretStr(given)).served()
        assert f"127.0.0.1:{postgres.port}/" in str(caught.value)
        assert_secret(caught.value, wrong, word)

    @pytest.mark.usefixtures("database")
    def test_with_special_characters_work_and_stay_secret(self, postgres: "Postgres") -> None:
        quoted = WORD.replace("'", "''")
        postgres.as_admin(f"CREATE ROLE \"o'dd\" LOGIN PASSWORD '{quoted}'")
        try:
            url = postgres.url_for("lists", quote("o'dd", safe=""), quote(WORD, safe=""))
            assert PostgreSQL(SecretStr(url)).served() is None
            with pytest.raises(BadInputError, match=r"nothing was .*permission") as caught:
                PostgreSQL(SecretStr(url)).publish(tables_of(1), served_of(1))
            assert_secret(caught.value, WORD, quote(WORD, safe=""), "o'dd")
        finally:
            postgres.as_admin('DROP ROLE "o\'dd"')

    def test_to_a_schema_that_an_administrator_made_suffice(
        self, postgres: "Postgres", database: PostgreSQL, url: str
    ) -> None:
        """The publisher needs no right to create schemas where it owns ours."""
        postgres.as_admin("ALTER DATABASE lists OWNER TO postgres")
        with pytest.raises(BadInputError, match="permission denied for database"):
            database.publish(tables_of(1), served_of(1))
        postgres.as_admin("CREATE SCHEMA lastfm AUTHORIZATION lastfm", database="lists")
        assert database.publish(tables_of(1), served_of(1)) is True
        assert count_of_versions(url) == [whole(1)]

    def test_of_a_server_without_tls_are_told(self, url: str) -> None:
        database = PostgreSQL(SecretStr(f"{url}?sslmode=require"))
        with pytest.raises(BadInputError, match="does not support SSL"):
            database.served()

    def test_of_a_host_that_does_not_exist(self) -> None:
        database = PostgreSQL(SecretStr("postgresql://u:planted-5ecret@no.invalid/x"))
        with pytest.raises(DatabaseUnavailableError, match=r"no\.invalid:5432/x: cannot") as caught:
            database.served()
        assert_secret(caught.value, "planted-5ecret")

    def test_to_a_value_that_is_missing_are_refused(self, database: PostgreSQL, url: str) -> None:
        database.publish(tables_of(1), served_of(1))
        holed = tables_of(2).lists.astype({"because": "object"})
        holed.loc[3, "because"] = None
        tables = replace(tables_of(2), lists=holed)
        with pytest.raises(BadInputError, match='null value in column "because"'):
            database.publish(tables, served_of(2))
        assert count_of_versions(url) == [whole(1)]


def assert_secret(problem: BaseException, *secrets: str) -> None:
    """No part of the error, its traceback or its chain shows them."""
    shown = "".join(traceback.format_exception(problem)) + repr(problem)
    assert "psycopg2" not in shown
    shown += f"{problem.__context__} {problem.__context__!r}"
    assert [secret for secret in secrets if secret in shown] == []
    assert str(problem).isprintable()


def test_what_is_held_is_compared_whatever_the_session_takes_as_its_time_zone(
    database: PostgreSQL, url: str
) -> None:
    run(url, "ALTER DATABASE lists SET timezone = 'Asia/Kathmandu'")
    held: Served = served_of(1)
    assert database.publish(tables_of(1), held) is True
    assert database.served() == held
    assert database.publish(tables_of(1), held) is False
