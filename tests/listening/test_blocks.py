"""Block by block, and in whatever bits are free, results are those of NumPy and pandas."""

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.listening import blocks as module
from lastfm_assets.listening.blocks import (
    blocks,
    looked_up,
    narrowed,
    ordered,
    ordered_within,
    positions_in,
    ranked,
    whole,
)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("n", [0, 1, 6, 7, 8, 21, 22])
def test_blocks_cover_every_row_once(n: int) -> None:
    assert [row for block in blocks(n) for row in range(block.start, block.stop)] == list(range(n))


def test_values_are_looked_up_as_numpy_does(rng: np.random.Generator) -> None:
    values, positions = rng.integers(0, 99, 5), rng.integers(-1, 5, 40).astype(np.int32)
    assert looked_up(values, positions).tolist() == values[positions].tolist()


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ([], "int32"),
        ([2**31 - 1, -(2**31)], "int32"),
        ([2**31], "int64"),
        ([-(2**31) - 1], "int64"),
    ],
)
def test_numbers_are_narrowed_where_they_fit(numbers: list[int], dtype: str) -> None:
    found = narrowed(np.array(numbers, dtype=np.int64))
    assert found.dtype == dtype
    assert found.tolist() == numbers


def test_a_column_without_missing_values_is_not_copied() -> None:
    column = pd.Series(pd.array([3, 1, 2], dtype="Int64"))
    assert np.shares_memory(whole(column), whole(column))
    assert whole(column, slice(1, 3)).tolist() == [1, 2]


def test_missing_and_unknown_values_have_no_position() -> None:
    column = pd.Series(pd.array([30, None, 10, 40, 0, 20, 30, 10, None], dtype="Int64"))
    found = positions_in(np.array([10, 20, 30]), column)
    assert found.tolist() == [2, -1, 0, -1, -1, 1, 2, 0, -1]


def test_a_missing_value_is_no_zero() -> None:
    assert positions_in(np.array([0, 1]), pd.Series(pd.array([None], dtype="Int64"))).tolist() == [
        -1
    ]


def test_ranks_are_positions_among_the_sorted_values(rng: np.random.Generator) -> None:
    values = rng.integers(-9, 9, 50)
    found, rows = ranked(values)
    expected, inverse = np.unique(values, return_inverse=True)
    assert found.tolist() == expected.tolist()
    assert rows.tolist() == inverse.tolist()


@pytest.mark.parametrize(
    "bound", [1, 5, 2**40, 2**62], ids=["same", "few", "packed", "too many bits"]
)
def test_the_order_is_stable(bound: int, rng: np.random.Generator) -> None:
    keys = rng.integers(0, bound, 60) // max(1, bound // 8) * max(1, bound // 8)
    order, found = ordered(keys.copy(), bound)
    assert order.tolist() == np.argsort(keys, kind="stable").tolist()
    assert found.tolist() == np.sort(keys).tolist()


@pytest.mark.parametrize("n_groups", [1, 4, 2**47], ids=["one", "few", "too many bits"])
@pytest.mark.parametrize("bits", [0, 3, 64], ids=["all alike", "first bits alike", "random"])
def test_groups_are_ordered_by_draw_as_lexsort_does(
    n_groups: int, bits: int, rng: np.random.Generator
) -> None:
    groups = rng.integers(0, min(n_groups, 9), 200).astype(np.int32)
    draws = rng.integers(0, 2**bits, 200, dtype=np.uint64)
    expected = np.lexsort((draws, groups))
    assert ordered_within(groups, n_groups, draws).tolist() == expected.tolist()


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_and_one_row_have_an_order(n: int) -> None:
    none = np.zeros(n, dtype=np.int64)
    assert ordered(none.copy(), 1)[0].tolist() == list(range(n))
    assert ordered_within(none, 1, none.astype(np.uint64)).tolist() == list(range(n))
