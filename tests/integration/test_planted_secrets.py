"""Refreshes that succeed and fail with planted passwords: none is in anything that they leave."""

import base64
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from file_contents import shown
from server_world import running, wait_for

import lastfm_assets
from lastfm_assets.sources.resolve import sample_folder

pytestmark = pytest.mark.integration

WORDS = {
    name: f"pl4nted/{name}"
    for name in ("source", "query", "publish", "webhook", "mail", "keys", "spark", "wrong")
}
BASIC = "Basic " + base64.b64encode(f"ann:{WORDS['source']}".encode()).decode()


class _Answers(BaseHTTPRequestHandler):
    """Listening files for who knows the password; a hook that breaks at each post."""

    archive = b""
    posts: list[str] = []  # noqa: RUF012 (of the one server)

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == BASIC
        self.send_response(200 if known else 401)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(self.archive)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.archive)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.posts.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        """Stays silent."""


@dataclass
class Place:
    """A copy of the package, so that its data folder is ours, and all that runs of it write."""

    root: Path
    port: int
    seen: set[str] = field(default_factory=set)
    """Arguments of processes that hold a planted word."""

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LASTFM_", "DAGSTER_", "AWS_"))
        }
        secret = {name: quote(word, safe="") for name, word in WORDS.items()}
        ours = {
            "HOME": str(self.root / "user"),
            "TMPDIR": str(self.root / "tmp"),
            "PYTHONPATH": str(self.root / "project"),
            "DAGSTER_HOME": str(self.root / "dagster"),
            "LASTFM_STORE": str(self.root / "store"),
            "LASTFM_MODELS": "popularity,item_knn",
            "LASTFM_SOURCE": f"http://ann:{secret['source']}@127.0.0.1:{self.port}/plays.zip"
            f"?token={secret['query']}",
            "LASTFM_ALERT_WEBHOOK": f"http://127.0.0.1:{self.port}/{secret['webhook']}",
            "LASTFM_ALERT_EMAIL": "night@example.org",
            "LASTFM_SMTP_URL": f"smtp://user:{secret['mail']}@127.0.0.1:1",
            "LASTFM_SPARK_CONF": f"spark.hadoop.fs.s3a.secret.key={WORDS['spark']}",
            "AWS_ACCESS_KEY_ID": WORDS["keys"],
            "AWS_SECRET_ACCESS_KEY": WORDS["keys"],
            "AWS_SESSION_TOKEN": WORDS["keys"],
        }
        return kept | ours | changes

    def refresh(self, *arguments: str, **changes: str) -> int:
        """Runs the command; what it says goes to a file."""
        with (self.root / "said").open("ab") as said:
            return subprocess.run(
                [sys.executable, "-m", "lastfm_assets.cli", "refresh", *arguments],
                check=False,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=900,
                cwd=self.root / "work",
                env=self.environment(**changes),
            ).returncode

    @property
    def said(self) -> str:
        return (self.root / "said").read_text(errors="replace")

    def watch(self, ended: threading.Event) -> None:
        """Looks at everybody's arguments, as anybody on the machine can."""
        while not ended.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    said = file.read_bytes().decode(errors="replace")
                    if any(form in said for form in forms()):
                        self.seen.add(said.replace("\0", " "))


def forms() -> list[str]:
    """What all planted words begin with, and that in base64, wherever in a text it stands."""
    begin = b"pl4nted"
    return [begin.decode(), *(_base64_behind(count, begin) for count in range(3))]


