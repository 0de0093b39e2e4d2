"""Damage to the published table: told by checksums, shown in the history, mended by publishing."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow.parquet as pq
import pytest
from published_worlds import about, lists_of, number_of
from upath import UPath

from lastfm_assets import commits, seals
from lastfm_assets.commits import _seal
from lastfm_assets.errors import BadInputError, StoreError, may_be_read_later
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


@contextlib.contextmanager
def not_given(path: Path) -> Iterator[None]:
    """Nobody can read the file, though nothing is wrong with it: as on a disk that is gone."""
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    yield
    path.rmdir()
    path.write_bytes(content)


@pytest.fixture
def shortened(tmp_path: Path) -> PublishedLists:
    """Version 11 is back after 12 was taken away; the log begins with the checkpoint of 9."""
    lists = PublishedLists(UPath(tmp_path / "store"))
    for number in range(13):
        lists.publish(lists_of(number), about(number))
    lists.rollback()
    for number in range(9):
        entry(lists, number).unlink()
    return lists


def test_a_checkpoint_that_the_disk_does_not_give_once_is_not_taken_for_damaged(
    shortened: PublishedLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was set aside, then the whole log behind it; lists that a rollback held came back."""
    before = [version.number for version in shortened.history()]
    tries = iter([OSError(errno.EIO, "Input/output error")])

    def check_at_second_try(file: IO[bytes], suffix: str) -> bool:
        for problem in tries:
            raise problem
        return seals.check(file, suffix)

    monkeypatch.setattr(commits, "check", check_at_second_try)
    with pytest.raises(StoreError, match="Input/output error"):
        shortened.publish(lists_of(12), about(12))
    assert [version.number for version in shortened.history()] == before
    assert shortened.publish(lists_of(12), about(12)).outcome == "held"


def test_a_damaged_entry_behind_the_checkpoint_that_a_log_begins_with_costs_what_follows_it(
    shortened: PublishedLists,
) -> None:
    """It cost everything: the sound checkpoint, which alone knows what came before, went first."""
    entry(shortened, 12).write_bytes(b"{")
    shortened.publish(lists_of(20), about(20))
    assert [version.number for version in shortened.history()] == [12, 11, 10, 9]
    assert number_of(shortened.current()[0]) == 20


def test_a_log_of_which_nothing_can_be_read_any_more_is_begun_anew(
    shortened: PublishedLists,
) -> None:
    """One whose first checkpoint is damaged without a seal to tell so, as in an object store."""
    (point,) = entry(shortened, 10).parent.glob("*.checkpoint.parquet")
    pq.write_table(pq.read_table(point), point)
    rows = pq.read_metadata(point).serialized_size + 8
    content = point.read_bytes()
    point.write_bytes(content[:4] + bytes(len(content) - rows - 4) + content[-rows:])
    assert shortened.publish(lists_of(20), about(20)).outcome == "published"
    assert number_of(shortened.current()[0]) == 20
    assert shortened.publish(lists_of(20), about(20)).outcome == "unchanged"


def test_lists_that_the_disk_does_not_give_now_are_not_published_once_more(
    published: PublishedLists,
) -> None:
    file = data_file(published, 2)
    with (
        not_given(file),
        pytest.raises(StoreError, match=rf"Is a directory: '{file.name}'") as told,
    ):
        published.publish(lists_of(3), about(3))
    assert may_be_read_later(told.value)
    assert published.publish(lists_of(3), about(3)).outcome == "unchanged"
    assert published.version().number == 2


def test_others_are_published_in_place_of_lists_that_the_disk_does_not_give(
    published: PublishedLists,
) -> None:
    with not_given(data_file(published, 2)):
        assert published.publish(lists_of(4), about(4)).outcome == "published"


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
