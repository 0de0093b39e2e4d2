"""Rows of a described table of plays to raw tables: items named, ids numbered, as locally."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lastfm_assets.engines.spark.plays_rows import TEXT_ROLES
from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.described.identifiers import BITS
from lastfm_assets.listening.described.items import BETWEEN
from lastfm_assets.listening.described.refusals import MAX_SHARE, REMEDIES
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_WHOLE: Final = r"\A[+-]?[0-9]{1,18}(\.0*)?\z"
_AN_ID: Final = r"\A(0|-?[1-9][0-9]{0,17})\z"
"""Both as in `listening.described.texts`."""
_NO_ID: Final = "item has no id, and its name has none elsewhere"
_HEX: Final = 14
"""Hexadecimal digits that hold the bits of an id, and three bits more."""


@dataclass(frozen=True, slots=True)
class PlaysFrames:
    """See `listening.described.plays_file.PlaysTables`."""

    user_artists: "DataFrame"
    artists: "DataFrame"
    keys: "DataFrame"
    n_rows: int
    ids_are_text: bool


def tables_of(rows: "DataFrame", file: PlaysFile) -> PlaysFrames:
    """The raw tables.

    Args:
        rows: of `plays_rows.rows_of`, written somewhere, as they are read several times.
        file: the table and its description.

    Raises:
        BadInputError: there is no row, more than 5% are refused for one reason, ids are of two
            kinds, or two texts fall on one number.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    n_rows = rows.count()
    if n_rows == 0:
        name = one_line(file.path.name)
        raise BadInputError(f"{name}: no row was found, expected plays; replace the file")
    _judge(rows, file, n_rows)
    named = rows.withColumn("_label", _label())
    user_is_number = _is_number(named, file, "user")
    named = named.withColumn("user", _typed("user", is_number=user_is_number))
    named, item_is_number = _with_items(named, file)
    if item_is_number:
        named = _without_lost(named, file)
        _judge(named, file, n_rows)
    kinds = {"user": ("user", user_is_number), "artist": ("item", item_is_number)}
    keys = _keys(named, kinds)
    _check_apart(keys)
    numbered = {kind: _number(role, is_number=known) for kind, (role, known) in kinds.items()}
    good = f.col(Columns.REASON).isNull()
    user_artists = named.select(
        Columns.LINE,
        f.when(good, numbered["user"]).alias(Columns.USER),
        f.when(good, numbered["artist"]).alias(Columns.ARTIST),
        f.when(good, f.col(Columns.PLAYS)).alias(Columns.PLAYS),
        Columns.TEXT,
        Columns.REASON,
    )
    return PlaysFrames(
        user_artists.orderBy(Columns.LINE),
        _artists(named.where(good), numbered["artist"]),
        keys.orderBy(f.desc(Columns.KIND), Columns.ID),
        n_rows,
        not (user_is_number and item_is_number),
    )


def _judge(rows: "DataFrame", file: PlaysFile, n_rows: int) -> None:
    """Refuses the file where one reason holds against too many rows."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    refused = rows.where(f.col(Columns.REASON).isNotNull())
    first = f.min(f.struct(Columns.LINE, Columns.TEXT)).alias("first")
    counts = refused.groupBy(Columns.REASON).agg(f.count(f.lit(1)).alias("rows"), first)
    worst = counts.orderBy(f.desc("rows")).first()
    if worst is not None and worst["rows"] > MAX_SHARE * n_rows:
        line, text = worst["first"]
        raise BadInputError(
            f"{one_line(file.path.name)}: {worst[Columns.REASON]} in {worst['rows']:,} of "
            f"{n_rows:,} rows, first in line {line} ({one_line(repr(text))}), expected at most "
            f"{MAX_SHARE:.0%}; in {one_line(file.description.file)}, "
            f"{REMEDIES[worst[Columns.REASON]]}"
        )


def _label() -> "Column":
    """A name as it is shown: with whom it is by, where somebody is named."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    whom = f.when(f.col("by").isNotNull(), f.concat(f.col("by"), f.lit(BETWEEN)))
    shown = f.concat(f.coalesce(whom, f.lit("")), f.col("item_name"))
    return f.when(f.col("item_name").isNotNull(), shown)


def _is_number(rows: "DataFrame", file: PlaysFile, role: str) -> bool:
    """Whether a column's ids are numbers, as declared or as seen.

    Raises:
        BadInputError: not declared, and some are numbers, some are not.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    if file.description.ids is not None:
        return file.description.ids == "number"
    is_id = f.col(role).rlike(_AN_ID)
    here = f.struct(Columns.LINE, role)
    row = rows.agg(
        f.min(f.when(is_id, here)).alias("number"), f.min(f.when(~is_id, here)).alias("text")
    ).first()
    if row is None or row["number"] is None or row["text"] is None:
        return row is not None and row["number"] is not None
    (one, number), (other, text) = row["number"], row["text"]
    raise BadInputError(
        f"{one_line(file.path.name)}: {role} is the number {one_line(repr(number))} in line {one} "
        f"and the text {one_line(repr(text))} in line {other}, expected one kind of ids; set ids = "
        f'"text" in {one_line(file.description.file)}, or ids = "number" to refuse the texts'
    )


def _typed(role: str, *, is_number: bool) -> "Column":
    """A column of ids as text, numbers as they are written shortest."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    if not is_number:
        return f.col(role)
    digits = f.regexp_replace(role, r"\A\+|\.0*\z", "")
    number = f.when(f.col(role).rlike(_WHOLE), digits.cast("bigint")).otherwise(f.lit(0))
    return f.when(f.col(role).isNotNull(), number.cast("string"))


