"""Ranks of single artists are those of counting along the whole table."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sps
from factor_worlds import plays_of, real_numbers, table_of, whole_numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_placing import place_products
from lastfm_assets.models.ranking import Budget, mid_ranks


def slow_ranks(
    factors: Factors, wanted: tuple[np.ndarray, np.ndarray], played: sps.csr_array | None
) -> np.ndarray:
    """Looks at every score of every user."""
    scores = table_of(factors)
    if played is not None:
        scores[played.toarray()] = -np.inf
    return mid_ranks(scores, *wanted)


def some_pairs(seed: int, n_users: int, n_artists: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs in order of users; some users have many, some none."""
    rng = np.random.default_rng(seed)
    drawn = np.unique(
        (rng.random(n) ** 2 * n_users).astype(int) * n_artists + rng.integers(n_artists, size=n)
    )
    rows, columns = np.divmod(drawn, n_artists)
    return rows, columns


worlds = st.builds(
    whole_numbers,
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 5, 33, 90]),
    st.sampled_from([1, 7, 70, 900]),
    st.integers(1, 6),
    st.integers(1, 4),
)


@settings(max_examples=120, deadline=None)
@given(worlds, st.integers(1, 400), st.sampled_from([0.0, 0.3, 0.97]), st.sampled_from([1, 10**6]))
def test_ranks_are_those_of_the_whole_table_ties_included(
    factors: Factors, n_pairs: int, share: float, memory: int
) -> None:
    shape = len(factors.users), len(factors.artists)
    wanted = some_pairs(n_pairs, *shape, n_pairs)
    played = plays_of(9, shape, share)
    found = place_products(
        factors, np.arange(shape[0]), wanted, leave_out=played, budget=Budget(memory=memory)
    )
    np.testing.assert_array_equal(found, slow_ranks(factors, wanted, played))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("leave_out", [False, True])
def test_ranks_of_real_numbers_are_those_of_the_whole_table(*, bias: bool, leave_out: bool) -> None:
    factors = real_numbers(100, 3000, bias=bias)
    wanted = some_pairs(1, 100, 3000, 1500)
    played = plays_of(6, (100, 3000), 0.05) if leave_out else None
    found = place_products(factors, np.arange(100), wanted, leave_out=played)
    np.testing.assert_array_equal(found, slow_ranks(factors, wanted, played))
    assert np.isnan(found).any() == leave_out


def test_artists_nobody_plays_share_a_rank() -> None:
    factors = real_numbers(40, 600, bias=False)
    factors.artists[100:500] = 0
    wanted = some_pairs(2, 40, 600, 800)
    played = plays_of(3, (40, 600), 0.1)
    found = place_products(factors, np.arange(40), wanted, leave_out=played)
    np.testing.assert_array_equal(found, slow_ranks(factors, wanted, played))


def test_scores_too_near_for_a_float32_product_are_told_apart() -> None:
    rng = np.random.default_rng(5)
    users = rng.normal(size=(40, 48)).astype(np.float32)
    one = rng.normal(size=48).astype(np.float32)
    steps = rng.integers(-3, 4, (500, 48)) * np.float32(2.0**-24)
    near = (one * (1 + steps)).astype(np.float32)
    factors = Factors(users, near, np.zeros(500, dtype=np.float32))
    wanted = some_pairs(3, 40, 500, 700)
    found = place_products(factors, np.arange(40), wanted)
    np.testing.assert_array_equal(found, slow_ranks(factors, wanted, None))


@pytest.mark.parametrize("memory", [1, 50_000, 10**8])
@pytest.mark.parametrize("threads", [1, 3])
def test_memory_and_threads_change_no_rank(memory: int, threads: int) -> None:
    factors = real_numbers(80, 2000, bias=True)
    wanted = some_pairs(4, 80, 2000, 900)
    budget = Budget(memory=memory, threads=threads)
    found = place_products(factors, np.arange(80), wanted, budget=budget)
    np.testing.assert_array_equal(found, place_products(factors, np.arange(80), wanted))


def test_positions_are_of_the_rows_asked_for() -> None:
    factors = real_numbers(60, 900, bias=True)
    rows = np.array([3, 3, 50])
    found = place_products(factors, rows, (np.array([0, 1, 1, 2]), np.array([7, 8, 9, 9])))
    expected = slow_ranks(factors, (np.array([3, 3, 3, 50]), np.array([7, 8, 9, 9])), None)
    np.testing.assert_array_equal(found, expected)


def test_nothing_wanted_has_no_ranks() -> None:
    nothing = np.array([], dtype=np.int64)
    factors = real_numbers(5, 9, bias=False)
    assert place_products(factors, np.arange(5), (nothing, nothing)).shape == (0,)


def test_a_score_that_is_not_finite_is_refused() -> None:
    factors = real_numbers(40, 300, bias=False)
    broken = replace(factors, users=np.where(np.eye(40, 16) > 0, np.nan, factors.users))
    with pytest.raises(ValueError, match="a score that is not finite"):
        place_products(broken, np.arange(40), (np.array([1]), np.array([2])))
