"""Invented worlds as files: the same bytes from the same seed, and readable as what they are."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.load import load
from lastfm_assets.sources.generated_files import write_folder, write_table
from lastfm_assets.sources.generated_names import artist_names
from lastfm_assets.sources.generator import World, listening

WORLD: Final = World.of_size(30_000, seed=5)
BROKEN: Final = 4
"""Rows of a block that are spoilt; two may meet in one."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Description of a table."""
    return write_table(WORLD, tmp_path_factory.mktemp("generated"), name="mine")


def test_the_same_world_is_the_same_bytes(table: Path, tmp_path: Path) -> None:
    again = write_table(WORLD, tmp_path, name="mine")
    assert again == tmp_path / "mine.toml"
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (table.parent / file.name).read_bytes()
    write_table(World.of_size(30_000, seed=6), tmp_path)
    plays = "plays.tsv"
    assert (tmp_path / plays).read_bytes() != (table.parent / plays).read_bytes()


def test_there_is_a_line_for_each_pair_and_some_lack_the_artists_id(table: Path) -> None:
    lines = (table.parent / "plays.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == WORLD.pairs
    fields = [line.split("\t") for line in lines]
    assert sum(len(each) != 4 for each in fields) == 1
    without_id = sum(each[1] == "" for each in fields)
    assert 0.010 < without_id / len(lines) < 0.016


def test_lines_hold_what_the_stream_gives(table: Path) -> None:
    lines = (table.parent / "plays.tsv").read_text(encoding="utf-8").splitlines()
    (block,) = listening(WORLD)
    names = artist_names(block.artists).to_pylist()
    agree = 0
    for line, user, name, plays in zip(lines, block.users, names, block.plays, strict=True):
        digest = hashlib.sha1(b"%d" % user, usedforsecurity=False).hexdigest()
        agree += line.startswith(f"{digest}\t") and line.endswith(f"\t{name}\t{plays}")
    assert WORLD.pairs - BROKEN <= agree < WORLD.pairs


def test_a_table_can_be_loaded_and_only_its_spoilt_lines_are_rejected(table: Path) -> None:
    found = load(str(table), data_folder=table.parent)
    assert found.about.source == "generated-30000"
    (block,) = listening(WORLD)
    kept = found.interactions
    assert WORLD.pairs - BROKEN <= len(kept) < WORLD.pairs
    assert kept["user_id"].nunique() == WORLD.users
    # an artist all of whose few rows lack the id counts by name: one artist all the same
    heard = len(np.unique(block.artists))
    assert heard - BROKEN <= kept["artist_id"].nunique() <= heard
    assert 0 < len(found.rejected_rows) <= BROKEN
    said = " ".join(found.rejected_rows["reason"])
    assert "user is missing" in said
    assert "plays is not a whole number" in said


def test_progress_is_told_by_the_block(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    world = World(pairs=9_000, users=9_000, artists=500)
    write_table(world, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_folder_is_read_as_hetrecs_files_are(tmp_path: Path) -> None:
    folder = write_folder(WORLD, tmp_path / "folder")
    found = load(str(folder), data_folder=tmp_path)
    (block,) = listening(WORLD)
    assert len(found.rejected_rows) == 0
    assert len(found.interactions) == WORLD.pairs
    assert len(found.artists) == WORLD.artists
    kept = found.interactions.sort_values(["user_id", "artist_id"])
    order = np.lexsort((block.artists, block.users))
    np.testing.assert_array_equal(kept["user_id"], block.users[order] + 1)
    np.testing.assert_array_equal(kept["artist_id"], block.artists[order] + 1)
    np.testing.assert_array_equal(kept["plays"], block.plays[order])


@pytest.mark.parametrize("write", [write_table, write_folder])
def test_a_folder_that_cannot_be_made_is_named(write: object, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("mine")
    assert callable(write)
    with pytest.raises(BadInputError, match=r"a file: the example cannot be written \(File exi"):
        write(World.of_size(100), tmp_path / "a file")
