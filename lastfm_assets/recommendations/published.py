"""What readers see: the published lists as a Delta table, with every version of the last month.

Each publication is one commit; who reads sees the version before it or the one after, whole.
What a version is (model, source, precision, hash of its lists) lies in its commit, so that the
table tells its own history. So do the hashes of its files, see `commits`.
"""

import contextlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction
from upath import UPath

from lastfm_assets import durable
from lastfm_assets.commits import (
    check_state,
    files_of,
    guarded,
    require_whole_checkpoints,
    words_of,
)
from lastfm_assets.committing import added, commit, committing
from lastfm_assets.formats import version_of
from lastfm_assets.parts import names_of
from lastfm_assets.recommendations.delta import (
    GROUP,
    as_arrow,
    clear_errors,
    commits,
    hours,
    in_order,
    lists_at,
    lists_of_users,
    newest,
    newest_number,
    oldest_number,
    opened_or_cut_back,
    pairs_at,
    storage_options,
    upkeep,
    user_ids_at,
)
from lastfm_assets.recommendations.versions import (
    DAMAGE,
    RETENTION,
    About,
    Publication,
    Version,
    chosen_for_rollback,
    is_ours,
    metadata_of_publication,
    metadata_of_rollback,
    numbered,
    version_of_commit,
    versions_of,
)
from lastfm_assets.vocabulary import TOP_LIST, Columns, column_type

PLACE: Final = ("recommendations", "published")
"""Where the table lies in the store: a folder of Parquet files with `_delta_log`."""
_TRIES: Final = 20
"""How often a commit is tried that another publisher came before."""
_DESCRIPTION: Final = "The artists that each user is recommended, as readers see them."
_Done = TypeVar("_Done")


