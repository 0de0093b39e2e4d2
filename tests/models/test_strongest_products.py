"""Strongest products of sparse rows, and members in common, however the rows are cut."""

import numpy as np
import pytest
import scipy.sparse as sps
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.models import neighbours
from lastfm_assets.models.neighbours import members_in_common, strongest_products
from lastfm_assets.progress import no_progress


def listening(users: int, artists: int, seed: int) -> sps.csr_array:
    """Weights with a long tail, many of them equal."""
    rng = np.random.default_rng(seed)
    chosen = rng.random((users, artists)) < 1 / (1 + np.arange(artists)) ** 0.5
    return sps.csr_array((chosen * rng.integers(1, 4, chosen.shape)).astype(np.float32))


def by_sorting(weights: sps.csr_array, keep: int) -> np.ndarray:
    products = (weights.T @ weights).toarray()
    np.fill_diagonal(products, 0)
    kept = np.zeros_like(products)
    for row, values in enumerate(products):
        best = np.lexsort((np.arange(len(values)), -values))[:keep]
        kept[row, best] = values[best]
    return kept


def of_products(weights: sps.csr_array, keep: int) -> sps.csr_array:
    return strongest_products(
        sps.csr_array(weights.T.tocsr()),
        weights,
        value_of=lambda _row, _column, product: product,
        keep=keep,
        on_progress=no_progress,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 10]), st.integers(2, 90))
def test_rows_cut_into_segments_keep_what_sorting_them_keeps(
    seed: int, keep: int, artists: int
) -> None:
    weights = listening(30, artists, seed)
    found = of_products(weights, keep)
    np.testing.assert_array_equal(found.toarray(), by_sorting(weights, keep))
    assert (np.diff(found.indptr) <= keep).all()


def test_most_of_a_long_row_is_never_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = listening(200, 400, 3) * np.float32(0.37)
    sorted_: list[int] = []
    whole = neighbours.strongest
    monkeypatch.setattr(
        neighbours,
        "strongest",
        lambda row, *rest: (sorted_.append(len(row)), whole(row, *rest))[1],
    )
    found = of_products(weights, 5)
    np.testing.assert_array_equal(found.toarray(), by_sorting(weights, 5))
    assert 5 * 400 <= sum(sorted_) < 0.1 * 400 * 400


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 300))
def test_members_in_common_are_those_of_brute_force(seed: int, pairs: int) -> None:
    members = listening(90, 50, seed)
    one, other = np.random.default_rng(seed).integers(0, 90, (2, pairs))
    has = members.toarray() > 0
    expected = (has[one] & has[other]).sum(axis=1)
    np.testing.assert_array_equal(members_in_common(members, one, other), expected)


@pytest.mark.parametrize("limit", [1, 40, 10**6])
def test_members_in_common_do_not_depend_on_the_parts(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = listening(90, 50, 1)
    one, other = np.random.default_rng(2).integers(0, 90, (2, 500))
    whole = members_in_common(members, one, other)
    monkeypatch.setattr(neighbours, "_ENTRIES", limit)
    monkeypatch.setattr(neighbours, "_BITS", 3)
    np.testing.assert_array_equal(members_in_common(members, one, other), whole)
