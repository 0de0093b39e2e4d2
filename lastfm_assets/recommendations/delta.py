"""The published lists' Delta table as delta-rs sees it: options, commits, rows and errors."""

import contextlib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from upath import UPath

from lastfm_assets.commits import (
    LOG,
    NewerTableError,
    check_state,
    damaged_checkpoints,
    files_of,
    guarded,
    is_sound_checkpoint,
    require_whole_checkpoints,
    told_as_damage,
    words_of,
)
from lastfm_assets.errors import BadInputError, StoreError, store_failures
from lastfm_assets.parts import names_of
from lastfm_assets.recommendations.versions import DAMAGE, Version, is_ours, version_of_commit
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import TOP_LIST, Columns, column_note

ORDER: Final = (Columns.USER, Columns.RANK)
"""What published rows are ordered by."""
GROUP: Final = 2**16
"""Rows of a group: few, as who asks for one user reads one of them."""
_ENTRY: Final = re.compile(r"\d{20}\.json")
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
        StoreError: there is no table, or it cannot be read or written; what a disk or a server
            did not give is its cause, see `errors.may_be_read_later`.
    """
    try:
        yield
    except TableNotFoundError:
        table, store = "/".join(place.parts[-2:]), place.parent.parent
        raise StoreError(
            f"{table} is not in the store {store}; run `lastfm-assets refresh`"
        ) from None
    except NewerTableError as problem:
        raise StoreError(f"{place}: {problem}") from None
    except (
        *store_failures(),
        DeltaError,
        ValueError,
        KeyError,
        TypeError,
        pa.ArrowException,
    ) as problem:
        said = one_line(_COLOURS.sub("", str(problem)))
        is_passing = isinstance(problem, store_failures()) and not isinstance(
            problem, FileNotFoundError
        )
        cure = "see to the disk or the server, then " * is_passing
        if what == "written":
            cure = "see to the disk, or remove that folder if it is damaged, and "
        raise StoreError(
            f"{place}: cannot be {what} ({said}); {cure}run `lastfm-assets refresh`"
        ) from (problem if is_passing else None)


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
    said = f"store {root}: cannot be opened with what AWS_* variables and ~/.aws say"
    try:
        server = root.fs.s3.meta
    except ValueError:  # which repeats the endpoint
        raise BadInputError(f"{said} (the endpoint is no URL); correct it") from None
    except store_failures() as problem:
        raise BadInputError(f"{said} ({one_line(problem)}); correct them") from None
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
    commit whatever version its table is at, and numbers all of them wrongly then. One that is
    damaged has only its `version`, and in `DAMAGE` what is wrong.

    Raises:
        NewerTableError: a newer program has made the table.
    """
    oldest = oldest_number(place)
    for version in range(number, oldest - 1, -1):
        try:
            words = words_of(place, version)
        except NewerTableError:
            raise
        except ValueError as problem:
            yield {"version": version, DAMAGE: str(problem)}
            continue
        if words is None:
            words = {"version": version, DAMAGE: f"{version:020}.json of its log is missing"}
        yield words


def newest_number(place: UPath) -> int:
    """Number of a log's last entry, whatever is in it.

    Raises:
        TableNotFoundError: there is no log, or it has no entry.
    """
    try:
        numbers = _numbers(_names_in(place / LOG))
    except (FileNotFoundError, NotADirectoryError):
        numbers = []
    if not numbers:
        raise TableNotFoundError(str(place))
    return int(numbers[-1])


def oldest_number(place: UPath) -> int:
    """Number of the first commit that a table's log has to go back to.

    A log that was shortened begins with a checkpoint; of another one the beginning has been lost.
    """
    names = _names_in(place / LOG)
    first = next(iter(_numbers(names)), "0")
    is_shortened = any(name.startswith(f"{first}.checkpoint") for name in names)
    return int(first) if is_shortened else 0


def _names_in(log: UPath) -> list[str]:
    return [path.name for path in log.iterdir()]


def _numbers(names: Sequence[str]) -> list[str]:
    """Twenty digits for each entry of a log, rising."""
    return sorted(name[:20] for name in names if _ENTRY.fullmatch(name))


def opened_or_cut_back(place: UPath, options: dict[str, str] | None) -> DeltaTable | None:
    """The table to commit on; None where there is none.

    Entries of a log that delta-rs cannot read are set aside, the newest first, until it can: they
    lie in the folder `_damaged` then. Versions before them can be gone back to.

    Raises:
        OSError: the disk or the server does not give the log now; it is left as it is.
    """
    while DeltaTable.is_deltatable(str(place), storage_options=options):
        try:
            require_whole_checkpoints(place)
            return DeltaTable(str(place), storage_options=options)
        except (DeltaError, ValueError):
            for path in _unreadable(place / LOG):
                _set_aside(path, place / "_damaged")
    return None


