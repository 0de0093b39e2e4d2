"""Seals: ordinary tools read the files as ever, and whoever reads a part of one reads no damage."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lastfm_assets import seals
from lastfm_assets.errors import StoreError
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.insight.report import Report
from lastfm_assets.io import NewerStoreError, Store
from lastfm_assets.models.trained import TrainedModel

KEY = ("some", "where")
TABLE = pd.DataFrame(
    {"a": np.arange(400_000), "b": np.random.default_rng(0).random(400_000), "c": "x"}
).astype({"c": "str"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


@pytest.fixture
def table(store: Store) -> Path:
    return Path(store.write(KEY, TABLE, source="custom")[0])


def damage(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


class TestASealedTable:
    def test_is_an_ordinary_parquet_file(self, table: Path) -> None:
        pd.testing.assert_frame_equal(pd.read_parquet(table), TABLE)
        assert pq.read_table(table, memory_map=True).num_rows == len(TABLE)
        with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
            found = database.execute(
                "SELECT count(*), sum(a) FROM read_parquet(?)", [str(table)]
            ).fetchone()
        assert found == (len(TABLE), int(TABLE["a"].sum()))

    def test_tells_a_plausible_other_number(self, store: Store, table: Path) -> None:
        """Without seals, a flipped bit in a page of numbers was read as another number."""
        damage(table, 5_000)
        for read in (
            lambda: store.read(KEY, pd.DataFrame),
            lambda: store.columns(KEY, ["a"]),
            lambda: store.check(KEY, pd.DataFrame),
        ):
            with pytest.raises(StoreError, match=r"where\.parquet: cannot be read \(it is damaged"):
                read()
        assert store.rows(KEY) == len(TABLE)

    def test_is_read_in_part_beside_the_damage(self, store: Store, table: Path) -> None:
        group = pq.ParquetFile(table).metadata.row_group(0)
        damage(table, group.column(1).data_page_offset + seals.BLOCK)
        pd.testing.assert_frame_equal(store.columns(KEY, ["a"]), TABLE[["a"]])
        with pytest.raises(StoreError, match="it is damaged: between bytes"):
            store.columns(KEY, ["b"])

    def test_tells_a_damaged_footer_before_anybody_believes_it(
        self, store: Store, table: Path
    ) -> None:
        size = table.stat().st_size
        for place in (size - 9, size - 200, size - 5):
            damage(table, place)
            with pytest.raises(StoreError, match="cannot be read"):
                store.stamp(KEY, pd.DataFrame)
            damage(table, place)
        assert store.stamp(KEY, pd.DataFrame).source == "custom"


class TestAFileInThePlaceOfAnother:
    def test_is_refused_though_it_is_whole(self, store: Store, table: Path) -> None:
        other = Path(store.write(("an", "other"), TABLE.head(1), source="custom")[0])
        table.write_bytes(other.read_bytes())
        for read in (store.read, store.stamp, store.check):
            with pytest.raises(StoreError, match="a file of an/other in the place of another"):
                read(KEY, pd.DataFrame)


class TestAFileWithoutASeal:
    def test_of_an_early_format_is_read(self, store: Store, table: Path) -> None:
        parquet = pq.read_table(table)
        header = json.loads(parquet.schema.metadata[b"lastfm_assets"])
        header["stamp"] |= {"format": 2}
        del header["stamp"]["key"]
        metadata = {**parquet.schema.metadata, b"lastfm_assets": json.dumps(header).encode()}
        pq.write_table(parquet.replace_schema_metadata(metadata), table)
        pd.testing.assert_frame_equal(store.read(KEY, pd.DataFrame), TABLE)
        assert store.check(KEY, pd.DataFrame).format == 2

    def test_of_this_format_is_refused(self, store: Store, table: Path) -> None:
        pq.write_table(pq.read_table(table), table)
        for read in (store.read, store.stamp, store.check):
            with pytest.raises(StoreError, match="its checksum is missing"):
                read(KEY, pd.DataFrame)


def test_a_newer_file_is_not_written_over(store: Store) -> None:
    """A refresh by an older program used to make again, in its own format, what it cannot read."""
    place = store.path(KEY, Report)
    page = '{"stamp": {"source": "x", "version": "", "format": 99}}'.replace('"', "&quot;")
    place.parent.mkdir(parents=True)
    place.write_text(f'<html><head><meta name="lastfm_assets" content="{page}"></head></html>')
    before = place.read_bytes()
    with pytest.raises(NewerStoreError, match="its format is 99, this version reads up to"):
        store.write(KEY, Report("<html><head></head></html>"), source="custom")
    assert place.read_bytes() == before


@pytest.mark.parametrize("suffix", [".npz", ".json", ".html"])
def test_every_bit_of_a_small_file_counts(suffix: str) -> None:
    content = small(suffix)
    whole = b"".join(seals.sealed(content, suffix))
    assert seals.check(io.BytesIO(whole), suffix)
    assert seals.without(whole, suffix)[: len(content) - 2] == content[:-2]
    for place in range(len(whole)):
        for bit in (1, 128):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            assert not is_taken_for_whole(bytes(damaged), suffix)


def is_taken_for_whole(content: bytes, suffix: str) -> bool:
    """Whether a reader would take it for a sealed file; without a seal, none of this format is."""
    try:
        return seals.check(io.BytesIO(content), suffix)
    except ValueError:
        return False


def small(suffix: str) -> bytes:
    if suffix == ".npz":
        buffer = io.BytesIO()
        np.savez(buffer, a=np.arange(3))
        return buffer.getvalue()
    return b'{\n  "a": 1\n}' if suffix == ".json" else b"<html></html>"


def test_a_sealed_archive_and_a_sealed_record_are_ordinary_ones() -> None:
    archive = b"".join(seals.sealed(small(".npz"), ".npz"))
    with np.load(io.BytesIO(archive)) as arrays:
        assert arrays["a"].tolist() == [0, 1, 2]
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        assert zipped.testzip() is None
        assert b"sha256" in zipped.comment
    assert set(json.loads(b"".join(seals.sealed(small(".json"), ".json")))) == {"a", "seal"}


@pytest.mark.parametrize("n", [0, 1, seals.BLOCK - 1, seals.BLOCK, 3 * seals.BLOCK + 5])
def test_a_guarded_file_reads_as_the_file_itself(n: int) -> None:
    content = np.random.default_rng(n).bytes(n)
    hashes = seals.hashes_of(io.BytesIO(content))
    guarded = seals.Guarded.whole(io.BytesIO(content), n, hashes)
    assert guarded.read() == content
    for start, size in ((0, n), (n // 2, 10), (max(0, n - 3), 99), (n, 1)):
        guarded.seek(start)
        assert guarded.read(size) == content[start : start + size]
        assert guarded.tell() == min(start + size, max(n, start))
    with pytest.raises(ValueError, match="bytes"):
        seals.Guarded.whole(io.BytesIO(content + b"x"), n, hashes)


CUTS: dict[type, Callable[[bytes], bytes]] = {
    Champion: lambda content: content.partition(b',\n  "seal"')[0] + b"\n}",
    Report: lambda content: content.partition(b"\n<!-- lastfm-assets seal")[0],
    TrainedModel: lambda content: content[:-20],
}


@pytest.mark.parametrize("kind", CUTS)
def test_a_file_that_has_lost_its_seal_is_refused(store: Store, kind: type) -> None:
    from test_io import VALUES  # noqa: PLC0415 (its values)

    path = Path(store.write(KEY, VALUES[kind](), source="custom")[0])
    path.write_bytes(CUTS[kind](path.read_bytes()))
    with pytest.raises(StoreError, match=r"where.*cannot be read"):
        store.read(KEY, kind)
