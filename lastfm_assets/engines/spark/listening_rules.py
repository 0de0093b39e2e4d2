"""The rules of `listening.rules`, run where the rows lie: each gives counts, and only those travel.

Names, sentences and facts are the local ones. A frame has no order of rows, so none is asked for;
whatever else holds or breaks a rule on one machine does so here.
"""

from typing import TYPE_CHECKING, Final

from lastfm_assets.engines.spark.content import content_of
from lastfm_assets.engines.spark.rule_figures import (
    count_unless,
    doubled,
    figures_of,
    marked,
    missing_in,
    violations_of,
)
from lastfm_assets.findings import Finding, Rule, no_violations
from lastfm_assets.listening.clean import FIRST_YEAR, LAST_YEAR, LONGEST_TEXT, MERGED, MOST_PLAYS
from lastfm_assets.listening.rules import MAX_REFUSED_SHARE
from lastfm_assets.listening.split import HELD_OUT_SHARE, VALIDATION_SHARE
from lastfm_assets.vocabulary import PARTS, Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_PAIR: Final = (Columns.USER, Columns.ARTIST)
_PLAIN: Final = (*_PAIR, Columns.PLAYS)
_TIMED: Final = (*_PLAIN, Columns.FIRST_PLAYED, Columns.LAST_PLAYED)
_OF_FILES: Final = (
    ("artists", "artists"),
    ("user_taggedartists", "tag_assignments"),
    ("user_friends", "friendships"),
)
"""Files with the tables that hold what was kept of them."""


def lines_are_numbered(raw: "DataFrame") -> Finding:
    """Every row has a line of its own, and a reason where its text was kept."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    unexplained = f.isnotnull(Columns.TEXT) != f.isnotnull(Columns.REASON)
    return violations_of(
        raw, doubled_lines=doubled(Columns.LINE), unexplained=f.count_if(unexplained)
    )


def has_rows(raw: "DataFrame") -> Finding:
    """The file has rows."""
    rows = raw.count()
    return Finding(rows > 0, {"rows": rows})


def one_number_a_key(keys: "DataFrame") -> Finding:
    """Every number stands for one key of its kind, and every key has one number."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    return violations_of(
        keys,
        doubled_numbers=doubled(Columns.KIND, Columns.ID),
        doubled_keys=doubled(Columns.KIND, Columns.KEY),
        empty_keys=f.count_if(f.length(Columns.KEY) == 0),
    )


def pairs_are_unique(interactions: "DataFrame", artists: "DataFrame") -> Finding:
    """One row a pair, no value missing, plays from 1 to the bound."""
    del artists
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    wrong = tuple(interactions.columns) not in (_PLAIN, _TIMED)
    found = figures_of(
        interactions,
        doubled=doubled(*_PAIR),
        missing_values=missing_in(interactions, interactions.columns),
        plays_outside=count_unless(f.col(Columns.PLAYS).between(1, MOST_PLAYS)),
    )
    return no_violations(**found, wrong_columns=int(wrong))


def played_artists_are_known(interactions: "DataFrame", artists: "DataFrame") -> Finding:
    """Every artist played is in the catalogue."""
    beside = marked(interactions, Columns.ARTIST, artists.select(Columns.ARTIST), "_known")
    return violations_of(beside, unknown_artists=missing_in(beside, ["_known"]))


def artists_are_unique(artists: "DataFrame") -> Finding:
    """One row an artist, each with a name of sensible length."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    return violations_of(
        artists,
        doubled=doubled(Columns.ARTIST),
        nameless=count_unless(f.length(Columns.NAME).between(1, LONGEST_TEXT)),
    )


def tags_refer_to_artists(assignments: "DataFrame", artists: "DataFrame") -> Finding:
    """Every tagged artist is known, every date possible, no assignment doubled."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    beside = marked(assignments, Columns.ARTIST, artists.select(Columns.ARTIST), "_known")
    return violations_of(
        beside,
        unknown_artists=missing_in(beside, ["_known"]),
        impossible_dates=count_unless(f.year(Columns.DATE).between(FIRST_YEAR, LAST_YEAR)),
        doubled=doubled(*_PAIR, Columns.TAG),
    )


