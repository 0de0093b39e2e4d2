"""Where Dagster remembers runs."""

import errno
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType

from lastfm_assets.automation import instance
from lastfm_assets.automation.instance import configuration, prepare_home
from lastfm_assets.errors import BadInputError, DatabaseUnavailableError, StoreError

URL = "postgresql://lastfm:T0PSECRET@127.0.0.1:1/dagster"
AS_0_2_WROTE_IT = """\
# Dagster instance for one machine: SQLite, one run at a time, no telemetry.
telemetry:
  enabled: false
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
concurrency:
  runs:
    max_concurrent_runs: 1
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false  # a refused gate or a bad file would only fail again
run_monitoring:
  enabled: true
retention:
  schedule:
    purge_after_days: 30
nux:
  enabled: false  # no newsletter dialogue over the first page
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "deep" / "home"))
    return tmp_path / "deep" / "home"


@pytest.fixture
def _a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is set, and what it names is taken for granted."""
    monkeypatch.setenv("LASTFM_DAGSTER_URL", URL)
    monkeypatch.setattr(instance, "_check_database", lambda _url: None)


class TestTheHome:
    def test_is_made_and_configured(self, home: Path) -> None:
        assert prepare_home() == home
        assert (home / "dagster.yaml").read_text() == configuration(postgres=False)
        assert [file.name for file in home.iterdir()] == ["dagster.yaml"]

    def test_is_for_its_owner_alone_and_one_that_is_there_stays_as_open_as_it_is(
        self, home: Path
    ) -> None:
        """Runs' events and what they printed lie there; everybody on the machine could read it."""
        assert prepare_home().stat().st_mode & 0o777 == 0o700
        home.chmod(0o750)
        assert prepare_home().stat().st_mode & 0o777 == 0o750

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
        assert (home / "history" / "runs.db").is_file()  # so that no two servers make it at once

    def test_that_cannot_be_prepared_says_so_in_one_line(self, home: Path) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "lastfm_assets.automation.instance"],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"LASTFM_DAGSTER_URL": URL},
        )
        assert told.returncode == 2
        assert told.stdout == ""
        assert told.stderr == (
            "error: Dagster's database on 127.0.0.1:1 cannot be used: the connection is refused; "
            "start it or correct LASTFM_DAGSTER_URL\n"
        )
        assert not (home / "dagster.yaml").exists()

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ("a file", "cannot be made or used .*File exists"),
            ("a file/deep/home", "cannot be made or used .*(File exists|Not a directory)"),
            ("/proc/nowhere/home", "cannot be made or used .*No such file"),
            ("~nobody-is-called-so/home", "~nobody-is-called-so/home, but no home is known for"),
        ],
    )
    def test_that_cannot_be_had_is_told_in_one_line(
        self, given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every command ended in a traceback."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a file").write_text("x")
        monkeypatch.setenv("DAGSTER_HOME", given)
        with pytest.raises(BadInputError, match=f"{said}.*; expected .*folder") as caught:
            prepare_home()
        assert str(caught.value).isprintable()

    def test_on_a_disk_that_fails_is_told_in_one_line(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"home cannot be .*No space left.*; see to the disk"):
            prepare_home()
        assert list(home.iterdir()) == []


