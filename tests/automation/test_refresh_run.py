"""The whole chain on the bundled sample, run by Dagster: what it makes, says and repeats."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from graph_world import run_in_process
from pipeline_world import Refreshed, Snapshot, snapshot
from test_definitions import CHECKS, CLEANED_FROM, RAW, UPSTREAM

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.formats import version_of
from lastfm_assets.insight.report import Report
from lastfm_assets.io import Store
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.trained import MODELS, TrainedModel
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import TOP_LIST

WITHOUT_VALUE = {"recommendations/published", "recommendations/serving_database"}
"""What lies outside the store: a table with a history, and a database."""
PROFILES = "recommendations/published_profiles"
OF_WHAT_IS_PUBLISHED = {"recommendations/published_keys", "recommendations/published_source"}
"""What the published lists' ids stand for, and what is recommended."""
OF_THE_RUN = {"insight/history", "insight/report", "recommendations/drift"}
"""What tells when it was made, or of what was published before."""
KIND_OF = {
    "listening/weighted_matrix": ListeningMatrix,
    "evaluation/champion": Champion,
    "insight/report": Report,
    "recommendations/serving_model": TrainedModel,
    **{f"models/{name}": TrainedModel for name in MODELS},
    **{f"evaluation/{name}": Evaluation for name in MODELS},
}


@dataclass(frozen=True)
class Twice:
    """The same refresh, run two times into one store."""

    first: dg.ExecuteInProcessResult
    second: dg.ExecuteInProcessResult
    before: Snapshot
    after: Snapshot
    store: Path


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twice]:
    folder = tmp_path_factory.mktemp("twice")
    store = folder / "store"
    home = folder / "home"
    home.mkdir()
    settings = Settings(source="sample", store=str(store))
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        first = run_in_process(settings, instance=instance)
        before = snapshot(store)
        second = run_in_process(settings, instance=instance)
        yield Twice(first, second, before, snapshot(store), store)


def repeatable(files: Snapshot) -> Snapshot:
    """What comes out byte for byte: all but what tells of each refresh, or is kept by others."""
    others = (
        *("insight/", "recommendations/published/", "recommendations/serving.duckdb"),
        *("recommendations/drift.", f"{PROFILES}."),
    )
    return {name: digest for name, digest in files.items() if not name.startswith(others)}


@pytest.fixture(scope="module")
def other_seed(tmp_path_factory: pytest.TempPathFactory, twice: Twice) -> Store:
    """The chain from the split on, under another seed."""
    folder = shutil.copytree(twice.store, tmp_path_factory.mktemp("other_seed") / "store")
    cleaned = {key for key, upstream in UPSTREAM.items() if upstream == CLEANED_FROM}
    after = sorted(set(UPSTREAM) - RAW - cleaned)
    settings = Settings(source="sample", store=str(folder), seed=1)
    assert run_in_process(settings, after).success
    return Store(str(folder))


