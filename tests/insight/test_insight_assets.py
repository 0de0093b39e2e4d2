"""The assets: a row for every run, and a page in the store that says which run made it."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from report_world import Read, searched, world
from study_world import every_study

from lastfm_assets.automation.resources import StoreIOManager
from lastfm_assets.insight import assets as insight_assets
from lastfm_assets.insight.assets import history_table, report
from lastfm_assets.insight.history import HISTORY
from lastfm_assets.insight.report import Report
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About as AboutSource
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import About

HISTORY_KEY, REPORT_KEY = ("insight", "history"), ("insight", "report")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store as it is once lists have been made."""
    store, inputs = Store(str(tmp_path / "store")), world()
    values = {
        ("evaluation", "leaderboard"): inputs.leaderboard,
        ("evaluation", "champion"): inputs.champion,
        ("evaluation", "comparison"): inputs.comparison,
        ("evaluation", "segments"): inputs.segments,
        ("listening", "interactions"): inputs.interactions,
        ("listening", "artists"): inputs.artists,
        ("listening", "tag_assignments"): inputs.tag_assignments,
        ("listening", "rejected_rows"): inputs.rejected_rows,
        ("listening", "split"): inputs.split,
        ("recommendations", "top_artists"): inputs.lists,
        ("recommendations", "similar_artists"): inputs.similar_artists,
        ("recommendations", "drift"): inputs.drift,
    }
    for table in RAW_TABLES:
        values["raw", table.asset] = pd.DataFrame({"line": range(2, 2 + 7)})
    for key, value in values.items():
        store.write(key, value, source="sample")
    return store


def run(
    store: Store,
    instance: dg.DagsterInstance,
    *,
    assets: tuple[dg.AssetsDefinition, ...] = (history_table, report),
    raise_on_error: bool = True,
) -> str:
    """One run of both assets, or of one; returns its id."""
    made = {key for asset in assets for key in asset.keys}
    given = {key for asset in assets for key in asset.dependency_keys} - made
    result = dg.materialize(
        [*assets, *(dg.AssetSpec(key) for key in sorted(given))],
        instance=instance,
        raise_on_error=raise_on_error,
        resources={
            "store": store,
            "ui_url": "http://127.0.0.1:3000",
            "io_manager": StoreIOManager(store, {"ui_url": "http://127.0.0.1:3000"}),
        },
    )
    if not result.success:
        (said,) = {
            event.step_failure_data.user_failure_data.description
            for event in result.all_events
            if event.is_step_failure and event.step_failure_data.user_failure_data
        }
        return str(said)
    return result.run_id


def test_every_run_adds_a_row_and_makes_the_page_anew(store: Store) -> None:
    published = PublishedLists(store.root)
    lists = world().lists
    for some in (lists.head(1), lists):
        published.publish(some, About("als", "sample", 0.3, "a-run"))
    with dg.DagsterInstance.ephemeral() as instance:
        first = run(store, instance)
        page = store.read(REPORT_KEY, Report)
        second = run(store, instance)
        started = [instance.get_run_stats(one).start_time for one in (first, second)]
    table = store.read(HISTORY_KEY, pd.DataFrame)
    assert tuple(table.columns) == HISTORY
    assert table["run_id"].tolist() == [first, second]
    assert table["published_version"].tolist() == [1, 1]
    assert table["source"].tolist() == ["sample", "sample"]
    seconds = [moment.timestamp() for moment in table["refreshed_at"]]
    assert seconds == [int(one) for one in started if one is not None]
    assert f"runs/{first}" in page.html
    assert "This is the first refresh" in page.html
    again = Read.page(store.read(REPORT_KEY, Report).html)
    assert "has stayed at 0.300 for 2 refreshes" in again.text
    assert "0 of 35 rows read" not in again.text
    assert "3 of 35 rows read were refused" in again.text


def test_the_page_in_the_store_is_a_page_that_a_browser_opens(store: Store) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(store, instance)
    path = store.path(REPORT_KEY, Report)
    assert path.name == "report.html"
    content = path.read_text("utf-8")
    assert content.startswith("<!doctype html>")
    assert content.isascii(), "a stamp may push the charset to where browsers look no more"
    assert store.source_of(REPORT_KEY, Report) == "sample"


def test_a_damaged_history_is_not_written_over(store: Store) -> None:
    path = store.path(HISTORY_KEY, pd.DataFrame)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not parquet")
    with dg.DagsterInstance.ephemeral() as instance:
        said = run(store, instance, raise_on_error=False)
    assert said == (
        f"{path}: earlier refreshes cannot be read; restore the file, or move it away to begin anew"
    )
    assert path.read_bytes() == b"not parquet"


