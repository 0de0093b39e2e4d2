"""The store: what goes in comes out; nobody ever sees half a file, and no file runs code."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sps
from pydantic import BaseModel

from lastfm_assets import formats
from lastfm_assets import io as store_io
from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.formats import version_of
from lastfm_assets.insight.report import Report
from lastfm_assets.io import FORMAT, Stamp, Store
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.weighting import Weighting
from lastfm_assets.models.trained import MODELS, TrainedModel, train
from lastfm_assets.provenance import Origin

KEY = ("some", "where")
TABLE = pd.DataFrame(
    {
        "user_id": pd.array([1, 2, None], dtype="Int64"),
        "artist_name": pd.Series(['Beyoncé; "x"\n', "", None], dtype="str"),
        "score": [0.1, float("nan"), -1e300],
        "part": pd.Categorical(["train", "held_out", "train"], categories=["train", "held_out"]),
        "date": pd.to_datetime(["2009-01-01", None, "2010-12-31"]),
        "rank": np.array([1, 2, 3], dtype=np.int32),
    }
)
CHAMPION = Champion(
    model="als",
    parameters={"factors": 8, "regularization": 0.1},
    seed=3,
    fingerprint="f" * 64,
    pairs="a" * 64,
    code="c" * 12,
    validation_ndcg=0.1 + 0.2,
    precision=0.3,
    precision_low=0.29,
    precision_high=0.31,
    popularity_precision=0.1,
    min_precision=0.2,
    because="bêst",
    challenger="als",
    serving="item_knn",
    difference=0.1 + 0.2,
    low=-0.001,
    high=None,
    margin=0.002,
    pinned=False,
)


def matrix() -> ListeningMatrix:
    rng = np.random.default_rng(5)
    plays = sps.csr_array(rng.integers(0, 4, size=(12, 20)).astype(np.float32))
    plays.eliminate_zeros()
    return ListeningMatrix(
        plays, np.arange(10, 22), np.arange(0, 200, 10), Weighting("log", k1=3.0, b=0.2)
    )


def evaluation() -> Evaluation:
    per_user = pd.DataFrame(
        {
            "part": pd.Categorical(["train"], categories=["train", "validation", "held_out"]),
            "user_id": [7],
            "precision@10": [1 / 3],
        }
    )
    return Evaluation("als", '{"factors": 8}', 3, "f" * 64, {"gini@10": 0.5}, per_user)


def trained() -> TrainedModel:
    return train("item_knn", matrix(), side=SideTables.none(), seed=3)


VALUES: dict[type, Callable[[], Any]] = {
    pd.DataFrame: lambda: TABLE,
    ListeningMatrix: matrix,
    TrainedModel: trained,
    Evaluation: evaluation,
    Champion: lambda: CHAMPION,
    Report: lambda: Report("<!doctype html><html><head><title>a &amp; b</title></head></html>"),
}
KINDS = list(VALUES)


def same(one: Any, other: Any) -> bool:
    """Whether two stored values are equal, to the last bit and type."""
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return True
    if isinstance(one, BaseModel):
        return bool(one == other)
    if isinstance(one, Report):
        return bool(one == other)
    if isinstance(one, Evaluation):
        rest = ("model", "parameters", "seed", "fingerprint")
        equal = all(getattr(one, name) == getattr(other, name) for name in rest)
        return equal and same(one.per_user, other.per_user)
    if isinstance(one, TrainedModel):
        users = np.arange(len(one.user_ids))
        scores = (model.recommender.scores(users) for model in (one, other))
        return one.fingerprint == other.fingerprint and np.array_equal(*scores)
    assert one.weighting == other.weighting
    assert one.weights.dtype == other.weights.dtype
    np.testing.assert_array_equal(one.weights, other.weights)
    return bool(one.fingerprint == other.fingerprint)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store in a folder, and one behind an fsspec URL."""
    if request.param == "folder":
        yield Store(str(tmp_path / "store"))
        return
    store = Store(f"memory://{uuid.uuid4().hex}")
    yield store
    if store.root.exists():
        store.root.fs.rm(store.root.path, recursive=True)


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


