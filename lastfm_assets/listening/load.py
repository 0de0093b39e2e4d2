"""A source to clean tables in one call, for the command line and notebooks."""

from pathlib import Path

from lastfm_assets.listening.clean import CleanTables, RawTables, clean
from lastfm_assets.listening.parse import empty, parse
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.sources.resolve import open_source


def load(
    setting: str | None, *, data_folder: Path, on_progress: Progress = no_progress
) -> CleanTables:
    """Opens a source, types its files and cleans them.

    Args:
        setting: as LASTFM_SOURCE; never replaced by the sample without being asked.
        data_folder: where an unnamed source and downloads lie.
        on_progress: told bytes downloaded and bytes in all.

    Returns:
        The clean tables and what was refused.

    Raises:
        BadInputError: the source or one of its files cannot be used.
        SourceUnavailableError: it cannot be reached.
    """
    source = open_source(
        setting,
        data_folder=data_folder,
        allow_sample=False,
        on_progress=lambda done, total: on_progress(done, total) if total else None,
    )
    tables = {}
    for table in RAW_TABLES:
        raw = source.read(table.stem)
        tables[table.asset] = empty(table) if raw is None else parse(raw, table)
    return clean(RawTables(**tables))
