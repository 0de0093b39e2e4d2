"""What every recommender can do."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol, Self

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.progress import Progress, no_progress


class Recommender(Protocol):
    """A fitted model. Rows are users, columns artists, both in the order of its matrix.

    There is no unfitted state: `fit` makes one. Scores compare artists for one user; across
    users or models they mean nothing.
    """

    name: ClassVar[str]
    """As in asset keys and on the command line."""
    Config: ClassVar[type[BaseModel]]
    """Its parameters with their defaults and search spaces: the only place where those stand."""
    needs_side: ClassVar[bool]
    """Whether it looks at tags or friends."""

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        side: SideTables,
        seed: int,
        on_progress: Progress = no_progress,
    ) -> Self:
        """Learns from every stored pair of `matrix`, and leaves the matrix alone.

        A user's own tags on an artist that the matrix does not say they play must not raise
        that artist for that user: outside this library such tags give held-out pairs away.
        """
        ...

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """(n,) rows of the matrix it was fitted on -> (n, n_artists) float32, all finite."""
        ...

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """Scores for listeners it has not seen, without retraining.

        `plays` is (n, n_artists) counts; the result (n, n_artists) float32.
        """
        ...

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """How much each listened artist adds to the scores of some artists.

        `plays` is (n, n_artists), the counts of n listeners; `artists` is (n, k) columns. For
        each listener of m artists comes an (m, k) array, rows in the order of its
        `plays.indices`; all zero where the model does not look at what a listener plays.
        """
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything learnt, as plain numeric arrays."""
        ...

    @classmethod
    def from_arrays(cls, config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`."""
        ...
