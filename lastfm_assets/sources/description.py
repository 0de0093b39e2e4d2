"""A small file that describes a table of plays, so that another data set needs no code."""

import codecs
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Self

import yaml
from pydantic import ValidationError

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.described_keys import (
    Format,
    Ids,
    Moments,
    PlaysColumns,
    Told,
    error_of,
    format_of,
    objections,
)
from lastfm_assets.sources.files import short_content
from lastfm_assets.sources.hetrec import HETREC_NAME, SAMPLE_NAME, one_line

DESCRIPTION_ENDINGS: Final = (".toml", ".yaml", ".yml")
_MOST_BYTES: Final = 1 << 16
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_TABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    yaml.YAMLError,
)
"""What the readers of TOML and YAML raise on what is neither."""


class _Yaml(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without references: of a few lines that refer to each other it would make gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next part, which is refused where it refers to an earlier one."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "it refers to another part", mark)
        return super().compose_node(parent, index)


@dataclass(frozen=True, slots=True)
class Description:
    """What a description says, every default filled in."""

    file: str
    """Name of the description's file, for messages."""
    name: str
    """The source's name, by which its tables are stamped."""
    path: Path | None
    """Where the table lies; None where it is behind `url`."""
    url: str | None
    format: Format
    delimiter: str
    header: bool
    """Whether the first line names the columns; else they are numbered from 1."""
    quoted: bool
    """Whether `"` opens a quoted field."""
    encoding: str
    item: str
    """What is recommended, in the singular."""
    ids: Ids | None
    """What the columns of ids hold; None to see it from the file."""
    until: date | None
    """Only plays before this day count; it begins in `time`'s zone, else in UTC."""
    min_precision: float | None
    columns: PlaysColumns
    time: Moments

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads a description.

        Args:
            file: TOML or YAML, by its ending.

        Raises:
            BadInputError: it cannot be read, or says something that cannot be.
        """
        shown = one_line(file)
        try:
            told = Told.model_validate(_content(file, shown))
        except ValidationError as problem:
            # a key that is not known may well be the one that is missing
            first = min(problem.errors(), key=lambda one: one["type"] != "extra_forbidden")
            raise BadInputError(f"{shown}: {error_of(first)}") from None
        objection = next(objections(told), None)
        if objection:
            raise BadInputError(f"{shown}: {objection}")
        return cls._of(told, file)

    @classmethod
    def _of(cls, told: Told, file: Path) -> Self:
        kind = format_of(told) or "csv"
        return cls(
            file=file.name,
            name=_name(told, file),
            path=None if told.path is None else file.parent / _expanded(told.path, file),
            url=told.url,
            format=kind,
            delimiter=told.delimiter or ("\t" if kind == "tsv" else ","),
            header=told.header,
            quoted=kind == "csv" if told.quoted is None else told.quoted,
            encoding=codecs.lookup(told.encoding or "utf-8").name,
            item=told.item,
            ids=told.ids,
            until=told.until,
            min_precision=told.min_precision,
            columns=told.columns,
            time=told.time,
        )


def names_columns(file: Path) -> bool:
    """Whether a file is a table with the key `columns`, as no configuration of others is."""
    try:
        return "columns" in _content(file, one_line(file))
    except BadInputError:
        return False


def _expanded(path: str, file: Path) -> Path:
    """A path as it is written, a leading ~ as the user's home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise BadInputError(
            f"{one_line(file)}: path is {one_line(repr(path))}, whose home was not found, expected "
            "a file's path; write it without ~"
        ) from None


def _content(file: Path, shown: str) -> Mapping[str, Any]:
    try:
        content = short_content(file, _MOST_BYTES)
    except (OSError, ValueError) as problem:
        reason = one_line(getattr(problem, "strerror", None) or problem)
        raise BadInputError(
            f"{shown}: cannot be read ({reason}), expected a description of a table of plays; "
            "check that it is still there and its permissions"
        ) from None
    if len(content) > _MOST_BYTES:
        raise BadInputError(
            f"{shown}: more than {_MOST_BYTES >> 10} KiB, expected a short description of a table "
            "of plays; name the table in `path`"
        )
    is_toml = file.suffix.lower() == ".toml"
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        table = tomllib.loads(text) if is_toml else _Yaml(text).get_single_data()
    except _NO_TABLE as problem:
        raise BadInputError(
            f"{shown}: {_place_of(problem, content)}is not {'TOML' if is_toml else 'YAML'} "
            f"({_reason(problem)}); correct it"
        ) from None
    if not isinstance(table, dict):
        raise BadInputError(
            f"{shown}: no keys were found, expected `path`, `columns`, ...; add them"
        )
    return table


def _place_of(problem: Exception, content: bytes) -> str:
    """`line 3 `, or nothing where the reader does not say which."""
    mark = getattr(problem, "problem_mark", None)
    found = re.search(r"at line (\d+)", str(problem))
    if mark or found:
        return f"line {mark.line + 1 if mark else found and found[1]} "
    is_end = "at end of document" in str(problem)
    return f"line {max(1, len(content.splitlines()))} " if is_end else ""


def _reason(problem: Exception) -> str:
    reason = getattr(problem, "problem", None) or str(problem) or type(problem).__name__
    return one_line(re.sub(r" \(at .*\)$", "", reason))


def _name(told: Told, file: Path) -> str:
    name = file.stem if told.name is None else told.name
    if _NAME.fullmatch(name) and name not in {SAMPLE_NAME, HETREC_NAME}:
        return name
    raise BadInputError(
        f"{one_line(file)}: the source's name is {one_line(repr(name))}, expected letters, digits, "
        f"'.', '_' and '-', and neither {SAMPLE_NAME} nor {HETREC_NAME}; set `name`"
    )
