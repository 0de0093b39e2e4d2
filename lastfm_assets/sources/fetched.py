"""A file behind a URL, kept under a name of its own among the downloads."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag, urlsplit

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.download import Checksum, OnProgress, Patience, download, fits
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
    checksum = checksum_in(fragment)
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


def checksum_in(fragment: str) -> Checksum | None:
    """What the file behind a URL must hash to, by what stands behind the URL's #.

    Raises:
        BadInputError: something stands there that is no checksum; it is not repeated.
    """
    if not fragment:
        return None
    found = _CHECKSUM.fullmatch(fragment)
    if not found:
        raise BadInputError(
            "what stands behind the URL's # is no checksum, expected #sha256= and 64 hex digits, "
            "#md5= and 32, or nothing; correct LASTFM_SOURCE"
        )
    if found[1]:
        return Checksum("md5", found[2].lower())
    return Checksum("sha256", found[4].lower())


def _file_name(url: str) -> str:
    """A file's name for a URL: two never share one, whoever asks; no password is told by it."""
    parts = urlsplit(url)
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    last = re.sub(r"[^A-Za-z0-9._-]", "_", unquote(parts.path).rpartition("/")[2])
    told = hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()
    return f"{told[:12]}-{last[-60:] or 'archive'}"
