"""A PostgreSQL database for services, written in one transaction."""

import contextlib
import importlib
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import SecretStr

from lastfm_assets.errors import BadInputError, DatabaseUnavailableError
from lastfm_assets.recommendations.serving import (
    LAYOUT,
    PUBLICATION,
    SCHEMA,
    TABLES,
    VIEWS,
    Served,
    ServingTables,
    create_statements,
)
from lastfm_assets.sources.hetrec import one_line

CONNECT_SECONDS: Final = 10
LOCK_SECONDS: Final = 30
"""How long to wait for another publisher, or for whoever else locks our tables."""
STATEMENT_SECONDS: Final = 300
_LOCK: Final = 0x6C617374666D
"""Key of the advisory lock that publishers take, "lastfm"."""
_INDEXES: Final = (
    f"CREATE INDEX ON {SCHEMA}.top_artists (artist_id)",
    f"CREATE INDEX ON {SCHEMA}.artists (listeners DESC, plays DESC, artist_id)",
    f"CREATE INDEX ON {SCHEMA}.artists (lower(artist_name))",
    f"CREATE INDEX ON {SCHEMA}.artists (artist_key)",
    f"CREATE UNIQUE INDEX ON {SCHEMA}.users (user_key)",
)
"""Who is shown an artist; the popular ones; an artist by name in any capitals, or by the source's
own id; a user by that."""
_ROWS: Final = 2**15
"""Rows that are written for COPY at once."""
_READ: Final = 2**16
_ESCAPES: Final = {
    "\\": "\\\\",  # first, as the others write one
    "\t": "\\t",
    "\n": "\\n",
    "\r": "\\r",
    "\0": "\N{REPLACEMENT CHARACTER}",  # PostgreSQL cannot store NUL in a text
}
_HOST: Final = re.compile(r"[\w.:,/-]*", re.ASCII)
_PORT: Final = re.compile(r"[\d,]*", re.ASCII)
_REFUSED: Final = re.compile(
    r"authentication failed|no password supplied|does not exist|no pg_hba|permission denied"
    r"|not permitted to log in|does not support SSL|certificate|invalid"
)
"""What a server says to somebody whom it will refuse again."""
_MAY_PASS: Final = ("08", "40", "53", "57", "58", "55P03")
"""SQLSTATE classes of what may be gone a little later: lost connections, deadlocks, no room."""
_OURS: Final = {"connect_timeout": CONNECT_SECONDS, "application_name": "lastfm-assets"}
"""Parameters of a connection, unless the URL sets them."""
_EXPECTED: Final = (
    "expected postgresql://user:password@host:port/database, with %XX for any of @ : / ? # % in "
    "the user name or the password"
)


class PostgreSQL:
    """The serving database in a schema of its own; see `ServingDatabase`.

    Rows are deleted and copied in, never truncated: TRUNCATE and DROP lock readers out until the
    transaction ends, and show an empty table to whoever took a snapshot before. Readers of a
    statement see one version whole; a service that asks several questions which must agree uses
    REPEATABLE READ.
    """

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self._driver = _driver()
        self._given, self.shown = _read_url(self._driver, url)

    def publish(self, tables: ServingTables, about: Served) -> bool:
        """Writes all tables in one transaction; see `ServingDatabase.publish`."""
        with self._transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            held = _said_by(cursor)
            if held == about:
                return False
            if held is None:
                _make_anew(cursor)
            for table in TABLES:
                cursor.execute(f"DELETE FROM {SCHEMA}.{table.name}")  # noqa: S608 (our own names)
            for name, frame in tables.one_by_one():
                columns = ", ".join(frame.columns)
                cursor.copy_expert(f"COPY {SCHEMA}.{name} ({columns}) FROM STDIN", as_copy(frame))
            places = ", ".join("%s" for _ in TABLES[-1].columns)
            cursor.execute(f"INSERT INTO {SCHEMA}.{PUBLICATION} VALUES ({places})", about.row())  # noqa: S608 (our own names)
        return True

    def served(self) -> Served | None:
        """What the database holds; see `ServingDatabase.served`."""
        with self._transaction() as cursor:
            return _said_by(cursor)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A cursor whose statements count all together, or not at all where one fails."""
        problem: Exception | None = None
        connection: Any = None
        try:
            connection = self._driver.connect(
                self._url.get_secret_value(),
                **{name: value for name, value in _OURS.items() if name not in self._given},
                client_encoding="UTF8",
            )
            with connection, connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
                yield cursor
        except self._driver.Error as raised:
            problem = raised
        finally:
            if connection is not None:
                connection.close()
        if problem is not None:  # raised here, so that nothing of the driver's hangs on to it
            self._tell(problem, connected=connection is not None)

    def _tell(self, problem: Any, *, connected: bool) -> NoReturn:
        """Our error in the place of the driver's.

        Raises:
            DatabaseUnavailableError: a little later it may work.
            BadInputError: it would fail again.
        """
        if not connected:
            said = str(problem)
            if _REFUSED.search(re.sub('"[^"]*"', "", said)):  # names may be any words
                raise BadInputError(
                    f"{self.shown}: refuses the connection ({_why(said)}); correct "
                    "LASTFM_PUBLISH_URL or the rights of its user"
                ) from None
            raise DatabaseUnavailableError(
                f"{self.shown}: cannot be reached ({_why(said)}); see whether the server runs, "
                "then try again"
            ) from None
        code = problem.pgcode
        if code is None or code.startswith(_MAY_PASS):
            said = one_line(problem.diag.message_primary or "the connection was lost")
            raise DatabaseUnavailableError(
                f"{self.shown}: nothing was published ({said}); services see what they saw "
                "before; try again"
            ) from None
        raise BadInputError(
            f"{self.shown}: nothing was published ({one_line(problem.diag.message_primary)}); see "
            f"whether the user of LASTFM_PUBLISH_URL may create and own the schema {SCHEMA}"
        ) from None


def as_copy(frame: pd.DataFrame) -> io.BufferedReader:
    r"""Rows in the text format of COPY: fields parted by tabs, `\N` for a missing value.

    NUL, which PostgreSQL cannot store, becomes U+FFFD. They are written as they are read.
    """
    return io.BufferedReader(_Rows(frame), _READ)


class _Rows(io.RawIOBase):
    """A file of a table's rows, of which only some are there at a time."""

    def __init__(self, frame: pd.DataFrame) -> None:
        parts = (frame.iloc[start : start + _ROWS] for start in range(0, len(frame), _ROWS))
        self._parts = (_lines(part) for part in parts)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer with what comes next; 0 at the end."""
        if not self._left:
            self._left = memoryview(next(self._parts, b""))
        n = min(len(buffer), len(self._left))
        buffer[:n], self._left = self._left[:n], self._left[n:]
        return n


def _lines(part: pd.DataFrame) -> bytes:
    columns = [_as_fields(pa.array(column, from_pandas=True)) for _, column in part.items()]
    tab, end, nothing = (pa.scalar(text, pa.large_string()) for text in ("\t", "\n", ""))
    lines = pc.binary_join_element_wise(
        *columns, tab, null_handling="replace", null_replacement="\\N"
    )
    ended = pc.binary_join_element_wise(lines, nothing, end)
    whole = ended.combine_chunks() if isinstance(ended, pa.ChunkedArray) else ended
    _, offsets, texts = whole.buffers()  # one text after the other, without gaps
    ends = np.frombuffer(offsets, np.int64)[whole.offset : whole.offset + len(whole) + 1]
    return bytes(texts[int(ends[0]) : int(ends[-1])])


def _as_fields(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Numbers with all their digits, texts with what COPY would take for something else escaped."""
    fields = column.cast(pa.large_string())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return fields
    for found, written in _ESCAPES.items():
        fields = pc.replace_substring(fields, pattern=found, replacement=written)
    return fields