def friends_are_users(friendships: "DataFrame", interactions: "DataFrame") -> Finding:
    """Both friends have plays, nobody befriends themselves, no friendship is doubled."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    users = interactions.select(Columns.USER)
    beside = marked(friendships, Columns.USER, users, "_user")
    beside = marked(beside, Columns.FRIEND, users, "_friend")
    return violations_of(
        beside,
        unknown_users=missing_in(beside, ["_user", "_friend"]),
        themselves=f.count_if(f.col(Columns.USER) == f.col(Columns.FRIEND)),
        doubled=doubled(Columns.USER, Columns.FRIEND),
    )


def few_rows_refused(rejected: "DataFrame", **kept: "DataFrame") -> Finding:
    """Cleaning refused at most 5% of the rows of each file."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    files = [*(file for file, _ in _OF_FILES), "user_artists"]
    refused = ~f.col(Columns.REASON).eqNullSafe(MERGED)
    lost = figures_of(
        rejected,
        **{file: f.count_if(refused & (f.col(Columns.FILE) == file)) for file in files},
    )
    shares = {
        file: lost[file] / max(1, lost[file] + kept[table].count()) for file, table in _OF_FILES
    }
    # pairs may be of many rows: what was read counts
    read = figures_of(kept["about"], rows=f.first("rows"))["rows"]
    shares["user_artists"] = lost["user_artists"] / max(1, read)
    passed = all(share <= MAX_REFUSED_SHARE for share in shares.values())
    facts = {f"{file}_refused_share": share for file, share in shares.items()}
    return Finding(passed, {**facts, "max_refused_share": MAX_REFUSED_SHARE})


def every_refusal_has_a_reason(rejected: "DataFrame", **kept: "DataFrame") -> Finding:
    """Each refused row names its file, its line and a reason."""
    del kept
    needed = [Columns.FILE, Columns.LINE, Columns.REASON]
    return violations_of(rejected, missing=missing_in(rejected, needed))


def parts_are_disjoint_and_complete(split_pairs: "DataFrame", interactions: "DataFrame") -> Finding:
    """Every pair is in exactly one part, and every user has something to train on."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    columns, odd = list(interactions.columns), 0
    if Columns.FIRST_PLAYED in columns:  # train counts no play after what is put aside
        columns.remove(Columns.PLAYS)
        odd = _odd_plays(split_pairs, interactions)
    same = content_of(split_pairs.select(*columns)) == content_of(interactions.select(*columns))
    of_pairs = split_pairs.groupBy(*_PAIR).agg(
        (f.count(f.lit(1)) - 1).alias("more"),
        f.count_if(f.col(Columns.PART) == "train").alias("train"),
        count_unless(f.col(Columns.PART).isin(*PARTS)).alias("without"),
    )
    of_users = of_pairs.groupBy(Columns.USER).agg(
        *(f.sum(name).alias(name) for name in ("more", "train", "without"))
    )
    found = figures_of(
        of_users,
        doubled=f.sum("more"),
        without_part=f.sum("without"),
        users_without_train=f.count_if(f.isnotnull(Columns.USER) & (f.col("train") == 0)),
    )
    return no_violations(**found, differs_from_interactions=int(not same) + odd)


def shares_are_as_asked(split_pairs: "DataFrame", interactions: "DataFrame") -> Finding:
    """Each user's parts have the sizes asked for, to the nearest pair (train never empty)."""
    del interactions
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    asked = {"held_out": HELD_OUT_SHARE, "validation": VALIDATION_SHARE}
    of_users = split_pairs.groupBy(Columns.USER).agg(
        f.count(f.lit(1)).alias("total"),
        *(f.count_if(f.col(Columns.PART) == part).alias(part) for part in asked),
    )
    return violations_of(
        of_users,
        **{
            part: f.count_if(f.abs(f.col(part) - f.lit(share) * f.col("total")) > 1.0)
            for part, share in asked.items()
        },
    )


