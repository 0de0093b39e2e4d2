"""From a model's own search space to the parameters of one trial."""

from typing import TYPE_CHECKING, Any, Final

from lastfm_assets.errors import BadInputError
from lastfm_assets.models.search import Between, search_space
from lastfm_assets.models.trained import MODELS, model_named

if TYPE_CHECKING:
    import optuna
    from pydantic import BaseModel

_DIGITS: Final = 3
"""Significant digits of a tuned parameter: no search of some ten trials knows more."""


def tunable_models() -> list[str]:
    """Every model with a parameter to tune, in their order."""
    return [name for name, model in MODELS.items() if search_space(model.Config)]


def tunable(name: str) -> type["BaseModel"]:
    """The config of a model that has a parameter to tune.

    Raises:
        BadInputError: no model has that name, or it has no such parameter.
    """
    config = model_named(name).Config
    if not search_space(config):
        raise BadInputError(
            f"{name} has no parameter to tune; expected one of {', '.join(tunable_models())}"
        )
    return config


def suggest(trial: "optuna.Trial", config: type["BaseModel"]) -> "BaseModel":
    """Draws a value for each parameter with a search space; the others keep their defaults."""
    drawn: dict[str, Any] = {}
    for name, space in search_space(config).items():
        if not isinstance(space, Between):
            drawn[name] = trial.suggest_categorical(name, space.values)
        elif config.model_fields[name].annotation is int:
            drawn[name] = trial.suggest_int(name, int(space.low), int(space.high), log=space.log)
        else:
            drawn[name] = trial.suggest_float(name, space.low, space.high, log=space.log)
    return config.model_validate(drawn)


def default_parameters(config: type["BaseModel"]) -> dict[str, Any]:
    """The shipped value of each parameter with a search space."""
    shipped = config().model_dump(mode="json")
    return {name: shipped[name] for name in search_space(config)}


def rounded(parameters: dict[str, Any]) -> dict[str, Any]:
    """The same with three significant digits in each fraction.

    >>> rounded({"factors": 1234, "regularization": 9.87654, "loss": "warp"})
    {'factors': 1234, 'regularization': 9.88, 'loss': 'warp'}
    """
    return {
        name: float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
        for name, value in parameters.items()
    }
