"""A source to raw tables, and to clean ones in one call, for the command line and notebooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import pandas as pd

from lastfm_assets.listening.about import About
from lastfm_assets.listening.clean import CleanTables, RawTables, clean
from lastfm_assets.listening.described.plays_file import read_plays
from lastfm_assets.listening.keys import no_keys
from lastfm_assets.listening.parse import empty, parse
from lastfm_assets.listening.tables import ARTISTS, RAW_TABLES, USER_ARTISTS
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.sources.files import PlaysFile, Source
from lastfm_assets.sources.resolve import open_source


@dataclass(frozen=True, slots=True)
class SourceTables:
    """All that a source holds, typed."""

    raw: RawTables
    keys: pd.DataFrame
    """`kind, id, key`: the source's own ids where they are text, else no row."""
    about: About
    files: Mapping[str, str]
    """Name of the file that each raw table came from; none for a file that the source lacks."""


def read_tables(source: Source, on_progress: Progress = no_progress) -> SourceTables:
    """Types everything that an opened source holds.

    Args:
        source: of HetRec's files, or one table of plays with its description.
        on_progress: told how much of a table of plays has been read, and how much there is.

    Raises:
        BadInputError: a file cannot be used.
    """
    if source.plays is not None:
        return _described(source.name, source.plays, on_progress)
    tables, files = {}, {}
    for table in RAW_TABLES:
        raw = source.read(table.stem)
        tables[table.asset] = empty(table) if raw is None else parse(raw, table)
        if raw is not None:
            files[table.asset] = raw.name
    about = About(source.name, rows=len(tables[USER_ARTISTS.asset]))
    return SourceTables(RawTables(**tables), no_keys(), about, files)


def _described(name: str, file: PlaysFile, on_progress: Progress) -> SourceTables:
    found = read_plays(file, on_progress=on_progress)
    said = file.description
    about = About(
        source=name,
        item=said.item,
        ids="text" if len(found.keys) else "number",
        one_row_a_play=said.columns.plays is None,
        timed=said.columns.time is not None,
        rows=len(found.user_artists),
        until=said.until,
        left_out=found.left_out,
        min_precision=said.min_precision,
    )
    tables = {table.asset: empty(table) for table in RAW_TABLES}
    tables |= {USER_ARTISTS.asset: found.user_artists, ARTISTS.asset: found.artists}
    files = dict.fromkeys((USER_ARTISTS.asset, ARTISTS.asset), file.path.name)
    return SourceTables(RawTables(**tables), found.keys, about, files)


@dataclass(frozen=True, slots=True)
class Loaded(CleanTables):
    """Clean tables, and what their source says of itself."""

    keys: pd.DataFrame = field(default_factory=no_keys)
    """See `SourceTables`."""
    about: About = field(default_factory=lambda: About("custom"))


def load(setting: str | None, *, data_folder: Path, on_progress: Progress = no_progress) -> Loaded:
    """Opens a source, types its files and cleans them.

    Args:
        setting: as LASTFM_SOURCE; never replaced by the sample without being asked.
        data_folder: where an unnamed source and downloads lie.
        on_progress: told bytes downloaded, or read of a described table, and bytes in all.

    Returns:
        The clean tables and what was refused.

    Raises:
        BadInputError: the source or one of its files cannot be used.
        SourceUnavailableError: it cannot be reached.
    """

    def told(done: int, total: int | None) -> None:
        if total:
            on_progress(done, total)

    source = open_source(setting, data_folder=data_folder, allow_sample=False, on_progress=told)
    tables = read_tables(source, told)
    cleaned = clean(tables.raw, tables.about)
    return Loaded(
        **{one.name: getattr(cleaned, one.name) for one in fields(cleaned)},
        keys=tables.keys,
        about=tables.about,
    )
