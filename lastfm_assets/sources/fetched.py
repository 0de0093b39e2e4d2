"""A file behind a URL, kept under a name of its own among the downloads."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag, urlsplit

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.download import Checksum, OnProgress, Patience, download, fits
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.sources.urls import checked_url

_CHECKSUM: Final = re.compile(r"(?i)(?:(md5)=([0-9a-f]{32})|(sha256)=([0-9a-f]{64}))")


def fetched(
    url: str,
    downloads: Path,
    *,
    accept: Callable[[Path], object],
    on_progress: OnProgress,
    patience: Patience,
) -> Path:
    """Fetches a file, unless one with the checksum that the URL carries is there already.

    Args:
        url: https, or http on this machine; `#sha256=` or `#md5=` and hex digits may follow.
        downloads: folder of the copy, whose name tells two URLs apart.
        accept: looks at the whole file before it gets its name, and raises to refuse it.
        on_progress: told after each piece.
        patience: time limits and tries.

    Returns:
        The copy, whole.

    Raises:
        SourceUnavailableError: the server could not be reached or kept failing.
        BadInputError: the URL, its checksum or what it answers is refused.
    """
    checked_url(url)
    url, fragment = urldefrag(url)
    checksum = _checksum(fragment)
    target = downloads / _file_name(url)
    if not (checksum and target.is_file() and fits(target, checksum)):
        download(
            url,
            target,
            checksum=checksum,
            accept=accept,
            on_progress=on_progress,
            patience=patience,
        )
    return target


def _checksum(fragment: str) -> Checksum | None:
    if not fragment:
        return None
    found = _CHECKSUM.fullmatch(fragment)
    if not found:
        raise BadInputError(
            f"the URL ends in #{one_line(fragment)}, expected #sha256= and 64 hex digits, #md5= "
            "and 32, or nothing; correct LASTFM_SOURCE"
        )
    if found[1]:
        return Checksum("md5", found[2].lower())
    return Checksum("sha256", found[4].lower())


def _file_name(url: str) -> str:
    """A file's name for a URL: two URLs never share one."""
    last = re.sub(r"[^A-Za-z0-9._-]", "_", unquote(urlsplit(url).path).rpartition("/")[2])
    return f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{last[-60:] or 'archive'}"
