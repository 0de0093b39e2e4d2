"""Where a refresh goes in these tests: a folder, an S3 server or PostgreSQL beside it.

And what must hold there whatever has been done to a refresh: readers find a whole version that a
refresh published, the history goes on from what it was, a user has a list, and Dagster remembers
no run that nobody makes.
"""

import contextlib
import os
import random
import sqlite3
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import duckdb
import pandas as pd
from zygote import Zygote

from lastfm_assets.errors import LastfmAssetsError
from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists, content_of
from lastfm_assets.recommendations.reader import Lists
from lastfm_assets.sources.resolve import sample_folder
from lastfm_assets.vocabulary import TOP_LIST
from lastfm_assets.writer import NAME

Kind = Literal["local", "s3", "postgres"]
History = list[tuple[int, str]]
"""Number and content of each version, newest first."""

MODELS: Final = "popularity,item_knn"
LISTENERS: Final = 100
"""Users of a source that a refresh works on for a second or two."""
_OTHERS: Final = 6
"""Of the listeners, how many differ from one source to another, at most."""
_OF_USERS: Final = {"user_artists.dat": 1, "user_taggedartists.dat": 1, "user_friends.dat": 2}
"""How many columns of a file name users, from the first one on."""
_GOING: Final = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
_STRAY: Final = (".partial", ".wal", ".tmp", ".crc")


