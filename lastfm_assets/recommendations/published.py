"""What readers see: the published lists as a Delta table, with every version of the last month.

Each publication is one commit; who reads sees the version before it or the one after, whole.
What a version is (model, source, precision, hash of its lists) lies in its commit, so that the
table tells its own history.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions
from upath import UPath

from lastfm_assets.formats import version_of
from lastfm_assets.recommendations.delta import (
    LOG_IS_OURS,
    WRITTEN,
    as_arrow,
    clear_errors,
    commit_of,
    commits,
    hours,
    in_order,
    is_whole,
    lists_at,
    lists_of_users,
    newest,
    storage_options,
    sync,
    upkeep,
)
from lastfm_assets.recommendations.versions import (
    RETENTION,
    About,
    Publication,
    Version,
    chosen_for_rollback,
    metadata_of_publication,
    metadata_of_rollback,
    numbered,
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
        rows, content = as_arrow(ordered), version_of(ordered)
        said = metadata_of_publication(
            about,
            users=int(ordered[Columns.USER].nunique()),
            rows=len(ordered),
            content=content,
        )

        def attempt() -> Publication:
            table = self._open() if self._exists() else None
            if table is not None:
                now = newest(self.place, table.version())
                if content == now.content and is_whole(table, now):
                    return Publication("unchanged", now)
                if content in now.held:
                    return Publication("held", now)
            return Publication("published", self._write(table, rows, said))

        done = self._tried(attempt, "written")
        self.expire()
        return done

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
        parts: list[AddAction] = []

        def attempt() -> Publication:
            table = self._open() if self._exists() else None
            if table is not None:
                now = newest(self.place, table.version())
                if figures["content"] == now.content and self._history(table)[0].restorable:
                    return Publication("unchanged", now)
                if figures["content"] in now.held:
                    return Publication("held", now)
            if not parts:
                parts.extend(write())
            said = metadata_of_publication(about, **figures)
            return Publication("published", self._commit_parts(table, parts, said))

        done = self._tried(attempt, "written")
        self.expire()
        return done

    def current(self) -> tuple[pd.DataFrame, Version]:
        """What readers see, and what version it is.

        Raises:
            StoreError: nothing is published, or it cannot be read.
        """

        def attempt() -> tuple[pd.DataFrame, Version]:
            table = self._open()
            now = newest(self.place, table.version())
            return lists_at(table, now), now

        return self._tried(attempt, "read")

    def version(self) -> Version:
        """What version readers see, without reading its lists; errors as in `current`."""
        return self._tried(lambda: newest(self.place, self._open().version()), "read")

    def lists_of(self, version: Version) -> pd.DataFrame:
        """The lists of a version that readers see or have just seen; errors as in `current`."""
        return self._tried(lambda: lists_at(self._open(version.number), version), "read")

    def of_users(self, user_ids: Sequence[int], version: Version) -> pd.DataFrame:
        """The lists of some users, without reading those of all; errors as in `current`."""

        def attempt() -> pd.DataFrame:
            return lists_of_users(self._open(version.number), user_ids)

        return self._tried(attempt, "read")

    def user_ids(self, version: Version) -> np.ndarray:
        """(n,) int64, rising: every user with a list; errors as in `current`."""

        def attempt() -> np.ndarray:
            lists = self._open(version.number).to_pyarrow_dataset()
            return np.unique(lists.to_table([Columns.USER], use_threads=False)[0].to_numpy())

        return self._tried(attempt, "read")

    def read(self, number: int) -> pd.DataFrame:
        """The lists of one version.

        Raises:
            BadInputError: there is no such version, or its files have gone.
            StoreError: nothing is published, or it cannot be read.
        """

        def attempt() -> pd.DataFrame:
            table = self._open()
            version = numbered(number, self._history(table))
            table.load_as_version(version.number)
            return lists_at(table, version)

        return self._tried(attempt, "read")

    def history(self) -> list[Version]:
        """Every version that the table remembers, newest first; errors as in `current`."""
        return self._tried(lambda: self._history(self._open()), "read")

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
            versions = self._history(table)
            target = chosen_for_rollback(to, versions)
            table.restore(
                target.number,
                commit_properties=commit_of(metadata_of_rollback(target, versions[0])),
                post_commithook_properties=LOG_IS_OURS,
            )
            return self._settled()

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
            gone = self._vacuum(table, dry_run=True)
            if gone:  # each vacuum adds two commits to the log, none where nothing goes
                self._vacuum(table, dry_run=False)
            self._shorten_log(table)
            return gone

        return self._tried(attempt, "written")

    def _vacuum(self, table: DeltaTable, *, dry_run: bool) -> list[str]:
        return table.vacuum(
            hours(self._retention),
            dry_run=dry_run,
            enforce_retention_duration=False,
            full=True,  # what a killed writer left is in no version
            post_commithook_properties=LOG_IS_OURS,
        )

    def _shorten_log(self, table: DeltaTable) -> None:
        """Drops entries twice the retention old, once no readable version is among them."""
        known = list(self._versions(table))
        horizon = datetime.now(UTC) - 2 * self._retention
        if known[-1].published_at >= horizon:
            return
        readable = [version for version in self._history(table) if version.restorable]
        if all(version.published_at > horizon for version in readable):
            table.create_checkpoint()
            table.cleanup_metadata()

    def _write(self, table: DeltaTable | None, rows: pa.Table, said: Mapping[str, Any]) -> Version:
        """One commit on top of the state that `table` was opened at, or the first one."""
        try:
            write_deltalake(
                self._uri if table is None else table,
                rows,
                mode="error" if table is None else "overwrite",
                schema_mode=None if table is None else "overwrite",
                name="published",
                description=_DESCRIPTION,
                configuration=upkeep(self._retention) if table is None else None,
                storage_options=self._options,
                writer_properties=WRITTEN,
                commit_properties=commit_of(said),
                post_commithook_properties=LOG_IS_OURS,
            )
        except DeltaError:
            if table is None and self._exists():  # another publisher has made the table
                raise CommitFailedError("another publisher came first") from None
            raise
        return self._settled()

    def _commit_parts(
        self, table: DeltaTable | None, parts: list[AddAction], said: Mapping[str, Any]
    ) -> Version:
        """As `_write`, of files that are there already."""
        schema = Schema.from_arrow(as_arrow(no_lists()).schema)
        how: dict[str, Any] = {
            "commit_properties": commit_of(said),
            "post_commithook_properties": LOG_IS_OURS,
        }
        if table is not None:
            table.create_write_transaction([*parts], "overwrite", schema, **how)
            return self._settled()
        try:
            create_table_with_add_actions(
                self._uri,
                schema,
                parts,
                "error",
                name="published",
                description=_DESCRIPTION,
                configuration=upkeep(self._retention),
                storage_options=self._options,
                **how,
            )
        except DeltaError:
            if self._exists():  # another publisher has made the table
                raise CommitFailedError("another publisher came first") from None
            raise
        return self._settled()

    def _settled(self) -> Version:
        """The present version, made to survive a power cut where the store is a folder."""
        table = self._open()
        if isinstance(self.place, Path):  # delta-rs leaves its files to the kernel's cache
            log = self.place / "_delta_log"
            files = [self.place / Path(uri).name for uri in table.file_uris()]
            for path in (*files, log / f"{table.version():020}.json", self.place, log):
                sync(path)
        return newest(self.place, table.version())

    def _history(self, table: DeltaTable) -> list[Version]:
        """Versions up to the state that `table` is at, each with a look for its files."""
        there = {path.name for path in self.place.iterdir()}
        past, versions = self._open(), []
        for version in self._versions(table):
            try:
                past.load_as_version(version.number)
                names = {uri.rpartition("/")[2] for uri in past.file_uris()}
            except DeltaError:  # the log before it has been shortened
                names = {""}
            versions.append(replace(version, restorable=names <= there))
        return versions

    def _versions(self, table: DeltaTable) -> Iterator[Version]:
        return versions_of(commits(self.place, table.version()))

    @property
    def _uri(self) -> str:
        return str(self.place)

    def _exists(self) -> bool:
        return DeltaTable.is_deltatable(self._uri, storage_options=self._options)

    def _open(self, number: int | None = None) -> DeltaTable:
        return DeltaTable(self._uri, version=number, storage_options=self._options)

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
