"""The queries of the README, taken from it and asked."""

import re
from pathlib import Path
from typing import Any

import pytest
from pipeline_world import Refreshed

from lastfm_assets.io import Store
from lastfm_assets.sql.query import answered
from lastfm_assets.sql.stored import StoredTables

README = Path(__file__).parents[2] / "README.md"
SECTION = re.search(
    r"^## Ask in SQL\n(.*?)^## ", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
QUERIES = re.findall(r"```sql\n(.*?)```", SECTION[1] if SECTION else "", re.DOTALL)

Row = dict[str, Any]


def asked(refreshed: Refreshed, query: str) -> list[Row]:
    stored = StoredTables(Store(str(refreshed.store)))
    with answered(stored, query) as answer:
        batches = list(answer.batches)
        return [dict(zip(answer.columns, row, strict=True)) for rows in batches for row in rows]


def query_of(*words: str) -> str:
    """The one query that has these words."""
    (found,) = [query for query in QUERIES if all(word in query for word in words)]
    return str(found)


def test_there_are_ten_queries_and_each_has_a_sentence() -> None:
    assert len(QUERIES) >= 10
    assert SECTION is not None
    assert len(re.findall(r":\n\n```sql\n", SECTION[1])) == len(QUERIES)


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_finds_something(refreshed: Refreshed, query: str) -> None:
    (one,) = asked(refreshed, "SELECT name FROM artists JOIN user_taggedartists ON id = artistID "
                   "GROUP BY ALL ORDER BY count(*) DESC, name LIMIT 1")  # fmt: skip
    rows = asked(refreshed, query.replace("'Radiohead'", f"'{one['name']}'"))
    assert rows
    assert all(value is not None for name in rows[0] for value in [rows[0][name]])


def test_a_user_has_ten_with_reasons(refreshed: Refreshed) -> None:
    rows = asked(refreshed, query_of("user_id = 2", "because"))
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert rows[0]["score"] == 1.0
    assert "; " in rows[0]["because"]


def test_the_most_played_come_first_with_their_share(refreshed: Refreshed) -> None:
    rows = asked(refreshed, query_of("of_all_plays"))
    (whole,) = asked(refreshed, "SELECT sum(plays) AS plays FROM listening.interactions")
    assert [row["plays"] for row in rows] == sorted((row["plays"] for row in rows), reverse=True)
    assert rows[0]["of_all_plays"] == pytest.approx(rows[0]["plays"] / whole["plays"])


def test_the_best_model_has_its_interval(refreshed: Refreshed) -> None:
    rows = asked(refreshed, query_of("leaderboard", "verdict"))
    assert rows[0]["verdict"] == "best"
    assert all(row["low"] < row["precision"] < row["high"] for row in rows)


def test_whom_the_champion_serves_worst_others_serve_no_worse(refreshed: Refreshed) -> None:
    rows = asked(refreshed, query_of("evaluation.champion"))
    assert len(rows) == 10
    assert all(row["champion"] <= row["its_ndcg"] for row in rows)
    assert [row["champion"] for row in rows] == sorted(row["champion"] for row in rows)


def test_the_long_tail_is_counted(refreshed: Refreshed) -> None:
    (row,) = asked(refreshed, query_of("with_one_listener"))
    assert row["artists"] == 800
    assert 0.1 < row["plays_of_first_100"] < 1


def test_tags_of_a_year_are_shares_of_it(refreshed: Refreshed) -> None:
    rows = asked(refreshed, query_of("of_the_year"))
    years = [row["year"] for row in rows]
    assert years == sorted(years)
    assert all(years.count(year) == 3 for year in years)
    assert all(0 < row["of_the_year"] < 0.5 for row in rows)


def test_friends_share_what_both_play(refreshed: Refreshed) -> None:
    first = asked(refreshed, query_of("shared"))[0]
    plays = asked(refreshed, "SELECT user_id, artist_id FROM listening.interactions")
    of_user = {
        user: {row["artist_id"] for row in plays if row["user_id"] == user}
        for user in (first["userID"], first["friendID"])
    }
    assert len(of_user[first["userID"]] & of_user[first["friendID"]]) == first["shared"] > 0


def test_refused_rows_are_all_counted(refreshed: Refreshed) -> None:
    rows = asked(refreshed, query_of("rejected_rows"))
    (whole,) = asked(refreshed, "SELECT count(*) AS n FROM listening.rejected_rows")
    assert sum(row["rows"] for row in rows) == whole["n"] > 0
