"""SIGKILL at any moment of a publication: readers find a whole version, and the next one works."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from child_process import line_from, running, tell
from published_worlds import about, lists_of, number_of
from serving_worlds import served_of, tables_of
from upath import UPath

from lastfm_assets.recommendations.duckdb_file import DuckDBFile
from lastfm_assets.recommendations.published import PublishedLists

pytestmark = pytest.mark.integration

PUBLISHERS = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from published_worlds import about, lists_of
from serving_worlds import served_of, tables_of
from upath import UPath
from lastfm_assets.recommendations.duckdb_file import DuckDBFile
from lastfm_assets.recommendations.published import PublishedLists

def publish(what, number):
    if what == "lists":
        PublishedLists(UPath(sys.argv[1])).publish(lists_of(number), about(number))
    else:
        DuckDBFile(Path(sys.argv[1])).publish(tables_of(number), served_of(number))

for line in sys.stdin:
    first, before, seconds = line.split()
    ready, told = os.pipe()
    child = os.fork()  # of a process that has imported everything and used nothing yet
    if child == 0:
        for number in range(int(first), int(first) + 100_000):
            if number == int(first) + int(before):
                os.write(told, b"x")
            publish(sys.argv[3], number)
    os.read(ready, 1)
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("killed", flush=True)
"""


def killed_publishers(place: Path, what: str, *, turns: int, seconds: float) -> Iterator[int]:
    """Each turn a publisher has been killed at a random moment of its first or second version."""
    chance = np.random.default_rng(20)
    with running(PUBLISHERS, place, what) as publishers:
        for turn in range(1, turns + 1):
            tell(publishers, f"{turn * 1000} {turn % 2} {chance.uniform(0.0, seconds)}")
            assert line_from(publishers.stdout) == "killed\n"
            yield turn


def test_a_killed_publisher_leaves_a_whole_version_of_the_lists(tmp_path: Path) -> None:
    published = PublishedLists(UPath(tmp_path))
    published.publish(lists_of(0), about(0))
    seen = set()
    for turn in killed_publishers(tmp_path, "lists", turns=30, seconds=0.1):
        seen.add(number_of(published.current()[0]))
        assert published.publish(lists_of(turn), about(turn)).outcome == "published"
        assert number_of(published.current()[0]) == turn
    assert max(seen) >= 1000  # every other was killed after its first commit


def test_a_killed_publisher_leaves_the_duckdb_file_whole(tmp_path: Path) -> None:
    database = DuckDBFile(tmp_path / "lists.duckdb")
    database.publish(tables_of(0), served_of(0))
    seen = set()
    for turn in killed_publishers(database.path, "file", turns=25, seconds=0.2):
        held = database.served()
        assert held is not None
        seen.add(held.version)
        with duckdb.connect(database.path, read_only=True) as connection:
            for name, frame in tables_of(held.version).by_name().items():
                found = connection.sql(f"FROM lastfm.{name}").df()
                pd.testing.assert_frame_equal(found, frame, check_exact=True)
        assert database.publish(tables_of(turn), served_of(turn)) is True
    assert max(seen) >= 1000  # every other had made a whole file
    left = [path for path in tmp_path.iterdir() if path != database.path]
    assert [path for path in left if ".partial" not in path.name] == []
