"""A few of the kills of `crashes.py`; `make torture` has hundreds, over servers, too."""

from pathlib import Path

from crashes import crashes


def test_a_killed_refresh_leaves_a_whole_version_and_the_next_one_goes_on(tmp_path: Path) -> None:
    done = crashes(tmp_path, kills={"local": 2}, seed=1, sources=2)
    assert done.wrong == []
    assert done.kills["local"] == 2
    assert set(done.stops) == {"SIGTERM", "SIGINT"}
