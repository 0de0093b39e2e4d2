"""Worlds of any size: as large as asked, drawn alike however cut, and worth learning from."""

from itertools import pairwise
from typing import Final

import numpy as np
import pytest
import scipy.sparse as sps

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.generated_taste import Tastes
from lastfm_assets.sources.generator import (
    USERS_A_BLOCK,
    Listening,
    World,
    listening,
    listening_of,
    tastes_of,
)

WORLD: Final = World.of_size(230_000, seed=3)


def whole(world: World, *, users_at_once: int = USERS_A_BLOCK) -> Listening:
    """All rows of a world at once."""
    pieces = list(listening(world, users_at_once=users_at_once))
    return Listening(
        *(
            np.concatenate([getattr(piece, column) for piece in pieces])
            for column in ("users", "artists", "plays")
        )
    )


@pytest.fixture(scope="module")
def rows() -> Listening:
    """More listeners than one block has."""
    return whole(WORLD)


@pytest.mark.parametrize(
    ("pairs", "users", "seen"),
    [(92_834, 1_892, 17_000), (4_070_806, 90_000, 73_000), (17_559_530, 359_347, 292_000)],
)
def test_a_size_that_last_fm_published_has_its_listeners(pairs: int, users: int, seen: int) -> None:
    world = World.of_size(pairs)
    assert world.users == users
    assert seen < world.artists < 4 * seen


def test_catalogues_grow_but_slower_than_the_pairs_do() -> None:
    worlds = [World.of_size(10**power) for power in range(4, 12)]
    for smaller, larger in pairwise(worlds):
        assert smaller.artists < larger.artists < 10 * smaller.artists
        assert 9 * smaller.users < larger.users < 11 * smaller.users


@pytest.mark.parametrize("pairs", [1, 2, 48, 49, 50, 99, 1000, 4999])
def test_there_are_as_many_pairs_as_asked_for(pairs: int) -> None:
    world = World.of_size(pairs)
    rows = whole(world)
    assert len(rows) == pairs
    assert rows.users[-1] == world.users - 1


def test_a_listener_has_at_least_one_artist_and_none_twice(rows: Listening) -> None:
    assert len(rows) == WORLD.pairs
    assert np.bincount(rows.users, minlength=WORLD.users).min() == 1
    pairs = rows.users * WORLD.artists + rows.artists
    assert len(np.unique(pairs)) == WORLD.pairs
    assert rows.artists.min() >= 0
    assert rows.artists.max() < WORLD.artists


def test_rows_are_narrow_by_listener_and_from_most_played_on(rows: Listening) -> None:
    assert (rows.artists.dtype, rows.plays.dtype) == (np.dtype(np.int32), np.dtype(np.int32))
    step = np.diff(rows.users)
    assert set(step.tolist()) == {0, 1}
    assert (np.diff(rows.plays)[step == 0] <= 0).all()
    assert rows.plays.min() >= 1


