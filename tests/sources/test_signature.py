"""What a source looks like from outside: equal while its content is, other when it changes."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from lastfm_assets.sources import signature as signature_module
from lastfm_assets.sources.resolve import GROUPLENS, sample_folder
from lastfm_assets.sources.signature import is_known, signature_of, signature_since


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_folder(), tmp_path / "own"))


def signature(source: Path | str | None, data: Path = Path("/nowhere")) -> str:
    return signature_of(None if source is None else str(source), data_folder=data)


class TestOfAFolder:
    def test_stays_where_files_are_written_again_with_the_same_content(self, folder: Path) -> None:
        before = signature(folder)
        for file in folder.iterdir():
            file.write_bytes(file.read_bytes())
            os.utime(file, (0, 0))
        assert signature(folder) == before

    def test_changes_with_a_single_byte(self, folder: Path) -> None:
        before = signature(folder)
        file = next(folder.glob("user_artists.*"))
        content = bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(content)
        assert signature(folder) != before

    def test_changes_where_the_size_and_the_time_do_not(self, folder: Path) -> None:
        before = signature(folder)
        file = next(folder.glob("user_artists.*"))
        stat, content = file.stat(), bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(content)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert signature(folder) != before

    def test_changes_with_a_file_that_comes_or_goes(self, folder: Path) -> None:
        before = signature(folder)
        next(folder.glob("tags.*")).unlink()
        assert signature(folder) != before

    def test_does_not_change_with_files_of_others(self, folder: Path) -> None:
        before = signature(folder)
        (folder / "readme.txt").write_text("x")
        assert signature(folder) == before

    def test_is_the_same_wherever_it_lies(self, folder: Path) -> None:
        assert signature(folder) == signature("sample") == signature(sample_folder())

    @pytest.mark.parametrize("source", ["/no/such/folder", "\0", "~nobody/x"])
    def test_that_cannot_be_looked_at_is_unknown(self, source: str) -> None:
        assert not is_known(signature(source))

    def test_that_is_empty_is_unknown(self, tmp_path: Path) -> None:
        assert not is_known(signature(tmp_path))


class TestOfTheDefault:
    def test_is_known_before_it_was_fetched_and_other_once_it_lies_there(
        self, folder: Path, tmp_path: Path
    ) -> None:
        before = signature(None, tmp_path)
        assert is_known(before)
        shutil.copytree(folder, tmp_path / "raw")
        assert signature(None, tmp_path) == signature(folder) != before


class TestOfWhatWasRead:
    def test_is_that_of_before_and_after(self, folder: Path) -> None:
        before = signature(folder)
        assert signature_since(before, str(folder), data_folder=folder) == before

    def test_is_unknown_where_it_changed_meanwhile(self, folder: Path) -> None:
        before = signature(folder)
        next(folder.glob("tags.*")).unlink()
        said = signature_since(before, str(folder), data_folder=folder)
        assert said == "unknown: it changed while it was fetched or read"

    def test_keeps_the_reason_why_it_is_unknown(self, folder: Path) -> None:
        known = signature(folder)
        assert signature_since("unknown: x", str(folder), data_folder=folder) == "unknown: x"
        gone = signature_since(known, "/no/such/folder", data_folder=folder)
        assert gone == signature("/no/such/folder")

    def test_of_the_default_is_that_of_what_was_fetched_and_of_nothing_else(
        self, folder: Path, tmp_path: Path
    ) -> None:
        """Files that somebody puts beside it meanwhile are read from then on, but were not."""
        before = signature(None, tmp_path)
        raw = tmp_path / "raw"
        raw.mkdir()
        (raw / GROUPLENS.file_name).write_bytes(b"fetched")
        assert signature_since(before, None, data_folder=tmp_path) == signature(None, tmp_path)
        shutil.copytree(folder, raw, dirs_exist_ok=True)
        assert not is_known(signature_since(before, None, data_folder=tmp_path))


class _Says(BaseHTTPRequestHandler):
    headers_sent: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.asked.append(self.command)
        self.send_response(200)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        """Stays silent."""


class _Drips(_Says):
    """Sends a byte of its headers now and then, for four seconds in all."""

    def do_HEAD(self) -> None:
        for sign in b"HTTP/1.0 200 OK\r\nETag: ".ljust(78, b"x") + b"\r\n":
            self.wfile.write(bytes([sign]))
            time.sleep(0.05)


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Says) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/x.zip"
        serving.shutdown()
        thread.join()


class TestOfAUrl:
    def test_is_what_its_server_says_without_fetching_it(self, server: str) -> None:
        _Says.headers_sent = {"ETag": '"1"', "Content-Length": "5"}
        first = signature(server)
        assert first == '"1"; 5'
        assert signature(server) == first
        _Says.headers_sent = {"ETag": '"2"', "Content-Length": "5"}
        assert signature(server) != first

    def test_is_unknown_where_the_server_does_not_say(self, server: str) -> None:
        _Says.headers_sent = {"Content-Length": "5"}
        assert "does not say when its file changed" in signature(server)

    def test_with_a_checksum_is_the_checksum_and_nobody_is_asked(self, server: str) -> None:
        _Says.asked.clear()
        digest = "0" * 64
        assert signature(f"{server}#sha256={digest}") == f"sha256={digest}"
        assert not _Says.asked

    def test_whose_server_drips_is_unknown_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A byte every nine seconds was never silent for ten, and held the plan for ever."""
        monkeypatch.setattr(signature_module, "_SECONDS", 0.3)
        with ThreadingHTTPServer(("127.0.0.1", 0), _Drips) as serving:
            thread = threading.Thread(target=serving.serve_forever)
            thread.start()
            url = f"http://127.0.0.1:{serving.server_port}/x.zip"
            start = time.monotonic()
            said = signature(url)
            took = time.monotonic() - start
            serving.shutdown()
            thread.join()
        assert said == f"unknown: {url} did not answer within 0.3 seconds"
        assert took < 2

    def test_that_nobody_answers_is_unknown_and_shows_no_password(self) -> None:
        with ThreadingHTTPServer(("127.0.0.1", 0), _Says) as unused:
            port = unused.server_port
        said = signature(f"http://me:planted@127.0.0.1:{port}/x.zip")
        assert not is_known(said)
        assert "planted" not in said
