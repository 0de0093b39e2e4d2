"""Times of plays, however they are written, as seconds of UTC."""

import re
import zoneinfo
from datetime import UTC, date, datetime
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.texts import as_text
from lastfm_assets.sources.described_keys import Moments

FIRST: Final = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
LAST: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
"""Plays outside are errors: a clock at zero (1970), or seconds read as milliseconds."""
_DAY: Final = 86_400
_QUARTER: Final = 900
_OFFSET: Final = r"\d[Tt ]\d{2}.*([Zz]|[+-]\d{2}(:?\d{2})?)$"
_ISO: Final = (
    r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)? ?([Zz]|[+-]\d{2}(:?\d{2})?)?)?$"
)
_NUMBER: Final = r"^\d{1,15}(\.\d+)?$"

Seconds = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Clock:
    """Reads one file's times, piece by piece, and sees whether they can be told apart.

    A local time that the clocks skipped is shifted forward to the first one that there was; of
    one that they showed twice the first is taken.
    """

    def __init__(self, moments: Moments, where: str, remedy: str) -> None:
        """A clock for one column.

        Args:
            moments: how times are written.
            where: what messages call the file.
            remedy: the file to correct, as in messages: `time_zone in plays.toml`.
        """
        self._format = moments.format
        self._zone = moments.time_zone
        self._where = where
        self._remedy = remedy
        self._first: dict[bool, tuple[int, str]] = {}

    def read(self, column: pa.Array, lines: Seconds) -> tuple[Seconds, Flags]:
        """Times of some rows.

        Args:
            column: (n,) text, or what parquet holds: timestamps, days, numbers.
            lines: (n,) line of each row, for messages.

        Returns:
            (n,) seconds since 1970 UTC, 0 where there is none; and (n,) whether it is readable.

        Raises:
            BadInputError: times without an offset, and no time zone; or some with, some without.
        """
        if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
            has_offset = getattr(column.type, "tz", None) is not None
            times = column.cast(pa.timestamp("s", "UTC" if has_offset else None), safe=False)
            self._note(has_offset=has_offset, column=times.cast(pa.string()), lines=lines)
            seconds = _seconds(times)
            return self._bounded(seconds if has_offset else self._to_utc(seconds))
        if self._format == "iso":
            return self._bounded(self._iso(_text(column), lines))
        return self._bounded(_numbers(column) / (1000 if self._format == "unix_ms" else 1))

    def start_of(self, day: date) -> int:
        """Second at which a day begins in the file's time zone, else in UTC."""
        zone = zoneinfo.ZoneInfo(self._zone or "UTC")
        return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())

    def _iso(self, text: pa.Array, lines: Seconds) -> npt.NDArray[np.float64]:
        filled = pc.if_else(pc.equal(text, ""), None, text)
        one = next((text for text in filled.slice(0, 100).to_pylist() if text), "")
        has_offset = re.search(_OFFSET, one) is not None
        zone = "UTC" if has_offset else None
        try:
            times = filled.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            return self._one_by_one(filled, lines)  # mixed, or some of it unreadable
        self._note(has_offset=has_offset, column=filled, lines=lines)
        seconds = _seconds(times.cast(pa.timestamp("s", zone), safe=False))
        return seconds if has_offset else self._to_utc(seconds)

    def _one_by_one(self, text: pa.Array, lines: Seconds) -> npt.NDArray[np.float64]:
        """The slow way, for a piece in which not all times are readable and alike."""
        text = pc.if_else(pc.match_substring_regex(text, _ISO), text, None)
        offset = np.asarray(pc.match_substring_regex(text.fill_null(""), _OFFSET))
        known = np.asarray(text.is_valid())
        seconds = np.full(len(text), np.nan)
        for has_offset, rows in ((True, known & offset), (False, known & ~offset)):
            if not rows.any():
                continue
            some = text.filter(pa.array(rows))
            self._note(has_offset=has_offset, column=some, lines=lines[rows])
            times = pd.to_datetime(
                some.to_pandas(), format="ISO8601", utc=True, errors="coerce"
            ).dt.as_unit("s")
            found = times.astype("int64").to_numpy(dtype="float64")
            found[times.isna().to_numpy()] = np.nan
            seconds[rows] = found if has_offset else self._to_utc(found)
        return seconds

    def _note(self, *, has_offset: bool, column: pa.Array, lines: Seconds) -> None:
        """Remembers the first time of a kind, and refuses what cannot be put on one scale."""
        if has_offset not in self._first:
            filled = np.flatnonzero(np.asarray(column.is_valid()))
            if len(filled) == 0:
                return
            self._first[has_offset] = int(lines[filled[0]]), column[int(filled[0])].as_py()
        if len(self._first) > 1:
            (one, with_offset), (other, without) = self._first[True], self._first[False]
            raise BadInputError(
                f"{self._where}: line {one} has the time {with_offset!r} with an offset from UTC, "
                f"line {other} {without!r} without; write all of them alike"
            )
        if not has_offset and self._zone is None:
            line, without = self._first[False]
            raise BadInputError(
                f"{self._where}: line {line} has the time {without!r} without an offset from UTC, "
                f'expected 2010-05-31T20:15:00Z; set time.{self._remedy}, like "UTC"'
            )

    def _to_utc(self, local: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Local seconds to those of UTC; missing and impossible ones stay as they are."""
        known = (local > FIRST - _DAY) & (local < LAST + _DAY)
        if self._zone in {None, "UTC"} or not known.any():
            return local
        seconds = local.copy()
        seconds[known] = _localized(local[known].astype(np.int64), str(self._zone))
        return seconds

    def _bounded(self, seconds: npt.NDArray[np.float64]) -> tuple[Seconds, Flags]:
        good = (seconds >= FIRST) & (seconds < LAST)
        return np.where(good, seconds, 0).astype(np.int64), good


def _localized(local: Seconds, zone: str) -> Seconds:
    """Local seconds to those of UTC, by quarters of an hour: within one, no clock is changed.

    pandas asks a zone for each time by itself; a log of years has few quarters.
    """
    codes, quarters = pd.factorize(local // _QUARTER)
    starts = quarters * _QUARTER
    begun = _zoned(starts, zone, "NaT")
    utc = local - (starts - begun.asi8)[codes]
    skipped = np.asarray(begun.isna())[codes]
    if skipped.any():
        utc[skipped] = _zoned(local[skipped], zone, "shift_forward").asi8
    return utc


def _zoned(local: Seconds, zone: str, skipped: Literal["NaT", "shift_forward"]) -> pd.DatetimeIndex:
    times = pd.DatetimeIndex(local.astype("datetime64[s]"))
    first_of_two = np.ones(len(times), dtype=bool)
    return times.tz_localize(
        zoneinfo.ZoneInfo(zone), ambiguous=first_of_two, nonexistent=skipped
    ).as_unit("s")


def _seconds(times: pa.Array) -> npt.NDArray[np.float64]:
    """Timestamps of whole seconds as numbers, NaN where missing."""
    found = times.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(found, dtype=np.float64)


def _text(column: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(as_text(column))


def _numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers, NaN where it is none; in text, those not below zero."""
    if not (pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        text = _text(column)
        column = pc.if_else(pc.match_substring_regex(text, _NUMBER), text, None)
    # as text, a large floating number would be 1.2753369e+12
    numbers = column.cast(pa.float64(), safe=False)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
