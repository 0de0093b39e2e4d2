"""The published lists' Delta table as delta-rs sees it: options, commits, rows and errors."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, WriterProperties
from deltalake.exceptions import DeltaError, TableNotFoundError
from upath import UPath

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.formats import version_of
from lastfm_assets.recommendations.versions import Version, versions_of
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns, column_note

LOG_IS_OURS: Final = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
"""Commits leave older entries of the log alone: how long they are needed, only we know."""
ORDER: Final = (Columns.USER, Columns.RANK)
"""What published rows are ordered by."""
WRITTEN: Final = WriterProperties(compression="ZSTD", max_row_group_size=2**16)
"""Small groups of rows: who asks for one user reads one of them."""
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_MISREAD: Final = re.compile(r"[%?#\\\[\]^|\x00-\x1f]")
"""Characters of a folder's name that delta-rs 1.6 takes for something else, or stumbles over."""
_OPTIONS: Final = {
    "": {},
    "file": {},
    "s3": {
        "key": "aws_access_key_id",
        "secret": "aws_secret_access_key",
        "token": "aws_session_token",
        "endpoint_url": "aws_endpoint_url",
    },
    "gs": {"token": "google_service_account"},
    "az": {
        "account_name": "azure_storage_account_name",
        "account_key": "azure_storage_account_key",
    },
}
"""Protocols that fsspec and delta-rs both speak, and how each names the same options."""


@contextlib.contextmanager
def clear_errors(place: UPath, what: str) -> Iterator[None]:
    """Whatever goes wrong with the table at `place`, in one line.

    Args:
        place: the table's folder.
        what: `read` or `written`, for the message.

    Raises:
        StoreError: there is no table, or it cannot be read or written.
    """
    try:
        yield
    except TableNotFoundError:
        table, store = "/".join(place.parts[-2:]), place.parent.parent
        raise StoreError(
            f"{table} is not in the store {store}; run `lastfm-assets refresh`"
        ) from None
    except (DeltaError, OSError, ValueError, KeyError, TypeError, pa.ArrowException) as problem:
        said = one_line(_COLOURS.sub("", str(problem)))
        cure = "see to the disk, or remove that folder if it is damaged, and " * (what == "written")
        raise StoreError(
            f"{place}: cannot be {what} ({said}); {cure}run `lastfm-assets refresh`"
        ) from None


def storage_options(root: UPath) -> dict[str, str] | None:
    """What delta-rs needs to reach the store; what is not said here it reads from the environment.

    Raises:
        BadInputError: delta-rs cannot reach such a store.
    """
    if root.protocol not in _OPTIONS:
        raise BadInputError(
            f"store {root}: {root.protocol}:// cannot hold the published lists, which are a Delta "
            "table; expected a folder, s3://, gs:// or az://"
        )
    unfit = _MISREAD.search(str(root))
    if unfit:
        raise BadInputError(
            f"store {str(root)!r}: its name has {unfit[0]!r}, which Delta tables cannot lie under; "
            "expected a folder with another name"
        )
    names = _OPTIONS[root.protocol]
    given = {
        names[name]: str(value) for name, value in root.storage_options.items() if name in names
    }
    if root.protocol == "s3":
        given |= _as_botocore_found_it(root)
    return given or None


def _as_botocore_found_it(root: UPath) -> dict[str, str]:
    """Region and endpoint as s3fs uses them: delta-rs reads neither every variable nor the file."""
    server = root.fs.s3.meta
    found = {
        "aws_region": str(server.region_name),
        "aws_conditional_put": "etag",  # two publishers: the second is told
    }
    if not str(urlsplit(server.endpoint_url).hostname).endswith(
        (".amazonaws.com", ".amazonaws.com.cn")
    ):
        found["aws_endpoint_url"] = server.endpoint_url
        found["aws_allow_http"] = str(server.endpoint_url.startswith("http://")).lower()
    return found


