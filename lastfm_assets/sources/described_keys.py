"""The keys of a description, and what contradicts itself among their values."""

import difflib
import re
import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, get_args
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import ErrorDetails

from lastfm_assets.sources.hetrec import one_line

Format = Literal["csv", "tsv", "parquet"]
Ids = Literal["number", "text"]
Column = Annotated[int, Field(ge=1, le=10_000)] | Annotated[str, Field(min_length=1)]
"""A column's name, or its number from 1 where the file has no header."""

_ITEM: Final = re.compile(r"[^\W\d_]+([ -][^\W\d_]+){0,3}")
_LONGEST_ITEM: Final = 40
_LONG_NUMBER: Final = 4096
"""Bits of the longest number that is shown."""


def _day(value: object) -> object:
    """A day as the reader made it, or as text; a number is no day."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError


class PlaysColumns(BaseModel, frozen=True, extra="forbid", strict=True):
    """Which column of the file holds what."""

    user: Column = Field(description="the column that holds the users' ids")
    item: Column | None = Field(None, description="the column that holds the ids of items")
    item_name: Column | None = Field(None, description="the column that holds the items' names")
    by: Column | None = Field(None, description="the column that holds whom an item is by")
    plays: Column | None = Field(None, description="the column that holds the number of plays")
    time: Column | None = Field(None, description="the column that holds when it was played")

    def named(self) -> dict[str, Column]:
        """Column of each role that the file fills, the user's first."""
        return {role: column for role, column in self if column is not None}


class Moments(BaseModel, frozen=True, extra="forbid", strict=True):
    """How times are written."""

    format: Literal["iso", "unix", "unix_ms"] = Field("iso", description="iso, unix or unix_ms")
    time_zone: str | None = Field(None, description='a time zone like "Europe/Berlin"')


class Told(BaseModel, frozen=True, extra="forbid", strict=True):
    """The file as it is written."""

    name: str | None = Field(None, description="a name of letters, digits, '.', '_' and '-'")
    path: str | None = Field(None, description="a file's path, relative to the description")
    url: str | None = Field(None, description="a URL, https://host/plays.csv")
    format: Format | None = Field(None, description="csv, tsv or parquet")
    delimiter: str | None = Field(None, description='one character, like ";"')
    header: bool = Field(default=True, description="true or false")
    quoted: bool | None = Field(None, description="true or false")
    encoding: str | None = Field(None, description='a name of an encoding, like "utf-8"')
    item: str = Field("artist", description='a singular noun in lower case, like "track"')
    ids: Ids | None = Field(None, description='"number" or "text"')
    until: Annotated[date | None, BeforeValidator(_day)] = Field(
        None, description="a day like 2010-06-01"
    )
    min_precision: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1"
    )
    columns: PlaysColumns = Field(description="a table of columns, of which user is one")
    time: Moments = Field(Moments(), description="a table with format and time_zone")


def error_of(error: ErrorDetails) -> str:
    """One of pydantic's findings in our words: what was found, expected, and the remedy."""
    where = [str(part) for part in error["loc"]]
    table = where[:1] if len(where) > 1 and where[0] in _TABLES else []
    key = (where[len(table) :] or [""])[0]
    at, known = one_line(".".join([*table, key])), _keys(*table)
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        meant = f"expected {near[0]}" if near else f"expected one of {', '.join(known)}"
        return f"the key {at} is unknown, {meant}; correct it or leave it out"
    if error["type"] == "missing":
        return f"{at} is missing, expected {known[key]}; add it"
    return f"{at} is {shown(error['input'])}, expected {known[key]}; correct it"


_TABLES: Final[dict[str, type[BaseModel]]] = {"columns": PlaysColumns, "time": Moments}


def _keys(table: str = "") -> dict[str, str]:
    """Keys of a description, or of one of its tables, and what each may be."""
    fields = _TABLES.get(table, Told).model_fields
    return {name: field.description or "" for name, field in fields.items()}


