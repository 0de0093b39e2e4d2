"""Damage to the published table: told by checksums, shown in the history, mended by publishing."""

import json
import os
from pathlib import Path

import pytest
from published_worlds import about, lists_of, number_of
from upath import UPath

from lastfm_assets.commits import _seal
from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.recommendations.published import PublishedLists


@pytest.fixture
def published(tmp_path: Path) -> PublishedLists:
    lists = PublishedLists(UPath(tmp_path / "store"))
    for number in (1, 2, 3):
        lists.publish(lists_of(number), about(number))
    return lists


def entry(lists: PublishedLists, number: int) -> Path:
    return Path(str(lists.place), "_delta_log", f"{number:020}.json")


def data_file(lists: PublishedLists, number: int) -> Path:
    lines = map(json.loads, entry(lists, number).read_text().splitlines())
    (name,) = (line["add"]["path"] for line in lines if "add" in line)
    return Path(str(lists.place), name)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def test_a_flipped_bit_in_the_lists_is_told_by_everything_that_serves(
    published: PublishedLists,
) -> None:
    """One in a page of scores gave other scores; nobody noticed."""
    version = published.version()
    flip(data_file(published, 2), 4_000)
    for read in (
        published.current,
        lambda: published.of_users([3], version),
        lambda: published.user_ids(version),
        lambda: published.lists_of(version),
        lambda: published.pairs_of(version),
    ):
        with pytest.raises(StoreError, match=r"published: cannot be read \(it is damaged"):
            read()


def test_lists_of_another_version_under_the_name_of_this_one_are_refused(
    published: PublishedLists,
) -> None:
    data_file(published, 2).write_bytes(data_file(published, 1).read_bytes())
    with pytest.raises(StoreError, match="it is damaged"):
        published.current()


def test_an_old_version_that_is_damaged_is_shown_and_not_brought_back(
    published: PublishedLists,
) -> None:
    flip(data_file(published, 1), 4_000)
    now, damaged, first = published.history()
    assert (now.restorable, damaged.restorable, first.restorable) == (True, False, True)
    assert "cannot be brought back: part-" in damaged.in_words
    with pytest.raises(BadInputError, match="version 1 cannot be brought back: part-"):
        published.rollback(1)
    assert published.rollback().model == "model 1"


@pytest.mark.parametrize("damage", ["flipped", "emptied", "swapped", "deleted"])
def test_an_old_entry_of_the_log_that_is_damaged_hides_no_other_version(
    published: PublishedLists, damage: str
) -> None:
    broken = entry(published, 1)
    if damage == "flipped":
        flip(broken, broken.read_bytes().index(b"model 2") + 6)
    elif damage == "deleted":
        broken.unlink()
    else:
        broken.write_bytes(entry(published, 2).read_bytes() if damage == "swapped" else b"")
    now, lost, first = published.history()
    assert (lost.restorable, lost.model) == (False, "unknown")
    assert broken.name in lost.damage
    assert (now.number, first.number) == (2, 0)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("content", [b"", b"{", b'{"commitInfo": {}}\n'])
def test_publishing_goes_on_from_where_the_log_is_whole(
    published: PublishedLists, number: int, content: bytes
) -> None:
    """A broken log used to stop every refresh until somebody removed the folder."""
    entry(published, number).write_bytes(content)
    assert published.publish(lists_of(3), about(3)).outcome in ("published", "unchanged")
    assert number_of(published.current()[0]) == 3


def test_a_damaged_checkpoint_is_told_before_delta_rs_ends_over_it(tmp_path: Path) -> None:
    """It did so with a panic, after which no table could be read in that process any more."""
    lists = PublishedLists(UPath(tmp_path / "store"))
    for number in range(12):
        lists.publish(lists_of(number), about(number))
    (point,) = Path(str(lists.place), "_delta_log").glob("*.checkpoint.parquet")
    flip(point, point.stat().st_size - 500)
    with pytest.raises(StoreError, match=rf"{point.name} of its log is damaged"):
        lists.current()
    assert lists.publish(lists_of(12), about(12)).outcome == "published"
    assert number_of(lists.current()[0]) == 12
    assert len(lists.history()) == 13


@pytest.mark.parametrize("reader", [1, 99])
def test_a_table_of_a_newer_program_is_neither_read_nor_written_to(
    published: PublishedLists, reader: int
) -> None:
    """What delta-rs could not read of it was set aside as damaged, and written over."""
    newest = entry(published, 2)
    first, *rest = map(json.loads, newest.read_text().splitlines())
    info = first["commitInfo"]
    info["format"] = 99
    info["seal"] = _seal(info, info["seal"].split()[1:])
    protocol = {"protocol": {"minReaderVersion": reader, "minWriterVersion": 2}}
    newest.write_text("\n".join(map(json.dumps, [first, protocol, *rest])))
    told = "its format is 99, this version reads up to" if reader == 1 else "cannot be read"
    with pytest.raises(StoreError, match=told):
        published.current()
    with pytest.raises(StoreError, match="its format is 99, this version reads up to"):
        published.publish(lists_of(4), about(4))
    assert sorted(os.listdir(newest.parent)) == [f"{n:020}.json" for n in range(3)]  # noqa: PTH208
