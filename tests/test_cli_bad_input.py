"""Whatever users get wrong: exit code 2, one line that says how to mend it, and no harm done."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pipeline_world import Command, snapshot

from lastfm_assets.sources.resolve import sample_folder


class Serves(BaseHTTPRequestHandler):
    """Hands out something that is no archive of anybody's."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        content = b"PK not an archive"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@dataclass(frozen=True)
class Place:
    """Where a case may put its files."""

    folder: Path
    url: str
    """Of a server on this machine."""
    closed_url: str
    """Of a port where nothing listens."""

    def file(self, name: str, content: str | bytes) -> str:
        """Writes a file, and gives its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def source(self, **replaced: str | bytes) -> str:
        """The sample with some of its files replaced."""
        folder = self.folder / "source"
        shutil.copytree(sample_folder(), folder)
        for name, content in replaced.items():
            self.file(f"source/{name}.dat", content)
        return str(folder)

    def empty(self) -> str:
        """A folder without a file."""
        (self.folder / "empty").mkdir()
        return str(self.folder / "empty")

    def cut_archive(self) -> str:
        """The sample as an archive that ends too early."""
        path = Path(shutil.make_archive(str(self.folder / "archive"), "zip", sample_folder()))
        path.write_bytes(path.read_bytes()[:-5000])
        return str(path)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as unused:
        closed = unused.server_port
    with ThreadingHTTPServer(("127.0.0.1", 0), Serves) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        (tmp_path / "place").mkdir()
        yield Place(
            tmp_path / "place",
            f"http://127.0.0.1:{server.server_port}/bad_input_test.zip",
            f"https://127.0.0.1:{closed}/x.zip",
        )
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Case:
    """One mistake."""

    arguments: Callable[[Place], list[str]]
    said: str
    """Part of the line that explains it."""
    environment: dict[str, str] = field(default_factory=dict)


def typed(line: str, said: str, **environment: str) -> Case:
    """A command that needs no file."""
    return Case(lambda _: line.split(), said, environment)


def refresh(source: Callable[[Place], str], said: str) -> Case:
    return Case(lambda place: ["refresh", "--source", source(place)], said)


def reading(source: Callable[[Place], str], said: str) -> Case:
    """An evaluation of such a source, which reads it as a refresh does."""
    return Case(
        lambda place: [
            *("evaluate", "--source", source(place)),
            *("--held-out", place.file("h/held_out.csv", "user_id,artist_id\n1,2\n")),
        ],
        said,
    )


def held_out(content: str | bytes, said: str) -> Case:
    """An evaluation on such a held-out file."""
    return Case(
        lambda place: [
            *("evaluate", "--source", "sample", "--models", "popularity"),
            *("--held-out", place.file("held_out.csv", content)),
        ],
        said,
    )


def lists(content: str | bytes, said: str) -> Case:
    """A score of such lists."""
    return Case(
        lambda place: [
            *("score", "--lists", place.file("lists.csv", content)),
            *("--held-out", place.file("held_out.csv", "user_id,artist_id\n1,2\n")),
        ],
        said,
    )


def plays(content: str | bytes, said: str) -> Case:
    """A listener with such plays."""
    return Case(lambda p: ["recommend", "--plays", p.file("plays.csv", content)], said)


NOISE = bytes(range(256)) * 40

CASES = {
    # the source
    "missing folder": refresh(lambda _: "/no/such/folder", "nothing was found, expected a folder"),
    "empty folder": reading(Place.empty, "artists and user_artists missing"),
    "wrong header": refresh(
        lambda p: p.source(user_artists="user;artist;plays\n1;2;3\n"),
        "user_artists.dat: the first line is 'user;artist;plays'",
    ),
    "file of noise": reading(lambda p: p.source(artists=NOISE), "artists.dat: the first line is"),
    "empty file": reading(lambda p: p.source(user_artists=""), "user_artists.dat: the first line"),
    "header without rows": refresh(
        lambda p: p.source(user_artists="userID\tartistID\tweight\n"),
        "only a header was found",
    ),
    "truncated archive": refresh(Place.cut_archive, "not an archive, or a damaged one"),
    "no archive": reading(lambda p: p.file("x.zip", NOISE), "not an archive, or a damaged one"),
    "wrong checksum": refresh(lambda p: f"{p.url}#sha256={'0' * 64}", "sha256 is not the expected"),
    "odd checksum": reading(lambda p: f"{p.url}#sha256=12", "expected #sha256= and 64 hex digits"),
    "other kind of URL": reading(lambda _: "s3://bucket/x.zip", "expected https"),
    "closed port": reading(lambda p: p.closed_url, "could not be fetched"),
    "unknown selection": typed(
        "refresh --source sample --select models/nosuch", "--select names 'models/nosuch'"
    ),
    "odd Spark setting": typed(
        "refresh --source sample --engine spark",
        "LASTFM_SPARK_CONF: piece 2 is no key=value, expected",
        LASTFM_SPARK_CONF="spark.a=b,memory",
    ),
    "model that Spark cannot fit": typed(
        "refresh --source sample --engine spark",
        "LASTFM_MODELS names ease, which cannot be fitted inside Spark",
        LASTFM_MODELS="ease",
    ),
    "unknown competitor": typed(
        "refresh --source sample", "unknown model 'alz'; expected one of", LASTFM_MODELS="alz"
    ),
    "unknown engine": typed("refresh --source sample --engine flink", "'flink' is not one of"),
    # whom and what
    "unknown user": typed("recommend --user 99999", "user 99999 has no list"),
    "negative user": typed("recommend --user -5", "user -5 has no list"),
    "huge user": typed(f"recommend --user {'9' * 30}", "has no list"),
    "user by name": typed("recommend --user ann", "--user is 'ann', expected a whole number"),
    "unknown artist": typed("similar --artist zzqqxx", "no artist 'zzqqxx'"),
    "unknown artist id": typed("similar --artist 99999999", "no artist '99999999'"),
    "empty artist": Case(lambda _: ["similar", "--artist", ""], "no artist ''"),
    "artist that steers a terminal": Case(
        lambda _: ["similar", "--artist", "\x1b[31mred\u202e\n"], "no artist"
    ),
    "none asked for": typed("recommend --user 2 -n 0", "-n is 0, expected at least 1"),
    "fewer than none": typed("recommend --user 2 -n -3", "-n is -3, expected at least 1"),
    "no number": typed("recommend --user 2 -n x", "Invalid value for '-n'"),
    "no similar asked for": typed("similar --artist 473 -n 0", "-n is 0, expected at least 1"),
    "user and plays": Case(
        lambda p: ["recommend", "--user", "2", "--plays", p.file("p.csv", "artist_id\n136\n")],
        "expected either --user ID or --plays FILE",
    ),
    "neither user nor plays": typed("recommend", "expected either --user ID or --plays FILE"),
    # a listener's plays
    "missing plays": typed("recommend --plays /no/such.csv", "/no/such.csv: cannot be read"),
    "plays of noise": plays(NOISE, "plays.csv: "),
    "empty plays": plays("", "plays.csv: not a readable CSV"),
    "plays with another header": plays("who,what\n1,2\n", "the header is 'who,what'"),
    "plays of nobody known": plays("artist_id\n99999999\n", "none of its 1 rows names an artist"),
    "plays without rows": plays("artist_id,plays\n", "none of its 0 rows names an artist"),
    # held-out pairs
    "missing held-out file": typed(
        "evaluate --source sample --held-out /no/such.csv", "/no/such.csv: cannot be read"
    ),
    "folder as held-out file": typed("evaluate --source sample --held-out /", "cannot be read"),
    "empty held-out file": held_out("", "held_out.csv: not a readable CSV"),
    "held-out file of noise": held_out(NOISE, "held_out.csv: "),
    "held-out file with another header": held_out("a,b\n1,2\n", "missing user_id, artist_id"),
    "held-out file without a header": held_out("1,2\n3,4\n", "missing user_id, artist_id"),
    "held-out file without rows": held_out("user_id,artist_id\n", "no row below the header"),
    "held-out file with a gap": held_out("user_id,artist_id\n1,2\n3,\n", "row 2 has an empty"),
    "held-out file with a long row": held_out("user_id,artist_id\n1,2\n1,2,3,4\n", "held_out.csv"),
    "held-out file with text": held_out("user_id,artist_id\nann,2\n", "user_id has 'ann'"),
    "unknown model": Case(
        lambda p: [
            *("evaluate", "--source", "sample", "--models", "als,svd"),
            *("--held-out", p.file("h.csv", "user_id,artist_id\n1,2\n")),
        ],
        "unknown model 'svd'; expected one of popularity, item_knn",
    ),
    "no cut-off": Case(
        lambda p: [
            *("evaluate", "--source", "sample", "--at", "10,0"),
            *("--held-out", p.file("h.csv", "user_id,artist_id\n1,2\n")),
        ],
        "--at is '10,0', expected list lengths from 1 on",
    ),
    "figures below a file": Case(
        lambda p: [
            *("score", "--lists", p.file("l.csv", "user_id,artist_id,score\n1,2,3\n")),
            *("--held-out", p.file("h.csv", "user_id,artist_id\n1,2\n")),
            *("--json", p.file("x", "") + "/y.json"),
        ],
        "cannot be written",
    ),
    # lists
    "lists without scores": lists("user_id,artist_id\n1,2\n", "missing score"),
    "lists with a bad score": lists("user_id,artist_id,score\n1,2,high\n", "has the score 'high'"),
    "lists with an endless score": lists("user_id,artist_id,score\n1,2,inf\n", "score 'inf'"),
    "lists without rows": lists("user_id,artist_id,score\n", "no row below the header"),
    # the command itself
    "missing option": typed(
        "evaluate --source sample", "expected either --held-out FILE or --seeds N"
    ),
    "unknown command": typed("frobnicate", "No such command 'frobnicate'"),
    "unknown option": typed("recommend --usr 2", "No such option: --usr"),
    "option without its value": typed("recommend --user", "requires an argument"),
    "too many words": typed("recommend --user 2 3", "unexpected extra argument"),
    # settings and the store
    "bad seed": typed("refresh --source sample", "LASTFM_SEED is 'abc'", LASTFM_SEED="abc"),
    "bad threshold": typed(
        "refresh --source sample", "LASTFM_MIN_PRECISION is '2'", LASTFM_MIN_PRECISION="2"
    ),
    "bad seed for a reader": typed("recommend --user 2", "LASTFM_SEED", LASTFM_SEED="-1"),
    "store without lists": typed(
        "recommend --user 2 --store /no/such/store", "recommendations/published is not in the store"
    ),
    "store without relatives": typed("similar --artist 1 --store /no/such/store", "is not in the"),
    "store of no driver": typed("recommend --user 2 --store nosuch://x", "cannot be opened"),
    "store below a file": Case(
        lambda p: [
            *("refresh", "--source", "sample", "--select", "raw"),
            *("--store", p.file("file", "") + "/store"),
        ],
        "cannot be written",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_is_explained_in_one_line_and_changes_nothing(
    name: str, command: Command, store: Path, place: Place
) -> None:
    case = CASES[name]
    arguments = case.arguments(place)
    before = snapshot(store)
    ran = command(*arguments, store=store, **case.environment)
    assert ran.code == 2, ran.err
    assert ran.out == ""
    assert case.said in ran.last_line
    assert ran.last_line.startswith("error: ")
    assert ran.last_line.isprintable()
    assert len(ran.last_line) < 700
    assert "Traceback" not in ran.err
    others = ran.err.splitlines()[:-1]
    assert [one for one in others if not one.startswith(("    source: ", "makes again "))] == []
    assert snapshot(store) == before


def test_a_damaged_list_is_told_to_be_made_again(command: Command, store: Path) -> None:
    (path,) = (store / "recommendations" / "published").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    ran = command("recommend", "--user", "2", store=store)
    assert (ran.code, ran.out) == (2, "")
    assert ran.last_line.endswith("run `lastfm-assets refresh`")