def test_without_a_published_version_there_is_still_a_row(store: Store) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(store, instance)
    assert store.read(HISTORY_KEY, pd.DataFrame)["published_version"].isna().tolist() == [True]


def test_a_champion_with_other_parameters_has_a_page_too(store: Store) -> None:
    other = world().champion.model_copy(update={"fingerprint": "e" * 64})
    store.write(("evaluation", "champion"), other, source="sample")
    with dg.DagsterInstance.ephemeral() as instance:
        run(store, instance)
    assert store.read(HISTORY_KEY, pd.DataFrame)["held_out_ndcg@10"].isna().all()
    assert "als serves 3 users" in Read.page(store.read(REPORT_KEY, Report).html).text


class TestTheReport:
    def test_is_made_from_the_studies_that_are_there(self, store: Store) -> None:
        made = every_study()
        for name in ("insight/tag_popularity", "evaluation/rating_error"):
            store.write(name.split("/"), made[name], source="sample")
        with dg.DagsterInstance.ephemeral() as instance:
            run(store, instance)
        text = Read.page(store.read(REPORT_KEY, Report).html).text
        assert "svd errs least on ratings" in text
        assert "is heard by most" in text
        assert "LightFM is best after" not in text
        inputs = store.stamp(REPORT_KEY, Report).origin.inputs
        assert {"insight/tag_popularity", "evaluation/rating_error"} <= set(inputs)
        assert "evaluation/lightfm_epochs" not in inputs

    def test_leaves_out_studies_of_another_source(self, store: Store) -> None:
        made = every_study()
        for name in ("insight/tag_popularity", "insight/audio_features"):
            store.write(name.split("/"), made[name], source="another")
        with dg.DagsterInstance.ephemeral() as instance:
            run(store, instance)
        text = Read.page(store.read(REPORT_KEY, Report).html).text
        assert "is heard by most" not in text
        assert "How music sounded" in text, "it is of no listening data"
        # it was looked at, so a change of it is worth another look
        assert "insight/tag_popularity" in store.stamp(REPORT_KEY, Report).origin.inputs

    def test_is_not_stopped_by_a_damaged_study(self, store: Store) -> None:
        path = store.path(("insight", "tag_trends"), pd.DataFrame)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"not parquet")
        with dg.DagsterInstance.ephemeral() as instance:
            run(store, instance)
        assert "insight/tag_trends" not in store.stamp(REPORT_KEY, Report).origin.inputs

    def test_speaks_of_what_the_source_recommends_and_by_its_own_ids(self, store: Store) -> None:
        about = AboutSource("sample", item="track", ids="text").to_table()
        keys = pd.DataFrame({"kind": "user", "id": [1, 2, 3], "key": ["ann", "bob", "cleo"]})
        store.write(("raw", "source"), about, source="sample")
        store.write(("raw", "keys"), keys, source="sample")
        with dg.DagsterInstance.ephemeral() as instance:
            run(store, instance)
        html = store.read(REPORT_KEY, Report).html
        assert "Look up a user or a track" in Read.page(html).text
        assert searched(html)["keys"] == ["ann", "bob", "cleo"]

    def test_made_again_by_another_run_is_still_of_its_refresh(self, store: Store) -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            refreshed = run(store, instance)
            before = store.read(REPORT_KEY, Report).html
            again = run(store, instance, assets=(report,))
        page = store.read(REPORT_KEY, Report).html
        assert again != refreshed
        assert page == before
        assert f"runs/{refreshed}" in page


def test_where_too_much_would_be_searched_the_page_says_so_and_reads_less(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    whole = StoreIOManager.read

    def watched(
        self: StoreIOManager, step: Any, asset: dg.AssetKey, *rest: Any, **more: Any
    ) -> Any:
        read.append(asset.to_user_string())
        return whole(self, step, asset, *rest, **more)

    monkeypatch.setattr(StoreIOManager, "read", watched)
    pages = []
    for budget in (10**7, 10):
        monkeypatch.setattr(insight_assets, "SEARCH_BUDGET", budget)
        read.clear()
        with dg.DagsterInstance.ephemeral() as instance:
            run(store, instance)
        text = Read.page(store.read(REPORT_KEY, Report).html).text
        pages.append(("too many users" in text, "recommendations/similar_artists" in read))
        assert "listening/split" not in read, "of the split two columns are enough"
    assert pages == [(False, True), (True, False)]
