"""Weights of pairs against the formula of the module's docstring, one pair at a time."""

from math import log

import numpy as np
import pytest
import scipy.sparse as sps
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.listening.weighting import SCHEMES, Scheme, Weigher, Weighting

COUNTS = np.array(
    [
        [3, 0, 1, 0, 0],
        [5, 2, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [8, 0, 0, 4, 0],
        [2, 0, 0, 0, 0],
        [7, 1, 0, 9, 0],
    ],
    dtype=np.float32,
)


def slow_bm25(counts: np.ndarray, k1: float, b: float, *, presence: bool) -> np.ndarray:
    """BM25 by nested loops: a user is a document, an artist a term."""
    n_users, n_artists = counts.shape
    terms = (counts > 0).astype(float) if presence else counts.astype(float)
    mean_length = sum(terms[u].sum() for u in range(n_users)) / n_users
    weights = np.zeros_like(terms)
    for u in range(n_users):
        for a in range(n_artists):
            if counts[u, a] > 0:
                listeners = sum(counts[v, a] > 0 for v in range(n_users))
                rarity = max(log(n_users / (1 + listeners)), 0.0)
                length = 1 - b + b * terms[u].sum() / mean_length
                weights[u, a] = rarity * terms[u, a] * (k1 + 1) / (terms[u, a] + k1 * length)
    return weights


def dense(counts: np.ndarray, weighting: Weighting) -> np.ndarray:
    plays = sps.csr_array(counts)
    return Weigher.fit(plays, weighting).weighted(plays).toarray()


tables = st.integers(0, 2**32 - 1).map(
    lambda seed: (
        np.random.default_rng(seed).integers(0, 6, (7, 9))
        * (np.random.default_rng(seed + 1).random((7, 9)) < 0.4)
    ).astype(np.float32)
)


@settings(max_examples=50, deadline=None)
@given(
    tables.filter(np.any),
    st.floats(0.1, 300),
    st.floats(0, 1),
    st.sampled_from(["bm25", "bm25_plays"]),
)
def test_bm25_is_what_its_docstring_says(
    counts: np.ndarray, k1: float, b: float, scheme: Scheme
) -> None:
    expected = slow_bm25(counts, k1, b, presence=scheme == "bm25")
    np.testing.assert_allclose(dense(counts, Weighting(scheme, k1, b)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [("plays", COUNTS), ("binary", COUNTS > 0), ("log", np.log1p(COUNTS))],
)
def test_the_plain_schemes(scheme: Scheme, expected: np.ndarray) -> None:
    np.testing.assert_allclose(dense(COUNTS, Weighting(scheme)), expected, rtol=1e-6)


def test_an_artist_whom_everybody_plays_weighs_nothing_rather_than_less() -> None:
    assert (dense(COUNTS, Weighting("bm25"))[:, 0] == 0).all()


@pytest.mark.parametrize("scheme", SCHEMES)
class TestEveryScheme:
    def test_weights_are_float32_beside_the_counts(self, scheme: Scheme) -> None:
        plays = sps.csr_array(COUNTS)
        weights = Weigher.fit(plays, Weighting(scheme)).weights(plays)
        assert weights.dtype == np.float32
        assert weights.shape == plays.data.shape
        assert (weights >= 0).all()

    def test_another_listener_does_not_move_the_statistics(self, scheme: Scheme) -> None:
        weigher = Weigher.fit(sps.csr_array(COUNTS), Weighting(scheme, 1.2, 0.75))
        more = np.vstack([COUNTS, np.full((1, 5), 1000, dtype=np.float32)])
        np.testing.assert_array_equal(
            weigher.weighted(sps.csr_array(more)).toarray()[:-1],
            weigher.weighted(sps.csr_array(COUNTS)).toarray(),
        )

    def test_a_listener_alone_weighs_the_same_as_among_others(self, scheme: Scheme) -> None:
        weigher = Weigher.fit(sps.csr_array(COUNTS), Weighting(scheme, 1.2, 0.75))
        together = weigher.weighted(sps.csr_array(COUNTS)).toarray()
        for row in range(len(COUNTS)):
            alone = weigher.weighted(sps.csr_array(COUNTS[[row]])).toarray()
            np.testing.assert_array_equal(alone[0], together[row])

    def test_the_counts_stay_as_they_were(self, scheme: Scheme) -> None:
        plays = sps.csr_array(COUNTS)
        before = plays.copy()
        Weigher.fit(plays, Weighting(scheme)).weighted(plays).data[:] = -1
        np.testing.assert_array_equal(plays.toarray(), before.toarray())

    def test_a_matrix_without_a_pair_has_no_weight(self, scheme: Scheme) -> None:
        nothing = sps.csr_array((2, 3), dtype=np.float32)
        assert Weigher.fit(nothing, Weighting(scheme)).weights(nothing).shape == (0,)


def test_statistics_come_from_the_pairs_fitted_on() -> None:
    few = Weigher.fit(sps.csr_array(COUNTS[:4]), Weighting("bm25"))
    many = Weigher.fit(sps.csr_array(COUNTS), Weighting("bm25"))
    assert few.mean_length == (2 + 2 + 1 + 2) / 4
    assert many.mean_length == (2 + 2 + 1 + 2 + 1 + 3) / 6
    assert many.rarity.tolist() == pytest.approx([0, log(6 / 3), log(6 / 2), log(6 / 3), log(6)])
    assert few.rarity[1] == pytest.approx(log(4 / 2))


def test_k1_and_b_change_the_weights() -> None:
    usual = dense(COUNTS, Weighting("bm25", 100.0, 0.8))
    assert not np.allclose(dense(COUNTS, Weighting("bm25", 1.0, 0.8)), usual)
    assert not np.allclose(dense(COUNTS, Weighting("bm25", 100.0, 0.1)), usual)
