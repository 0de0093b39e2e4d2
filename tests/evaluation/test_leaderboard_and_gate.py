"""Which model wins, on what evidence, and what it must reach before anybody sees its lists."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.evaluation import gate
from lastfm_assets.evaluation.challenge import MARGIN, best_row, choose
from lastfm_assets.evaluation.comparison import compare
from lastfm_assets.evaluation.gate import (
    MIN_OVER_POPULARITY,
    MIN_PRECISION,
    MIN_PRECISION_ELSEWHERE,
    Champion,
    choose_champion,
    min_precision_for,
    popularity_precision,
    popularity_verdict,
    precision_verdict,
    require_approved,
    threshold_now,
)
from lastfm_assets.evaluation.leaderboard import Evaluation, held_out_figures, leaderboard
from lastfm_assets.evaluation.metrics import METRICS, bootstrap_interval
from lastfm_assets.models import trained
from lastfm_assets.models.als import Als
from lastfm_assets.models.trained import code_of, fingerprint, model_named

SIZES = pd.Series([12, 4, 10, 2])
"""Artists held out for each of four users."""


def judged(model: str, *, code: str | None = None) -> str:
    """Fingerprint of a model with its default parameters on `matrix` and, if it looks, `side`."""
    kind = model_named(model)
    return fingerprint(
        model,
        kind.Config(),
        seed=0,
        data="matrix",
        side="side" if kind.needs_side else "",
        code=code or code_of(model),
    )


def evaluation(model: str, *, validation: float, held_out: list[float]) -> Evaluation:
    """One model's figures: every metric of a user is the same number."""
    rows = [("train", user, 0.9) for user in range(1, 5)]
    rows += [("validation", user, validation) for user in range(1, 5)]
    rows += [("held_out", user, value) for user, value in enumerate(held_out, start=1)]
    table = pd.DataFrame(rows, columns=["part", "user_id", "figure"])
    for metric in METRICS:
        table[f"{metric}@10"] = table["figure"]
    config = model_named(model).Config()
    return Evaluation(
        model=model,
        parameters=json.dumps(config.model_dump()),
        seed=0,
        fingerprint=judged(model),
        beyond_accuracy={"coverage@10": 0.25},
        per_user=table.drop(columns="figure"),
    )


def board(**validation_and_precision: tuple[float, float]) -> pd.DataFrame:
    """A leaderboard of models with a validation ndcg and a held-out precision each."""
    evaluations = [
        evaluation(name, validation=validation, held_out=[precision] * 4)
        for name, (validation, precision) in validation_and_precision.items()
    ]
    return leaderboard(evaluations, SIZES, seed=0)


def chosen(
    table: pd.DataFrame, *, data: str = "matrix", side: str = "side", at_least: float = 0.1
) -> Champion:
    """The first champion that a store has seen."""
    choice = choose(table, {}, serving=None, pinned=None, seed=0)
    return choose_champion(
        table, choice, data=data, side=side, pairs="pairs", min_precision=at_least
    )


SOUND = {"als": (0.3, 0.30), "item_knn": (0.2, 0.28), "popularity": (0.05, 0.1)}


