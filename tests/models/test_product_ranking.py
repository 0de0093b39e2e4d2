"""Lists of inner products are those of the whole table, whatever is left out of the search."""

from dataclasses import replace

import numpy as np
import pytest
from factor_worlds import plays_of, real_numbers, table_of, whole_numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from model_worlds import matrix_of

from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import product_ranking
from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_placing import place_products
from lastfm_assets.models.product_ranking import rank_products
from lastfm_assets.models.products import Catalogue, exact_scores, lengths_of
from lastfm_assets.models.ranking import NOBODY, Budget, RankedLists, rank_and_place
from lastfm_assets.models.trained import train


def slow_lists(scores: np.ndarray, n: int) -> RankedLists:
    """Sorts each row whole."""
    lists = RankedLists.empty(len(scores), n)
    for row, line in enumerate(scores):
        order = np.lexsort((np.arange(len(line)), -line))
        best = order[line[order] > -np.inf][:n]
        lists.artists[row, : len(best)] = best
        lists.scores[row, : len(best)] = line[best]
    return lists


def assert_same(found: RankedLists, expected: RankedLists) -> None:
    np.testing.assert_array_equal(found.artists, expected.artists)
    np.testing.assert_array_equal(found.scores, expected.scores)


worlds = st.builds(
    whole_numbers,
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 5, 33, 90]),
    st.sampled_from([1, 7, 70, 900]),
    st.integers(1, 6),
    st.integers(1, 4),
)


@settings(max_examples=120, deadline=None)
@given(worlds, st.integers(1, 14), st.sampled_from([0.0, 0.3, 0.97]), st.integers(1, 3))
def test_lists_are_those_of_sorting_in_the_open_ties_included(
    factors: Factors, n: int, share: float, threads: int
) -> None:
    scores = table_of(factors)
    played = plays_of(5, scores.shape, share)
    found = rank_products(
        factors,
        np.arange(len(scores)),
        n=n,
        leave_out=played,
        budget=Budget(memory=20_000, threads=threads),
    )
    assert_same(found, slow_lists(np.where(played.toarray(), -np.inf, scores), n))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("n", [1, 10, 400])
def test_lists_of_real_numbers_are_those_of_the_whole_table(n: int, *, bias: bool) -> None:
    factors = real_numbers(300, 6000, bias=bias)
    scores = table_of(factors)
    played = plays_of(6, scores.shape, 0.05)
    found = rank_products(factors, np.arange(300), n=n, leave_out=played)
    assert_same(found, slow_lists(np.where(played.toarray(), -np.inf, scores), n))


def test_nothing_is_left_out_where_nothing_is_said() -> None:
    factors = real_numbers(50, 500, bias=True)
    found = rank_products(factors, np.arange(50), n=10)
    assert_same(found, slow_lists(table_of(factors), 10))


@pytest.mark.parametrize("memory", [1, 5_000, 10**6, 10**9])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_memory_and_threads_change_no_list(memory: int, threads: int) -> None:
    factors = real_numbers(200, 3000, bias=True)
    played = plays_of(7, (200, 3000), 0.02)
    usual = rank_products(factors, np.arange(200), n=10, leave_out=played)
    budget = Budget(memory=memory, threads=threads)
    found = rank_products(factors, np.arange(200), n=10, leave_out=played, budget=budget)
    assert_same(found, usual)


def test_a_user_has_the_same_list_alone_and_in_a_crowd() -> None:
    factors = real_numbers(200, 3000, bias=False)
    played = plays_of(7, (200, 3000), 0.02)
    crowd = rank_products(factors, np.arange(200), n=10, leave_out=played)
    rows = np.array([150, 3, 3, 199])
    some = rank_products(factors, rows, n=10, leave_out=played)
    assert_same(some, RankedLists(crowd.artists[rows], crowd.scores[rows]))


def test_a_crowd_of_equal_artists_is_settled_by_column() -> None:
    rng = np.random.default_rng(4)
    twins = np.repeat(rng.normal(size=(3, 8)), 2000, axis=0)
    shuffled = rng.permutation(twins).astype(np.float32)
    users = np.abs(rng.normal(size=(60, 8))).astype(np.float32)
    factors = Factors(users, shuffled, np.zeros(6000, dtype=np.float32))
    expected = slow_lists(exact_table(factors), 10)
    found = rank_products(factors, np.arange(60), n=10, budget=Budget(memory=50_000))
    assert_same(found, expected)
    assert (np.diff(found.artists, axis=1) > 0).all()


def exact_table(factors: Factors) -> np.ndarray:
    rows, columns = np.indices((len(factors.users), len(factors.artists))).reshape(2, -1)
    return exact_scores(factors, rows, columns).reshape(len(factors.users), -1)


def test_the_search_ends_before_the_short_artists(monkeypatch: pytest.MonkeyPatch) -> None:
    factors = real_numbers(100, 200, bias=False)
    short = np.full((20_000, 16), 1e-3, dtype=np.float32)
    factors = replace(
        factors,
        artists=np.concatenate([short, factors.artists]),
        artist_bias=np.zeros(20_200, dtype=np.float32),
    )
    looked_at = []
    usual = product_ranking.search

    def counted(catalogue: Catalogue, *asked: object) -> object:
        watched = replace(catalogue, lengths=Watched(catalogue.lengths, looked_at))
        return usual(watched, *asked)

    monkeypatch.setattr(product_ranking, "search", counted)
    found = rank_products(factors, np.arange(100), n=5)
    assert_same(found, slow_lists(table_of(factors), 5))
    assert 200 <= max(looked_at) < 10_000


