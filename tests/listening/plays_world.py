"""Described tables of plays, written where a test wants them."""

from pathlib import Path
from typing import Any, Final

from lastfm_assets.listening.described.plays_file import PlaysTables, read_plays
from lastfm_assets.sources.description import Description
from lastfm_assets.sources.files import PlaysFile

BY_NUMBER: Final = {"user": 1, "item": 2, "item_name": 3, "plays": 4}
TRACKS: Final = {"user": "user", "item_name": "track", "by": "artist"}


def toml(columns: dict[str, Any], time: dict[str, str] | None = None, **keys: Any) -> str:
    """A description as TOML."""
    tables = {"columns": columns} | ({"time": time} if time else {})
    lines = [f"{key} = {_value(value)}" for key, value in keys.items()]
    for table, inside in tables.items():
        lines += [f"[{table}]", *(f"{key} = {_value(value)}" for key, value in inside.items())]
    return "\n".join([*lines, ""])


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"'.replace("\t", "\\t") if isinstance(value, str) else str(value)


def plays_file(
    folder: Path, content: str | bytes, columns: dict[str, Any], **keys: Any
) -> PlaysFile:
    """Writes a table and its description."""
    name = keys.setdefault("path", "plays.csv")
    encoding = keys.get("encoding", "utf-8")
    (folder / name).write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    (folder / "mine.toml").write_text(toml(columns, **keys), encoding="utf-8")
    return PlaysFile(folder / name, Description.read(folder / "mine.toml"))


def read(folder: Path, content: str | bytes, columns: dict[str, Any], **keys: Any) -> PlaysTables:
    """What such a table holds."""
    return read_plays(plays_file(folder, content, columns, **keys))


def read_tsv(folder: Path, *lines: str, **keys: Any) -> PlaysTables:
    """A table like Last.fm-360K's, from its lines, behind a hundred good ones."""
    before = [f"u{n}\tm{n}\tN{n}\t{n}" for n in range(1, 101)]
    keys = {"path": "plays.tsv", "header": False} | keys
    return read(folder, "\n".join([*before, *lines]), BY_NUMBER, **keys)


def rows(tables: PlaysTables, *columns: str, after: int = 0) -> list[tuple[Any, ...]]:
    """Rows of plays behind a line, with texts for ids: of these columns."""
    table = tables.user_artists
    table = table[table["line"] > after]
    for kind, column in (("user", "user_id"), ("artist", "artist_id")):
        keys = tables.keys[tables.keys["kind"] == kind].set_index("id")["key"]
        if len(keys):
            table = table.assign(**{column: table[column].map(keys)})
    table = table[list(columns)].astype(object)
    return list(table.where(table.notna(), None).itertuples(index=False, name=None))


def refused(tables: PlaysTables) -> list[tuple[int, str, str]]:
    """Line, text and reason of each refused row."""
    table = tables.user_artists
    bad = table[table["reason"].notna()]
    return list(zip(bad["line"], bad["text"], bad["reason"], strict=True))


def names(tables: PlaysTables) -> list[tuple[int, str]]:
    """Line and name of each item."""
    return list(zip(tables.artists["line"], tables.artists["artist_name"], strict=True))


def keys_of(tables: PlaysTables, kind: str) -> set[str]:
    """The source's own ids of a kind."""
    return set(tables.keys.loc[tables.keys["kind"] == kind, "key"])
