"""Nothing that misses a threshold, or has no evidence, reaches the readers; the old lists stay."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from graph_world import run_checks, run_in_process
from pipeline_world import Command, Snapshot, almost_the_sample, reader_files, snapshot

from lastfm_assets.automation.refresh import Outcome, run_refresh
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.io import Store
from lastfm_assets.models.trained import code_of, model_named
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import About
from lastfm_assets.settings import Settings

TOP = ("recommendations", "top_artists")
SIMILAR = ("recommendations", "similar_artists")
BOARD = ("evaluation", "leaderboard")
CHAMPION = ("evaluation", "champion")
GUARDED = [
    "recommendations/serving_model",
    "recommendations/top_artists",
    "recommendations/similar_artists",
    "recommendations/published",
]
"""Every asset that readers see, or that is made for them."""


def refresh(store: Path, *select: str, **settings: Any) -> Outcome:
    """As `lastfm-assets refresh --select`, in this process."""
    chosen = {"source": "sample", "store": str(store)} | settings
    return run_refresh(Settings.model_validate(chosen), select)


def assert_refused(outcome: Outcome, said: str, before: Snapshot, store: Path) -> None:
    """A refused run: exit code 1, one line that says why, and every reader's file as before."""
    assert outcome.exit_code == 1, outcome
    assert said in outcome.message
    assert outcome.message.isprintable()
    assert reader_files(store) == before


def rewrite(store: Path, key: tuple[str, str], change: Callable[[Any], Any], kind: type) -> None:
    """Replaces a stored value by a changed one, as somebody with access to the store could."""
    opened = Store(str(store))
    value, stamp = opened.read_with_stamp(key, kind)
    opened.write(key, change(value), source=stamp.source)


def best_and_another(store: Path) -> tuple[str, str]:
    """The model best on validation, and als or item_knn, whichever it is not."""
    board = Store(str(store)).read(BOARD, pd.DataFrame).set_index("model")
    best = str(board["validation_ndcg@10"].idxmax())
    return best, "als" if best != "als" else "item_knn"


def champion_of(store: Path) -> Champion:
    return Store(str(store)).read(CHAMPION, Champion)


def serves(store: Path) -> set[str]:
    """Whose lists readers see."""
    return set(seen(store)["model"])


def seen(store: Path) -> pd.DataFrame:
    """The lists that readers see."""
    return PublishedLists(Store(str(store)).root).current()[0]


def tables(store: Path) -> dict[str, str]:
    """What lies in the store itself, but not what tells of the publication and its run."""
    outside = (
        "recommendations/published/",
        "recommendations/published_profiles",
        "recommendations/drift",
        "recommendations/serving.duckdb",
    )
    return {
        name: digest for name, digest in snapshot(store).items() if not name.startswith(outside)
    }


class TestAThresholdThatIsNotReached:
    def test_fails_the_refresh_in_one_line_and_leaves_the_lists(
        self, command: Command, store: Path
    ) -> None:
        before = reader_files(store)
        ran = command("refresh", "--source", "sample", store=store, LASTFM_MIN_PRECISION="0.9")
        assert ran.code == 1
        assert ran.out == ""
        assert ran.last_line.startswith(
            "error: check best_model_reaches_min_precision on evaluation/leaderboard did not pass"
        )
        assert "threshold 0.9" in ran.last_line
        assert ran.last_line.endswith("nothing is published, the last lists stay")
        assert "Traceback" not in ran.err
        assert ran.err.count("error: ") == 1
        assert reader_files(store) == before

    def test_leaves_nothing_to_read_in_a_new_store(self, tmp_path: Path, store: Path) -> None:
        (store / "recommendations").rename(tmp_path / "gone")
        outcome = refresh(store, "evaluation/leaderboard+", min_precision=0.9)
        assert outcome.exit_code == 1
        assert not (store / "recommendations").exists()

    @pytest.mark.parametrize("asset", ["evaluation/champion", *GUARDED])
    def test_refuses_each_asset_alone(self, store: Path, asset: str) -> None:
        """Dagster runs an asset that is selected alone whatever the checks before it said."""
        before = reader_files(store)
        outcome = refresh(store, asset, min_precision=0.9)
        assert_refused(outcome, "held-out precision@10 is", before, store)
        assert "expected at least 0.9000" in outcome.message

    def test_lets_the_lists_through_once_it_is_reached(self, store: Path) -> None:
        """The twin of the refusals above: they do not refuse whatever comes."""
        before, lists = tables(store), seen(store)
        shutil.rmtree(store / "recommendations")
        assert refresh(store, *GUARDED, min_precision=0.05).exit_code == 0
        assert tables(store) == before
        pd.testing.assert_frame_equal(seen(store), lists)