class Watched:
    """Remembers which places were asked for."""

    def __init__(self, values: np.ndarray, seen: list[int]) -> None:
        self.values, self.seen = values, seen

    def __getitem__(self, place: int) -> np.float64:
        self.seen.append(place)
        return self.values[place]


def test_no_score_is_above_the_ceiling_or_below_the_floor() -> None:
    factors = real_numbers(40, 300, bias=True)
    catalogue = Catalogue.of(factors, 3.0)
    scores = table_of(factors)[:, catalogue.columns]
    lengths = lengths_of(factors.users)
    for place in (0, 1, 150, 299):
        assert (scores[:, place:].max(axis=1) <= catalogue.ceiling(place, lengths) + 1e-4).all()
        assert (scores[:, place:].min(axis=1) >= catalogue.floor(place, lengths) - 1e-4).all()
    assert (catalogue.ceiling(300, lengths) == -np.inf).all()
    np.testing.assert_array_equal(catalogue.columns[catalogue.places], np.arange(300))


def test_users_whose_vector_is_zero_are_ranked_by_bias() -> None:
    factors = real_numbers(50, 500, bias=True)
    nobody = replace(factors, users=np.zeros_like(factors.users))
    played = plays_of(8, (50, 500), 0.5)
    expected = np.where(played.toarray(), -np.inf, table_of(nobody))
    found = rank_products(nobody, np.arange(50), n=10, leave_out=played)
    assert_same(found, slow_lists(expected, 10))


def test_a_list_longer_than_the_catalogue_ends_with_nobody() -> None:
    factors = real_numbers(40, 6, bias=True)
    found = rank_products(factors, np.arange(40), n=9)
    assert_same(found, slow_lists(table_of(factors), 9))
    assert (found.artists[:, 6:] == NOBODY).all()


def test_progress_ends_with_all_users() -> None:
    factors = real_numbers(100, 300, bias=False)
    factors.users[::3] = 0
    steps: list[tuple[int, int]] = []
    budget = Budget(memory=10_000, threads=2)
    rank_products(
        factors, np.arange(100), n=3, budget=budget, on_progress=lambda *step: steps.append(step)
    )
    assert steps[-1] == (100, 100)
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert len(steps) > 3


def test_a_broken_off_ranking_leaves_no_thread_at_work() -> None:
    factors = real_numbers(400, 2000, bias=False)

    def stop(done: int, _total: int) -> None:
        raise KeyboardInterrupt(done)

    with pytest.raises(KeyboardInterrupt, match=r"\d"):
        rank_products(factors, np.arange(400), n=3, budget=Budget(memory=10_000), on_progress=stop)
    assert_same(rank_products(factors, np.arange(400), n=3), slow_lists(table_of(factors), 3))


@pytest.mark.parametrize("n_users", [3, 60])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["users", "artists", "artist_bias"])
def test_a_score_that_is_not_finite_is_refused(where: str, bad: float, n_users: int) -> None:
    factors = real_numbers(n_users, 300, bias=True)
    getattr(factors, where)[2] = bad
    with pytest.raises(ValueError, match="a score that is not finite"):
        rank_products(factors, np.arange(n_users), n=5)


def test_products_that_overflow_are_refused_and_large_ones_are_ranked() -> None:
    factors = real_numbers(60, 300, bias=False)
    large = replace(factors, users=factors.users * np.float32(1e18))
    huge = replace(large, artists=factors.artists * np.float32(1e18))
    ranked = rank_products(large, np.arange(60), n=5)
    np.testing.assert_array_equal(
        ranked.artists, rank_products(factors, np.arange(60), n=5).artists
    )
    overflowing = replace(huge, users=huge.users * np.float32(10))
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match="a score that is not finite"),
    ):
        rank_products(overflowing, np.arange(60), n=5)


@pytest.mark.parametrize("n", [0, -1])
def test_a_list_of_less_than_one_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"n is {n}, expected at least 1"):
        rank_products(real_numbers(3, 5, bias=False), np.arange(3), n=n)


def test_nobody_and_nothing_to_rank_give_empty_lists() -> None:
    factors = real_numbers(3, 5, bias=False)
    assert rank_products(factors, np.array([], dtype=np.int64), n=2).artists.shape == (0, 2)
    without = Factors(factors.users, factors.artists[:0], factors.artist_bias[:0])
    assert rank_products(without, np.arange(3), n=2).artists.tolist() == [[NOBODY] * 2] * 3


@pytest.mark.parametrize("leave_out", [False, True])
def test_popularity_is_ranked_and_placed_as_its_scores_say(
    leave_out: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    rng = np.random.default_rng(4)
    matrix = matrix_of(rng.random((90, 40)) < 0.2)  # few listeners, so that most artists are tied
    model = train("popularity", matrix, side=SideTables.none(), seed=0)
    rows = np.repeat(np.arange(90), 3)[::2]
    wanted = np.arange(len(rows)), rng.integers(40, size=len(rows))
    played = matrix.plays if leave_out else None
    lists, ranks = rank_and_place(
        model.recommender.scores, rows, wanted, n=10, n_artists=40, leave_out=played
    )
    found = model.rank(rows, n=10, leave_out=played)
    np.testing.assert_array_equal(found.artists, lists.artists)
    np.testing.assert_array_equal(found.scores, lists.scores)
    assert model.factors is not None
    placed = place_products(model.factors, rows, wanted, leave_out=played)
    np.testing.assert_array_equal(placed, ranks)
