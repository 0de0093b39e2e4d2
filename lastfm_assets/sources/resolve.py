"""From the setting LASTFM_SOURCE to an opened source."""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag, urlsplit

from lastfm_assets.errors import BadInputError, SourceUnavailableError
from lastfm_assets.sources.archive import open_archive
from lastfm_assets.sources.download import (
    Checksum,
    OnProgress,
    Patience,
    download,
    fits,
)
from lastfm_assets.sources.files import Source
from lastfm_assets.sources.folder import archives_in, data_files, open_folder
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.sources.urls import checked_url, shown_url

SAMPLE_NAME: Final = "sample"
SAMPLE_LOCATION: Final = "the bundled sample"
_CHECKSUM: Final = re.compile(r"(?i)(?:(md5)=([0-9a-f]{32})|(sha256)=([0-9a-f]{64}))")


@dataclass(frozen=True, slots=True)
class DefaultArchive:
    """Where the data set comes from if the user names no source."""

    url: str
    checksum: Checksum
    file_name: str
    patience: Patience


GROUPLENS: Final = DefaultArchive(
    url="https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-2k.zip",
    checksum=Checksum("md5", "296d61afe4e8632b173fc2dd3be20ce2"),
    file_name="hetrec2011-lastfm-2k.zip",
    patience=Patience(tries=2, answer_seconds=5.0, silence_seconds=10.0, pause_seconds=0.5),
)
"""HetRec's home; the little patience lets a closed network be noticed within some ten seconds."""


def sample_folder() -> Path:
    """The bundled sample: beside this module in an installed wheel, else in the project."""
    beside = Path(__file__).parent / "sample_files"
    return beside if beside.is_dir() else Path(__file__).parents[2] / "data" / "sample"


def open_source(
    setting: str | None,
    *,
    data_folder: Path,
    allow_sample: bool,
    on_progress: OnProgress = lambda done, total: None,  # noqa: ARG005
    default: DefaultArchive = GROUPLENS,
    patience: Patience = Patience(),  # noqa: B008 (frozen)
) -> Source:
    """Opens the source that the user chose, or the default one.

    Args:
        setting: `sample`, a URL (`#sha256=` or `#md5=` and hex digits may follow), a folder or an
            archive; None or blank for `data_folder`/raw, else `default`, else the sample.
        data_folder: where downloads are kept, in its sub-folder raw.
        allow_sample: whether the sample may stand in for a default that cannot be reached.
        on_progress: told how far a download is.
        default: the archive to fetch if nothing is set and nothing is there.
        patience: with the server of a URL in `setting`.

    Returns:
        The source, whose required files are there; `is_fallback` if the sample stands in.

    Raises:
        BadInputError: the setting, or what it leads to, cannot be used.
        SourceUnavailableError: a server cannot be reached, and the sample may not stand in.
    """
    setting = (setting or "").strip()
    raw = data_folder / "raw"
    if not setting:
        return _open_default(raw, default, on_progress, allow_sample=allow_sample)
    if setting == SAMPLE_NAME:
        return _open_sample()
    if "://" in setting:
        return _open_url(setting, raw / "downloads", on_progress, patience)
    return _open_path(setting)


def _open_sample() -> Source:
    return open_folder(sample_folder(), name=SAMPLE_NAME, location=SAMPLE_LOCATION)


def _open_path(setting: str) -> Source:
    try:
        path = Path(setting).expanduser()
        is_sample = path.resolve() == sample_folder().resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):
        raise BadInputError(
            f"{one_line(setting)} is not a usable path, expected a folder or an archive; correct "
            "LASTFM_SOURCE"
        ) from None
    if is_sample:
        return _open_sample()
    return open_archive(path) if is_file else open_folder(path)


def _open_url(setting: str, downloads: Path, on_progress: OnProgress, patience: Patience) -> Source:
    checked_url(setting)
    url, fragment = urldefrag(setting)
    checksum = _checksum(fragment)
    target = downloads / _file_name(url)
    if not (checksum and target.is_file() and fits(target, checksum)):
        download(
            url,
            target,
            checksum=checksum,
            accept=lambda path: open_archive(path, location=shown_url(url)),
            on_progress=on_progress,
            patience=patience,
        )
    return open_archive(target, location=shown_url(url))


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


def _open_default(
    raw: Path, default: DefaultArchive, on_progress: OnProgress, *, allow_sample: bool
) -> Source:
    is_there = raw.exists() and not raw.is_dir()
    if is_there or (raw.is_dir() and (data_files(raw) or archives_in(raw))):
        return open_folder(raw)
    target = raw / default.file_name
    try:
        download(
            default.url,
            target,
            checksum=default.checksum,
            on_progress=on_progress,
            patience=default.patience,
        )
    except SourceUnavailableError as problem:
        if allow_sample:
            return replace(_open_sample(), is_fallback=True)
        raise SourceUnavailableError(
            f"{problem}; or put the files into {one_line(raw)}: a scheduled run never falls back "
            "to the sample"
        ) from None
    return open_archive(target)
