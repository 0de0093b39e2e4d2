"""Downloads: whole and checked, or not at all, and never from an unsafe place."""

import hashlib
import os
import socket
from pathlib import Path

import pytest
from child_process import line_from, running
from source_world import Refusal, Server, Stopwatch

from lastfm_assets.errors import BadInputError, SourceUnavailableError
from lastfm_assets.sources import download as download_module
from lastfm_assets.sources.download import Checksum, Patience, download
from lastfm_assets.sources.urls import shown_url

QUICK = Patience(tries=3, answer_seconds=5, silence_seconds=5, pause_seconds=0.01)

DOWNLOADS = """
import sys
from pathlib import Path
from lastfm_assets.sources.download import Patience, download
download(
    sys.argv[3],
    Path(sys.argv[1]),
    on_progress=lambda done, total: print(done, flush=True),
    patience=Patience(silence_seconds=600),
)
"""


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208 (hidden ones too)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "x.zip"


@pytest.mark.parametrize("page", ["whole", "unannounced"])
def test_a_whole_answer_arrives_alone(server: Server, target: Path, page: str) -> None:
    download(f"{server.url}/{page}", target, patience=QUICK)
    assert target.read_bytes() == server.content
    assert names(target.parent) == ["x.zip"]


def test_progress_is_told_up_to_the_end(server: Server, target: Path) -> None:
    server.content = bytes(200_000)
    told = []
    download(
        f"{server.url}/whole", target, patience=QUICK, on_progress=lambda *now: told.append(now)
    )
    assert told[-1] == (200_000, 200_000)
    assert len(told) > 1


def test_progress_is_told_without_a_total_where_none_is_announced(
    server: Server, target: Path
) -> None:
    told = []
    download(
        f"{server.url}/unannounced",
        target,
        patience=QUICK,
        on_progress=lambda *now: told.append(now),
    )
    assert told[-1] == (len(server.content), None)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_checksum_that_fits_is_accepted(server: Server, target: Path, algorithm: str) -> None:
    digest = hashlib.new(algorithm, server.content, usedforsecurity=False).hexdigest()
    download(f"{server.url}/whole", target, checksum=Checksum(algorithm, digest), patience=QUICK)
    assert target.exists()


def test_a_wrong_checksum_leaves_the_previous_copy(
    server: Server, target: Path, refusal: Refusal
) -> None:
    target.parent.mkdir()
    target.write_bytes(b"previous")
    with refusal(BadInputError, f"the file's md5 is not the expected {'0' * 32}"):
        download(f"{server.url}/whole", target, checksum=Checksum("md5", "0" * 32), patience=QUICK)
    assert target.read_bytes() == b"previous"
    assert names(target.parent) == ["x.zip"]


def test_a_truncated_answer_is_tried_again_and_then_given_up(
    server: Server, target: Path, refusal: Refusal
) -> None:
    with refusal(SourceUnavailableError, r"in 3 tries \(the answer broke off after \d+ of \d+"):
        download(f"{server.url}/truncated", target, patience=QUICK)
    assert len(server.asked) == 3
    assert names(target.parent) == []


def test_two_errors_of_the_server_are_survived(server: Server, target: Path) -> None:
    download(f"{server.url}/flaky", target, patience=QUICK)
    assert target.read_bytes() == server.content
    assert len(server.asked) == 3


def test_a_dropped_connection_is_survived(server: Server, target: Path) -> None:
    download(f"{server.url}/drop", target, patience=QUICK)
    assert target.read_bytes() == server.content


def test_a_server_that_keeps_failing_is_given_up(
    server: Server, target: Path, refusal: Refusal
) -> None:
    with refusal(SourceUnavailableError, r"in 3 tries \(the server answered 503\)"):
        download(f"{server.url}/broken", target, patience=QUICK)


def test_a_page_that_is_not_there_is_asked_for_once(
    server: Server, target: Path, refusal: Refusal
) -> None:
    with refusal(BadInputError, "the server answered 404, expected the file"):
        download(f"{server.url}/nowhere", target, patience=QUICK)
    assert len(server.asked) == 1


def test_a_server_that_does_not_answer_is_given_up(
    server: Server, target: Path, refusal: Refusal, stopwatch: Stopwatch
) -> None:
    hasty = Patience(tries=2, answer_seconds=0.1, silence_seconds=5, pause_seconds=0.01)
    with refusal(SourceUnavailableError, r"in 2 tries \(no answer within 0\.1 seconds\)"):
        download(f"{server.url}/late", target, patience=hasty)
    assert stopwatch() < 4


def test_a_server_that_falls_silent_is_given_up(
    server: Server, target: Path, refusal: Refusal
) -> None:
    hasty = Patience(tries=1, answer_seconds=5, silence_seconds=0.1, pause_seconds=0.01)
    with refusal(SourceUnavailableError, r"the answer broke off: timed out"):
        download(f"{server.url}/stalled", target, patience=hasty)


def test_a_port_where_nothing_listens_is_given_up(
    closed_url: str, target: Path, refusal: Refusal
) -> None:
    with refusal(SourceUnavailableError, r"in 3 tries \(Connection refused\); check the network"):
        download(closed_url, target, patience=QUICK)
    assert names(target.parent) == []


def test_a_server_that_is_not_trusted_is_given_up_at_once(
    server: Server, target: Path, refusal: Refusal
) -> None:
    with refusal(SourceUnavailableError, "could not be fetched in 3 tries"):
        download(server.url.replace("http", "https") + "/whole", target, patience=QUICK)


