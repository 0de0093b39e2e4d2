"""A small invented world of listeners: who plays, tags and befriends what and whom, and why.

Every artist belongs to one scene and has a mood within it; every listener loves one to three
scenes, each in a mood of their own. So what one listener plays tells something about what another
will, which is what a recommender is to find.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from typing import Final, TypeVar

from lastfm_assets.sources.sample_words import (
    BRACKETED,
    COMMON_TAGS,
    HIRAGANA,
    LONE_MARK,
    SCENES,
    Scene,
)

T = TypeVar("T")

N_USERS: Final = 300
N_ARTISTS: Final = 800
FULL_LIST: Final = 50
"""Artists of most listeners, as in HetRec."""
MOST_PLAYS: Final = 300_000
POPULARITY_DECAY: Final = 1.0
"""Weight of a scene's r-th artist is 1 / r ** this: a long tail."""
MOOD_WIDTH: Final = 0.12
"""How far a mood reaches; moods lie on a circle of circumference 1."""
STRAY: Final = 0.003
"""Weight of what a listener does not love, against 1 for what they love most."""
FIRST_DAY: Final = date(2005, 8, 1)
LAST_DAY: Final = date(2011, 5, 9)


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist, its scene (a position in `SCENES`), its mood and how much it draws."""

    artist_id: int
    name: str
    scene: int
    mood: float
    pull: float


@dataclass(frozen=True, slots=True)
class Taste:
    """How much of a scene a listener loves, and in which mood."""

    weight: float
    mood: float


@dataclass(frozen=True, slots=True)
class User:
    """A listener and their taste in each scene they love; the weights add up to 1."""

    user_id: int
    tastes: dict[int, Taste]


@dataclass(frozen=True, slots=True)
class World:
    """The whole sample, before anything is spoilt in it."""

    artists: list[Artist]
    tags: list[tuple[int, str]]
    plays: list[tuple[int, int, int]]
    """User id, artist id, plays."""
    taggings: list[tuple[int, int, int, date]]
    """User id, artist id, tag id, day."""
    friends: list[tuple[int, int]]
    """User id, user id: each pair both ways."""


def build_world(rng: random.Random) -> World:
    """Draws a world; the same state of `rng` draws the same."""
    artists, users = draw_people(rng)
    listened = {user.user_id: listened_by(user, n, artists, rng) for user, n in users}
    plays = [
        (user_id, artist.artist_id, count)
        for user_id, chosen in listened.items()
        for artist, count in zip(chosen, _counts(len(chosen), rng), strict=True)
    ]
    names = sorted({*COMMON_TAGS, *(tag for scene in SCENES for tag in scene.tags)})
    tags = list(zip(_ids(len(names), rng), names, strict=True))
    return World(
        artists,
        tags,
        sorted(plays),
        _taggings(listened, {name: tag_id for tag_id, name in tags}, rng),
        _friends([user for user, _ in users], rng),
    )


def draw_people(rng: random.Random) -> tuple[list[Artist], list[tuple[User, int]]]:
    """Artists, by id; and listeners, each with the number of artists to play."""
    return _artists(rng), _users(rng)


def _ids(count: int, rng: random.Random, first: int = 1) -> list[int]:
    """Ascending ids with a gap now and then, as where rows were deleted."""
    ids = []
    for _ in range(count):
        ids.append(first)
        first += 1 + (rng.random() < 0.1) * rng.randrange(1, 9)  # noqa: PLR2004 (a tenth)
    return ids


def _drawn(items: Sequence[T], weights: Iterable[float], count: int, rng: random.Random) -> list[T]:
    """Draws without replacement, by weight (Efraimidis & Spirakis 2006), best draw first."""
    waits = [-math.log(1.0 - rng.random()) / weight for weight in weights]
    order = sorted(range(len(items)), key=waits.__getitem__)
    return [items[position] for position in order[:count]]


def _artists(rng: random.Random) -> list[Artist]:
    ids = _ids(N_ARTISTS, rng)
    rng.shuffle(ids)
    artists: list[Artist] = []
    names: set[str] = set()
    for position, scene in enumerate(SCENES):
        for rank in range(1, round(scene.share * N_ARTISTS) + 1):
            name = _name(scene, rng)
            while name in names:
                name = _name(scene, rng)
            names.add(name)
            pull = scene.share * rank**-POPULARITY_DECAY
            artists.append(Artist(ids[len(artists)], name, position, rng.random(), pull))
    return sorted(artists, key=lambda artist: artist.artist_id)


def _name(scene: Scene, rng: random.Random) -> str:
    def word() -> str:
        return rng.choice(scene.starts) + rng.choice(scene.middles) + rng.choice(scene.ends)

    chance = rng.random()
    if chance < 0.02:  # noqa: PLR2004 (one in fifty)
        return rng.choice(HIRAGANA) + rng.choice(HIRAGANA) + rng.choice(HIRAGANA)
    if chance < 0.03:  # noqa: PLR2004 (one in a hundred)
        return LONE_MARK.format(word(), word())
    if chance < 0.45:  # noqa: PLR2004 (four in ten)
        return rng.choice(BRACKETED).format(word(), word())
    return word()


def _users(rng: random.Random) -> list[tuple[User, int]]:
    """The listeners, each with the number of their artists: nearly always fifty."""
    few = {40: 1, 170: 2}
    users = []
    for position, user_id in enumerate(_ids(N_USERS, rng, first=2)):
        scenes = _drawn(
            range(len(SCENES)),
            [scene.share for scene in SCENES],
            rng.choice((1, 2, 2, 2, 3, 3)),
            rng,
        )
        weights = [1.0, 0.6, 0.35][: len(scenes)]
        tastes = {
            scene: Taste(weight / sum(weights), rng.random())
            for scene, weight in zip(scenes, weights, strict=True)
        }
        usual = FULL_LIST if rng.random() < 0.9 else rng.randrange(5, FULL_LIST)  # noqa: PLR2004
        users.append((User(user_id, tastes), few.get(position, usual)))
    return users


def listened_by(
    user: User, count: int, artists: Sequence[Artist], rng: random.Random
) -> list[Artist]:
    """A listener's artists, the most loved first."""
    weights = [artist.pull * (STRAY + _love(user, artist)) for artist in artists]
    return _drawn(artists, weights, count, rng)


