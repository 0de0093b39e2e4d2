"""What reading and cleaning a table of plays takes in memory, said before the work starts.

Measured by `benchmarks/reading.py` on tables in the shape of Last.fm-360K (users by SHA-1, 1 to
17.5 million rows, 292,000 artists by MusicBrainz id and name) with Python 3.11 on x86-64, and
rounded up. Text ids of many more users and items than such a table has come on top: about 0.5 KB
each.
"""

from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from lastfm_assets.listening.described.streams import utf8_stream
from lastfm_assets.sources.files import PlaysFile

IMPORTED: Final = 150 * 10**6
"""Bytes of a process that has done nothing yet, its libraries loaded."""
_READING: Final = (300 * 10**6, 75)
"""Bytes whatever the rows, and bytes a row: texts of users and items, then the table itself."""
_CLEANING: Final = (350 * 10**6, 100)
"""The raw tables among them."""
_SPLITTING: Final = (50 * 10**6, 105)
"""Of the pairs to the weighted matrix, the pairs among them."""
_TIMED: Final = 24
"""Bytes a row that a time adds to reading and to cleaning."""
_HEAD_BYTES: Final = 4 << 20
"""Of text, from which its number of rows is foretold."""


def rows_expected(file: PlaysFile) -> int:
    """About how many rows a described table has: exact for parquet, else as its start foretells.

    Raises:
        OSError, pa.ArrowException, UnicodeError: it cannot be read.
    """
    if file.description.format == "parquet":
        return int(pq.read_metadata(file.path).num_rows)
    with pa.OSFile(str(file.path)) as raw:
        text = utf8_stream(raw, file)  # held: a packed stream that is let go of closes the file
        head = bytes(text.read(_HEAD_BYTES))
        whole, read = int(raw.size()), max(1, int(raw.tell()))  # as they lie, packed or not
    lines = max(1, head.count(b"\n"), head.count(b"\r"))
    return round(lines * max(1.0, whole / read))


def bytes_to_read(rows: int, *, timed: bool = False) -> int:
    """Peak memory of a process that reads a table of plays into raw tables, in bytes.

    Args:
        rows: as in `rows_expected`.
        timed: whether plays have a time.
    """
    return _of(_READING, rows, timed=timed)


def bytes_to_clean(rows: int, *, timed: bool = False) -> int:
    """Peak memory of a process that holds the raw tables and cleans them, in bytes.

    Args:
        rows: of the raw table of plays.
        timed: whether plays have a time.
    """
    return _of(_CLEANING, rows, timed=timed)


def bytes_to_weigh(pairs: int) -> int:
    """Peak memory of a process that splits cleaned pairs and makes the weighted matrix, in bytes.

    Args:
        pairs: of users and artists; pairs without a time.
    """
    return _of(_SPLITTING, pairs, timed=False)


def _of(measured: tuple[int, int], rows: int, *, timed: bool) -> int:
    at_least, each = measured
    return IMPORTED + at_least + rows * (each + _TIMED * timed)
