"""Python processes of their own that the tests start, talk to and kill."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

TESTS = Path(__file__).parent
"""Where a script finds the worlds; it is handed in as the script's second argument."""
Process = subprocess.Popen[str]


@contextlib.contextmanager
def running(script: str, place: object, *arguments: object) -> Iterator[Process]:
    """A script with `place`, the folder of the tests and more in `sys.argv`; gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(place), str(TESTS), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_from(stream: IO[str] | None) -> str:
    """The next line that a process says."""
    assert stream is not None
    return stream.readline()


def tell(process: Process, line: str) -> None:
    """Hands a process a line."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
