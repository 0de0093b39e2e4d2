"""Where Dagster remembers runs."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from lastfm_assets.automation import instance
from lastfm_assets.automation.instance import prepare_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "deep" / "home"))
    return tmp_path / "deep" / "home"


class TestTheHome:
    def test_is_made_and_configured(self, home: Path) -> None:
        assert prepare_home() == home
        ours = Path(instance.__file__).with_name("dagster.yaml")
        assert (home / "dagster.yaml").read_bytes() == ours.read_bytes()

    def test_keeps_its_own_configuration(self, home: Path) -> None:
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        prepare_home()
        assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"

    def test_may_be_prepared_again(self, home: Path) -> None:
        assert prepare_home() == prepare_home() == home

    @pytest.mark.parametrize("given", ["here/home", "~/here/home"])
    def test_becomes_absolute(
        self, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Dagster refuses a relative one, and does not know `~`."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("DAGSTER_HOME", given)
        assert prepare_home() == tmp_path / "here" / "home"
        assert os.environ["DAGSTER_HOME"] == str(tmp_path / "here" / "home")

    @pytest.mark.parametrize("given", [None, ""])
    def test_is_in_the_data_folder_where_nothing_is_set(
        self, given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(instance, "data_folder", lambda: tmp_path / "data")
        monkeypatch.delenv("DAGSTER_HOME")
        if given is not None:
            monkeypatch.setenv("DAGSTER_HOME", given)
        assert prepare_home() == tmp_path / "data" / "dagster"

    def test_is_printed_for_the_makefile(self, home: Path) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "lastfm_assets.automation.instance"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout == f"{home}\n"


class TestTheInstance:
    def test_sends_nothing_and_runs_one_at_a_time(self, home: Path) -> None:
        prepare_home()
        with dg.DagsterInstance.get() as ours:
            assert ours.root_directory == str(home)
            assert not ours.telemetry_enabled
            assert type(ours.run_coordinator).__name__ == "QueuedRunCoordinator"
            assert ours.get_concurrency_config().run_queue_config.max_concurrent_runs == 1

    @pytest.mark.usefixtures("home")
    def test_does_not_repeat_a_refused_gate(self) -> None:
        prepare_home()
        with dg.DagsterInstance.get() as ours:
            assert ours.run_retries_enabled
            assert not ours.run_retries_retry_on_asset_or_op_failure
