"""The baseline: everybody gets what most users play."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.factors import Factors
from lastfm_assets.progress import Progress, no_progress


class PopularityConfig(BaseModel, frozen=True, extra="forbid"):
    """Popularity has no parameter."""


@dataclass(frozen=True, slots=True)
class Popularity:
    r"""Score of an artist for any user: its number of listeners, :math:`s_{ua} = n_a`."""

    name: ClassVar[str] = "popularity"
    Config: ClassVar[type[BaseModel]] = PopularityConfig
    needs_side: ClassVar[bool] = False

    listeners: np.ndarray
    """(n_artists,) float32, users who play each artist."""

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        _config: BaseModel,
        *,
        side: SideTables,  # noqa: ARG003 (the protocol's; plays alone decide)
        seed: int,  # noqa: ARG003 (the protocol's; counting draws no numbers)
        on_progress: Progress = no_progress,
    ) -> Self:
        """Counts listeners."""
        counts = np.bincount(matrix.plays.indices, minlength=matrix.plays.shape[1])
        on_progress(1, 1)
        return cls(counts.astype(np.float32))

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """The same row for every user."""
        return np.tile(self.listeners, (len(user_rows), 1))

    def factors_of(self, n_users: int) -> Factors:
        """The same scores as products: of vectors that say nothing, and listeners as the bias.

        Ranked so, everybody's list is read off one order of the artists.

        Args:
            n_users: how many users there are.
        """
        users, artists = (
            np.zeros((n, 1), dtype=np.float32) for n in (n_users, len(self.listeners))
        )
        return Factors(users, artists, self.listeners)

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """The same row for every listener."""
        return np.tile(self.listeners, (plays.shape[0], 1))

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """All zero: what a listener plays does not matter here."""
        for listened in np.diff(plays.indptr):
            yield np.zeros((listened, artists.shape[1]), dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        return {"listeners": self.listeners}

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        return cls(arrays["listeners"])
