"""`lastfm-assets sql` as it is typed, over a store that the real command made."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pipeline_world import Command, Refreshed, snapshot

from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import About
from lastfm_assets.sql.listing import listing
from lastfm_assets.sql.query import frame
from lastfm_assets.sql.stored import StoredTables


def test_a_table_is_shown_and_cut_where_it_is_long(command: Command) -> None:
    ran = command("sql", "SELECT user_id, plays FROM listening.interactions ORDER BY ALL")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].split() == ["user_id", "plays"]
    assert len(lines) == 1 + 100
    assert ran.err == "100 of 14,182 rows are shown; --output csv or --output json has all\n"


def test_a_wide_table_stands_upright(command: Command) -> None:
    ran = command("sql", "FROM evaluation.leaderboard")
    assert ran.code == 0
    head, *lines = ran.out.splitlines()
    assert head.split() == ["column", *(word for n in range(1, 7) for word in ("row", str(n)))]
    assert lines[0].split()[0] == "model"
    assert ran.err.startswith("6 of 12 rows are shown")


def test_what_would_steer_a_terminal_is_neutralised(command: Command) -> None:
    ran = command("sql", "SELECT 'a' || chr(27) || '[31mred' || chr(8238) AS name")
    assert ran.code == 0
    assert ran.out.splitlines()[1].strip() == "a\ufffd[31mred\ufffd"


def test_csv_and_json_are_whole_and_alike(command: Command) -> None:
    query = "FROM recommendations.published ORDER BY user_id, rank"
    in_csv = command("sql", query, "--output", "csv", PYTHONIOENCODING="ascii")
    in_json = command("sql", query, "--output", "json", PYTHONIOENCODING="ascii")
    assert (in_csv.code, in_csv.err, in_json.code, in_json.err) == (0, "", 0, "")
    rows = list(csv.DictReader(io.StringIO(in_csv.out)))
    objects = json.loads(in_json.out)
    assert len(rows) == len(objects) > 2000
    assert rows == [{name: str(value) for name, value in one.items()} for one in objects]
    assert any(not row["artist_name"].isascii() for row in rows)


def test_published_lists_are_those_that_readers_see(store: Path) -> None:
    published = PublishedLists(Store(str(store)).root)
    lists, version = published.current()
    published.publish(lists[lists["rank"] == 1], About("als", version.source, 0.3, "a-run"))
    seen = frame(StoredTables(Store(str(store))), "FROM recommendations.published")
    assert seen["rank"].tolist() == [1] * lists["user_id"].nunique()


def test_a_query_may_come_from_stdin(refreshed: Refreshed, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "lastfm_assets.cli", "sql", "-", "--output", "csv"],
        input="SELECT count(*) AS users\nFROM users -- all of them\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"LASTFM_STORE": str(refreshed.store)},
    )
    assert ran.stdout == "users\n300\n"


def test_without_a_query_all_tables_are_listed_with_notes(command: Command) -> None:
    ran = command("sql")
    assert (ran.code, ran.err) == (0, "")
    assert command("sql", "--tables") == ran
    lines = ran.out.splitlines()
    assert lines[0] == "lastfm.users"
    assert "listening.interactions (14,182 rows)" in lines
    place = lines.index("listening.interactions (14,182 rows)")
    assert lines[place + 3].split(maxsplit=2) == [
        "plays",
        "BIGINT",
        "How often the user has played the artist.",
    ]


def test_every_column_that_is_listed_has_a_sentence(refreshed: Refreshed) -> None:
    found = listing(StoredTables(Store(str(refreshed.store))))
    without = found[found["note"] == ""]
    assert without[["table", "column"]].to_numpy().tolist() == []
    assert {"recommendations.published", "evaluation.champion", "insight.history"} <= {
        *found["table"]
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("FROM nowhere",), "error: no table 'nowhere' in the store"),
        (("FROM users", "--tables"), "error: expected either a query or --tables"),
        (("FROM users", "--output", "xml"), "'xml' is not one of"),
    ],
)
def test_mistakes_end_in_one_line_and_code_2(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    ran = command("sql", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.last_line
    assert len(ran.err.splitlines()) == 1


def test_an_empty_store_says_what_to_run(command: Command, tmp_path: Path) -> None:
    ran = command("sql", store=tmp_path / "empty")
    assert (ran.code, ran.out) == (2, "")
    assert ran.last_line.endswith("holds no table; run `lastfm-assets refresh`")


def test_asking_changes_nothing(command: Command, store: Path) -> None:
    before = snapshot(store)
    assert command("sql", "FROM recommendations.published", store=store).code == 0
    assert command("sql", "DROP TABLE users", store=store).code == 2
    assert snapshot(store) == before


def test_ctrl_c_ends_a_long_query(refreshed: Refreshed, tmp_path: Path) -> None:
    """Who reads more than a pipe holds has started: what comes now meets the command at work."""
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = -1"
    with subprocess.Popen(
        [sys.executable, "-m", "lastfm_assets.cli", "sql", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"LASTFM_STORE": str(refreshed.store)},
    ) as asked:
        try:
            assert asked.stdin is not None
            asked.stdin.write(f"-- {'x' * 1_000_000}\n{endless}")
            asked.stdin.close()
            time.sleep(0.5)  # into the query; wherever it is met, it ends in the same way
            assert asked.poll() is None
            asked.send_signal(signal.SIGINT)
            asked.stdin = None  # closed, which communicate does not expect
            _, said = asked.communicate(timeout=20)
        finally:
            asked.kill()
    assert asked.returncode == 130
    assert said.startswith("error: interrupted")
    assert len(said.splitlines()) == 1


def test_a_reader_that_has_enough_ends_it_quietly(refreshed: Refreshed, tmp_path: Path) -> None:
    query = "FROM listening.interactions CROSS JOIN range(20)"
    with subprocess.Popen(
        [sys.executable, "-m", "lastfm_assets.cli", "sql", query, "--output", "csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"LASTFM_STORE": str(refreshed.store)},
    ) as asked:
        assert asked.stdout is not None
        assert asked.stderr is not None
        assert asked.stdout.readline() == b"user_id,artist_id,plays,range\n"
        asked.stdout.close()
        said = asked.stderr.read()
    assert (asked.returncode, said) == (0, b"")
