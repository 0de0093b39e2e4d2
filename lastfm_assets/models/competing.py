"""Which models compete, and with which parameters: all as shipped, or as somebody says.

A catalogue of millions leaves no room for models that compare every two artists, and a model's
shipped parameters are those of HetRec: whoever brings other data names the models, or a TOML file
with a table for each:

    [als]
    factors = 64
    iterations = 15
    fits = 1
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from lastfm_assets.errors import BadInputError
from lastfm_assets.models.popularity import Popularity
from lastfm_assets.models.trained import MODELS, model_named
from lastfm_assets.sources.described_keys import shown
from lastfm_assets.sources.files import short_content
from lastfm_assets.sources.hetrec import one_line

ALL: Final[Mapping[str, BaseModel]] = MappingProxyType(
    {name: model.Config() for name, model in MODELS.items()}
)
"""Every model with its shipped parameters."""
_SUFFIX: Final = ".toml"
_MOST_BYTES: Final = 1 << 16


def competing(said: str | None) -> Mapping[str, BaseModel]:
    """Models that are fitted, judged and may serve, with their parameters.

    Args:
        said: names with commas between, or the path of a TOML file with a table for each model;
            None for all of them.

    Returns:
        Parameters by name, in the order of `MODELS`. Popularity is always among them: the gate
        holds the others against it.

    Raises:
        BadInputError: a name or a parameter means nothing, or the file cannot be read.
    """
    asked = {Popularity.name: ALL[Popularity.name], **models_named(said)}
    return {name: asked[name] for name in MODELS if name in asked}


def models_named(said: str | None) -> Mapping[str, BaseModel]:
    """Models with their parameters, in the order in which they are named; else as `competing`."""
    if said is None:
        return ALL
    tables = _from_file(Path(said)) if said.endswith(_SUFFIX) else _from_names(said)
    return {name: _config(name, table) for name, table in tables.items()}


def _from_names(said: str) -> dict[str, Any]:
    return {name.strip(): {} for name in said.split(",") if name.strip()}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = short_content(path, _MOST_BYTES)
    except (OSError, ValueError) as problem:
        reason = one_line(getattr(problem, "strerror", None) or problem)
        raise BadInputError(
            f"{one_line(path)}: cannot be read ({reason}); expected a TOML file with a table for "
            "each model"
        ) from None
    if len(content) > _MOST_BYTES:
        raise BadInputError(
            f"{one_line(path)}: more than {_MOST_BYTES >> 10} KiB, expected a TOML file with a "
            "table for each model; name that"
        )
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (RecursionError, ValueError) as problem:  # also bytes that are no UTF-8
        raise BadInputError(
            f"{one_line(path)}: is no TOML ({one_line(problem)}); expected a table for each model, "
            "such as [als]"
        ) from None


def _config(name: str, table: Any) -> BaseModel:
    config = model_named(name).Config
    unknown = set(table) - set(config.model_fields) if isinstance(table, dict) else {name}
    if unknown:
        raise BadInputError(
            f"model {name} has no parameter {shown(min(unknown))}; expected some of "
            f"{', '.join(config.model_fields) or 'none'}"
        )
    try:
        return config.model_validate(table)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            f"model {name}: {one_line(where)} is {shown(first['input'])}: "
            f"{one_line(first['msg'].lower())}; correct it"
        ) from None