def part_of_sample(folder: Path, seed: int, listeners: int = LISTENERS) -> Path:
    """A source: some of the sample's listeners, a few of them others for another seed.

    Not more than a few, as a refresh refuses data in which too many users have come or gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = {path.name: path.read_bytes().splitlines(keepends=True) for path in _files()}
    users = sorted({row.split(b"\t")[0] for row in rows["user_artists.dat"][1:]})
    some = random.Random(0).sample(users, listeners + _OTHERS)  # noqa: S311 (not a secret)
    chosen = set(random.Random(seed).sample(some, listeners))  # noqa: S311 (likewise)
    for name, columns in _OF_USERS.items():
        head, *lines = rows[name]
        rows[name] = [head, *(row for row in lines if chosen.issuperset(row.split()[:columns]))]
    for name, lines in rows.items():
        (folder / name).write_bytes(b"".join(lines))
    return folder


def _files() -> list[Path]:
    return sorted(sample_folder().glob("*.dat"))


@dataclass
class Place:
    """A store with all that belongs to it."""

    kind: Kind
    folder: Path
    settings: dict[str, str]
    """Of the place alone: where the store is, and how it is reached."""
    judged_runs: set[str] = field(default_factory=set)
    server: Any = None
    """The PostgreSQL server, where the place has one."""

    @property
    def home(self) -> Path:
        """Dagster's."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """All settings of a refresh into it."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        return {
            "DAGSTER_HOME": str(self.home),
            "LASTFM_MODELS": MODELS,
            "LASTFM_CHAMPION": "item_knn",  # lists depend on the source alone, not on the last ones
            "LASTFM_MIN_PRECISION": "0",
            "TMPDIR": str(temporary),
            **self.settings,
        }

    @property
    def root(self) -> Path | None:
        """The store's folder; None where it is behind a server."""
        return None if self.kind == "s3" else Path(self.settings["LASTFM_STORE"])

    @property
    def published(self) -> PublishedLists:
        """What its readers see."""
        return PublishedLists(Store(self.settings["LASTFM_STORE"]).root)

    def history(self) -> History:
        """What readers could go back to, newest first; nothing before the first publication."""
        try:
            return [(one.number, one.content) for one in self.published.history()]
        except LastfmAssetsError as problem:
            if "is not in the store" in str(problem):
                return []
            raise

    def what_is_wrong(
        self, before: History, wanted: Collection[str], *, done: bool = False
    ) -> list[str]:
        """What must hold at any time, in a line each where it does not.

        Args:
            before: the history before the refresh began.
            wanted: contents that readers may see now.
            done: whether the refresh says that it has succeeded: services see the same, then.
        """
        try:
            now = self.history()
            wrong = [] if now[-len(before) :] == before or not before else ["history has changed"]
            if len(now) > len(before) + 1:
                wrong.append(f"{len(now) - len(before)} versions more after one refresh")
            if now:
                wrong += self._of_readers(wanted)
            elif before:
                wrong.append("nothing is published any more")
            known = wanted if done else {content for _, content in now}
            return wrong + self._of_services(known, done=done)
        except Exception as problem:  # noqa: BLE001 (whatever it is, it is what we are looking for)
            return [f"{type(problem).__name__}: {problem}"]

    def _of_readers(self, wanted: Collection[str]) -> list[str]:
        lists, version = self.published.current()
        wrong = []
        if content_of(lists) != version.content:
            wrong.append(f"version {version.number} is not what was published")
        if version.content not in wanted:
            wrong.append(f"version {version.number} is of neither the last source nor this one")
        user = int(lists["user_id"].iloc[0])
        shown = Lists.open(self.settings["LASTFM_STORE"]).of_user(str(user), 10)
        if len(shown) != (lists["user_id"] == user).sum():
            wrong.append(f"user {user} is shown {len(shown)} artists")
        return wrong

    def lost(self) -> list[str]:
        """Versions that cannot be gone back to, in a line each; all can, for thirty days."""
        return [
            f"version {one.number} cannot be brought back: {one.in_words}"
            for one in self.published.history()
            if not one.restorable
        ]

    def _of_services(self, known: Collection[str], *, done: bool) -> list[str]:
        """Whether the serving database, which S3 has none of, holds a whole version of these."""
        served = self._served()
        if served is None:
            return ["nothing is served"] if done and self.kind != "s3" else []
        content, lists = served
        if content not in known:
            return [f"the serving database holds {content}, expected one of {sorted(known)}"]
        return [] if content_of(lists) == content else ["the serving database holds a mixture"]

    def _served(self) -> tuple[str, pd.DataFrame] | None:
        columns = ", ".join(TOP_LIST)
        lists, content = f"SELECT {columns} FROM lastfm.top_artists", "lastfm.publication"  # noqa: S608
        if self.kind == "postgres":
            return _in_postgres(self.settings["LASTFM_PUBLISH_URL"], lists)
        place = None if self.root is None else self.root / "recommendations" / "serving.duckdb"
        if place is None or not place.exists():
            return None
        with duckdb.connect(place, read_only=True) as connection:
            said = connection.execute(f"SELECT content FROM {content}").fetchone()  # noqa: S608
            table = connection.execute(lists).df()
        assert said is not None
        return str(said[0]), _typed(table)

    def strays(self) -> list[str]:
        """Files that nobody needs once a refresh has ended."""
        folders = [self.folder / "tmp", *([self.root] if self.root else [])]
        found = [path for folder in folders for path in folder.rglob("*")]
        stray = [
            path
            for path in found
            if path.parent == folders[0]
            or (path.name.startswith(".") and path.name != NAME)
            or path.suffix in _STRAY
            or "#" in path.name
        ]
        home = [path for path in self.home.glob("*") if path.name.startswith(".")]
        return [str(path.relative_to(self.folder)) for path in (*stray, *home)]

    def what_dagster_has_wrong(self) -> list[str]:
        """Runs that nobody makes, and databases that are damaged, once a refresh has ended."""
        wrong = []
        history = self.home / "history"
        runs = sorted(history.glob("runs/*.db"), key=lambda path: path.stat().st_mtime)[-3:]
        for path in (history / "runs.db", *runs):
            with contextlib.closing(sqlite3.connect(path)) as database:
                said = database.execute("PRAGMA integrity_check").fetchone()[0]
                if said != "ok":
                    wrong.append(f"{path.name}: {said}")
        with contextlib.closing(sqlite3.connect(history / "runs.db")) as database:
            going = database.execute("SELECT run_id, status FROM runs").fetchall()
        return wrong + [f"run {run} is {status}" for run, status in going if status in _GOING]

    def last_run(self) -> tuple[str, str, str]:
        """Id, status and the step under way of a run that was not asked for before.

        The step is `before the run` where there is no such run, and `after` the last one where
        none was under way.
        """
        path = self.home / "history" / "runs.db"
        if not path.exists():
            return "", "", "before the run"
        with contextlib.closing(sqlite3.connect(path)) as database:
            row = database.execute(
                "SELECT run_id, status FROM runs ORDER BY id DESC LIMIT 1"
            ).fetchone()
        if row is None or row[0] in self.judged_runs:
            return "", "", "before the run"
        self.judged_runs.add(row[0])
        return row[0], row[1], self._step_of(row[0])

    def _step_of(self, run: str) -> str:
        path = self.home / "history" / "runs" / f"{run}.db"
        if not path.exists():
            return "before the run"
        with contextlib.closing(sqlite3.connect(path)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master").fetchall():
                return "before the run"  # killed as the file was made
            events = database.execute(
                "SELECT dagster_event_type, step_key FROM event_logs WHERE step_key IS NOT NULL "
                "AND dagster_event_type IN ('STEP_START', 'STEP_SUCCESS') ORDER BY id"
            ).fetchall()
        if not events:
            return "before the first step"
        kind, step = events[-1]
        return str(step) if kind == "STEP_START" else f"after {step}"


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Lists as they were published, whatever types a database handed them out in."""
    whole = {"user_id": "int64", "rank": "int32", "artist_id": "int64", "score": "float64"}
    texts = [name for name in TOP_LIST if name not in whole]
    return table[list(TOP_LIST)].astype(whole | dict.fromkeys(texts, "str"))


def _in_postgres(url: str, query: str) -> tuple[str, pd.DataFrame] | None:
    import psycopg2  # noqa: PLC0415 (an extra)

    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor.execute("SELECT to_regclass('lastfm.publication') IS NULL")
        if cursor.fetchone()[0]:
            return None
        cursor.execute("SELECT content FROM lastfm.publication")
        content = cursor.fetchone()[0]
        cursor.execute(query)
        rows = cursor.fetchall()
    return content, _typed(pd.DataFrame(rows, columns=list(TOP_LIST)))


@contextlib.contextmanager
def opened(kind: Kind, folder: Path) -> Iterator[Place]:
    """A fresh place of that kind, with its server where it has one.

    Raises:
        FileNotFoundError, ImportError: what it needs is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sys.path.append(str(Path(__file__).parents[1] / "integration"))
    if kind == "s3":
        from s3_world import fresh_bucket  # noqa: PLC0415 (its driver may be missing)
        from s3fs import S3FileSystem  # noqa: PLC0415 (as above)

        with fresh_bucket(folder) as bucket:
            S3FileSystem.clear_instance_cache()  # one of another server would go on
            settings = dict(bucket.environment)
            os.environ.update({n: v for n, v in settings.items() if n.startswith("AWS_")})
            yield Place(kind, folder, settings)
        return
    settings = {"LASTFM_STORE": str(folder / "store")}
    if kind == "local":
        yield Place(kind, folder, settings)
        return
    from postgres import running_postgres  # noqa: PLC0415 (its driver may be missing)

    with running_postgres() as server:
        yield Place(kind, folder, settings | {"LASTFM_PUBLISH_URL": server.url}, server=server)


@dataclass
class World:
    """Sources by turns, and what an undisturbed refresh publishes of each."""

    folder: Path
    zygote: Zygote
    sources: list[Path]
    contents: list[str]
    seconds: float
    """That a whole refresh takes here, by the last one that was seen whole."""

    def refresh(self, turn: int) -> tuple[str, ...]:
        """The command that makes what is wanted in that turn."""
        return ("refresh", "--source", str(self.sources[turn % len(self.sources)]))

    def content(self, turn: int) -> str:
        """What readers see after it."""
        return self.contents[turn % len(self.contents)]

    @classmethod
    def made(cls, folder: Path, zygote: Zygote, *, sources: int = 3) -> "World":
        """Writes the sources, and refreshes from each into a store that is thrown away."""
        world = cls(folder, zygote, [], [], 0.0)
        for number in range(sources):
            world.sources.append(part_of_sample(folder / f"source{number}", number))
            with opened("local", folder / f"undisturbed{number}") as place:
                ended = zygote.run(*world.refresh(number), environment=place.environment)
                if ended.code:
                    raise RuntimeError(f"an undisturbed refresh failed: {ended.said}")
                world.contents.append(place.history()[0][1])
                world.seconds = ended.seconds
        if len({*world.contents}) < sources:
            raise RuntimeError("two sources give the same lists, so that nothing could be told")
        return world
