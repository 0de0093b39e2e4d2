"""What a refresh makes again: what would come out otherwise, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from pipeline_world import almost_the_sample

from lastfm_assets.automation import plan as planning
from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.automation.plan import Plan, plan_refresh
from lastfm_assets.definitions import build_definitions
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.io import Store
from lastfm_assets.models.trained import MODELS, TrainedModel
from lastfm_assets.provenance import Origin
from lastfm_assets.settings import Settings

RAW = {
    *("raw/artists", "raw/user_artists", "raw/tags", "raw/tagged_artists", "raw/friends"),
    *("raw/source", "raw/keys"),
}
SPLIT = ("listening", "split")
ALS = ("models", "als")
LOOKED_AT = {"recommendations/published", "recommendations/serving_database"}
"""What holds no value of its own: it is confirmed in every refresh."""


def settings_over(store: Path, **more: Any) -> Settings:
    return Settings(**{"source": "sample", "store": str(store), **more})


def planned(settings: Settings, *, everything: bool = False) -> Plan:
    job = build_definitions(settings).resolve_job_def(REFRESH)
    return plan_refresh(job, settings, everything=everything)


def names(keys: Any) -> set[str]:
    return {key.to_user_string() for key in keys}


def remade_otherwise(
    store: Path, key: tuple[str, ...], kind: type, change: Callable[[Origin], Origin]
) -> None:
    """Makes a stored value say that it was made in another way."""
    opened = Store(str(store))
    value, stamp = opened.read_with_stamp(key, kind)
    opened.write(key, value, source=stamp.source, origin=change(stamp.origin))


def with_parameter(name: str, value: Any) -> Callable[[Origin], Origin]:
    return lambda origin: replace(origin, parameters={**origin.parameters, name: value})


class TestWhereNothingChanged:
    def test_nothing_is_made_again(self, store: Path) -> None:
        plan = planned(settings_over(store))
        assert not plan.stale
        assert plan.why == "nothing changed"
        assert names(plan.selection) == LOOKED_AT
        assert "raw 7 of 7, listening 9 of 9, models 12 of 12" in plan.skipped
        assert plan.in_words == f"nothing changed; leaves as it is: {plan.skipped}"

    def test_the_checks_of_what_readers_get_still_run(self, store: Path) -> None:
        checked = {key.asset_key.to_user_string() for key in planned(settings_over(store)).checks}
        assert "recommendations/top_artists" in checked
        assert "raw/artists" not in checked

    def test_a_source_that_was_only_copied_has_not_changed(
        self, store: Path, tmp_path: Path
    ) -> None:
        own = settings_over(store, source=str(almost_the_sample(tmp_path / "own")))
        assert "the source changed" in planned(own).why

    def test_everything_is_made_again_on_demand(self, store: Path) -> None:
        plan = planned(settings_over(store), everything=True)
        assert plan.current == ()
        assert names(plan.stale) > {"raw/artists", "models/als", "recommendations/top_artists"}
        assert not any(key.path[0] == "tuning" for key in plan.selection)


class TestAParameterThatChanged:
    @pytest.mark.parametrize("name", ["als", "popularity"])
    def test_makes_that_model_again_and_what_follows_and_no_other(
        self, store: Path, name: str
    ) -> None:
        field = next(iter(MODELS[name].Config.model_fields), None)
        change = with_parameter(field, 3) if field else lambda origin: replace(origin, code="other")
        remade_otherwise(store, ("models", name), TrainedModel, change)
        plan = planned(settings_over(store))
        assert {one for one in names(plan.stale) if one.startswith("models/")} == {f"models/{name}"}
        evaluations = {one for one in names(plan.stale) if one.startswith("evaluation/")}
        assert evaluations == {
            f"evaluation/{one}"
            for one in (name, "leaderboard", "comparison", "segments", "champion")
        }
        assert names(plan.stale) >= {
            "recommendations/serving_model",
            "recommendations/top_artists",
            "recommendations/published",
        }
        assert not any(one.startswith(("raw/", "listening/")) for one in names(plan.stale))

    def test_is_named_with_both_values(self, store: Path) -> None:
        remade_otherwise(store, ALS, TrainedModel, with_parameter("factors", 8))
        plan = planned(settings_over(store))
        factors = MODELS["als"].Config().model_dump()["factors"]
        assert plan.why.startswith(f"models/als: factors changed from 8 to {factors}; ")
        assert plan.tags["lastfm_assets/made_again"] == plan.why
        assert "models 11 of 12" in plan.tags["lastfm_assets/skipped"]

    def test_another_seed_makes_the_split_again_but_not_what_came_before(self, store: Path) -> None:
        plan = planned(settings_over(store, seed=1))
        assert plan.why.startswith("listening/split: seed changed from 0 to 1")
        assert names(plan.current) == {
            *RAW,
            "listening/interactions",
            "listening/artists",
            "listening/tag_assignments",
            "listening/friendships",
            "listening/profile",
            "listening/rejected_rows",
        }

    def test_another_threshold_asks_the_champion_again_and_fits_no_model_to_be_judged(
        self, store: Path
    ) -> None:
        plan = planned(settings_over(store, min_precision=0.01))
        assert plan.why.startswith("evaluation/champion: min_precision changed from None to 0.01")
        assert not any(key.path[0] == "models" for key in plan.stale)
        checked = {key.asset_key.to_user_string() for key in plan.checks}
        assert "evaluation/leaderboard" in checked, "the gate itself must be asked, too"

    def test_a_pinned_model_asks_the_champion_again(self, store: Path) -> None:
        plan = planned(settings_over(store, champion="ease"))
        assert plan.why.startswith("evaluation/champion: pinned changed from None to ease")


class TestCodeThatChanged:
    def test_makes_again_what_it_makes(self, store: Path) -> None:
        remade_otherwise(store, SPLIT, pd.DataFrame, lambda origin: replace(origin, code="older"))
        assert planned(settings_over(store)).why.startswith("listening/split: its code changed")


class TestAnInputThatChanged:
    def test_behind_the_back_of_the_graph_is_seen(self, store: Path) -> None:
        opened = Store(str(store))
        table, stamp = opened.read_with_stamp(SPLIT, pd.DataFrame)
        opened.write(SPLIT, table.iloc[1:], source=stamp.source, origin=stamp.origin)
        plan = planned(settings_over(store))
        assert plan.stale[dg.AssetKey(["listening", "training_tags"])] == "listening/split changed"

    def test_that_came_out_the_same_changes_nothing(self, store: Path) -> None:
        opened = Store(str(store))
        table, stamp = opened.read_with_stamp(SPLIT, pd.DataFrame)
        opened.write(SPLIT, table, source=stamp.source, origin=stamp.origin)
        assert not planned(settings_over(store)).stale


class TestAStudy:
    """Studies are no part of the refresh; the report shows those that are there."""

    STUDY = ("evaluation", "rating_error")

    def test_that_was_made_makes_the_report_again_and_nothing_else(self, store: Path) -> None:
        Store(str(store)).write(self.STUDY, pd.DataFrame({"model": ["svd"]}), source="sample")
        plan = planned(settings_over(store))
        assert names(plan.stale) == {"insight/report"}
        assert plan.why == "insight/report: evaluation/rating_error changed"

    def test_that_was_never_made_is_not_waited_for(self, store: Path) -> None:
        assert not Store(str(store)).has(self.STUDY, pd.DataFrame)
        assert not planned(settings_over(store)).stale


class TestAValueThatIsNotThere:
    def test_is_made_again(self, store: Path) -> None:
        (store / "evaluation" / "champion.json").unlink()
        assert planned(settings_over(store)).why.startswith(
            "evaluation/champion: it is not in the store"
        )

    def test_nor_readable_is_made_again(self, store: Path) -> None:
        (store / "models" / "als.npz").write_bytes(b"x")
        assert planned(settings_over(store)).why.startswith("models/als: it cannot be read")

    def test_of_a_step_that_makes_several_is_made_again_with_the_others(self, store: Path) -> None:
        (store / "raw" / "tags.parquet").unlink()
        assert {one for one in names(planned(settings_over(store)).stale) if "raw/" in one} == RAW

    def test_makes_an_empty_store_whole(self, tmp_path: Path) -> None:
        plan = planned(settings_over(tmp_path / "nothing"))
        assert plan.current == ()
        assert plan.skipped == "nothing"


class TestAStoreOfTheFirstFormat:
    def test_is_made_again_but_its_champion_is_known(self, store: Path) -> None:
        opened = Store(str(store))
        before = opened.read(("evaluation", "champion"), Champion)
        path = store / "evaluation" / "champion.json"
        text = path.read_text()
        start = text.index('"stamp"')
        end = text.index('"champion"')
        seal = text.index(',\n  "seal"')
        first = f'{text[:start]}"stamp": {{"source": "sample", "format": 1}}, {text[end:seal]}\n}}'
        path.write_text(first)
        assert opened.read(("evaluation", "champion"), Champion) == before
        assert planned(settings_over(store)).why.startswith("evaluation/champion: its code changed")


class TestASourceThatCannotBeLookedAt:
    def test_is_read_so_that_the_run_says_what_is_wrong(self, store: Path) -> None:
        plan = planned(settings_over(store, source="/no/such/folder"))
        assert plan.why.startswith("raw/")
        assert "the state of the source is unknown: " in plan.why

    def test_and_was_replaced_by_the_sample_is_looked_for_again(
        self, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(planning, "data_folder", lambda: tmp_path)
        assert "the source changed" in planned(settings_over(store, source=None)).why
