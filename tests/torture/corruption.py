"""Every stored file cut, flipped, emptied, swapped and deleted: it must be told, never used.

    python tests/torture/corruption.py FOLDER [BUDGET [SEED]]

One file of a finished store is damaged at a time, read by all that reads it, and put back. Each
reader must say what is wrong and name the file, or give exactly what was there before.
"""

import contextlib
import json
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
from places import MODELS, part_of_sample

from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.automation.plan import plan_refresh
from lastfm_assets.automation.refresh import run_refresh
from lastfm_assets.definitions import build_definitions
from lastfm_assets.errors import StoreError
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.formats import version_of
from lastfm_assets.insight.report import Report
from lastfm_assets.io import Store
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.trained import MODELS as EVERY_MODEL
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.provenance import Origin
from lastfm_assets.recommendations.duckdb_file import DuckDBFile
from lastfm_assets.recommendations.published import PublishedLists, content_of
from lastfm_assets.recommendations.serving import SCHEMA, TABLES
from lastfm_assets.recommendations.versions import About, Version
from lastfm_assets.settings import Settings

TABLE: Final = Path("recommendations", "published")
SERVING: Final = Path("recommendations", "serving.duckdb")
VERSIONS: Final = 12
"""Publications before the damage, so that the log has a checkpoint."""
_OF_SUFFIX: Final = {".html": Report, ".json": Champion, ".parquet": pd.DataFrame}
_NOT_MADE_AGAIN: Final = ("insight/history.parquet",)
"""What a refresh does not write over, as nothing replaces it."""
Value = Any
Damage = Callable[[bytes], bytes | None]
Reader = Callable[[Path], Value]
"""Reads one thing from a store anew."""


@dataclass(frozen=True)
class Lost:
    """A history, some of whose versions may be told as lost."""

    versions: tuple[Version, ...]


@dataclass(frozen=True)
class Subject:
    """A stored file, and everything that reads it."""

    path: Path
    """From the store's folder."""
    readers: Mapping[str, Reader]
    names: tuple[str, ...]
    """By one of them a message must name it."""


def corrupt(folder: Path, budget: int, seed: int) -> dict[str, int]:
    """Damages stored files, and counts what came of it.

    Args:
        folder: holds a finished store in `store`, or gets one.
        budget: how many damages to try.
        seed: of their kinds and places.

    Returns:
        `tried, detected, harmless, older, healed, silent` and `not healed`; the last two must be 0.
        `older`: a whole earlier state was put in the place of the present one.
    """
    with _environment(folder):
        settings = _finished(folder)
        return dict(_Torture(folder, settings, random.Random(seed)).run(budget))  # noqa: S311


