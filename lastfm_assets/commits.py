"""What a commit of a Delta table says of itself, and by which damage to the table is told.

Among a commit's own words are the files that make up the table from then on, with the hash of each
of their blocks, the table's schema, and a seal over all of these words. So data files, the log and
its checkpoints are held against one thing that cannot change unseen.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from upath import UPath

from lastfm_assets.seals import Guarded, check, hashes_of
from lastfm_assets.sources.hetrec import one_line

FORMAT: Final = 3
"""Layout of our commits, counted as that of the store; earlier ones have no seal."""
_FILES: Final = "files"
_SCHEMA: Final = "schema"
_FORMAT: Final = "format"
_NUMBER: Final = "number"
_SEAL: Final = "seal"
_WORDS: Final = (_FILES, _SCHEMA, _FORMAT, _NUMBER)
LOG: Final = "_delta_log"

Files = Mapping[str, Sequence[Any]]
"""By a file's path from the table's folder: its size in bytes, and the hash of each block."""


class NewerTableError(ValueError):
    """A newer version of the program has made the table."""


def file_hashes(path: UPath) -> list[Any]:
    """What a commit says of a file."""
    with path.open("rb") as file:
        hashes = hashes_of(file)
        return [file.tell(), *hashes]


def sealed(
    number: int, said: Mapping[str, str | int], files: Files, schema: str
) -> dict[str, str | int]:
    """A commit's words with all that a reader has to know of the table.

    Args:
        number: of the table's version that it makes.
        said: what else it says; no fractions, which a Delta log does not keep to the last digit.
        files: of the table from that commit on.
        schema: of the table, as delta-rs gives it.
    """
    words = {
        **said,
        _FORMAT: FORMAT,
        _NUMBER: number,
        _FILES: json.dumps(files),
        _SCHEMA: schema,
    }
    return {**words, _SEAL: _seal(words, sorted(words))}


def words_of(place: UPath, number: int) -> dict[str, Any] | None:
    """What the commit of a version says of itself, with its `version`, held against its seal.

    Args:
        place: the table's folder.
        number: of the version.

    Returns:
        The words; those of an early format have no seal. None where the log does not go so far
        back.

    Raises:
        NewerTableError: a newer program wrote them.
        ValueError: they are not as they were written; the message names the file.
    """
    path = place / LOG / f"{number:020}.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = [json.loads(line) for line in content.decode().splitlines()]
        info: dict[str, Any] = next(one["commitInfo"] for one in found if "commitInfo" in one)
        _check(info, number)
    except NewerTableError:
        raise
    except (ValueError, KeyError, TypeError, StopIteration):
        raise ValueError(f"{path.name} of its log is damaged") from None
    return {**info, "version": number}


def _check(info: Mapping[str, Any], number: int) -> None:
    if not any(name in info for name in (*_WORDS, _SEAL)):
        return
    names = str(info.get(_SEAL, "")).split()[1:]
    if not {*_WORDS} <= {*names} or _seal(info, names) != info[_SEAL] or info[_NUMBER] != number:
        raise ValueError("not as it was written")
    if info[_FORMAT] > FORMAT:
        raise NewerTableError(
            f"its format is {info[_FORMAT]}, this version reads up to {FORMAT}; go on with the "
            "newer lastfm-assets that wrote it, or name another store"
        )


def require_whole_checkpoints(place: UPath) -> None:
    """Holds a table's checkpoints against their seals, before delta-rs may fail over them.

    Those in an object store, and of an early format, have none.

    Raises:
        ValueError: one is not as it was written; the message names it.
        OSError: the disk does not give one now.
    """
    damaged = damaged_checkpoints(place)
    if damaged:
        raise ValueError(f"{damaged[0].name} of its log is damaged")


def damaged_checkpoints(place: UPath) -> list[UPath]:
    """Checkpoints of a table in a folder that are not as they were written.

    Raises:
        OSError: the disk does not give one now, which says nothing of what is on it.
    """
    if not isinstance(place, Path):
        return []
    there = sorted((place / LOG).glob("*.checkpoint.parquet"))
    return [path for path in there if not is_sound_checkpoint(path)]


def is_sound_checkpoint(path: UPath, *, must_be_sealed: bool = False) -> bool:
    """Whether a checkpoint is as it was written; raises as `damaged_checkpoints`.

    Args:
        path: of the checkpoint.
        must_be_sealed: whether one without a seal, of which nobody can say so, counts as damaged.
    """
    try:
        with path.open("rb") as file, told_as_damage():
            is_sealed = check(file, path.suffix)
            pq.read_metadata(file)
    except ValueError:
        return False
    return is_sealed or not must_be_sealed


@contextlib.contextmanager
def told_as_damage() -> Iterator[None]:
    """What pyarrow cannot make out, as a ValueError: it tells it as an OSError without a number."""
    try:
        yield
    except OSError as problem:
        if problem.errno is not None:
            raise
        raise ValueError(f"it is damaged: {one_line(problem)}") from None


def files_of(info: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """The files that a commit names; None of one of an early format."""
    return json.loads(info[_FILES]) if _FILES in info else None


def check_state(info: Mapping[str, Any], names: Sequence[str], schema: str) -> None:
    """Holds what a log adds up to against what its commit says.

    Args:
        info: the commit's words, checked.
        names: files of the table as Delta's reader sees it, from the table's folder.
        schema: as it sees it.

    Raises:
        ValueError: they differ, so that an entry or a checkpoint is damaged.
    """
    files = files_of(info)
    if files is None:
        return
    if sorted(files) != sorted(names):
        raise ValueError(
            "it names other files than were committed: its log is damaged, or another program has "
            "written to it"
        )
    if json.loads(info[_SCHEMA]) != json.loads(schema):
        raise ValueError("its log is damaged: it says another schema than was committed")


def guarded(files: Files | None, name: str, file: Any) -> Any:
    """A table's file as it is to be read: what is not as it was committed cannot be.

    Args:
        files: as `files_of` gives them.
        name: of the file there.
        file: opened.

    Raises:
        ValueError: it has another size.
    """
    if files is None:
        return file
    size, *hashes = files[name]
    return Guarded.whole(file, size, hashes)


def _seal(words: Mapping[str, Any], names: Sequence[str]) -> str:
    said = json.dumps([[name, words.get(name)] for name in names])
    return " ".join([hashlib.sha256(said.encode()).hexdigest(), *names])
