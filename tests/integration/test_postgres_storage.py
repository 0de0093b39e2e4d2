"""Dagster's runs in a real PostgreSQL database in the place of SQLite files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from pipeline_world import Ran, run_command

if TYPE_CHECKING:
    from postgres import Postgres

pytestmark = pytest.mark.integration
psycopg2 = pytest.importorskip("psycopg2", reason="the driver of PostgreSQL is not installed")
pytest.importorskip("dagster_postgres", reason="the extra `postgres` is not installed")


def refresh(folder: Path, url: str | None, *more: str) -> Ran:
    """`lastfm-assets refresh` of the sample, its runs kept in a database or in files."""
    environment = {"LASTFM_DAGSTER_URL": url} if url else {}
    return run_command(
        *("refresh", "--source", "sample", *more),
        home=folder / "home",
        store=folder / "store",
        **environment,
    )


def password_of(url: str) -> str:
    password = urlsplit(url).password
    assert password
    return password


def all_text(folder: Path) -> str:
    """Everything that is written under a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(path.read_bytes().decode(errors="replace") for path in files)


@pytest.fixture
def database(postgres: "Postgres") -> str:
    """URL of an empty database."""
    return postgres.database("dagster")


def test_a_refresh_is_kept_in_the_database_and_nothing_in_files(
    database: str, tmp_path: Path
) -> None:
    ran = refresh(tmp_path, database)
    assert ran.code == 0, ran.err
    connection = psycopg2.connect(database)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pipeline_name, status FROM runs")
        assert cursor.fetchall() == [("refresh", "SUCCESS")]
        cursor.execute("SELECT count(*) FROM event_logs WHERE asset_key LIKE '%published%'")
        ((published,),) = cursor.fetchall()
        assert published > 0
    connection.close()
    home = tmp_path / "home"
    assert [path.name for path in home.iterdir() if path.name in {"history", "runs"}] == []
    assert list(home.rglob("*.db")) == []
    written = ran.out + ran.err + all_text(home) + all_text(tmp_path / "store")
    assert password_of(database) not in written


def test_the_files_come_back_when_the_variable_goes(database: str, tmp_path: Path) -> None:
    assert refresh(tmp_path, database, "--select", "raw").code == 0
    assert refresh(tmp_path, None, "--select", "raw").code == 0
    assert (tmp_path / "home" / "history").is_dir()


@pytest.mark.parametrize("how", ["stopped", "wrong password", "no such database"])
def test_a_database_that_cannot_be_used_is_said_in_one_line(
    how: str, database: str, postgres: "Postgres", tmp_path: Path
) -> None:
    url = {
        "stopped": database,
        "wrong password": database.replace(password_of(database), "S3CRET"),
        "no such database": database.removesuffix("dagster") + "elsewhere",
    }[how]
    if how == "stopped":
        postgres.stop()
    ran = refresh(tmp_path, url)
    reason = {
        "stopped": "the connection is refused",
        "wrong password": "it does not take user and password",
        "no such database": "there is no such database or user",
    }[how]
    assert ran.code == 2
    assert ran.out == ""
    place = f"{urlsplit(url).hostname}:{urlsplit(url).port}"
    assert ran.err == (
        f"error: Dagster's database on {place} cannot be used: {reason}; start it or correct "
        "LASTFM_DAGSTER_URL\n"
    )
    assert not os.path.lexists(tmp_path / "store")
