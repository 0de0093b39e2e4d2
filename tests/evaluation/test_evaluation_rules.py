"""Each rule of evaluations passes a sound table and finds a planted violation."""

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.evaluation import rules
from lastfm_assets.evaluation.leaderboard import Evaluation
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
    return Evaluation("als", "{}", 0, "f" * 64, table)


def test_a_sound_evaluation_passes_every_rule() -> None:
    assert all(rule(evaluation(ROWS), SPLIT).passed for rule in rules.EVALUATION_RULES)


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


def test_every_rule_has_a_planted_violation_and_one_line_that_says_it() -> None:
    assert {rule for rule, *_ in VIOLATIONS} == set(rules.EVALUATION_RULES)
    for rule in rules.EVALUATION_RULES:
        assert rule.__doc__.endswith(".")
        assert "\n" not in rule.__doc__
