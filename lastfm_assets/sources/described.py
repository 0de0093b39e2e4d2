"""A table of plays that a small file describes, found and opened as a source."""

from pathlib import Path

from lastfm_assets.errors import BadInputError, LastfmAssetsError
from lastfm_assets.sources.description import DESCRIPTION_ENDINGS, Description, names_columns
from lastfm_assets.sources.download import OnProgress, Patience
from lastfm_assets.sources.fetched import fetched
from lastfm_assets.sources.files import PlaysFile, Source
from lastfm_assets.sources.folder import archives_in, data_files
from lastfm_assets.sources.hetrec import listed, one_line


def is_description(path: Path) -> bool:
    """Whether a path is named like a description."""
    return path.suffix.lower() in DESCRIPTION_ENDINGS


def described_at(path: Path) -> Path | None:
    """The description that a path names, or that lies in the folder that it names.

    Raises:
        BadInputError: several lie in the folder.
    """
    return path if is_description(path) and not path.is_dir() else description_in(path)


def description_in(folder: Path) -> Path | None:
    """The one description that lies in a folder itself; None where there is none.

    Beside listening files or an archive, a file counts only if it names columns: a
    docker-compose.yml may lie there too.

    Raises:
        BadInputError: several lie there, or the folder cannot be looked through.
    """
    try:
        found = [
            path
            for path in folder.iterdir()
            if is_description(path) and path.name[0] != "." and path.is_file()
        ]
    except OSError:
        return None  # whoever opens the folder says what is wrong with it
    telling = [path for path in found if names_columns(path)]
    if len(telling) < len(found) and (data_files(folder) or archives_in(folder)):
        found = telling
    if len(found) > 1:
        raise BadInputError(
            f"{one_line(folder)}: {len(found)} descriptions were found "
            f"({listed(path.name for path in found)}), expected one; name the one to read in "
            "LASTFM_SOURCE"
        )
    return found[0] if found else None


def open_described(
    file: Path, downloads: Path, on_progress: OnProgress, patience: Patience
) -> Source:
    """Opens a described table of plays; one behind a URL is fetched first.

    Args:
        file: the description.
        downloads: folder for what is fetched.
        on_progress: told how far a download is.
        patience: with the server of the table's URL.

    Returns:
        A source with `plays`, whose `read` has none of HetRec's files.

    Raises:
        BadInputError: the description, or what it names, cannot be used.
        SourceUnavailableError: the table's server cannot be reached.
    """
    description = Description.read(file)
    path = description.path
    if description.url is not None:
        try:
            path = fetched(
                description.url,
                downloads,
                accept=lambda path: path,
                on_progress=on_progress,
                patience=patience,
            )
        except LastfmAssetsError as problem:
            raise type(problem)(_as_told_of(file, str(problem))) from None
    found = "nothing"
    try:
        is_there = path is not None and path.is_file()
        if not is_there and path is not None and path.exists():
            found = "a folder" if path.is_dir() else "a pipe or a device"
    except OSError as problem:  # a name too long, a folder that may not be entered
        is_there, found = False, f"nothing that can be opened ({one_line(problem.strerror)})"
    if path is None or not is_there:
        raise BadInputError(
            f"{one_line(file)}: {found} was found at {one_line(path)}, expected the table of "
            "plays; correct `path`"
        )
    return Source(
        name=description.name,
        location=one_line(file),
        read=lambda _stem: None,
        plays=PlaysFile(path, description),
    )


def _as_told_of(file: Path, said: str) -> str:
    """What is said of a URL, for one whose setting is not the variable, but a description's key."""
    shown = one_line(file)
    for fetched_elsewhere in ("the file", "it"):
        said = said.replace(
            f"set LASTFM_SOURCE to {fetched_elsewhere}",
            f"set `path` in {shown} to {fetched_elsewhere} instead of `url`",
        )
    said = said.replace("set LASTFM_SOURCE to", f"set `url` in {shown} to")
    return said.replace("LASTFM_SOURCE", shown)
