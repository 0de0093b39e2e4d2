"""A few of the kills and losses of `tests/torture` over servers; `make torture` has hundreds."""

import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
TORTURE = Path(__file__).parents[1] / "torture"


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules of the torture tests, and nothing in the environment that they leave there."""
    monkeypatch.syspath_prepend(str(TORTURE))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "")  # restored afterwards, whatever a test has set
        monkeypatch.delenv(name)
    yield
    sys.modules.pop("crashes", None)


@pytest.mark.skipif(
    None in (importlib.util.find_spec("moto"), importlib.util.find_spec("s3fs")),
    reason="moto or s3fs is not installed",
)
def test_a_refresh_that_is_killed_over_an_object_store_leaves_a_whole_version(
    tmp_path: Path,
) -> None:
    from crashes import crashes  # noqa: PLC0415 (found by the fixture)

    done = crashes(tmp_path, kills={"s3": 3}, seed=2, sources=2)
    assert done.wrong == []
    assert done.kills["s3"] == 3


def test_a_refresh_that_is_killed_while_it_serves_from_postgresql_leaves_a_whole_version(
    tmp_path: Path,
) -> None:
    from crashes import crashes  # noqa: PLC0415

    _needs_postgres()
    done = crashes(tmp_path, kills={"postgres": 3}, seed=3, sources=2)
    assert done.wrong == []
    assert done.kills["postgres"] == 3


def test_a_database_that_is_lost_in_mid_transaction_is_served_once_it_is_back(
    tmp_path: Path,
) -> None:
    from faults import Faults, Trial, lost_database  # noqa: PLC0415
    from places import World, opened  # noqa: PLC0415
    from zygote import started  # noqa: PLC0415

    _needs_postgres()
    done = Faults()
    with started(tmp_path / "zygote") as zygote, opened("postgres", tmp_path / "place") as place:
        world = World.made(tmp_path, zygote, sources=2)
        chance = random.Random(4)  # noqa: S311 (not a secret)
        lost_database(Trial(world, place, done, chance), points=2)
    assert done.wrong == []
    assert done.tried["database lost"] == 2


def _needs_postgres() -> None:
    pytest.importorskip("psycopg2", reason="the driver of PostgreSQL is not installed")
    from postgres import binaries  # noqa: PLC0415 (it imports the driver)

    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin")
