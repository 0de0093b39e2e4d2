"""A real PostgreSQL server of the tests' own: a fresh cluster on loopback, gone afterwards."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2 import sql

USER: Final = "lastfm"
"""The role that tests connect as; it may create databases and is no superuser."""
DATABASE: Final = "lastfm"
_ADMIN: Final = "postgres"
_PATIENCE: Final = 30.0
"""Seconds that a start or a stop may take."""
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "off",  # nobody pulls the plug of a test's database
    "max_connections": "40",
    "shared_buffers": "32MB",
    "logging_collector": "off",
}


def binaries() -> Path | None:
    """The folder of initdb, pg_ctl and postgres, or None where PostgreSQL is not installed."""
    in_path = shutil.which("initdb")
    found = [Path(in_path).resolve().parent] if in_path else []
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    found += sorted(versions, key=lambda path: path.parent.name.zfill(3), reverse=True)
    needed = ("initdb", "pg_ctl", "postgres")
    return next((path for path in found if all((path / name).is_file() for name in needed)), None)


class Postgres:
    """A server that can be stopped, started and killed; use `running_postgres`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.password = secrets.token_hex(12)
        self.admin_password = secrets.token_hex(12)
        self._programs = programs
        self._data = folder / "data"

    @property
    def url(self) -> str:
        """`postgresql://user:password@127.0.0.1:port/database` of a database that is there."""
        return self._url(USER, self.password, DATABASE)

    @property
    def admin_url(self) -> str:
        """The same database as superuser: for roles and grants."""
        return self._url(_ADMIN, self.admin_password, DATABASE)

    @property
    def log(self) -> str:
        """What the server has written to its log."""
        return (self.folder / "log").read_text(errors="replace")

    def url_for(self, database: str, user: str, password: str) -> str:
        """URL of a database as another role; the password is used as it stands."""
        return self._url(user, password, database)

    def database(self, name: str) -> str:
        """URL of a fresh, empty database; one of that name is thrown away first."""
        named = sql.Identifier(name)
        self.as_admin(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(named))
        self.as_admin(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(named, sql.Identifier(USER)),
        )
        return self._url(USER, self.password, name)

    def as_admin(self, statement: str | sql.Composable, *, database: str = "postgres") -> None:
        """Runs one statement as superuser, outside a transaction."""
        with contextlib.closing(
            psycopg2.connect(self._url(_ADMIN, self.admin_password, database), connect_timeout=10)
        ) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    def start(self) -> None:
        """Starts the server on the same port and waits until it takes connections."""
        # one argument of pg_ctl: it hands the options to a shell, so each value is quoted
        settings = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
        self._run("pg_ctl", "start", "-l", self.folder / "log", "-o", f"-p {self.port} {settings}")

    def stop(self) -> None:
        """Stops the server in an orderly way; open connections are cut."""
        self._run("pg_ctl", "stop", "-m", "fast")

    def kill(self) -> None:
        """SIGKILL for the server and every process of it, as when a machine is lost."""
        pid = self._pid()
        if pid is None:
            return
        family = [pid, *_children(pid)]
        for member in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE
        while any(_alive(member) for member in family) and time.monotonic() < deadline:
            time.sleep(0.02)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def ensure_running(self) -> None:
        """Starts the server again if a test left it down."""
        pid = self._pid()
        if pid is None or not _alive(pid):
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            self.start()

    def create(self) -> None:
        """Makes the cluster, starts it, and makes the tests' role and database."""
        word = self.folder / "password"
        word.write_text(self.admin_password)
        _own(word)
        settings = ("-U", _ADMIN, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self._run("initdb", *settings, "--auth=scram-sha-256", f"--pwfile={word}")
        word.unlink()
        self.start()
        self.as_admin(
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                sql.Identifier(USER), sql.Literal(self.password)
            )
        )
        self.database(DATABASE)

    def _run(self, program: str, *arguments: str | Path) -> None:
        waits = ("-w", "-t", str(int(_PATIENCE))) if program == "pg_ctl" else ()
        command = [self._programs / program, "-D", self._data, *waits, *arguments]
        identity = {"user": _owner(), "group": _owner_group(), "extra_groups": ()}
        # a file, as the server inherits it: it would hold a pipe open
        with (self.folder / "setup.log").open("ab") as said:
            ran = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                check=False,
                timeout=2 * _PATIENCE,
                **(identity if os.geteuid() == 0 else {}),
            )
        if ran.returncode:
            setup = (self.folder / "setup.log").read_text(errors="replace")
            server = self.log if (self.folder / "log").exists() else ""
            raise RuntimeError(f"{program} failed: {setup[-1000:]}\n{server[-1000:]}")

    def _pid(self) -> int | None:
        try:
            return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A fresh server in a folder of its own under the system's temporary one.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    programs = binaries()
    if programs is None:
        raise FileNotFoundError("no initdb in PATH or in /usr/lib/postgresql/*/bin")
    # pytest's own folders are closed to others, and as root the server runs as another user
    folder = Path(tempfile.mkdtemp(prefix="lastfm-postgres-"))
    _own(folder)
    server = Postgres(programs, folder)
    try:
        server.create()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _owner() -> int:
    """Id of the user that runs the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return os.geteuid()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise FileNotFoundError("no user postgres or nobody to run the server as")


def _owner_group() -> int:
    return pwd.getpwuid(_owner()).pw_gid


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, _owner(), _owner_group())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended and waits for its parent does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
