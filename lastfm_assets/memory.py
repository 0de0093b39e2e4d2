"""How much memory may be used, and a clear word before a step that needs more."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lastfm_assets.errors import BadInputError

GB: Final = 1_000_000_000
_SHARE: Final = 0.8
"""Of the machine, where nothing is said: web UI, daemon and system have the rest."""
_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container says what it may use."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A budget in bytes."""

    bytes: int

    @classmethod
    def of(cls, gigabytes: float | None) -> "Memory":
        """The budget that is set, else four fifths of the machine or of its container."""
        return cls(int(gigabytes * GB) if gigabytes else int(_SHARE * machine_bytes()))

    def require(self, needed: int, what: str, remedy: str) -> None:
        """Refuses a step that would not fit, before it begins.

        Args:
            needed: bytes at its peak, an estimate.
            what: the step, for the message.
            remedy: what else one can do about it.

        Raises:
            BadInputError: it needs more than the budget.
        """
        if needed > self.bytes:
            raise BadInputError(
                f"{what} takes about {needed / GB:.1f} GB of memory, LASTFM_MEMORY_GB allows "
                f"{self.bytes / GB:.1f}; raise it where the machine has more, or {remedy}"
            )


def machine_bytes() -> int:
    """Memory of the machine, or of the container where that has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in map(Path, _LIMITS):
        if path.is_file():
            said = path.read_text("ascii").strip()
            total = min(total, int(said)) if said.isdigit() else total
    return total
