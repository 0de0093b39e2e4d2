"""Where a run gets its data if nobody names a source: never secretly from the sample."""

import shutil
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from graph_world import run_in_process
from pipeline_world import almost_the_sample, snapshot

from lastfm_assets.io import Store
from lastfm_assets.listening import assets
from lastfm_assets.settings import Settings
from lastfm_assets.sources.download import Checksum, Patience
from lastfm_assets.sources.resolve import DefaultArchive, open_source

RAW = ["raw/artists"]
"""Any of the five: they are read together."""
IMPATIENT = Patience(tries=1, answer_seconds=2, silence_seconds=2, pause_seconds=0.01)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of our own; the default archive is on a port where nothing listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as unused:
        port = unused.server_port
    gone = DefaultArchive(
        f"https://127.0.0.1:{port}/x.zip", Checksum("md5", "0" * 32), "default.zip", IMPATIENT
    )
    monkeypatch.setattr(assets, "open_source", partial(open_source, default=gone))
    monkeypatch.setattr(assets, "data_folder", lambda: tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=str(tmp_path / "store"))


@pytest.fixture
def custom(settings: Settings, tmp_path: Path) -> Path:
    """A store that was made from somebody's own files."""
    own = almost_the_sample(tmp_path / "own")
    run = run_in_process(settings.model_copy(update={"source": str(own)}), RAW)
    assert run.success
    return Path(settings.store)


def failure(run: dg.ExecuteInProcessResult) -> str:
    """What the failed step of a run said."""
    (data,) = (event.step_failure_data for event in run.all_events if event.is_step_failure)
    assert data.user_failure_data is not None
    description = str(data.user_failure_data.description)
    assert description.isprintable()
    return description


class TestARunThatSomebodyStarted:
    def test_falls_back_to_the_sample_and_says_so(
        self, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = run_in_process(settings, RAW)
        assert run.success
        assert "made from the bundled, invented sample" in " ".join(capsys.readouterr().err.split())
        for name in ("artists", "friends", "tagged_artists", "tags", "user_artists"):
            assert Store(settings.store).source_of(("raw", name), pd.DataFrame) == "sample"

    def test_falls_back_again_over_what_the_sample_made(self, settings: Settings) -> None:
        assert run_in_process(settings, RAW).success
        before = snapshot(Path(settings.store))
        assert run_in_process(settings, RAW).success
        assert snapshot(Path(settings.store)) == before

    def test_never_falls_back_over_tables_of_another_source(
        self, custom: Path, settings: Settings
    ) -> None:
        before = snapshot(custom)
        run = run_in_process(settings, RAW)
        assert not run.success
        assert "the store holds tables of custom, which the sample must not replace" in failure(run)
        assert snapshot(custom) == before

    def test_replaces_such_tables_by_the_sample_where_it_is_asked_for(
        self, custom: Path, settings: Settings
    ) -> None:
        assert run_in_process(settings.model_copy(update={"source": "sample"}), RAW).success
        assert Store(str(custom)).source_of(("raw", "artists"), pd.DataFrame) == "sample"

    def test_does_not_fall_back_from_a_source_that_was_named(self, settings: Settings) -> None:
        run = run_in_process(settings.model_copy(update={"source": "/no/such/folder"}), RAW)
        assert "/no/such/folder: nothing was found" in failure(run)
        assert not Path(settings.store).exists()


class TestARunThatNobodyWatches:
    @pytest.mark.parametrize("tag", ["dagster/schedule_name", "dagster/sensor_name"])
    def test_fails_rather_than_falls_back(self, settings: Settings, tag: str) -> None:
        run = run_in_process(settings, RAW, tags={tag: "daily_refresh"})
        assert not run.success
        said = failure(run)
        assert "could not be fetched" in said
        assert "a scheduled run never falls back to the sample" in said
        assert not Path(settings.store).exists()

    def test_leaves_the_tables_of_yesterday(self, custom: Path, settings: Settings) -> None:
        before = snapshot(custom)
        run = run_in_process(settings, RAW, tags={"dagster/schedule_name": "daily_refresh"})
        assert not run.success
        assert snapshot(custom) == before

    def test_reads_the_files_that_lie_in_the_data_folder(
        self, settings: Settings, data: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(almost_the_sample(tmp_path / "own"), data / "raw")
        run = run_in_process(settings, RAW, tags={"dagster/schedule_name": "daily_refresh"})
        assert run.success
        assert Store(settings.store).source_of(("raw", "artists"), pd.DataFrame) == "custom"

    def test_may_be_given_the_sample(self, settings: Settings) -> None:
        named = settings.model_copy(update={"source": "sample"})
        assert run_in_process(named, RAW, tags={"dagster/schedule_name": "x"}).success


class TestABadFile:
    def test_among_good_ones_leaves_every_table(
        self, custom: Path, settings: Settings, tmp_path: Path
    ) -> None:
        """All files are read before any table is replaced."""
        (tmp_path / "own" / "user_friends.dat").write_text("this is\nno table\n")
        before = snapshot(custom)
        run = run_in_process(settings.model_copy(update={"source": str(tmp_path / "own")}), RAW)
        assert "user_friends.dat: the first line is 'this is'" in failure(run)
        assert snapshot(custom) == before

    def test_with_too_many_refused_rows_stops_before_the_models(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        own = almost_the_sample(tmp_path / "broken")
        plays = own / "user_artists.dat"
        lines = plays.read_text().splitlines()
        broken = [line.replace("\t", ";") if n % 10 == 5 else line for n, line in enumerate(lines)]
        plays.write_text("\n".join(broken))
        chosen = [*RAW, "listening/interactions", "listening/split"]
        run = run_in_process(settings.model_copy(update={"source": str(own)}), chosen)
        assert not run.success
        failed = {c.check_name for c in run.get_asset_check_evaluations() if not c.passed}
        assert failed == {"few_rows_refused"}