class TestLeaderboard:
    def test_the_best_on_validation_stands_first_whatever_held_out_says(self) -> None:
        table = board(popularity=(0.1, 0.5), item_knn=(0.3, 0.2), als=(0.2, 0.9))
        assert table["model"].tolist() == ["item_knn", "als", "popularity"]
        assert list(table.index) == [0, 1, 2]

    def test_equals_stand_by_name(self) -> None:
        table = board(popularity=(0.2, 0.1), lightfm=(0.2, 0.1), als=(0.2, 0.1))
        assert table["model"].tolist() == ["als", "lightfm", "popularity"]

    def test_every_part_and_metric_has_its_mean(self) -> None:
        held_out = [0.1, 0.2, 0.3, 0.6]
        table = leaderboard([evaluation("als", validation=0.4, held_out=held_out)], SIZES, seed=0)
        (row,) = table.to_dict("records")
        for metric in METRICS:
            assert row[f"held_out_{metric}@10"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.6) / 4)
            assert row[f"validation_{metric}@10"] == pytest.approx(0.4)
            assert row[f"train_{metric}@10"] == pytest.approx(0.9)
        assert row["users"] == 4
        assert json.loads(row["parameters"]) == model_named("als").Config().model_dump()

    def test_its_columns_are_these(self) -> None:
        figures = [f"{p}_{m}@10" for p in ("held_out", "train", "validation") for m in METRICS]
        bounds = [f"held_out_{m}@10_{end}" for m in METRICS for end in ("low", "high")]
        expected = {"model", "verdict", "users", "parameters", "seed", "fingerprint"}
        columns = list(board(**SOUND).columns)
        assert set(columns) == {
            *expected,
            *figures,
            *bounds,
            "held_out_precision_ceiling@10",
            "held_out_coverage@10",
        }
        assert len(columns) == len(set(columns))
        assert columns[:3] == ["model", "validation_ndcg@10", "held_out_precision@10"]

    def test_a_metric_of_another_name_is_shown_like_the_others(self) -> None:
        one = evaluation("als", validation=0.4, held_out=[0.1, 0.2, 0.3, 0.6])
        more = replace(one, per_user=one.per_user.assign(auc=one.per_user["ndcg@10"] / 2))
        (row,) = leaderboard([more], SIZES, seed=0).to_dict("records")
        for end in ("", "_low", "_high"):
            expected = row[f"held_out_ndcg@10{end}"] / 2
            assert row[f"held_out_auc{end}"] == pytest.approx(expected)
        assert row["train_auc"] == pytest.approx(0.45)

    @pytest.mark.parametrize("metric", METRICS)
    def test_intervals_lie_around_their_means(self, metric: str) -> None:
        held_out = [0.1, 0.2, 0.3, 0.6]
        table = leaderboard([evaluation("als", validation=0.4, held_out=held_out)], SIZES, seed=0)
        (row,) = table.to_dict("records")
        mean = row[f"held_out_{metric}@10"]
        low, high = (row[f"held_out_{metric}@10_{end}"] for end in ("low", "high"))
        assert 0.1 <= low < mean < high <= 0.6

    def test_intervals_are_those_of_each_metric_alone(self) -> None:
        figures = np.random.default_rng(1).random(50)
        one = evaluation("als", validation=0.4, held_out=figures.tolist())
        (row,) = leaderboard([one], SIZES, seed=3).to_dict("records")
        found = (row["held_out_recall@10_low"], row["held_out_recall@10_high"])
        assert found == pytest.approx(bootstrap_interval(figures, seed=3))

    def test_each_model_is_told_how_it_stands_to_the_best(self) -> None:
        rng = np.random.default_rng(0)
        taste = rng.random(200)
        table = leaderboard(
            [
                evaluation("popularity", validation=0.1, held_out=(taste / 2).tolist()),
                evaluation(
                    "item_knn", validation=0.2, held_out=(taste + rng.normal(0, 0.1, 200)).tolist()
                ),
                evaluation("als", validation=0.3, held_out=taste.tolist()),
                evaluation("lightfm", validation=0.25, held_out=(taste + 0.1).tolist()),
            ],
            SIZES,
            seed=0,
        )
        assert table.set_index("model")["verdict"].to_dict() == {
            "als": "best",
            "lightfm": "beats als",
            "item_knn": "no difference seen from als",
            "popularity": "als beats this one",
        }

    def test_it_and_the_comparison_say_the_same(self) -> None:
        rng = np.random.default_rng(2)
        taste = rng.random(120)
        models = [
            evaluation(
                name, validation=0.1, held_out=(taste + rng.normal(shift, 0.2, 120)).tolist()
            )
            for name, shift in (("als", 0.05), ("item_knn", 0.05), ("lightfm", -0.05))
        ]
        table = leaderboard(models, SIZES, seed=7)
        pairs = compare(held_out_figures(models, "ndcg@10"), seed=7)
        beaten = {row.model_b for row in pairs.itertuples() if row.verdict == f"als beats {row[2]}"}
        said = table.loc[table["verdict"] == "als beats this one", "model"]
        assert set(said) == beaten == {"lightfm"}

    def test_intervals_depend_on_the_seed_alone(self) -> None:
        figures = np.random.default_rng(0).random(40).tolist()
        one = [evaluation("als", validation=0.4, held_out=figures)]
        pd.testing.assert_frame_equal(
            leaderboard(one, SIZES, seed=1), leaderboard(one, SIZES, seed=1)
        )
        low = "held_out_precision@10_low"
        lows = {float(leaderboard(one, SIZES, seed=seed)[low].iloc[0]) for seed in range(8)}
        assert len(lows) > 1

    def test_the_ceiling_is_what_perfect_lists_would_reach(self) -> None:
        ceilings = board(**SOUND)["held_out_precision_ceiling@10"]
        assert ceilings.tolist() == pytest.approx([(10 + 4 + 10 + 2) / 4 / 10] * 3)

    def test_a_part_is_given_without_its_name(self) -> None:
        part = evaluation("als", validation=0.4, held_out=[0.1, 0.2]).part("held_out")
        assert list(part.columns) == ["user_id", *(f"{metric}@10" for metric in METRICS)]
        assert part["precision@10"].tolist() == [0.1, 0.2]
        assert list(part.index) == [0, 1]


