"""Seconds and memory of the room `listening`, stage by stage, on a table of plays.

    .venv/bin/python benchmarks/reading.py --file data/360k/360k.toml

Three processes, one after the other: `load` reads and cleans; `weigh` splits cleaned pairs and
makes the weighted matrix; `assets` reads, stores, reads back, cleans and stores as the assets do.
Prints a JSON object: of each stage the seconds, the CPU seconds and the peak resident memory in
MB, imports included. Peaks of single stages need Linux; elsewhere they are those so far.
"""

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

PROCESSES = ("load", "weigh", "assets")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Stages:
    """What each stage took."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, float]] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures what is done inside."""
        if CLEAR.exists():
            CLEAR.write_text("5", encoding="ascii")  # the peak counts from here on
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.taken[name] = {
            "seconds": round(time.perf_counter() - wall, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
            "peak_mb": round(_peak_mb()),
        }


def _peak_mb() -> float:
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    said = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
    return int(said["VmHWM"].split()[0]) * 1024 / 1e6


def load(file: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Reads and cleans a table, and leaves the clean tables in a folder."""
    stages = Stages()
    with stages.stage("import"):
        from lastfm_assets.listening.clean import clean  # noqa: PLC0415 (measured)
        from lastfm_assets.listening.load import read_tables  # noqa: PLC0415
        from lastfm_assets.sources.resolve import open_source  # noqa: PLC0415
    with stages.stage("read"):
        source = open_source(str(file), data_folder=file.parent, allow_sample=False)
        found = read_tables(source)
    with stages.stage("clean"):
        tables = clean(found.raw, found.about)
    tables.interactions.to_parquet(folder / "interactions.parquet", compression=None)
    tables.artists.to_parquet(folder / "artists.parquet")
    return stages.taken


def weigh(file: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Cleaned pairs to the weighted matrix."""
    del file
    stages = Stages()
    with stages.stage("import"):
        import pandas as pd  # noqa: PLC0415

        from lastfm_assets.listening.matrix import ListeningMatrix  # noqa: PLC0415
        from lastfm_assets.listening.split import pairs_of, split  # noqa: PLC0415
    with stages.stage("read pairs"):
        pairs = pd.read_parquet(folder / "interactions.parquet")
        artist_ids = pd.read_parquet(folder / "artists.parquet")["artist_id"].to_numpy()
    with stages.stage("split"):
        dealt = split(pairs, seed=0)
    with stages.stage("weighted matrix"):
        seen = pairs_of(dealt, "train", "validation")
        matrix = ListeningMatrix.from_pairs(seen, artist_ids)
    with stages.stage("fingerprint"):
        _ = matrix.fingerprint
    return stages.taken


def assets(file: Path, folder: Path) -> dict[str, dict[str, float]]:
    """What the assets `raw_files` and `cleaned` do, the store among it."""
    stages = Stages()
    with stages.stage("import"):
        import pandas as pd  # noqa: PLC0415

        from lastfm_assets.io import Store  # noqa: PLC0415
        from lastfm_assets.listening.clean import RawTables, clean  # noqa: PLC0415
        from lastfm_assets.listening.load import read_tables  # noqa: PLC0415
        from lastfm_assets.sources.resolve import open_source  # noqa: PLC0415
    store = Store(str(folder / "store"))
    names = [field.name for field in fields(RawTables)]
    with stages.stage("read"):
        source = open_source(str(file), data_folder=file.parent, allow_sample=False)
        found = read_tables(source)
        about = found.about
    with stages.stage("store raw"):
        for name in names:
            store.write(("raw", name), getattr(found.raw, name), source=about.source)
        store.write(("raw", "keys"), found.keys, source=about.source)
    del found
    with stages.stage("read back"):
        raw = RawTables(**{name: store.read(("raw", name), pd.DataFrame) for name in names})
    with stages.stage("clean"):
        tables = clean(raw, about)
    del raw
    with stages.stage("store clean"):
        for name in ("interactions", "artists", "rejected_rows"):
            store.write(("listening", name), getattr(tables, name), source=about.source)
    return stages.taken


def main() -> None:
    """Reads the options, measures each process, and prints."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--file", type=Path, required=True, help="description of the table")
    options.add_argument("--process", choices=PROCESSES, help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.process:
        said: object = globals()[chosen.process](chosen.file, chosen.folder)
    else:
        said = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in PROCESSES:
                command = [sys.executable, __file__, "--file", str(chosen.file)]
                command += ["--process", name, "--folder", folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603
                said[name] = json.loads(done.stdout)
    json.dump(said, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