def _base64_behind(count: int, word: bytes) -> str:
    """The letters of base64 that stand for a word alone, behind so many other bytes."""
    coded = base64.b64encode(b"x" * count + word).decode().rstrip("=")
    whole = 8 * (count + len(word)) // 6
    return coded[-(-8 * count // 6) : whole]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    for name in ("user", "tmp", "work"):
        (tmp_path / name).mkdir()
    copy = tmp_path / "project" / "lastfm_assets"
    shutil.copytree(
        Path(lastfm_assets.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(sample_folder(), copy / "sources" / "sample_files")
    packed = tmp_path / "work" / "plays.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sample_folder().glob("*.dat"):
            archive.write(file, file.name)
    _Answers.archive = packed.read_bytes()
    _Answers.posts.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        ended = threading.Event()
        one = Place(tmp_path, serving.server_port)
        watching = threading.Thread(target=one.watch, args=(ended,))
        watching.start()
        try:
            yield one
        finally:
            ended.set()
            watching.join()
            serving.shutdown()
            thread.join()


def told(root: Path) -> list[tuple[str, str]]:
    """Which file holds which planted word."""
    return [
        (str(file.relative_to(root)), form)
        for file in sorted(root.rglob("*"))
        if file.is_file() and not file.is_symlink()
        for text in [shown(file)]
        for form in forms()
        if form in text
    ]


def test_no_password_is_in_anything_that_refreshes_leave(place: Place) -> None:
    wrong = quote(WORDS["wrong"], safe="")
    home, dead = f"127.0.0.1:{place.port}", "127.0.0.1:1"

    # a password that the server does not take, a server that is gone, and no URL at all
    assert place.refresh(LASTFM_SOURCE=f"http://ann:{wrong}@{home}/plays.zip") == 2
    assert "the server answered 401" in place.said
    gone = f"https://ann:{wrong}@{dead}/plays.zip?token={wrong}"
    assert place.refresh(LASTFM_SOURCE=gone) == 2
    assert "could not be fetched in 4 tries" in place.said
    assert place.refresh(LASTFM_SOURCE=f"https://ann:{WORDS['wrong']}@{dead}/plays.zip") == 2

    # all well, then again with nothing changed
    assert place.refresh() == 0, place.said
    assert place.refresh() == 0, place.said
    assert "nothing changed" in place.said

    # the operator is told of failures by a hook that breaks, and a mail server that is gone
    daemon = [sys.executable, "-m", "dagster._daemon", "run", "-m", "lastfm_assets.definitions"]
    log = place.root / "daemon"
    environment = place.environment()
    with running(daemon, cwd=place.root / "work", log=log, environment=environment) as process:
        wait_for("the alert sensor", lambda: "Initiating tell_operator" in process.said, 240)
        # a serving database that is gone, and one whose URL cannot be read
        url = f"postgresql://ann:{quote(WORDS['publish'], safe='')}@{dead}/lists"
        assert place.refresh(LASTFM_SEED="1", LASTFM_PUBLISH_URL=url) == 2
        assert f"postgresql://{dead}/lists: cannot be reached" in place.said
        unreadable = f"{url}?x={WORDS['publish']}"
        assert place.refresh(LASTFM_SEED="2", LASTFM_PUBLISH_URL=unreadable) == 2
        wait_for(
            "a failed alert",
            lambda: any(
                b"no channel took the alert" in file.read_bytes()
                for file in (place.root / "dagster" / "schedules").glob("*")
            ),
            240,
            logs=lambda: process.said[-2000:],
        )
    assert _Answers.posts

    assert place.seen == set()
    assert told(place.root) == []
    assert (place.root / "dagster").stat().st_mode & 0o077 == 0


def test_a_password_that_is_there_is_found(tmp_path: Path) -> None:
    """So that nothing found means something."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_text(f"x{WORDS['mail']}x")
    (tmp_path / "log").write_text(f"smtp://u:{quote(WORDS['mail'], safe='')}@h")
    (tmp_path / "header").write_text(BASIC)
    with zipfile.ZipFile(tmp_path / "packed", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", WORDS["keys"] * 9)
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as database, database:
        database.execute("CREATE TABLE snapshots (body BLOB)")
        packed = zlib.compress(f"{'a' * 99}{WORDS['spark']}".encode())
        database.execute("INSERT INTO snapshots VALUES (?)", (packed,))
    with duckdb.connect(tmp_path / "lists.duckdb") as serving:
        serving.execute("CREATE TABLE a AS SELECT ? AS b", [WORDS["publish"]])
    expected = {"deep/log", "log", "header", "packed", "runs.db", "lists.duckdb"}
    assert {file for file, _ in told(tmp_path)} == expected


def test_a_password_among_the_arguments_is_seen(place: Place) -> None:
    """So that nobody seen means something."""
    command = [sys.executable, "-c", "input()", f"--password={WORDS['wrong']}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        wait_for("the watch", lambda: bool(place.seen), 30)
        process.communicate(b"\n")
    assert all("--password" in said for said in place.seen)
