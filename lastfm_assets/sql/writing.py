"""Answers as exact text: CSV with a header, or one JSON array of objects."""

import csv
import json
import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, Any

from lastfm_assets.sql.query import Answer
from lastfm_assets.terminal import without_steering


def write_csv(answer: Answer, file: IO[str]) -> None:
    """Header and rows; dates as ISO 8601, lists and structs as JSON, what is missing empty.

    Text is written as it is, also where a spreadsheet would take it for a formula.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(answer.columns)
    for rows in answer.batches:
        writer.writerows([_csv_cell(value) for value in row] for row in rows)


def write_json(answer: Answer, file: IO[str]) -> None:
    """One array with an object a row; see `json_value`. A column that comes twice is numbered."""
    columns = _told_apart(answer.columns)
    between = "[\n"
    for rows in answer.batches:
        for row in rows:
            values = dict(zip(columns, map(json_value, row), strict=True))
            written = json.dumps(values, ensure_ascii=False, allow_nan=False)
            file.write(between + without_steering(written))
            between = ",\n"
    file.write("[]\n" if between == "[\n" else "\n]\n")


def json_value(value: Any) -> Any:
    """A value as JSON has it.

    Whole numbers keep every digit; decimals are numbers where those are exact, else text; dates
    are ISO 8601; what is missing, not a number or infinite is null; bytes are hex.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, dict):
        return {str(key): json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    return _text(value)


def _number(value: Decimal) -> int | float | str:
    if value == value.to_integral_value():
        return int(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else str(value)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list | tuple):
        return json.dumps(json_value(value), ensure_ascii=False)
    return value if value is None or isinstance(value, int | float | str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _told_apart(columns: tuple[str, ...]) -> list[str]:
    """`a, a` -> `a, a_2`: an object has a name once."""
    found: list[str] = []
    for column in columns:
        name, number = column, 1
        while name in found:
            number += 1
            name = f"{column}_{number}"
        found.append(name)
    return found
