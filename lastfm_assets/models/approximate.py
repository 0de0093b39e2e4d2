"""Lists that may miss an artist, where the exact ones take too long; and how many they miss.

The exact search ends where no artist to come is long enough even if it pointed where the user
does. In 64 dimensions none does: an artist of the best ten has a cosine of a third to a half, so
that a search which counts with at most `LIKELY` ends far sooner and hardly misses anybody. It
needs no index, gives every user the same list whoever else is ranked and by however many threads,
and the scores of its lists are exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_ranking import rank_products
from lastfm_assets.models.ranking import NOBODY, USUAL, Budget

Search = Literal["exact", "approximate"]
"""Whether lists may miss an artist."""
LIKELY: Final = 0.6
"""The largest cosine of a user and an artist that is counted with."""
COSINES: Final[Mapping[Search, float]] = {"exact": 1.0, "approximate": LIKELY}
"""What each search counts with."""
SAMPLED: Final = 1000
"""Users whose lists are made both ways, to say the recall of all."""


@dataclass(frozen=True, slots=True)
class Recall:
    """How much of the exact lists approximate ones hold."""

    mean: float
    """Over users, of the share of a user's exact list that the approximate one holds; NaN where
    no user has a list."""
    low: float
    """Lower end of its 95% interval, by the normal approximation over users; at least 0."""
    high: float
    """Upper end, at most 1."""
    users: int
    """Sampled users who have a list."""

    @property
    def in_words(self) -> str:
        """For a log: `0.9987 (0.9970 to 1.0000, 95% interval, 1000 users)`."""
        return (
            f"{self.mean:.4f} ({self.low:.4f} to {self.high:.4f}, 95% interval, {self.users} users)"
        )


def recall(  # noqa: PLR0913 (what is ranked, whose sample, and how sure)
    factors: Factors,
    leave_out: sps.csr_array | None,
    *,
    n: int,
    users: int = SAMPLED,
    seed: int,
    cosine: float = LIKELY,
    budget: Budget = USUAL,
) -> Recall:
    """Ranks a sample of users both ways.

    Args:
        factors: the model's.
        leave_out: as for `rank_products`.
        n: length of a list.
        users: how many to draw, all where there are not more.
        seed: of the draw.
        cosine: as for `rank_products`.
        budget: as for `rank_products`.

    Returns:
        Recall@n with its interval.

    Raises:
        ValueError: `n` is below 1, or a score is not finite.
    """
    n_users = len(factors.users)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(n_users, size=min(users, n_users), replace=False))
    exact, found = (
        rank_products(factors, rows, n=n, leave_out=leave_out, cosine=each, budget=budget).artists
        for each in (1.0, cosine)
    )
    return recall_of(found, exact)


def recall_of(found: np.ndarray, exact: np.ndarray) -> Recall:
    """Recall of (m, n) lists against (m, n) exact ones, `NOBODY` behind the last artist."""
    sizes = (exact != NOBODY).sum(axis=1)
    shared = (found[:, :, None] == exact[:, None, :]) & (exact != NOBODY)[:, None, :]
    listed = sizes > 0
    if not listed.any():
        return Recall(float("nan"), float("nan"), float("nan"), 0)
    shares = shared.sum(axis=(1, 2))[listed] / sizes[listed]
    mean, half = float(shares.mean()), float(1.96 * shares.std() / np.sqrt(len(shares)))
    return Recall(mean, max(0.0, mean - half), min(1.0, mean + half), len(shares))