def _love(user: User, artist: Artist) -> float:
    """0 to 1: how much a listener's taste meets an artist."""
    taste = user.tastes.get(artist.scene)
    return taste.weight * _nearness(taste.mood, artist.mood) if taste else 0.0


def _nearness(one: float, other: float) -> float:
    """1 for the same mood, falling like a bell with the way around the circle."""
    distance = min(abs(one - other), 1.0 - abs(one - other))
    return math.exp(-((distance / MOOD_WIDTH) ** 2))


def _counts(count: int, rng: random.Random) -> list[int]:
    """Plays of a listener's artists, log-normal around the listener's own level, falling."""
    level = _normal(rng) * 1.2 + 5.5
    plays = sorted((level + _normal(rng) * 1.3 for _ in range(count)), reverse=True)
    return [min(max(round(math.exp(value)), 1), MOST_PLAYS) for value in plays]


def _normal(rng: random.Random) -> float:
    """A standard normal draw (Box & Muller 1958), from `random()` alone."""
    return math.sqrt(-2.0 * math.log(1.0 - rng.random())) * math.cos(2.0 * math.pi * rng.random())


def _taggings(
    listened: dict[int, list[Artist]], tag_ids: dict[str, int], rng: random.Random
) -> list[tuple[int, int, int, date]]:
    """Nearly half of the listeners tag what they play most, mostly in the words of its scene."""
    taggings = []
    n_days = (LAST_DAY - FIRST_DAY).days
    for user_id, artists in listened.items():
        if rng.random() > 0.45:  # noqa: PLR2004 (nearly half tag)
            continue
        for artist in artists[: rng.randrange(5, 40)]:
            words = (*SCENES[artist.scene].tags * 2, *COMMON_TAGS)
            for name in sorted({rng.choice(words) for _ in range(rng.randrange(1, 4))}):
                day = FIRST_DAY + timedelta(days=rng.randrange(n_days))
                taggings.append((user_id, artist.artist_id, tag_ids[name], day))
    return taggings


def _friends(users: list[User], rng: random.Random) -> list[tuple[int, int]]:
    """Pairs, each both ways; the more two tastes overlap, the likelier."""
    pairs = []
    for one, other in combinations(users, 2):
        if rng.random() < 0.002 + 0.1 * _overlap(one, other):
            pairs += [(one.user_id, other.user_id), (other.user_id, one.user_id)]
    return sorted(pairs)


def _overlap(one: User, other: User) -> float:
    """0 to 1: how alike two tastes are."""
    shared = [
        (one.tastes[scene], other.tastes[scene]) for scene in one.tastes if scene in other.tastes
    ]
    return sum(min(a.weight, b.weight) * _nearness(a.mood, b.mood) for a, b in shared)
