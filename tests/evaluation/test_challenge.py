"""A better model takes over, a worse one never does, and an operator has the last word."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation.challenge import (
    MARGIN,
    Choice,
    Contest,
    Serving,
    candidate_row,
    choose,
)
from lastfm_assets.evaluation.gate import Champion, choose_champion, with_its_reason
from lastfm_assets.evaluation.leaderboard import Evaluation, leaderboard
from lastfm_assets.evaluation.metrics import METRICS
from lastfm_assets.models.trained import code_of, fingerprint, model_named

USERS = np.arange(1, 201)
TASTE = np.random.default_rng(0).random(200) * 0.6
NOISE = np.random.default_rng(1).normal(0, 0.1, 200)
VALIDATION = {"als": 0.3, "item_knn": 0.2, "popularity": 0.05}


def evaluation(
    model: str, held_out: np.ndarray, *, validation: float | None = None, **parameters: object
) -> Evaluation:
    """Every metric of a user is the same number; train and validation are alike for all users."""
    config = model_named(model).Config.model_validate(parameters)
    parts = {
        "train": np.full(len(USERS), 0.9),
        "validation": np.full(len(USERS), validation or VALIDATION[model]),
        "held_out": held_out,
    }
    tables = [
        pd.DataFrame({"part": part, "user_id": USERS} | {f"{m}@10": figures for m in METRICS})
        for part, figures in parts.items()
    ]
    return Evaluation(
        model,
        json.dumps(config.model_dump()),
        0,
        fingerprint(model, config, seed=0, data="matrix", side="", code=code_of(model)),
        {},
        pd.concat(tables, ignore_index=True),
    )


def world(als: np.ndarray, item_knn: np.ndarray) -> dict[str, Evaluation]:
    """Als is best on validation, and so the challenger of whoever serves."""
    return {
        "als": evaluation("als", als),
        "item_knn": evaluation("item_knn", item_knn),
        "popularity": evaluation("popularity", TASTE / 10),
    }


def board(models: dict[str, Evaluation]) -> pd.DataFrame:
    return leaderboard(list(models.values()), pd.Series([10] * len(USERS)), seed=0)


def chosen(
    models: dict[str, Evaluation], serving: Serving | None = None, pinned: str | None = None
) -> Choice:
    return choose(board(models), models, serving=serving, pinned=pinned, seed=0)


def crowned(models: dict[str, Evaluation], choice: Choice, *, at_least: float = 0.1) -> Champion:
    return choose_champion(
        board(models), choice, data="matrix", side="", pairs="pairs", min_precision=at_least
    )


BETTER = world(als=TASTE + 0.05 + NOISE / 2, item_knn=TASTE)
ALIKE = world(als=TASTE + NOISE / 100, item_knn=TASTE)
UNSURE = world(als=TASTE + NOISE - NOISE.mean(), item_knn=TASTE)
WORSE = world(als=TASTE - 0.05 + NOISE / 2, item_knn=TASTE)


def served(models: dict[str, Evaluation], name: str = "item_knn") -> Serving:
    return Serving(name, models[name])


class TestAChallenger:
    def test_that_is_better_takes_over(self) -> None:
        choice = chosen(BETTER, served(BETTER))
        assert choice.row["model"] == choice.challenger == "als"
        assert choice.serving == "item_knn"
        assert choice.contest.low > 0
        assert choice.because.startswith(
            "best of 3 models on validation, ndcg@10 0.3000 against 0.2000 of item_knn; "
            "replaces item_knn: held-out ndcg@10 differs by +0.0"
        )

    def test_that_is_as_good_takes_over(self) -> None:
        choice = chosen(ALIKE, served(ALIKE))
        assert -MARGIN <= choice.contest.low < 0
        assert choice.row["model"] == "als"

    @pytest.mark.parametrize("models", [WORSE, UNSURE], ids=["worse", "nobody knows"])
    def test_that_may_be_worse_does_not(self, models: dict[str, Evaluation]) -> None:
        choice = chosen(models, served(models))
        assert choice.contest.low < -MARGIN
        assert choice.row["model"] == "item_knn"
        assert choice.challenger == "als"
        assert choice.because.startswith(
            "item_knn stays: als, best of 3 models on validation, ndcg@10 0.3000 against 0.2000 of "
            "item_knn, is not as good for sure, held-out ndcg@10 differs by "
        )
        assert "\n" not in choice.because

    def test_that_served_before_has_nobody_to_beat(self) -> None:
        choice = chosen(WORSE, served(WORSE, "als"))
        assert choice.row["model"] == "als"
        assert choice.contest is None
        assert choice.because.endswith("of item_knn; it served before")

    def test_is_not_held_against_a_model_that_is_gone(self) -> None:
        choice = chosen(WORSE, Serving("slope_one", None))
        assert choice.row["model"] == "als"
        assert choice.serving == "slope_one"
        assert choice.because.endswith("; slope_one, which served before, cannot be fitted now")

    def test_has_to_be_the_one_of_the_leaderboard(self) -> None:
        models = {**WORSE, "als": replace(WORSE["als"], fingerprint="0" * 64)}
        with pytest.raises(GateRefusedError, match="evaluation/als is not what the leaderboard"):
            choose(board(WORSE), models, serving=served(WORSE), pinned=None, seed=0)

    def test_without_a_figure_never_takes_over(self) -> None:
        models = world(als=np.full(len(USERS), math.nan), item_knn=TASTE)
        assert chosen(models, served(models)).row["model"] == "item_knn"

    def test_may_be_the_serving_model_with_other_parameters(self) -> None:
        """The leaderboard has one row a model: the parameters that serve are judged beside it."""
        before = evaluation("als", TASTE + 0.05, validation=0.28, factors=7)
        choice = chosen(WORSE, Serving("als", before))
        assert json.loads(choice.row["parameters"])["factors"] == 7
        assert choice.row["validation_ndcg@10"] == pytest.approx(0.28)
        assert choice.because.startswith("als as it was set before stays: als, best of 3 models")
        champion = crowned(WORSE, choice)
        assert champion.parameters["factors"] == 7
        assert champion.fingerprint == before.fingerprint
        assert champion.precision_low < champion.precision < champion.precision_high
        better = Serving("als", evaluation("als", TASTE - 0.2, validation=0.28, factors=7))
        assert json.loads(chosen(WORSE, better).row["parameters"])["factors"] != 7


class TestTheContest:
    def test_is_on_the_users_that_both_were_judged_for(self) -> None:
        both = Contest.of(BETTER["als"], BETTER["item_knn"], seed=0)
        table = BETTER["item_knn"].per_user
        fewer = replace(BETTER["item_knn"], per_user=table[table["user_id"] <= 50])
        found = Contest.of(BETTER["als"], fewer, seed=0)
        assert found.difference == pytest.approx(float((0.05 + NOISE / 2)[:50].mean()))
        assert both.difference == pytest.approx(float((0.05 + NOISE / 2).mean()))
        assert found.high - found.low > both.high - both.low

    def test_is_of_the_same_size_either_way(self) -> None:
        one = Contest.of(WORSE["als"], WORSE["item_knn"], seed=0)
        other = Contest.of(WORSE["item_knn"], WORSE["als"], seed=0)
        assert one.difference == pytest.approx(-other.difference)
        assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))

    @pytest.mark.parametrize(
        ("low", "won"), [(-MARGIN, True), (-MARGIN - 1e-9, False), (0.1, True), (math.nan, False)]
    )
    def test_is_won_down_to_the_margin(self, low: float, *, won: bool) -> None:
        assert Contest(0.0, low, 0.2).won is won

    def test_is_won_by_a_twin(self) -> None:
        assert Contest.of(WORSE["als"], WORSE["als"], seed=0) == Contest(0.0, 0.0, 0.0)


class TestTheChampion:
    def test_keeps_the_figures_of_the_contest(self) -> None:
        choice = chosen(WORSE, served(WORSE))
        champion = crowned(WORSE, choice)
        assert champion.model == "item_knn"
        assert (champion.challenger, champion.serving) == ("als", "item_knn")
        found = (champion.difference, champion.low, champion.high)
        assert found == (choice.contest.difference, choice.contest.low, choice.contest.high)
        assert champion.margin == MARGIN
        assert champion.because == f"{choice.because}; held-out precision@10 {TASTE.mean():.4f}"
        assert champion.precision == pytest.approx(TASTE.mean())
        assert champion.validation_ndcg == pytest.approx(0.2)

    def test_must_pass_the_gate_though_it_served_before(self) -> None:
        with pytest.raises(GateRefusedError, match=r"^item_knn: held-out precision@10 is"):
            crowned(WORSE, chosen(WORSE, served(WORSE)), at_least=0.5)

    def test_must_be_of_the_present_data_though_it_served_before(self) -> None:
        old = replace(WORSE["item_knn"], fingerprint="0" * 64)
        with pytest.raises(GateRefusedError, match="figures for item_knn are of another model"):
            crowned(WORSE, chosen(WORSE, Serving("item_knn", old)))


class TestARerun:
    def test_that_finds_the_same_keeps_the_record_of_the_contest(self) -> None:
        first = crowned(BETTER, chosen(BETTER, served(BETTER)))
        again = crowned(BETTER, chosen(BETTER, served(BETTER, "als")))
        assert again.because != first.because
        assert with_its_reason(again, first) == first
        assert with_its_reason(first, None) == first

    def test_on_other_plays_makes_its_own(self) -> None:
        first = crowned(BETTER, chosen(BETTER))
        again = crowned(BETTER, chosen(BETTER, served(BETTER, "als")))
        assert with_its_reason(again, first) == first
        other_plays = first.model_copy(update={"pairs": "older pairs"})
        assert with_its_reason(again, other_plays) == again

    def test_after_a_pin_makes_its_own(self) -> None:
        first = crowned(BETTER, chosen(BETTER, pinned="als"))
        again = crowned(BETTER, chosen(BETTER, served(BETTER, "als")))
        assert with_its_reason(again, first) == again

    def test_with_a_contest_of_its_own_tells_of_that(self) -> None:
        first = crowned(BETTER, chosen(BETTER))
        again = crowned(BETTER, chosen(BETTER, served(BETTER)))
        assert again.difference is not None
        assert with_its_reason(again, first) == again

    def test_where_nobody_has_served_stands_by_itself(self) -> None:
        first = crowned(BETTER, chosen(BETTER))
        assert first.difference is None
        assert with_its_reason(first, None) == first

    def test_that_refuses_a_challenger_says_so(self) -> None:
        first = crowned(WORSE, chosen(WORSE, pinned="item_knn"))
        again = crowned(WORSE, chosen(WORSE, served(WORSE)))
        assert with_its_reason(again, first) == again


class TestAPin:
    def test_makes_champion_whoever_is_better(self) -> None:
        choice = chosen(WORSE, served(WORSE, "als"), pinned="item_knn")
        champion = crowned(WORSE, choice)
        assert champion.model == "item_knn"
        assert champion.pinned
        assert (champion.challenger, champion.serving) == ("als", "als")
        assert champion.because.startswith(
            "pinned by LASTFM_CHAMPION; best would have been als, ndcg@10 on validation 0.3000 "
            "against 0.2000; held-out precision@10 "
        )

    def test_of_the_best_says_that_it_is(self) -> None:
        choice = chosen(WORSE, served(WORSE), pinned="als")
        assert choice.row["model"] == "als"
        assert choice.because.startswith("pinned by LASTFM_CHAMPION, and best of 3 models")

    def test_does_not_lift_a_threshold(self) -> None:
        with pytest.raises(GateRefusedError, match=r"popularity: .* is 1\.00 times"):
            crowned(WORSE, chosen(WORSE, pinned="popularity"), at_least=0.01)
        with pytest.raises(GateRefusedError, match=r"item_knn: held-out precision@10 is"):
            crowned(WORSE, chosen(WORSE, pinned="item_knn"), at_least=0.5)

    def test_of_a_model_that_was_not_evaluated_is_refused(self) -> None:
        with pytest.raises(GateRefusedError, match="LASTFM_CHAMPION is lightfm, which was not"):
            chosen(WORSE, pinned="lightfm")

    def test_is_what_the_gate_checks_look_at(self) -> None:
        assert candidate_row(board(WORSE), "item_knn")["model"] == "item_knn"
        assert candidate_row(board(WORSE), None)["model"] == "als"
