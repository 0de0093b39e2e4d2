"""Exact lists, whatever the ties, the chunks and the size of the catalogue."""

import numpy as np
import pytest
import scipy.sparse as sps
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from lastfm_assets.memory import Memory
from lastfm_assets.models.ranking import (
    NOBODY,
    Budget,
    RankedLists,
    best_columns,
    mid_ranks,
    rank,
    rank_and_place,
)


def slow_best(row: np.ndarray, n: int) -> list[tuple[int, float]]:
    """Highest score first, equal ones by smaller column, never -inf; padded to n or the row."""
    columns = [column for column in range(len(row)) if row[column] > -np.inf]
    best = sorted(columns, key=lambda column: (-row[column], column))[:n]
    padding = [(NOBODY, -np.inf)] * (min(n, len(row)) - len(best))
    return [(column, float(row[column])) for column in best] + padding


def as_pairs(columns: np.ndarray, values: np.ndarray) -> list[list[tuple[int, float]]]:
    return [
        list(zip(row.tolist(), value.tolist(), strict=True))
        for row, value in zip(columns, values, strict=True)
    ]


few_values = st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
narrow = st_numpy.arrays(
    np.float32, st.tuples(st.integers(0, 5), st.integers(1, 30)), elements=few_values
)
wide = st.tuples(st.integers(0, 2**32 - 1), st.integers(64, 700), st.integers(1, 9)).map(
    lambda drawn: (
        np.random.default_rng(drawn[0])
        .integers(-drawn[2], drawn[2], (4, drawn[1]))
        .astype(np.float32)
    )
)


@settings(max_examples=150, deadline=None)
@given(narrow, st.integers(1, 35))
def test_best_columns_are_those_of_sorting_in_the_open(scores: np.ndarray, n: int) -> None:
    found = as_pairs(*best_columns(scores, n))
    assert found == [slow_best(row, n) for row in scores]


@settings(max_examples=100, deadline=None)
@given(wide, st.integers(1, 12), st.randoms())
def test_best_columns_of_many_are_exact_with_many_ties(
    scores: np.ndarray, n: int, chance: object
) -> None:
    scores = scores.copy()
    left_out = np.random.default_rng(chance.randrange(2**32)).random(scores.shape) < 0.3
    scores[left_out] = -np.inf
    scores[0, n // 2 :] = -np.inf  # a user with fewer artists left than asked for
    found = as_pairs(*best_columns(scores, n))
    assert found == [slow_best(row, n) for row in scores]


@pytest.mark.parametrize("n_columns", [639, 640, 641, 5000])
def test_best_columns_are_exact_where_groups_begin_to_be_used(n_columns: int) -> None:
    scores = np.random.default_rng(1).normal(size=(20, n_columns)).astype(np.float32)
    scores[:10] = scores[:10].round(1)
    found = as_pairs(*best_columns(scores, 10))
    assert found == [slow_best(row, 10) for row in scores]


def test_a_best_artist_in_the_last_incomplete_group_is_found() -> None:
    scores = np.zeros((1, 1300), dtype=np.float32)
    scores[0, -12:] = np.arange(12)
    columns, values = best_columns(scores, 10)
    assert columns[0].tolist() == list(range(1299, 1289, -1))
    assert values[0].tolist() == list(range(11, 1, -1))


def test_best_columns_leave_the_scores_alone() -> None:
    scores = np.random.default_rng(2).normal(size=(3, 900)).astype(np.float32)
    before = scores.copy()
    best_columns(scores, 5)
    np.testing.assert_array_equal(scores, before)


TABLE = np.random.default_rng(7).integers(0, 6, (50, 30)).astype(np.float32)
PLAYED = sps.csr_array(np.random.default_rng(8).random((50, 30)) < 0.4)


def ranked(n: int, rows: np.ndarray | None = None, *, leave_out: bool = True) -> RankedLists:
    rows = np.arange(50) if rows is None else rows
    return rank(TABLE.__getitem__, rows, n=n, n_artists=30, leave_out=PLAYED if leave_out else None)


@pytest.mark.parametrize("n", [1, 5, 30, 40])
@pytest.mark.parametrize("leave_out", [True, False])
def test_lists_are_the_best_of_what_is_not_left_out(n: int, *, leave_out: bool) -> None:
    lists = ranked(n, leave_out=leave_out)
    assert lists.artists.shape == lists.scores.shape == (50, n)
    for row in range(50):
        scores = np.where(PLAYED.toarray()[row] & leave_out, -np.inf, TABLE[row])
        expected = slow_best(scores, n)
        expected += [(NOBODY, -np.inf)] * (n - len(expected))
        (found,) = as_pairs(lists.artists[[row]], lists.scores[[row]])
        assert found == expected


def test_a_list_belongs_to_the_user_row_asked_for() -> None:
    some = ranked(5, np.array([9, 3, 3, 49]))
    np.testing.assert_array_equal(some.artists, ranked(5).artists[[9, 3, 3, 49]])
    assert ranked(5, np.array([], dtype=np.int64)).artists.shape == (0, 5)


def test_nobody_pads_a_list_of_someone_who_has_played_everything() -> None:
    everything = sps.csr_array(np.ones((1, 30), dtype=np.float32))
    lists = rank(TABLE.__getitem__, np.array([0]), n=3, n_artists=30, leave_out=everything)
    assert lists.artists.tolist() == [[NOBODY] * 3]
    assert lists.scores.tolist() == [[-np.inf] * 3]


@pytest.mark.parametrize("chunk_bytes", [1, 4 * 30 * 7, 10**9])
def test_chunks_do_not_change_the_lists(chunk_bytes: int) -> None:
    expected = ranked(5)
    sizes, steps = [], []

    def scores_of(rows: np.ndarray) -> np.ndarray:
        sizes.append(len(rows))
        return TABLE[rows]

    lists = rank(
        scores_of,
        np.arange(50),
        n=5,
        n_artists=30,
        leave_out=PLAYED,
        budget=Budget(memory=chunk_bytes),
        on_progress=lambda *step: steps.append(step),
    )
    np.testing.assert_array_equal(lists.artists, expected.artists)
    np.testing.assert_array_equal(lists.scores, expected.scores)
    assert max(sizes) == min(50, max(1, chunk_bytes // (4 * 30)))
    assert steps[-1] == (50, 50)


def test_the_models_scores_are_not_written_into() -> None:
    before = TABLE.copy()
    rank(lambda _: TABLE, np.arange(50), n=5, n_artists=30, leave_out=PLAYED)
    np.testing.assert_array_equal(TABLE, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused(bad: float) -> None:
    broken = TABLE.copy()
    broken[17, 3] = bad
    with pytest.raises(ValueError, match=r"^a model gave a score that is not finite$"):
        rank(broken.__getitem__, np.arange(50), n=5, n_artists=30, leave_out=PLAYED)


@pytest.mark.parametrize("n", [0, -1])
def test_a_list_of_less_than_one_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"^n is {n}, expected at least 1$"):
        ranked(n)


def slow_rank(row: np.ndarray, column: int) -> float:
    """1 + those that are higher + half of the others that are equal."""
    if row[column] == -np.inf:
        return np.nan
    higher = sum(score > row[column] for score in row)
    equal = sum(score == row[column] for score in row) - 1
    return 1 + higher + equal / 2


@settings(max_examples=150, deadline=None)
@given(narrow.filter(len), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 29)), max_size=20))
def test_a_rank_counts_those_ahead_and_half_of_those_tied(
    scores: np.ndarray, drawn: list[tuple[int, int]]
) -> None:
    wanted = sorted({(r % len(scores), c % scores.shape[1]) for r, c in drawn})
    rows, columns = np.array(wanted, dtype=np.int64).reshape(-1, 2).T
    expected = [slow_rank(scores[row], column) for row, column in wanted]
    np.testing.assert_array_equal(mid_ranks(scores, rows, columns), expected)