def held_out_is_last(split_pairs: "DataFrame", interactions: "DataFrame") -> Finding:
    """Where plays have a time: no user found a train pair after one that is put aside."""
    del interactions
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    if Columns.FIRST_PLAYED not in split_pairs.columns:
        return no_violations(users_with_later_train=0, users_with_later_validation=0)
    found = {
        part: f.when(f.col(Columns.PART) == part, f.col(Columns.FIRST_PLAYED)) for part in PARTS
    }
    of_users = split_pairs.groupBy(Columns.USER).agg(
        f.max(found["train"]).alias("train"),
        f.max(found["validation"]).alias("validation"),
        f.min(found["validation"]).alias("first_validation"),
        f.min(found["held_out"]).alias("first_held_out"),
    )
    first = f.least("first_validation", "first_held_out")  # of those that there are
    return violations_of(
        of_users,
        users_with_later_train=f.count_if(f.col("train") > first),
        users_with_later_validation=f.count_if(f.col("validation") > f.col("first_held_out")),
    )


def held_out_pairs_are_not_seen(matrix: "DataFrame", split_pairs: "DataFrame") -> Finding:
    """The matrix holds every train and validation pair and no held-out one."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    put_aside = f.col(Columns.PART).eqNullSafe("held_out")
    wanted = figures_of(split_pairs, pairs=f.count_if(~put_aside))["pairs"]
    leaked = split_pairs.where(put_aside).join(matrix.select(*_PAIR), [*_PAIR], "left_semi")
    return no_violations(leaked=leaked.count(), missing=abs(wanted - matrix.count()))


def no_tag_of_a_held_out_pair(training_tags: "DataFrame", split_pairs: "DataFrame") -> Finding:
    """No tag is left that a user gave an artist whose pair is held out."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    held_out = split_pairs.where(f.col(Columns.PART) == "held_out").select(*_PAIR)
    return no_violations(leaked=training_tags.join(held_out, [*_PAIR]).count())


def weights_are_finite(matrix: "DataFrame", split_pairs: "DataFrame") -> Finding:
    """Every weight is finite and not negative, and not all are zero."""
    del split_pairs
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    weight = f.col("weight")
    # to Spark, what is not a number lies beyond infinity
    usable = (weight >= 0) & (weight < f.lit(float("inf")))
    found = figures_of(matrix, unusable=count_unless(usable), nonzero=f.count_if(weight != 0))
    return no_violations(unusable=found["unusable"], all_zero=int(not found["nonzero"]))


def _odd_plays(split_pairs: "DataFrame", interactions: "DataFrame") -> int:
    """Pairs that the split counts as played never, or more often than they are."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    played = interactions.select(*_PAIR, f.col(Columns.PLAYS).alias("_plays"))
    beside = split_pairs.join(played, [*_PAIR], "left")
    return figures_of(beside, odd=count_unless(f.col(Columns.PLAYS).between(1, f.col("_plays"))))[
        "odd"
    ]


RAW_RULES: Final[list[Rule]] = [lines_are_numbered]
REQUIRED_RAW_RULES: Final[list[Rule]] = [lines_are_numbered, has_rows]
KEY_RULES: Final[list[Rule]] = [one_number_a_key]
INTERACTIONS_RULES: Final[list[Rule]] = [pairs_are_unique, played_artists_are_known]
ARTISTS_RULES: Final[list[Rule]] = [artists_are_unique]
TAG_RULES: Final[list[Rule]] = [tags_refer_to_artists]
FRIEND_RULES: Final[list[Rule]] = [friends_are_users]
REJECTED_RULES: Final[list[Rule]] = [few_rows_refused, every_refusal_has_a_reason]
SPLIT_RULES: Final[list[Rule]] = [
    parts_are_disjoint_and_complete,
    shares_are_as_asked,
    held_out_is_last,
]
TRAINING_TAG_RULES: Final[list[Rule]] = [no_tag_of_a_held_out_pair]
MATRIX_RULES: Final[list[Rule]] = [held_out_pairs_are_not_seen, weights_are_finite]
