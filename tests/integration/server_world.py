"""Processes that tests start and end, ports, certificates and a mail server of their own."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(
    what: str,
    holds: Callable[[], Any],
    seconds: float = 90.0,
    every: float = 0.3,
    *,
    logs: Callable[[], str] = str,
) -> Any:
    """The first true answer of a question that is asked again and again; else what logs say."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = holds()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds:.0f} s; {logs()}")


@dataclass
class Process:
    """A program that runs, and writes to a file what it says."""

    popen: "subprocess.Popen[bytes]"
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """Asks it to end, with all that it started; makes it end where it does not."""
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        return self.popen.wait(10)

    def kill(self) -> None:
        """Takes it away without a word, with all that it started."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(10)


@contextlib.contextmanager
def running(
    command: Sequence[str], *, cwd: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[Process]:
    """A program in a process group of its own, gone when the block ends."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LASTFM_", "DAGSTER_"))
    }
    with log.open("ab") as out:
        popen = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=kept | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process(popen, log)
    try:
        yield process
    finally:
        process.stop()


def members(session: int) -> set[int]:
    """Ids of all processes of the session that a process leads."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                found.add(int(folder.name))
    return found


def listening(sessions: Sequence[int]) -> set[tuple[str, int]]:
    """Address and port of everything that listens, in the sessions that these processes lead."""
    inodes = set()
    for process in set().union(*(members(session) for session in sessions)):
        with contextlib.suppress(OSError):
            links = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
            inodes |= {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and rest[5] in inodes:
                raw, port = local.split(":")
                words = [bytes.fromhex(raw[at : at + 8])[::-1] for at in range(0, len(raw), 8)]
                found.add((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-made certificate for localhost and 127.0.0.1, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@dataclass
class Sink:
    """Keeps every mail that a server takes."""

    mails: list[Any] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(envelope)
        return "250 OK"


@contextlib.contextmanager
def mail_server(
    *,
    password: str | None = None,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[int, Sink]]:
    """A real mail server on loopback: its port, and what it has taken."""
    from aiosmtpd.controller import Controller  # noqa: PLC0415 (may be missing)
    from aiosmtpd.smtp import AuthResult  # noqa: PLC0415

    def check(_server: Any, _session: Any, _envelope: Any, _how: str, login: Any) -> Any:
        right = (login.login, login.password) == (b"user@example.org", (password or "").encode())
        return AuthResult(success=right, handled=not right and False)

    sink = Sink()
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": free_port(), "ssl_context": tls}
    if password is not None:
        options |= {"authenticator": check, "auth_required": True}
        options |= {"auth_require_tls": tls is None and starttls is not None}
    if starttls is not None:
        options |= {"tls_context": starttls}
    controller = Controller(sink, **options)
    controller.start()
    try:
        yield controller.port, sink
    finally:
        controller.stop(no_assert=True)
