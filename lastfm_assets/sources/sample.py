"""Writes the bundled sample: invented listeners, shaped and spoilt like HetRec's files.

    python -m lastfm_assets.sources.sample --folder data/sample --seed 7

The same seed writes the same bytes. What is wrong in them, on purpose:

- artists.dat: an artist without a name, one with a name of 1,200 characters; names with `"`
- user_artists.dat: plays of 0 (three), below zero (two), in words (two); a line with two fields
  only; two artists that artists.dat lacks; four pairs written twice
- tags.dat: ISO-8859-1, not UTF-8
- user_taggedartists.dat: the years 1956 (three) and 1201 (one), 31 February; no last newline
- user_friends.dat: CRLF line ends
"""

import argparse
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lastfm_assets.sources.sample_world import World, build_world

SEED: Final = 7
FILES: Final = (
    "artists.dat",
    "user_artists.dat",
    "tags.dat",
    "user_taggedartists.dat",
    "user_friends.dat",
)


def write_sample(folder: Path, *, seed: int = SEED) -> None:
    """Writes the five files into a folder, which is made where it is missing.

    Args:
        folder: where to; files of the same names are replaced.
        seed: any integer; the same one writes the same bytes.
    """
    rng = random.Random(seed)  # noqa: S311 (an invented world needs no secret)
    world = build_world(rng)
    contents = (
        _artists(world),
        _plays(world, rng),
        _tags(world),
        _taggings(world),
        _friends(world),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(FILES, contents, strict=True):
        (folder / name).write_bytes(content)


def _lines(header: str, rows: Iterable[str]) -> str:
    return "\n".join([header, *rows, ""])


def _artists(world: World) -> bytes:
    def row(artist_id: int, name: str) -> str:
        page = f"http://music.example/artist/{artist_id}"
        return f"{artist_id}\t{name}\t{page}\t{page}.jpg"

    rows = [row(artist.artist_id, artist.name) for artist in world.artists]
    unheard = world.artists[-1].artist_id
    rows.insert(len(rows) // 3, row(unheard + 2, ""))
    rows.insert(len(rows) // 2, row(unheard + 5, "Blubbo" * 200))
    return _lines("id\tname\turl\tpictureURL", rows).encode()


def _plays(world: World, rng: random.Random) -> bytes:
    rows = [f"{user}\t{artist}\t{plays}" for user, artist, plays in world.plays]
    unknown = world.artists[-1].artist_id + 100
    heard = {(user, artist) for user, artist, _ in world.plays}
    users = sorted({user for user, _ in heard})
    spoilt = [f"{users[3]}\t{unknown}\t12", f"{users[8]}\t{unknown + 1}\t7", f"{users[5]}\t77"]
    for plays in ("0", "0", "0", "-1", "-250", "many", "n/a"):
        user, artist = rng.choice(users), rng.choice(world.artists).artist_id
        while (user, artist) in heard:
            user, artist = rng.choice(users), rng.choice(world.artists).artist_id
        spoilt.append(f"{user}\t{artist}\t{plays}")
    for user, artist, _ in rng.sample(world.plays, 4):
        spoilt.append(f"{user}\t{artist}\t{rng.randrange(1, 50)}")
    for line in spoilt:
        rows.insert(rng.randrange(len(rows)), line)
    return _lines("userID\tartistID\tweight", rows).encode("ascii")


def _tags(world: World) -> bytes:
    rows = (f"{tag_id}\t{name}" for tag_id, name in world.tags)
    return _lines("tagID\ttagValue", rows).encode("iso-8859-1")


def _taggings(world: World) -> bytes:
    rows = [
        f"{user}\t{artist}\t{tag}\t{day.day}\t{day.month}\t{day.year}"
        for user, artist, tag, day in world.taggings
    ]
    junk = ("1\t1\t1956", "1\t9\t1956", "4\t5\t1956", "3\t3\t1201", "31\t2\t2008")
    for position, day in enumerate(junk, start=1):
        at = position * len(rows) // 6
        rows[at] = "\t".join([*rows[at].split("\t")[:3], day])
    return _lines("userID\tartistID\ttagID\tday\tmonth\tyear", rows).rstrip("\n").encode("ascii")


def _friends(world: World) -> bytes:
    rows = (f"{user}\t{friend}" for user, friend in world.friends)
    return _lines("userID\tfriendID", rows).replace("\n", "\r\n").encode("ascii")


def main() -> None:
    """Reads the two options and writes the files."""
    options = argparse.ArgumentParser(description="Write the invented sample data set.")
    options.add_argument("--folder", type=Path, default=Path("data/sample"))
    options.add_argument("--seed", type=int, default=SEED)
    chosen = options.parse_args()
    write_sample(chosen.folder, seed=chosen.seed)


if __name__ == "__main__":
    main()