def commit_of(said: Mapping[str, Any]) -> CommitProperties:
    """A commit that says this of itself."""
    # never retried by delta-rs itself: whether to publish depends on what is there by then
    return CommitProperties(custom_metadata=dict(said), max_commit_retries=0)


def in_order(lists: pd.DataFrame) -> pd.DataFrame:
    """Lists by user and rank; those that are so already are not copied."""
    if _rising(*(lists[column].to_numpy() for column in ORDER)):
        return lists.reset_index(drop=True)
    return lists.sort_values(list(ORDER), kind="stable", ignore_index=True)


def as_arrow(lists: pd.DataFrame) -> pa.Table:
    """The lists with a sentence on each column, which Delta keeps in its schema."""
    table = pa.Table.from_pandas(lists, preserve_index=False)
    fields = [field.with_metadata({"comment": column_note(field.name)}) for field in table.schema]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk; one that is gone by now needs no wait."""
    with contextlib.suppress(FileNotFoundError):  # another publisher's upkeep has come between
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def upkeep(retention: timedelta) -> dict[str, str]:
    """Properties of a table by which other programs keep what we need; see ADR 12."""
    return {
        "delta.deletedFileRetentionDuration": f"interval {hours(retention)} hours",
        "delta.logRetentionDuration": f"interval {2 * hours(retention)} hours",
        "delta.enableExpiredLogCleanup": "false",
        "delta.checkpointInterval": "10",
    }


def hours(retention: timedelta) -> int:
    """Whole hours, as delta-rs counts a retention."""
    return int(retention / timedelta(hours=1))


def commits(place: UPath, number: int) -> Iterator[dict[str, Any]]:
    """What each commit up to version `number` says of itself, with its `version`, newest first.

    Read from the log's own files: `DeltaTable.history` of delta-rs 1.6 goes on to the newest
    commit whatever version its table is at, and numbers all of them wrongly then.

    Raises:
        ValueError, TypeError, KeyError: a file of the log is damaged.
    """
    for version in range(number, -1, -1):
        try:
            content = (place / "_delta_log" / f"{version:020}.json").read_text("utf-8")
        except FileNotFoundError:  # the log has been shortened
            return
        for line in content.splitlines():
            action = json.loads(line)
            if "commitInfo" in action:
                yield {**action["commitInfo"], "version": version}


def newest(place: UPath, number: int) -> Version:
    """The version that readers of the table's state `number` see.

    Raises:
        ValueError: somebody else has made the table.
    """
    found = next(versions_of(commits(place, number)), None)
    if found is None:
        raise ValueError("a Delta table that lastfm-assets has not written")
    return found


def is_whole(table: DeltaTable, version: Version) -> bool:
    """Whether the files that readers need are there and hold what was published."""
    try:
        return version_of(lists_at(table, version)) == version.content
    except (DeltaError, OSError, ValueError, pa.ArrowException):
        return False


def lists_at(table: DeltaTable, version: Version) -> pd.DataFrame:
    """The lists of the state that a table is at, which is that of `version`.

    Raises:
        ValueError: they are not as many rows as were published.
    """
    # on this thread alone, see formats._from_parquet
    arrow = table.to_pyarrow_dataset().to_table(use_threads=False)
    if arrow.num_rows != version.rows:
        raise ValueError(
            f"{arrow.num_rows} rows, where version {version.number} has {version.rows}: another "
            "program has written to it"
        )
    return in_order(arrow.to_pandas(use_threads=False))


def lists_of_users(table: DeltaTable, user_ids: Sequence[int]) -> pd.DataFrame:
    """The lists of some users at the state that a table is at.

    Only the groups of rows are read that may hold them, as rows are ordered by user.
    """
    some = ds.field(Columns.USER).isin(list(user_ids))
    arrow = table.to_pyarrow_dataset().to_table(filter=some, use_threads=False)
    return in_order(arrow.to_pandas(use_threads=False))


def _rising(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether pairs of numbers never fall, the first number counting first."""
    step = np.diff(first)
    return bool(((step > 0) | ((step == 0) & (np.diff(second) >= 0))).all())
