"""What made a value: the code, the parameters and the inputs, so that nothing is made twice."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_PACKAGE: Final = Path(__file__).parent


@functools.cache
def code_version(*files: str) -> str:
    """Version of a computation: a hash of the sources that make it up.

    Args:
        files: paths within the package, such as `listening/split.py`, or a folder of sources.

    Returns:
        12 hex digits; a changed source gives others, so no version can be forgotten.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        path = _PACKAGE / file
        for source in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Origin:
    """Everything that determines a value. Two equal origins have equal values."""

    code: str = ""
    """Version of the code that made it, see `code_version`."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Settings and configuration, as JSON values."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Version of each value that it was made from, by name (`listening/split`)."""

    def __post_init__(self) -> None:
        """Makes parameters what they are once written and read again."""
        object.__setattr__(self, "parameters", json.loads(json.dumps(dict(self.parameters))))

    def difference(self, now: "Origin") -> str:
        """What is not now as it was, in a few words; empty where nothing changed."""
        if self.code != now.code:
            return "its code changed"
        for name in sorted({*self.parameters, *now.parameters}):
            old, new = self.parameters.get(name), now.parameters.get(name)
            if old != new:
                return f"{name} changed from {old} to {new}"
        changed = [
            name
            for name in sorted({*self.inputs, *now.inputs})
            if self.inputs.get(name) != now.inputs.get(name)
        ]
        return f"{changed[0]} changed" if changed else ""
