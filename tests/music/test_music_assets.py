"""The assets as Dagster runs them: what is stored, what is shown, and what fails for itself."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from audio_world import with_cell, write_files
from tag_world import assignments, of_months, plays

from lastfm_assets.automation.jobs import studies_job
from lastfm_assets.automation.lineage import COLUMNS
from lastfm_assets.definitions import build_definitions
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import column_type

TAGS = ("insight/tag_trends", "insight/tag_popularity")
AUDIO = ("insight/audio_features", "insight/audio_correlations")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Tags of two years on forty artists, each with a listener or two."""
    months = {f"{year}-{month:02}": 3 for year in (2008, 2009) for month in range(1, 13)}
    store = Store(str(tmp_path / "store"))
    values = {
        "tag_assignments": assignments(
            of_months("rock", months, users=5) + of_months("Post-Punk", months, users=9)
        ),
        "interactions": plays(
            (user, artist, 10 * user) for user in (1, 2) for artist in range(1000, 1000 + 50 * user)
        ),
    }
    for name, value in values.items():
        store.write(("listening", name), value, source="invented")
    return store


def run(
    store: Store, *assets: str, audio: Path | None = None, seed: int = 0
) -> dg.ExecuteInProcessResult:
    """Some assets of the studies job, over the store."""
    settings = Settings(
        source="sample",
        store=str(store.root),
        audio_features=None if audio is None else str(audio),
        seed=seed,
    )
    job = build_definitions(settings).resolve_job_def(studies_job.name)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(asset.split("/")) for asset in assets],
        )


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """Metadata of what a run has made of an asset."""
    key = dg.AssetKey(asset.split("/"))
    (made,) = (
        event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    )
    return {name: value.value for name, value in made.metadata.items()}


def stored(store: Store, asset: str) -> pd.DataFrame:
    return store.read(asset.split("/"), pd.DataFrame)


def why(result: dg.ExecuteInProcessResult) -> str:
    """What the one failed step has said."""
    (said,) = (
        event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    )
    return str(said)


def assert_as_declared(table: pd.DataFrame, asset: str) -> None:
    """Columns and types are those that the web UI shows before the first run."""
    assert tuple(table.columns) == COLUMNS[asset]
    types = [str(dtype).partition("[")[0] for dtype in table.dtypes]
    assert types == [column_type(name) for name in table.columns]


def has_pictures(facts: dict[str, Any], *names: str) -> bool:
    return all(str(facts[name]).startswith("![") for name in names)


def test_tags_become_both_tables_with_words_and_pictures(store: Store) -> None:
    result = run(store, *TAGS)
    assert result.success
    for asset in TAGS:
        assert_as_declared(stored(store, asset), asset)
        assert store.source_of(asset.split("/"), pd.DataFrame) == "invented"
    trends, popularity = (shown(result, asset) for asset in TAGS)
    assert (trends["tags"], trends["months"], trends["moved_for_sure"]) == (2, 24, 0)
    assert trends["in_words"].startswith("2009-01 to 2009-12 against 2008-01 to 2008-12: no tag")
    assert has_pictures(trends, "trends")
    assert has_pictures(popularity, "popularity")
    assert (popularity["listeners_of_tagged"], popularity["listeners_of_untagged"]) == (2, 1)
    assert "“Post-Punk” (2 listeners, 2 to 2)" in popularity["in_words"]


def test_popularity_alone_depends_on_the_seed(store: Store) -> None:
    run(store, *TAGS, seed=0)
    before = [store.stamp(asset.split("/"), pd.DataFrame).origin for asset in TAGS]
    run(store, *TAGS, seed=1)
    after = [store.stamp(asset.split("/"), pd.DataFrame).origin for asset in TAGS]
    said = [old.difference(new) for old, new in zip(before, after, strict=True)]
    assert said == ["", "seed changed from 0 to 1"]


def test_audio_files_become_both_tables_with_words_and_pictures(
    store: Store, tmp_path: Path
) -> None:
    result = run(store, *AUDIO, audio=write_files(tmp_path / "audio"))
    assert result.success
    for asset in AUDIO:
        assert_as_declared(stored(store, asset), asset)
    assert len(stored(store, AUDIO[0])) == 40 * 11
    assert len(stored(store, AUDIO[1])) == 20
    features, correlations = (shown(result, asset) for asset in AUDIO)
    assert features["years"] == 40
    assert "outcome" not in features
    assert has_pictures(features, "features")
    assert has_pictures(correlations, "correlations")
    assert correlations["genres"] == 60
    assert correlations["warnings"] >= 3
    assert correlations["in_words"].startswith("Goes with popularity most: over years")


def test_audio_tables_come_from_their_files_and_from_no_table(store: Store, tmp_path: Path) -> None:
    audio = write_files(tmp_path / "audio")
    run(store, *AUDIO, audio=audio)
    stamps = [store.stamp(asset.split("/"), pd.DataFrame) for asset in AUDIO]
    assert {stamp.source for stamp in stamps} == {"audio features"}
    assert [set(stamp.origin.inputs) for stamp in stamps] == [{"the source"}, {"the source"}]
    with_cell(audio / "data_by_year.csv", 3, "tempo", "99")
    run(store, *AUDIO, audio=audio)
    later = store.stamp(AUDIO[0].split("/"), pd.DataFrame)
    assert stamps[0].origin.difference(later.origin) == "the source changed"


def test_without_audio_files_both_tables_are_empty_and_say_why(store: Store) -> None:
    result = run(store, *AUDIO)
    assert result.success
    for asset in AUDIO:
        table = stored(store, asset)
        assert table.empty
        assert_as_declared(table, asset)
        assert shown(result, asset)["outcome"] == "LASTFM_AUDIO_FEATURES is not set"
        assert shown(result, asset)["dagster/row_count"] == 0


def test_a_bad_audio_file_fails_in_one_line_and_replaces_neither_table(
    store: Store, tmp_path: Path
) -> None:
    audio = write_files(tmp_path / "audio")
    run(store, *AUDIO, audio=audio)
    before = [stored(store, asset) for asset in AUDIO]
    with_cell(audio / "data_by_genres.csv", 4, "tempo", "fast")
    result = run(store, *AUDIO, audio=audio)
    assert not result.success
    assert why(result) == (
        f"{audio / 'data_by_genres.csv'}: line 4, column tempo: 'fast' was found, expected a "
        "number; correct the line or unset LASTFM_AUDIO_FEATURES"
    )
    for asset, table in zip(AUDIO, before, strict=True):
        pd.testing.assert_frame_equal(stored(store, asset), table)


def test_a_bad_audio_folder_fails_no_other_study(store: Store, tmp_path: Path) -> None:
    result = run(store, *TAGS, *AUDIO, audio=tmp_path / "nowhere")
    assert not result.success
    assert why(result).startswith(f"{tmp_path / 'nowhere'}: nothing was found, expected a folder")
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == set(TAGS)


def test_a_source_without_tags_has_empty_tables(store: Store) -> None:
    store.write(("listening", "tag_assignments"), assignments([]), source="invented")
    result = run(store, *TAGS)
    assert result.success
    for asset in TAGS:
        assert stored(store, asset).empty
        assert_as_declared(stored(store, asset), asset)
    assert shown(result, TAGS[0])["in_words"] == "Fewer than two months have tags."
