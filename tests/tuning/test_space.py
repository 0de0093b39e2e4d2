"""Every draw from a model's search space is a config that the model takes."""

import optuna
import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.models.search import Between, search_space
from lastfm_assets.models.trained import MODELS
from lastfm_assets.tuning.space import (
    default_parameters,
    rounded,
    suggest,
    tunable,
    tunable_models,
)


@pytest.mark.parametrize("name", tunable_models())
class TestTheSpaceOf:
    def test_each_model_gives_valid_configs(self, name: str) -> None:
        config = tunable(name)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(60):
            trial = study.ask()
            drawn = suggest(trial, config).model_dump()
            assert {field: drawn[field] for field in search_space(config)} == trial.params
            assert drawn == config.model_validate(drawn).model_dump()

    def test_each_model_is_valid_at_both_ends(self, name: str) -> None:
        config = tunable(name)
        for field, space in search_space(config).items():
            ends = (space.low, space.high) if isinstance(space, Between) else space.values
            for value in ends:
                assert config.model_validate({field: value}).model_dump()[field] == value

    def test_each_model_holds_its_shipped_defaults(self, name: str) -> None:
        """They are the first trial; Optuna cannot learn from one outside the space."""
        shipped = default_parameters(tunable(name))
        for field, space in search_space(tunable(name)).items():
            if isinstance(space, Between):
                assert space.low <= shipped[field] <= space.high, field
            else:
                assert shipped[field] in space.values, field


def test_popularity_has_nothing_to_tune() -> None:
    assert "popularity" in MODELS
    with pytest.raises(BadInputError, match="popularity has no parameter to tune; expected one of"):
        tunable("popularity")


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(BadInputError, match="unknown model 'nope'"):
        tunable("nope")


def test_rounding_keeps_three_digits_of_fractions_alone() -> None:
    given = {"factors": 1234, "alpha": 12.3456, "item_alpha": 1.23456e-6, "loss": "warp"}
    assert rounded(given) == {"factors": 1234, "alpha": 12.3, "item_alpha": 1.23e-6, "loss": "warp"}
