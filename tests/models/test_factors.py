"""Shares of a score: those of each listener's own equation, whatever is solved together."""

import numpy as np
import pytest
import scipy.sparse as sps

from lastfm_assets.models import factors as factors_module
from lastfm_assets.models import threads as threading_module
from lastfm_assets.models.factors import Factors, mean_contributions

N_ARTISTS, LENGTH = 90, 7


def fit_of(seed: int) -> Factors:
    rng = np.random.default_rng(seed)
    return Factors(
        rng.normal(size=(3, LENGTH)).astype(np.float32),
        rng.normal(size=(N_ARTISTS, LENGTH)).astype(np.float32),
        np.zeros(N_ARTISTS, dtype=np.float32),
    )


@pytest.fixture(scope="module")
def confidence() -> sps.csr_array:
    """Fifty listeners of 0 to 40 artists, some confidences below 1."""
    rng = np.random.default_rng(5)
    sizes = rng.choice([0, 1, 2, 5, 9, 40], 50)
    columns = [np.sort(rng.choice(N_ARTISTS, size, replace=False)) for size in sizes]
    indptr = np.concatenate(([0], np.cumsum(sizes)))
    data = rng.gamma(1.0, 3.0, indptr[-1]).astype(np.float32) + np.float32(0.01)
    return sps.csr_array((data, np.concatenate(columns), indptr), shape=(50, N_ARTISTS))


@pytest.fixture(scope="module")
def listed() -> np.ndarray:
    return np.random.default_rng(6).integers(0, N_ARTISTS, (50, 4))


def by_definition(fit: Factors, confidence: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """(m, 4) c_a v_b' A_u^-1 v_a of one listener, with the whole catalogue written out."""
    artists = fit.artists.astype(np.float64)
    weight = np.where(confidence > 0, confidence, 1.0).astype(np.float64)
    inverse = np.linalg.inv(artists.T @ (artists * weight[:, None]) + 2.5 * np.eye(LENGTH))
    mine = np.flatnonzero(confidence)
    return weight[mine, None] * (artists[mine] @ inverse @ artists[listed].T)


def test_are_those_of_each_listeners_own_equation(
    confidence: sps.csr_array, listed: np.ndarray
) -> None:
    shares = list(fit_of(1).contributions(confidence, listed, 2.5))
    assert len(shares) == 50
    for row, share in enumerate(shares):
        expected = by_definition(fit_of(1), confidence[[row]].toarray()[0], listed[row])
        assert share.shape == expected.shape
        assert share.dtype == np.float32
        np.testing.assert_allclose(share, expected, rtol=1e-5, atol=1e-8)


def test_of_several_fits_are_the_mean(confidence: sps.csr_array, listed: np.ndarray) -> None:
    fits = [fit_of(seed) for seed in (1, 2, 3)]
    apart = zip(*(fit.contributions(confidence, listed, 2.5) for fit in fits), strict=True)
    together = mean_contributions(fits, confidence, listed, 2.5)
    for mean, shares in zip(together, apart, strict=True):
        np.testing.assert_allclose(mean, np.mean(shares, axis=0), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("block", "size", "threads"), [(1, 1, 1), (7, 1, 3), (64, 2**14, 2)])
def test_do_not_depend_on_what_is_solved_together(
    confidence: sps.csr_array,
    listed: np.ndarray,
    block: int,
    size: int,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = list(fit_of(1).contributions(confidence, listed, 2.5))
    monkeypatch.setattr(factors_module, "_BLOCK", block)
    monkeypatch.setattr(factors_module, "_BYTES", size)
    monkeypatch.setattr(threading_module, "cores", lambda: threads)
    for share, expected in zip(
        fit_of(1).contributions(confidence, listed, 2.5), whole, strict=True
    ):
        np.testing.assert_array_equal(share, expected)