class PublishedLists:
    """The published lists of a store.

    A version can be restored until 30 days after it was replaced (`versions.RETENTION`); then
    its files go. Its entry in the history stays for as long again.
    """

    def __init__(self, root: UPath, *, retention: timedelta = RETENTION) -> None:
        self.place = root.joinpath(*PLACE)
        self._retention = retention
        self._options = storage_options(root)

    def publish(self, lists: pd.DataFrame, about: About) -> Publication:
        """Puts lists in the place of those that readers see, in one step.

        Equal lists are not written again. Lists that an operator has rolled back are left out
        until others come: a run on the same data must not undo a rollback.

        Args:
            lists: `TOP_LIST` columns; they are kept in the order of user and rank.
            about: what they were made by.

        Raises:
            StoreError: the store cannot be written to; readers see what they saw before.
        """
        ordered = in_order(lists)
        rows = as_arrow(ordered)
        return self._published(
            lambda: [self._written(rows)],
            about,
            Schema.from_arrow(rows.schema),
            users=int(ordered[Columns.USER].nunique()),
            rows=len(ordered),
            content=version_of(ordered),
        )

    def publish_parts(
        self, write: Callable[[], Sequence[AddAction]], about: About, **figures: Any
    ) -> Publication:
        """As `publish`, for lists that workers write into the table's folder themselves.

        Args:
            write: has Parquet files written there and says which they are, with the columns and
                types of `TOP_LIST`; nobody sees them before the commit. It is called once at
                most, and not where readers see these lists or may not see them.
            about: what they were made by.
            figures: `users`, `rows` and `content`, a hash of the lists, whatever their order.

        Raises:
            StoreError: the store cannot be written to; readers see what they saw before.
        """
        schema = Schema.from_arrow(as_arrow(no_lists()).schema)
        return self._published(write, about, schema, **figures)

    def _published(
        self,
        write: Callable[[], Sequence[AddAction]],
        about: About,
        schema: Schema,
        **figures: Any,
    ) -> Publication:
        parts: list[AddAction] = []

        def attempt() -> Publication:
            table = opened_or_cut_back(self.place, self._options)
            now = None if table is None else self._present(table, figures["content"])
            if now is not None and figures["content"] in now.held:
                return Publication("held", now)
            if now is not None and figures["content"] == now.content and not now.damage:
                return Publication("unchanged", now)
            if not parts:
                parts.extend(write())
            said = metadata_of_publication(about, at=datetime.now(UTC), **figures)
            return Publication("published", self._commit(table, parts, schema, said))

        done = self._tried(attempt, "written")
        self.expire()
        return done

    def current(self) -> tuple[pd.DataFrame, Version]:
        """What readers see, and what version it is.

        Raises:
            StoreError: nothing is published, or it cannot be read.
        """

        def attempt() -> tuple[pd.DataFrame, Version]:
            return lists_at(self.place, self._open())

        return self._tried(attempt, "read")

    def version(self) -> Version:
        """What version readers see, without reading its lists; errors as in `current`."""
        return self._tried(lambda: newest(self.place, self._open())[0], "read")

    def lists_of(self, version: Version) -> pd.DataFrame:
        """The lists of a version that readers see or have just seen; errors as in `current`."""
        return self._tried(lambda: lists_at(self.place, self._open(version.number))[0], "read")

    def of_users(self, user_ids: Sequence[int], version: Version) -> pd.DataFrame:
        """The lists of some users, without reading those of all; errors as in `current`."""

        def attempt() -> pd.DataFrame:
            return lists_of_users(self.place, self._open(version.number), user_ids)

        return self._tried(attempt, "read")

    def user_ids(self, version: Version) -> np.ndarray:
        """(n,) int64, rising: every user with a list; errors as in `current`."""
        return self._tried(lambda: user_ids_at(self.place, self._open(version.number)), "read")

    def pairs_of(self, version: Version) -> tuple[np.ndarray, np.ndarray]:
        """(n,) users and (n,) artists of a version's lists, int64; errors as in `current`."""
        return self._tried(lambda: pairs_at(self.place, self._open(version.number)), "read")

    def damage(self) -> str:
        """What is wrong with the files of the lists that readers see; empty: nothing.

        Raises:
            StoreError: nothing is published, or the log cannot be read.
        """

        def attempt() -> str:
            now = self._present(self._open())
            return "its log is damaged" if now is None else now.damage

        return self._tried(attempt, "read")

    def read(self, number: int) -> pd.DataFrame:
        """The lists of one version.

        Raises:
            BadInputError: there is no such version, or its files have gone.
            StoreError: nothing is published, or it cannot be read.
        """

        def attempt() -> pd.DataFrame:
            numbered(number, self._history(self._open().version()))
            return lists_at(self.place, self._open(number))[0]

        return self._tried(attempt, "read")

    def history(self, *, thoroughly: bool = True) -> list[Version]:
        """Every version that the table remembers, newest first.

        Args:
            thoroughly: whether to hold the files of each against its checksums; else they are
                only looked for.

        Raises:
            StoreError: nothing is published.
        """

        def attempt() -> list[Version]:
            return self._history(newest_number(self.place), thoroughly=thoroughly)

        return self._tried(attempt, "read")

    def last_known(self) -> Version:
        """The newest version of which is known what it was, however damaged its lists are.

        Raises:
            StoreError: nothing is published, or nothing is known of it.
        """

        def attempt() -> Version:
            for version in versions_of(commits(self.place, newest_number(self.place))):
                if not version.damage:
                    return version
            raise ValueError("a Delta table that lastfm-assets has not written")

        return self._tried(attempt, "read")

    def rollback(self, to: int | None = None) -> Version:
        """Brings an earlier version back as a new one; what it replaces is held, see `publish`.

        Args:
            to: number of the version; None: the newest with other lists than the present ones.

        Raises:
            BadInputError: there is no such version, its files have gone, readers see its lists
                already, or there is nothing to go back to.
            StoreError: nothing is published, or the store cannot be written to.
        """

        def attempt() -> Version:
            table = self._open()
            versions = self._history(table.version(), thoroughly=True)
            target = chosen_for_rollback(to, versions)
            past = self._open(target.number)
            said = metadata_of_rollback(target, versions[0], datetime.now(UTC))
            return self._commit(table, self._named(past), past.schema(), said)

        return self._tried(attempt, "written")

    def expire(self) -> list[str]:
        """Removes files of versions replaced longer ago than the retention, and strays as old.

        Returns:
            The files that went, by their path in the table.

        Raises:
            StoreError: nothing is published, or the store cannot be written to.
        """

        def attempt() -> list[str]:
            table = self._open()
            gone = self._expired(table)
            for name in gone:
                (self.place / name).unlink(missing_ok=True)  # another publisher may do the same
            self._shorten_log(table)
            return gone

        return self._tried(attempt, "written")

    def _expired(self, table: DeltaTable) -> list[str]:
        """Files that no version of the retention names.

        delta-rs only finds them: its own removal adds two commits to the log, see `committing`.
        """
        return table.vacuum(
            hours(self._retention),
            dry_run=True,
            enforce_retention_duration=False,
            full=True,  # what a killed writer left is in no version
        )

    def _shorten_log(self, table: DeltaTable) -> None:
        """Drops entries twice the retention old, once no readable version is among them."""
        horizon = datetime.now(UTC) - 2 * self._retention
        first = self._first(table.version())
        if first is None or first.published_at >= horizon:
            return
        readable = [version for version in self._history(table.version()) if version.restorable]
        if all(version.published_at > horizon for version in readable):
            with committing(self.place) as uri:
                DeltaTable(uri, storage_options=self._options).create_checkpoint()
            table.cleanup_metadata()

    def _first(self, newest: int) -> Version | None:
        """The oldest version that the log tells of."""
        for number in range(oldest_number(self.place), newest + 1):
            with contextlib.suppress(ValueError):  # damaged
                words = words_of(self.place, number)
                if words is not None and is_ours(words):
                    return version_of_commit(words)
        return None

    def _written(self, rows: pa.Table) -> AddAction:
        """Rows in a file in the table's folder, which is in no version yet."""
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd", row_group_size=GROUP)
        path = self.place / f"part-00000-{uuid.uuid4().hex}.parquet"
        if isinstance(path, Path):
            durable.make_folder(path.parent)
            durable.write(path, [memoryview(sink.getvalue())])
        else:
            path.write_bytes(sink.getvalue().to_pybytes())
        return added(path, path.name, rows.num_rows)

    def _named(self, table: DeltaTable) -> list[AddAction]:
        """The files of a table's state."""
        known = pa.table(table.get_add_actions()).to_pylist()
        return [added(self.place / one["path"], one["path"], one["num_records"]) for one in known]

    def _commit(
        self,
        table: DeltaTable | None,
        parts: Sequence[AddAction],
        schema: Schema,
        said: Mapping[str, str | int],
    ) -> Version:
        """One commit on top of the state that `table` was opened at, or the first one."""
        number = commit(
            self.place,
            parts,
            schema,
            said,
            on=None if table is None else table.version(),
            options=self._options,
            name="published",
            description=_DESCRIPTION,
            configuration=upkeep(self._retention),
        )
        return newest(self.place, self._open(number))[0]

    def _present(self, table: DeltaTable, content: str | None = None) -> Version | None:
        """What readers see, and its damage; None where nobody knows any more what it was.

        Args:
            table: in its newest state.
            content: of the lists at hand; files of others, which they replace, are not looked at.

        Raises:
            ValueError: somebody else has made the table.
        """
        for words in commits(self.place, table.version()):
            if DAMAGE in words:
                return None
            if is_ours(words):
                now = version_of_commit(words)
                if files_of(words) is None:
                    return replace(now, damage="of an early format, which has no checksums")
                try:
                    check_state(words, names_of(table), table.schema().to_json())
                except ValueError as problem:
                    return replace(now, damage=str(problem))
                if content not in (None, now.content):
                    return now
                return self._checked(now, words, {}, waits_for_disk=True)
        raise ValueError("a Delta table that lastfm-assets has not written")

    def _history(self, number: int, *, thoroughly: bool = False) -> list[Version]:
        """Versions up to a state of the table, each with a look for its files.

        Args:
            number: of the state.
            thoroughly: whether to read the files and hold them against their hashes.
        """
        there = {path.name for path in self.place.iterdir()}
        seen: dict[str, str] = {}
        versions = []
        for words in commits(self.place, number):
            for version in versions_of([words]):
                known = replace(
                    version, restorable=not version.damage and self._names(words) <= there
                )
                if thoroughly and known.restorable:
                    known = self._checked(known, words, seen)
                versions.append(known)
        return versions

    def _names(self, words: Mapping[str, Any]) -> set[str]:
        """Files of the version that a commit made."""
        files = files_of(words)
        if files is not None:
            return set(files)
        try:
            return set(names_of(self._open(words["version"])))
        except (DeltaError, ValueError):  # the log before it has been shortened
            return {""}

    def _checked(
        self,
        version: Version,
        words: Mapping[str, Any],
        seen: dict[str, str],
        *,
        waits_for_disk: bool = False,
    ) -> Version:
        """A version with what is wrong with its files.

        Args:
            version: any.
            words: of its commit.
            seen: what was found of files before, which versions may share; filled.
            waits_for_disk: whether a file that the disk does not give now is no damage, but raised.

        Raises:
            OSError: such a file.
        """
        files = files_of(words)
        for name in files or ():
            if name not in seen:
                seen[name] = ""
                try:
                    with (self.place / name).open("rb") as file:
                        guarded(files, name, file).check()
                except (FileNotFoundError, ValueError) as problem:
                    seen[name] = f"{name}: {problem}"
                except OSError as problem:
                    if waits_for_disk:
                        raise OSError(problem.errno, problem.strerror, name) from problem
                    seen[name] = f"{name}: {problem}"
            if seen[name]:
                return replace(version, restorable=False, damage=seen[name])
        return version

    def _open(self, number: int | None = None) -> DeltaTable:
        require_whole_checkpoints(self.place)
        return DeltaTable(str(self.place), version=number, storage_options=self._options)

    def _tried(self, attempt: Callable[[], _Done], what: str) -> _Done:
        """Runs an attempt again where another publisher came first; delta-rs's errors as ours."""
        with clear_errors(self.place, what):
            for _ in range(_TRIES - 1):
                with contextlib.suppress(CommitFailedError):
                    return attempt()
            return attempt()


def no_lists() -> pd.DataFrame:
    """Lists of nobody, with the columns and types of those of somebody."""
    return pd.DataFrame({name: pd.Series(dtype=column_type(name)) for name in TOP_LIST})


def content_of(lists: pd.DataFrame) -> str:
    """SHA-256 (hex) of lists, whatever the order of their rows; see `Version.content`."""
    return version_of(in_order(lists))
