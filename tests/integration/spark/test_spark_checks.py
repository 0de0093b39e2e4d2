"""Checks inside Spark: the local rules' findings on the same rows, sound or with an error."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from spark_world import frame

from lastfm_assets.engines.spark import listening_rules
from lastfm_assets.engines.spark.checks import spark_checks
from lastfm_assets.findings import Finding
from lastfm_assets.listening import checks as of_listening
from lastfm_assets.listening import rules as local_rules
from lastfm_assets.listening.about import About
from lastfm_assets.listening.clean import LONGEST_TEXT, MERGED, MOST_PLAYS
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.recommendations import checks as of_lists
from lastfm_assets.recommendations.versions import About as Publishing

pytestmark = pytest.mark.integration

Tables = dict[str, pd.DataFrame]
Plant = Callable[[Tables], Tables]
ABOUT = Publishing("item_knn", "sample", 0.25, "a run")
TAKES = {
    "lines_are_numbered": ("raw",),
    "has_rows": ("raw",),
    "one_number_a_key": ("keys",),
    "pairs_are_unique": ("interactions", "artists"),
    "played_artists_are_known": ("interactions", "artists"),
    "artists_are_unique": ("artists",),
    "tags_refer_to_artists": ("tag_assignments", "artists"),
    "friends_are_users": ("friendships", "interactions"),
    "few_rows_refused": ("rejected",),
    "every_refusal_has_a_reason": ("rejected",),
    "parts_are_disjoint_and_complete": ("split_pairs", "interactions"),
    "shares_are_as_asked": ("split_pairs", "interactions"),
    "held_out_is_last": ("split_pairs", "interactions"),
    "held_out_pairs_are_not_seen": ("matrix", "split_pairs"),
    "weights_are_finite": ("matrix", "split_pairs"),
    "no_tag_of_a_held_out_pair": ("training_tags", "split_pairs"),
}
"""Tables that a rule looks at."""
KEPT = ("interactions", "about", "artists", "tag_assignments", "friendships")
"""Tables that a rule on refused rows has by name."""


def sound() -> Tables:
    """A world in which every rule holds."""
    artists = pd.DataFrame({"artist_id": range(1, 31), "artist_name": [f"A{n}" for n in range(30)]})
    interactions = pd.DataFrame(
        [(user, artist, user * artist) for user in (1, 2, 3) for artist in range(user, user + 20)],
        columns=["user_id", "artist_id", "plays"],
    )
    split_pairs = split(interactions, seed=0)
    split_pairs["part"] = split_pairs["part"].astype("str")
    seen = pairs_of(split_pairs, "train", "validation")
    tagged = {"user_id": [1, 1], "artist_id": [1, 1], "tag_id": [7, 8]}
    return {
        "raw": pd.DataFrame(
            {"line": [2, 3, 5], "text": [None, "x", None], "reason": [None, "bad", None]}
        ),
        "keys": pd.DataFrame(
            {"kind": ["user", "user", "artist"], "id": [1, 2, 1], "key": ["a", "b", "a"]}
        ),
        "artists": artists,
        "interactions": interactions,
        "tag_assignments": pd.DataFrame(
            {**tagged, "date": pd.to_datetime(["2002-01-01", "2100-12-31"])}
        ),
        "friendships": pd.DataFrame({"user_id": [1, 2], "friend_id": [2, 1]}),
        "rejected": pd.DataFrame(
            {
                "file": ["user_artists", "user_artists", "artists"],
                "line": [2, 3, 4],
                "reason": ["unknown artist", MERGED, "name is empty"],
            }
        ),
        "about": About("log", rows=len(interactions)).to_table().drop(columns="until"),
        "split_pairs": split_pairs,
        "training_tags": seen[["user_id", "artist_id"]].assign(tag_id=7),
        "matrix": seen.assign(weight=np.float32(1.5)).reset_index(drop=True),
    }


def locally(rule: str, world: Tables) -> Finding:
    """What the local rule finds."""
    # what the source says has a date, which is of no matter here
    about = world["about"].assign(until=pd.NaT)
    values: dict[str, Any] = {**world, "about": about}
    if "matrix" in TAKES[rule]:
        pairs = world["matrix"].sort_values(["user_id", "artist_id"])
        matrix = ListeningMatrix.from_pairs(pairs, world["artists"]["artist_id"].to_numpy())
        values["matrix"] = replace(matrix, weights=pairs["weight"].to_numpy())
    return _applied(getattr(local_rules, rule), values)


def inside(spark: Any, rule: str, world: Tables) -> Finding:
    """What the rule finds inside Spark."""
    needed = {*TAKES[rule], *(KEPT if TAKES[rule] == ("rejected",) else ())}
    frames = {name: frame(spark, world[name]) for name in needed}
    return _applied(getattr(listening_rules, rule), frames)


def _applied(rule: Callable[..., Finding], values: dict[str, Any]) -> Finding:
    taken = TAKES[rule.__name__]
    named = KEPT if taken == ("rejected",) else ()
    return rule(*(values[name] for name in taken), **{name: values[name] for name in named})


def value(name: str, column: str, row: int, planted: object) -> Plant:
    """Plants one value."""

    def plant(world: Tables) -> Tables:
        table = world[name].copy()
        if planted is None and table[column].dtype == np.int64:
            table[column] = table[column].astype("float64")  # as pandas reads such a column
        table.loc[row, column] = planted
        return {**world, name: table}

    return plant


def row_twice(name: str) -> Plant:
    def plant(world: Tables) -> Tables:
        table = world[name]
        return {**world, name: pd.concat([table, table.iloc[[0]]], ignore_index=True)}

    return plant


def without_rows(name: str, n: int) -> Plant:
    return lambda world: {**world, name: world[name].iloc[n:].reset_index(drop=True)}


def everything_in(part: str) -> Plant:
    def plant(world: Tables) -> Tables:
        table = world["split_pairs"].copy()
        table.loc[table["user_id"] == 1, "part"] = part
        return {**world, "split_pairs": table}

    return plant


def timed_so_that(first: str, then: str, *, more: int = 0) -> Plant:
    """Times by which a part was first played before another; `more` plays of the first pair."""

    def plant(world: Tables) -> Tables:
        dealt = world["split_pairs"]
        years = dealt["part"].map({first: "2009", then: "2010"}).fillna("2011")
        dealt = dealt.assign(first_played=pd.to_datetime(years), last_played=pd.to_datetime(years))
        played = dealt.drop(columns="part")
        dealt.loc[0, "plays"] += more
        return {**world, "split_pairs": dealt, "interactions": played}

    return plant


def many_refused(file: str) -> Plant:
    rows = {"file": file, "line": range(2, 6), "reason": "unknown artist"}
    return lambda world: {**world, "rejected": pd.DataFrame(rows)}


def leaked(world: Tables) -> Tables:
    """The first held-out pair stands in the matrix, in the place of a train pair."""
    held_out = pairs_of(world["split_pairs"], "held_out").iloc[[0]].assign(weight=np.float32(1))
    seen = pd.concat([world["matrix"].iloc[1:], held_out], ignore_index=True)
    return {**world, "matrix": seen}


def held_out_tag(world: Tables) -> Tables:
    """One user has called one held-out artist something."""
    pair = pairs_of(world["split_pairs"], "held_out")[["user_id", "artist_id"]].iloc[[0]]
    tags = pd.concat([world["training_tags"], pair.assign(tag_id=9)], ignore_index=True)
    return {**world, "training_tags": tags}


def another_column(world: Tables) -> Tables:
    return {**world, "interactions": world["interactions"].assign(more=1)}


def no_weight(world: Tables) -> Tables:
    return {**world, "matrix": world["matrix"].assign(weight=np.float32(0))}


VIOLATIONS = [
    ("lines_are_numbered", value("raw", "line", 0, 5), "doubled_lines"),
    ("lines_are_numbered", value("raw", "text", 0, "x"), "unexplained"),
    ("has_rows", without_rows("raw", 3), "rows"),
    ("one_number_a_key", value("keys", "id", 1, 1), "doubled_numbers"),
    ("one_number_a_key", value("keys", "key", 1, "a"), "doubled_keys"),
    ("one_number_a_key", value("keys", "key", 1, ""), "empty_keys"),
    ("pairs_are_unique", row_twice("interactions"), "doubled"),
    ("pairs_are_unique", value("interactions", "user_id", 0, None), "missing_values"),
    ("pairs_are_unique", value("interactions", "plays", 0, None), "plays_outside"),
    ("pairs_are_unique", value("interactions", "plays", 0, MOST_PLAYS + 1), "plays_outside"),
    ("pairs_are_unique", another_column, "wrong_columns"),
    ("played_artists_are_known", value("interactions", "artist_id", 0, 99), "unknown_artists"),
    ("artists_are_unique", value("artists", "artist_id", 0, 2), "doubled"),
    ("artists_are_unique", value("artists", "artist_name", 0, ""), "nameless"),
    ("artists_are_unique", value("artists", "artist_name", 0, None), "nameless"),
    (
        "artists_are_unique",
        value("artists", "artist_name", 0, "é" * LONGEST_TEXT + "é"),
        "nameless",
    ),
    ("tags_refer_to_artists", value("tag_assignments", "artist_id", 0, 99), "unknown_artists"),
    (
        "tags_refer_to_artists",
        value("tag_assignments", "date", 0, pd.Timestamp(2001, 12, 31, 23, 59)),
        "impossible_dates",
    ),
    ("tags_refer_to_artists", value("tag_assignments", "date", 0, pd.NaT), "impossible_dates"),
    ("tags_refer_to_artists", row_twice("tag_assignments"), "doubled"),
    ("friends_are_users", value("friendships", "friend_id", 0, 99), "unknown_users"),
    ("friends_are_users", value("friendships", "friend_id", 0, 1), "themselves"),
    ("friends_are_users", row_twice("friendships"), "doubled"),
    ("few_rows_refused", many_refused("artists"), "artists_refused_share"),
    ("few_rows_refused", many_refused("user_artists"), "user_artists_refused_share"),
    ("few_rows_refused", many_refused("user_taggedartists"), "user_taggedartists_refused_share"),
    ("few_rows_refused", many_refused("user_friends"), "user_friends_refused_share"),
    ("every_refusal_has_a_reason", value("rejected", "reason", 0, None), "missing"),
    ("every_refusal_has_a_reason", value("rejected", "line", 0, None), "missing"),
    ("parts_are_disjoint_and_complete", row_twice("split_pairs"), "doubled"),
    ("parts_are_disjoint_and_complete", value("split_pairs", "part", 0, None), "without_part"),
    (
        "parts_are_disjoint_and_complete",
        value("split_pairs", "plays", 0, 999),
        "differs_from_interactions",
    ),
    (
        "parts_are_disjoint_and_complete",
        timed_so_that("train", "validation", more=1),
        "differs_from_interactions",
    ),
    ("parts_are_disjoint_and_complete", everything_in("held_out"), "users_without_train"),
    ("shares_are_as_asked", everything_in("train"), "held_out"),
    ("shares_are_as_asked", everything_in("validation"), "validation"),
    ("held_out_is_last", timed_so_that("held_out", "validation"), "users_with_later_train"),
    ("held_out_is_last", timed_so_that("train", "held_out"), "users_with_later_validation"),
    ("held_out_pairs_are_not_seen", leaked, "leaked"),
    ("held_out_pairs_are_not_seen", without_rows("matrix", 2), "missing"),
    ("weights_are_finite", value("matrix", "weight", 0, np.nan), "unusable"),
    ("weights_are_finite", value("matrix", "weight", 0, np.inf), "unusable"),
    ("weights_are_finite", value("matrix", "weight", 0, -1.0), "unusable"),
    ("weights_are_finite", no_weight, "all_zero"),
    ("no_tag_of_a_held_out_pair", held_out_tag, "leaked"),
]


def test_rules_have_the_names_sentences_and_places_of_the_local_ones() -> None:
    registries = [name for name in vars(local_rules) if name.endswith("_RULES")]
    assert len(registries) == 13
    for name in set(registries) - {"SOURCE_RULES", "PROFILE_RULES"}:  # of small tables
        found, expected = getattr(listening_rules, name), getattr(local_rules, name)
        assert [(one.__name__, one.__doc__) for one in found] == [
            (one.__name__, one.__doc__) for one in expected
        ]


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, *_ in VIOLATIONS} == set(TAKES)


@pytest.mark.parametrize("rule", TAKES)
def test_a_sound_world_passes_with_the_local_facts(spark: Any, rule: str) -> None:
    found = inside(spark, rule, sound())
    assert found.passed
    assert found == locally(rule, sound())


@pytest.mark.parametrize(
    ("rule", "plant", "fact"), VIOLATIONS, ids=[f"{rule}-{fact}" for rule, _, fact in VIOLATIONS]
)
def test_a_planted_violation_is_found_with_the_local_facts(
    spark: Any, rule: str, plant: Plant, fact: str
) -> None:
    expected = locally(rule, plant(sound()))
    assert not expected.passed
    assert expected.facts[fact] != locally(rule, sound()).facts[fact]
    assert inside(spark, rule, plant(sound())) == expected


def local_checks() -> dict[str, dg.AssetChecksDefinition]:
    """The local checks of tables that Spark makes, by the names of their steps."""
    every = [
        *of_listening.raw_checks,
        *(one for one in vars(of_listening).values() if isinstance(one, dg.AssetChecksDefinition)),
        of_lists.top_artists_checks,
        of_lists.similar_artists_checks,
        of_lists.drift_checks,
        of_lists.published_checks,
    ]
    return {one.node_def.name: one for one in every}


def test_checks_are_those_of_the_local_engine_and_wait_for_the_same_assets() -> None:
    expected = local_checks()
    assert [one.node_def.name for one in spark_checks] == [
        name for name in (one.node_def.name for one in spark_checks) if name in expected
    ]
    assert {one.node_def.name for one in spark_checks} == set(expected)
    for made in spark_checks:
        local = expected[made.node_def.name]
        assert [*made.check_specs] == [*local.check_specs]
        assert {*made.keys_by_input_name.values()} == {*local.keys_by_input_name.values()}
