"""From LASTFM_SOURCE to a source: each setting, each default, each way it can fail."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from source_world import Fill, Refusal, Server

from lastfm_assets.errors import BadInputError, SourceUnavailableError
from lastfm_assets.sources.download import Checksum, Patience
from lastfm_assets.sources.files import Source
from lastfm_assets.sources.resolve import GROUPLENS, DefaultArchive, open_source, sample_folder

QUICK = Patience(tries=2, answer_seconds=5, silence_seconds=5, pause_seconds=0.01)


@pytest.fixture
def default(server: Server) -> DefaultArchive:
    """The default archive, served by this machine."""
    md5 = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
    return DefaultArchive(f"{server.url}/whole.zip", Checksum("md5", md5), "default.zip", QUICK)


def opened(setting: str | None, folder: Path, **options: Any) -> Source:
    options = {"allow_sample": False, "patience": QUICK} | options
    return open_source(setting, data_folder=folder, **options)


class TestASetting:
    def test_may_be_the_sample(self, tmp_path: Path) -> None:
        source = opened("sample", tmp_path)
        assert (source.name, source.is_fallback) == ("sample", False)
        assert source.location == "the bundled sample"

    def test_may_be_a_folder(self, tmp_path: Path, files: dict[str, bytes], fill: Fill) -> None:
        source = opened(str(fill(tmp_path / "mine", files)), tmp_path)
        assert source.name == "custom"
        assert source.read("user_artists").content == files["user_artists.dat"]

    def test_may_be_the_folder_of_the_sample(self, tmp_path: Path) -> None:
        assert opened(str(sample_folder()), tmp_path).name == "sample"

    def test_may_be_an_archive(
        self, tmp_path: Path, zipped: bytes, files: dict[str, bytes], fill: Fill
    ) -> None:
        fill(tmp_path, {"mine.zip": zipped})
        source = opened(str(tmp_path / "mine.zip"), tmp_path)
        assert source.read("artists").content == files["artists.dat"]

    def test_may_begin_with_the_home_folder(
        self, tmp_path: Path, files: dict[str, bytes], fill: Fill, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        fill(tmp_path / "mine", files)
        assert opened("~/mine", tmp_path).location == str(tmp_path / "mine")

    def test_may_not_lead_nowhere(self, tmp_path: Path, refusal: Refusal) -> None:
        with refusal(BadInputError, "nowhere: nothing was found, expected a folder"):
            opened(str(tmp_path / "nowhere"), tmp_path)

    @pytest.mark.parametrize("setting", ["~nobody-of-that-name/x", "x" * 5000, "a\0b"])
    def test_may_not_be_an_impossible_path(
        self, tmp_path: Path, refusal: Refusal, setting: str
    ) -> None:
        with refusal(BadInputError, "is not a usable path"):
            opened(setting, tmp_path)

    def test_may_not_be_another_kind_of_url(self, tmp_path: Path, refusal: Refusal) -> None:
        with refusal(BadInputError, "s3://bucket was found, expected https"):
            opened("s3://bucket/x.zip", tmp_path)


class TestAUrl:
    def test_is_fetched_into_the_downloads(
        self, tmp_path: Path, server: Server, files: dict[str, bytes]
    ) -> None:
        source = opened(f"{server.url}/whole.zip?token=s3cret", tmp_path)
        assert source.read("artists").content == files["artists.dat"]
        assert source.location == f"{server.url}/whole.zip"
        (kept,) = (tmp_path / "raw" / "downloads").iterdir()
        assert kept.name.endswith("-whole.zip")
        assert "s3cret" not in kept.name

    def test_without_a_checksum_is_fetched_each_time(self, tmp_path: Path, server: Server) -> None:
        for _ in range(2):
            opened(f"{server.url}/whole.zip", tmp_path)
        assert len(server.asked) == 2

    @pytest.mark.parametrize("algorithm", ["md5", "sha256"])
    def test_with_a_checksum_is_fetched_once(
        self, tmp_path: Path, server: Server, algorithm: str
    ) -> None:
        digest = hashlib.new(algorithm, server.content, usedforsecurity=False).hexdigest()
        for case in (digest, digest.upper()):
            opened(f"{server.url}/whole.zip#{algorithm}={case}", tmp_path)
        assert server.asked == ["/whole.zip"]

    def test_with_a_checksum_is_fetched_again_if_its_copy_was_damaged(
        self, tmp_path: Path, server: Server
    ) -> None:
        url = f"{server.url}/whole.zip#sha256={hashlib.sha256(server.content).hexdigest()}"
        opened(url, tmp_path)
        (kept,) = (tmp_path / "raw" / "downloads").iterdir()
        kept.write_bytes(b"damaged")
        opened(url, tmp_path)
        assert kept.read_bytes() == server.content

    @pytest.mark.parametrize("fragment", ["sha256=12", "md5=xyz", "crc=1", "x\ny"])
    def test_with_an_odd_checksum_is_refused(
        self, tmp_path: Path, server: Server, refusal: Refusal, fragment: str
    ) -> None:
        with refusal(BadInputError, "expected #sha256= and 64 hex digits"):
            opened(f"{server.url}/whole.zip#{fragment}", tmp_path)
        assert server.asked == []

    def test_that_fails_later_leaves_its_previous_copy(
        self, tmp_path: Path, server: Server, refusal: Refusal
    ) -> None:
        whole = server.content
        opened(f"{server.url}/whole.zip", tmp_path)
        (kept,) = (tmp_path / "raw" / "downloads").iterdir()
        server.content = b"<html>log in first</html>"
        with refusal(BadInputError, r"^http://127.*whole\.zip: not an archive, or a damaged one"):
            opened(f"{server.url}/whole.zip", tmp_path)
        assert kept.read_bytes() == whole

    def test_is_never_replaced_by_the_sample(
        self, tmp_path: Path, closed_url: str, refusal: Refusal
    ) -> None:
        with refusal(SourceUnavailableError, "could not be fetched in 2 tries"):
            opened(closed_url, tmp_path, allow_sample=True)


class TestNoSetting:
    @pytest.mark.parametrize("setting", [None, "", "  "])
    def test_means_the_raw_folder_if_it_holds_the_files(
        self, tmp_path: Path, files: dict[str, bytes], fill: Fill, setting: str | None
    ) -> None:
        fill(tmp_path / "raw", files)
        assert opened(setting, tmp_path).location == str(tmp_path / "raw")

    def test_finds_the_files_one_folder_below(
        self, tmp_path: Path, files: dict[str, bytes], fill: Fill
    ) -> None:
        fill(tmp_path / "raw" / "hetrec", files)
        assert opened(None, tmp_path).read("artists").content == files["artists.dat"]

    def test_finds_an_archive_there(
        self, tmp_path: Path, files: dict[str, bytes], zipped: bytes, fill: Fill
    ) -> None:
        fill(tmp_path / "raw", {"mine.zip": zipped})
        assert opened(None, tmp_path).read("artists").content == files["artists.dat"]

    def test_fetches_the_default_once(
        self, tmp_path: Path, server: Server, default: DefaultArchive, files: dict[str, bytes]
    ) -> None:
        for _ in range(2):
            source = opened(None, tmp_path, default=default)
            assert source.read("artists").content == files["artists.dat"]
        assert server.asked == ["/whole.zip"]
        assert os.listdir(tmp_path / "raw") == ["default.zip"]  # noqa: PTH208

    def test_passes_over_what_is_not_data(
        self, tmp_path: Path, zipped: bytes, fill: Fill, default: DefaultArchive
    ) -> None:
        fill(tmp_path / "raw", {".gitkeep": b"", "downloads/0123-x.zip": zipped})
        assert opened(None, tmp_path, default=default).location.endswith("default.zip")

    @pytest.mark.parametrize("kept", ["artists.dat", "user_artists.dat", "tags.dat"])
    def test_refuses_half_of_the_files(
        self,
        tmp_path: Path,
        files: dict[str, bytes],
        fill: Fill,
        refusal: Refusal,
        default: DefaultArchive,
        kept: str,
    ) -> None:
        fill(tmp_path / "raw", {kept: files[kept]})
        with refusal(BadInputError, rf"missing; found {kept}, expected"):
            opened(None, tmp_path, default=default, allow_sample=True)

    def test_refuses_a_file_in_place_of_the_folder(
        self, tmp_path: Path, fill: Fill, refusal: Refusal, default: DefaultArchive
    ) -> None:
        fill(tmp_path, {"raw": b""})
        with refusal(BadInputError, "a file was found, expected a folder"):
            opened(None, tmp_path, default=default, allow_sample=True)

    def test_refuses_a_damaged_default(
        self, tmp_path: Path, server: Server, default: DefaultArchive, refusal: Refusal
    ) -> None:
        server.content += b"!"
        with refusal(BadInputError, "md5 is not the expected"):
            opened(None, tmp_path, default=default, allow_sample=True)
        assert os.listdir(tmp_path / "raw") == []  # noqa: PTH208

    def test_refuses_a_default_that_moved_away(
        self, tmp_path: Path, server: Server, default: DefaultArchive, refusal: Refusal
    ) -> None:
        gone = replace(default, url=f"{server.url}/gone.zip")
        with refusal(BadInputError, "the server answered 404"):
            opened(None, tmp_path, default=gone, allow_sample=True)

    def test_falls_back_to_the_sample_where_the_network_is_closed(
        self, tmp_path: Path, closed_url: str, default: DefaultArchive
    ) -> None:
        closed = replace(default, url=closed_url)
        source = opened(None, tmp_path, default=closed, allow_sample=True)
        assert (source.name, source.is_fallback) == ("sample", True)
        assert source.read("user_artists").content

    def test_never_falls_back_on_a_schedule(
        self, tmp_path: Path, closed_url: str, default: DefaultArchive, refusal: Refusal
    ) -> None:
        closed = replace(default, url=closed_url)
        with refusal(SourceUnavailableError, "set LASTFM_SOURCE.*never falls back to the sample$"):
            opened(None, tmp_path, default=closed)

    def test_gives_a_closed_network_little_time(self) -> None:
        patience = GROUPLENS.patience
        waited = patience.tries * patience.answer_seconds
        waited += sum(patience.pause_seconds * 2**n for n in range(patience.tries - 1))
        assert waited <= 15
