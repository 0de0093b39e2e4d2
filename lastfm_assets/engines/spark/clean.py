"""Raw tables to clean ones, as `listening.clean` does it, where the rows lie."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.about import About
from lastfm_assets.listening.clean import FIRST_YEAR, LAST_YEAR, LONGEST_TEXT, MERGED, MOST_PLAYS
from lastfm_assets.listening.tables import (
    ARTISTS,
    FRIENDS,
    RAW_TABLES,
    TAGGED_ARTISTS,
    TAGS,
    USER_ARTISTS,
    RawTable,
)
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

_PAIR: Final = (Columns.USER, Columns.ARTIST)
_TAGGED: Final = (*_PAIR, Columns.TAG)
_FRIENDS: Final = (Columns.USER, Columns.FRIEND)
_KNOWN: Final = "_known"
_FARTHEST: Final = 9999
"""A year, a month or a day beyond it is none, and might not fit into 32 bits."""


@dataclass(frozen=True, slots=True)
class CleanFrames:
    """See `listening.clean.CleanTables`; each is worked out when it is written."""

    interactions: "DataFrame"
    artists: "DataFrame"
    tag_assignments: "DataFrame"
    friendships: "DataFrame"
    rejected_rows: "DataFrame"


def clean(raw: "Mapping[str, DataFrame]", about: About) -> CleanFrames:
    """Refuses what cannot be true, and sums what was written twice.

    Args:
        raw: the five raw tables by the names of their assets.
        about: what their source says of itself.

    Returns:
        The clean tables and the rows refused, each with the first reason that held against it.

    Raises:
        BadInputError: no artist or no pair is left.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    artists = _once(_started(raw[ARTISTS.asset], ARTISTS), (Columns.ARTIST,), "artist id")
    known = _kept(artists).select(Columns.ARTIST)
    plays = _plays(raw[USER_ARTISTS.asset], known)
    interactions = _summed(_kept(plays))
    if not about.one_row_a_play:
        plays = _repeated(plays, _PAIR, MERGED)
    if interactions.isEmpty():
        raise _nothing_left(raw[USER_ARTISTS.asset], artists, plays)
    tags = _once(_started(raw[TAGS.asset], TAGS), (Columns.TAG,), "tag id")
    tagged = _tagged(raw[TAGGED_ARTISTS.asset], known, _kept(tags).select(Columns.TAG))
    friends = _befriended(raw[FRIENDS.asset], interactions.select(Columns.USER).distinct())
    catalogue = _kept(artists).select(Columns.ARTIST, Columns.NAME, Columns.URL, Columns.PICTURE)
    named = _kept(tagged).join(_kept(tags).select(Columns.TAG, Columns.TAG_VALUE), Columns.TAG)
    refused = [
        _rejected(frame, table).withColumn("_order", f.lit(order))
        for order, (frame, table) in enumerate(
            zip((artists, plays, tags, tagged, friends), RAW_TABLES, strict=True)
        )
    ]
    rejected = refused[0]
    for more in refused[1:]:
        rejected = rejected.unionByName(more)
    return CleanFrames(
        interactions.orderBy(*_PAIR),
        catalogue.orderBy(Columns.ARTIST),
        named.select(*_TAGGED, Columns.TAG_VALUE, Columns.DATE).orderBy(*_TAGGED, Columns.DATE),
        _kept(friends).select(*_FRIENDS).orderBy(*_FRIENDS),
        rejected.orderBy("_order", Columns.LINE).drop("_order"),
    )


def _started(raw: "DataFrame", table: RawTable) -> "DataFrame":
    """The rows of a raw table with what is wrong with their texts."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    for field in table.fields:
        if field.kind == "text" and field.required:
            length = f.length(field.column)
            raw = _refuse(raw, length == 0, f"{field.header} is empty")
            raw = _refuse(raw, length > LONGEST_TEXT, f"{field.header} is overlong")
    return raw


def _refuse(rows: "DataFrame", those: "Column", reason: str) -> "DataFrame":
    """Notes a reason against those rows that have none yet."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    said = f.coalesce(f.col(Columns.REASON), f.when(those, f.lit(reason)))
    return rows.withColumn(Columns.REASON, said)


