"""What online services read: the tables, their columns and views, alike in every database."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Final, Protocol, Self

import numpy as np
import pandas as pd

from lastfm_assets.formats import version_of
from lastfm_assets.listening.keys import keys_of, no_keys
from lastfm_assets.recommendations.versions import Version
from lastfm_assets.vocabulary import SIMILAR_LIST, TOP_LIST, Columns, column_note

SCHEMA: Final = "lastfm"
"""Schema that is ours alone; nothing outside it is touched."""
LAYOUT: Final = 2
"""Number of what stands below: tables of another one are made anew."""
PUBLICATION: Final = "publication"
"""The table of one row that says what is served."""
LISTENERS: Final = "listeners"
USER_KEY: Final = "user_key"
ARTIST_KEY: Final = "artist_key"
POPULAR: Final = 10
"""Artists that somebody without a list is shown."""

_TYPES: Final = {
    Columns.RANK: "integer",
    Columns.SCORE: "double precision",
    Columns.SIMILARITY: "double precision",
    Columns.NAME: "text",
    Columns.TO_NAME: "text",
    Columns.BECAUSE: "text",
    Columns.MODEL: "text",
    USER_KEY: "text",
    ARTIST_KEY: "text",
    "layout": "integer",
    "content": "text",
    "tables": "text",
    "source": "text",
    "published_at": "timestamp with time zone",
}
"""Types that both databases know; all other columns are whole numbers."""
_NOTES: Final = {
    USER_KEY: "The source's own id of the user, as text.",
    ARTIST_KEY: "The source's own id of the artist, as text.",
    LISTENERS: "Users who have played the artist.",
    Columns.PLAYS: "Plays of the artist by all users.",
    "layout": "Number of the layout of these tables.",
    "version": "Number of the published version in the store.",
    "content": "SHA-256 of the published lists.",
    "tables": "SHA-256 of all tables that were handed in.",
    "source": "Name of the listening data that the lists were made from.",
    "published_at": "When the version was published.",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table as services see it."""

    name: str
    note: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def create(self) -> str:
        """The statement that makes it, empty."""
        columns = ", ".join(f"{c} {_TYPES.get(c, 'bigint')} NOT NULL" for c in self.columns)
        return f"CREATE TABLE {SCHEMA}.{self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))"

    def comments(self) -> list[str]:
        """The statements that say what the table and its columns hold."""
        notes = {column: _NOTES.get(column) or column_note(column) for column in self.columns}
        of_columns = [
            f"COMMENT ON COLUMN {SCHEMA}.{self.name}.{column} IS {literal(note)}"
            for column, note in notes.items()
        ]
        return [f"COMMENT ON TABLE {SCHEMA}.{self.name} IS {literal(self.note)}", *of_columns]


ARTISTS: Final = (Columns.ARTIST, Columns.NAME, LISTENERS, Columns.PLAYS)
"""Columns of the served artists, in order."""
TABLES: Final = (
    Table(
        "top_artists",
        "The artists that each user is recommended.",
        TOP_LIST,
        (Columns.USER, Columns.RANK),
    ),
    Table(
        "similar_artists",
        "The artists nearest to each artist, by who plays them.",
        SIMILAR_LIST,
        (Columns.TO_ARTIST, Columns.RANK),
    ),
    Table(
        "artists",
        "Every artist, and how much it is played.",
        (*ARTISTS, ARTIST_KEY),
        (Columns.ARTIST,),
    ),
    Table(
        "users",
        "Every user with a list, and what the source calls them.",
        (Columns.USER, USER_KEY),
        (Columns.USER,),
    ),
    Table(
        PUBLICATION,
        "One row: what is served now.",
        ("layout", "version", "content", "tables", "model", "source", "published_at"),
        ("layout",),
    ),
)
_POPULAR_FIRST: Final = f"{LISTENERS} DESC, {Columns.PLAYS} DESC, {Columns.ARTIST}"
VIEWS: Final = {
    "recommendations": (
        "What a service needs to show a user's list, with the version that it is of.",
        f"""SELECT t.user_id, t.rank, t.artist_id, t.artist_name, t.score, t.because, t.model,
        p.version, p.published_at, u.user_key, a.artist_key
        FROM {SCHEMA}.top_artists t LEFT JOIN {SCHEMA}.users u ON u.user_id = t.user_id
        LEFT JOIN {SCHEMA}.artists a ON a.artist_id = t.artist_id
        CROSS JOIN {SCHEMA}.publication p""",  # noqa: S608 (our own names)
    ),
    "popular_artists": (
        "The artists with the most listeners, for a user who has no list yet.",
        f"""SELECT row_number() OVER (ORDER BY {_POPULAR_FIRST}) AS rank, {", ".join(ARTISTS)}
        FROM {SCHEMA}.artists ORDER BY {_POPULAR_FIRST} LIMIT {POPULAR}""",  # noqa: S608 (our own names)
    ),
}
"""Name, what it is for, and its query."""


Read = Callable[[], pd.DataFrame]
"""Reads a table that is too large to be kept while others are written."""


