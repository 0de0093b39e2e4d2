"""Each rule of evaluations passes a sound table and finds a planted violation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.evaluation import rules
from lastfm_assets.evaluation.comparison import compare
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.evaluation.rules import every_user_is_in_one_segment
from lastfm_assets.evaluation.segments import SEGMENTS
from lastfm_assets.findings import Rule

SPLIT = pd.DataFrame(
    {
        "user_id": [1, 1, 2, 2, 3],
        "artist_id": [10, 11, 10, 12, 10],
        "plays": 1,
        "part": ["train", "held_out", "train", "held_out", "train"],
    }
)
ROWS = [("train", 1, 0.5), ("train", 2, 1.0), ("held_out", 1, 0.0), ("held_out", 2, 0.5)]


def evaluation(rows: list[tuple[str, int, float]]) -> Evaluation:
    table = pd.DataFrame(rows, columns=["part", "user_id", "precision@10"])
    return Evaluation("als", "{}", 0, "f" * 64, {"novelty@10": 9.0}, table)


def test_a_sound_evaluation_passes_every_rule() -> None:
    assert all(rule(evaluation(ROWS), SPLIT).passed for rule in rules.EVALUATION_RULES)


def test_auc_of_a_user_with_nothing_else_to_rank_may_be_undefined() -> None:
    sound = evaluation(ROWS)
    with_auc = sound.per_user.assign(auc=[0.9, np.nan, 1.0, 0.5])
    assert rules.metrics_are_shares(replace(sound, per_user=with_auc), SPLIT).passed
    with_auc["auc"] = [0.9, np.nan, 1.1, 0.5]
    assert not rules.metrics_are_shares(replace(sound, per_user=with_auc), SPLIT).passed


VIOLATIONS = [
    (rules.metrics_are_shares, [*ROWS[:3], ("held_out", 2, 1.1)], "outside"),
    (rules.metrics_are_shares, [*ROWS[:3], ("held_out", 2, -0.1)], "outside"),
    (rules.metrics_are_shares, [*ROWS[:3], ("held_out", 2, np.nan)], "missing"),
    (rules.every_user_is_judged, ROWS[:3], "missing"),
    (rules.every_user_is_judged, [*ROWS, ("held_out", 3, 0.5)], "unexpected"),
    (rules.every_user_is_judged, [*ROWS, ROWS[3]], "doubled"),
]


@pytest.mark.parametrize(("rule", "rows", "fact"), VIOLATIONS)
def test_a_planted_violation_is_found_and_counted(
    rule: Rule, rows: list[tuple[str, int, float]], fact: str
) -> None:
    finding = rule(evaluation(rows), SPLIT)
    assert not finding.passed
    assert finding.facts[fact] == 1
    assert sum(finding.facts.values()) == 1


def planted(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Puts a value into the first row."""

    def plant(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(**{column: table[column].mask(table.index == 0, value)})

    return plant


def comparison() -> pd.DataFrame:
    figures = pd.DataFrame(np.random.default_rng(0).random((30, 3)), columns=["a", "b", "c"])
    table = compare(figures.assign(a=figures["a"] + 1), seed=0)
    return pd.concat([table.assign(metric=metric) for metric in ("ndcg@10", "precision@10")])


COMPARISON_VIOLATIONS = [
    (rules.every_pair_is_compared, lambda table: table.iloc[1:], "missing"),
    (rules.every_pair_is_compared, lambda table: pd.concat([table, table.iloc[:1]]), "doubled"),
    (
        rules.every_pair_is_compared,
        lambda table: pd.concat([table, table.iloc[:1].assign(model_b="a")]),
        "unexpected",
    ),
    (rules.comparisons_hold_together, planted("low", 9.0), "outside"),
    (rules.comparisons_hold_together, planted("high", -9.0), "outside"),
    (rules.comparisons_hold_together, planted("low", np.nan), "outside"),
    (rules.comparisons_hold_together, planted("p_adjusted", 0.0 - 1e-9), "no_share"),
    (rules.comparisons_hold_together, planted("verdict", "b beats a"), "another_verdict"),
]


@pytest.mark.parametrize("rule", rules.COMPARISON_RULES)
def test_a_sound_comparison_passes(rule: Rule) -> None:
    finding = rule(comparison())
    assert finding.passed, finding.facts


@pytest.mark.parametrize(("rule", "plant", "fact"), COMPARISON_VIOLATIONS)
def test_a_planted_violation_of_a_comparison_is_found(
    rule: Rule, plant: Callable[[pd.DataFrame], pd.DataFrame], fact: str
) -> None:
    finding = rule(plant(comparison().reset_index(drop=True)))
    assert not finding.passed
    assert finding.facts[fact] == 1
    assert sum(finding.facts.values()) == 1


def test_every_rule_has_a_planted_violation_and_one_line_that_says_it() -> None:
    assert {rule for rule, *_ in VIOLATIONS} == set(rules.EVALUATION_RULES)
    assert {rule for rule, *_ in COMPARISON_VIOLATIONS} == set(rules.COMPARISON_RULES)
    for rule in [*rules.EVALUATION_RULES, *rules.COMPARISON_RULES]:
        assert rule.__doc__.endswith(".")
        assert "\n" not in rule.__doc__


class TestEveryUserIsInOneSegment:
    def table(self) -> pd.DataFrame:
        rows = [
            (model, kind, segment, 5)
            for model in ("als", "ease")
            for kind, segments in SEGMENTS.items()
            for segment in segments
        ]
        return pd.DataFrame(rows, columns=["model", "segment_kind", "segment", "users"])

    def test_thirds_of_the_same_users_pass(self) -> None:
        assert every_user_is_in_one_segment(self.table()).passed

    def test_a_user_too_few_is_found(self) -> None:
        table = self.table()
        table.loc[3, "users"] = 4
        finding = every_user_is_in_one_segment(table)
        assert not finding.passed
        assert finding.facts["unlike"] == 1

    def test_a_segment_that_stands_twice_is_found(self) -> None:
        table = pd.concat([self.table(), self.table().iloc[:1]])
        assert not every_user_is_in_one_segment(table).passed
