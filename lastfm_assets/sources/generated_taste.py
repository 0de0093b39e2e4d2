"""Tastes of an invented world of any size: which artists belong to each, and who draws which.

An artist pulls as the law of Zipf and Mandelbrot says, and belongs to one taste or a few that lie
side by side on a circle; the more it pulls, the more tastes it belongs to. A listener mixes a few
tastes. A taste is picked as often as its artists pull in all, so that what all listeners play
together follows that law however the tastes are cut.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

DECAY: Final = 1.35
"""Pull of the r-th artist is (r + HEAD) ** -DECAY; Last.fm-360K's tail falls about so."""
HEAD: Final = 100.0
"""Artists at the top that pull nearly alike: the first is played by a sixth of all listeners."""
TASTES_A_ROOT: Final = 0.6
"""Tastes over the square root of listeners: 26 in a world of HetRec's size, 360 in 360K's."""
REACH: Final = 0.15
"""Share of all tastes that the first artist belongs to."""
SECOND: Final = 0.35
"""Share of artists that belong to a taste more than their pull alone would give them."""
SHARES: Final = (0.40, 0.25, 0.17, 0.11, 0.07)
"""What a listener plays of each of their tastes, which may lie next to each other."""
NEARBY: Final = 0.5
"""Chance that a further taste lies near the first one, and not anywhere."""
STRAY: Final = 0.06
"""Chance that a draw comes from any taste."""


@dataclass(frozen=True, slots=True)
class Tastes:
    """Pools of artists, one after the other; 12 bytes a place, about 1.4 places an artist."""

    artists: Ints
    """(places,): the artist at each place; those of a taste lie together."""
    until: Floats
    """(places,): pull of all places up to and with this one."""
    ends: Floats
    """(tastes + 1,): where in `until` each taste begins, and the last one ends."""

    @classmethod
    def of(cls, *, users: int, artists: int, rng: np.random.Generator) -> Self:
        """Draws the tastes of a world.

        Args:
            users: listeners of the world; more of them have more tastes.
            artists: of the catalogue; each comes to belong to at least one taste.
            rng: what to draw from.
        """
        n_tastes = max(4, round(TASTES_A_ROOT * users**0.5))
        pull = (np.arange(artists, dtype=np.float32) + np.float32(HEAD)) ** np.float32(-DECAY)
        n_places, taste = _places(pull, n_tastes, rng)
        order = np.argsort(taste, kind="stable")
        sizes = np.bincount(taste, minlength=n_tastes)
        del taste  # each of these is large where there are millions of artists
        love = np.exp(np.float32(0.5) * rng.standard_normal(len(order), dtype=np.float32))
        love *= np.repeat(pull / n_places, n_places)
        until = np.cumsum(love[order], dtype=np.float64)
        del love, pull
        number = rng.permutation(np.arange(artists, dtype=np.int32))  # so as not to tell the rank
        last = np.cumsum(sizes) - 1
        ends = np.append(0.0, np.where(last < 0, 0.0, until[last]))  # the first may be empty
        return cls(np.repeat(number, n_places)[order], until, ends)

    def mixed(self, n_users: int, rng: np.random.Generator) -> Ints:
        """Tastes that listeners mix: (n_users, tastes of a listener), the most loved first."""
        n_tastes = len(self.ends) - 1
        anywhere = rng.random((n_users, len(SHARES))) * self.ends[-1]
        tastes = np.searchsorted(self.ends[1:-1], anywhere, side="right").astype(np.int32)
        steps = np.rint(2.0 * rng.laplace(size=tastes.shape)).astype(np.int32)
        near = rng.random(tastes.shape) < NEARBY
        near[:, 0] = False
        moved = (tastes[:, :1] + steps) % np.int32(n_tastes)
        mixed: Ints = np.where(near, moved, tastes)
        return mixed

    def drawn(self, mixes: Ints, of: Ints, *, stray: float, rng: np.random.Generator) -> Ints:
        """Draws artists, with repetition.

        Args:
            mixes: (n_users, tastes of a listener), what `mixed` returned.
            of: (n_draws,), the row of `mixes` that each draw is for.
            stray: chance that a draw comes from any taste.
            rng: what to draw from.

        Returns:
            (n_draws,) artists.
        """
        pick = rng.random(len(of))
        which = np.searchsorted(np.cumsum(SHARES)[:-1], pick, side="right")
        taste = mixes[of, which]
        begin, end = self.ends[taste], self.ends[taste + 1]
        strays = rng.random(len(of)) < stray
        begin[strays], end[strays] = 0.0, self.ends[-1]
        at = np.searchsorted(self.until, begin + (end - begin) * rng.random(len(of)), side="right")
        drawn: Ints = self.artists[np.minimum(at, len(self.artists) - 1)]
        return drawn


def _places(
    pull: npt.NDArray[np.float32], n_tastes: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]:
    """How many tastes each artist belongs to, and which, one artist after the other.

    The first is drawn evenly; the others lie around it, the wider the more there are.
    """
    n_places = (np.float32(REACH * n_tastes / pull[0]) * pull).astype(np.int16)
    n_places += 1
    n_places += rng.random(len(pull), dtype=np.float32) < SECOND
    away = rng.standard_exponential(int(n_places.sum()), dtype=np.float32)
    away *= np.repeat(n_places / np.float32(2.0), n_places)
    away *= np.where(rng.random(len(away), dtype=np.float32) < 0.5, -1, 1).astype(np.int8)  # noqa: PLR2004 (either way)
    away[np.cumsum(n_places) - n_places] = 0.0
    home = np.floor(n_tastes * rng.random(len(pull), dtype=np.float32))
    taste = np.rint(away, out=away)
    taste += np.repeat(home, n_places)
    return n_places, (taste % np.float32(n_tastes)).astype(np.uint16)