@dataclass(frozen=True)  # without slots, as what was found out of the tables is kept
class ServingTables:
    """All that services read besides the publication itself."""

    lists: pd.DataFrame | Read
    """`TOP_LIST` columns, as published."""
    similar: pd.DataFrame | Read
    """`SIMILAR_LIST` columns."""
    artists: pd.DataFrame
    """`ARTISTS` columns, see `artists_with_plays`."""
    keys: pd.DataFrame = field(default_factory=no_keys)
    """`kind, id, key`, see `listening.keys`."""

    def one_by_one(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Each table with its name in the database, its columns in order, none kept here."""
        frame = _read(self.lists)
        users = np.unique(frame[Columns.USER].to_numpy())
        yield _ordered(0, frame)
        del frame
        yield _ordered(1, _read(self.similar))
        artists = self.artists.reset_index(drop=True)
        keys = keys_of(artists[Columns.ARTIST].to_numpy(), self.keys, "artist")
        yield _ordered(2, artists.assign(**{ARTIST_KEY: keys}))
        keys = keys_of(users, self.keys, "user")
        yield _ordered(3, pd.DataFrame({Columns.USER: users, USER_KEY: keys}))

    def by_name(self) -> dict[str, pd.DataFrame]:
        """Each table under its name in the database, with its columns in order."""
        return dict(self.one_by_one())

    @property
    def content(self) -> str:
        """SHA-256 (hex) over all of them."""
        return hashlib.sha256(
            " ".join(hashed for hashed, _ in self._seen.values()).encode()
        ).hexdigest()

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: rows for name, (_, rows) in self._seen.items()}

    @cached_property
    def _seen(self) -> dict[str, tuple[str, int]]:
        """Hash and rows of each table, found in one pass over them."""
        return {name: (version_of(frame), len(frame)) for name, frame in self.one_by_one()}


def _read(table: pd.DataFrame | Read) -> pd.DataFrame:
    return table if isinstance(table, pd.DataFrame) else table()


def _ordered(place: int, frame: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    table = TABLES[place]
    return table.name, frame[list(table.columns)]


@dataclass(frozen=True, slots=True)
class Served:
    """What a serving database holds."""

    version: int
    """Number of the published version."""
    content: str
    """Hash of its lists."""
    tables: str
    """Hash of all tables: a change of names or of similar artists counts as well."""
    model: str
    source: str
    published_at: datetime

    @classmethod
    def of(cls, version: Version, tables: ServingTables) -> Self:
        """What a database holds once these tables of that version have been published to it."""
        return cls(
            version.number,
            version.content,
            tables.content,
            version.model,
            version.source,
            version.published_at,
        )

    def row(self) -> tuple[object, ...]:
        """The row of the table `publication`."""
        return (LAYOUT, *(getattr(self, one.name) for one in fields(self)))


class ServingDatabase(Protocol):
    """A database that online services read."""

    @property
    def shown(self) -> str:
        """Where it is, without credentials."""

    def publish(self, tables: ServingTables, about: Served) -> bool:
        """Replaces what is served in one step; who reads sees the old or the new, whole.

        Returns:
            Whether it was written: False where the database held exactly that already.

        Raises:
            DatabaseUnavailableError: it cannot be reached; a little later it may be.
            BadInputError: it refuses us, or is somebody else's.
            StoreError: the file cannot be written.
        """

    def served(self) -> Served | None:
        """What it holds, None before the first publication; errors as in `publish`."""


def artists_with_plays(artists: pd.DataFrame, interactions: pd.DataFrame) -> pd.DataFrame:
    """Every artist with its listeners and plays, both 0 where nobody plays it.

    Args:
        artists: the catalogue; `artist_id` and `artist_name` are used.
        interactions: `artist_id`, `plays`, one row a pair.

    Returns:
        `ARTISTS` columns, ordered by artist.
    """
    plays = interactions.groupby(Columns.ARTIST)[Columns.PLAYS]
    counts = pd.DataFrame({LISTENERS: plays.size(), Columns.PLAYS: plays.sum()})
    named = artists[[Columns.ARTIST, Columns.NAME]].set_index(Columns.ARTIST)
    whole = dict.fromkeys((LISTENERS, Columns.PLAYS), "int64")
    table = named.join(counts).fillna({LISTENERS: 0, Columns.PLAYS: 0}).astype(whole)
    return table.sort_index().reset_index()[list(ARTISTS)]


def literal(text: str) -> str:
    """A sentence of ours as an SQL string; data never gets into a statement."""
    return "'" + text.replace("'", "''") + "'"


def create_statements() -> list[str]:
    """Makes every table and view in an empty schema, in both databases alike."""
    tables = [statement for t in TABLES for statement in (t.create(), *t.comments())]
    views = [
        statement
        for name, (note, query) in VIEWS.items()
        for statement in (
            f"CREATE VIEW {SCHEMA}.{name} AS {query}",
            f"COMMENT ON VIEW {SCHEMA}.{name} IS {literal(note)}",
        )
    ]
    return tables + views