class TestTheConfiguration:
    def test_is_on_the_disk_before_it_has_its_name(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A power cut left it empty, and so it was the user's own: runs ran side by side."""
        done = []
        sync, rename = os.fsync, Path.replace

        def synced(handle: int) -> None:
            done.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
            sync(handle)

        def renamed(path: Path, target: Path) -> Path:
            done.append(f"rename {path.name}")
            return rename(path, target)

        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Path, "replace", renamed)
        prepare_home()
        assert done == ["sync dagster.yaml", "rename dagster.yaml", f"sync {home.name}"]

    @pytest.mark.parametrize("left", ["", "\n", "\0" * 9])
    def test_that_a_power_cut_emptied_is_written_anew(self, left: str, home: Path) -> None:
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text(left)
        prepare_home()
        assert (home / "dagster.yaml").read_text() == configuration(postgres=False)

    def test_that_is_no_text_is_somebody_s_own_and_told_in_one_line(self, home: Path) -> None:
        """Every command ended in a traceback."""
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_bytes(b"\xff\xfe")
        with pytest.raises(BadInputError, match=r"yaml is your own, but not text in UTF-8.*; save"):
            prepare_home()
        assert (home / "dagster.yaml").read_bytes() == b"\xff\xfe"

    @pytest.mark.usefixtures("_a_database")
    def test_names_the_variable_and_not_what_is_in_it(self, home: Path) -> None:
        prepare_home()
        text = (home / "dagster.yaml").read_text()
        storage = yaml.safe_load(text)["storage"]["custom"]
        assert storage["config"] == {"postgres_url": {"env": "LASTFM_DAGSTER_URL"}}
        assert "T0PSECRET" not in text

    @pytest.mark.usefixtures("_a_database")
    def test_follows_the_variable_as_it_goes_and_comes(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepare_home()
        monkeypatch.delenv("LASTFM_DAGSTER_URL")
        prepare_home()
        assert "storage" not in yaml.safe_load((home / "dagster.yaml").read_text())
        monkeypatch.setenv("LASTFM_DAGSTER_URL", URL)
        prepare_home()
        assert "storage" in yaml.safe_load((home / "dagster.yaml").read_text())

    def test_of_version_0_2_is_brought_up_to_date(self, home: Path) -> None:
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text(AS_0_2_WROTE_IT)
        prepare_home()
        assert (home / "dagster.yaml").read_text() == configuration(postgres=False)

    @pytest.mark.parametrize("ours", [AS_0_2_WROTE_IT, configuration(postgres=False)])
    def test_that_somebody_edited_is_kept(self, ours: str, home: Path) -> None:
        home.mkdir(parents=True)
        edited = ours.replace("max_concurrent_runs: 1", "max_concurrent_runs: 2")
        assert edited != ours
        (home / "dagster.yaml").write_text(edited)
        prepare_home()
        assert (home / "dagster.yaml").read_text() == edited

    @pytest.mark.usefixtures("_a_database")
    def test_that_somebody_wrote_may_not_forget_the_database(self, home: Path) -> None:
        home.mkdir(parents=True)
        file = home / "dagster.yaml"
        file.write_text("telemetry: {enabled: false}\n")
        with pytest.raises(BadInputError, match="is your own and does not use it"):
            prepare_home()
        file.write_text("storage: {postgres: {postgres_url: {env: LASTFM_DAGSTER_URL}}}\n")
        assert prepare_home() == home


class TestADatabase:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            (URL, r"on 127.0.0.1:1 cannot be used: the connection is refused"),
            ("postgresql://lastfm:T0P@SECRET@127.0.0.1:1/x", "database cannot be used"),
            ("postgresql://lastfm:T0P/SECRET@127.0.0.1:1/x", "cannot be (used|read)"),
            ("postgresql://lastfm:T0PSECRET@nowhere.invalid/x", "no such host is known"),
            ("postgresql://lastfm:T0PSECRET@127.0.0.1:1/x?SECRET=1", "cannot be read"),
            ("postgresql://lastfm:T0PSECRET@127.0.0.1:SECRET/x", "cannot be (used|read)"),
            ("postgres://lastfm:T0PSECRET@127.0.0.1:1/x", "the connection is refused"),
        ],
    )
    @pytest.mark.usefixtures("home")
    def test_that_cannot_be_used_is_told_without_its_secrets(
        self, url: str, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("dagster_postgres", reason="the extra `postgres` is not installed")
        monkeypatch.setenv("LASTFM_DAGSTER_URL", url)
        with pytest.raises((BadInputError, DatabaseUnavailableError), match=said) as problem:
            prepare_home()
        assert "SECRET" not in str(problem.value)
        assert "T0P" not in str(problem.value)

    @pytest.mark.usefixtures("home")
    def test_needs_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LASTFM_DAGSTER_URL", URL)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
        with pytest.raises(BadInputError, match=r"pip install -e '\.\[postgres\]' in the checkout"):
            prepare_home()


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

    @pytest.mark.usefixtures("home")
    def test_gives_up_runs_that_hang_and_forgets_old_ticks(self) -> None:
        prepare_home()
        with dg.DagsterInstance.get() as ours:
            assert ours.run_monitoring_enabled
            assert 0 < ours.run_monitoring_max_runtime_seconds <= 6 * 3600
            for kind in (InstigatorType.SCHEDULE, InstigatorType.SENSOR):
                assert min(ours.get_tick_retention_settings(kind).values()) > 0
