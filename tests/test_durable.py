"""What takes the place of a file is written beside it, and no killed writer's rest stays."""

import fcntl
import os
import time
from pathlib import Path

import pytest
from child_process import line_from, running

from lastfm_assets import durable

KILLED_HALFWAY = """
import sys, time
from pathlib import Path
from lastfm_assets.durable import beside
with beside(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"half of it")
    print(folder.name, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_writer_has_left_goes_with_the_next_write(tmp_path: Path) -> None:
    # each kill in the middle of a write used to leave a file beside the table, for ever
    place = tmp_path / "table.parquet"
    with running(KILLED_HALFWAY, place) as writer:
        left = tmp_path / line_from(writer.stdout).strip()
        durable.replace(tmp_path / "other.parquet", [b"whole"])
        assert (left / "half").read_bytes() == b"half of it"  # it lives, and goes on writing
    assert left.is_dir()
    durable.replace(tmp_path / "other.parquet", [b"whole again"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.parquet"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "value"
    durable.replace(place, [b"old"])

    def broken() -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        durable.replace(place, (broken() for _ in range(1)))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("value", b"old")]


def test_half_a_file_of_an_earlier_version_goes_after_a_day(tmp_path: Path) -> None:
    old, fresh = (tmp_path / f".value.{n * 32}.partial" for n in "ab")
    for path in (old, fresh):
        path.write_bytes(b"half")
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    durable.replace(tmp_path / "value", [b"whole"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [fresh.name, "value"]


def test_what_another_program_writes_there_is_left_alone(tmp_path: Path) -> None:
    # a DuckDB file may lie in anybody's folder; whatever looked half written there went at once
    others = tmp_path / ".download.partial"
    others.mkdir()
    durable.replace(tmp_path / "value", [b"whole"])
    assert others.is_dir()


def test_a_folder_that_is_taken_away_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, taken = fcntl.flock, []

    def another_process_first(handle: int, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].rmdir()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", another_process_first)
    durable.replace(tmp_path / "value", [b"whole"])
    assert (tmp_path / "value").read_bytes() == b"whole"
    assert len(taken) == 1