class TestAValue:
    @pytest.mark.parametrize("kind", KINDS)
    def test_comes_back_as_it_went_in(self, store: Store, kind: type) -> None:
        value = VALUES[kind]()
        path = store.write(KEY, value, source="custom")[0]
        found, stamp = store.read_with_stamp(KEY, kind)
        assert type(found) is kind
        assert same(value, found)
        assert stamp == Stamp("custom", version_of(value), key="some/where")
        assert stamp == store.stamp(KEY, kind)
        assert path == store.path(KEY, kind)
        assert same(value, store.read(KEY, kind))
        assert store.source_of(KEY, kind) == "custom"

    @pytest.mark.parametrize("name", MODELS)
    def test_may_be_any_model(self, store: Store, name: str) -> None:
        model = train(name, matrix(), side=SideTables.none(), seed=1)
        store.write(KEY, model, source="custom")
        assert same(model, store.read(KEY, TrainedModel))

    def test_may_be_a_table_without_rows(self, store: Store) -> None:
        empty = TABLE.drop(columns="part").iloc[:0]
        store.write(KEY, empty, source="custom")
        assert same(empty, store.read(KEY, pd.DataFrame))

    def test_may_be_read_by_some_of_its_columns(self, store: Store) -> None:
        store.write(KEY, TABLE, source="custom")
        wanted = [*TABLE.columns[:1], *TABLE.columns[-2:]][::-1]
        assert same(TABLE[wanted], store.columns(KEY, wanted))
        with pytest.raises(StoreError, match="no column weather"):
            store.columns(KEY, ["weather"])

    @pytest.mark.parametrize("kind", KINDS)
    def test_gives_the_same_bytes_each_time(self, local: Store, kind: type) -> None:
        value = VALUES[kind]()
        first = local.write(KEY, value, source="custom")[0].read_bytes()
        time.sleep(0.01)
        assert local.write(KEY, value, source="custom")[0].read_bytes() == first

    def test_takes_the_place_of_the_one_before(self, store: Store) -> None:
        store.write(KEY, TABLE, source="sample")
        store.write(KEY, TABLE.head(1), source="custom")
        found, stamp = store.read_with_stamp(KEY, pd.DataFrame)
        assert (len(found), stamp.source) == (1, "custom")

    def test_is_left_alone_by_its_writer(self, store: Store) -> None:
        before = TABLE.copy(deep=True)
        store.write(KEY, TABLE, source="custom")
        assert same(before, TABLE)

    def test_is_there_only_once_written(self, store: Store) -> None:
        assert not store.has(KEY, Champion)
        store.write(KEY, CHAMPION, source="custom")
        assert store.has(KEY, Champion)
        assert not store.has(KEY, pd.DataFrame)

    def test_of_another_type_is_a_mistake_of_the_program(self, local: Store) -> None:
        with pytest.raises((TypeError, KeyError)):
            local.write(KEY, {"a": 1}, source="custom")  # type: ignore[type-var]
        assert not local.root.exists()

    def test_lies_under_its_key(self, local: Store) -> None:
        local.write(("evaluation", "champion"), CHAMPION, source="custom")
        text = (Path(str(local.root)) / "evaluation" / "champion.json").read_text()
        assert json.loads(text)["stamp"] == {
            "source": "custom",
            "version": version_of(CHAMPION),
            "origin": {"code": "", "parameters": {}, "inputs": {}},
            "format": FORMAT,
            "key": "evaluation/champion",
        }


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


