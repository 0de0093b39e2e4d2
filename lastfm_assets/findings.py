"""What a rule found in a table."""

from collections.abc import Callable
from dataclasses import dataclass, field

Fact = int | float | str


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a rule holds, with the figures to judge it by."""

    passed: bool
    facts: dict[str, Fact] = field(default_factory=dict)


Rule = Callable[..., Finding]
"""Looks at one table, and others it refers to; its name and docstring are shown to operators."""


def no_violations(**counts: float) -> Finding:
    """A rule that holds where nothing breaks it: each count of offenders must be zero."""
    whole = {name: int(count) for name, count in counts.items()}
    return Finding(not any(whole.values()), dict(whole))
