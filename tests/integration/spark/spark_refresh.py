"""`refresh --engine spark` as a process of its own, and a source that is soon done."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from quick_spark import QUICK

PATIENCE: Final = 480.0
"""Seconds after which a command that hangs is killed, so that its test fails."""
USERS: Final = 120
_SCENES, _ARTISTS, _PLAYED = 6, 20, 12
_MODELS: Final = """\
[popularity]
[als]
factors = 8
iterations = 5
fits = 1
regularization = 1.0
"""


@dataclass(frozen=True)
class Refresh:
    """A running refresh, and what it has said so far."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def until(self, text: str) -> None:
        """Waits for a line that holds a text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError(f"{text!r} was not said:\n{''.join(self.lines)}")

    def ended(self) -> int:
        """Waits for the end; gives the exit code."""
        assert self.process.stderr is not None
        self.lines.extend(self.process.stderr)
        return self.process.wait()

    @property
    def error(self) -> str:
        """The one line that says what went wrong, the last of all."""
        assert not any("Traceback" in line for line in self.lines), "".join(self.lines)
        (error,) = (line for line in self.lines if line.startswith("error: "))
        assert self.lines[-1] == error
        return error


def six_scenes(folder: Path) -> Path:
    """A described table of listeners who each play artists of one scene; gives its description."""
    draw = np.random.default_rng(11)
    rows = [
        f"{user + 1},{user % _SCENES * _ARTISTS + artist + 1},{draw.integers(1, 50)}"
        for user in range(USERS)
        for artist in draw.choice(_ARTISTS, size=_PLAYED, replace=False)
    ]
    folder.mkdir()
    (folder / "plays.csv").write_text("\n".join(["user,artist,plays", *rows]) + "\n")
    described = folder / "scenes.toml"
    columns = 'user = "user"\nitem = "artist"\nplays = "plays"\n'
    described.write_text(f'path = "plays.csv"\nmin_precision = 0.1\n\n[columns]\n{columns}')
    return described


@contextlib.contextmanager
def refreshing(folder: Path, master: str, **environment: str) -> Iterator[Refresh]:
    """The command over `folder/store`, on the source `folder/source`; gone afterwards.

    Args:
        folder: for all that it reads and writes.
        master: of the cluster.
        environment: further settings.
    """
    source = folder / "source"
    described = source / "scenes.toml" if source.exists() else six_scenes(source)
    models = folder / "models.toml"
    models.write_text(_MODELS)
    settings = {
        "DAGSTER_HOME": str(folder / "home"),
        "LASTFM_STORE": str(folder / "store"),
        "LASTFM_MODELS": str(models),
        "LASTFM_SPARK_MASTER": master,
        "LASTFM_SPARK_CONF": ",".join(f"{name}={value}" for name, value in QUICK.items()),
    }
    process = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("lastfm-assets")),
            *("refresh", "--engine", "spark", "--source", str(described)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | settings | environment,
    )
    hangs = threading.Timer(PATIENCE, process.kill)
    hangs.start()
    try:
        yield Refresh(process)
    finally:
        hangs.cancel()
        process.kill()
        process.communicate()
