"""What the tests of sources share."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from source_world import FILES, Answers, Fill, HttpServer, Refusal, Server, Stopwatch, zip_of

from lastfm_assets.errors import LastfmAssetsError


@pytest.fixture
def files() -> dict[str, bytes]:
    return dict(FILES)


@pytest.fixture
def zipped() -> bytes:
    return zip_of(FILES)


@pytest.fixture
def fill() -> Fill:
    """Writes files into a folder, which it makes and returns."""

    def write(folder: Path, files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def refusal() -> Refusal:
    """Expects an error of a kind, told in one line that matches."""

    @contextmanager
    def expect(kind: type[LastfmAssetsError], match: str) -> Iterator[None]:
        with pytest.raises(kind, match=match) as caught:
            yield
        assert str(caught.value).isprintable()

    return expect


@pytest.fixture
def server(zipped: bytes) -> Iterator[Server]:
    http = HttpServer(("127.0.0.1", 0), Answers)
    http.state = Server(f"http://127.0.0.1:{http.server_port}", zipped)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http.state
    http.state.released.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def closed_url() -> str:
    """An https address of this machine where nothing listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as unused:
        port = unused.server_port
    return f"https://127.0.0.1:{port}/x.zip"


@pytest.fixture
def stopwatch() -> Stopwatch:
    """Seconds since the test began."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
