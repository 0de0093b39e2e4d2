"""Where data comes from and goes, and every environment variable, once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, ValidationError, field_validator

from lastfm_assets.errors import BadInputError
from lastfm_assets.models.trained import MODELS

_PROJECT: Final = Path(__file__).parents[1]
PREFIX: Final = "LASTFM_"


def data_folder() -> Path:
    """`data` of the checkout this package runs from, else `data` where the command was given."""
    project = _PROJECT if (_PROJECT / "pyproject.toml").is_file() else Path.cwd()
    return project / "data"


class Settings(BaseModel, frozen=True, extra="forbid"):
    """Everything that can be set from outside; each field is `LASTFM_` and its name."""

    source: str | None = Field(
        None, description="Folder, archive, URL or `sample`; unset: data/raw, else GroupLens."
    )
    store: str = Field(
        default_factory=lambda: str(data_folder() / "store"),
        description="Folder or fsspec URL where every table lies.",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the split and of every model.")
    min_precision: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Held-out precision@10 under which nothing is published; unset: the source's.",
    )

    champion: str | None = Field(
        None,
        description="Model that serves although another may be better; unset: the best one.",
    )

    @field_validator("champion")
    @classmethod
    def _champion_is_a_model(cls, name: str | None) -> str | None:
        if name is not None and name not in MODELS:
            raise ValueError(f"no such model, expected one of {', '.join(MODELS)}")
        return name

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Reads the variables that are set and not empty.

        Raises:
            BadInputError: one of them has a value that cannot be used.
        """
        environment = os.environ if environment is None else environment
        given = {
            name: environment[PREFIX + name.upper()].strip()
            for name in cls.model_fields
            if environment.get(PREFIX + name.upper(), "").strip()
        }
        try:
            return cls.model_validate(given)
        except ValidationError as problem:
            first = problem.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper()
            raise BadInputError(
                f"{name} is {first['input']!r}: {first['msg'].lower()}; correct it or unset it"
            ) from None
