"""Listeners and models behind the lists, with known answers."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix


@cache
def tables() -> CleanTables:
    """The bundled sample."""
    return load("sample", data_folder=Path(mkdtemp()))


@cache
def sample() -> ListeningMatrix:
    """All plays of the bundled sample."""
    found = tables()
    return ListeningMatrix.from_pairs(found.interactions, found.artists["artist_id"].to_numpy())


@cache
def sample_names() -> pd.Series:
    """Artist name by artist id."""
    return tables().artists.set_index("artist_id")["artist_name"]


def matrix_of(counts: list[list[int]]) -> ListeningMatrix:
    """Users 1, 2, ... and artists 10, 20, ... of dense counts."""
    plays = sps.csr_array(np.array(counts, dtype=np.float32))
    users, artists = plays.shape
    return ListeningMatrix(plays, np.arange(1, users + 1), 10 * np.arange(1, artists + 1))


def names_of(matrix: ListeningMatrix) -> pd.Series:
    """Names that tell the id: Artist 10, Artist 20, ..."""
    return pd.Series([f"Artist {n}" for n in matrix.artist_ids], index=matrix.artist_ids)