def test_an_overlong_answer_is_refused_by_its_announcement(
    server: Server, target: Path, refusal: Refusal
) -> None:
    with refusal(BadInputError, "is longer than 2 GiB"):
        download(f"{server.url}/endless", target, patience=QUICK)


def test_a_length_of_more_digits_than_python_reads_is_refused(
    server: Server, target: Path, refusal: Refusal
) -> None:
    """5,000 of them ended in a traceback."""
    with refusal(BadInputError, "is longer than 2 GiB"):
        download(f"{server.url}/immense", target, patience=QUICK)
    assert names(target.parent) == []


def test_an_overlong_answer_is_refused_without_an_announcement(
    server: Server, target: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "MOST_BYTES", 100)
    with refusal(BadInputError, "is longer than"):
        download(f"{server.url}/unannounced", target, patience=QUICK)
    assert names(target.parent) == []


def test_a_redirect_on_the_same_host_is_followed(server: Server, target: Path) -> None:
    server.moved_to = "/whole"
    download(f"{server.url}/moved", target, patience=QUICK)
    assert target.read_bytes() == server.content


@pytest.mark.parametrize(
    ("location", "match"),
    [
        ("http://localhost:{port}/whole", "redirects to http://localhost:.* to stay on one host"),
        ("http://127.0.0.1:9/whole", "redirects to http://127.0.0.1:9/whole;"),
        ("https://elsewhere.example/whole", "redirects to https://elsewhere.example/whole;"),
        ("http://elsewhere.example/whole", "is not encrypted, expected https"),
    ],
)
def test_a_redirect_elsewhere_is_refused(
    server: Server, target: Path, refusal: Refusal, location: str, match: str
) -> None:
    server.moved_to = location.format(port=server.url.rpartition(":")[2])
    with refusal(BadInputError, match):
        download(f"{server.url}/moved", target, patience=QUICK)
    assert len(server.asked) == 1


def test_a_redirect_in_circles_is_refused(server: Server, target: Path, refusal: Refusal) -> None:
    server.moved_to = "/moved"
    with refusal(BadInputError, "the server answered 302"):
        download(f"{server.url}/moved", target, patience=QUICK)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://music.example/x.zip", "is not encrypted, expected https"),
        ("ftp://music.example/x.zip", "ftp://music.example was found, expected https"),
        ("file:///etc/passwd", "file://None was found, expected https|expected https"),
        ("https:///x.zip", "expected https://host/archive.zip"),
        ("https://[::1/x.zip", "the URL cannot be read"),
        ("https://127.0.0.1:port/x.zip", "the URL cannot be read"),
        ("https://127.0.0.1:9/x y.zip", "characters that no URL has"),
        ("https://127.0.0.1:9/ü.zip", "characters that no URL has|could not be fetched"),
    ],
)
def test_a_url_that_may_not_be_fetched_is_refused(
    target: Path, refusal: Refusal, url: str, match: str
) -> None:
    with refusal((BadInputError, SourceUnavailableError), match):
        download(url, target, patience=QUICK)
    assert not target.exists()


def test_credentials_are_sent_and_never_shown(
    server: Server, target: Path, refusal: Refusal
) -> None:
    url = server.url.replace("://", "://ann:s3cret@")
    download(f"{url}/private", target, patience=QUICK)
    assert target.exists()
    with refusal(BadInputError, r"^http://127\.0\.0\.1:\d+/nowhere: the server answered 404"):
        download(f"{url}/nowhere?token=s3cret#s3cret", target, patience=QUICK)
    assert shown_url("https://ann:p@ss@h.example/x?t=1#f") == "https://h.example/x"


def test_what_is_not_accepted_leaves_the_previous_copy(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"previous")

    def accept(path: Path) -> None:
        raise BadInputError(f"{len(path.read_bytes())} bytes")

    with pytest.raises(BadInputError, match=f"^{len(server.content)} bytes"):
        download(f"{server.url}/whole", target, accept=accept, patience=QUICK)
    assert target.read_bytes() == b"previous"
    assert names(target.parent) == ["x.zip"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(
    server: Server, tmp_path: Path, refusal: Refusal
) -> None:
    (tmp_path / "deep").write_bytes(b"a file")
    with refusal(BadInputError, "cannot be written"):
        download(f"{server.url}/whole", tmp_path / "deep" / "x.zip", patience=QUICK)


def test_a_host_that_swallows_connections_is_given_up_in_time(
    target: Path, refusal: Refusal, stopwatch: Stopwatch
) -> None:
    hasty = Patience(tries=2, answer_seconds=0.2, silence_seconds=30, pause_seconds=0.01)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/x.zip"
        with refusal(SourceUnavailableError, "no answer within"):
            download(url, target, patience=hasty)
    assert stopwatch() < 4


def test_what_a_killed_download_has_left_goes_with_the_next(server: Server, target: Path) -> None:
    """Each kill left up to 2 GiB under a hidden name, for ever."""
    other = target.with_name("other.zip")
    with running(DOWNLOADS, target, f"{server.url}/stalled") as living:
        assert line_from(living.stdout).strip() == "20"
        (part,) = (path for path in target.parent.rglob("*") if path.is_file())
        download(f"{server.url}/whole", other, patience=QUICK)
        assert part.exists()  # it lives, and goes on writing
    assert part.exists()
    download(f"{server.url}/whole", other, patience=QUICK)
    assert names(target.parent) == ["other.zip"]
