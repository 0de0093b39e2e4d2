"""Published lists: readers see one version whole, and an operator can go back a month."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from child_process import Process, line_from, running, tell
from deltalake import DeltaTable, write_deltalake
from published_worlds import about, lists_of, number_of
from upath import UPath

from lastfm_assets.commits import _seal
from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.recommendations.delta import in_order, newest
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import RETENTION
from lastfm_assets.vocabulary import TOP_LIST, column_note

AT_ONCE = timedelta(0)


@pytest.fixture
def root(tmp_path: Path) -> UPath:
    return UPath(tmp_path / "store")


@pytest.fixture
def published(root: UPath) -> PublishedLists:
    return PublishedLists(root)


def folder(lists: PublishedLists) -> Path:
    return Path(str(lists.place))


def publish(lists: PublishedLists, *numbers: int) -> None:
    for number in numbers:
        lists.publish(lists_of(number), about(number))


class TestSomeUsers:
    """Their lists are read without those of all."""

    def test_have_the_lists_of_the_whole_table(self, published: PublishedLists) -> None:
        version = published.publish(lists_of(1), about(1)).version
        found = published.of_users([7, 3], version)
        whole = lists_of(1)
        expected = whole[whole["user_id"].isin([3, 7])].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
        assert published.of_users([1000], version).empty
        assert published.user_ids(version).tolist() == list(range(1, 41))
        assert published.version() == version

    def test_keep_the_version_that_was_asked_for(self, published: PublishedLists) -> None:
        first = published.publish(lists_of(1), about(1)).version
        published.publish(lists_of(2, users=5), about(2))
        assert set(published.of_users([3], first)["model"]) == {"model 1"}
        assert len(published.user_ids(first)) == 40
        assert number_of(published.lists_of(first)) == 1
        assert published.version().number > first.number

    def test_are_in_one_small_group_of_rows(self, published: PublishedLists) -> None:
        published.publish(lists_of(1, users=20_000), about(1))
        (name,) = folder(published).glob("*.parquet")
        groups = pq.ParquetFile(name).metadata
        most = max(groups.row_group(n).num_rows for n in range(groups.num_row_groups))
        assert groups.num_row_groups >= 200_000 / 2**16
        assert most <= 2**16
        first = groups.row_group(0).column(0)
        assert first.path_in_schema == "user_id"
        assert first.statistics.max < 20_000


def test_lists_that_are_in_order_are_not_copied() -> None:
    ordered = lists_of(1)
    assert np.shares_memory(in_order(ordered)["score"], ordered["score"])
    mixed = ordered.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(in_order(mixed), ordered, check_exact=True)


class TestAPublication:
    def test_is_read_as_it_was_handed_in(self, published: PublishedLists) -> None:
        done = published.publish(lists_of(1), about(1))
        lists, version = published.current()
        pd.testing.assert_frame_equal(lists, lists_of(1), check_exact=True)
        assert tuple(lists.columns) == TOP_LIST
        assert (done.outcome, done.version) == ("published", version)

    def test_says_what_it_was_made_by_and_when(self, published: PublishedLists) -> None:
        before = datetime.now(UTC) - timedelta(milliseconds=1)
        version = published.publish(lists_of(3), about(3)).version
        assert before <= version.published_at <= datetime.now(UTC)
        said = {name: getattr(version, name) for name in asdict(about(3))}
        assert said == asdict(about(3))
        assert (version.action, version.users, version.rows) == ("published", 40, 400)
        assert (version.restored, version.restorable) == (None, True)
        assert len(version.content) == 64

    def test_takes_the_place_of_the_one_before(self, published: PublishedLists) -> None:
        publish(published, 1, 2, 3)
        assert number_of(published.current()[0]) == 3
        assert [v.model for v in published.history()] == ["model 3", "model 2", "model 1"]

    def test_of_the_same_lists_writes_nothing(self, published: PublishedLists) -> None:
        publish(published, 1)
        before = sorted(folder(published).rglob("*"))
        done = published.publish(lists_of(1), about(2))
        assert (done.outcome, done.version.run_id) == ("unchanged", "run-1")
        assert sorted(folder(published).rglob("*")) == before

    def test_of_the_same_lists_in_another_order_of_rows_writes_nothing(
        self, published: PublishedLists
    ) -> None:
        publish(published, 1)
        shuffled = lists_of(1).sample(frac=1, random_state=1)
        assert published.publish(shuffled, about(1)).outcome == "unchanged"

    @pytest.mark.parametrize(
        ("column", "value"),
        [("score", 0.25), ("artist_name", "Else"), ("because", ""), ("rank", 11)],
    )
    def test_of_one_other_value_is_a_version(
        self, published: PublishedLists, column: str, value: Any
    ) -> None:
        publish(published, 1)
        changed = lists_of(1)
        changed.loc[399, column] = value
        assert published.publish(changed, about(1)).outcome == "published"

    def test_leaves_the_frame_alone(self, published: PublishedLists) -> None:
        shuffled = lists_of(1).sample(frac=1, random_state=1)
        before = shuffled.copy(deep=True)
        published.publish(shuffled, about(1))
        pd.testing.assert_frame_equal(shuffled, before)

    def test_may_have_other_columns_than_the_one_before(self, published: PublishedLists) -> None:
        publish(published, 1)
        published.publish(lists_of(2).assign(plays=1), about(2))
        assert list(published.current()[0].columns) == [*TOP_LIST, "plays"]
        published.rollback()
        assert number_of(published.current()[0]) == 1

    def test_may_have_no_rows(self, published: PublishedLists) -> None:
        publish(published, 1)
        published.publish(lists_of(2).iloc[:0], about(2))
        lists, version = published.current()
        assert (len(lists), version.rows, version.users) == (0, 0, 0)

    def test_is_not_looked_for_in_the_plain_file_of_an_older_store(
        self, published: PublishedLists
    ) -> None:
        old = folder(published).with_suffix(".parquet")
        old.parent.mkdir(parents=True)
        lists_of(1).to_parquet(old)
        before = old.read_bytes()
        with pytest.raises(StoreError, match=r"^recommendations/published is not in the store"):
            published.current()
        publish(published, 2)
        assert number_of(published.current()[0]) == 2
        assert old.read_bytes() == before


class TestTheTable:
    def test_is_plain_delta_that_every_engine_reads(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        published.rollback()
        protocol = DeltaTable(folder(published)).protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
        assert not protocol.reader_features

    def test_says_what_each_column_holds(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        table = DeltaTable(folder(published))
        notes = {field.name: field.metadata["comment"] for field in table.schema().fields}
        assert notes == {column: column_note(column) for column in TOP_LIST}
        assert "recommended" in table.metadata().description

    def test_tells_other_programs_how_long_files_are_needed(
        self, published: PublishedLists
    ) -> None:
        publish(published, 1)
        said = DeltaTable(folder(published)).metadata().configuration
        assert said["delta.deletedFileRetentionDuration"] == "interval 720 hours"
        assert said["delta.enableExpiredLogCleanup"] == "false"

    def test_is_read_by_duckdb_through_arrow(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        lists = DeltaTable(folder(published)).to_pyarrow_dataset()
        with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
            database.register("lists", lists)
            found = database.sql(
                "SELECT user_id, artist_name FROM lists WHERE user_id = 7 ORDER BY rank"
            ).fetchall()
        expected = lists_of(2).query("user_id == 7")
        assert found == [(7, name) for name in expected["artist_name"]]

    def test_of_a_stranger_is_refused(self, published: PublishedLists) -> None:
        write_deltalake(folder(published), lists_of(1))
        with pytest.raises(StoreError, match=r"cannot be read .*lastfm-assets has not written"):
            published.current()

    def test_that_a_stranger_has_added_rows_to_is_refused(self, published: PublishedLists) -> None:
        publish(published, 1)
        write_deltalake(folder(published), lists_of(1).head(3), mode="append")
        with pytest.raises(StoreError, match="names other files than were committed"):
            published.current()

    @pytest.mark.parametrize("name", ["a b", "ü", "it's", "x+y"])
    def test_may_lie_in_a_folder_of_any_usual_name(self, tmp_path: Path, name: str) -> None:
        lists = PublishedLists(UPath(tmp_path / name))
        publish(lists, 1, 2)
        assert number_of(lists.current()[0]) == 2
        assert number_of(lists.read(0)) == 1
        assert (tmp_path / name / "recommendations/published/_delta_log").is_dir()

    @pytest.mark.parametrize("name", ["a%20b", "a[b", "a\\b", "a\nb", "a?b", "a#b"])
    def test_may_not_lie_where_delta_would_write_elsewhere(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(BadInputError, match="Delta tables cannot lie under") as caught:
            PublishedLists(UPath(tmp_path / name))
        assert str(caught.value).isprintable()

    def test_may_not_lie_in_memory(self) -> None:
        with pytest.raises(BadInputError, match="memory:// cannot hold the published lists"):
            PublishedLists(UPath("memory://somewhere"))


class TestARollback:
    def test_brings_back_the_lists_before(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        version = published.rollback()
        lists, now = published.current()
        assert number_of(lists) == 1
        assert now == version
        assert (now.action, now.restored, now.model) == ("rolled back", 0, "model 1")
        assert (now.precision, now.run_id, now.users) == (about(1).precision, "run-1", 40)
        first = published.history()[-1]
        assert now.content == first.content
        assert now.number > published.history()[1].number

    def test_goes_to_any_version(self, published: PublishedLists) -> None:
        publish(published, 1, 2, 3)
        assert published.rollback(published.history()[1].number).model == "model 2"
        assert number_of(published.current()[0]) == 2

    def test_after_a_rollback_goes_to_the_newest_with_other_lists(
        self, published: PublishedLists
    ) -> None:
        publish(published, 1, 2)
        published.rollback()
        assert published.rollback().model == "model 2"

    def test_holds_against_the_lists_that_it_took_away(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        now = published.rollback()
        done = published.publish(lists_of(2), about(2))
        assert (done.outcome, done.version) == ("held", now)
        assert number_of(published.current()[0]) == 1

    def test_holds_for_many_nights(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        published.rollback()
        outcomes = [published.publish(lists_of(2), about(2)).outcome for _ in range(3)]
        assert outcomes == ["held"] * 3

    def test_lets_other_lists_through(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        published.rollback()
        assert published.publish(lists_of(3), about(3)).outcome == "published"
        assert published.publish(lists_of(2), about(2)).outcome == "published"

    def test_is_taken_back_by_naming_the_version(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        taken = published.history()[0].number
        published.rollback()
        published.rollback(taken)
        assert number_of(published.current()[0]) == 2
        assert published.publish(lists_of(2), about(2)).outcome == "unchanged"

    def test_twice_holds_against_both(self, published: PublishedLists) -> None:
        publish(published, 1, 2, 3)
        published.rollback()
        published.rollback(to=0)
        assert published.publish(lists_of(3), about(3)).outcome == "held"
        assert published.publish(lists_of(2), about(2)).outcome == "held"
        assert published.publish(lists_of(1), about(1)).outcome == "unchanged"

    def test_has_nothing_to_go_to_after_one_version(self, published: PublishedLists) -> None:
        publish(published, 1)
        with pytest.raises(BadInputError, match="nothing to go back to: version 0 is the only"):
            published.rollback()

    @pytest.mark.parametrize("number", [7, -1, 2**70])
    def test_to_no_version_names_those_there_are(
        self, published: PublishedLists, number: int
    ) -> None:
        publish(published, 1, 2)
        with pytest.raises(BadInputError, match=rf"no version {number}; expected one of 1, 0$"):
            published.rollback(number)

    def test_to_what_readers_see_is_refused(self, published: PublishedLists) -> None:
        publish(published, 1, 2)
        with pytest.raises(BadInputError, match="version 1 holds the lists that readers see"):
            published.rollback(1)

    def test_of_nothing_published_says_what_to_run(self, published: PublishedLists) -> None:
        with pytest.raises(StoreError, match=r"is not in the store .*`lastfm-assets refresh`$"):
            published.rollback()


class TestAVersionThatWasReplaced:
    def test_is_kept_for_a_month(self, published: PublishedLists) -> None:
        assert timedelta(days=30) == RETENTION
        publish(published, 1, 2, 3)
        assert published.expire() == []
        assert [number_of(published.read(v.number)) for v in published.history()] == [3, 2, 1]
        assert [v.restorable for v in published.history()] == [True] * 3

    def test_expires_and_is_remembered_as_expired(
        self, root: UPath, published: PublishedLists
    ) -> None:
        publish(published, 1, 2)
        gone = PublishedLists(root, retention=AT_ONCE).expire()
        assert len(gone) == 1
        now, before = published.history()
        assert (now.restorable, before.restorable, before.model) == (True, False, "model 1")
        assert number_of(published.current()[0]) == 2
        with pytest.raises(BadInputError, match=r"version 0 can no longer be read: .* one of 1$"):
            published.read(0)
        with pytest.raises(BadInputError, match=r"version 0 can no longer be read: .* one of 1$"):
            published.rollback(0)
        with pytest.raises(BadInputError, match="nothing to go back to"):
            published.rollback()

    def test_expires_at_the_end_of_a_publication(self, root: UPath) -> None:
        lists = PublishedLists(root, retention=AT_ONCE)
        publish(lists, 1, 2, 3)
        assert len(list(folder(lists).glob("*.parquet"))) == 1
        assert number_of(lists.current()[0]) == 3

    def test_does_not_expire_while_it_is_what_readers_see(
        self, root: UPath, published: PublishedLists
    ) -> None:
        publish(published, 1, 2)
        published.rollback()
        PublishedLists(root, retention=AT_ONCE).expire()
        assert number_of(published.current()[0]) == 1
        assert [v.restorable for v in published.history()] == [True, False, True]
        assert published.publish(lists_of(2), about(2)).outcome == "held"

    def test_expires_together_with_what_a_killed_writer_left(
        self, published: PublishedLists
    ) -> None:
        publish(published, 1)
        old, fresh = (folder(published) / f"part-{name}.parquet" for name in ("old", "fresh"))
        for stray in (old, fresh):
            stray.write_bytes(b"half a file")
        month = time.time() - RETENTION.total_seconds() - 3600
        os.utime(old, (month, month))
        assert published.expire() == [old.name]
        assert (old.exists(), fresh.exists()) == (False, True)
        assert number_of(published.current()[0]) == 1

    def test_leaves_the_log_short_in_the_end(self, root: UPath) -> None:
        """Commits of 70 days ago go; the present version still says what it is."""
        lists = PublishedLists(root)
        publish(lists, *range(1, 25))
        # files of the first twenty versions went in the past: so it looks after a long time
        for name in PublishedLists(root, retention=AT_ONCE)._expired(lists._open()):
            (folder(lists) / name).unlink()
        age_commits(folder(lists) / "_delta_log", up_to=20, days=70)
        publish(lists, 30)
        history = lists.history()
        assert history[0].model == "model 30"
        assert [v.model for v in history][:5] == [f"model {n}" for n in (30, 24, 23, 22, 21)]
        assert history[-1].number >= 9
        assert number_of(lists.current()[0]) == 30
        assert not (folder(lists) / "_delta_log" / f"{0:020}.json").exists()

    def test_keeps_the_log_as_long_as_a_version_of_that_time_can_be_read(
        self, published: PublishedLists
    ) -> None:
        """A version that served for 69 days and was replaced now can be restored for a month."""
        publish(published, *range(1, 25))
        age_commits(folder(published) / "_delta_log", up_to=20, days=70)
        publish(published, 30)
        assert len(published.history()) == 25
        assert number_of(published.read(0)) == 1


def age_commits(log: Path, *, up_to: int, days: int) -> None:
    """Makes the first commits of a table look as if they were made days ago."""
    then = time.time() - days * 86_400
    for entry in sorted(log.iterdir()):
        if entry.name.startswith("_") or int(entry.name[:20]) > up_to:
            continue
        if entry.suffix == ".json":
            first, *rest = entry.read_text().splitlines()
            said = json.loads(first)
            info = said["commitInfo"]
            info["timestamp"] = info["published_at"] = int(then * 1000)
            info["seal"] = _seal(info, info["seal"].split()[1:])
            entry.write_text("\n".join([json.dumps(said), *rest]))
        os.utime(entry, (then, then))


READER = """
import sys
sys.path.insert(0, sys.argv[2])
from published_worlds import number_of
from upath import UPath
from lastfm_assets.recommendations.published import PublishedLists
lists = PublishedLists(UPath(sys.argv[1]))
print("ready", flush=True)
seen = []
while not seen or seen[-1] < 30:
    found, version = lists.current()
    seen.append(number_of(found))
    assert version.model == f"model {seen[-1]}"