class TestAChampionWithoutEvidence:
    TAMPERED: ClassVar = {
        "its precision is lower": ({"precision": 0.1}, "held-out precision@10 is 0.1000"),
        "its threshold is higher": ({"min_precision": 0.5}, "expected at least 0.5000"),
        "popularity is as good": ({"popularity_precision": 0.25}, "times that of popularity"),
        "popularity is not known": ({"popularity_precision": 0.0}, "times that of popularity"),
        "it was judged on other pairs": ({"pairs": "0" * 64}, "judged on other plays"),
    }

    @pytest.mark.parametrize("asset", GUARDED)
    @pytest.mark.parametrize("how", TAMPERED)
    def test_is_refused(self, store: Path, how: str, asset: str) -> None:
        change, said = self.TAMPERED[how]
        rewrite(store, CHAMPION, lambda found: found.model_copy(update=change), Champion)
        before = reader_files(store)
        assert_refused(refresh(store, asset), said, before, store)

    def test_is_refused_where_its_precision_is_not_a_number(self, store: Path) -> None:
        unknown = {"precision": float("nan")}
        rewrite(store, CHAMPION, lambda found: found.model_copy(update=unknown), Champion)
        before = reader_files(store)
        assert_refused(refresh(store, "recommendations/published"), "precision", before, store)

    OTHERS: ClassVar = {
        "model": lambda _, other: {"model": other, "code": code_of(other)},
        "seed": lambda found, _: {"seed": found.seed + 1},
        "parameter": lambda found, _: {"parameters": {**found.parameters, "loudness": 12.5}},
    }

    @pytest.mark.parametrize("how", OTHERS)
    def test_is_refused_where_the_serving_model_is_another(self, store: Path, how: str) -> None:
        """A figure is evidence for exactly one model, with its parameters and its seed."""
        best, other = best_and_another(store)

        def changed(found: Champion) -> Champion:
            return found.model_copy(update=self.OTHERS[how](found, other))

        rewrite(store, CHAMPION, changed, Champion)
        before = reader_files(store)
        outcome = refresh(store, "recommendations/top_artists")
        assert_refused(outcome, f"the serving model is {best}", before, store)


class TestPlaysThatChangeUnderAChampion:
    @pytest.fixture
    def moved_on(self, store: Path, tmp_path: Path) -> Path:
        """A store whose plays are newer than its champion."""
        own = almost_the_sample(tmp_path / "own")
        outcome = refresh(store, "raw", "listening/interactions", source=str(own))
        assert outcome.exit_code == 0, outcome
        return store

    @pytest.mark.parametrize("asset", GUARDED)
    def test_make_every_list_wait_for_a_new_one(self, moved_on: Path, asset: str) -> None:
        before = reader_files(moved_on)
        outcome = refresh(moved_on, asset)
        assert_refused(outcome, "judged on other plays", before, moved_on)

    def test_make_the_old_figures_worthless(self, store: Path) -> None:
        """Another seed: another split and matrix, but the figures are of the old ones."""
        for asset in ("listening/split", "listening/weighted_matrix"):
            assert refresh(store, asset, seed=1).exit_code == 0
        before = reader_files(store)
        outcome = refresh(store, "evaluation/champion", seed=1)
        assert_refused(outcome, "of another model, of older data or of older code", before, store)

    def test_make_figures_of_two_sources_worthless(self, store: Path) -> None:
        board = Store(str(store)).read(BOARD, pd.DataFrame)
        Store(str(store)).write(BOARD, board, source="custom+sample")
        before = reader_files(store)
        outcome = refresh(store, "evaluation/champion")
        assert_refused(outcome, "several sources (custom+sample)", before, store)

    def test_pass_after_a_whole_refresh(self, moved_on: Path, tmp_path: Path) -> None:
        before = reader_files(moved_on)
        outcome = refresh(moved_on, source=str(tmp_path / "own"))
        assert outcome.exit_code == 0, outcome
        assert reader_files(moved_on) != before
        _, version = PublishedLists(Store(str(moved_on)).root).current()
        assert version.source == "custom"


