"""Small raw files, and the tables made of them."""

from typing import Final

import pandas as pd

from lastfm_assets.listening.clean import RawTables
from lastfm_assets.listening.parse import empty, parse
from lastfm_assets.listening.tables import (
    ARTISTS,
    FRIENDS,
    RAW_TABLES,
    TAGGED_ARTISTS,
    TAGS,
    USER_ARTISTS,
    RawTable,
)
from lastfm_assets.sources.files import Dialect, RawFile

DAT: Final = Dialect("\t", quoted=False, encoding="utf-8")
CSV: Final = Dialect(",", quoted=True, encoding="utf-8")
LATIN: Final = Dialect("\t", quoted=False, encoding="iso-8859-1")

HEADERS: Final = {
    table.stem: "\t".join(field.header for field in table.fields) for table in RAW_TABLES
}
ORDER: Final = (ARTISTS, USER_ARTISTS, TAGS, TAGGED_ARTISTS, FRIENDS)


def parsed(
    content: bytes | str, table: RawTable = USER_ARTISTS, dialect: Dialect = DAT
) -> pd.DataFrame:
    """A raw table from the whole text of its file."""
    content = content.encode(dialect.encoding) if isinstance(content, str) else content
    ending = "csv" if dialect.quoted else "dat"
    return parse(RawFile(f"{table.stem}.{ending}", content, dialect), table)


def below(table: RawTable, *lines: str) -> pd.DataFrame:
    """A raw table from the lines below its usual header; no line gives an empty table."""
    return parsed("\n".join([HEADERS[table.stem], *lines]), table) if lines else empty(table)


def raw_tables(**lines: list[str]) -> RawTables:
    """The five tables from lines below their headers, by the names of `RawTables`."""
    return RawTables(**{table.asset: below(table, *lines.get(table.asset, [])) for table in ORDER})