print(len(seen), len(set(seen)), seen == sorted(seen), flush=True)
"""

PUBLISH = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from published_worlds import about, lists_of
from upath import UPath
from lastfm_assets.errors import StoreError
from lastfm_assets.recommendations.published import PublishedLists
first, last, limit = map(int, sys.argv[3:])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
lists = PublishedLists(UPath(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    for number in range(first, last):
        lists.publish(lists_of(number), about(number))
except StoreError as problem:
    sys.exit(f"StoreError: {problem}")
"""


class TestAReaderInAnotherProcess:
    def test_sees_whole_versions_while_thirty_are_published(
        self, root: UPath, published: PublishedLists
    ) -> None:
        publish(published, 0)
        with running(READER, root) as reader:
            assert line_from(reader.stdout) == "ready\n"
            for number in range(1, 31):
                publish(published, number)
                time.sleep(0.02)
            out, err = reader.communicate(timeout=30)
        assert err == ""
        reads, different, in_order = out.split()
        assert int(reads) >= int(different) > 3
        assert in_order == "True"


class TestAStateThatHasBeenReplaced:
    def test_is_told_as_the_version_that_it_is(self, published: PublishedLists) -> None:
        """delta-rs itself gives such a state the newest commits, under the wrong numbers."""
        publish(published, 1, 2)
        before = published._open()
        publish(published, 3)
        assert newest(published.place, before)[0].model == "model 2"
        told = [(v.number, v.model) for v in published._history(before.version())]
        assert told == [(1, "model 2"), (0, "model 1")]


