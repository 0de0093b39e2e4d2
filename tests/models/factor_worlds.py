"""Factors whose scores can be had the slow way."""

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.factors import Factors


def table_of(factors: Factors) -> np.ndarray:
    """Every score, summed in float64 and rounded once."""
    products = factors.users.astype(np.float64) @ factors.artists.astype(np.float64).T
    return (products + factors.artist_bias).astype(np.float32)


def whole_numbers(seed: int, n_users: int, n_artists: int, k: int, largest: int) -> Factors:
    """Factors whose products are exact in any order, with ties, twins and zero vectors."""
    rng = np.random.default_rng(seed)
    users, artists = (
        rng.integers(-largest, largest + 1, (n, k)).astype(np.float32) for n in (n_users, n_artists)
    )
    users[rng.random(n_users) < 0.1] = 0
    artists[rng.random(n_artists) < 0.1] = 0
    artists[n_artists // 2 :] = artists[: n_artists - n_artists // 2]
    bias = rng.integers(-largest, largest + 1, n_artists) * rng.integers(0, 2)
    return Factors(users, artists, bias.astype(np.float32))


def real_numbers(n_users: int, n_artists: int, *, bias: bool) -> Factors:
    """Vectors of very different lengths, as those of artists with few and many listeners are."""
    rng = np.random.default_rng(3)
    users = rng.normal(size=(n_users, 16)).astype(np.float32)
    length = np.exp(rng.normal(0, 1, n_artists))[:, None]
    artists = (rng.normal(size=(n_artists, 16)) * length).astype(np.float32)
    return Factors(users, artists, (rng.normal(size=n_artists) * bias).astype(np.float32))


def plays_of(seed: int, shape: tuple[int, int], share: float) -> sps.csr_array:
    return sps.csr_array(np.random.default_rng(seed).random(shape) < share)
