"""Where Dagster remembers runs: the same place for the command line and the web UI."""

import contextlib
import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lastfm_assets.durable import replace
from lastfm_assets.errors import (
    BadInputError,
    DatabaseUnavailableError,
    LastfmAssetsError,
    StoreError,
)
from lastfm_assets.settings import Settings, data_folder
from lastfm_assets.sources.hetrec import one_line

_VARIABLE: Final = "DAGSTER_HOME"
DATABASE_VARIABLE: Final = "LASTFM_DAGSTER_URL"
_POSTGRES: Final = f"""\
storage:
  custom:
    module: lastfm_assets.automation.postgres_storage
    class: Psycopg2Storage
    config:
      postgres_url:
        env: {DATABASE_VARIABLE}
"""
_FIRST_LINE: Final = re.compile(r"# Written by lastfm_assets \(([0-9a-f]{16})\).*")
_EARLIER: Final = frozenset({"de7e41989913a769eae29786e11905cf1e16c4711102d2612fb4084d0a7a39d2"})
"""SHA-256 of the file as version 0.2 wrote it, which had no such first line."""
_OF_THE_NAME: Final = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""What says that a folder is not to be had under its name; the rest is the disk's own failure."""
_SECONDS: Final = 5
"""How long a database may take to answer."""


def prepare_home() -> Path:
    """DAGSTER_HOME, or `data/dagster` where it is unset; made, and configured if it is ours.

    Runs, events and schedules go to SQLite files in it, or to the PostgreSQL database that
    `LASTFM_DAGSTER_URL` names. A `dagster.yaml` that somebody wrote or edited is kept,
    unless it is blank.

    Raises:
        BadInputError: the home is no folder that we may write, its file is not text, or the
            database cannot be used as the variable or the file says.
        DatabaseUnavailableError: it does not answer.
        StoreError: the home's disk fails.
    """
    given = os.environ.get(_VARIABLE)
    home = _expanded(given) if given else data_folder() / "dagster"
    home = home.absolute()
    with _clear_errors(home):
        if not home.is_dir():  # what runs wrote to their logs is for whoever runs them
            home.parent.mkdir(parents=True, exist_ok=True)
            home.mkdir(mode=0o700, exist_ok=True)
    url = Settings.from_environment().dagster_url
    if url is not None:
        _check_database(url.get_secret_value())
    with _clear_errors(home):
        _configure(home / "dagster.yaml", postgres=url is not None)
    os.environ[_VARIABLE] = str(home)
    return home


def configuration(*, postgres: bool) -> str:
    """Our `dagster.yaml`; its first line lets us tell whether somebody has edited it since."""
    text = Path(__file__).with_name("dagster.yaml").read_text(encoding="utf-8")
    text += _POSTGRES if postgres else ""
    note = "an edited file is kept as it is"
    return f"# Written by lastfm_assets ({_digest(text)}); {note}.\n{text}"


def _expanded(given: str) -> Path:
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise BadInputError(
            f"{_VARIABLE} is {one_line(given)}, but no home is known for its ~; expected the path "
            "of a folder; write it out"
        ) from None


@contextlib.contextmanager
def _clear_errors(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        said = f"Dagster's home {one_line(home)} cannot be made or used ({one_line(problem)})"
        if isinstance(problem, _OF_THE_NAME):
            raise BadInputError(
                f"{said}; expected a folder that this user may write; name one in {_VARIABLE}"
            ) from problem
        raise StoreError(
            f"{said}; see to the disk, or name another folder in {_VARIABLE}"
        ) from problem


def _configure(file: Path, *, postgres: bool) -> None:
    wanted = configuration(postgres=postgres)
    found = _text_of(file)
    if found == wanted:
        return
    if found is None or _is_ours(found):
        replace(file, [wanted.encode()])  # in one step: a server may be reading it
    elif postgres and DATABASE_VARIABLE not in found:
        raise BadInputError(
            f"{DATABASE_VARIABLE} is set, but {file} is your own and does not use it; unset it, "
            "or remove the file, and it is written with the database"
        )


def _text_of(file: Path) -> str | None:
    """None where there is no file, or nothing in it: a power cut could empty earlier ones."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise BadInputError(
            f"{one_line(file)} is your own, but not text in UTF-8, as Dagster reads it; save it as "
            "such, or remove it, and it is written anew"
        ) from None
    return text if text.replace("\0", "").strip() else None


def _is_ours(text: str) -> bool:
    first, _, rest = text.partition("\n")
    marked = _FIRST_LINE.fullmatch(first)
    if marked is None:
        return hashlib.sha256(text.encode()).hexdigest() in _EARLIER
    return marked[1] == _digest(rest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_database(url: str) -> None:
    """Fails in one line where Dagster would fail in a hundred."""
    if importlib.util.find_spec("dagster_postgres") is None:
        raise BadInputError(
            f"{DATABASE_VARIABLE} is set, but dagster-postgres is not installed; "
            "pip install -e '.[postgres]' in the checkout"
        )
    import psycopg2  # noqa: PLC0415 (an extra)

    try:
        psycopg2.connect(url, connect_timeout=_SECONDS).close()
    except psycopg2.OperationalError as problem:
        raise DatabaseUnavailableError(
            f"Dagster's database{_shown_host(url)} cannot be used: {_reason(str(problem))}; start "
            f"it or correct {DATABASE_VARIABLE}"
        ) from None
    except (psycopg2.Error, ValueError):
        raise BadInputError(
            f"{DATABASE_VARIABLE} is set, but cannot be read; expected "
            "postgresql://user:password@host:port/database, special characters as %40"
        ) from None


def _shown_host(url: str) -> str:
    """The host; nothing where the URL is such that it could be a part of the password."""
    try:
        parts = urlsplit(url)
        place = f" on {parts.hostname}:{parts.port or 5432}"
    except ValueError:
        return ""
    whole = url.count("@") == 1 and "@" in parts.netloc and place.isprintable()
    return place if whole else ""


def _reason(said: str) -> str:
    """What the driver says, in words of ours: its own may repeat a piece of the URL."""
    known = {
        "Connection refused": "the connection is refused",
        "timeout expired": f"it does not answer within {_SECONDS} s",
        "could not translate host name": "no such host is known",
        "authentication failed": "it does not take user and password",
        "no password supplied": "it asks for a password",
        "does not exist": "there is no such database or user",
        "starting up": "it is still starting",
        "SSL": "no encrypted connection could be made",
    }
    return next((words for sign, words in known.items() if sign in said), "it cannot be reached")


def main() -> int:
    """Prepares the home with its database and prints it, or says in one line what is wrong.

    The servers start at the same moment after it: two that made the database at once would leave
    it with two versions, and none would ever start again. Runs that a machine took with it when it
    went down are noted as failed here: they would hold the queue.
    """
    try:
        home = prepare_home()
    except LastfmAssetsError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return problem.exit_code
    import dagster as dg  # noqa: PLC0415 (the home alone needs no Dagster)

    from lastfm_assets.automation.under_way import run_under_way  # noqa: PLC0415 (as above)

    with dg.DagsterInstance.get() as instance:
        run_under_way(instance)
        sys.stdout.write(f"{home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
