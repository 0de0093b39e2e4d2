"""Servers that the integration tests share; each skips, and says why, where it is not installed."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """A real PostgreSQL server for the session, see `Postgres`; each test finds it running."""
    pytest.importorskip("psycopg2", reason="the driver of PostgreSQL is not installed")
    from postgres import binaries, running_postgres  # noqa: PLC0415 (it imports the driver)

    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin")
    with running_postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def _postgres_runs_again(request: pytest.FixtureRequest) -> None:
    """A server that the test before took down is up again."""
    if "postgres" in request.fixturenames:
        request.getfixturevalue("postgres").ensure_running()