class TestTwoPublishersAtOnce:
    def test_both_end_and_nothing_is_mixed(self, root: UPath, published: PublishedLists) -> None:
        """Also the very first version, which both want to make."""
        with running(PUBLISH, root, 100, 108, 0) as one, running(PUBLISH, root, 200, 208, 0) as two:
            said = [process.communicate("\n", timeout=60)[1] for process in both_started(one, two)]
        assert said == ["", ""]
        history = published.history()
        assert len(history) == 16
        assert {number_of(published.read(v.number)) for v in history} == {
            *range(100, 108),
            *range(200, 208),
        }

    def test_remove_the_same_expired_files(self, root: UPath, published: PublishedLists) -> None:
        publish(published, *range(8))
        failed: list[BaseException] = []

        def work() -> None:
            try:
                PublishedLists(root, retention=AT_ONCE).expire()
            except BaseException as problem:  # noqa: BLE001 (shown by the test's own thread)
                failed.append(problem)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert number_of(published.current()[0]) == 7
        assert len(list(folder(published).glob("*.parquet"))) == 1

    def test_in_one_process_both_end(self, root: UPath) -> None:
        failed: list[BaseException] = []

        def work(first: int) -> None:
            try:
                publish(PublishedLists(root), *range(first, first + 10))
            except BaseException as problem:  # noqa: BLE001 (shown by the test's own thread)
                failed.append(problem)

        threads = [threading.Thread(target=work, args=(first,)) for first in (100, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(PublishedLists(root).history()) == 20


def both_started(*processes: Process) -> tuple[Process, ...]:
    """Lets processes that wait for a line go at the same moment."""
    for process in processes:
        assert line_from(process.stdout) == "ready\n"
    for process in processes:
        tell(process, "")
    return processes


class TestAFullDisk:
    @pytest.mark.parametrize("limit", [100, 2_000])
    def test_leaves_the_version_before(
        self, root: UPath, published: PublishedLists, limit: int
    ) -> None:
        publish(published, 1)
        with running(PUBLISH, root, 2, 3, limit) as process:
            err = process.communicate("\n", timeout=30)[1]
        assert process.returncode == 1
        # above it delta-rs may say that a thread of its own has ended
        last = err.splitlines()[-1]
        assert last.startswith(f"StoreError: {published.place}: cannot be written (")
        assert last.isprintable()
        assert number_of(published.current()[0]) == 1
        publish(published, 2)
        assert number_of(published.current()[0]) == 2

    def test_before_the_first_version_leaves_none(
        self, root: UPath, published: PublishedLists
    ) -> None:
        with running(PUBLISH, root, 2, 3, 100) as process:
            err = process.communicate("\n", timeout=30)[1]
        assert err.splitlines()[-1].startswith("StoreError: ")
        with pytest.raises(StoreError, match="recommendations/published is not in the store"):
            published.current()
        publish(published, 2)
        assert number_of(published.current()[0]) == 2


class TestADamagedTable:
    def test_without_its_lists_is_refused_in_one_line(self, published: PublishedLists) -> None:
        publish(published, 1)
        for path in folder(published).glob("*.parquet"):
            path.unlink()
        assert_refused(published)

    @pytest.mark.parametrize("content", [b"", b"noise" * 999])
    def test_with_broken_lists_is_refused_in_one_line(
        self, published: PublishedLists, content: bytes
    ) -> None:
        publish(published, 1)
        for path in folder(published).glob("*.parquet"):
            path.write_bytes(content)
        assert_refused(published)

    @pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x" * 5000)])
    def test_is_mended_by_publishing_the_same_lists(
        self, published: PublishedLists, damage: Callable[[Path], Any]
    ) -> None:
        publish(published, 1)
        for path in folder(published).glob("*.parquet"):
            damage(path)
        assert published.publish(lists_of(1), about(1)).outcome == "published"
        assert number_of(published.current()[0]) == 1

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b'{"commitInfo": {}}\n'])
    def test_with_a_broken_log_is_refused_in_one_line(
        self, published: PublishedLists, content: bytes
    ) -> None:
        publish(published, 1)
        (folder(published) / "_delta_log" / f"{0:020}.json").write_bytes(content)
        assert_refused(published)

    def test_that_is_a_file_is_refused_in_one_line(self, published: PublishedLists) -> None:
        folder(published).parent.mkdir(parents=True)
        folder(published).write_text("x")
        assert_refused(published)
        with pytest.raises(StoreError, match=r"published: cannot be written \("):
            publish(published, 1)


def assert_refused(published: PublishedLists) -> None:
    with pytest.raises(StoreError, match=r"published: cannot be read \(|is not in") as caught:
        published.current()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_a_publisher_that_is_interrupted_by_ctrl_c_leaves_a_whole_version(
    root: UPath, published: PublishedLists
) -> None:
    publish(published, 1)
    with running(PUBLISH, root, 2, 10_000, 0) as process:
        tell(process, "")
        deadline = time.monotonic() + 30
        while published.current()[1].model == "model 1" and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert number_of(published.current()[0]) > 1