DAMAGES = {
    "emptied": lambda _: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "cut by one byte": lambda content: content[:-1],
    "noise": lambda content: bytes(range(256)) * (len(content) // 256 + 1),
    "a web page": lambda _: b"<html>log in first</html>",
}


def write_damaged(store: Store, kind: type, damage: Callable[[bytes], bytes]) -> None:
    path = store.write(KEY, VALUES[kind](), source="custom")[0]
    path.write_bytes(damage(path.read_bytes()))


def assert_unreadable(store: Store, kind: Any) -> None:
    with pytest.raises(
        StoreError, match=r"some.where.*cannot be read .*lastfm-assets refresh"
    ) as c:
        store.read(KEY, kind)
    assert str(c.value).isprintable()
    assert len(str(c.value)) < 600


class TestATable:
    """Small ones are read at once, others column by column, and nobody can tell which."""

    @pytest.mark.parametrize("rows", [1, 3, 20_000])
    def test_is_read_as_it_was_written_either_way(
        self, tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        numbers = np.arange(rows)
        table = pd.DataFrame(
            {
                "user_id": numbers,
                "rank": numbers.astype("int32"),
                "score": np.where(numbers % 3, numbers / 7, np.nan),
                "name": pd.Series([f"artist {n}" if n % 5 else None for n in numbers], dtype="str"),
                "nothing": pd.Series([None] * rows, dtype="str"),
                "moment": pd.Timestamp(2009, 4, 1) + pd.to_timedelta(numbers, unit="s"),
                "part": pd.Categorical(["train"] * rows, categories=["train", "held_out"]),
                "plays": pd.array([None if n % 4 else n for n in numbers], dtype="Int64"),
            }
        )
        store = Store(str(tmp_path))
        store.write("raw/a", table, source="s")
        for small in (-1, 2**40):
            monkeypatch.setattr(formats, "_SMALL", small)
            pd.testing.assert_frame_equal(store.read("raw/a", pd.DataFrame), table)
            some = ["part", "user_id"]
            pd.testing.assert_frame_equal(store.columns("raw/a", some), table[some])


class TestADamagedFile:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("damage", DAMAGES)
    def test_is_refused_in_one_line(self, store: Store, kind: type, damage: str) -> None:
        write_damaged(store, kind, DAMAGES[damage])
        assert_unreadable(store, kind)

    @pytest.mark.parametrize("kind", KINDS)
    def test_with_a_flipped_byte_never_ends_in_another_error(
        self, local: Store, kind: type
    ) -> None:
        path = local.write(KEY, VALUES[kind](), source="custom")[0]
        whole = path.read_bytes()
        refused = []
        for place in range(0, len(whole), 11):
            path.write_bytes(flipped(whole, place))
            try:
                local.read(KEY, kind)
            except StoreError as problem:
                refused.append(str(problem))
        assert len(refused) > 20
        assert [line for line in refused if not line.isprintable()] == []

    @pytest.mark.parametrize("kind", [ListeningMatrix, TrainedModel])
    def test_with_a_flipped_byte_never_gives_another_value(self, local: Store, kind: type) -> None:
        """The archive has a checksum; some of its own fields, such as dates, mean nothing."""
        value = VALUES[kind]()
        path = local.write(KEY, value, source="custom")[0]
        whole = path.read_bytes()
        for place in range(5, len(whole), 11):
            path.write_bytes(flipped(whole, place))
            try:
                found = local.read(KEY, kind)
            except StoreError:
                continue
            assert same(value, found)

    @pytest.mark.parametrize(
        ("kind", "other"),
        [
            (ListeningMatrix, TrainedModel),
            (TrainedModel, ListeningMatrix),
            (Evaluation, pd.DataFrame),
            (pd.DataFrame, Champion),
            (Champion, pd.DataFrame),
            (TrainedModel, Champion),
        ],
    )
    def test_that_holds_another_kind_is_refused(
        self, local: Store, kind: type, other: type
    ) -> None:
        content = local.write(("an", "other"), VALUES[other](), source="custom")[0].read_bytes()
        path = local.path(KEY, kind)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        assert_unreadable(local, kind)

    @pytest.mark.parametrize("kind", KINDS)
    def test_that_is_missing_says_what_to_run(self, store: Store, kind: type) -> None:
        with pytest.raises(StoreError, match=r"^some/where is not in the store .*refresh`$"):
            store.read(KEY, kind)

    def test_that_is_a_folder_is_refused(self, local: Store) -> None:
        local.path(KEY, Champion).mkdir(parents=True)
        assert_unreadable(local, Champion)

    def test_of_a_plain_parquet_table_without_stamp_is_refused(self, local: Store) -> None:
        path = local.path(KEY, pd.DataFrame)
        path.parent.mkdir(parents=True)
        TABLE.to_parquet(path)
        assert_unreadable(local, pd.DataFrame)

    @pytest.mark.parametrize("change", [{"seed": "x"}, {"extra": 1}, {"precision": None}])
    def test_of_a_champion_that_is_none_is_refused(
        self, local: Store, change: dict[str, Any]
    ) -> None:
        path = local.write(KEY, CHAMPION, source="custom")[0]
        record = json.loads(path.read_text())
        record["champion"] |= change
        path.write_text(json.dumps(record))
        assert_unreadable(local, Champion)


class TestTheFormat:
    def test_of_the_first_version_is_read_and_says_nothing_of_its_origin(
        self, local: Store
    ) -> None:
        path = local.write(KEY, CHAMPION, source="custom", origin=Origin(code="abc"))[0]
        record = json.loads(path.read_text())
        record["stamp"] = {"source": "custom", "format": 1}
        path.write_text(json.dumps(record))
        assert local.read_with_stamp(KEY, Champion) == (CHAMPION, Stamp("custom", format=1))

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_later_version_is_refused(
        self, store: Store, kind: type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = store_io.Stamp
        with monkeypatch.context() as later:
            later.setattr(store_io, "Stamp", lambda *said, key: real(*said, FORMAT + 1, key))
            store.write(KEY, VALUES[kind](), source="custom")
        with pytest.raises(
            StoreError, match=rf"its format is {FORMAT + 1}, this version reads up to"
        ):
            store.read(KEY, kind)

    def test_of_a_stamp_with_unknown_fields_is_refused(self, local: Store) -> None:
        path = local.write(KEY, CHAMPION, source="custom")[0]
        record = json.loads(path.read_text())
        record["stamp"]["owner"] = "x"
        path.write_text(json.dumps(record))
        assert_unreadable(local, Champion)


class Trap:
    """Writes a file when it is unpickled."""

    path: ClassVar[str] = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(self.path),))


class TestCodeInAFile:
    @pytest.mark.parametrize("kind", [ListeningMatrix, TrainedModel])
    def test_is_never_run(
        self, local: Store, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = local.write(KEY, VALUES[kind](), source="custom")[0]
        with np.load(io.BytesIO(path.read_bytes())) as archive:
            arrays = {name: archive[name] for name in archive.files}
        monkeypatch.setattr(Trap, "path", str(tmp_path / "executed"))
        np.savez(path, **arrays | {"user_ids": np.array([Trap()], dtype=object)})
        assert_unreadable(local, kind)
        assert not (tmp_path / "executed").exists()
        # the trap works: whoever allows pickles falls into it
        with np.load(path, allow_pickle=True) as archive:
            assert archive["user_ids"].shape == (1,)
        assert (tmp_path / "executed").exists()


class TestAWriteThatFails:
    @pytest.mark.parametrize("where", ["fsync", "replace"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_leaves_the_value_before_and_no_leftover(
        self, local: Store, kind: type, where: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = local.write(KEY, VALUES[kind](), source="custom")[0]
        before = path.read_bytes()

        def fails(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr(*((os, "fsync", fails) if where == "fsync" else (Path, "replace", fails)))
            with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\)"):
                local.write(KEY, VALUES[kind](), source="sample")
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]  # noqa: PTH208

    def test_by_an_interrupt_leaves_no_leftover(
        self, local: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = local.write(KEY, CHAMPION, source="custom")[0]

        def interrupted(_: int) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as stopped:
            stopped.setattr(os, "fsync", interrupted)
            with pytest.raises(KeyboardInterrupt):
                local.write(KEY, CHAMPION, source="sample")
        assert os.listdir(path.parent) == [path.name]  # noqa: PTH208
        assert local.source_of(KEY, Champion) == "custom"

    def test_below_a_file_is_told_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(StoreError, match=r"cannot be written \(.*\)$") as caught:
            Store(str(tmp_path / "file" / "store")).write(KEY, CHAMPION, source="custom")
        assert str(caught.value).isprintable()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_in_a_locked_folder_is_told_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(StoreError, match=r"cannot be written \(Permission denied\)"):
            Store(str(tmp_path / "locked")).write(KEY, CHAMPION, source="custom")


WRITER = """
import sys
import numpy as np, pandas as pd
from lastfm_assets.io import Store
store = Store(sys.argv[1])
tables = [
    pd.DataFrame({"user_id": np.random.default_rng(n).integers(0, 2**62, 100_000), "n": n})
    for n in (0, 1)
]
for table in tables * 10_000:
    store.write(("some", "where"), table, source=str(table["n"].iloc[0]))
    print("written", flush=True)
"""


def test_a_killed_writer_never_leaves_half_a_value(tmp_path: Path) -> None:
    """SIGKILL in the middle of writes, while somebody reads all the time."""
    store = Store(str(tmp_path / "store"))
    seen: list[int] = []
    problems: list[Exception] = []
    done = threading.Event()

    def reads() -> None:
        while not done.is_set():
            try:
                table, stamp = store.read_with_stamp(KEY, pd.DataFrame)
                n = int(stamp.source)
                expected = np.random.default_rng(n).integers(0, 2**62, 100_000)
                assert (table["n"] == n).all()
                np.testing.assert_array_equal(table["user_id"], expected)
                seen.append(n)
            except Exception as problem:  # noqa: BLE001 (a thread's errors are looked at below)
                problems.append(problem)
                return

    reader = None
    for round_ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "store")], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            if reader is None:
                reader = threading.Thread(target=reads)
                reader.start()
            time.sleep(0.25 + 0.013 * round_)
            writer.send_signal(signal.SIGKILL)
    done.set()
    assert reader is not None
    reader.join()
    assert problems == []
    assert len(seen) > 20
    assert set(seen) == {0, 1}
    store.read(KEY, pd.DataFrame)


class TestALocation:
    def test_may_be_relative(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        store = Store("here")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.write(KEY, CHAMPION, source="custom")
        assert (tmp_path / "here" / "some" / "where.json").exists()

    def test_is_not_made_by_looking(self, tmp_path: Path) -> None:
        assert not Store(str(tmp_path / "store")).has(KEY, Champion)
        assert not (tmp_path / "store").exists()

    def test_may_be_a_file_url(self, tmp_path: Path) -> None:
        """It is written as a folder is, in one step."""
        store = Store(f"file://{tmp_path}/store")
        assert isinstance(store.write(KEY, CHAMPION, source="custom")[0], Path)
        assert same(Store(str(tmp_path / "store")).read(KEY, Champion), CHAMPION)

    def test_of_an_unknown_protocol_is_refused(self) -> None:
        with pytest.raises(BadInputError, match="fsspec URL whose driver is installed") as caught:
            Store("no-such-protocol://bucket/x")
        assert str(caught.value).isprintable()

    @pytest.mark.skipif(find_spec("s3fs") is not None, reason="the driver is installed")
    def test_of_a_driver_that_is_not_installed_is_refused(self) -> None:
        with pytest.raises(BadInputError, match=r"Install s3fs.*expected a folder or an fsspec"):
            Store("s3://bucket/x")


def test_tables_are_read_in_the_calling_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`recommend` once printed its list and then aborted, one time in thirty on a busy machine.

    `read_table` hands the bytes to a thread of Arrow's, which asked for the interpreter to let go
    of them while that was ending.
    """

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read_table reads in other threads")

    monkeypatch.setattr(pq, "read_table", refuse)
    store = Store(str(tmp_path))
    table = pd.DataFrame({"user_id": [1, 2]})
    store.write(("raw", "x"), table, source="custom")
    pd.testing.assert_frame_equal(store.read(("raw", "x"), pd.DataFrame), table)


class TestAVersion:
    @pytest.mark.parametrize("kind", KINDS)
    def test_is_that_of_the_value_whatever_its_file_says(self, local: Store, kind: type) -> None:
        first = local.write(KEY, VALUES[kind](), source="custom")[1]
        origin = Origin("code", {"factors": 8}, {"listening/split": "1"})
        second = local.write(KEY, VALUES[kind](), source="sample", origin=origin)[1]
        assert first.version == second.version == version_of(local.read(KEY, kind))
        assert local.stamp(KEY, kind) == Stamp("sample", first.version, origin, key="some/where")

    def test_changes_with_a_figure_a_name_an_order_and_a_type(self) -> None:
        table = pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan]})
        others = [
            table.assign(b=[0.5, 0.25]),
            table.rename(columns={"a": "c"}),
            table[["b", "a"]],
            table.iloc[::-1].reset_index(drop=True),
            table.astype({"a": "int32"}),
            table.head(1),
        ]
        assert len({version_of(one) for one in [table, table.copy(), *others]}) == 7

    def test_does_not_depend_on_how_a_table_was_put_together(self, local: Store) -> None:
        moment = pd.Timestamp("2026-11-24 03:30", tz="UTC").as_unit("s")
        parts = [
            pd.DataFrame({"a": [place], "b": [text], "c": [moment]})
            for place, text in enumerate("xyz")
        ]
        table = pd.concat(parts, ignore_index=True)
        local.write(KEY, table, source="custom")
        assert version_of(table) == version_of(local.read(KEY, pd.DataFrame))

    def test_of_an_evaluation_changes_with_which_model_it_is_of(self) -> None:
        other = replace(evaluation(), fingerprint="0" * 64)
        assert version_of(other) != version_of(evaluation())