def _kept(rows: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    return rows.where(f.col(Columns.REASON).isNull())


def _once(rows: "DataFrame", key: tuple[str, ...], what: str) -> "DataFrame":
    return _repeated(rows, key, f"duplicate {what}")


def _repeated(rows: "DataFrame", key: tuple[str, ...], reason: str) -> "DataFrame":
    """Refuses every row but the first with the same key among those that have no reason yet."""
    from pyspark.sql import Window  # noqa: PLC0415 (an extra)
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    good = f.col(Columns.REASON).isNull()
    alike = Window.partitionBy(*key)
    first = f.min(f.when(good, f.col(Columns.LINE))).over(alike)
    return _refuse(rows, good & (f.col(Columns.LINE) > first), reason)


def _unknown(rows: "DataFrame", known: "DataFrame", column: str, what: str) -> "DataFrame":
    """Refuses rows whose id is not among the known ones.

    Args:
        rows: of a raw table.
        known: one column, each id once.
        column: of `rows`.
        what: the reason.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    there = known.toDF(_KNOWN)
    joined = rows.join(there, f.col(column) == f.col(_KNOWN), "left")
    return _refuse(joined, f.col(_KNOWN).isNull(), what).drop(_KNOWN)


def _plays(raw: "DataFrame", artists: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    rows = _refuse(raw, f.col(Columns.PLAYS) <= 0, "plays not above zero")
    rows = _refuse(rows, f.col(Columns.PLAYS) > MOST_PLAYS, f"plays above {MOST_PLAYS}")
    return _unknown(rows, artists, Columns.ARTIST, "unknown artist")


def _summed(plays: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    total = f.least(f.sum(Columns.PLAYS), f.lit(MOST_PLAYS).cast("bigint"))
    return plays.groupBy(*_PAIR).agg(total.alias(Columns.PLAYS))


def _tagged(raw: "DataFrame", artists: "DataFrame", tags: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    date, year = _date(), f.col(Columns.YEAR)
    rows = raw.withColumn(Columns.DATE, date.cast("timestamp"))
    impossible = f.col(Columns.DATE).isNull() | ~year.between(FIRST_YEAR, LAST_YEAR)
    rows = _refuse(rows, impossible, "impossible date")
    rows = _unknown(rows, artists, Columns.ARTIST, "unknown artist")
    rows = _unknown(rows, tags, Columns.TAG, "unknown tag")
    return _once(rows, _TAGGED, "tag assignment")


def _date() -> "Column":
    """The date of year, month and day; missing where there is no such date."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    numbers = [f.col(name) for name in (Columns.YEAR, Columns.MONTH, Columns.DAY)]
    near = [f.when(number.between(0, _FARTHEST), number).cast("int") for number in numbers]
    return f.make_date(*near)


def _befriended(raw: "DataFrame", users: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    rows = _refuse(raw, f.col(Columns.USER) == f.col(Columns.FRIEND), "a friend of oneself")
    for column in _FRIENDS:
        rows = _unknown(rows, users, column, "unknown user")
    return _once(rows, _FRIENDS, "friendship")


def _rejected(rows: "DataFrame", table: RawTable) -> "DataFrame":
    """Rows refused: file (without ending), line, text and reason."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    fields = [f.coalesce(f.col(one.column).cast("string"), f.lit("")) for one in table.fields]
    return rows.where(f.col(Columns.REASON).isNotNull()).select(
        f.lit(table.stem).alias(Columns.FILE),
        Columns.LINE,
        f.coalesce(f.col(Columns.TEXT), f.concat_ws("\t", *fields)).alias(Columns.TEXT),
        Columns.REASON,
    )


def _nothing_left(raw: "DataFrame", *rows: "DataFrame") -> BadInputError:
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    counts: dict[str, int] = {}
    for frame in rows:
        refused = frame.where(f.col(Columns.REASON).isNotNull()).groupBy(Columns.REASON).count()
        for row in refused.collect():
            counts[row[0]] = counts.get(row[0], 0) + row[1]
    most = max(counts, key=lambda reason: counts[reason], default="no line")
    return BadInputError(
        f"{raw.count()} lines of plays were found and all were refused (most often: {most}); "
        "expected user, artist and plays above zero; replace the files"
    )
