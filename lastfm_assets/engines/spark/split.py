"""Each user's pairs dealt into train, validation and held out, as `listening.split` deals them."""

from typing import TYPE_CHECKING, Final

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.split import HELD_OUT_SHARE, VALIDATION_SHARE
from lastfm_assets.vocabulary import Columns, Part

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_LOWEST: Final = -(2**63)


def split(
    interactions: "DataFrame",
    *,
    seed: int,
    held_out_share: float = HELD_OUT_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> "DataFrame":
    """Deals every pair to exactly one part, user by user; the same parts as the local engine.

    Args:
        interactions: `user_id, artist_id, plays`, one row a pair.
        seed: any integer.
        held_out_share: share of each user's pairs to judge on, 0 to 1.
        validation_share: share of each user's pairs to choose on, 0 to 1.

    Returns:
        The interactions with `part`, ordered by pair.

    Raises:
        BadInputError: plays have a time.
        ValueError: the shares are negative or leave nothing to train on.
    """
    from pyspark.sql import Window  # noqa: PLC0415 (an extra)
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    if min(held_out_share, validation_share) < 0 or held_out_share + validation_share >= 1:
        raise ValueError(
            f"shares {held_out_share} held out and {validation_share} validation; expected both "
            ">= 0 and a sum below 1"
        )
    if Columns.FIRST_PLAYED in interactions.columns:
        raise BadInputError(
            "the plays have a time, which the Spark engine does not split by; use the local engine"
        )
    draw = pair_hash(f.col(Columns.USER), f.col(Columns.ARTIST), seed)
    of_user = Window.partitionBy(Columns.USER)
    # two's complement: with the sign turned over, signed order is that of the unsigned numbers
    drawn = of_user.orderBy(draw.bitwiseXOR(f.lit(_LOWEST)))
    place, count = f.row_number().over(drawn) - 1, f.count(f.lit(1)).over(of_user)
    held_out = f.least(f.floor(f.lit(held_out_share) * count + 0.5), count - 1)
    validation = f.least(f.floor(f.lit(validation_share) * count + 0.5), count - 1 - held_out)
    part = (
        f.when(place < held_out, "held_out")
        .when(place < held_out + validation, "validation")
        .otherwise("train")
    )
    dealt = interactions.withColumn(Columns.PART, part)
    return dealt.orderBy(Columns.USER, Columns.ARTIST)


def pairs_of(split_pairs: "DataFrame", *parts: Part) -> "DataFrame":
    """The pairs of one or several parts: `user_id, artist_id, plays`."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    chosen = split_pairs.where(f.col(Columns.PART).isin(*parts))
    return chosen.select(Columns.USER, Columns.ARTIST, Columns.PLAYS)


def pair_hash(users: "Column", artists: "Column", seed: int) -> "Column":
    """The 64 bits of `listening.split.pair_hash`, as a signed number; needs ANSI off to wrap."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    value = _mix(f.lit(_signed(seed)).cast("bigint"))
    value = _mix(value.bitwiseXOR(users))
    return _mix(value.bitwiseXOR(artists))


def _mix(value: "Column") -> "Column":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    value = value + f.lit(_signed(0x9E3779B97F4A7C15))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = value.bitwiseXOR(f.shiftrightunsigned(value, shift)) * f.lit(_signed(factor))
    return value.bitwiseXOR(f.shiftrightunsigned(value, 31))


def _signed(bits: int) -> int:
    """The signed number of the same 64 bits."""
    bits %= 2**64
    return bits - 2**64 if bits >= 2**63 else bits