class TestChampion:
    def test_it_is_the_best_on_validation_even_if_another_is_better_on_held_out(self) -> None:
        champion = chosen(board(item_knn=(0.3, 0.25), als=(0.2, 0.9), popularity=(0.1, 0.1)))
        assert champion.model == "item_knn"
        assert champion.precision == pytest.approx(0.25)

    def test_the_order_of_rows_does_not_matter(self) -> None:
        table = board(**SOUND)
        assert chosen(table.iloc[::-1]) == chosen(table)
        assert chosen(table.iloc[::-1].reset_index(drop=True)).model == "als"

    def test_it_carries_its_evidence(self) -> None:
        champion = chosen(board(**SOUND), at_least=0.2)
        assert champion.parameters == model_named("als").Config().model_dump()
        assert champion.pairs == "pairs"
        assert champion.min_precision == 0.2
        assert champion.validation_ndcg == pytest.approx(0.3)
        assert champion.popularity_precision == pytest.approx(0.1)
        assert champion.precision_low <= champion.precision <= champion.precision_high
        assert champion.fingerprint == judged("als")
        assert champion.code == code_of("als")
        assert champion.because == (
            "best of 3 models on validation, ndcg@10 0.3000 against 0.2000 of item_knn; "
            "no model served before; held-out precision@10 0.3000"
        )
        assert (champion.challenger, champion.serving, champion.pinned) == ("als", None, False)
        assert (champion.difference, champion.low, champion.high) == (None, None, None)
        assert champion.margin == MARGIN

    def test_it_survives_json(self) -> None:
        champion = chosen(board(**SOUND))
        assert Champion.model_validate_json(champion.model_dump_json()) == champion
        with pytest.raises(ValidationError, match="surplus"):
            Champion.model_validate({**champion.model_dump(), "surplus": 1})

    def test_exactly_the_threshold_is_enough(self) -> None:
        table = board(als=(0.3, 0.25), popularity=(0.1, 0.125))
        assert chosen(table, at_least=0.25).model == "als"

    def test_below_the_threshold_nothing_is_published(self) -> None:
        refused = r"als: held-out precision@10 is 0\.3000, expected at least 0\.3001"
        with pytest.raises(GateRefusedError, match=refused) as caught:
            chosen(board(**SOUND), at_least=0.3001)
        assert "\n" not in str(caught.value)

    def test_below_twice_popularity_nothing_is_published(self) -> None:
        with pytest.raises(GateRefusedError, match=r"is 1\.90 times that of popularity"):
            chosen(board(als=(0.3, 0.19), popularity=(0.1, 0.1)))

    def test_popularity_itself_is_never_published(self) -> None:
        with pytest.raises(GateRefusedError, match=r"popularity: .* is 1\.00 times"):
            chosen(board(als=(0.1, 0.3), popularity=(0.2, 0.2)))

    def test_without_popularity_to_compare_with_nothing_is_published(self) -> None:
        with pytest.raises(GateRefusedError, match="times that of popularity"):
            chosen(board(als=(0.3, 0.3)))

    @pytest.mark.parametrize("nothing", [0.0, math.nan])
    def test_popularity_without_a_hit_is_no_baseline(self, nothing: float) -> None:
        with pytest.raises(GateRefusedError, match="times that of popularity"):
            chosen(board(als=(0.3, 0.3), popularity=(0.1, nothing)))

    def test_a_held_out_figure_that_is_no_number_is_not_published(self) -> None:
        with pytest.raises(GateRefusedError, match="held-out precision@10 is nan"):
            chosen(board(als=(0.3, math.nan), popularity=(0.1, 0.1)), at_least=0.0)

    def test_a_model_without_a_validation_figure_never_wins(self) -> None:
        table = board(als=(math.nan, 0.9), item_knn=(0.2, 0.4), popularity=(0.1, 0.1))
        assert best_row(table)["model"] == "item_knn"
        assert chosen(table).model == "item_knn"

    def test_without_any_validation_figure_there_is_no_champion(self) -> None:
        # users of fewer than five artists have no pair in validation
        with pytest.raises(GateRefusedError, match="no model has a validation figure"):
            chosen(board(als=(math.nan, 0.9), popularity=(math.nan, 0.1)))

    @pytest.mark.parametrize(
        "change",
        [
            {"fingerprint": "0" * 64},
            {"fingerprint": judged("als", code="of another day")},
            {"seed": 1},
            {"parameters": '{"factors": 7}'},
        ],
        ids=["fingerprint", "code", "seed", "parameters"],
    )
    def test_figures_of_another_model_are_refused(self, change: dict[str, object]) -> None:
        table = board(**SOUND)
        for column, value in change.items():
            table.loc[0, column] = value
        with pytest.raises(
            GateRefusedError, match="are of another model, of older data or of older code"
        ):
            chosen(table)

    def test_figures_of_older_data_are_refused(self) -> None:
        with pytest.raises(
            GateRefusedError, match="are of another model, of older data or of older code"
        ):
            chosen(board(**SOUND), data="newer matrix")

    def test_figures_of_older_tags_are_refused_where_the_model_looks_at_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class SociableAls(Als):
            needs_side = True

        assert chosen(board(**SOUND), side="newer tags").model == "als"
        monkeypatch.setattr(trained, "MODELS", {**trained.MODELS, "als": SociableAls})
        assert chosen(board(**SOUND)).model == "als"
        with pytest.raises(GateRefusedError, match=r"current matrix: run a whole refresh$"):
            chosen(board(**SOUND), side="newer tags")


