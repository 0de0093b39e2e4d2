"""An opened source to raw tables, as `listening.load` does it, where the workers are."""

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upath import UPath

from lastfm_assets.engines.spark.hetrec_files import parsed, schema_of, types_of
from lastfm_assets.engines.spark.plays_rows import rows_of
from lastfm_assets.engines.spark.plays_tables import tables_of
from lastfm_assets.engines.spark.tables import SparkTables
from lastfm_assets.listening.about import About
from lastfm_assets.listening.tables import ARTISTS, RAW_TABLES, USER_ARTISTS
from lastfm_assets.parts import remove
from lastfm_assets.sources.files import PlaysFile, Source
from lastfm_assets.sources.folder import data_files
from lastfm_assets.sources.hetrec import Place, as_source
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RAW_TYPES: Final = {table.asset: types_of(table) for table in RAW_TABLES}
"""What pandas is to keep each raw table's columns as, for `SparkTables.write`."""
_KEYS: Final = f"{Columns.KIND} string, {Columns.ID} bigint, {Columns.KEY} string"


@dataclass(frozen=True, slots=True)
class SourceFrames:
    """All that a source holds, typed; to be written while `scratch` is there."""

    raw: "Mapping[str, DataFrame]"
    """The five raw tables, by the names of their assets."""
    keys: "DataFrame"
    about: About
    files: Mapping[str, str]
    """Name of the file that each raw table came from; none for a file that the source lacks."""


@contextlib.contextmanager
def scratch(tables: SparkTables) -> Iterator[UPath]:
    """A folder of the store for what workers keep meanwhile; it goes at the end."""
    folder = tables.store.root / ".scratch" / uuid.uuid4().hex
    if isinstance(folder, Path):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()  # unless another run keeps something there


def read_source(tables: SparkTables, source: Source, folder: UPath) -> SourceFrames:
    """Types everything that an opened source holds.

    Args:
        tables: for their session and store.
        source: of HetRec's files, or one table of plays with its description; its files must lie
            where every worker reaches them, unless they are in an archive.
        folder: see `scratch`.

    Raises:
        BadInputError: a file cannot be used.
    """
    if source.plays is not None:
        return _described(tables, source.name, source.plays, folder)
    raw: dict[str, DataFrame] = {}
    files: dict[str, str] = {}
    in_place = _in_place(source)
    for table in RAW_TABLES:
        file = (in_place or source).read(table.stem)
        if file is None:
            raw[table.asset] = tables.spark.createDataFrame([], schema_of(table))
            continue
        files[table.asset] = file.name
        if in_place is None:
            path = _put(folder / "source" / file.name, file.content)
        else:
            path = UPath(file.content.decode())
        frame = parsed(tables.spark, tables.uri(path), file.name, file.dialect, table)
        raw[table.asset] = _kept(tables, frame, folder / table.asset).orderBy(Columns.LINE)
    about = About(source.name, rows=raw[USER_ARTISTS.asset].count())
    return SourceFrames(raw, tables.spark.createDataFrame([], _KEYS), about, files)


def _in_place(source: Source) -> Source | None:
    """The source of a plain folder, whose files hold their own paths: workers read the contents.

    None where the files are in an archive.
    """
    folder = Path(source.location)
    found = data_files(folder) if folder.is_dir() else []
    if not found:
        return None
    sizes = dict.fromkeys(found, 0)
    place = Place(source.location, sizes, lambda path: str(folder.absolute() / path).encode())
    return as_source(place, name=source.name)


def _put(path: UPath, content: bytes) -> UPath:
    """Puts a file out of an archive where workers reach it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _kept(tables: SparkTables, frame: "DataFrame", place: UPath) -> "DataFrame":
    """The same rows, written once, as they are read several times."""
    frame.write.parquet(tables.uri(place))
    return tables.spark.read.schema(frame.schema).parquet(tables.uri(place))


def _described(tables: SparkTables, name: str, file: PlaysFile, folder: UPath) -> SourceFrames:
    uri = tables.uri(UPath(file.path.absolute()))
    rows = _kept(tables, rows_of(tables.spark, file, uri), folder / "rows")
    found = tables_of(rows, file)
    said = file.description
    about = About(
        source=name,
        item=said.item,
        ids="text" if found.ids_are_text else "number",
        one_row_a_play=said.columns.plays is None,
        timed=False,
        rows=found.n_rows,
        until=said.until,
        left_out=0,
        min_precision=said.min_precision,
    )
    raw = {table.asset: tables.spark.createDataFrame([], schema_of(table)) for table in RAW_TABLES}
    raw |= {USER_ARTISTS.asset: found.user_artists, ARTISTS.asset: found.artists}
    files = dict.fromkeys((USER_ARTISTS.asset, ARTISTS.asset), file.path.name)
    return SourceFrames(raw, found.keys, about, files)
