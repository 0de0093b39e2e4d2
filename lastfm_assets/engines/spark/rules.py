"""The rules of lists, run where the lists lie: on groups of users, and added up.

Each group of users has its lists, its interactions and the catalogue beside it, so that every rule
that looks at one list at a time is the local function itself; its facts are counts, which add up.
The one rule that looks at all lists together, `lists_are_varied`, is worked out from sums.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from lastfm_assets.engines.spark.tasks import without_a_warning
from lastfm_assets.findings import Fact, Finding, Rule
from lastfm_assets.recommendations.lists import LENGTH
from lastfm_assets.recommendations.rules import (
    MIN_EQUAL_ARTISTS,
    SIMILAR_ARTISTS_RULES,
    TOP_ARTISTS_RULES,
    lists_are_varied,
)
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_GROUP: Final = "_group"
_KNOWN: Final = "_known"
"""Name of an artist in the catalogue, which travels with a row: no task holds the catalogue."""
_ROWS_OF_A_GROUP: Final = 200_000
"""About as many rows are turned into pandas at once."""
_SCHEMA: Final = "rule string, passed boolean, facts string"


def check_top_artists(
    lists: "DataFrame", interactions: "DataFrame", artists: "DataFrame"
) -> dict[str, Finding]:
    """Every rule of `TOP_ARTISTS_RULES` on a stored table, nothing collected but counts.

    Args:
        lists: `TOP_LIST` columns.
        interactions: `user_id, artist_id, ...` of all pairs.
        artists: `artist_id, artist_name`, the whole catalogue.

    Returns:
        Findings by rule, as the local checks give them; rows are put in the order of rank before
        a rule looks at them, as a table of many files has no other order.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    one_by_one = [rule for rule in TOP_ARTISTS_RULES if rule is not lists_are_varied]
    n_artists = artists.count()
    group = _group(lists, interactions, Columns.USER)
    pairs = interactions.select(Columns.USER, Columns.ARTIST).withColumn(_GROUP, group)
    names = artists.select(Columns.ARTIST, f.col(Columns.NAME).alias(_KNOWN))
    named = lists.join(names, Columns.ARTIST, "left").select(*lists.columns, _KNOWN)
    of_group = _Lists(one_by_one, lists.columns, n_artists)

    def run(listed: pa.Table, played: pa.Table) -> pa.Table:
        return of_group.found(listed, played)

    both = named.withColumn(_GROUP, group).groupBy(_GROUP).cogroup(pairs.groupBy(_GROUP))
    with without_a_warning():
        found = both.applyInArrow(run, _SCHEMA)
    findings = _added_up(found, one_by_one)
    findings[lists_are_varied.__name__] = _varied(lists, interactions, n_artists)
    return {rule.__name__: findings[rule.__name__] for rule in TOP_ARTISTS_RULES}


def check_similar_artists(similar: "DataFrame", artists: "DataFrame") -> dict[str, Finding]:
    """Every rule of `SIMILAR_ARTISTS_RULES`, as `check_top_artists`.

    Nobody may have a relative: of few users, each artist may be played by nearly all.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    known = artists.select(f.col(Columns.ARTIST).alias("_id"))
    marked = similar.join(
        known.withColumnsRenamed({"_id": "_to"}), f.col(Columns.TO_ARTIST) == f.col("_to"), "left"
    ).join(known, f.col(Columns.ARTIST) == f.col("_id"), "left")
    group = _group(similar, artists, Columns.TO_ARTIST)
    columns = list(similar.columns)

    def found_in(rows: pd.DataFrame) -> Iterator[tuple[Rule, Finding]]:
        known = pd.concat([rows["_to"], rows["_id"]]).dropna()
        beside = pd.DataFrame({Columns.ARTIST: known})
        return ((rule, rule(rows[columns], artists=beside)) for rule in SIMILAR_ARTISTS_RULES)

    def run(relatives: pa.Table) -> pa.Table:
        return _said(found_in(_in_order(relatives, Columns.TO_ARTIST)))

    if similar.isEmpty():
        nothing = marked.limit(0).toArrow().to_pandas()
        return {rule.__name__: finding for rule, finding in found_in(nothing)}
    grouped = marked.withColumn(_GROUP, group).groupBy(_GROUP)
    with without_a_warning():
        found = grouped.applyInArrow(run, _SCHEMA)
    return _added_up(found, SIMILAR_ARTISTS_RULES)


def _group(rows: "DataFrame", others: "DataFrame", owner: str) -> "Column":
    """Number of the group that an owner's rows belong to."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    groups = 1 + max(rows.count(), others.count()) // _ROWS_OF_A_GROUP
    return f.pmod(f.xxhash64(owner), f.lit(groups))


