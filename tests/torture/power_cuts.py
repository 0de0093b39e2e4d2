"""A refresh on a disk that loses what was not synced: at every change the power may go.

    python tests/torture/power_cuts.py FOLDER [BUDGET [SEED]]

One real refresh is recorded, call by call, by a preloaded `recorded_disk.c`. Then the store is
built as a disk would show it after a power cut at each of the changes: names that were not synced
with their folder are there or not, and data that was not synced is gone. Readers must see one
published version whole, the one before or the one after, and the next refresh must mend the rest.
"""

import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from places import MODELS, part_of_sample
from preloaded import built
from zygote import started

from lastfm_assets.errors import StoreError
from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists, content_of

KEPT: Final = ("none", "all", "some")
"""Of the names that were not synced: which survive."""


@dataclass(frozen=True)
class Change:
    """What a process did to the store."""

    what: str
    inode: int
    path: str
    other: str


@dataclass
class Disk:
    """What is on a disk, and what the kernel only remembers."""

    names: dict[str, int]
    """Every path with its inode, as processes see them; folders have 0."""
    durable: dict[str, int]
    """As they are after a power cut."""
    synced: dict[int, Path]
    """Where the content of an inode lies, as it was synced."""
    dirty: set[int] = field(default_factory=set)
    pending: list[tuple[str, str, int | None]] = field(default_factory=list)
    """Folder, path and inode (None: gone) of each name that was changed and not synced."""

    @classmethod
    def of(cls, store: Path) -> "Disk":
        """A store that has lain there for long."""
        names, synced = {str(store): 0}, {}
        for path in store.rglob("*"):
            inode = 0 if path.is_dir() else path.stat().st_ino
            names[str(path)] = inode
            if inode:
                synced[inode] = path
        return cls(dict(names), dict(names), synced)

    def do(self, change: Change, log: Path) -> None:
        """Takes in a change."""
        if change.what in ("create", "truncate", "write"):
            self.dirty.add(change.inode)
            if change.what != "write" and self.names.get(change.path) != change.inode:
                self._name(change.path, change.inode)
        elif change.what == "sync":
            self.synced[change.inode] = Path(f"{log}.{change.other}.synced")
            self.dirty.discard(change.inode)
        elif change.what == "sync folder":
            for folder, path, inode in self.pending:
                if folder == change.path:
                    _set(self.durable, path, inode)
            self.pending = [one for one in self.pending if one[0] != change.path]
        elif change.what == "mkdir":
            self._name(change.path, 0)
        elif change.what == "unlink":
            self._name(change.path, None)
        else:
            inode = self.names.get(change.path)
            self._name(change.other, inode)
            if change.what == "rename":
                self._name(change.path, None)

    def _name(self, path: str, inode: int | None) -> None:
        _set(self.names, path, inode)
        self.pending.append((str(Path(path).parent), path, inode))

    def after_a_cut(self, store: Path, copy: Path, kept: int) -> None:
        """Builds the store as it is found again.

        Args:
            store: where the recorded one lay.
            copy: where to build it; replaced.
            kept: how many of the names that were not synced survive, the first ones.
        """
        names = dict(self.durable)
        for _, path, inode in self.pending[:kept]:
            _set(names, path, inode)
        shutil.rmtree(copy, ignore_errors=True)
        for path in sorted(names):
            if any(str(one) not in names for one in _between(Path(path), store)):
                continue
            place = copy / Path(path).relative_to(store)
            inode = names[path]
            if inode == 0:
                place.mkdir(exist_ok=True)
            elif inode in self.synced and (inode not in self.dirty or not kept):
                shutil.copyfile(self.synced[inode], place)
            else:
                place.write_bytes(b"")


def _between(path: Path, store: Path) -> Iterator[Path]:
    return (one for one in path.parents if one == store or store in one.parents)


def _set(names: dict[str, int], path: str, inode: int | None) -> None:
    if inode is None:
        names.pop(path, None)
    else:
        names[path] = inode


