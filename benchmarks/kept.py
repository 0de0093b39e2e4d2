"""Results of benchmarks, kept part by part, so that a run that was stopped goes on."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measured import machine

Said = dict[str, Any]
"""JSON."""


@dataclass(slots=True)
class Kept:
    """One file of results."""

    file: Path
    again: bool = False
    """Whether to measure what is there already."""
    parts: dict[str, Said] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reads what is there; after another machine, all is measured anew."""
        if self.file.is_file():
            said = json.loads(self.file.read_text(encoding="utf-8"))
            same = said["machine"]["processor"] == machine()["processor"]
            self.parts = said["parts"] if same else {}

    def put(self, name: str, said: Said) -> None:
        """Writes a part at once, so that it is there whatever comes next."""
        self.parts[name] = said
        self.file.parent.mkdir(parents=True, exist_ok=True)
        whole = {"machine": machine(), "parts": self.parts}
        self.file.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