def _driver() -> Any:
    try:
        return importlib.import_module("psycopg2")
    except ImportError:
        pass
    raise BadInputError(
        "LASTFM_PUBLISH_URL names PostgreSQL, whose driver is not installed; "
        "pip install -e '.[postgres]' in the checkout"
    )


def _read_url(driver: Any, url: SecretStr) -> tuple[dict[str, str], str]:
    """What a URL says, and how it may be shown: parts of a password never are.

    Raises:
        BadInputError: it cannot be read, or a password in it was taken for something else.
    """
    given: dict[str, str] | None = None
    with contextlib.suppress(driver.ProgrammingError, UnicodeError, ValueError):
        given = driver.extensions.parse_dsn(url.get_secret_value())
    if given is not None:
        host, port = given.get("host", "localhost"), given.get("port", "5432")
        name = given.get("dbname", "")
        # an @ or / in a password moves its rest into the host, the port or the name
        if _HOST.fullmatch(host) and _PORT.fullmatch(port) and name and "@" not in name:
            address = f"[{host}]" if ":" in host else host
            return given, f"postgresql://{address}:{port}/{one_line(name)}"
    raise BadInputError(f"LASTFM_PUBLISH_URL is set, but is no URL of PostgreSQL's; {_EXPECTED}")


def _why(said: str) -> str:
    """The server's reason for no connection, without the user's name and without addresses."""
    if "authentication failed" in said or "no password supplied" in said:
        return "wrong user or password"
    first = said.strip().partition("\n")[0]
    reason = re.sub(r"^[A-Z]+: +", "", first.rpartition("failed: ")[2])
    return one_line(re.sub(r'(user|role) "[^"]*"', "the user", reason)) or "no reason given"


def _said_by(cursor: Any) -> Served | None:
    """What is served, None where nothing is, or tables of another layout, or some are missing."""
    for name in (*(table.name for table in TABLES), *VIEWS):
        cursor.execute("SELECT to_regclass(%s) IS NULL", (f"{SCHEMA}.{name}",))
        if cursor.fetchone()[0]:
            return None
    # as JSON: whatever columns another layout had, the question can be asked
    cursor.execute(f"SELECT to_jsonb(p) FROM {SCHEMA}.{PUBLICATION} p")  # noqa: S608 (our own names)
    rows = [row[0] for row in cursor.fetchall()]
    if len(rows) != 1 or set(rows[0]) != set(TABLES[-1].columns) or rows[0]["layout"] != LAYOUT:
        return None
    said = {name: value for name, value in rows[0].items() if name != "layout"}
    at = datetime.fromisoformat(said.pop("published_at")).astimezone(UTC)
    return Served(**said, published_at=at)


def _make_anew(cursor: Any) -> None:
    """Our tables and views, empty, in the place of those of another layout."""
    cursor.execute("SELECT to_regnamespace(%s) IS NULL", (SCHEMA,))
    if cursor.fetchone()[0]:
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
        cursor.execute(f"COMMENT ON SCHEMA {SCHEMA} IS 'Recommendations, see lastfm-assets.'")
    for name in VIEWS:
        cursor.execute(f"DROP VIEW IF EXISTS {SCHEMA}.{name}")
    for table in TABLES:
        cursor.execute(f"DROP TABLE IF EXISTS {SCHEMA}.{table.name}")
    for statement in (*create_statements(), *_INDEXES):
        cursor.execute(statement)
