"""Each rule of `listening` passes a sound table and finds a planted violation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.findings import Finding, Rule
from lastfm_assets.listening import rules
from lastfm_assets.listening.about import About
from lastfm_assets.listening.clean import LONGEST_TEXT, MERGED, MOST_PLAYS
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of, split

REGISTRY = [
    *rules.REQUIRED_RAW_RULES,
    *rules.SOURCE_RULES,
    *rules.KEY_RULES,
    *rules.INTERACTIONS_RULES,
    *rules.ARTISTS_RULES,
    *rules.TAG_RULES,
    *rules.FRIEND_RULES,
    *rules.REJECTED_RULES,
    *rules.SPLIT_RULES,
    *rules.MATRIX_RULES,
    *rules.TRAINING_TAG_RULES,
]
Tables = dict[str, object]


def sound() -> Tables:
    """A world in which every rule holds."""
    artists = pd.DataFrame({"artist_id": range(1, 31), "artist_name": [f"A{n}" for n in range(30)]})
    interactions = pd.DataFrame(
        [(user, artist, user * artist) for user in (1, 2, 3) for artist in range(user, user + 20)],
        columns=["user_id", "artist_id", "plays"],
    )
    split_pairs = split(interactions, seed=0)
    seen = pairs_of(split_pairs, "train", "validation")
    return {
        "raw": pd.DataFrame(
            {"line": [2, 3, 5], "text": [None, "x", None], "reason": [None, "bad", None]}
        ),
        "artists": artists,
        "interactions": interactions,
        "assignments": pd.DataFrame(
            {
                "user_id": [1, 1],
                "artist_id": [1, 1],
                "tag_id": [7, 8],
                "date": pd.to_datetime(["2002-01-01", "2100-12-31"]),
            }
        ),
        "friendships": pd.DataFrame({"user_id": [1, 2], "friend_id": [2, 1]}),
        "rejected": pd.DataFrame(
            {
                "file": ["user_artists", "user_artists", "artists"],
                "line": [2, 3, 4],
                "text": ["a", "b", "c"],
                "reason": ["unknown artist", MERGED, "name is empty"],
            }
        ),
        "about": About("log", rows=len(interactions)).to_table(),
        "keys": pd.DataFrame(
            {"kind": ["user", "user", "artist"], "id": [1, 2, 1], "key": ["a", "b", "a"]}
        ),
        "split_pairs": split_pairs,
        "training_tags": seen[["user_id", "artist_id"]].assign(tag_id=7),
        "matrix": ListeningMatrix.from_pairs(seen, artists["artist_id"].to_numpy()),
    }


def applied(rule: Rule, world: Tables) -> Finding:
    """The rule on the tables that it asks for."""
    if rule in rules.REJECTED_RULES:
        return rule(
            world["rejected"],
            interactions=world["interactions"],
            about=world["about"],
            artists=world["artists"],
            tag_assignments=world["assignments"],
            friendships=world["friendships"],
        )
    needed = {
        rules.lines_are_numbered: ("raw",),
        rules.has_rows: ("raw",),
        rules.says_what_it_recommends: ("about",),
        rules.one_number_a_key: ("keys",),
        rules.pairs_are_unique: ("interactions", "artists"),
        rules.played_artists_are_known: ("interactions", "artists"),
        rules.artists_are_unique: ("artists",),
        rules.tags_refer_to_artists: ("assignments", "artists"),
        rules.friends_are_users: ("friendships", "interactions"),
        rules.parts_are_disjoint_and_complete: ("split_pairs", "interactions"),
        rules.shares_are_as_asked: ("split_pairs", "interactions"),
        rules.held_out_is_last: ("split_pairs", "interactions"),
        rules.held_out_pairs_are_not_seen: ("matrix", "split_pairs"),
        rules.weights_are_finite: ("matrix", "split_pairs"),
        rules.no_tag_of_a_held_out_pair: ("training_tags", "split_pairs"),
    }[rule]
    return rule(*(world[name] for name in needed))


def with_value(name: str, column: str, row: int, value: object) -> Callable[[Tables], Tables]:
    """Plants one value."""

    def plant(world: Tables) -> Tables:
        table = world[name].copy()
        if value is None:
            table[column] = table[column].astype("Int64" if table[column].dtype == int else object)
        table.loc[row, column] = value
        return {**world, name: table}

    return plant


def row_twice(name: str) -> Callable[[Tables], Tables]:
    def plant(world: Tables) -> Tables:
        table = world[name]
        return {**world, name: pd.concat([table, table.iloc[[0]]], ignore_index=True)}

    return plant


def without_rows(name: str, n: int) -> Callable[[Tables], Tables]:
    return lambda world: {**world, name: world[name].iloc[n:].reset_index(drop=True)}


def everything_in(part: str) -> Callable[[Tables], Tables]:
    def plant(world: Tables) -> Tables:
        table = world["split_pairs"].copy()
        table.loc[table["user_id"] == 1, "part"] = part
        return {**world, "split_pairs": table}

    return plant


def timed_so_that(first: str, then: str) -> Callable[[Tables], Tables]:
    """Times by which all pairs of one part were first played before those of another."""

    def plant(world: Tables) -> Tables:
        table = world["split_pairs"]
        years = table["part"].astype("str").map({first: "2009", then: "2010"}).fillna("2011")
        return {**world, "split_pairs": table.assign(first_played=pd.to_datetime(years))}

    return plant


def many_refused(file: str) -> Callable[[Tables], Tables]:
    def plant(world: Tables) -> Tables:
        rows = {"file": file, "line": range(2, 6), "text": "x", "reason": "unknown artist"}
        return {**world, "rejected": pd.DataFrame(rows)}

    return plant


def leaked(world: Tables) -> Tables:
    """The first held-out pair stands in the matrix, in the place of a train pair."""
    dealt = world["split_pairs"]
    held_out = pairs_of(dealt, "held_out").iloc[[0]]
    seen = pd.concat([pairs_of(dealt, "train", "validation").iloc[1:], held_out])
    catalogue = world["artists"]["artist_id"].to_numpy()
    return {**world, "matrix": ListeningMatrix.from_pairs(seen, catalogue)}


def matrix_of_train_only(world: Tables) -> Tables:
    catalogue = world["artists"]["artist_id"].to_numpy()
    return {
        **world,
        "matrix": ListeningMatrix.from_pairs(pairs_of(world["split_pairs"], "train"), catalogue),
    }


def held_out_tag(world: Tables) -> Tables:
    """One user has called one held-out artist something."""
    pair = pairs_of(world["split_pairs"], "held_out")[["user_id", "artist_id"]].iloc[[0]]
    tags = pd.concat([world["training_tags"], pair.assign(tag_id=9)], ignore_index=True)
    return {**world, "training_tags": tags}


def with_weights(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Tables], Tables]:
    def plant(world: Tables) -> Tables:
        weights = change(world["matrix"].weights.copy())
        return {**world, "matrix": replace(world["matrix"], weights=weights)}

    return plant


def first_weight(value: float) -> Callable[[Tables], Tables]:
    return with_weights(lambda weights: np.concatenate([[value], weights[1:]]))


VIOLATIONS = [
    (rules.lines_are_numbered, with_value("raw", "line", 0, 5), "doubled_lines"),
    (rules.lines_are_numbered, with_value("raw", "text", 0, "x"), "unexplained"),
    (rules.lines_are_numbered, with_value("raw", "reason", 0, "x"), "unexplained"),
    (rules.has_rows, without_rows("raw", 3), "rows"),
    (rules.pairs_are_unique, row_twice("interactions"), "doubled"),
    (rules.pairs_are_unique, with_value("interactions", "user_id", 0, None), "missing_values"),
    (rules.pairs_are_unique, with_value("interactions", "plays", 0, 0), "plays_outside"),
    (
        rules.pairs_are_unique,
        with_value("interactions", "plays", 0, MOST_PLAYS + 1),
        "plays_outside",
    ),
    (
        rules.pairs_are_unique,
        lambda world: {**world, "interactions": world["interactions"].assign(more=1)},
        "wrong_columns",
    ),
    (
        rules.played_artists_are_known,
        with_value("interactions", "artist_id", 0, 99),
        "unknown_artists",
    ),
    (rules.artists_are_unique, with_value("artists", "artist_id", 0, 2), "doubled"),
    (rules.artists_are_unique, with_value("artists", "artist_name", 0, ""), "nameless"),
    (rules.artists_are_unique, with_value("artists", "artist_name", 0, None), "nameless"),
    (
        rules.artists_are_unique,
        with_value("artists", "artist_name", 0, "x" * (LONGEST_TEXT + 1)),
        "nameless",
    ),
    (rules.tags_refer_to_artists, with_value("assignments", "artist_id", 0, 99), "unknown_artists"),
    (
        rules.tags_refer_to_artists,
        with_value("assignments", "date", 0, pd.Timestamp(2001, 12, 31)),
        "impossible_dates",
    ),
    (
        rules.tags_refer_to_artists,
        with_value("assignments", "date", 0, pd.NaT),
        "impossible_dates",
    ),
    (rules.tags_refer_to_artists, row_twice("assignments"), "doubled"),
    (rules.friends_are_users, with_value("friendships", "friend_id", 0, 99), "unknown_users"),
    (rules.friends_are_users, with_value("friendships", "friend_id", 0, 1), "themselves"),
    (rules.friends_are_users, row_twice("friendships"), "doubled"),
    (rules.few_rows_refused, many_refused("artists"), "artists_refused_share"),
    (rules.few_rows_refused, many_refused("user_artists"), "user_artists_refused_share"),
    (
        rules.few_rows_refused,
        many_refused("user_taggedartists"),
        "user_taggedartists_refused_share",
    ),
    (rules.few_rows_refused, many_refused("user_friends"), "user_friends_refused_share"),
    (rules.every_refusal_has_a_reason, with_value("rejected", "reason", 0, None), "missing"),
    (rules.every_refusal_has_a_reason, with_value("rejected", "line", 0, None), "missing"),
    (rules.parts_are_disjoint_and_complete, row_twice("split_pairs"), "doubled"),
    (
        rules.parts_are_disjoint_and_complete,
        with_value("split_pairs", "part", 0, np.nan),
        "without_part",
    ),
    (
        rules.parts_are_disjoint_and_complete,
        without_rows("split_pairs", 1),
        "differs_from_interactions",
    ),
    (
        rules.parts_are_disjoint_and_complete,
        with_value("split_pairs", "plays", 0, 999),
        "differs_from_interactions",
    ),
    (
        rules.parts_are_disjoint_and_complete,
        everything_in("held_out"),
        "users_without_train",
    ),
    (rules.shares_are_as_asked, everything_in("held_out"), "held_out"),
    (rules.shares_are_as_asked, everything_in("train"), "held_out"),
    (rules.shares_are_as_asked, everything_in("validation"), "validation"),
    (rules.says_what_it_recommends, row_twice("about"), "other_rows"),
    (rules.says_what_it_recommends, without_rows("about", 1), "other_rows"),
    (rules.says_what_it_recommends, with_value("about", "item", 0, ""), "nameless"),
    (rules.one_number_a_key, with_value("keys", "id", 1, 1), "doubled_numbers"),
    (rules.one_number_a_key, with_value("keys", "key", 1, "a"), "doubled_keys"),
    (rules.one_number_a_key, with_value("keys", "key", 1, ""), "empty_keys"),
    (rules.held_out_is_last, timed_so_that("held_out", "validation"), "users_with_later_train"),
    (
        rules.held_out_is_last,
        timed_so_that("train", "held_out"),
        "users_with_later_validation",
    ),
    (rules.held_out_pairs_are_not_seen, leaked, "leaked"),
    (rules.held_out_pairs_are_not_seen, matrix_of_train_only, "missing"),
    (rules.weights_are_finite, first_weight(np.nan), "unusable"),
    (rules.weights_are_finite, first_weight(np.inf), "unusable"),
    (rules.weights_are_finite, first_weight(-1.0), "unusable"),
    (rules.weights_are_finite, with_weights(np.zeros_like), "all_zero"),
    (rules.no_tag_of_a_held_out_pair, held_out_tag, "leaked"),
]


@pytest.mark.parametrize("rule", REGISTRY, ids=lambda rule: rule.__name__)
def test_a_sound_world_passes(rule: Rule) -> None:
    finding = applied(rule, sound())
    assert finding.passed, finding.facts
    assert finding.facts


def test_pairs_may_be_of_many_rows() -> None:
    """Four refused rows of thousands that were read are few, though of few pairs they are many."""
    world = many_refused("user_artists")(sound())
    assert not applied(rules.few_rows_refused, world).passed
    log = {**world, "about": About("log", rows=1000).to_table()}
    assert applied(rules.few_rows_refused, log).passed


@pytest.mark.parametrize(
    ("rule", "plant", "fact"),
    VIOLATIONS,
    ids=[f"{rule.__name__}-{fact}" for rule, _, fact in VIOLATIONS],
)
def test_a_planted_violation_is_found_and_named(
    rule: Rule, plant: Callable[[Tables], Tables], fact: str
) -> None:
    before = applied(rule, sound()).facts[fact]
    finding = applied(rule, plant(sound()))
    assert not finding.passed
    assert finding.facts[fact] != before


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, *_ in VIOLATIONS} == set(REGISTRY)


@pytest.mark.parametrize("rule", REGISTRY, ids=lambda rule: rule.__name__)
def test_every_rule_says_in_one_line_what_must_hold(rule: Rule) -> None:
    said = rule.__doc__.strip()
    assert said.endswith(".")
    assert "\n" not in said


def test_few_rows_refused_allows_five_percent_and_not_more() -> None:
    world = sound()
    world["interactions"] = world["interactions"].iloc[:57]
    refused = pd.DataFrame({"file": "user_artists", "line": range(3), "text": "", "reason": "x"})
    assert len(refused) / (len(refused) + 57) == 0.05
    assert applied(rules.few_rows_refused, {**world, "rejected": refused}).passed
    one_more = pd.concat([refused, refused.iloc[[0]]])
    assert not applied(rules.few_rows_refused, {**world, "rejected": one_more}).passed


def test_merged_rows_are_no_loss() -> None:
    merged = pd.DataFrame({"file": "user_artists", "line": range(40), "text": "", "reason": MERGED})
    assert applied(rules.few_rows_refused, {**sound(), "rejected": merged}).passed


def test_optional_files_need_no_rows() -> None:
    assert rules.has_rows not in rules.RAW_RULES
    assert rules.lines_are_numbered in rules.RAW_RULES
