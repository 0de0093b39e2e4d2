"""Search spaces, written beside the parameters they are of.

A parameter that tuning may change says so in its type::

    factors: Annotated[int, Between(16, 256)] = Field(48, ge=1, description="...")

What a model's tuned parameters reach is compared with the same budget for every model, so a
space belongs to the model and not to whoever tunes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Between:
    """All numbers from `low` to `high`, whole ones for an int field."""

    low: float
    high: float
    log: bool = False
    """Whether equal ratios, not equal differences, are equally likely."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Some values."""

    values: tuple[str | int | float | bool, ...]


def search_space(config: type[BaseModel]) -> dict[str, Between | OneOf]:
    """The parameters of a model that tuning may change, by name, in their order."""
    return dict(_spaces(config))


def _spaces(config: type[BaseModel]) -> Iterator[tuple[str, Between | OneOf]]:
    for name, field in config.model_fields.items():
        for said in field.metadata:
            if isinstance(said, Between | OneOf):
                yield name, said
