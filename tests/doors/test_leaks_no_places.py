"""What readers are handed names no folder of the machine that made it, and no user of it."""

import getpass
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_contents import shown
from pipeline_world import Command, Refreshed

from lastfm_assets.io import Store
from lastfm_assets.sql import query
from lastfm_assets.sql.stored import StoredTables

PLACES = re.compile(
    r"(?:(?<![\w.:/])|file://)/(?:home|root|tmp|var|opt|usr|work|srv|private|Users)/[\w.-]+"
)
"""A path as a machine has it; a page's own links begin with a host."""


def said_by(file: Path) -> str:
    text = shown(file)
    if file.parent.name == "_delta_log":  # delta-rs notes where it made the table, see SECURITY.md
        text = re.sub(r'"location":"file://[^"]*"', "", text, count=1)
    return text


def files(store: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(store.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(store)), said_by(file)


def test_no_stored_file_names_a_place(refreshed: Refreshed) -> None:
    """The report, the published table with its log, the serving database, and all behind them."""
    every = dict(files(refreshed.store))
    assert {"insight/report.html", "recommendations/serving.duckdb"} <= {*every}
    assert any(name.startswith("recommendations/published/_delta_log/") for name in every)
    user = getpass.getuser()
    for name, text in every.items():
        assert str(refreshed.store) not in text, name
        assert str(refreshed.home) not in text, name
        assert PLACES.findall(text) == [], name
        assert f"/{user}/" not in text, name


@pytest.mark.parametrize(
    "arguments",
    [
        ("recommend", "--user", "2", "--json"),
        ("similar", "--artist", "1", "--json"),
        ("history", "--json"),
        ("sql", "SELECT * FROM evaluation.leaderboard", "--output", "json"),
        ("sql", "SELECT * FROM recommendations.top_artists", "--output", "csv"),
    ],
    ids=lambda arguments: arguments[0] + arguments[-1],
)
def test_no_export_names_a_place(
    command: Command, refreshed: Refreshed, arguments: tuple[str, ...]
) -> None:
    ran = command(*arguments)
    assert ran.code == 0, ran.err
    assert ran.out
    for place in (refreshed.store, refreshed.home):
        assert str(place) not in ran.out
    found = PLACES.findall(ran.out)
    assert found == [], found


def test_no_table_that_sql_reaches_names_a_place(refreshed: Refreshed) -> None:
    stored = StoredTables(Store(str(refreshed.store)))
    names = sorted(stored.names())
    assert names
    for name in names:
        schema, table = name.split(".")
        with query.answered(stored, f'FROM "{schema}"."{table}"') as answer:
            text = str([*answer.batches])
        assert PLACES.findall(text) == [], name
