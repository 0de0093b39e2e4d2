"""Listeners whose right recommendations are known."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import scipy.sparse as sps

from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix


def matrix_of(counts: np.ndarray) -> ListeningMatrix:
    """A matrix of dense counts, users 100, 101, ... and artists 1000, 1001, ..."""
    plays = sps.csr_array(counts.astype(np.float32))
    return ListeningMatrix(
        plays, np.arange(100, 100 + len(counts)), np.arange(1000, 1000 + counts.shape[1])
    )


def two_scenes(n: int = 20) -> ListeningMatrix:
    """Even users play even artists, odd play odd; each user's own number is hidden."""
    numbers = np.arange(n)
    same_scene = (numbers[:, None] - numbers) % 2 == 0
    return matrix_of(same_scene & (numbers[:, None] != numbers))


@cache
def crowd() -> ListeningMatrix:
    """40 users with 1 to 25 of 60 artists; artist 59 is played by nobody."""
    rng = np.random.default_rng(11)
    taste = rng.random((40, 3)) @ rng.random((3, 60))
    counts = np.zeros((40, 60))
    for user in range(40):
        chosen = rng.choice(59, size=1 + user * 24 // 39, replace=False, p=_shares(taste[user]))
        counts[user, chosen] = rng.integers(1, 500, size=len(chosen))
    return matrix_of(counts)


def _shares(taste: np.ndarray) -> np.ndarray:
    weight = taste[:59] ** 6
    return weight / weight.sum()


@cache
def sample() -> ListeningMatrix:
    """All plays of the bundled sample."""
    tables = load("sample", data_folder=Path(mkdtemp()))
    return ListeningMatrix.from_pairs(tables.interactions, tables.artists["artist_id"].to_numpy())