def cut(folder: Path, budget: int, seed: int) -> dict[str, int]:
    """Records a refresh over a store that has been published to, and cuts the power.

    Args:
        folder: for all that is made here.
        budget: how many cuts to look at, spread over the changes.
        seed: of which.

    Returns:
        `changes, cuts, old, new, healed, wrong`; the last must be 0.
    """
    store, log = (folder / "store").resolve(), folder / "record"
    sources = [part_of_sample(folder / "source-1", seed=1), _next_day(folder)]
    watched = {
        "LD_PRELOAD": str(built(Path(__file__).with_name("recorded_disk.c"), folder / "lib")),
        "RECORDED_DISK_FOLDER": str(store),
        "RECORDED_DISK_LOG": str(log),
    }
    _refresh(folder, store, sources[0], {})
    before = folder / "before"
    shutil.copytree(store, before)
    disk = Disk.of(store)
    disk.synced = {inode: before / path.relative_to(store) for inode, path in disk.synced.items()}
    contents = [_content(store)]
    _refresh(folder, store, sources[1], watched)
    contents.append(_content(store))
    changes = [Change(w, int(i), p, o) for w, i, p, o in _lines(log)]
    return dict(_cuts(folder, disk, changes, contents, random.Random(seed), budget))  # noqa: S311


def _next_day(folder: Path) -> Path:
    """The source a little later: some plays are gone."""
    source = Path(shutil.copytree(folder / "source-1", folder / "source-2"))
    plays = source / "user_artists.dat"
    lines = plays.read_bytes().splitlines(keepends=True)
    plays.write_bytes(b"".join(line for n, line in enumerate(lines) if n % 50 != 7))
    return source


def _cuts(
    folder: Path,
    disk: Disk,
    changes: list[Change],
    contents: list[str],
    chance: random.Random,
    budget: int,
) -> Counter[str]:
    store, log, copy = (folder / "store").resolve(), folder / "record", folder / "after"
    found = Counter({"changes": len(changes), "wrong": 0})
    moments = _moments(changes, chance, budget // len(KEPT))
    every = budget // (2 + budget // 100)
    for number, change in enumerate(changes):
        disk.do(change, log)
        for kind in KEPT if number in moments else ():
            waiting = len(disk.pending)
            kept = {"none": 0, "all": waiting, "some": chance.randint(0, waiting)}[kind]
            disk.after_a_cut(store, copy, kept)
            found["cuts"] += 1
            said = f"{kind} kept after {number} {change}"
            try:
                content = _content(copy)
                found[("old", "new")[contents.index(content)]] += 1
                if found["cuts"] % every == 0:
                    _refresh(folder, copy, folder / "source-2", {})
                    found["healed"] += [contents[1]].index(_content(copy)) + 1
            except (StoreError, ValueError, AssertionError) as problem:
                sys.stderr.write(f"{said}: {problem}\n")
                found["wrong"] += 1
    disk.after_a_cut(store, copy, 0)  # of a refresh that has said that it is done
    if _content(copy) != contents[1]:
        sys.stderr.write("what was published is lost by a cut after the refresh has ended\n")
        found["wrong"] += 1
    return found


def _moments(changes: list[Change], chance: random.Random, wanted: int) -> set[int]:
    """Changes to cut the power after: those to the table of published lists first."""
    every = [n for n, one in enumerate(changes) if one.what != "write"]
    of_table = ("/published/", "/.published.")
    table = [n for n in every if any(name in changes[n].path for name in of_table)]
    others = [n for n in every if n not in set(table)]
    chosen = chance.sample(table, min(len(table), wanted))
    return {*chosen, *chance.sample(others, min(len(others), wanted - len(chosen)))}


def _content(store: Path) -> str:
    """Hash of what readers see, all of which they can read."""
    lists, version = PublishedLists(Store(str(store)).root).current()
    if content_of(lists) != version.content:
        raise ValueError("the lists are not what was published")
    return version.content


def _lines(log: Path) -> Iterator[list[str]]:
    return (line.split("\t") for line in log.read_text("utf-8").splitlines())


def _refresh(folder: Path, store: Path, source: Path, watched: dict[str, str]) -> None:
    """A whole refresh in a process of its own."""
    settings = {
        "DAGSTER_HOME": str(folder / "home"),
        "LASTFM_STORE": str(store),
        "LASTFM_MODELS": MODELS,
        "LASTFM_CHAMPION": "item_knn",
        "LASTFM_MIN_PRECISION": "0",
    }
    (folder / "home").mkdir(exist_ok=True)
    with started(folder / "zygote", watched) as zygote:
        ended = zygote.run("refresh", "--source", str(source), environment=settings)
    assert ended.code == 0, ended.last_line


def main() -> int:
    """Prints what was found; 1 where a cut would have lost something."""
    folder, *rest = sys.argv[1:]
    budget, seed = [*map(int, rest), *(600, 0)[len(rest) :]]
    found = cut(Path(folder), budget, seed)
    sys.stdout.write(json.dumps(found) + "\n")
    return int(found["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
