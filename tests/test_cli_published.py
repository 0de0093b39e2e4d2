"""`history` and `rollback` as an operator gives them, over a store that the real command made."""

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pipeline_world import Command

from lastfm_assets import cli
from lastfm_assets.io import Store
from lastfm_assets.recommendations import serve
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import About


@pytest.fixture
def two_versions(store: Path) -> Path:
    """A store whose readers see other lists than those before: each user's, upside down."""
    published = PublishedLists(Store(str(store)).root)
    lists, version = published.current()
    others = lists.assign(artist_id=lists["artist_id"].to_numpy()[::-1])
    published.publish(others, About("ease", version.source, 0.3, "a-run"))
    return store


def first_artist(command: Command, store: Path, user: int = 2) -> int:
    ran = command("recommend", "--user", str(user), "-n", "1", "--json", store=store)
    assert ran.code == 0, ran.err
    return int(json.loads(ran.out)[0]["artist_id"])


def history(command: Command, store: Path) -> list[dict[str, Any]]:
    ran = command("history", "--json", store=store)
    assert ran.code == 0, ran.err
    versions: list[dict[str, Any]] = json.loads(ran.out)
    return versions


def test_history_shows_versions_the_newest_first(command: Command, two_versions: Path) -> None:
    ran = command("history", store=two_versions)
    assert (ran.code, ran.err) == (0, "")
    head, newest, oldest = ran.out.splitlines()
    assert head.split() == [
        "version",
        "published",
        "model",
        "precision@10",
        "users",
        "source",
        "what",
    ]
    assert (newest.split()[0], oldest.split()[0]) == ("1", "0")
    assert "ease" in newest
    newest_first = history(command, two_versions)
    assert [version["model"] for version in newest_first] == ["ease", newest_first[1]["model"]]
    assert newest_first[1]["source"] == "sample"


def test_rollback_brings_back_the_lists_and_serves_them(
    command: Command, two_versions: Path
) -> None:
    changed = first_artist(command, two_versions)
    ran = command("rollback", store=two_versions)
    assert ran.code == 0
    assert "readers see version 0 again, as version 2" in ran.err
    assert "serving.duckdb" in ran.err
    again = first_artist(command, two_versions)
    assert again != changed
    with duckdb.connect(str(two_versions / "recommendations/serving.duckdb"), read_only=True) as db:
        query = (
            "SELECT artist_id, version FROM lastfm.recommendations WHERE user_id = 2 AND rank = 1"
        )
        assert db.execute(query).fetchall() == [(again, 2)]
    assert [version["action"] for version in history(command, two_versions)] == [
        "rolled back",
        "published",
        "published",
    ]


def test_rollback_to_a_number_goes_there_and_forth_again(
    command: Command, two_versions: Path
) -> None:
    changed = first_artist(command, two_versions)
    assert command("rollback", "--to", "0", store=two_versions).code == 0
    assert first_artist(command, two_versions) != changed
    assert command("rollback", "--to", "1", store=two_versions).code == 0
    assert first_artist(command, two_versions) == changed


def test_rollback_that_cannot_be_served_says_how_it_can_and_that_it_is_done(
    command: Command, two_versions: Path
) -> None:
    """It said "then try again": a second rollback showed readers the bad lists once more."""
    gone = "postgresql://u:planted@127.0.0.1:1/lists"
    ran = command("rollback", store=two_versions, LASTFM_PUBLISH_URL=gone)
    assert ran.code == 2
    done, missing = ran.err.splitlines()
    assert done == "readers see version 0 again, as version 2"
    assert "those of the serving database do not yet (" in missing
    assert missing.endswith("run `lastfm-assets refresh`, and not another rollback")
    assert "planted" not in ran.err
    again = first_artist(command, two_versions)
    ran = command("refresh", "--source", "sample", store=two_versions)
    assert ran.code == 0, ran.err
    with duckdb.connect(str(two_versions / "recommendations/serving.duckdb"), read_only=True) as db:
        query = "SELECT artist_id FROM lastfm.recommendations WHERE user_id = 2 AND rank = 1"
        assert db.execute(query).fetchall() == [(again,)]


def test_rollback_that_is_interrupted_as_it_is_served_says_that_it_is_done(
    two_versions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It said that what was published before is unchanged."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "serve", interrupted)
    monkeypatch.setattr(sys, "argv", ["lastfm-assets", "rollback", "--store", str(two_versions)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    done, missing = capsys.readouterr().err.splitlines()
    assert done == "readers see version 0 again, as version 2"
    assert "do not yet (interrupted)" in missing
    assert "unchanged" not in missing


@pytest.mark.parametrize("to", ["7", "-1", "x", "1.5", ""])
def test_rollback_to_what_is_no_version_changes_nothing(
    command: Command, two_versions: Path, to: str
) -> None:
    before = history(command, two_versions)
    ran = command("rollback", "--to", to, store=two_versions)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert len(ran.err.splitlines()) == 1
    assert history(command, two_versions) == before


def test_rollback_with_nothing_to_go_back_to_says_so(command: Command, store: Path) -> None:
    ran = command("rollback", store=store)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1


def test_both_say_what_to_do_where_nothing_was_published(command: Command, tmp_path: Path) -> None:
    for name in ("history", "rollback"):
        ran = command(name, store=tmp_path / "nothing")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.rstrip().endswith("run `lastfm-assets refresh`")