@pytest.mark.parametrize("users_at_once", [1000, 4095, 5000, 10**9])
def test_what_is_played_does_not_depend_on_the_pieces(users_at_once: int, rows: Listening) -> None:
    assert WORLD.users > USERS_A_BLOCK
    pieces = list(listening(WORLD, users_at_once=users_at_once))
    assert len(pieces) == -(-WORLD.users // users_at_once)
    for number, piece in enumerate(pieces):
        assert set((piece.users // users_at_once).tolist()) == {number}
    for column in ("users", "artists", "plays"):
        joined = np.concatenate([getattr(piece, column) for piece in pieces])
        np.testing.assert_array_equal(joined, getattr(rows, column))


def test_a_block_can_be_drawn_before_those_that_come_first(rows: Listening) -> None:
    last = listening_of(WORLD, tastes_of(WORLD), WORLD.blocks - 1)
    np.testing.assert_array_equal(last.artists, rows.artists[-len(last) :])


def test_another_seed_draws_another_world(rows: Listening) -> None:
    other = whole(World.of_size(WORLD.pairs, seed=4))
    assert (other.artists != rows.artists).mean() > 0.9


def test_listeners_who_play_nearly_all_there_is_find_enough() -> None:
    world = World(pairs=40_000, users=40, artists=8_000)
    rows = whole(world)
    assert len(np.unique(rows.users * world.artists + rows.artists)) == world.pairs


def test_popularity_has_a_long_tail(rows: Listening) -> None:
    listeners = np.sort(np.bincount(rows.artists))[::-1]
    heard = listeners[listeners > 0]
    assert 0.10 < heard[0] / WORLD.users < 0.20
    assert 1 <= np.median(heard) <= 5
    # Zipf's exponent between the hundredth and the thousandth artist
    assert 0.8 < np.log10(heard[99] / heard[999]) < 1.2


def test_most_listeners_have_about_as_many_artists_and_some_far_less(rows: Listening) -> None:
    counts = np.bincount(rows.users)
    low, quarter, middle, high = np.quantile(counts, [0.01, 0.25, 0.5, 0.999])
    assert low < 0.3 * middle
    assert quarter > 0.85 * middle
    assert 1.5 * middle < high < 4 * middle


def test_what_others_play_tells_far_more_than_what_most_play(rows: Listening) -> None:
    held_out = np.random.default_rng(0).random(len(rows)) < 0.2
    shape = (WORLD.users, WORLD.artists)
    known, wanted = (
        sps.csr_array(
            (np.ones(part.sum(), np.float32), (rows.users[part], rows.artists[part])), shape
        )
        for part in (~held_out, held_out)
    )
    listeners = known.sum(axis=0)
    near = sps.csr_array(known.multiply(1 / np.sqrt(listeners + 1)[None, :]))
    some = slice(0, 200)
    scores = (near[some] @ near.T.tocsr() @ known).toarray()
    of_neighbours, of_most = (
        _hits(each, known[some].toarray(), wanted[some].toarray())
        for each in (scores, np.broadcast_to(listeners, scores.shape))
    )
    assert 0.02 < of_most < 0.06
    assert 2 * of_most < of_neighbours < 0.3


def _hits(scores: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> float:
    """Share of each listener's ten best unknown artists that are wanted."""
    best = np.argsort(-np.where(known > 0, -np.inf, scores), axis=1, kind="stable")[:, :10]
    return float(np.take_along_axis(wanted, best, axis=1).mean())


def test_a_larger_world_has_more_tastes() -> None:
    rng = np.random.default_rng(0)
    small, large = (Tastes.of(users=users, artists=20_000, rng=rng) for users in (2_000, 200_000))
    assert len(large.ends) > 5 * len(small.ends)
    for tastes in (small, large):
        assert (np.diff(tastes.ends) > 0).all()
        assert tastes.ends[-1] == tastes.until[-1]
        assert len(np.unique(tastes.artists)) == 20_000


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((0, 1, 8, 0), r"^0 pairs, expected 1 or more; name another number$"),
        ((10, 0, 99, 0), r"^0 listeners for 10 pairs, expected at least 1 and at most as many"),
        ((10, 11, 99, 0), r"^11 listeners for 10 pairs, expected .* change one of them$"),
        ((9_999, 9, 99, 0), r"^9999 pairs of 9 listeners, expected at most 1000 a listener"),
        ((490, 10, 391, 0), r"^391 artists for 490 pairs of 10 listeners, expected 392 to 100000"),
        ((490, 10, 392, -1), r"^seed is -1, expected 0 or more"),
    ],
)
def test_a_world_that_cannot_be_drawn_is_refused_in_one_line(
    sizes: tuple[int, int, int, int], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        World(*sizes)


def test_numbers_of_ones_own_are_checked_too() -> None:
    with pytest.raises(BadInputError, match=r"^0 listeners for 500 pairs"):
        World.of_size(500, users=0)
    with pytest.raises(BadInputError, match=r"^-3 pairs, expected 1 or more"):
        World.of_size(-3)
