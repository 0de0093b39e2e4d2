"""The matrix of all pairs there are, made once for all the steps of a run that ask for it."""

import numpy as np
import pandas as pd

from lastfm_assets.io import Store
from lastfm_assets.listening.matrix import ListeningMatrix

_INTERACTIONS = ("listening", "interactions")
_ARTISTS = ("listening", "artists")


class EveryPair:
    """Keeps the last matrix that was made from the store's interactions and catalogue.

    Champion, serving model, lists, similar artists and publication each hold theirs against the
    evidence; at 17.5 million pairs each would take several seconds to make it anew.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: tuple[tuple[str, str], ListeningMatrix] | None = None

    def matrix(self, interactions: pd.DataFrame, artist_ids: np.ndarray) -> ListeningMatrix:
        """The matrix of all pairs.

        Args:
            interactions: as stored.
            artist_ids: (n_artists,) of the catalogue as stored, rising.
        """
        versions = (
            self._store.stamp(_INTERACTIONS, pd.DataFrame).version,
            self._store.stamp(_ARTISTS, pd.DataFrame).version,
        )
        if self._made is None or self._made[0] != versions:
            self._made = None  # the old one first: both at once may be too much
            self._made = versions, ListeningMatrix.from_pairs(interactions, artist_ids)
        return self._made[1]
