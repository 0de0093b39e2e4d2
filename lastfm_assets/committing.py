"""Commits to a Delta table: what they name is on the disk before them, and so are they."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions
from upath import UPath

from lastfm_assets.commits import LOG, file_hashes, sealed
from lastfm_assets.durable import beside, make_folder, sync, write
from lastfm_assets.seals import sealed as sealed_file

LOG_IS_OURS: Final = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
"""Commits leave older entries of the log alone: how long they are needed, only we know."""
_LAST: Final = "_last_checkpoint"


def commit(
    place: UPath,
    adds: Sequence[AddAction],
    schema: Schema,
    said: Mapping[str, str | int],
    *,
    on: int | None,
    options: dict[str, str] | None,
    **about: Any,
) -> int:
    """Makes files that are there already the whole of a table, in one step.

    Args:
        place: the table's folder.
        adds: the files, as Delta names them.
        schema: of the table.
        said: what else the commit says of itself, see `commits.sealed`.
        on: version that the table must be at; None: there must be none.
        options: of delta-rs for that store.
        about: `name`, `description` and `configuration` of the table.

    Returns:
        The version that it is at now.

    Raises:
        CommitFailedError: somebody else came first.
        DeltaError, OSError: it cannot be written.
    """
    if isinstance(place, Path):
        _settle(place, adds)
    number = 0 if on is None else on + 1
    files = {one.path: file_hashes(place / one.path) for one in adds}
    words = sealed(number, said, files, schema.to_json())
    how: dict[str, Any] = {
        "commit_properties": commit_of(words),
        "post_commithook_properties": LOG_IS_OURS,
    }
    with committing(place) as uri:
        if on is not None:
            table = DeltaTable(uri, version=on, storage_options=options)
            if table.schema().to_json() == schema.to_json():
                table.create_write_transaction([*adds], "overwrite", schema, **how)
                return number
        mode: Any = "error" if on is None else "overwrite"
        try:
            create_table_with_add_actions(
                uri, schema, [*adds], mode, storage_options=options, **about, **how
            )
        except DeltaError as problem:
            if on is None and DeltaTable.is_deltatable(uri, storage_options=options):
                raise CommitFailedError("another publisher came first") from problem
            raise
    return number


def commit_of(said: Mapping[str, Any]) -> CommitProperties:
    """A commit that says this of itself."""
    # never retried by delta-rs itself: whether to publish depends on what is there by then
    return CommitProperties(custom_metadata=dict(said), max_commit_retries=0)


def added(path: UPath, name: str, rows: int) -> AddAction:
    """What a log says of a file that its table gets.

    Args:
        path: where the file lies.
        name: its path from the table's folder.
        rows: in it.
    """
    known = path.stat()
    return AddAction(
        path=name,
        size=int(known.st_size),
        partition_values={},
        modification_time=int(known.st_mtime * 1000),
        data_change=True,
        stats=json.dumps({"numRecords": rows}),
    )


@contextlib.contextmanager
def committing(place: UPath) -> Iterator[str]:
    """The URI under which delta-rs is to write one commit or checkpoint to a table.

    It leaves what it writes to the kernel's cache, under the final name: after a power cut the
    newest entry of a log could be empty, and the table unreadable. So in a folder it writes
    beside the table, over a log of links, and what is new gets its name once it is on the disk.

    Raises:
        CommitFailedError: somebody else came first.
    """
    if not isinstance(place, Path):
        yield str(place)
        return
    with beside(place) as folder:
        (folder / LOG).mkdir()
        for path in _entries(place / LOG):
            with contextlib.suppress(FileNotFoundError):  # another process has shortened the log
                os.link(path, folder / LOG / path.name)
        yield str(folder)
        _show(folder / LOG, place / LOG)


def _show(log: Path, real: Path) -> None:
    """Gives the real log what is new in the other one."""
    make_folder(real)
    for path in _entries(log):
        name = real / path.name
        if path.suffix == ".json":
            if path.stat().st_nlink > 1:  # known before
                continue
            sync(path)
            try:
                os.link(path, name)
            except FileExistsError:
                raise CommitFailedError("another publisher came first") from None
        elif not name.exists() or not path.samefile(name):
            _show_checkpoint(path, name)
    sync(real)


def _show_checkpoint(path: Path, name: Path) -> None:
    """Seals a checkpoint: a damaged one may end delta-rs, and with it the process."""
    new = path.with_name(f"{path.name}.new")
    if path.name == _LAST:
        said = json.loads(path.read_bytes())
        point = name.with_name(f"{said['version']:020}.checkpoint.parquet")
        if "sizeInBytes" in said and point.exists():
            said["sizeInBytes"] = point.stat().st_size
        write(new, [json.dumps(said).encode()])
    else:
        write(new, sealed_file(path.read_bytes(), path.suffix))
    new.replace(name)


def _entries(log: Path) -> list[Path]:
    """Entries of a log by number, then checkpoints, then what names the last of these."""
    if not log.is_dir():
        return []
    found = [path for path in log.iterdir() if path.is_file()]
    entries = sorted(path for path in found if path.suffix == ".json" and path.stem.isdigit())
    points = sorted(path for path in found if ".checkpoint" in path.name)
    return [*entries, *points, *(path for path in found if path.name == _LAST)]


def _settle(place: Path, adds: Sequence[AddAction]) -> None:
    """Has files be on the disk, and their names, and the folders that these lie in."""
    make_folder(place)
    for one in adds:
        sync(place / one.path)
    for folder in sorted({(place / one.path).parent for one in adds}, reverse=True):
        sync(folder)
    sync(place)
