"""Which process did something, so that another one can tell later whether it still runs."""

import os
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def here() -> str:
    """Where process ids count: one boot of one machine, and in it one container.

    The host's name where the system says no more.
    """
    try:
        return f"{_boot()} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def begun(pid: int) -> str:
    """When a process began: a boot, and ticks since then; empty where that is not known.

    A process's id is given to another one after its end, its id and this moment are not.
    """
    try:
        return f"{_boot()} {_stat(pid)[19]}"
    except (OSError, IndexError):
        return ""


def is_of_this_boot(began: str) -> bool:
    """Whether what `begun` said is of this machine since it was last started, in any container."""
    try:
        return began.partition(" ")[0] == _boot()
    except OSError:
        return False


def is_alive(pid: int, began: str = "") -> bool:
    """Whether a process of this machine may still run.

    Args:
        pid: its id.
        began: what `begun` said of it; empty: whoever has that id is taken for it.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, so there is one
        pass
    if _is_over(pid):
        return False
    return not began or begun(pid) in ("", began)


def _is_over(pid: int) -> bool:
    """Whether a process has ended, and only its parent has not asked how."""
    try:
        return _stat(pid)[0] in "ZX"
    except (OSError, IndexError):
        return False


def _stat(pid: int) -> list[str]:
    """What Linux says of a process, from its state on."""
    said = (_PROC / str(pid) / "stat").read_text(errors="replace")
    return said.rpartition(")")[2].split()  # before it its name, which may hold spaces and brackets


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