def _unreadable(log: UPath) -> list[UPath]:
    """What of a log to do without next: its newest entry, or checkpoints that mislead."""
    points = [path for path in log.iterdir() if "checkpoint" in path.name]
    numbers = _numbers(_names_in(log))
    if not numbers:  # nothing could be read behind the checkpoint that the log began with
        return points
    newest = numbers[-1]
    damaged = damaged_checkpoints(log.parent)
    if damaged:
        return [*damaged, *(one for one in points if one.name == "_last_checkpoint")]
    try:
        words_of(log.parent, int(newest))
    except NewerTableError:  # sound, and not for us
        raise
    except ValueError:
        return [log / f"{newest}.json", *(one for one in points if one.name.startswith(newest))]
    needed = f"{oldest_number(log.parent):020}.checkpoint"  # what was before it is nowhere else
    misleading = [
        one for one in points if not one.name.startswith(needed) and not _is_vouched_for(one)
    ]
    return misleading or [log / f"{newest}.json"]


def _is_vouched_for(checkpoint: UPath) -> bool:
    """Whether a checkpoint is known to say what the entries before it say."""
    is_file = isinstance(checkpoint, Path) and checkpoint.suffix == ".parquet"
    return is_file and is_sound_checkpoint(checkpoint, must_be_sealed=True)


def _set_aside(path: UPath, folder: UPath) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{uuid.uuid4().hex}-{path.name}").write_bytes(path.read_bytes())
    path.unlink()


def newest(place: UPath, table: DeltaTable) -> tuple[Version, dict[str, Any]]:
    """The version that readers of a table's state see, and what its commit says of itself.

    Raises:
        ValueError: somebody else has made the table, or its log is damaged.
    """
    for words in commits(place, table.version()):
        if DAMAGE in words:
            raise ValueError(words[DAMAGE])
        if is_ours(words):
            check_state(words, names_of(table), table.schema().to_json())
            return version_of_commit(words), words
    raise ValueError("a Delta table that lastfm-assets has not written")


def lists_at(place: UPath, table: DeltaTable) -> tuple[pd.DataFrame, Version]:
    """The lists of the state that a table is at, as they were published.

    Raises:
        ValueError: they are not.
    """
    version, words = newest(place, table)
    arrow = pa.concat_tables(_read(place, table, words), promote_options="default")
    if arrow.num_rows != version.rows:
        raise ValueError(
            f"{arrow.num_rows} rows, where version {version.number} has {version.rows}: another "
            "program has written to it"
        )
    return in_order(arrow.to_pandas(use_threads=False)), version


def lists_of_users(place: UPath, table: DeltaTable, user_ids: Sequence[int]) -> pd.DataFrame:
    """The lists of some users at the state that a table is at; raises as `lists_at`.

    Only the groups of rows are read that may hold them, as rows are ordered by user.
    """
    _, words = newest(place, table)
    arrow = pa.concat_tables(
        [
            part.filter(pc.field(Columns.USER).isin(list(user_ids)))
            for part in _read(place, table, words, user_ids=user_ids)
        ],
        promote_options="default",
    )
    return in_order(arrow.to_pandas(use_threads=False))


def user_ids_at(place: UPath, table: DeltaTable) -> np.ndarray:
    """(n,) int64, rising: every user with a list at a table's state; raises as `lists_at`."""
    return np.unique(pairs_at(place, table)[0])


def pairs_at(place: UPath, table: DeltaTable) -> tuple[np.ndarray, np.ndarray]:
    """(n,) users and (n,) artists of the lists at a table's state, int64; raises as `lists_at`."""
    _, words = newest(place, table)
    rows = pa.concat_tables(_read(place, table, words, columns=[Columns.USER, Columns.ARTIST]))
    return rows[Columns.USER].to_numpy(), rows[Columns.ARTIST].to_numpy()


def _read(
    place: UPath,
    table: DeltaTable,
    words: Mapping[str, Any],
    *,
    columns: list[str] | None = None,
    user_ids: Sequence[int] | None = None,
) -> Iterator[pa.Table]:
    """Each file of a table's state, only what was committed; of some users, groups with them."""
    names, files = names_of(table), files_of(words)
    for name in names:
        with (place / name).open("rb") as file, told_as_damage():
            parquet = pq.ParquetFile(guarded(files, name, file))
            groups = [
                n
                for n in range(parquet.num_row_groups)
                if user_ids is None or _may_hold(parquet.metadata.row_group(n), user_ids)
            ]
            # on this thread alone, see formats._from_parquet
            yield parquet.read_row_groups(groups, columns, use_threads=False)
    if not names:
        yield pa.schema(table.schema().to_arrow()).empty_table().select(columns or [*TOP_LIST])


def _may_hold(group: pq.RowGroupMetaData, user_ids: Sequence[int]) -> bool:
    """Whether a group of rows may have one of these users."""
    for n in range(group.num_columns):
        column = group.column(n)
        if column.path_in_schema == Columns.USER:
            said = column.statistics
            if said is None or not said.has_min_max:
                return True
            return any(said.min <= one <= said.max for one in user_ids)
    return True


def _rising(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether pairs of numbers never fall, the first number counting first."""
    step = np.diff(first)
    return bool(((step > 0) | ((step == 0) & (np.diff(second) >= 0))).all())
