"""The real command, real stores and a small real source, as the outer tests need them."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lastfm_assets.sources.resolve import sample_folder

PLAYS = "user_artists.dat"
PUBLISHED = "recommendations/published/"
READER_FILES = (
    "evaluation/champion.json",
    "recommendations/serving.duckdb",
    "recommendations/serving_model.npz",
    "recommendations/similar_artists.parquet",
    "recommendations/top_artists.parquet",
)
"""What a refused refresh must leave as it was."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line on stderr."""
        return self.err.splitlines()[-1] if self.err else ""


@dataclass(frozen=True)
class Refreshed:
    """A store that the real command made from the sample; for reading only."""

    store: Path
    home: Path
    ran: Ran


Command = Callable[..., Ran]
"""`command("recommend", "--user", "2", store=..., LASTFM_SEED="1")`."""
Snapshot = dict[str, str]
"""SHA-256 of each file of a folder by its relative path."""


def run_command(*arguments: str, home: Path, store: Path, **environment: str) -> Ran:
    """Runs `lastfm-assets` as its users do, with nothing set but what is handed in."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LASTFM_", "DAGSTER_")) and name not in {"FORCE_COLOR", "COLUMNS"}
    }
    home.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-m", "lastfm_assets.cli", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=600,  # of a command that hangs; a busy machine may take minutes
        cwd=home,
        env=kept | {"DAGSTER_HOME": str(home), "LASTFM_STORE": str(store)} | environment,
    )
    return Ran(ended.returncode, ended.stdout, ended.stderr)


def snapshot(folder: Path) -> Snapshot:
    """What lies in a folder, byte for byte."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def reader_files(store: Path) -> Snapshot:
    """The part of a store that readers depend on."""
    every = snapshot(store)
    table = [name for name in every if name.startswith(PUBLISHED)]
    return {name: every[name] for name in (*READER_FILES, *table)}


def almost_the_sample(folder: Path) -> Path:
    """A source that differs from the sample in one line, and so is somebody's own."""
    shutil.copytree(sample_folder(), folder)
    lines = (folder / PLAYS).read_bytes().splitlines(keepends=True)
    del lines[7]
    (folder / PLAYS).write_bytes(b"".join(lines))
    return folder
