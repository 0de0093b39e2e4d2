"""Times of plays: every spelling on one scale, and nothing guessed."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.moments import Clock
from lastfm_assets.sources.described_keys import Moments


def clock(**said: Any) -> Clock:
    return Clock(Moments(**said), "log.csv", "time_zone in mine.toml")


def read(column: Any, **said: Any) -> list[str | None]:
    """Times as UTC text, None where there is none."""
    column = column if isinstance(column, pa.Array) else pa.array(column)
    seconds, good = clock(**said).read(column, np.arange(2, 2 + len(column)))
    shown = [str(np.datetime64(int(second), "s")) for second in seconds]
    return [time if is_good else None for time, is_good in zip(shown, good, strict=True)]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2010-05-04T23:08:57Z", "2010-05-04T23:08:57"),
        ("2010-05-04 23:08:57+02:00", "2010-05-04T21:08:57"),
        ("2010-05-04T23:08:57.999-0330", "2010-05-05T02:38:57"),
        ("2010-05-04T23:08+02", "2010-05-04T21:08:00"),
        ("2010-05-04T23:08:57.123456789Z", "2010-05-04T23:08:57"),
        ("2010-02-30T00:00:00Z", None),
        ("2010-13-01T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        ("1970-01-01T00:00:00Z", None),
        ("2100-01-01T00:00:00Z", None),
    ],
)
def test_a_time_with_an_offset_is_read_alone_as_among_unreadable_ones(
    text: str, utc: str | None
) -> None:
    assert read([text]) == [utc]
    assert read([text, "never"]) == [utc, None]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2010-01-04 23:08:57", "2010-01-04T22:08:57"),
        ("2010-07-04T23:08", "2010-07-04T21:08:00"),
        ("2010-07-04", "2010-07-03T22:00:00"),
        ("2010-03-28 02:30:00", "2010-03-28T01:00:00"),
        ("2010-10-31 02:30:00", "2010-10-31T00:30:00"),
        ("9999-12-31 23:59:59", None),
        ("0001-01-01 00:00:00", None),
    ],
    ids=["winter", "summer", "a day", "skipped", "shown twice", "the last", "the first"],
)
def test_a_local_time_is_read_by_its_zone(text: str, utc: str | None) -> None:
    assert read([text], time_zone="Europe/Berlin") == [utc]
    assert read([text, "never"], time_zone="Europe/Berlin") == [utc, None]


def test_offsets_count_where_a_zone_is_named_too() -> None:
    zone = {"time_zone": "Asia/Tokyo"}
    assert read(["2010-05-04T23:08:57Z"], **zone) == ["2010-05-04T23:08:57"]


@pytest.mark.parametrize(
    ("text", "kind", "utc"),
    [
        ("1275000000", "unix", "2010-05-27T22:40:00"),
        ("1275000000.75", "unix", "2010-05-27T22:40:00"),
        ("1275000000123", "unix_ms", "2010-05-27T22:40:00"),
        ("1275000000123", "unix", None),
        ("1275000000", "unix_ms", None),
        ("0", "unix", None),
        ("-5", "unix", None),
        ("2010-05-27", "unix", None),
    ],
)
def test_seconds_are_not_taken_for_milliseconds(text: str, kind: str, utc: str | None) -> None:
    assert read([text], format=kind) == [utc]


@pytest.mark.parametrize(
    ("column", "said", "utc"),
    [
        (pd.to_datetime(["2010-05-04 10:00"], utc=True), {}, "2010-05-04T10:00:00"),
        (
            pd.to_datetime(["2010-05-04 10:00"]).tz_localize("Asia/Tokyo"),
            {},
            "2010-05-04T01:00:00",
        ),
        (
            pd.to_datetime(["2010-05-04 10:00"]),
            {"time_zone": "Europe/Berlin"},
            "2010-05-04T08:00:00",
        ),
        ([date(2010, 5, 4)], {"time_zone": "UTC"}, "2010-05-04T00:00:00"),
        ([1275000000], {"format": "unix"}, "2010-05-27T22:40:00"),
        ([None], {}, None),
    ],
    ids=["UTC", "another zone", "local", "a day", "a number", "nothing"],
)
def test_parquets_own_times_are_read_alike(
    column: Any, said: dict[str, str], utc: str | None
) -> None:
    assert read(pa.array(column), **said) == [utc]


@pytest.mark.parametrize(
    "kind", [pa.float64(), pa.decimal128(20, 3), pa.decimal256(40, 0)], ids=str
)
def test_floating_and_decimal_numbers_are_times_as_whole_ones_are(kind: pa.DataType) -> None:
    numbers = pa.array([1275336900000, None, 1275336960000, -5, 0]).cast(pa.float64()).cast(kind)
    times = ["2010-05-31T20:15:00", None, "2010-05-31T20:16:00", None, None]
    assert read(numbers, format="unix_ms") == times


def test_no_number_and_one_without_end_are_no_times() -> None:
    numbers = pa.array([float("nan"), float("inf"), -float("inf"), 1275336900.75])
    assert read(numbers, format="unix") == [None, None, None, "2010-05-31T20:15:00"]


@pytest.mark.parametrize(
    "column", [["never", "2010-05-04 10:00"], pd.to_datetime([None, "2010-05-04 10:00"])]
)
def test_a_local_time_without_a_zone_is_refused(column: Any) -> None:
    said = r"^log.csv: line 3 has the time '2010-05-04 10:00.*set time.time_zone in mine.toml"
    with pytest.raises(BadInputError, match=said):
        read(pa.array(column))


def test_times_with_and_without_an_offset_are_refused_naming_both() -> None:
    said = r"line 2 has the time .*Z' with an offset from UTC, line 3 '2010-05-04 10:00' without"
    with pytest.raises(BadInputError, match=said):
        read(["2010-05-04 10:00Z", "2010-05-04 10:00"], time_zone="UTC")


def test_they_are_refused_where_they_lie_in_two_pieces() -> None:
    reading = clock(time_zone="UTC")
    reading.read(pa.array(["2010-05-04 10:00"]), np.array([2]))
    with pytest.raises(BadInputError, match=r"line 9 has .* with an offset from UTC, line 2"):
        reading.read(pa.array(["2010-05-04 10:00Z"]), np.array([9]))


def test_a_day_begins_in_the_zone() -> None:
    day = date(2010, 6, 1)
    assert clock().start_of(day) - clock(time_zone="Europe/Berlin").start_of(day) == 7200