@pytest.mark.parametrize("chunk_bytes", [1, 4 * 30 * 7, 10**9])
def test_placing_artists_changes_no_list_and_goes_with_any_chunks(chunk_bytes: int) -> None:
    rows = np.array([9, 3, 3, 49, 20])
    wanted = np.array([0, 0, 1, 3, 3, 3]), np.array([29, 2, 5, 0, 1, 2])
    lists, ranks = rank_and_place(
        TABLE.__getitem__,
        rows,
        wanted,
        n=5,
        n_artists=30,
        leave_out=PLAYED,
        budget=Budget(memory=chunk_bytes),
    )
    np.testing.assert_array_equal(lists.artists, ranked(5, rows).artists)
    np.testing.assert_array_equal(lists.scores, ranked(5, rows).scores)
    scores = np.where(PLAYED.toarray(), -np.inf, TABLE)
    expected = [slow_rank(scores[rows[p]], c) for p, c in zip(*wanted, strict=True)]
    np.testing.assert_array_equal(ranks, expected)
    assert np.isnan(ranks).any()


@pytest.mark.parametrize(
    ("gigabytes", "expected"), [(16.0, 8 * 2**20), (1.0, 8 * 2**20), (0.5, 5_000_000), (1e-9, 0)]
)
def test_scores_take_a_hundredth_of_the_memory_and_no_more_than_a_cache_holds(
    gigabytes: float, expected: int
) -> None:
    assert Budget.of(Memory.of(gigabytes)) == Budget(memory=expected)


@pytest.mark.parametrize("n_artists", [3, 900])
def test_lists_have_the_types_that_they_promise_whatever_a_model_gives(n_artists: int) -> None:
    scores = np.random.default_rng(0).normal(size=(5, n_artists))  # float64
    lists = rank(lambda rows: scores[rows], np.arange(5), n=4, n_artists=n_artists)
    assert (lists.artists.dtype, lists.scores.dtype) == (np.int64, np.float32)
    columns, values = best_columns(scores.astype(np.float32), 4)
    assert (columns.dtype, values.dtype) == (np.int64, np.float32)
    empty = RankedLists.empty(2, 3)
    assert (empty.artists.dtype, empty.scores.dtype) == (np.int64, np.float32)
