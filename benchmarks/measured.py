"""Runs a program and says how long it took and how much memory it and its children held."""

import contextlib
import os
import platform
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_EVERY: Final = 0.1
"""Seconds between two looks at the memory."""
_SHOWN: Final = 2_000
"""Characters of an error that are kept."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a program fared."""

    code: int | None
    """Its exit code, None where it was ended as it took too long."""
    seconds: float
    """Wall time from its start to its end."""
    peak_bytes: int
    """Most resident memory of the process and all it started, at one moment."""
    out: str
    error: str
    """The end of what it said on stderr."""
    began: float
    """Seconds since 1970."""
    memory: list[tuple[float, int]] = field(default_factory=list)
    """Seconds since 1970 and bytes, whenever it was looked at."""


def run(command: Sequence[str], *, more: Mapping[str, str], limit: float) -> Run:
    """Runs a program to its end, or for so long.

    Args:
        command: and its arguments.
        more: environment variables beside ours.
        limit: seconds after which it is ended with all it started.

    Returns:
        What was seen. Memory is what is resident, looked at ten times a second; pages that
        several processes share are shared out among them. Each process's own record of its peak
        is exact, and the sum is at least the largest of them.
    """
    began, started = time.time(), time.perf_counter()
    program = subprocess.Popen(  # noqa: S603 (our own scripts)
        command,
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    said: tuple[str, str] = ("", "")
    memory: list[tuple[float, int]] = []
    peak, code = 0, None
    while True:
        held, own_peaks = _looked_at(program.pid)
        memory.append((time.time(), held))
        peak = max(peak, held, *own_peaks)
        left = limit - (time.perf_counter() - started)
        with contextlib.suppress(subprocess.TimeoutExpired):
            said = program.communicate(timeout=max(0.0, min(_EVERY, left)))
            code = program.returncode
            break
        if left <= 0:
            os.killpg(program.pid, signal.SIGKILL)
            said = program.communicate()
            break
    seconds = time.perf_counter() - started
    return Run(code, seconds, peak, said[0], said[1][-_SHOWN:], began, memory)


def machine() -> dict[str, str | int | float]:
    """Processor, cores, memory and system; nothing that names this machine."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _looked_at(pid: int) -> tuple[int, list[int]]:
    """Bytes that a process and all it started hold now, and the most that each ever held."""
    family = _family(pid)
    held, peaks = 0, []
    for one in family:
        status = said_of(Path(f"/proc/{one}/status"))
        own = bytes_in(status.get("VmRSS", "0 kB"))
        peaks.append(bytes_in(status.get("VmHWM", "0 kB")))
        if len(family) > 1:
            own = bytes_in(said_of(Path(f"/proc/{one}/smaps_rollup")).get("Pss", "0 kB"))
        held += own
    return held, peaks


def said_of(file: Path) -> dict[str, str]:
    """What Linux tells of a process, line by line, by name; nothing where it has ended."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def bytes_in(said: str) -> int:
    """`12 kB` -> 12288."""
    return int(said.split(maxsplit=1)[0]) * 1024


def _family(pid: int) -> list[int]:
    """A process and those it started, as Linux tells."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [
            int(child) for task in tasks for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has ended in the meantime
        return []
    return [pid, *(one for child in children for one in _family(child))]
