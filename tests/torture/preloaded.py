"""A disk and a clock that do as a test says, for the processes that are started with them."""

import mmap
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_CLOCK: Final = _HERE.parent / "integration" / "clock_ahead.c"
_PLAN: Final = "=1024s6q"
_SEEN: Final = struct.calcsize("=1024s4q")

OPEN_READ, OPEN_WRITE, READ, WRITE, SYNC, RENAME = 1, 2, 4, 8, 16, 32
"""Calls that `faulty_disk.c` can let fail."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a disk."""

    name: str
    calls: int
    """Those that count, and of which the n-th fails."""
    error: int = 0
    """Its errno; 0: only half of the bytes are moved."""
    stays: bool = False
    """Whether all later calls fail, too."""


class FaultyDisk:
    """What a preloaded `faulty_disk.c` goes by."""

    def __init__(self, folder: Path) -> None:
        self._library = built(_HERE / "faulty_disk.c", folder)
        self._file = folder / "plan"
        self._file.write_bytes(bytes(struct.calcsize(_PLAN)))
        with self._file.open("r+b") as file:
            self._plan = mmap.mmap(file.fileno(), 0)

    def fail(self, fault: Fault, below: Path, at: int) -> None:
        """Lets the n-th of those calls on files below a folder fail; 0: only counts them."""
        folder = str(below.resolve()).encode()
        calls = (fault.calls, fault.error, at, int(fault.stays), 0, 0)
        struct.pack_into(_PLAN, self._plan, 0, folder, *calls)

    def heal(self) -> tuple[int, int]:
        """Lets nothing fail any more; how many calls there were, and how many failed."""
        seen, struck = struct.unpack_from("=2q", self._plan, _SEEN)
        struct.pack_into(_PLAN, self._plan, 0, b"", 0, 0, 0, 0, 0, 0)
        return seen, struck

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with."""
        return {"LD_PRELOAD": str(self._library), "FAULTY_DISK_PLAN": str(self._file)}


class MovedClock:
    """What a preloaded `clock_ahead.c` goes by."""

    def __init__(self, folder: Path) -> None:
        self._library = built(_CLOCK, folder)
        self._file = folder / "ahead"
        self.move_to(0.0)

    def move_to(self, ahead: float) -> None:
        """Sets the clock so many seconds ahead of the true time, or behind it."""
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("d", ahead))

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_AHEAD_FILE": str(self._file)}


def built(source: Path, folder: Path) -> Path:
    """The library that a C file is compiled to, in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / f"{source.stem}.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library
