"""A tiny data set, and a real server on this machine that answers well and badly."""

import base64
import io
import threading
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lastfm_assets.errors import LastfmAssetsError

Refusal = Callable[[type[LastfmAssetsError], str], AbstractContextManager[None]]
Fill = Callable[[Path, dict[str, bytes]], Path]
Pack = Callable[[dict[str, bytes]], Path]
Stopwatch = Callable[[], float]

FILES = {
    "artists.dat": 'id\tname\turl\tpictureURL\n1\tZö" Brimm\t\t\n4\tOku, Plee\t\t\n'.encode(),
    "user_artists.dat": b"userID\tartistID\tweight\r\n2\t1\t30\r\n2\t4\t7",
    "tags.dat": "tagID\ttagValue\n1\tnébulique\n".encode("iso-8859-1"),
}


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@dataclass
class Server:
    """Where the server is, what it serves, and what it was asked."""

    url: str
    content: bytes
    moved_to: str = ""
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class HttpServer(ThreadingHTTPServer):
    daemon_threads = False
    state: Server

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what some tests are about."""


class Answers(BaseHTTPRequestHandler):
    server: HttpServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        state = self.server.state
        state.asked.append(self.path)
        page = self.path.partition("?")[0].rpartition("/")[2].removesuffix(".zip")
        getattr(self, f"_{page}", self._missing)(state)

    def _send(self, content: bytes, *, status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def _whole(self, state: Server) -> None:
        self._send(state.content)

    def _truncated(self, state: Server) -> None:
        self._send(state.content[:-20], length=len(state.content))

    def _unannounced(self, state: Server) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(state.content)

    def _endless(self, state: Server) -> None:
        self._send(state.content, length=3 << 30)

    def _immense(self, state: Server) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "9" * 5_000)
        self.end_headers()
        self.wfile.write(state.content)

    def _late(self, state: Server) -> None:
        state.released.wait(10)
        self._send(state.content)

    def _stalled(self, state: Server) -> None:
        self._send(state.content[:20], length=len(state.content))
        self.wfile.flush()
        state.released.wait(10)

    def _drop(self, state: Server) -> None:
        if len(state.asked) == 1:
            self.close_connection = True
        else:
            self._send(state.content)

    def _flaky(self, state: Server) -> None:
        self._send(state.content, status=500 if len(state.asked) <= 2 else 200)

    def _broken(self, state: Server) -> None:
        self._send(state.content, status=503)

    def _missing(self, _: Server) -> None:
        self._send(b"no such page", status=404)

    def _moved(self, state: Server) -> None:
        self.send_response(302)
        self.send_header("Location", state.moved_to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _private(self, state: Server) -> None:
        known = "Basic " + base64.b64encode(b"ann:s3cret").decode()
        self._send(state.content, status=200 if self.headers["Authorization"] == known else 401)