class TestWhoServes:
    @pytest.fixture
    def pinned(self, store: Path) -> Path:
        """A store whose readers see the lists of a pinned model that is not the best."""
        _, other = best_and_another(store)
        outcome = refresh(store, "evaluation/champion+", champion=other)
        assert outcome.exit_code == 0, outcome
        return store

    def test_a_pinned_model_though_another_is_better(self, pinned: Path) -> None:
        best, other = best_and_another(pinned)
        champion = champion_of(pinned)
        assert (champion.model, champion.challenger, champion.pinned) == (other, best, True)
        assert champion.because.startswith(
            f"pinned by LASTFM_CHAMPION; best would have been {best}"
        )
        assert serves(pinned) == {other}

    def test_a_pinned_model_must_reach_the_threshold(self, store: Path) -> None:
        before = reader_files(store)
        outcome = refresh(store, "evaluation/champion+", champion="popularity")
        assert_refused(outcome, "popularity: held-out precision@10 is", before, store)

    def test_nobody_but_a_known_model_can_be_pinned(self, command: Command, store: Path) -> None:
        ran = command("refresh", store=store, LASTFM_CHAMPION="charts")
        assert ran.code == 2
        assert ran.last_line.startswith("error: LASTFM_CHAMPION is 'charts': ")
        assert "popularity, item_knn" in ran.last_line

    def test_lists_of_another_than_the_pinned_one_are_not_made(self, store: Path) -> None:
        best, other = best_and_another(store)
        before = reader_files(store)
        outcome = refresh(store, "recommendations/top_artists", champion=other)
        said = f"LASTFM_CHAMPION is {other}, but the champion is {best}"
        assert_refused(outcome, said, before, store)

    def test_without_the_pin_the_best_must_not_be_worse_than_it(self, pinned: Path) -> None:
        best, other = best_and_another(pinned)
        assert refresh(pinned, "evaluation/champion+").exit_code == 0
        champion = champion_of(pinned)
        assert (champion.challenger, champion.serving, champion.pinned) == (best, other, False)
        assert champion.model == (best if champion.low >= -champion.margin else other)
        assert serves(pinned) == {champion.model}
        table = Store(str(pinned)).read(("evaluation", "comparison"), pd.DataFrame)
        (row,) = table[
            (table["metric"] == "ndcg@10")
            & table["model_a"].isin([best, other])
            & table["model_b"].isin([best, other])
        ].to_dict("records")
        sign = 1 if row["model_a"] == best else -1
        assert champion.difference == pytest.approx(sign * row["difference"])
        low, high = sorted(sign * row[end] for end in ("low", "high"))
        assert (champion.low, champion.high) == (pytest.approx(low), pytest.approx(high))

    @pytest.mark.parametrize(("times", "taken"), [(0.5, False), (1.5, True)])
    def test_a_challenger_only_if_it_is_not_worse(
        self, pinned: Path, times: float, *, taken: bool
    ) -> None:
        best, other = best_and_another(pinned)

        def change(found: Evaluation) -> Evaluation:
            of_held_out = found.per_user["part"] == "held_out"
            figures = found.per_user["ndcg@10"].mask(of_held_out, found.per_user["ndcg@10"] * times)
            return dataclasses.replace(
                found, per_user=found.per_user.assign(**{"ndcg@10": figures})
            )

        rewrite(pinned, ("evaluation", best), change, Evaluation)
        outcome = refresh(pinned, "evaluation/champion", *GUARDED)
        assert outcome.exit_code == 0, outcome
        champion = champion_of(pinned)
        assert champion.model == (best if taken else other)
        assert (champion.high < -champion.margin) is not taken
        expected = f"replaces {other}: " if taken else f"{other} stays: {best}, best of"
        assert expected in champion.because
        assert serves(pinned) == {champion.model}

    def test_the_last_one_is_judged_with_the_parameters_it_serves_with(self, store: Path) -> None:
        few = model_named("als").Config.model_validate({"factors": 4, "iterations": 1})
        former = {"model": "als", "parameters": few.model_dump()}
        rewrite(store, CHAMPION, lambda found: found.model_copy(update=former), Champion)
        assert refresh(store, "evaluation/champion").exit_code == 0
        champion = champion_of(store)
        best, _ = best_and_another(store)
        assert (champion.model, champion.serving) == (best, "als")
        board = Store(str(store)).read(BOARD, pd.DataFrame).set_index("model")
        ahead_of_default = (
            board.loc[best, "held_out_ndcg@10"] - board.loc["als", "held_out_ndcg@10"]
        )
        assert champion.difference > ahead_of_default + 0.01

    def test_the_best_where_the_last_one_is_not_known_any_more(self, store: Path) -> None:
        best, _ = best_and_another(store)
        (store / "evaluation" / "champion.json").write_text("{}")
        assert refresh(store, "evaluation/champion").exit_code == 0
        champion = champion_of(store)
        assert (champion.model, champion.serving) == (best, None)
        assert "no model served before" in champion.because

    def test_the_web_ui_shows_why(self, pinned: Path) -> None:
        best, other = best_and_another(pinned)
        settings = Settings(source="sample", store=str(pinned))
        ran = run_in_process(settings, ["evaluation/champion"])
        (event,) = ran.asset_materializations_for_node("evaluation__champion")
        shown = {name: value.value for name, value in event.metadata.items()}
        champion = champion_of(pinned)
        expected = {
            "model": champion.model,
            "because": champion.because,
            "challenger": best,
            "serving": other,
            "difference": champion.difference,
            "low": champion.low,
            "high": champion.high,
            "margin": champion.margin,
            "pinned": False,
        }
        assert {name: shown[name] for name in expected} == expected
        picture, *rest = shown
        assert picture == "evidence for the champion"
        assert rest[: len(expected)] == list(expected)