def _with_items(rows: "DataFrame", file: PlaysFile) -> tuple["DataFrame", bool]:
    """Rows whose item is its id, its name's only id, or its name; whether ids are numbers."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    columns = file.description.columns
    if columns.item is None:
        return rows.withColumn("item", f.col("_label")), False
    is_number = _is_number(rows, file, "item")
    rows = rows.withColumn("item", _typed("item", is_number=is_number))
    if columns.item_name is None:
        return rows, is_number
    known = rows.where("item IS NOT NULL AND _label IS NOT NULL").groupBy("_label")
    only = known.agg(f.min("item").alias("_only"), f.max("item").alias("_other"))
    only = only.where("_only = _other").select(f.col("_label").alias("_named"), "_only")
    lacks = f.col("item").isNull()
    joined = rows.join(only, lacks & (f.col("_label") == f.col("_named")), "left")
    item = f.coalesce(f.col("item"), f.col("_only"))
    if not is_number:
        item = f.coalesce(item, f.col("_label"))
    return joined.withColumn("item", item).drop("_named", "_only"), is_number


def _without_lost(rows: "DataFrame", file: PlaysFile) -> "DataFrame":
    """Refuses rows whose item has no number; their text is written again from what is known."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    lost = f.col(Columns.REASON).isNull() & f.col("item").isNull()
    named = file.description.columns.named()
    shown = [role for role in TEXT_ROLES if role in named and role != "item"]
    fields = [f.coalesce(f.col(role), f.lit("")) for role in shown]
    fields.append(f.col(Columns.PLAYS).cast("string"))
    text = f.concat_ws(file.description.delimiter, *fields)
    return rows.withColumns(
        {
            Columns.TEXT: f.when(lost, text).otherwise(f.col(Columns.TEXT)),
            Columns.REASON: f.when(lost, f.lit(_NO_ID)).otherwise(f.col(Columns.REASON)),
        }
    )


def _number(role: str, *, is_number: bool) -> "Column":
    """The number of an id: itself, or the first bits of SHA-256, as `identifiers.numbers_for`."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    if is_number:
        return f.col(role).cast("bigint")
    digits = f.substring(f.sha2(f.col(role).cast("binary"), 256), 1, _HEX)
    return f.shiftright(f.conv(digits, 16, 10).cast("bigint"), 4 * _HEX - BITS)


def _keys(rows: "DataFrame", kinds: dict[str, tuple[str, bool]]) -> "DataFrame":
    """`kind, id, key` of the ids that are text."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    good = rows.where(f.col(Columns.REASON).isNull())
    keys: Any = None
    for kind, (role, is_number) in kinds.items():
        texts = good.where(f.lit(not is_number)).select(f.col(role).alias(Columns.KEY)).distinct()
        found = texts.select(
            f.lit(kind).alias(Columns.KIND),
            _number(Columns.KEY, is_number=False).alias(Columns.ID),
            Columns.KEY,
        )
        keys = found if keys is None else keys.unionByName(found)
    return keys


def _check_apart(keys: "DataFrame") -> None:
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    ends = (f.min(Columns.KEY).alias("one"), f.max(Columns.KEY).alias("other"))
    met = keys.groupBy(Columns.KIND, Columns.ID).agg(*ends).where("one <> other").first()
    if met is not None:
        raise BadInputError(
            f"the ids {met['one']!r} and {met['other']!r} fall on one number, {met[Columns.ID]}, "
            "expected one each; rename one of them in the source"
        )


def _artists(rows: "DataFrame", number: "Column") -> "DataFrame":
    """One row an item: where it comes first, and its name in the first row that has one."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    named = f.min(f.when(f.col("_label").isNotNull(), f.struct(Columns.LINE, "_label")))
    found = rows.groupBy("item").agg(
        f.min(Columns.LINE).alias(Columns.LINE), named["_label"].alias("_name")
    )
    nothing = f.lit(None).cast("string")
    return found.select(
        Columns.LINE,
        number.alias(Columns.ARTIST),
        f.coalesce("_name", "item").alias(Columns.NAME),
        *(
            nothing.alias(name)
            for name in (Columns.URL, Columns.PICTURE, Columns.TEXT, Columns.REASON)
        ),
    ).orderBy(Columns.LINE)
