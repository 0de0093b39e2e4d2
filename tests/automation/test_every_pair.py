"""The matrix of all pairs is made once for a run, and anew where the store has others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.automation.every_pair import EveryPair
from lastfm_assets.io import Store
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.vocabulary import Columns

IDS = np.array([1, 2, 5])


def pairs(*plays: int) -> pd.DataFrame:
    return pd.DataFrame({Columns.USER: [1, 1, 3], Columns.ARTIST: IDS, Columns.PLAYS: plays})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path))
    artists = pd.DataFrame({Columns.ARTIST: IDS})
    store.write(("listening", "artists"), artists, source="test")
    store.write(("listening", "interactions"), pairs(1, 2, 3), source="test")
    return store


def test_is_that_of_the_pairs(store: Store) -> None:
    made = EveryPair(store).matrix(pairs(1, 2, 3), IDS)
    assert made.fingerprint == ListeningMatrix.from_pairs(pairs(1, 2, 3), IDS).fingerprint


def test_is_made_once(store: Store) -> None:
    every_pair = EveryPair(store)
    assert every_pair.matrix(pairs(1, 2, 3), IDS) is every_pair.matrix(pairs(1, 2, 3), IDS)


def test_is_made_anew_once_the_store_has_other_pairs(store: Store) -> None:
    every_pair = EveryPair(store)
    before = every_pair.matrix(pairs(1, 2, 3), IDS)
    store.write(("listening", "interactions"), pairs(1, 2, 4), source="test")
    after = every_pair.matrix(pairs(1, 2, 4), IDS)
    assert before.fingerprint != after.fingerprint
