"""Invented listening data as files: Last.fm-360K's table, or HetRec's two required files.

Rows are put together column by column, a block of listeners at a time, and go to the file as they
are made. What is wrong in the table, on purpose and in every block of 4,096 listeners: a row
without a listener, one without an artist's name, one whose plays are not a number, and one
without its last field. And 1.3% of the rows lack the artist's id, as in Last.fm-360K.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.sources.generated_names import (
    Numbers,
    artist_mbids,
    artist_names,
    user_sha1s,
)
from lastfm_assets.sources.generator import Listening, World, listening
from lastfm_assets.sources.writing import writing_into

WITHOUT_ID: Final = 0.013
"""Share of rows that lack the artist's id."""
ARTISTS_AT_ONCE: Final = 1 << 16

_DESCRIPTION: Final = """\
# As Last.fm-360K's usersha1-artmbid-artname-plays.tsv: no header, columns by their number.
name = "generated-{pairs}"
path = "plays.tsv"
header = false

[columns]
user = 1
item = 2       # MusicBrainz id, missing in some rows
item_name = 3
plays = 4
"""


def write_table(
    world: World, folder: Path, *, name: str = "360k", progress: Progress = no_progress
) -> Path:
    """Writes a world as one table in Last.fm-360K's shape, and its description.

    Args:
        world: what to write; the same one is the same bytes.
        folder: where to, made where it is missing; files of the same names are replaced.
        name: of the description's file, without its ending.
        progress: told of blocks of listeners written.

    Returns:
        The description's path, to be set as LASTFM_SOURCE.

    Raises:
        BadInputError: the folder cannot be made or written to.
    """
    description = folder / f"{name}.toml"
    with writing_into(folder), (folder / "plays.tsv").open("wb") as file:
        for number, block in enumerate(listening(world), start=1):
            _write_rows(file, _table(block, np.random.default_rng([world.seed, number, 1])))
            progress(number, world.blocks)
        description.write_bytes(_DESCRIPTION.format(pairs=world.pairs).encode())
    return description


def write_folder(world: World, folder: Path, *, progress: Progress = no_progress) -> Path:
    """Writes a world as HetRec's two required files: artists.dat and user_artists.dat.

    Numbers of listeners and artists are from 1 on. Nothing is wrong in these files.

    Args:
        world: what to write; the same one is the same bytes.
        folder: where to, made where it is missing; files of the same names are replaced.
        progress: told of blocks of listeners written.

    Returns:
        The folder, to be set as LASTFM_SOURCE.

    Raises:
        BadInputError: the folder cannot be made or written to.
    """
    with writing_into(folder):
        _write_artists(world, folder / "artists.dat")
        with (folder / "user_artists.dat").open("wb") as file:
            file.write(b"userID\tartistID\tweight\n")
            for number, block in enumerate(listening(world), start=1):
                columns = (block.users + 1, block.artists + 1, block.plays)
                _write_rows(file, [_as_text(column) for column in columns])
                progress(number, world.blocks)
    return folder


def _write_artists(world: World, path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"id\tname\turl\tpictureURL\n")
        for first in range(0, world.artists, ARTISTS_AT_ONCE):
            numbers = np.arange(first, min(first + ARTISTS_AT_ONCE, world.artists))
            _write_rows(file, [_as_text(numbers + 1), artist_names(numbers), "", ""])


def _table(block: Listening, rng: np.random.Generator) -> list[pa.Array]:
    """The columns of a block, a little spoilt; the third has what parts the last from it."""
    users, user_at = np.unique(block.users, return_inverse=True)
    artists, artist_at = np.unique(block.artists, return_inverse=True)
    has_id = pa.array(rng.random(len(block)) >= WITHOUT_ID)
    columns = [
        user_sha1s(users.tolist()).take(pa.array(user_at)),
        pc.if_else(has_id, artist_mbids(artists).take(pa.array(artist_at)), ""),
        artist_names(artists).take(pa.array(artist_at)),
        pc.binary_join_element_wise("\t", _as_text(block.plays), ""),
    ]
    for column, text in ((0, ""), (2, ""), (3, "\tn/a"), (3, "")):
        is_sound = np.arange(len(block)) != rng.integers(len(block))
        columns[column] = pc.if_else(pa.array(is_sound), columns[column], text)
    return [*columns[:2], pc.binary_join_element_wise(*columns[2:], "")]


def _as_text(numbers: Numbers) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())


def _write_rows(file: BinaryIO, columns: Sequence[pa.Array | str]) -> None:
    """Writes columns side by side, parted by tabs."""
    lines = pc.binary_join_element_wise(*columns, "\t")
    lines = pc.binary_join_element_wise(lines, "\n", "")
    _, ends, text = lines.buffers()  # the texts of an array lie one after the other
    file.write(memoryview(text)[: np.frombuffer(ends, dtype=np.int32)[len(lines)]])
