"""Answers as text: exact, whatever the values are."""

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from lastfm_assets.sql.query import Answer
from lastfm_assets.sql.writing import json_value, write_csv, write_json


def csv_of(columns: tuple[str, ...], *rows: tuple[Any, ...]) -> str:
    file = io.StringIO()
    write_csv(Answer(columns, iter([rows])), file)
    return file.getvalue()


def json_of(columns: tuple[str, ...], *rows: tuple[Any, ...]) -> Any:
    file = io.StringIO()
    write_json(Answer(columns, iter([rows])), file)
    return json.loads(file.getvalue())


@pytest.mark.parametrize(
    ("value", "in_csv", "in_json"),
    [
        (None, "", None),
        (float("nan"), "", None),
        (2**63 + 1, "9223372036854775809", 2**63 + 1),
        (0.1, "0.1", 0.1),
        (True, "true", True),
        (Decimal(36), "36", 36),
        (Decimal("0.10"), "0.10", 0.1),
        (Decimal("0.12345678901234567890"), "0.12345678901234567890", "0.12345678901234567890"),
        (date(2009, 4, 1), "2009-04-01", "2009-04-01"),
        (datetime(2009, 4, 1, 3, 30, tzinfo=UTC), *["2009-04-01T03:30:00+00:00"] * 2),
        ("Björk ざも", "Björk ざも", "Björk ざも"),
        ("=1+1", "=1+1", "=1+1"),
        ('a "b", c', '"a ""b"", c"', 'a "b", c'),
        ("two\nlines", '"two\nlines"', "two\nlines"),
        ([1, None], '"[1, null]"', [1, None]),
        ({"a": float("nan")}, '"{""a"": null}"', {"a": None}),
        (b"\x00\xff", "00ff", "00ff"),
    ],
)
def test_a_value_is_written_exactly(value: object, in_csv: str, in_json: object) -> None:
    assert csv_of(("n", "value"), (1, value)) == f"n,value\n1,{in_csv}\n"
    assert json_of(("n", "value"), (1, value)) == [{"n": 1, "value": in_json}]


def test_infinity_has_no_word_in_json() -> None:
    assert json_value(float("inf")) is None
    assert csv_of(("n",), (float("-inf"),)) == "n\n-inf\n"


def test_no_row_is_an_empty_array_and_a_header() -> None:
    assert json_of(("a", "b")) == []
    assert csv_of(("a", "b")) == "a,b\n"


def test_columns_of_one_name_are_told_apart_in_objects() -> None:
    assert json_of(("a", "a", "a_2"), (1, 2, 3)) == [{"a": 1, "a_2": 2, "a_2_2": 3}]
    assert csv_of(("a", "a"), (1, 2)) == "a,a\n1,2\n"
