"""Invented tables of plays in the shapes that people have, each with its description.

The listeners are the sample's, so there is something to find in what they play. The same seed
writes the same bytes. What is wrong in them, on purpose, is a few lines of what real files have:
a missing id, a missing name, a broken user, a time at which nobody played.
"""

import csv
import hashlib
import io
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.generated_files import write_table
from lastfm_assets.sources.generator import World
from lastfm_assets.sources.sample_world import (
    Artist,
    Taste,
    User,
    build_world,
    draw_people,
    listened_by,
)
from lastfm_assets.sources.writing import writing_into

Kind = Literal["360k", "scrobbles", "playlists"]
Row = Sequence[object]

N_TRACKS: Final = 5
"""Tracks of an artist; the r-th is played 1 / r as often as the first."""
N_LISTENERS: Final = 200
"""Of the log, whose listeners play for years."""
FIRST_MOMENT: Final = datetime(2007, 1, 1, tzinfo=UTC)
N_SEASONS: Final = 8
SEASON: Final = timedelta(days=182)
ARTISTS_A_SEASON: Final = 12
DRIFT: Final = 0.04
"""How far a listener's mood moves along its circle from season to season."""

_DESCRIPTIONS: Final[dict[Kind, str]] = {
    "360k": """\
# As Last.fm-360K's usersha1-artmbid-artname-plays.tsv: no header, columns by their number.
name = "example-360k"
path = "plays.tsv"
header = false

[columns]
user = 1
item = 2       # MusicBrainz id, missing in some rows
item_name = 3
plays = 4
""",
    "scrobbles": """\
# A log of what was played when: every row is one play of a track.
name = "example-scrobbles"
path = "scrobbles.csv"
item = "track"

[columns]
user = "user"
item_name = "track"
by = "artist"
time = "played_at"

[time]
format = "iso"
time_zone = "Europe/Berlin"
""",
    "playlists": """\
# Playlists stand for users: a row is a track on a playlist.
name = "example-playlists"
path = "playlists.csv"
item = "track"

[columns]
user = "playlist"
item_name = "track"
by = "artist"
""",
}


def write_example(kind: Kind, folder: Path, *, seed: int = 0, pairs: int | None = None) -> Path:
    """Writes a table of plays and its description.

    Args:
        kind: `360k` (users, artists, plays), `scrobbles` (tracks with times) or `playlists`.
        folder: where to, made where it is missing; files of the same names are replaced.
        seed: any integer from 0 on; the same one writes the same bytes.
        pairs: rows of a `360k` of any size, listeners and artists as Last.fm's data sets of that
            size have; None for the few listeners that the other kinds have.

    Returns:
        The description's path, to be set as LASTFM_SOURCE.

    Raises:
        BadInputError: the folder cannot be made or written to, or the kind has one size only.
    """
    if pairs is not None:
        if kind != "360k":
            raise BadInputError(
                f"an example of {pairs} pairs as {kind}: only 360k is written in any size; "
                "choose that kind, or leave the size out"
            )
        return write_table(World.of_size(pairs, seed=seed), folder)
    write: dict[Kind, tuple[str, Callable[[random.Random], str]]] = {
        "360k": ("plays.tsv", _plays),
        "scrobbles": ("scrobbles.csv", _scrobbles),
        "playlists": ("playlists.csv", _playlists),
    }
    name, table_of = write[kind]
    table = table_of(random.Random(seed)).encode()  # noqa: S311 (an invented world needs no secret)
    description = folder / f"{kind}.toml"
    with writing_into(folder):
        (folder / name).write_bytes(table)
        description.write_bytes(_DESCRIPTIONS[kind].encode())
    return description


def _plays(rng: random.Random) -> str:
    world = build_world(rng)
    names = {artist.artist_id: artist.name for artist in world.artists}
    rows = [
        [_sha1(user), _mbid(artist) if rng.random() > 0.01 else "", names[artist], count]  # noqa: PLR2004 (one in a hundred)
        for user, artist, count in world.plays
    ]
    _spoil(rows, rng, {0: ("", 2), 2: ("", 3), 3: ("n/a", 2)})
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def _playlists(rng: random.Random) -> str:
    artists, people = draw_people(rng)
    rows: list[list[object]] = [
        [user.user_id, track, artist.name]
        for user, count in people
        for artist in listened_by(user, max(1, count // 2), artists, rng)
        for track in sorted({_track(artist, rng) for _ in range(rng.randrange(1, 4))})
    ]
    _spoil(rows, rng, {0: ("", 3), 1: ("", 2), 2: ("", 4)})
    return _as_csv(["playlist", "track", "artist"], rows)


def _scrobbles(rng: random.Random) -> str:
    artists, people = draw_people(rng)
    rows: list[list[object]] = []
    for user, _ in people[:N_LISTENERS]:
        start = rng.randrange(3)  # some come later than others
        for season in range(start, N_SEASONS):
            taste = _drifted(user, season)
            for artist in listened_by(taste, ARTISTS_A_SEASON, artists, rng):
                rows += _played(f"listener-{user.user_id}", artist, season, rng)
    rows.sort(key=lambda row: tuple(map(str, row)))
    _spoil(rows, rng, {0: ("1970-01-01 00:00:00", 4), 1: ("", 2), 2: ("", 3), 3: ("", 2)})
    return _as_csv(["played_at", "user", "artist", "track"], rows)


def _played(user: str, artist: Artist, season: int, rng: random.Random) -> list[list[object]]:
    """A listener's plays of an artist within a season."""
    begin = FIRST_MOMENT + season * SEASON
    rows: list[list[object]] = []
    for _ in range(rng.randrange(1, 4)):
        track = _track(artist, rng)
        for _ in range(rng.randrange(1, 4)):
            moment = begin + timedelta(seconds=rng.randrange(int(SEASON.total_seconds())))
            rows.append([moment.strftime("%Y-%m-%d %H:%M:%S"), user, artist.name, track])
    return rows


def _drifted(user: User, season: int) -> User:
    """A listener some seasons on: each mood has moved along."""
    moved = {
        scene: Taste(taste.weight, (taste.mood + DRIFT * season) % 1.0)
        for scene, taste in user.tastes.items()
    }
    return User(user.user_id, moved)


def _track(artist: Artist, rng: random.Random) -> str:
    """One of an artist's tracks, the first the likeliest."""
    total = sum(1 / rank for rank in range(1, N_TRACKS + 1))
    left, rank = rng.random() * total, 1
    while left > 1 / rank and rank < N_TRACKS:
        left -= 1 / rank
        rank += 1
    word = artist.name.split()[0].strip('",&')
    titles = ("{} Again", "Leaving {}", "{} (live)", "No. {}", "Half a {}")
    return titles[rank - 1].format(word)


def _spoil(
    rows: list[list[object]], rng: random.Random, spoilt: dict[int, tuple[str, int]]
) -> None:
    """Puts a bad value into a column of some rows, and leaves one row without its last field."""
    for column, (value, count) in spoilt.items():
        for at in sorted(rng.sample(range(len(rows)), count)):
            rows[at] = [*rows[at][:column], value, *rows[at][column + 1 :]]
    at = rng.randrange(len(rows))
    rows[at] = rows[at][:-1]


def _as_csv(header: Row, rows: Iterable[Row]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def _sha1(user_id: int) -> str:
    return hashlib.sha1(b"%d" % user_id, usedforsecurity=False).hexdigest()


def _mbid(artist_id: int) -> str:
    digest = hashlib.md5(b"%d" % artist_id, usedforsecurity=False).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
