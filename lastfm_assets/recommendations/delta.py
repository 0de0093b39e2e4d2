"""What delta-rs needs to be told, and how its errors read."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from deltalake import CommitProperties, PostCommitHookProperties
from deltalake.exceptions import DeltaError, TableNotFoundError
from upath import UPath

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import column_note

LOG_IS_OURS: Final = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
"""Commits leave older entries of the log alone: how long they are needed, only we know."""
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
        raise StoreError(
            f"{place}: cannot be {what} ({said}); run `lastfm-assets refresh`"
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
        given["aws_conditional_put"] = "etag"  # two publishers: the second is told
    return given or None


def commit_of(said: Mapping[str, Any]) -> CommitProperties:
    """A commit that says this of itself."""
    # never retried by delta-rs itself: whether to publish depends on what is there by then
    return CommitProperties(custom_metadata=dict(said), max_commit_retries=0)


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