def shown(value: object) -> str:
    """A value, if it is a plain one: a table may refer to itself."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _LONG_NUMBER:
        return "a number of thousands of digits"  # more than Python writes
    if isinstance(value, (int, float, str, date)):
        return one_line(repr(value) if isinstance(value, str) else value)
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list"
    return "empty" if value is None else "neither text nor a number"


def objections(told: Told) -> Iterator[str]:
    """What contradicts itself in a description, each with the remedy."""
    yield from _on_the_place(told)
    yield from _on_the_spelling(told)
    yield from _on_the_columns(told)
    if told.until is not None and told.columns.time is None:
        yield "until was found without columns.time; name the column of times, or leave it out"
    if not _is_zone(told.time.time_zone or "UTC"):
        expected = _keys("time")["time_zone"]
        yield f"time.time_zone is {shown(told.time.time_zone)}, expected {expected}; correct it"


def _on_the_place(told: Told) -> Iterator[str]:
    places = [place for place in (told.path, told.url) if place is not None]
    if not places:
        yield "neither path nor url was found; name the table of plays in one of them"
    elif len(places) > 1:
        yield "both path and url were found, expected one; leave the other out"
    elif not places[0].strip() or "\0" in places[0]:
        yield "path or url names no file; name the table of plays"
    elif format_of(told) is None:
        found = "the table's name is " + shown(places[0])
        if told.url is not None:  # which may hold a password
            found = "the table's url ends otherwise"
        yield (
            f"{found}, expected the ending .csv, .tsv, .parquet, .csv.gz or .tsv.gz; set `format`"
        )


def _on_the_spelling(told: Told) -> Iterator[str]:
    spelling = (told.delimiter, told.quoted, told.encoding)
    if format_of(told) == "parquet" and not (told.header and spelling == (None, None, None)):
        yield "parquet has no header, delimiter, quoted or encoding to be set; leave them out"
    if told.delimiter is not None and not _is_delimiter(told.delimiter):
        expected = _keys()["delimiter"]
        yield f"delimiter is {shown(told.delimiter)}, expected {expected}; correct it"
    if not _is_encoding(told.encoding or "utf-8"):
        expected = _keys()["encoding"]
        yield f"encoding is {shown(told.encoding)}, expected {expected}; correct it"
    is_noun = _ITEM.fullmatch(told.item) and told.item.islower()
    if not is_noun or len(told.item) > _LONGEST_ITEM:
        yield f"item is {shown(told.item)}, expected {_keys()['item']}; correct it"


def _on_the_columns(told: Told) -> Iterator[str]:
    columns = told.columns
    if columns.item is None and columns.item_name is None:
        yield "columns has neither item nor item_name; name the column of ids, or of names"
    if columns.by is not None and columns.item_name is None:
        yield "columns.by was found without columns.item_name; name the column of names too"
    for role, column in columns.named().items():
        if isinstance(column, str) != told.header:
            expected = "its name, as header is true" if told.header else "its number from 1"
            yield f"columns.{role} is {shown(column)}, expected {expected}; correct it, or header"
        if role != "user" and column == columns.user:
            yield f"columns.user and columns.{role} are both {shown(column)}; correct one of them"


def format_of(told: Told) -> Format | None:
    """The format that is set, else the one that the table's ending tells."""
    try:
        place = unquote(urlsplit(told.url).path) if told.url else told.path or ""
    except ValueError:  # no URL, as is said where it is fetched
        place = ""
    ending = PurePosixPath(place.lower().removesuffix(".gz")).suffix[1:]
    return told.format or next((known for known in get_args(Format) if known == ending), None)


def _is_delimiter(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text not in '"\r\n\0'


def _is_encoding(name: str) -> bool:
    try:
        return "a".encode(name).decode(name) == "a"
    except (LookupError, ValueError):
        return False


def _is_zone(name: str) -> bool:
    try:
        return zoneinfo.ZoneInfo(name).key == name
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        return False