class TestRequireApproved:
    def test_what_was_judged_may_pass(self) -> None:
        champion = chosen(board(**SOUND))
        require_approved(champion, pairs="pairs", min_precision=0.1)

    def test_other_plays_may_not(self) -> None:
        champion = chosen(board(**SOUND))
        with pytest.raises(
            GateRefusedError,
            match=r"was judged on other plays than those at hand; run a whole refresh$",
        ):
            require_approved(champion, pairs="newer pairs", min_precision=0.1)

    def test_other_code_may_not(self) -> None:
        champion = chosen(board(**SOUND)).model_copy(update={"code": "of another day"})
        with pytest.raises(
            GateRefusedError,
            match=r"was judged with other code than that at hand; run a whole refresh$",
        ):
            require_approved(champion, pairs="pairs", min_precision=0.1)

    def test_a_threshold_raised_since_holds(self) -> None:
        champion = chosen(board(**SOUND))
        with pytest.raises(GateRefusedError, match=r"expected at least 0\.5000"):
            require_approved(champion, pairs="pairs", min_precision=0.5)

    @pytest.mark.parametrize("field", ["precision", "popularity_precision"])
    def test_evidence_that_is_no_number_is_none(self, field: str) -> None:
        champion = chosen(board(**SOUND)).model_copy(update={field: math.nan})
        with pytest.raises(GateRefusedError, match=r"; nothing is published, the last lists stay$"):
            require_approved(champion, pairs="pairs", min_precision=0.0)


