"""`refresh --engine spark` where the extra or Java is missing: one line that says what to do."""

from pathlib import Path

import pytest
from pipeline_world import Ran, run_command

from lastfm_assets.engines.spark.java import pyspark_home
from lastfm_assets.errors import EngineUnavailableError


def _refresh(folder: Path, **environment: str) -> Ran:
    store = folder / "store"
    command = ("refresh", "--engine", "spark", "--source", "sample")
    ran = run_command(*command, home=folder / "home", store=store, **environment)
    assert ran.code == 2, ran.err
    assert ran.err.count("error: ") == 1
    assert "Traceback" not in ran.err
    assert [path for path in store.rglob("*") if path.is_file()] == []
    return ran


def test_no_pyspark_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "pyspark.py").write_text("raise ImportError('not here')\n")
    ran = _refresh(tmp_path, PYTHONPATH=str(tmp_path))
    assert ran.last_line == (
        "error: pyspark is not installed, expected it for the Spark engine; run `pip install "
        "-e '.[spark]'` in the checkout, with Java 17, or use the local engine"
    )


def test_no_java_names_the_package(tmp_path: Path) -> None:
    try:
        pyspark_home()
    except EngineUnavailableError as problem:
        pytest.skip(str(problem))
    ran = _refresh(tmp_path, PATH=str(tmp_path), JAVA_HOME="")
    assert ran.last_line == (
        "error: no `java` was found, expected Java 17 or later for the Spark engine; install it "
        "(Debian: `apt-get install openjdk-17-jre-headless`), or use the local engine"
    )
