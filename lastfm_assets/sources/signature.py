"""What a source looks like from outside, to see without reading it whether it has changed."""

import functools
import hashlib
import http.client
import urllib.error
from pathlib import Path
from stat import S_ISREG
from typing import Final
from urllib.parse import urldefrag

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.described import described_at, description_in
from lastfm_assets.sources.description import Description
from lastfm_assets.sources.fetched import checksum_in
from lastfm_assets.sources.folder import archives_in, data_files
from lastfm_assets.sources.hetrec import SAMPLE_NAME, one_line
from lastfm_assets.sources.resolve import GROUPLENS, sample_folder
from lastfm_assets.sources.urls import answer_to, checked_url, request_for, shown_url

_SECONDS: Final = 10.0
"""How long a server may take to say whether its file has changed."""
_SAYS_SO: Final = ("ETag", "Last-Modified", "Content-Length")
"""Headers by which a server tells one state of a file from another."""
_TO_BE_FETCHED: Final = f"{GROUPLENS.checksum.digest} to be fetched"


def signature_of(setting: str | None, *, data_folder: Path) -> str:
    """What tells the present state of a source from another: equal ones need not be read again.

    Files count by their content; one behind a URL by the checksum that the URL carries, else by
    what its server says of it, without fetching it.

    Args:
        setting: as for `open_source`.
        data_folder: as for `open_source`.

    Returns:
        A short text; `unknown`, with the reason, where the state cannot be seen. An unknown
        state equals no other.
    """
    setting = (setting or "").strip()
    try:
        if setting == SAMPLE_NAME:
            return _of_path(sample_folder())
        if "://" in setting:
            return _of_url(setting)
        if setting:
            return _of_path(Path(setting).expanduser())
        raw = data_folder / "raw"
        held = raw.is_dir() and (description_in(raw) or data_files(raw) or archives_in(raw))
        return _of_path(raw) if held else _TO_BE_FETCHED
    except (OSError, RuntimeError, ValueError, BadInputError) as problem:
        return f"unknown: {one_line(problem)}"


def is_known(signature: str) -> bool:
    """Whether a signature says what a source looks like."""
    return not signature.startswith("unknown")


def signature_since(before: str, setting: str | None, *, data_folder: Path) -> str:
    """What tells the state of a source that was opened and read since `before`.

    Fetching takes minutes, in which a server's file may be replaced: what was read then is neither
    of the one state nor of the other for certain, and must not pass for either.

    Args:
        before: its signature before it was opened.
        setting: as for `open_source`.
        data_folder: as for `open_source`.

    Returns:
        Its signature before and now; `unknown`, with the reason, where these differ.
    """
    after = signature_of(setting, data_folder=data_folder)
    if before == _TO_BE_FETCHED:  # it was, and lies there now
        fetched = data_folder / "raw" / GROUPLENS.file_name
        before = signature_of(str(fetched), data_folder=data_folder)
    if before == after or not is_known(before):
        return before
    return "unknown: it changed while it was fetched or read" if is_known(after) else after


def _of_path(path: Path) -> str:
    """Hash of the names and contents of the listening files, or of the archive or description."""
    is_sample = path.resolve() == sample_folder().resolve()
    described = None if is_sample else described_at(path)
    if described:
        return _of_description(described)
    if path.is_file():
        files = {path.name: path}
    else:
        names = data_files(path) or [archive.name for archive in archives_in(path)]
        files = {name: path / name for name in names}
    if not files:
        raise BadInputError(f"{one_line(path)} holds no listening files")
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        digest.update(f"{name}\0{_content_of(file)}\0".encode())
    return digest.hexdigest()


def _of_description(file: Path) -> str:
    """Of what a description says, and of its table, wherever that lies."""
    description = Description.read(file)
    table = _of_url(description.url) if description.url else ""
    if not is_known(table):
        return table
    if description.path is not None:
        table = _content_of(description.path)
    said = "\0".join((description.name, _content_of(file), table))
    return hashlib.sha256(said.encode()).hexdigest()


def _content_of(file: Path) -> str:
    """Hash of a file's content."""
    stat = file.stat()
    if not S_ISREG(stat.st_mode):  # a pipe would be waited for
        raise BadInputError(f"{one_line(file)} is no regular file")
    return _hashed(str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@functools.lru_cache(maxsize=64)
def _hashed(path: str, *_state: int) -> str:
    """Hash of a file, taken once for each state that its inode, size and times tell apart."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_url(setting: str) -> str:
    checked_url(setting)
    url, fragment = urldefrag(setting)
    checksum = checksum_in(fragment)
    if checksum:
        return f"{checksum.algorithm}={checksum.digest}"
    request = request_for(url)
    request.method = "HEAD"
    try:
        with answer_to(request, answer_seconds=_SECONDS, silence_seconds=_SECONDS) as answer:
            said = [answer.headers[name] for name in _SAYS_SO if answer.headers[name]]
    except (http.client.InvalidURL, UnicodeError):  # they repeat what they were asked for
        return f"unknown: {shown_url(url)} has characters that no URL has"
    except TimeoutError:
        return f"unknown: {shown_url(url)} did not answer within {_SECONDS:g} seconds"
    except (urllib.error.URLError, http.client.HTTPException) as problem:
        return f"unknown: {shown_url(url)} did not answer ({one_line(problem)})"
    if not any(name in answer.headers for name in _SAYS_SO[:2]):
        return f"unknown: the server of {shown_url(url)} does not say when its file changed"
    return one_line("; ".join(said))
