"""Approximate lists say how much they miss, and are the same however they are made."""

from dataclasses import replace

import numpy as np
import pytest
from factor_worlds import plays_of, real_numbers
from model_worlds import crowd

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import product_search
from lastfm_assets.models.approximate import LIKELY, Recall, recall, recall_of
from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_ranking import rank_products
from lastfm_assets.models.ranking import NOBODY, Budget
from lastfm_assets.models.trained import PRODUCTS, train


@pytest.fixture(autouse=True)
def _small_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_search, "SURE", 64)


@pytest.fixture
def factors() -> Factors:
    return real_numbers(300, 4000, bias=False)


def test_the_largest_possible_cosine_gives_the_exact_lists(factors: Factors) -> None:
    played = plays_of(1, (300, 4000), 0.02)
    found = recall(factors, played, n=10, users=300, seed=0, cosine=0.999999)
    assert found == Recall(1.0, 1.0, 1.0, 300)


def test_a_smaller_cosine_misses_more(factors: Factors) -> None:
    shares = [
        recall(factors, None, n=10, users=300, seed=0, cosine=cosine).mean
        for cosine in (0.9, 0.5, 0.3, 0.1)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.99
    assert 0.2 < shares[-1] < 0.9


def test_what_is_listed_is_exact_and_was_not_played(factors: Factors) -> None:
    played = plays_of(2, (300, 4000), 0.1)
    found = rank_products(factors, np.arange(300), n=10, leave_out=played, cosine=0.2)
    exact = rank_products(factors, np.arange(300), n=4000, leave_out=played)
    for row in range(300):
        score_of = dict(zip(exact.artists[row], exact.scores[row], strict=True))
        assert [score_of[column] for column in found.artists[row]] == found.scores[row].tolist()
    assert (found.artists != NOBODY).all()
    assert (found.scores[:, 1:] <= found.scores[:, :-1]).all()


@pytest.mark.parametrize("memory", [1, 50_000, 10**8])
@pytest.mark.parametrize("threads", [1, 3])
def test_memory_threads_and_other_users_change_no_list(
    factors: Factors, memory: int, threads: int
) -> None:
    usual = rank_products(factors, np.arange(300), n=10, cosine=0.3).artists
    budget = Budget(memory=memory, threads=threads)
    found = rank_products(factors, np.arange(300), n=10, cosine=0.3, budget=budget).artists
    np.testing.assert_array_equal(found, usual)
    some = np.array([250, 7, 7])
    alone = rank_products(factors, some, n=10, cosine=0.3, budget=budget).artists
    np.testing.assert_array_equal(alone, usual[some])


def test_recall_is_the_mean_share_of_the_exact_lists() -> None:
    exact = np.array([[1, 2], [3, NOBODY], [NOBODY, NOBODY], [5, 6]])
    found = np.array([[2, 9], [3, NOBODY], [NOBODY, NOBODY], [8, 9]])
    said = recall_of(found, exact)
    assert (said.mean, said.users) == (0.5, 3)
    half = 1.96 * np.std([0.5, 1.0, 0.0]) / np.sqrt(3)
    assert (said.low, said.high) == pytest.approx((0.5 - half, 0.5 + half))
    nobody = recall_of(found[2:3], exact[2:3])
    assert np.isnan(nobody.mean)
    assert nobody.users == 0


def test_the_sample_is_drawn_by_its_seed(factors: Factors) -> None:
    drawn = [
        recall(factors, None, n=10, users=40, seed=seed, cosine=0.2).mean for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("name", [model.name for model in PRODUCTS])
def test_a_model_of_factors_can_be_searched_approximately(name: str) -> None:
    model = train(name, crowd(), side=SideTables.none(), seed=0)
    assert model.factors is not None
    rows = np.arange(40)
    found = model.rank(rows, n=10, leave_out=crowd().plays, search="approximate")
    expected = rank_products(model.factors, rows, n=10, leave_out=crowd().plays, cosine=LIKELY)
    np.testing.assert_array_equal(found.artists, expected.artists)


def test_another_model_says_that_it_cannot() -> None:
    model = train("popularity", crowd(), side=SideTables.none(), seed=0)
    with pytest.raises(BadInputError, match="popularity cannot be searched approximately"):
        model.rank(np.arange(3), n=5, search="approximate")
    assert replace(model).rank(np.arange(3), n=5).artists.shape == (3, 5)