@contextlib.contextmanager
def _environment(folder: Path) -> Iterator[None]:
    wanted = {
        "DAGSTER_HOME": str(folder / "home"),
        "LASTFM_MODELS": MODELS,
        "LASTFM_MIN_PRECISION": "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    (folder / "home").mkdir(parents=True, exist_ok=True)
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _settings(folder: Path, store: Path) -> Settings:
    models = {"models": MODELS} if "models" in Settings.model_fields else {}
    known = {"source": str(folder / "source"), "store": str(store), "min_precision": 0.0}
    return Settings.model_validate({**known, **models})


def _finished(folder: Path) -> Settings:
    """A store of a small source, whose lists have been published many times."""
    settings = _settings(folder, folder / "store")
    if (folder / "store" / TABLE).exists():
        return settings
    part_of_sample(folder / "source", seed=1)
    _refresh(settings)
    published = PublishedLists(Store(settings.store).root)
    lists, version = published.current()
    about = About(version.model, version.source, version.precision, version.run_id)
    for number in range(1, VERSIONS):
        changed = lists.assign(because=f"version {number}")
        published.publish(lists if number == VERSIONS - 1 else changed, about)
    _refresh(settings)
    return settings


def _refresh(settings: Settings) -> None:
    outcome = run_refresh(settings)
    if outcome.exit_code:
        raise AssertionError(outcome.message)


class _Torture:
    def __init__(self, folder: Path, settings: Settings, chance: random.Random) -> None:
        self.folder, self.store, self.chance = folder, Path(settings.store), chance
        self.settings = settings
        self.subjects = _subjects(self.store)
        self.content = {one.path: (self.store / one.path).read_bytes() for one in self.subjects}
        self.wanted = {
            one.path: {name: read(self.store) for name, read in one.readers.items()}
            for one in self.subjects
        }
        self.found: Counter[str] = Counter(dict.fromkeys(("tried", "detected", "silent"), 0))

    def run(self, budget: int) -> Counter[str]:
        heals = 1 + budget // 500
        for number in range(budget):
            turn, at = divmod(number, len(self.subjects))
            # another kind for each file from the first turn on; from the eighth only flips, cuts
            kind, damage = self._damage(self.subjects[at], (at + turn) % 7 if turn < 7 else turn)
            subject = self.subjects[at]
            self._try(subject, kind, damage)
        for path in self.content:
            assert (self.store / path).read_bytes() == self.content[path]
        for _ in range(heals):
            self._heal()
        return self.found

    def _damage(self, subject: Subject, round_: int) -> tuple[str, Damage]:
        """The next damage to a file: each kind once, then flips and cuts at any place."""
        content = self.content[subject.path]
        alike = [path for path in self.content if path.suffix == subject.path.suffix]
        others = [path for path in alike if path != subject.path] or [subject.path]
        first: list[tuple[str, Damage]] = [
            ("emptied", lambda _: b""),
            ("deleted", lambda _: None),
            ("swapped", lambda _: self.content[self.chance.choice(others)]),
            ("older", self._older(subject)),
            ("cut", lambda content: content[:-1]),
        ]
        if round_ < len(first):
            return first[round_]
        place = self.chance.randrange(len(content))
        if self.chance.random() < 0.1:
            return f"cut to {place}", lambda content: content[:place]
        if self.chance.random() < 0.3:  # headers and footers, which are small, as often as the rest
            place = self.chance.choice(
                [place % 200, len(content) - 1 - place % min(2000, len(content))]
            )
            place = max(0, min(len(content) - 1, place))
        bit = 1 << self.chance.randrange(8)
        return (
            f"bit {bit} of byte {place}",
            lambda content: content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :],
        )

    def _older(self, subject: Subject) -> Damage:
        """The same asset as an earlier run left it: a whole file, of other inputs."""
        if subject.path.is_relative_to(TABLE) or subject.path == SERVING:
            return lambda content: content[: len(content) // 2]
        key, kind = _key(subject.path), _kind(subject.path)
        value: Any = Store(str(self.store)).read(key, kind)
        if kind is pd.DataFrame and len(value):
            value = value.head(len(value) - 1)
        earlier = Store(str(self.folder / "earlier"))
        origin = Origin("earlier", {}, {"listening/interactions": "earlier"})
        path, _ = earlier.write(key, value, source="sample", origin=origin)
        return lambda _: Path(path).read_bytes()

    def _try(self, subject: Subject, kind: str, damage: Damage) -> None:
        self.found["tried"] += 1
        place = self.store / subject.path
        content = damage(self.content[subject.path])
        if content == self.content[subject.path]:
            self.found["harmless"] += 1
            return
        place.unlink()
        if content is not None:
            place.write_bytes(content)
        try:
            self.found[self._verdict(subject, kind)] += 1
        finally:
            _put_back(place, self.content[subject.path])

    def _verdict(self, subject: Subject, kind: str) -> str:
        said = {name: self._said(subject, name, kind) for name in subject.readers}
        told = "told" in said.values()
        wrong = {name: what for name, what in said.items() if what not in ("", "told")}
        if not told and {*wrong.values()} <= {"gives something else"}:
            if kind == "older" and self._is_stale(subject):
                return "older"
            if kind == "deleted" and _is_newest_entry(subject.path, self.content):
                return "older"
        if wrong:
            sys.stderr.write(f"{subject.path}, {kind}: {wrong}\n")
            return "silent"
        return "detected" if told else "harmless"

    def _said(self, subject: Subject, name: str, kind: str) -> str:
        """What a reader makes of the damage: `told`, nothing at all, or what it does wrong."""
        wanted = self.wanted[subject.path][name]
        try:
            value = subject.readers[name](self.store)
        except StoreError as problem:
            if not any(one in str(problem) for one in subject.names):
                return f"names no file: {problem}"
            return "told" if str(problem).isprintable() else f"not one line: {problem!r}"
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # noqa: BLE001 (a library's panic is none of Exception)
            return f"{type(problem).__name__}: {problem}"
        if value is None and kind == "deleted":
            return "told"
        if not _same(value, wanted, subject.path.name):
            return "gives something else"
        return "" if value == wanted else "told"  # a history says that a version is lost

    def _is_stale(self, subject: Subject) -> bool:
        """Whether the next refresh makes it again, or it is of no refresh's making."""
        job = build_definitions(self.settings).resolve_job_def(REFRESH)
        plan = plan_refresh(job, self.settings)
        known = {key.to_user_string() for key in (*plan.stale, *plan.current)}
        name = "/".join(_key(subject.path))
        return name not in known or name in {key.to_user_string() for key in plan.stale}

    def _heal(self) -> None:
        """Damages several files at once, and has a refresh make them again."""
        copy = self.folder / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.store, copy)
        can = [one for one in self.subjects if one.path.as_posix() not in _NOT_MADE_AGAIN]
        chosen = self.chance.sample(can, 6)
        for subject in chosen:
            _, damage = self._damage(subject, self.chance.choice([0, 1, 2, 4, 9, 9, 9]))
            content = damage(self.content[subject.path])
            (copy / subject.path).unlink()
            if content is not None:
                (copy / subject.path).write_bytes(content)
        names = ", ".join(str(one.path) for one in chosen)
        try:
            _refresh(_settings(self.folder, copy))
            self._require_healed(copy, chosen)
        except (StoreError, AssertionError) as problem:
            sys.stderr.write(f"not healed: {names}: {problem}\n")
            self.found["not healed"] += 1
        else:
            self.found["healed"] += len(chosen)

    def _require_healed(self, copy: Path, chosen: list[Subject]) -> None:
        for subject in chosen:
            for read in () if subject.path.is_relative_to(TABLE) else subject.readers.values():
                read(copy)
        now, before = (_lists(place).current()[0] for place in (copy, self.store))
        if content_of(now) != content_of(before):
            raise AssertionError("other lists are published")