class _Lists:
    """Runs rules on the lists and pairs of one group of users."""

    def __init__(self, rules: Sequence[Rule], columns: Sequence[str], n_artists: int) -> None:
        self._rules, self._columns, self._n_artists = list(rules), list(columns), n_artists

    def found(self, lists: pa.Table, pairs: pa.Table) -> pa.Table:
        rows = _in_order(lists, Columns.USER)
        interactions = pairs.to_pandas()
        artists = self._artists(rows, interactions)
        named = rows[self._columns]
        return _said(
            (rule, rule(named, interactions=interactions, artists=artists)) for rule in self._rules
        )

    def _artists(self, rows: pd.DataFrame, interactions: pd.DataFrame) -> pd.DataFrame:
        """The artists that these lists may name, and as many more as decide a list's length.

        A list is shorter than usual only where its user plays nearly the whole catalogue, so it
        does not matter how far beyond that the catalogue goes.
        """
        known = rows[[Columns.ARTIST, _KNOWN]].dropna().drop_duplicates(Columns.ARTIST)
        most_played = interactions.groupby(Columns.USER).size().max() if len(interactions) else 0
        enough = min(self._n_artists, int(most_played) + LENGTH)
        beyond = int(rows[Columns.ARTIST].max()) + 1 if len(rows) else 0
        more = np.arange(beyond, beyond + max(0, enough - len(known)), dtype=np.int64)
        return pd.DataFrame(
            {
                Columns.ARTIST: np.concatenate([known[Columns.ARTIST].to_numpy(np.int64), more]),
                Columns.NAME: [*known[_KNOWN], *[""] * len(more)],
            }
        )


def _in_order(rows: pa.Table, owner: str) -> pd.DataFrame:
    by = [name for name in (owner, Columns.RANK) if name in rows.column_names]
    table: pd.DataFrame = rows.to_pandas()
    return table.sort_values(by, kind="stable", ignore_index=True)


def _said(found: Iterable[tuple[Rule, Finding]]) -> pa.Table:
    rows = [(rule.__name__, finding.passed, json.dumps(finding.facts)) for rule, finding in found]
    names, passed, facts = zip(*rows, strict=True)
    return pa.table({"rule": list(names), "passed": list(passed), "facts": list(facts)})


def _added_up(found: "DataFrame", rules: Sequence[Rule]) -> dict[str, Finding]:
    """One finding a rule: what all groups counted, added up in Spark.

    Without a row there is no group, and what nobody says anything of breaks every rule.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    parsed = f.explode(f.from_json("facts", "map<string, bigint>")).alias("fact", "value")
    counts = (
        found.select("rule", "passed", parsed)
        .groupBy("rule", "fact")
        .agg(f.sum("value").alias("value"), f.bool_and("passed").alias("held"))
        .orderBy("rule", "fact")
        .collect()
    )
    return {rule.__name__: _finding(counts, rule.__name__) for rule in rules}


def _finding(counts: Sequence[Any], rule: str) -> Finding:
    of_rule = [row for row in counts if row["rule"] == rule]
    facts: dict[str, Fact] = {row["fact"]: int(row["value"]) for row in of_rule}
    return Finding(bool(of_rule) and all(row["held"] for row in of_rule), facts)


def _varied(lists: "DataFrame", interactions: "DataFrame", n_artists: int) -> Finding:
    """`lists_are_varied`, from the number of rows an artist has."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    counts = lists.groupBy(Columns.ARTIST).count()
    figures = counts.agg(
        f.sum("count").alias("rows"),
        f.sum(f.col("count").cast("double") * f.col("count")).alias("squares"),
        f.count(f.lit(1)).alias("different"),
    ).first()
    users = interactions.select(Columns.USER).distinct().count()
    rows, squares, different = (float(figure or 0) for figure in figures or (0, 0, 0))
    equal = rows**2 / squares if rows else 0.0
    expected = float(min(MIN_EQUAL_ARTISTS, users / 2, n_artists / 10))
    return Finding(
        equal >= expected,
        {
            "equally_often": equal,
            "expected": expected,
            "different_artists": int(different),
            "share_of_catalogue": int(different) / max(1, n_artists),
        },
    )
