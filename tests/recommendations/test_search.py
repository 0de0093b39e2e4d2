"""Approximate lists on request: what they hold, what is said of them, and who cannot have them."""

import numpy as np
import pandas as pd
import pytest
from list_worlds import sample, sample_names, tables

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import product_search
from lastfm_assets.models.als import Als, AlsConfig
from lastfm_assets.models.ranking import Budget
from lastfm_assets.models.trained import PRODUCTS, TrainedModel, train
from lastfm_assets.recommendations.lists import top_artists
from lastfm_assets.recommendations.rules import TOP_ARTISTS_RULES
from lastfm_assets.recommendations.search import search_figures, search_of


@pytest.fixture
def said() -> list[str]:
    """What a log is told."""
    return []


@pytest.fixture
def _few_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample's catalogue would be looked at as a whole."""
    monkeypatch.setattr(product_search, "SURE", 64)


@pytest.fixture(scope="module", params=[model.name for model in PRODUCTS])
def model(request: pytest.FixtureRequest) -> TrainedModel:
    """Each of the models that can be searched approximately."""
    return train(request.param, sample(), side=SideTables.none(), seed=0)


@pytest.fixture(scope="module")
def narrow() -> TrainedModel:
    """Vectors of 8 numbers: many cosines are above what an approximate search counts with."""
    config = AlsConfig(factors=8, fits=1, iterations=5)
    return train(Als.name, sample(), config, side=SideTables.none(), seed=0)


@pytest.fixture(scope="module")
def popularity() -> TrainedModel:
    return train("popularity", sample(), side=SideTables.none(), seed=0)


def lists(model: TrainedModel, **how: object) -> pd.DataFrame:
    return top_artists(model, sample(), sample_names(), **how)  # type: ignore[arg-type]


def shares_in_common(found: pd.DataFrame, exact: pd.DataFrame) -> np.ndarray:
    """Per user, how much of the exact list the other holds."""
    both = found.merge(exact, on=["user_id", "artist_id"])
    users = exact.groupby("user_id").size()
    counted = both.groupby("user_id").size().reindex(users.index, fill_value=0)
    return (counted / users).to_numpy()


class TestApproximateLists:
    def test_are_the_exact_ones_where_the_catalogue_is_small(self, model: TrainedModel) -> None:
        pd.testing.assert_frame_equal(lists(model, search="approximate"), lists(model))

    @pytest.mark.usefixtures("_few_sure")
    def test_keep_every_rule_of_publication(self, narrow: TrainedModel) -> None:
        found = lists(narrow, search="approximate")
        findings = [
            rule(found, tables().interactions, tables().artists) for rule in TOP_ARTISTS_RULES
        ]
        assert all(finding.passed for finding in findings), findings

    def test_are_not_to_be_had_of_another_model(self, popularity: TrainedModel) -> None:
        with pytest.raises(BadInputError, match="popularity cannot be searched approximately"):
            lists(popularity, search="approximate")

    @pytest.mark.parametrize("search", ["exact", "approximate"])
    def test_are_the_same_in_little_memory(self, model: TrainedModel, search: str) -> None:
        some = lists(model, search=search, budget=Budget(memory=20_000))
        pd.testing.assert_frame_equal(some, lists(model, search=search))


class TestWhatIsSaid:
    @pytest.mark.usefixtures("_few_sure")
    def test_is_the_recall_of_the_lists_that_were_made(
        self, narrow: TrainedModel, said: list[str]
    ) -> None:
        """All 300 users are in the sample, so that it can be counted from the tables."""
        figures = search_figures(narrow, sample(), "approximate", seed=0, say=said.append)
        shares = shares_in_common(lists(narrow, search="approximate"), lists(narrow))
        half = 1.96 * shares.std() / np.sqrt(300)
        assert 0.5 < shares.mean() < 1
        assert figures == {
            "search": "approximate",
            "search_recall@10": pytest.approx(shares.mean()),
            "search_recall@10_low": pytest.approx(shares.mean() - half),
            "search_recall@10_high": pytest.approx(min(1.0, shares.mean() + half)),
            "search_recall_users": 300,
        }
        (line,) = said
        assert line.startswith(f"approximate lists hold {shares.mean():.4f} (")
        assert "95% interval, 300 users" in line

    @pytest.mark.usefixtures("_few_sure")
    def test_is_in_plain_numbers_that_the_web_ui_can_plot(
        self, narrow: TrainedModel, said: list[str]
    ) -> None:
        figures = search_figures(narrow, sample(), "approximate", seed=0, say=said.append)
        assert {type(value) for value in figures.values()} == {str, float, int}

    def test_is_nothing_but_the_search_where_it_is_exact(
        self, narrow: TrainedModel, said: list[str]
    ) -> None:
        figures = search_figures(narrow, sample(), "exact", seed=0, say=said.append)
        assert (figures, said) == ({"search": "exact"}, [])


class TestWhoIsSearched:
    def test_models_of_factors_are_as_asked(self, model: TrainedModel, said: list[str]) -> None:
        assert search_of(model, "approximate", warn=said.append) == "approximate"
        assert search_of(model, "exact", warn=said.append) == "exact"
        assert said == []

    def test_others_are_ranked_exactly_with_a_warning(
        self, popularity: TrainedModel, said: list[str]
    ) -> None:
        assert search_of(popularity, "exact", warn=said.append) == "exact"
        assert said == []
        assert search_of(popularity, "approximate", warn=said.append) == "exact"
        (line,) = said
        assert line == (
            "LASTFM_SEARCH is approximate, but the champion is popularity, which can only be "
            "ranked exactly; so it is"
        )
