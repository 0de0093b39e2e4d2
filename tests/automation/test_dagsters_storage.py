"""Where Dagster's events go; and a disk that takes none, or damaged them: one line says so."""

from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from pipeline_world import run_command

from lastfm_assets.automation.event_log import with_kept_connections
from lastfm_assets.automation.failures import of_dagsters_storage
from lastfm_assets.errors import StoreError


def test_a_full_disk_under_dagsters_files_is_told_in_a_line(tmp_path: Path) -> None:
    # it used to end in a traceback of a hundred lines
    engine = sa.create_engine(f"sqlite:///{tmp_path}/runs.db")

    def write_runs() -> None:
        with of_dagsters_storage(tmp_path), engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE runs (body TEXT)"))
            connection.execute(sa.text("PRAGMA max_page_count = 3"))
            connection.execute(sa.text("INSERT INTO runs VALUES (:body)"), {"body": "x" * 100_000})

    with pytest.raises(
        StoreError, match=r"Dagster's runs in .* \(database or disk is full"
    ) as told:
        write_runs()
    engine.dispose()
    assert "\n" not in str(told.value)
    assert "INSERT" not in str(told.value)


def test_a_refresh_whose_run_storage_is_damaged_says_so_in_a_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "history").mkdir(parents=True)
    (home / "history" / "runs.db").write_bytes(b"not a database\n" * 1000)
    ran = run_command("refresh", "--source", "sample", home=home, store=tmp_path / "store")
    assert ran.code == 2
    assert ran.last_line.startswith(f"error: Dagster's runs in {home} cannot be written or read")
    assert "file is not a database" in ran.last_line
    assert "Traceback" not in ran.err


def opened_below(folder: Path) -> list[str]:
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link.name for link in links if link.is_relative_to(folder)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return tmp_path


def test_events_go_through_kept_connections_where_dagster_finds_them(home: Path) -> None:
    @dg.op
    def listen() -> None:
        """Leaves events."""

    @dg.job
    def evening() -> None:
        listen()

    with dg.DagsterInstance.from_ref(with_kept_connections(home, {})) as instance:
        run = evening.execute_in_process(instance=instance)
        assert f"{run.run_id}.db" in opened_below(home)
    assert opened_below(home) == []
    assert list(home.rglob("*-wal")) == [], "SQLite has cleaned up behind the last connection"
    with dg.DagsterInstance.from_config(str(home)) as plain:
        assert type(plain.event_log_storage) is SqliteEventLogStorage
        stored = [event.dagster_event_type for event in plain.all_logs(run.run_id)]
    assert stored[0] is dg.DagsterEventType.PIPELINE_START
    assert stored[-1] is dg.DagsterEventType.PIPELINE_SUCCESS


def test_a_log_that_its_owner_has_sent_elsewhere_goes_there(home: Path) -> None:
    elsewhere = home / "elsewhere"
    (home / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: '{elsewhere}'}}}}\n")
    with dg.DagsterInstance.from_ref(with_kept_connections(home, {})) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
    assert (elsewhere / "history" / "runs.db").exists()
    assert not (home / "history").exists()
