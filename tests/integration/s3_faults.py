"""A proxy before the S3 server that answers some requests as a bad night would."""

import contextlib
import http.client
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from server_world import free_port, running, wait_for

Fault = Literal["500", "503", "reset", "lost answer", "cut upload", "cut download", "hang"]
"""Answers of S3's own; the connection reset before the request is carried out, or after; half of
the body sent on, or sent back; no answer at all."""
_SAID: Final = {"500": (500, "InternalError"), "503": (503, "SlowDown")}
_HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_BETWEEN_TWO: Final = {"connection", "expect", "content-length"}
_CONTROL: Final = "/-/rules"
_HANGS: Final = 60.0
"""Seconds, more than any client waits."""


@dataclass
class Rule:
    """Which requests meet which fault."""

    fault: Fault
    verb: str = ""
    """`PUT`; empty: any."""
    path: str = ""
    """A regular expression that is searched in path and query."""
    times: int | None = None
    """How many of them; None: all, until the rule is lifted."""
    after: int = 0
    """How many are let through before."""
    every: int = 1
    """Only each so many of those that are left."""
    met: int = 0
    asked: int = 0


@dataclass
class FaultyS3:
    """The proxy as tests see it: a process of its own, as a library may hold the interpreter."""

    endpoint: str

    @contextlib.contextmanager
    def failing(self, *rules: Rule) -> Iterator[None]:
        """These rules hold for the block; afterwards they say how many requests they have met."""
        self._say("PUT", [asdict(rule) for rule in rules])
        try:
            yield
        finally:
            for rule, met in zip(rules, self._say("PUT", []), strict=True):
                rule.met = met

    def met(self) -> int:
        """How many requests have met a fault, of the rules that hold."""
        return sum(self._say("GET"))

    def _say(self, verb: str, rules: list[dict[str, Any]] | None = None) -> list[int]:
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
        with contextlib.closing(connection):
            connection.request(verb, _CONTROL, json.dumps(rules))
            met: list[int] = json.loads(connection.getresponse().read())
            return met


@contextlib.contextmanager
def faulty(port: int, folder: Path) -> Iterator[FaultyS3]:
    """A proxy to the server on a port of this machine, which does nothing wrong at first.

    Args:
        port: of the server.
        folder: where the proxy's log lies.
    """
    own = free_port()
    command = [sys.executable, __file__, str(own), str(port)]
    log = folder / f"proxy-{time.monotonic_ns()}.log"
    with running(command, cwd=folder, log=log, environment={}) as process:
        wait_for("the proxy", lambda: "listens" in process.said, logs=lambda: process.said)
        yield FaultyS3(f"http://127.0.0.1:{own}")


class _Rules:
    """What the proxy does wrong."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def replace(self, rules: list[dict[str, Any]]) -> list[int]:
        """What the ones before have met."""
        with self._lock:
            before, self._rules = self._rules, [Rule(**rule) for rule in rules]
            return [rule.met for rule in before]

    def met(self) -> list[int]:
        """What they have met so far."""
        return [rule.met for rule in self._rules]

    def fault_of(self, verb: str, path: str) -> Fault | None:
        """What happens to a request."""
        with self._lock:
            for rule in self._rules:
                if rule.verb in ("", verb) and re.search(rule.path, path):
                    if rule.after:
                        rule.after -= 1
                        continue
                    rule.asked += 1
                    if rule.asked % rule.every == 0 and rule.met != rule.times:
                        rule.met += 1
                        return rule.fault
        return None


class _Proxying(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rules = _Rules()
    upstream: int

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == _CONTROL:
            self._control(body)
            return
        fault = self.rules.fault_of(self.command, self.path)
        if fault in _SAID:
            status, code = _SAID[fault]
            text = f"<Error><Code>{code}</Code><Message>{code} by a test</Message></Error>"
            self._send(status, {"Content-Type": "application/xml"}, text.encode())
        elif fault == "reset":
            self._reset()
        elif fault == "hang":
            time.sleep(_HANGS)
            self._reset()
        elif fault == "cut upload":
            self._send_half_on(body)
            self._reset()
        else:
            status, headers, content = self._carried_out(body)
            if fault == "lost answer":
                self._reset()
            else:
                self._send(status, headers, content, cut=fault == "cut download")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815 (http.server's names)

    def _carried_out(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        with contextlib.closing(connection):
            passed = {k: v for k, v in self.headers.items() if k.lower() not in _BETWEEN_TWO}
            connection.request(self.command, self.path, body or None, passed)
            answer = connection.getresponse()
            content = answer.read()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
            if self.command == "HEAD":
                headers["Content-Length"] = answer.getheader("Content-Length") or "0"
            return answer.status, headers, content

    def _control(self, body: bytes) -> None:
        rules = json.loads(body)
        met = self.rules.met() if rules is None else self.rules.replace(rules)
        self._send(200, {}, json.dumps(met).encode())

    def _send_half_on(self, body: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.upstream)) as half:
            head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            half.sendall(f"{self.command} {self.path} HTTP/1.1\r\n{head}\r\n".encode())
            half.sendall(body[: len(body) // 2])

    def _send(
        self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        # closed with unsent data thrown away, which the other side sees as a reset
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    _Proxying.upstream = int(sys.argv[2])
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Proxying) as listener:
        sys.stdout.write("listens\n")
        sys.stdout.flush()
        listener.serve_forever()
