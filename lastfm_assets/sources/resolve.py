"""From the setting LASTFM_SOURCE to an opened source."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lastfm_assets.errors import BadInputError, SourceUnavailableError
from lastfm_assets.sources.archive import open_archive
from lastfm_assets.sources.described import described_at, description_in, open_described
from lastfm_assets.sources.download import Checksum, OnProgress, Patience, download
from lastfm_assets.sources.fetched import fetched
from lastfm_assets.sources.files import Source
from lastfm_assets.sources.folder import archives_in, data_files, open_folder
from lastfm_assets.sources.hetrec import SAMPLE_NAME, one_line
from lastfm_assets.sources.urls import checked_url, shown_url

SAMPLE_LOCATION: Final = "the bundled sample"


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
        setting: `sample`, a URL (`#sha256=` or `#md5=` and hex digits may follow), a folder, an
            archive or a description (.toml, .yaml, .yml) of a table of plays; None or blank for
            `data_folder`/raw, else `default`, else the sample. In a folder, a description goes
            before listening files if it names columns: someone put it there on purpose.
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
        described = description_in(raw)
        if described:
            return open_described(described, raw / "downloads", on_progress, patience)
        return _open_default(raw, default, on_progress, allow_sample=allow_sample)
    if setting == SAMPLE_NAME:
        return _open_sample()
    downloads = raw / "downloads"
    if "://" in setting:
        return _open_url(setting, downloads, on_progress, patience)
    return _open_path(setting, lambda file: open_described(file, downloads, on_progress, patience))


def _open_sample() -> Source:
    return open_folder(sample_folder(), name=SAMPLE_NAME, location=SAMPLE_LOCATION)


def _open_path(setting: str, open_description: Callable[[Path], Source]) -> Source:
    try:
        path = Path(setting).expanduser()
        is_sample = path.resolve() == sample_folder().resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):
        raise BadInputError(
            f"{one_line(setting)} is not a usable path, expected a folder, an archive or a "
            "description of a table of plays; correct LASTFM_SOURCE"
        ) from None
    if is_sample:
        return _open_sample()
    described = described_at(path)
    if described:
        return open_description(described)
    return open_archive(path) if is_file else open_folder(path)


def _open_url(setting: str, downloads: Path, on_progress: OnProgress, patience: Patience) -> Source:
    location = shown_url(checked_url(setting).geturl())
    target = fetched(
        setting,
        downloads,
        accept=lambda path: open_archive(path, location=location),
        on_progress=on_progress,
        patience=patience,
    )
    return open_archive(target, location=location)


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