def _put_back(place: Path, content: bytes) -> None:
    place.unlink(missing_ok=True)
    place.write_bytes(content)


def _subjects(store: Path) -> list[Subject]:
    files = sorted(path.relative_to(store) for path in store.rglob("*") if path.is_file())
    found = []
    for path in files:
        if path.is_relative_to(TABLE):
            found.append(Subject(path, _TABLE_READERS, (str(TABLE),)))
        elif path == SERVING:
            found.append(Subject(path, {"served": _served, "tables": _served_tables}, (path.name,)))
        elif path.suffix in (".npz", *_OF_SUFFIX):
            names = (str(path), "/".join(_key(path)))
            found.append(Subject(path, _readers(store, _key(path), _kind(path)), names))
    return found


def _key(path: Path) -> tuple[str, ...]:
    return (*path.parent.parts, path.stem)


def _kind(path: Path) -> Any:
    if path.suffix == ".npz":
        return ListeningMatrix if path.stem == "weighted_matrix" else TrainedModel
    if path.parent.name == "evaluation" and path.stem in EVERY_MODEL:
        return Evaluation
    return _OF_SUFFIX[path.suffix]


def _readers(whole: Path, key: tuple[str, ...], kind: Any) -> dict[str, Reader]:
    def read(store: Path) -> Value:
        value, stamp = Store(str(store)).read_with_stamp(key, kind)
        return version_of(value), stamp

    readers: dict[str, Reader] = {
        "read": read,
        "stamp": lambda store: Store(str(store)).stamp(key, kind),
        "check": lambda store: Store(str(store)).check(key, kind),
    }
    if kind is pd.DataFrame:
        names = list(Store(str(whole)).read(key, kind).columns[:2])

        def columns(store: Path) -> Value:
            return version_of(Store(str(store)).columns(key, names))

        readers |= {"columns": columns, "rows": lambda store: Store(str(store)).rows(key)}
    return readers


def _lists(store: Path) -> PublishedLists:
    return PublishedLists(Store(str(store)).root)


def _current(store: Path) -> Value:
    lists, version = _lists(store).current()
    return content_of(lists), version


def _some_users(store: Path) -> Value:
    lists = _lists(store)
    version = lists.version()
    users = lists.user_ids(version)
    return users.tolist(), version_of(lists.of_users(users[:3].tolist(), version))


def _history(store: Path) -> Value:
    return Lost(tuple(_lists(store).history()))


def _restored(store: Path) -> Value:
    """Whether what can be gone back to is what it says it is."""
    lists = _lists(store)
    can = [one for one in lists.history() if one.restorable]
    return all(content_of(lists.read(one.number)) == one.content for one in can[1:3])


_TABLE_READERS: Final[dict[str, Reader]] = {
    "current": _current,
    "some users": _some_users,
    "history": _history,
    "versions": _restored,
}


def _served(store: Path) -> Value:
    return DuckDBFile(store / SERVING).served()


def _served_tables(store: Path) -> Value:
    try:
        with duckdb.connect(store / SERVING, read_only=True) as database:
            return {
                table.name: database.execute(
                    f"SELECT count(*), bit_xor(hash(t)) FROM {SCHEMA}.{table.name} t"  # noqa: S608
                ).fetchall()
                for table in TABLES
            }
    except duckdb.Error as problem:  # a service sees it as that
        raise StoreError(f"{SERVING.name}: {' '.join(str(problem).split())}") from None


def _same(value: Value, wanted: Value, file: str) -> bool:
    """Whether a reader gave what it gave before; of a version that is lost it may say so."""
    if not isinstance(value, Lost):
        return bool(value == wanted)
    return len(value.versions) == len(wanted.versions) and all(
        one == before
        or (not one.restorable and (file in one.damage or one.damage == "" or "checkpoint" in file))
        for one, before in zip(value.versions, wanted.versions, strict=True)
    )


def _is_newest_entry(path: Path, content: Mapping[Path, bytes]) -> bool:
    entries = sorted(one for one in content if one.suffix == ".json" and one.parent == path.parent)
    return bool(entries) and path == entries[-1] and path.parent.name == "_delta_log"


def main() -> int:
    """Prints what was found; 1 where damage was used or stayed."""
    folder, *rest = sys.argv[1:]
    found = corrupt(
        Path(folder), *([*map(int, rest), 1000, 0][:2] if len(rest) < 2 else map(int, rest))
    )
    sys.stdout.write(json.dumps(found) + "\n")
    return int(found["silent"] + found.get("not healed", 0) > 0)


if __name__ == "__main__":
    sys.exit(main())