class TestThresholds:
    def test_each_known_source_has_its_own(self) -> None:
        for source, threshold in MIN_PRECISION.items():
            assert min_precision_for(source, None) == threshold
        assert set(MIN_PRECISION) == {"sample", "hetrec2011-lastfm-2k"}

    def test_a_source_nobody_has_measured_has_a_low_one(self) -> None:
        assert min_precision_for("custom", None) == MIN_PRECISION_ELSEWHERE
        assert min(MIN_PRECISION.values()) > MIN_PRECISION_ELSEWHERE

    def test_a_description_asks_for_its_own_threshold_but_the_operator_decides(self) -> None:
        assert min_precision_for("log", None, 0.05) == 0.05
        assert min_precision_for("log", 0.1, 0.05) == 0.1

    @pytest.mark.parametrize("override", [0.0, 0.5])
    def test_the_operator_decides(self, override: float) -> None:
        assert min_precision_for("sample", override) == override
        champion = chosen(board(**SOUND), at_least=0.15)
        assert threshold_now(champion, override) == override
        assert threshold_now(champion, None) == 0.15

    @pytest.mark.parametrize("override", [None, 0.5])
    def test_tables_of_several_sources_are_refused(self, override: float | None) -> None:
        with pytest.raises(
            GateRefusedError,
            match=r"^the tables come from several sources \(custom\+sample\), expected one; ",
        ):
            min_precision_for("custom+sample", override)

    def test_verdicts_know_their_margin(self) -> None:
        assert precision_verdict(0.2, 0.15).passed
        assert precision_verdict(0.2, 0.15).margin == pytest.approx(0.05)
        assert not precision_verdict(0.1, 0.15).passed
        assert precision_verdict(0.1, 0.15).margin == pytest.approx(-0.05)
        assert popularity_verdict(0.2, 0.1).actual == pytest.approx(2)
        assert popularity_verdict(0.2, 0.1).threshold == MIN_OVER_POPULARITY == 2

    @pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
    def test_only_a_finite_figure_passes(self, figure: float) -> None:
        assert not precision_verdict(figure, 0.0).passed
        assert not popularity_verdict(figure, 0.1).passed

    def test_the_baseline_is_popularity(self) -> None:
        assert popularity_precision(board(**SOUND)) == pytest.approx(0.1)
        assert math.isnan(popularity_precision(board(als=(0.3, 0.3))))
        assert gate.BASELINE == "popularity"


def test_the_champion_is_chosen_from_users_not_from_a_lucky_one() -> None:
    lucky = evaluation("als", validation=0.2, held_out=[1.0, 0.0, 0.0, 0.0])
    steady = evaluation("item_knn", validation=0.3, held_out=[0.25, 0.25, 0.25, 0.25])
    table = leaderboard([lucky, steady], SIZES, seed=0)
    assert np.allclose(table["held_out_precision@10"], 0.25)
    width = table["held_out_precision@10_high"] - table["held_out_precision@10_low"]
    assert table["model"].tolist() == ["item_knn", "als"]
    assert width.tolist()[0] == 0
    assert width.tolist()[1] > 0.5
