"""Each rule of publication passes sound lists and finds a planted violation."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from list_worlds import matrix_of, names_of, sample, sample_names, tables

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.findings import Finding, Rule
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import train
from lastfm_assets.recommendations import rules
from lastfm_assets.recommendations.lists import similar_artists, top_artists
from lastfm_assets.recommendations.publishing import require_sound

Plant = Callable[[pd.DataFrame], pd.DataFrame]
RNG = np.random.default_rng(3)
COUNTS = RNG.integers(1, 4, (14, 20)) * (RNG.random((14, 20)) < 0.35)
COUNTS[0, :17] = 1  # the first user has three artists left
COUNTS[0, 17:] = 0
MATRIX = matrix_of(COUNTS.tolist())
ARTISTS = pd.DataFrame({"artist_id": MATRIX.artist_ids, "artist_name": names_of(MATRIX).to_numpy()})
PLAYED = np.nonzero(COUNTS)
INTERACTIONS = pd.DataFrame(
    {"user_id": MATRIX.user_ids[PLAYED[0]], "artist_id": MATRIX.artist_ids[PLAYED[1]], "plays": 1}
)


def lists() -> pd.DataFrame:
    return top_artists(
        train("item_knn", MATRIX, side=SideTables.none(), seed=0), MATRIX, names_of(MATRIX)
    )


def similar() -> pd.DataFrame:
    return similar_artists(MATRIX, names_of(MATRIX))


def put(row: int, **values: object) -> Plant:
    """Plants values into one row, counted from the end where negative."""

    def plant(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        for column, value in values.items():
            table.loc[table.index[row], column] = value
        return table

    return plant


def without_last_row(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[:-1]


def with_the_same_for_all(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(artist_id=10)


def with_a_stranger(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[[-1]].assign(user_id=99, rank=1)], ignore_index=True)


def without_first_user(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["user_id"] != 1].reset_index(drop=True)


def with_first_row_twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table.iloc[[0]], table], ignore_index=True)


def with_rows_swapped(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[[1, 0, *range(2, len(table))]].reset_index(drop=True)


def with_a_column_more(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(more=1)


def with_columns_swapped(table: pd.DataFrame) -> pd.DataFrame:
    return table[[*table.columns[1::-1], *table.columns[2:]]]


def with_eleven(table: pd.DataFrame) -> pd.DataFrame:
    first = table["to_artist_id"].iloc[0]
    rest = table[table["to_artist_id"] != first]
    ids = MATRIX.artist_ids[MATRIX.artist_ids != first][:11]
    eleven = pd.concat([table.iloc[[0]]] * 11).assign(artist_id=ids, rank=range(1, 12))
    return pd.concat([eleven, rest], ignore_index=True)


TOP_VIOLATIONS: list[tuple[Rule, Plant, str]] = [
    (rules.every_user_has_ten, without_last_row, "users_with_another_length"),
    (rules.every_user_has_ten, with_first_row_twice, "users_with_another_length"),
    (rules.every_user_has_ten, without_first_user, "users_with_another_length"),
    (rules.every_user_has_ten, with_a_stranger, "unknown_users"),
    (rules.no_artist_twice, with_first_row_twice, "doubled"),
    (rules.none_already_played, put(0, artist_id=10), "already_played"),
    (rules.artists_are_known, put(0, artist_id=999), "unknown"),
    (rules.artists_are_known, put(0, artist_name="Somebody"), "misnamed"),
    (rules.ranks_run_from_one, put(0, rank=2), "misplaced"),
    (rules.ranks_run_from_one, with_rows_swapped, "misplaced"),
    (rules.scores_do_not_rise, put(2, score=0.99), "rising"),
    (rules.scores_do_not_rise, put(0, score=1.01), "score_outside"),
    (rules.scores_do_not_rise, put(-1, score=-0.01), "score_outside"),
    (rules.scores_do_not_rise, put(-1, score=np.nan), "score_outside"),
    (rules.lists_are_varied, with_the_same_for_all, "equally_often"),
    (rules.table_is_whole, put(0, because=None), "missing_values"),
    (rules.table_is_whole, with_a_column_more, "wrong_columns"),
    (rules.table_is_whole, with_columns_swapped, "wrong_columns"),
]
SIMILAR_VIOLATIONS: list[tuple[Rule, Plant, str]] = [
    (rules.similar_lists_are_whole, with_a_column_more, "wrong_columns"),
    (rules.similar_lists_are_whole, put(0, because=None), "missing_values"),
    (rules.similar_lists_are_whole, put(0, artist_id=999), "unknown_artists"),
    (rules.similar_lists_are_whole, put(0, to_artist_id=999), "unknown_artists"),
    (rules.no_relative_twice, put(0, artist_id=10), "themselves"),
    (rules.no_relative_twice, with_first_row_twice, "doubled"),
    (rules.no_relative_twice, with_eleven, "too_long"),
    (rules.similar_ranks_and_scores, with_rows_swapped, "misplaced"),
    (rules.similar_ranks_and_scores, put(0, similarity=1.5), "similarity_outside"),
    (rules.similar_ranks_and_scores, put(0, score=-0.5), "score_outside"),
    (rules.similar_ranks_and_scores, put(2, score=1.0), "rising"),
]


def judged_top(rule: Rule, table: pd.DataFrame) -> Finding:
    return rule(table, INTERACTIONS, ARTISTS)


def test_the_world_is_as_the_violations_need_it() -> None:
    sizes = lists().groupby("user_id").size()
    assert sizes[1] == 3
    assert (sizes <= 10).all()
    assert lists()["user_id"].iloc[-1] != 1
    assert similar()["to_artist_id"].iloc[:3].tolist() == [10, 10, 10]
    assert similar()["score"].iloc[1] < 1
    assert lists()["score"].iloc[1] < 0.99


@pytest.mark.parametrize("rule", rules.TOP_ARTISTS_RULES, ids=lambda rule: rule.__name__)
def test_sound_lists_pass(rule: Rule) -> None:
    finding = judged_top(rule, lists())
    assert finding.passed, finding.facts


@pytest.mark.parametrize("rule", rules.SIMILAR_ARTISTS_RULES, ids=lambda rule: rule.__name__)
def test_sound_relatives_pass(rule: Rule) -> None:
    finding = rule(similar(), ARTISTS)
    assert finding.passed, finding.facts


@pytest.mark.parametrize(
    ("rule", "plant", "fact"),
    TOP_VIOLATIONS,
    ids=[f"{rule.__name__}-{fact}" for rule, _, fact in TOP_VIOLATIONS],
)
def test_a_planted_violation_of_lists_is_found(rule: Rule, plant: Plant, fact: str) -> None:
    finding = judged_top(rule, plant(lists()))
    assert not finding.passed
    assert finding.facts[fact] >= 1


@pytest.mark.parametrize(
    ("rule", "plant", "fact"),
    SIMILAR_VIOLATIONS,
    ids=[f"{rule.__name__}-{fact}" for rule, _, fact in SIMILAR_VIOLATIONS],
)
def test_a_planted_violation_of_relatives_is_found(rule: Rule, plant: Plant, fact: str) -> None:
    finding = rule(plant(similar()), ARTISTS)
    assert not finding.passed
    assert finding.facts[fact] >= 1


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, *_ in TOP_VIOLATIONS} == set(rules.TOP_ARTISTS_RULES)
    assert {rule for rule, *_ in SIMILAR_VIOLATIONS} == set(rules.SIMILAR_ARTISTS_RULES)


def test_every_rule_says_in_one_line_what_must_hold() -> None:
    every = [
        *rules.TOP_ARTISTS_RULES,
        *rules.SIMILAR_ARTISTS_RULES,
        rules.readers_see_what_was_checked,
    ]
    for rule in every:
        assert rule.__doc__.endswith(".")
        assert "\n" not in rule.__doc__


def test_readers_see_the_checked_table_and_no_other() -> None:
    assert rules.readers_see_what_was_checked(lists(), lists()).passed
    assert rules.readers_see_what_was_checked(without_last_row(lists()), lists(), held=True).passed
    assert not rules.readers_see_what_was_checked(without_last_row(lists()), lists()).passed
    assert not rules.readers_see_what_was_checked(put(0, score=0.5)(lists()), lists()).passed
    assert not rules.readers_see_what_was_checked(with_rows_swapped(lists()), lists()).passed


class TestVariety:
    """On the bundled sample, as each model would serve it."""

    def found(self, name: str) -> Finding:
        model = train(name, sample(), side=SideTables.none(), seed=0)
        table = top_artists(model, sample(), sample_names())
        return rules.lists_are_varied(table, tables().interactions, tables().artists)

    @pytest.mark.parametrize("name", ["item_knn", "als"])
    def test_is_there_where_a_model_knows_its_users(self, name: str) -> None:
        finding = self.found(name)
        assert finding.passed
        assert finding.facts["equally_often"] > 3 * rules.MIN_EQUAL_ARTISTS
        assert finding.facts["share_of_catalogue"] > 0.5

    def test_is_missing_where_everybody_gets_the_hits(self) -> None:
        finding = self.found("popularity")
        assert not finding.passed
        assert 10 <= finding.facts["equally_often"] < rules.MIN_EQUAL_ARTISTS / 2
        assert finding.facts["different_artists"] < 50

    def test_counts_artists_as_if_named_equally_often(self) -> None:
        rows = pd.DataFrame({"artist_id": [1, 1, 2, 2, 3, 3, 4, 4]})
        finding = rules.lists_are_varied(rows, INTERACTIONS, ARTISTS)
        assert finding.facts["equally_often"] == pytest.approx(4)
        uneven = pd.DataFrame({"artist_id": [1, 1, 1, 2]})
        finding = rules.lists_are_varied(uneven, INTERACTIONS, ARTISTS)
        assert finding.facts["equally_often"] == pytest.approx(1 / (0.75**2 + 0.25**2))

    def test_is_not_asked_of_few(self) -> None:
        """Three users, alike, in a large catalogue: nobody could tell."""
        three = pd.DataFrame({"user_id": [1, 2, 3], "artist_id": [1, 1, 1]})
        catalogue = pd.DataFrame({"artist_id": range(5000)})
        same = pd.DataFrame({"artist_id": [*range(2, 12)] * 3})
        assert rules.lists_are_varied(same, three, catalogue).passed


class TestRequireSound:
    def test_sound_findings_pass(self) -> None:
        require_sound("top_artists", {"whole": Finding(passed=True, facts={"missing": 0})})
        require_sound("top_artists", {})

    def test_one_broken_rule_stops_the_table_and_names_its_figures(self) -> None:
        findings = {
            "whole": Finding(passed=True, facts={"missing": 0}),
            "no_artist_twice": Finding(passed=False, facts={"doubled": 3, "users": 2}),
            "ranks": Finding(passed=False, facts={"misplaced": 1}),
        }
        expected = (
            r"top_artists breaks 2 rule\(s\), first no_artist_twice \(doubled 3, users 2\); "
            "expected none; nothing is published"
        )
        with pytest.raises(GateRefusedError, match=expected):
            require_sound("top_artists", findings)


def test_services_must_see_what_readers_see_where_there_is_a_database() -> None:
    rule = rules.services_see_what_readers_see
    assert rule("abc", "abc").passed
    assert not rule("abc", "abd").passed
    assert not rule("abc", None).passed
    assert rule("abc", None, wanted=False).passed


class TestPairsInBoth:
    """Found whatever the order of the rows and however many are looked at at once."""

    @pytest.mark.parametrize("at_once", [1, 7, 2**20])
    @pytest.mark.parametrize("shuffled", [False, True])
    def test_are_those_of_a_merge(
        self, *, at_once: int, shuffled: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rules, "_PAIRS", at_once)
        rng = np.random.default_rng(3)
        listed, played = (
            pd.DataFrame(
                {"user_id": rng.integers(-9, 20, n), "artist_id": rng.integers(0, 2**40, n)}
            )
            for n in (60, 200)
        )
        listed.loc[::3, :] = played.iloc[: len(listed.loc[::3])].to_numpy()
        if not shuffled:
            played = played.sort_values(["user_id", "artist_id"], ignore_index=True)
        both = len(listed.merge(played, on=["user_id", "artist_id"]))
        finding = rules.none_already_played(listed, played, ARTISTS)
        assert both >= 20
        assert finding.facts == {"already_played": both}

    def test_are_none_where_nothing_is_listed_or_nothing_played(self) -> None:
        nothing = INTERACTIONS.iloc[:0]
        assert rules.none_already_played(nothing, INTERACTIONS, ARTISTS).passed
        assert rules.none_already_played(INTERACTIONS, nothing, ARTISTS).passed

    def test_leave_rows_aside_that_name_nobody(self) -> None:
        gap = INTERACTIONS.astype({"artist_id": "float64"})
        gap.loc[gap.index[0], "artist_id"] = np.nan
        found = rules.none_already_played(gap, INTERACTIONS, ARTISTS)
        assert found.facts == {"already_played": len(INTERACTIONS) - 1}
