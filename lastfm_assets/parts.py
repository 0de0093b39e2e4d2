"""Tables of many parts: Parquet files that a Delta log names, as Spark's workers write them.

Every commit replaces the whole table, and says in its metadata what a single file says in its
header, see `io.Stamp`.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from lastfm_assets.commits import (
    LOG,
    check_state,
    files_of,
    guarded,
    require_whole_checkpoints,
    words_of,
)
from lastfm_assets.vocabulary import PARTS, Columns

if TYPE_CHECKING:
    from deltalake import DeltaTable

STAMP: Final = "stamp"
TYPES: Final = "types"
"""In a commit's metadata: what pandas is to keep a column as, where Parquet does not say it."""


def is_there(place: UPath) -> bool:
    """Whether a folder is a table of parts."""
    try:
        return any(entry.name.endswith(".json") for entry in (place / LOG).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def opened(place: UPath) -> "DeltaTable":
    """The table as it is now.

    Raises:
        FileNotFoundError: there is none.
        ValueError: its log cannot be read.
    """
    from deltalake import DeltaTable  # noqa: PLC0415 (only where there are such tables)
    from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415

    from lastfm_assets.recommendations.delta import storage_options  # noqa: PLC0415 (imports us)

    root = place.parent.parent
    require_whole_checkpoints(place)
    try:
        return DeltaTable(str(place), storage_options=storage_options(root))
    except TableNotFoundError:
        raise FileNotFoundError(place) from None
    except DeltaError as problem:
        raise ValueError(str(problem)) from None


def said_of(place: UPath, table: "DeltaTable") -> dict[str, Any]:
    """What the commit that made a table's state says of itself, with `STAMP` and `TYPES`.

    Raises:
        ValueError: another program has made it, or its log is damaged.
    """
    info = words_of(place, table.version())
    if info is None or STAMP not in info:
        raise ValueError("a Delta table that lastfm-assets has not written")
    check_state(info, names_of(table), table.schema().to_json())
    for name in (STAMP, TYPES):
        if isinstance(info[name], str):  # as objects in commits of an early format
            info[name] = json.loads(info[name])
    return info


def names_of(table: "DeltaTable") -> list[str]:
    """Paths of the files of a table's state, from its folder, in order, which is that of rows."""
    return sorted(pa.table(table.get_add_actions())["path"].to_pylist())


def parts_of(place: UPath, table: "DeltaTable") -> list[UPath]:
    """The files of a table's state, in the order of their names, which is that of their rows."""
    return [place.joinpath(*name.split("/")) for name in names_of(table)]


def header_of_parts(place: UPath) -> dict[str, Any]:
    """The header of a table of parts, without reading a row; raises as `opened` and `said_of`."""
    return said_of(place, opened(place))


def check_parts(place: UPath) -> dict[str, Any]:
    """As `header_of_parts`, once all its files are known to be as they were committed."""
    said = header_of_parts(place)
    files = files_of(said)
    for name in files or ():
        with (place / name).open("rb") as file:
            guarded(files, name, file).check()
    return said


def rows_of_parts(place: UPath) -> int:
    """How many rows a table of parts has, without reading them; raises as `read_parts`."""
    table = opened(place)
    files, count = files_of(said_of(place, table)), 0
    for name in names_of(table):
        with (place / name).open("rb") as file:
            count += pq.ParquetFile(guarded(files, name, file)).metadata.num_rows
    return count


def read_parts(
    place: UPath, names: Sequence[str] | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows and the header of a table of parts, which must fit into memory.

    Args:
        place: folder of the table.
        names: its columns that are wanted, in that order; the others are not read. None: all.

    Raises:
        FileNotFoundError: there is no such table, or one of its files has gone.
        OSError, ValueError, KeyError, pa.ArrowException: it is damaged, or has no such column.
    """
    table = opened(place)
    said = said_of(place, table)
    schema = pa.schema(table.schema().to_arrow())
    wanted = schema.names if names is None else list(names)
    missing = [name for name in wanted if name not in schema.names]
    if missing:
        raise KeyError(f"no column {missing[0]}")
    files, pieces = files_of(said), []
    for name in names_of(table):
        with (place / name).open("rb") as file:  # on this thread alone, see formats._from_parquet
            part = pq.ParquetFile(guarded(files, name, file))
            pieces.append(part.read(wanted, use_threads=False).select(wanted))
    if not pieces:
        pieces = [schema.empty_table().select(wanted)]
    return _to_pandas(pa.concat_tables(pieces, promote_options="default"), said[TYPES]), said


def _to_pandas(table: pa.Table, types: Mapping[str, str]) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    for field in table.schema:
        wanted = types.get(field.name) or _usual(field)
        if wanted == "category":
            of_parts = list(PARTS) if field.name == Columns.PART else None
            frame[field.name] = pd.Categorical(frame[field.name], categories=of_parts)
        elif wanted == "datetime64[s]":
            moments = pd.to_datetime(frame[field.name])
            frame[field.name] = moments.dt.tz_localize(None).astype(wanted)
        elif wanted is not None:
            frame[field.name] = frame[field.name].astype(wanted)
    return frame


def _usual(field: pa.Field) -> str | None:
    if field.name == Columns.PART:
        return "category"
    if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type):
        return "datetime64[s]"
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return "str"
    return None


def remove(place: UPath) -> None:
    """Removes a table of parts; nothing happens where there is none."""
    if isinstance(place, Path):
        shutil.rmtree(place, ignore_errors=True)
    elif place.exists():
        place.fs.rm(place.path, recursive=True)
