"""Listening data of any size, invented: who plays which artists how often, as a stream.

Everything a listener plays is drawn in the block of listeners that theirs belongs to, from the
world's seed and that block's number. So blocks may be made in any order or at once by several
processes, and nothing grows with the number of listeners.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.generated_draws import artists_each, distinct_artists, falling_plays
from lastfm_assets.sources.generated_taste import Floats, Ints, Tastes

USERS_A_BLOCK: Final = 4096
MOST_ARTISTS: Final = 100_000_000
"""What there are names for."""
MOST_USERS: Final = (1 << 31) - 1
MOST_A_USER: Final = 1_000
"""Pairs of an average listener; a block of listeners has to fit into memory."""
ROOM: Final = 8
"""Artists of a catalogue over those of an average listener, at the least."""

_KNOWN_PAIRS: Final = (92_834, 4_070_806, 17_559_530)
"""HetRec, a fifth of Last.fm-360K's listeners and more, and Last.fm-360K."""
_KNOWN_USERS: Final = (1_892, 90_000, 359_347)
_KNOWN_ARTISTS: Final = (56_000, 76_000, 317_000)
"""Of the catalogue; 17,000, 73,000 and 292,000 of them find a listener."""
_GROWTH: Final = 0.6
"""Exponent of a catalogue's growth with pairs, below the smallest and above the largest known."""


@dataclass(frozen=True, slots=True)
class World:
    """How large an invented world is, and what it is drawn from."""

    pairs: int
    """Of a listener and an artist they play: rows."""
    users: int
    artists: int
    """Of the catalogue; not every one of a small world finds a listener."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what cannot be drawn."""
        if self.pairs < 1:
            raise BadInputError(f"{self.pairs} pairs, expected 1 or more; name another number")
        if not 1 <= self.users <= min(self.pairs, MOST_USERS):
            raise BadInputError(
                f"{self.users} listeners for {self.pairs} pairs, expected at least 1 and at most "
                f"as many as pairs or {MOST_USERS}; change one of them"
            )
        if self.pairs > MOST_A_USER * self.users:
            raise BadInputError(
                f"{self.pairs} pairs of {self.users} listeners, expected at most {MOST_A_USER} a "
                "listener; raise the number of listeners, or lower that of pairs"
            )
        least = least_artists(self.pairs, self.users)
        if not least <= self.artists <= MOST_ARTISTS:
            raise BadInputError(
                f"{self.artists} artists for {self.pairs} pairs of {self.users} listeners, "
                f"expected {least} to {MOST_ARTISTS}; change one of them"
            )
        if self.seed < 0:
            raise BadInputError(f"seed is {self.seed}, expected 0 or more; name another")

    @classmethod
    def of_size(
        cls, pairs: int, *, users: int | None = None, artists: int | None = None, seed: int = 0
    ) -> Self:
        """A world with as many listeners and artists as Last.fm's data sets of that size have.

        Args:
            pairs: rows to be drawn, exactly.
            users: listeners; None for one per 49 pairs or so.
            artists: of the catalogue; None for one that grows slower than the pairs do.
            seed: any integer from 0 on.

        Raises:
            BadInputError: no such world can be drawn.
        """
        few = max(1, pairs)  # a wrong number is told of by the world itself
        if users is None:
            users = max(1, round(few / _between(few, np.divide(_KNOWN_PAIRS, _KNOWN_USERS))))
        if artists is None:
            beyond = few / min(max(few, _KNOWN_PAIRS[0]), _KNOWN_PAIRS[-1])
            usual = round(_between(few, np.array(_KNOWN_ARTISTS)) * beyond**_GROWTH)
            artists = max(usual, least_artists(few, max(1, users)))
        return cls(pairs, users, artists, seed)

    @property
    def blocks(self) -> int:
        """Blocks of listeners; all but the last have `USERS_A_BLOCK`."""
        return -(-self.users // USERS_A_BLOCK)


@dataclass(frozen=True, slots=True)
class Listening:
    """What some listeners play: one row a pair, none twice; a listener's rows lie together."""

    users: npt.NDArray[np.int64]
    """(n,) from 0, ascending."""
    artists: Ints
    """(n,) from 0, in no order that tells anything."""
    plays: Ints
    """(n,) at least 1, falling within a listener."""

    def __len__(self) -> int:
        """Rows."""
        return len(self.users)

    def __getitem__(self, rows: slice) -> Self:
        """Some of the rows."""
        return type(self)(self.users[rows], self.artists[rows], self.plays[rows])


def least_artists(pairs: int, users: int) -> int:
    """Artists that a catalogue needs for the busiest listener to have a choice."""
    return ROOM * -(-pairs // users)


def tastes_of(world: World) -> Tastes:
    """The tastes of a world, all that grows with its size: 17 bytes an artist, 50 while drawn."""
    rng = np.random.default_rng([world.seed, 0])
    return Tastes.of(users=world.users, artists=world.artists, rng=rng)


def listening(
    world: World, *, tastes: Tastes | None = None, users_at_once: int = USERS_A_BLOCK
) -> Iterator[Listening]:
    """Draws a world's rows, some listeners at a time.

    Args:
        world: what to draw.
        tastes: what `tastes_of(world)` returned, to be drawn once for several streams.
        users_at_once: listeners of each piece but the last; the rows are the same for any.

    Yields:
        Pieces that have `world.pairs` rows together.
    """
    pools = tastes or tastes_of(world)
    blocks = (listening_of(world, pools, number) for number in range(world.blocks))
    yield from blocks if users_at_once == USERS_A_BLOCK else _regrouped(blocks, users_at_once)


def listening_of(world: World, tastes: Tastes, number: int) -> Listening:
    """One block of listeners, whatever was drawn before.

    Args:
        world: what to draw.
        tastes: what `tastes_of(world)` returned.
        number: of the block, from 0 to below `world.blocks`.
    """
    first = number * USERS_A_BLOCK
    last = min(first + USERS_A_BLOCK, world.users)
    rng = np.random.default_rng([world.seed, 1 + number])
    n_pairs = world.pairs * last // world.users - world.pairs * first // world.users
    counts = artists_each(last - first, n_pairs, rng)
    artists = distinct_artists(tastes, counts, world.artists, rng)
    rows = np.repeat(np.arange(last - first), counts)
    return Listening(rows + first, artists, falling_plays(rows, last - first, rng))


def _between(pairs: int, known: Floats) -> float:
    """What a size has between the known ones: a straight line where both axes are logarithmic."""
    return float(np.exp(np.interp(np.log(pairs), np.log(_KNOWN_PAIRS), np.log(known))))


def _regrouped(blocks: Iterable[Listening], users_at_once: int) -> Iterator[Listening]:
    """The same rows in pieces of another number of listeners."""
    left: list[Listening] = []
    for block in blocks:
        begin = 0
        piece = block.users // users_at_once
        for end in [*np.flatnonzero(np.diff(piece)) + 1, len(block)]:
            part = block[begin:end]
            if left and left[-1].users[-1] // users_at_once != part.users[0] // users_at_once:
                yield _joined(left)
                left = []
            left.append(part)
            begin = end
    yield _joined(left)


def _joined(parts: list[Listening]) -> Listening:
    columns = ((part.users, part.artists, part.plays) for part in parts)
    return Listening(*(np.concatenate(column) for column in zip(*columns, strict=True)))
