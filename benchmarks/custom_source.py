"""Seconds and memory of loading a table of plays in the shape of Last.fm-360K.

    .venv/bin/python benchmarks/custom_source.py --rows 5000000

Writes an invented file (seeded, streamed, into a temporary folder) and its description, then
loads and cleans it in a process of its own. Prints a JSON object: bytes of the file, and of that
process the seconds, the CPU seconds and the peak resident memory in MB, imports included; beside
it those of reading the table alone.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DESCRIPTION = """
name = "benchmark"
path = "plays.tsv"
header = false

[columns]
user = 1
item = 2
item_name = 3
plays = 4
"""
PAIRS_A_USER = 49
USERS_AT_ONCE = 2_000
WITHOUT_ID = 0.013
"""Share of rows that lack the artist's id."""


def write(folder: Path, rows: int, seed: int) -> Path:
    """Writes a table of plays and its description, and returns the description's path.

    As in Last.fm-360K: users by their SHA-1, one after the other, each with some fifty of 292,000
    artists with a long tail; artists by MusicBrainz id, which 1.3% of the rows lack, and name.
    """
    rng = np.random.default_rng(seed)
    n_artists = max(100, min(292_000, rows // 15))
    digests = [hashlib.md5(b"%d" % n, usedforsecurity=False).hexdigest() for n in range(n_artists)]
    ids = [f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}" for d in digests]
    names = [f"the {d[:4]} {d[-5:]}s" for d in digests]
    left = rows
    with (folder / "plays.tsv").open("w", encoding="utf-8") as file:
        user = 0
        while left > 0:
            n = min(left, USERS_AT_ONCE * PAIRS_A_USER)
            # the inverse of a density that falls like 1 / rank: log-uniform ranks
            artists = np.exp(rng.random(n) * np.log(n_artists)).astype(int) - 1
            plays = np.exp(rng.normal(4.5, 1.3, n)).astype(int) + 1
            user_of = np.arange(n) // PAIRS_A_USER
            _, first = np.unique(user_of * n_artists + artists, return_index=True)
            again = np.setdiff1d(np.arange(n), first)
            artists[again] = rng.integers(0, n_artists, len(again))
            missing = rng.random(n) < WITHOUT_ID
            users = [
                hashlib.sha1(b"%d" % (user + at), usedforsecurity=False).hexdigest()
                for at in range(USERS_AT_ONCE)
            ]
            file.writelines(
                f"{users[at // PAIRS_A_USER]}\t{'' if gone else ids[artist]}\t"
                f"{names[artist]}\t{k}\n"
                for at, (artist, k, gone) in enumerate(
                    zip(artists.tolist(), plays.tolist(), missing.tolist(), strict=True)
                )
            )
            user += USERS_AT_ONCE
            left -= n
    description = folder / "benchmark.toml"
    description.write_text(DESCRIPTION, encoding="utf-8")
    return description


def measure(description: Path, *, whole: bool) -> dict[str, float]:
    """What loading took in this process, which should do nothing else."""
    start = time.perf_counter()
    from lastfm_assets.listening.described.plays_file import read_plays  # noqa: PLC0415
    from lastfm_assets.listening.load import load  # noqa: PLC0415 (the import is measured too)
    from lastfm_assets.sources.resolve import open_source  # noqa: PLC0415

    folder = description.parent
    if whole:
        rows = len(load(str(description), data_folder=folder).interactions)
    else:
        source = open_source(str(description), data_folder=folder, allow_sample=False)
        rows = len(read_plays(source.plays).user_artists)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rows": rows,
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": round(used.ru_maxrss / 1024),
    }


def measured(description: Path, what: str) -> dict[str, float]:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, "--file", str(description)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return json.loads(done.stdout)


def main() -> None:
    """Reads the options, writes the file, measures, and prints."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--measure", choices=["load", "read"], help=argparse.SUPPRESS)
    options.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measure:
        said: object = measure(chosen.file, whole=chosen.measure == "load")
    else:
        with tempfile.TemporaryDirectory() as name:
            description = write(Path(name), chosen.rows, chosen.seed)
            said = {
                "file_bytes": (Path(name) / "plays.tsv").stat().st_size,
                "read_plays": measured(description, "read"),
                "load": measured(description, "load"),
            }
    json.dump(said, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
