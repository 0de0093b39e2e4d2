"""The figures that one refresh is compared with another by."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.listening.profile import (
    ARTISTS_OF_A_USER,
    PLAYS_OF_A_PAIR,
    PROFILE,
    SAMPLED,
    SAMPLED_ARTIST,
    TOTALS,
    bin_of,
    profile,
    rows_of,
    sample_of,
    total,
)
from lastfm_assets.listening.rules import profile_counts_everything
from lastfm_assets.vocabulary import column_type

PAIRS = pd.DataFrame(
    {"user_id": [1, 1, 1, 2, 3], "artist_id": [10, 20, 30, 10, 10], "plays": [1, 9, 8, 1, 1000]}
)
COUNTS = st.lists(st.integers(1, 2**62), min_size=1, max_size=50)


def test_counts_by_hand() -> None:
    table = profile(PAIRS)
    assert [total(table, figure) for figure in TOTALS] == [3, 3, 5, 1019]
    begins, counts = rows_of(table, PLAYS_OF_A_PAIR)
    assert begins.tolist() == [1, 8, 896]
    assert counts.tolist() == [2, 2, 1]
    begins, counts = rows_of(table, ARTISTS_OF_A_USER)
    assert begins.tolist() == [1, 3]
    assert counts.tolist() == [2, 1]
    assert rows_of(table, SAMPLED_ARTIST)[0].tolist() == [10, 20, 30]


def test_has_the_columns_and_types_that_are_declared() -> None:
    table = profile(PAIRS)
    assert tuple(table.columns) == PROFILE
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {
        name: column_type(name) for name in PROFILE
    }


def test_does_not_depend_on_the_order_of_rows() -> None:
    assert profile(PAIRS.iloc[::-1]).equals(profile(PAIRS))


@settings(deadline=None, max_examples=50)
@given(COUNTS)
def test_a_number_lies_in_its_bin_and_a_bin_is_narrow(numbers: list[int]) -> None:
    given_numbers = np.array(numbers, dtype=np.int64)
    begins = bin_of(given_numbers)
    assert (begins <= given_numbers).all()
    assert all(
        number < begin * 5 / 4 or number == begin
        for number, begin in zip(numbers, begins.tolist(), strict=True)
    )
    assert (bin_of(begins) == begins).all()


@settings(deadline=None, max_examples=50)
@given(st.sets(st.integers(1, 2**53), min_size=1, max_size=40))
def test_of_few_artists_all_are_sampled(ids: set[int]) -> None:
    assert sample_of(np.array(sorted(ids), dtype=np.int64)).tolist() == sorted(ids)


def test_of_many_artists_the_same_are_sampled_whatever_else_is_there() -> None:
    """An artist of the larger set's sample is in the sample of each set that holds it."""
    many = np.arange(1, 20_001, dtype=np.int64)
    sampled = sample_of(many)
    assert len(sampled) == SAMPLED
    assert np.isin(np.intersect1d(sampled, many[::2]), sample_of(many[::2])).all()
    assert sampled.mean() == pytest.approx(many.mean(), rel=0.05), "from all over"


def test_the_rule_finds_what_was_not_counted() -> None:
    table = profile(PAIRS)
    assert profile_counts_everything(table).passed
    for figure in (PLAYS_OF_A_PAIR, ARTISTS_OF_A_USER, SAMPLED_ARTIST):
        broken = table.drop(index=table.index[table["figure"] == figure][0])
        assert not profile_counts_everything(broken).passed, figure