def materialized(run: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    """What was stored, by asset."""
    found = {}
    for event in run.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        found[materialization.asset_key.to_user_string()] = materialization
    return found


class TestARefresh:
    def test_succeeds(self, twice: Twice) -> None:
        assert twice.first.success
        assert twice.second.success

    def test_materializes_every_asset_once(self, twice: Twice) -> None:
        events = twice.first.get_asset_materialization_events()
        assert sorted(event.asset_key.to_user_string() for event in events) == sorted(UPSTREAM)

    def test_evaluates_every_check_and_all_pass(self, twice: Twice) -> None:
        found: dict[str, set[str]] = {}
        for evaluation in twice.first.get_asset_check_evaluations():
            assert evaluation.passed, evaluation
            found.setdefault(evaluation.asset_key.to_user_string(), set()).add(
                evaluation.check_name
            )
        assert found == CHECKS

    def test_stores_each_asset_under_its_key_and_nothing_else(self, twice: Twice) -> None:
        table = [name for name in twice.after if name.startswith("recommendations/published/")]
        assert table, "a Delta table, with versions"
        others = {name.rpartition(".")[0] for name in twice.after if name not in table}
        assert others == {*UPSTREAM} - WITHOUT_VALUE | OF_WHAT_IS_PUBLISHED | {
            "recommendations/serving",
            PROFILES,
        }

    @pytest.mark.parametrize("asset", sorted({*UPSTREAM} - WITHOUT_VALUE))
    def test_stamps_what_it_stores_with_its_source(self, twice: Twice, asset: str) -> None:
        kind: Any = KIND_OF.get(asset, pd.DataFrame)
        value, stamp = Store(str(twice.store)).read_with_stamp(asset.split("/"), kind)
        assert isinstance(value, kind)
        assert stamp.source == "sample"
        assert materialized(twice.first)[asset].metadata["source"].value == "sample"

    def test_publishes_ten_artists_for_every_user(self, twice: Twice) -> None:
        store = Store(str(twice.store))
        lists, version = PublishedLists(store.root).current()
        assert version.source == "sample"
        users = store.read(("listening", "interactions"), pd.DataFrame)["user_id"]
        assert tuple(lists.columns) == TOP_LIST
        assert set(lists["user_id"]) == set(users)
        assert (lists.groupby("user_id").size() == 10).all()


class TestMetadata:
    def figures(self, run: dg.ExecuteInProcessResult) -> list[tuple[str, Any]]:
        found = [
            (f"{asset}: {name}", value.value)
            for asset, made in materialized(run).items()
            for name, value in made.metadata.items()
        ]
        found += [
            (f"{check.asset_key.to_user_string()} {check.check_name}: {name}", value.value)
            for check in run.get_asset_check_evaluations()
            for name, value in check.metadata.items()
        ]
        return found

    def test_holds_plain_finite_numbers(self, twice: Twice) -> None:
        """Numpy's own types break the run, and a NaN is lost in the UI's plots."""
        numbers = [
            (name, value)
            for name, value in self.figures(twice.first)
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        assert len(numbers) > 100
        assert [name for name, value in numbers if type(value) not in {int, float}] == []
        assert [name for name, value in numbers if not math.isfinite(value)] == []

    def test_names_the_same_figures_in_every_run(self, twice: Twice) -> None:
        """The UI plots a figure over time by its name."""
        first, second = (
            sorted(name for name, _ in self.figures(run)) for run in (twice.first, twice.second)
        )
        assert first == second

    def test_shows_the_gate_with_its_threshold(self, twice: Twice) -> None:
        (gate,) = (
            check
            for check in twice.first.get_asset_check_evaluations()
            if check.check_name == "best_model_reaches_min_precision"
        )
        shown = {name: value.value for name, value in gate.metadata.items()}
        assert shown["threshold"] == 0.27
        assert shown["margin"] == pytest.approx(shown["actual"] - shown["threshold"])
        assert shown["margin"] > 0
        assert shown["model"] in MODELS

    def test_counts_the_rows_that_are_stored(self, twice: Twice) -> None:
        store = Store(str(twice.store))
        for asset in ("raw/user_artists", "listening/interactions", "recommendations/top_artists"):
            shown = materialized(twice.first)[asset].metadata
            rows = len(store.read(asset.split("/"), pd.DataFrame))
            assert shown["dagster/row_count"].value == rows
            assert len(shown["preview"].records) == 5

    def test_explains_every_column(self, twice: Twice) -> None:
        shown = materialized(twice.first)
        schemas = [
            made.metadata["dagster/column_schema"].schema
            for made in shown.values()
            if "dagster/column_schema" in made.metadata
        ]
        assert len(schemas) > 15
        columns = [column for schema in schemas for column in schema.columns]
        assert [column.name for column in columns if not column.description] == []


class TestDataVersions:
    def test_are_hashes_of_what_is_stored(self, twice: Twice) -> None:
        store, shown = Store(str(twice.store)), materialized(twice.second)
        for asset in sorted({*UPSTREAM} - WITHOUT_VALUE):
            value = store.read(asset.split("/"), KIND_OF.get(asset, pd.DataFrame))
            assert (shown[asset].tags or {})["dagster/data_version"] == version_of(value), asset

    def test_stay_while_the_data_stays(self, twice: Twice) -> None:
        first, second = (
            {key: (made.tags or {})["dagster/data_version"] for key, made in shown.items()}
            for shown in (materialized(twice.first), materialized(twice.second))
        )
        changed = {key for key in first if first[key] != second[key]}
        assert changed <= OF_THE_RUN, "they tell of each refresh, and of the one before"


class TestTheSameSeed:
    def test_gives_the_same_bytes_again(self, twice: Twice) -> None:
        before, after = repeatable(twice.before), repeatable(twice.after)
        names = {name.rpartition(".")[0] for name in before}
        assert names == {*UPSTREAM} - WITHOUT_VALUE - OF_THE_RUN | OF_WHAT_IS_PUBLISHED
        assert after == before

    def test_publishes_no_version_again(self, twice: Twice) -> None:
        (version,) = PublishedLists(Store(str(twice.store)).root).history()
        assert version.action == "published"

    def test_gives_the_same_bytes_in_another_process(
        self, twice: Twice, refreshed: Refreshed
    ) -> None:
        assert repeatable(snapshot(refreshed.store)) == repeatable(twice.after)
        one, other = (
            PublishedLists(Store(str(store)).root).current()[1].content
            for store in (refreshed.store, twice.store)
        )
        assert one == other


class TestAnotherSeed:
    def test_gives_another_split_of_the_same_pairs(self, twice: Twice, other_seed: Store) -> None:
        one = Store(str(twice.store)).read(("listening", "split"), pd.DataFrame)
        other = other_seed.read(("listening", "split"), pd.DataFrame)
        pairs = ["user_id", "artist_id", "plays"]
        assert one[pairs].equals(other[pairs])
        assert 0.2 < (one["part"] != other["part"]).mean() < 0.7

    def test_gives_other_models(self, twice: Twice, other_seed: Store) -> None:
        store = Store(str(twice.store))
        for name in MODELS:
            one, other = (s.read(("models", name), TrainedModel) for s in (store, other_seed))
            assert one.fingerprint != other.fingerprint

    def test_gives_other_figures(self, twice: Twice, other_seed: Store) -> None:
        key = ("evaluation", "leaderboard")
        one, other = (s.read(key, pd.DataFrame) for s in (Store(str(twice.store)), other_seed))
        column = "held_out_precision@10"
        assert set(one[column]).isdisjoint(other[column])
        assert set(other["seed"]) == {1}
