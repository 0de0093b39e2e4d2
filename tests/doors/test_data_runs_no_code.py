"""Files planted in the store, beside it and as sources: none of them is run, whatever it holds."""

import io
import json
import os
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lastfm_assets.errors import LastfmAssetsError
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.io import Store
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.recommendations.duckdb_file import DuckDBFile
from lastfm_assets.sources.description import Description
from lastfm_assets.tuning.storage import opened


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What is there once planted code has run."""
    return tmp_path / "code-was-run"


@pytest.fixture
def bomb(mark: Path) -> bytes:
    return pickle.dumps(Bomb(mark))


def test_the_bomb_goes_off_where_it_is_unpickled(bomb: bytes, mark: Path) -> None:
    pickle.loads(bomb)  # noqa: S301 (so that a test which finds nothing means something)
    assert mark.exists()


def objects_in_npz(mark: Path) -> bytes:
    """An archive of arrays, each of which is a pickle."""
    buffer = io.BytesIO()
    planted = np.array([Bomb(mark)], dtype=object)
    np.savez(buffer, allow_pickle=True, header=planted, data=planted, user_ids=planted)
    return buffer.getvalue()


def extension_in_parquet(bomb: bytes) -> bytes:
    """A column of the type that old versions of Arrow unpickled, and pandas' words for more."""
    field = pa.field(
        "user_id",
        pa.int64(),
        metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": bomb,
        },
    )
    columns = {"name": "user_id", "field_name": "user_id", "pandas_type": "object"}
    words = {
        "columns": [{**columns, "numpy_type": "os.system('x')", "metadata": {"x": "y"}}],
        "index_columns": ["os.system('x')"],
        "column_indexes": [],
        "attributes": {"x": "__import__('os').mkdir('x')"},
    }
    stamp = {"stamp": {"source": "sample", "version": "", "format": 2}}
    told = {"pandas": json.dumps(words), "lastfm_assets": json.dumps(stamp)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table([pa.array([1])], schema=pa.schema([field], metadata=told)), sink)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("kind", [TrainedModel, ListeningMatrix, pd.DataFrame, Champion])
@pytest.mark.parametrize("how", ["pickle", "npz", "zip", "parquet", "json"])
def test_a_planted_file_in_the_store_is_refused_or_harmless(
    tmp_path: Path, bomb: bytes, mark: Path, kind: type, how: str
) -> None:
    contents = {"pickle": bomb, "npz": objects_in_npz(mark), "parquet": extension_in_parquet(bomb)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("header.npy", "header", "data.pkl", "model.pkl"):
            archive.writestr(name, bomb)
    contents["zip"] = packed.getvalue()
    contents["json"] = json.dumps({"py/object": "os.mkdir", "py/reduce": [str(mark)]}).encode()

    store = Store(str(tmp_path / "store"))
    path = store.path(("models", "als"), kind)
    path.parent.mkdir(parents=True)
    path.write_bytes(contents[how])
    for read in (store.read, store.stamp):
        try:
            read(("models", "als"), kind)
        except LastfmAssetsError as problem:
            assert str(problem).isprintable()  # noqa: PT017 (either end is right)
    assert not mark.exists()


@pytest.mark.parametrize("ending", ["yaml", "toml"])
def test_a_description_that_asks_for_an_object_is_refused(
    tmp_path: Path, mark: Path, ending: str
) -> None:
    file = tmp_path / f"plays.{ending}"
    file.write_text(f"path: !!python/object/apply:os.mkdir ['{mark}']\ncolumns: {{user: u}}\n")
    with pytest.raises(LastfmAssetsError, match=r"is not (YAML|TOML)"):
        Description.read(file)
    assert not mark.exists()


def test_views_and_macros_of_a_planted_serving_database_are_not_asked(
    tmp_path: Path, mark: Path
) -> None:
    """A file of DuckDB's can hold queries that read and write other files when they are asked."""
    planted = tmp_path / "serving.duckdb"
    secret = tmp_path / "secret"
    secret.write_text("of another user")
    with duckdb.connect(planted) as database:
        database.execute("CREATE SCHEMA lastfm")
        read = f"SELECT content AS layout FROM read_text('{secret}')"  # noqa: S608 (ours)
        database.execute(f"CREATE MACRO lastfm.layout() AS TABLE {read}")
        database.execute(f"CREATE VIEW lastfm.publication AS {read}")
    before = planted.read_bytes()
    with pytest.raises(LastfmAssetsError) as refused:
        DuckDBFile(planted).served()
    assert "another user" not in str(refused.value)
    assert planted.read_bytes() == before
    assert not mark.exists()


def test_pickles_in_a_study_are_text_to_optuna(tmp_path: Path, bomb: bytes, mark: Path) -> None:
    """Optuna keeps JSON in SQLite; what somebody writes there instead is not unpickled."""
    file = tmp_path / "als.db"
    with opened(file, "als") as study:
        study.set_user_attr("note", 1)
        study.add_trial(optuna.trial.create_trial(value=0.5, user_attrs={"x": 1}))
    with sqlite3.connect(file) as database:
        for table in ("study_user_attributes", "trial_user_attributes"):
            database.execute(f"UPDATE {table} SET value_json = ?", (bomb,))  # noqa: S608
    database.close()
    with pytest.raises((ValueError, TypeError)), opened(file, "als") as study:  # noqa: PT012
        assert study.user_attrs
        assert study.trials
    assert not mark.exists()
