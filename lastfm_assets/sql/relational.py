"""HetRec's own relational schema, made from the cleaned tables so that every key holds.

Users are those who play or tag something, tags those that are assigned.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.vocabulary import column_note

SCHEMA: Final = "lastfm"
_NOTES: Final = {
    **{field.header: column_note(field.column) for raw in RAW_TABLES for field in raw.fields},
    "day": "Day of the month on which the tag was given.",
    "month": "Month in which the tag was given, 1 to 12.",
    "year": "Year in which the tag was given.",
    "id": "Artist, as the source numbers them.",
}
"""Of each column, by its name in the source's files."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of the schema."""

    name: str
    columns: tuple[str, ...]
    """Whole numbers, but for those of `_TEXTS`."""
    key: tuple[str, ...]
    refers: tuple[tuple[str, str, str], ...]
    """Foreign keys: a column, the table it refers to, and that one's column."""
    made_of: tuple[str, ...]
    """Tables of the store that `query` reads."""
    query: str

    def create(self) -> str:
        """The statement that makes it, empty."""
        columns = [f'"{name}" {type_of(name)}{_required(name)}' for name in self.columns]
        keys = [f"PRIMARY KEY ({', '.join(self.key)})"]
        keys += [
            f"FOREIGN KEY ({column}) REFERENCES {SCHEMA}.{table} ({there})"
            for column, table, there in self.refers
        ]
        return f"CREATE TABLE {SCHEMA}.{self.name} ({', '.join([*columns, *keys])})"


_TEXTS: Final = ("name", "url", "pictureURL", "tagValue")
_OPTIONAL: Final = ("url", "pictureURL")
_USER: Final = ("userID", "users", "userID")
_ARTIST: Final = ("artistID", "artists", "id")
_PLAYS: Final = "listening.interactions"
_TAGGED: Final = "listening.tag_assignments"

RELATIONS: Final = (
    Relation(
        "users",
        ("userID",),
        ("userID",),
        (),
        (_PLAYS, _TAGGED),
        "SELECT user_id FROM interactions UNION SELECT user_id FROM tag_assignments ORDER BY ALL",
    ),
    Relation(
        "artists",
        ("id", "name", "url", "pictureURL"),
        ("id",),
        (),
        ("listening.artists",),
        "SELECT artist_id, artist_name, url, picture_url FROM artists ORDER BY artist_id",
    ),
    Relation(
        "tags",
        ("tagID", "tagValue"),
        ("tagID",),
        (),
        (_TAGGED,),
        "SELECT tag_id, any_value(tag) FROM tag_assignments GROUP BY tag_id ORDER BY tag_id",
    ),
    Relation(
        "user_artists",
        ("userID", "artistID", "weight"),
        ("userID", "artistID"),
        (_USER, _ARTIST),
        (_PLAYS,),
        "SELECT user_id, artist_id, plays FROM interactions ORDER BY ALL",
    ),
    Relation(
        "user_taggedartists",
        ("userID", "artistID", "tagID", "day", "month", "year"),
        ("userID", "artistID", "tagID"),
        (_USER, _ARTIST, ("tagID", "tags", "tagID")),
        (_TAGGED,),
        "SELECT user_id, artist_id, tag_id, day(date), month(date), year(date) "
        "FROM tag_assignments ORDER BY ALL",
    ),
    Relation(
        "user_friends",
        ("userID", "friendID"),
        ("userID", "friendID"),
        (_USER, ("friendID", "users", "userID")),
        ("listening.friendships",),
        "SELECT user_id, friend_id FROM friendships ORDER BY ALL",
    ),
)
"""The schema, each table behind those that it refers to."""
NAMES: Final = tuple(relation.name for relation in RELATIONS)
SOURCES: Final = tuple(dict.fromkeys(name for relation in RELATIONS for name in relation.made_of))
"""Tables of the store that the schema is made from."""


def type_of(column: str) -> str:
    """What DuckDB keeps a column of the schema as."""
    return "VARCHAR" if column in _TEXTS else "BIGINT"


def note_of(column: str) -> str:
    """One sentence on what a column of the schema holds."""
    return _NOTES[column]


def with_referred(names: Iterable[str]) -> list[Relation]:
    """Tables of the schema and all that their foreign keys need, those first."""
    wanted = set(names)
    for relation in reversed(RELATIONS):
        if relation.name in wanted:
            wanted |= {table for _, table, _ in relation.refers}
    return [relation for relation in RELATIONS if relation.name in wanted]


def create(
    database: duckdb.DuckDBPyConnection,
    names: Iterable[str],
    read: Callable[[str], pa.Table],
) -> None:
    """Makes and fills tables of the schema.

    Args:
        database: without the schema.
        names: of `NAMES`; what they refer to is made, too.
        read: name of a stored table -> its rows.

    Raises:
        duckdb.ConstraintException: a stored table breaks a key, which cleaning does not let be.
    """
    relations = with_referred(names)
    if not relations:
        return
    database.execute(f"CREATE SCHEMA {SCHEMA}")
    sources = dict.fromkeys(name for relation in relations for name in relation.made_of)
    for name in sources:
        database.register(name.partition(".")[2], read(name))
    for relation in relations:
        database.execute(relation.create())
        database.execute(f"INSERT INTO {SCHEMA}.{relation.name} {relation.query}")
    for name in sources:
        database.unregister(name.partition(".")[2])
    database.execute(f"SET search_path = '{SCHEMA},main'")


def _required(column: str) -> str:
    return "" if column in _OPTIONAL else " NOT NULL"
