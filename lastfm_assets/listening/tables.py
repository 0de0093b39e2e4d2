"""What the five raw files hold: their headers, our column names, and how each is typed."""

from dataclasses import dataclass
from typing import Final, Literal

from lastfm_assets.sources.files import Stem
from lastfm_assets.vocabulary import Columns

Kind = Literal["integer", "text"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a raw file."""

    header: str
    """Its name in the file's first line."""
    column: str
    """Its name here."""
    kind: Kind = "integer"
    required: bool = True


@dataclass(frozen=True, slots=True)
class RawTable:
    """One raw file: its asset's name and its fields."""

    stem: Stem
    asset: str
    fields: tuple[Field, ...]


ARTISTS: Final = RawTable(
    "artists",
    "artists",
    (
        Field("id", Columns.ARTIST),
        Field("name", Columns.NAME, "text"),
        Field("url", Columns.URL, "text", required=False),
        Field("pictureURL", Columns.PICTURE, "text", required=False),
    ),
)
USER_ARTISTS: Final = RawTable(
    "user_artists",
    "user_artists",
    (
        Field("userID", Columns.USER),
        Field("artistID", Columns.ARTIST),
        Field("weight", Columns.PLAYS),
    ),
)
TAGS: Final = RawTable(
    "tags", "tags", (Field("tagID", Columns.TAG), Field("tagValue", Columns.TAG_VALUE, "text"))
)
TAGGED_ARTISTS: Final = RawTable(
    "user_taggedartists",
    "tagged_artists",
    (
        Field("userID", Columns.USER),
        Field("artistID", Columns.ARTIST),
        Field("tagID", Columns.TAG),
        Field("day", Columns.DAY),
        Field("month", Columns.MONTH),
        Field("year", Columns.YEAR),
    ),
)
FRIENDS: Final = RawTable(
    "user_friends",
    "friends",
    (Field("userID", Columns.USER), Field("friendID", Columns.FRIEND)),
)

RAW_TABLES: Final = (ARTISTS, USER_ARTISTS, TAGS, TAGGED_ARTISTS, FRIENDS)
