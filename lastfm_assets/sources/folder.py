"""A folder with the listening files, or with the one archive that holds them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.archive import open_archive
from lastfm_assets.sources.files import Source
from lastfm_assets.sources.hetrec import EXPECTED, Place, as_source, listed, one_line, stem_of

ARCHIVE_ENDINGS: Final = (".zip", ".tar.gz", ".tgz", ".tar")


def open_folder(folder: Path, *, name: str | None = None, location: str | None = None) -> Source:
    """Opens a folder: its own files, those of its one sub-folder, or its one archive.

    Args:
        folder: where to look.
        name: the source's name; None to recognise it by its content.
        location: what messages and the source call it; None for the folder's path.

    Raises:
        BadInputError: there is no such folder, or not what is expected in it.
    """
    location = location or one_line(folder)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise BadInputError(
            f"{location}: {found} was found, expected a folder with {EXPECTED}; set LASTFM_SOURCE "
            "to a folder, an archive, a URL or 'sample'"
        )
    files = data_files(folder)
    archives = archives_in(folder)
    if files or not archives:
        sizes = {path: (folder / path).stat().st_size for path in files}
        place = Place(
            location,
            sizes or dict.fromkeys(map(_no_file, _entries(folder)), 0),
            lambda path: _content(folder / path),
        )
        return as_source(place, name=name)
    if len(archives) > 1:
        raise BadInputError(
            f"{location}: {len(archives)} archives were found "
            f"({listed(path.name for path in archives)}), expected one, or {EXPECTED}; set "
            "LASTFM_SOURCE to the archive to read"
        )
    return open_archive(archives[0])


def data_files(folder: Path) -> list[str]:
    """Paths, relative to a folder, of the listening files in it and in its sub-folders."""
    return sorted(path for path in _files(folder) if stem_of(path))


def archives_in(folder: Path) -> list[Path]:
    """The archives that lie in a folder itself."""
    paths = (folder / name for name in _entries(folder))
    return sorted(
        path for path in paths if path.name.lower().endswith(ARCHIVE_ENDINGS) and path.is_file()
    )


def _files(folder: Path) -> Iterator[str]:
    """Files in a folder and one level below, as relative paths; hidden folders are passed over."""
    for name in _entries(folder):
        if (folder / name).is_file():
            yield name
        elif (folder / name).is_dir():
            yield from (
                f"{name}/{below}"
                for below in _entries(folder / name)
                if (folder / name / below).is_file()
            )


def _no_file(name: str) -> str:
    """What lies there in the place of files, as messages show it; a pipe may be named like one."""
    return f"{name} (not a file)" if stem_of(name) else name


def _entries(folder: Path) -> list[str]:
    """Names in a folder that are not hidden (.gitkeep, .DS_Store)."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".")
    except OSError as problem:
        raise _unreadable(folder, problem) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise _unreadable(path, problem) from None


def _unreadable(path: Path, problem: OSError) -> BadInputError:
    return BadInputError(
        f"{one_line(path)}: cannot be read ({one_line(problem.strerror)}), expected a readable "
        "one; check that it is still there and its permissions"
    )
