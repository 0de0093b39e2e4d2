"""A disk that Dagster's own files cannot be written to, or that damaged them: one line says so."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from pipeline_world import run_command

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