def popular(board: pd.DataFrame) -> pd.DataFrame:
    """A leaderboard on which popularity is three quarters as good as the best."""
    column = "held_out_precision@10"
    best = board[column].max()
    return board.assign(**{column: board[column].mask(board["model"] == "popularity", 0.75 * best)})


def without_popularity(board: pd.DataFrame) -> pd.DataFrame:
    return board[board["model"] != "popularity"].reset_index(drop=True)


def unknown(board: pd.DataFrame) -> pd.DataFrame:
    return board.assign(**{"held_out_precision@10": np.nan})


class TestTheGateChecks:
    def verdicts(self, store: Path) -> dict[str, dg.AssetCheckEvaluation]:
        evaluations = run_checks(store, BOARD).get_asset_check_evaluations()
        return {evaluation.check_name: evaluation for evaluation in evaluations}

    def test_pass_with_their_margin(self, store: Path) -> None:
        results = self.verdicts(store)
        assert set(results) == {
            "best_model_reaches_min_precision",
            "best_model_is_twice_popularity",
        }
        for result in results.values():
            assert result.passed
            assert set(result.metadata) == {"actual", "threshold", "margin", "model"}
        popularity = results["best_model_is_twice_popularity"].metadata
        assert popularity["threshold"].value == 2.0
        assert popularity["actual"].value > 2.0

    def test_judge_the_model_that_is_best_on_validation(self, store: Path) -> None:
        """Held-out figures never choose: als is better there, but not on validation."""
        board = Store(str(store)).read(BOARD, pd.DataFrame).set_index("model")
        best = board["validation_ndcg@10"].idxmax()
        said = self.verdicts(store)["best_model_reaches_min_precision"].metadata
        assert said["model"].value == best
        assert said["actual"].value == board.loc[best, "held_out_precision@10"]

    @pytest.mark.parametrize(
        ("change", "broken"),
        [
            (popular, {"best_model_is_twice_popularity"}),
            (without_popularity, {"best_model_is_twice_popularity"}),
            (
                unknown,
                {"best_model_reaches_min_precision", "best_model_is_twice_popularity"},
            ),
        ],
    )
    def test_fail_where_a_figure_does_not_reach(
        self, store: Path, change: Callable[[pd.DataFrame], pd.DataFrame], broken: set[str]
    ) -> None:
        rewrite(store, BOARD, change, pd.DataFrame)
        results = self.verdicts(store)
        assert {name for name, result in results.items() if not result.passed} == broken

    @pytest.mark.parametrize("change", [popular, without_popularity, unknown])
    def test_stop_what_comes_after_in_the_same_run(
        self, store: Path, change: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> None:
        rewrite(store, BOARD, change, pd.DataFrame)
        before = reader_files(store)
        run = run_checks(store, BOARD, then=["evaluation/champion"])
        assert not run.success
        assert [event for event in run.all_events if event.step_key == "evaluation__champion"] == []
        assert reader_files(store) == before

    @pytest.mark.parametrize("change", [popular, without_popularity, unknown])
    def test_are_repeated_by_the_champion(
        self, store: Path, change: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> None:
        rewrite(store, BOARD, change, pd.DataFrame)
        before = reader_files(store)
        assert_refused(refresh(store, "evaluation/champion"), "precision@10 is", before, store)


def shorter(lists: pd.DataFrame) -> pd.DataFrame:
    return lists.iloc[:-1]


def doubled(lists: pd.DataFrame) -> pd.DataFrame:
    same = lists[["artist_id", "artist_name"]].where(lists["rank"] != 2).ffill()
    return lists.assign(artist_id=same["artist_id"].astype("int64"), artist_name=same.iloc[:, 1])


def misnamed(lists: pd.DataFrame) -> pd.DataFrame:
    return lists.assign(artist_name=lists["artist_name"].mask(lists.index == 3, "Somebody else"))


def upside_down(lists: pd.DataFrame) -> pd.DataFrame:
    return lists.assign(score=1.0 - lists["score"])


def misplaced(lists: pd.DataFrame) -> pd.DataFrame:
    return lists.assign(rank=lists["rank"] - 1)


def without_reasons(lists: pd.DataFrame) -> pd.DataFrame:
    return lists.drop(columns="because")


BREAKS = {
    "every_user_has_ten": shorter,
    "no_artist_twice": doubled,
    "artists_are_known": misnamed,
    "scores_do_not_rise": upside_down,
    "ranks_run_from_one": misplaced,
    "table_is_whole": without_reasons,
}


def of_played(store: Path) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Lists whose last artist is one that the user plays."""
    opened = Store(str(store))
    plays = opened.read(("listening", "interactions"), pd.DataFrame)
    names = opened.read(("listening", "artists"), pd.DataFrame).set_index("artist_id")

    def change(lists: pd.DataFrame) -> pd.DataFrame:
        first = lists["user_id"].map(plays.groupby("user_id")["artist_id"].first())
        artist = lists["artist_id"].mask(lists["rank"] == 10, first)
        return lists.assign(
            artist_id=artist, artist_name=artist.map(names["artist_name"]).astype("str")
        )

    return change


class TestBrokenLists:
    def test_fail_where_they_name_played_artists(self, store: Path) -> None:
        rewrite(store, TOP, of_played(store), pd.DataFrame)
        run = run_checks(store, TOP)
        failed = [check for check in run.get_asset_check_evaluations() if not check.passed]
        assert [check.check_name for check in failed] == ["none_already_played"]
        assert failed[0].metadata["already_played"].value == 300

    def test_pass_where_they_are_whole(self, store: Path) -> None:
        run = run_checks(store, TOP)
        assert run.success
        assert len(run.get_asset_check_evaluations()) == 8

    @pytest.mark.parametrize("rule", BREAKS)
    def test_fail_their_check_and_are_not_published(self, store: Path, rule: str) -> None:
        rewrite(store, TOP, BREAKS[rule], pd.DataFrame)
        before = reader_files(store)
        run = run_checks(store, TOP, then=["recommendations/published"])
        assert not run.success
        failed = [check for check in run.get_asset_check_evaluations() if not check.passed]
        assert rule in {check.check_name for check in failed}
        assert [e for e in run.all_events if e.step_key == "recommendations__published"] == []
        assert reader_files(store) == before

    @pytest.mark.parametrize("rule", BREAKS)
    def test_are_not_published_without_their_checks(self, store: Path, rule: str) -> None:
        """Dagster runs an asset that is selected alone, without the checks before it."""
        rewrite(store, TOP, BREAKS[rule], pd.DataFrame)
        before = reader_files(store)
        outcome = refresh(store, "recommendations/published")
        assert_refused(outcome, "recommendations/top_artists breaks", before, store)
        assert rule in outcome.message

    def test_are_not_published_where_they_are_of_another_model(self, store: Path) -> None:
        rewrite(store, TOP, lambda lists: lists.assign(model="popularity"), pd.DataFrame)
        before = reader_files(store)
        outcome = refresh(store, "recommendations/published")
        assert_refused(outcome, "popularity", before, store)

    def test_of_similar_artists_fail_their_check(self, store: Path) -> None:
        def own_relative(similar: pd.DataFrame) -> pd.DataFrame:
            return similar.assign(artist_id=similar["to_artist_id"])

        rewrite(store, SIMILAR, own_relative, pd.DataFrame)
        before = reader_files(store)
        run = run_checks(store, SIMILAR, then=["recommendations/published"])
        assert not run.success
        failed = {c.check_name for c in run.get_asset_check_evaluations() if not c.passed}
        assert failed == {"no_relative_twice"}
        assert reader_files(store) == before

    def test_of_a_source_with_too_many_refused_rows_are_not_published(self, store: Path) -> None:
        """The run failed and said that nothing was published, but nothing stood in the way."""

        def many_friends(refused: pd.DataFrame) -> pd.DataFrame:
            lines = {"file": "user_friends", "line": range(2, 50_002), "text": "", "reason": "odd"}
            return pd.concat([refused, pd.DataFrame(lines)], ignore_index=True)

        refused = ("listening", "rejected_rows")
        rewrite(store, refused, many_friends, pd.DataFrame)
        before = reader_files(store)
        run = run_checks(store, refused, then=["recommendations/published"])
        assert not run.success
        failed = {c.check_name for c in run.get_asset_check_evaluations() if not c.passed}
        assert failed == {"few_rows_refused"}
        assert [e for e in run.all_events if e.step_key == "recommendations__published"] == []
        assert reader_files(store) == before

    def test_that_were_changed_after_publication_are_noticed(self, store: Path) -> None:
        published = PublishedLists(Store(str(store)).root)
        lists, _ = published.current()
        published.publish(upside_down(lists), About("als", "sample", 0.3, "somebody"))
        run = run_checks(store, ("recommendations", "published"))
        failed = [check for check in run.get_asset_check_evaluations() if not check.passed]
        assert [check.check_name for check in failed] == ["readers_see_what_was_checked"]
