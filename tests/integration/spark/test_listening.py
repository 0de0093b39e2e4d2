"""Reading, cleaning, splitting and weighing by Spark: the same rows as the local engine's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.engines.spark.clean import CleanFrames
from lastfm_assets.engines.spark.clean import clean as clean_in_spark
from lastfm_assets.engines.spark.read import RAW_TYPES, SourceFrames, read_source, scratch
from lastfm_assets.engines.spark.split import pair_hash as pair_hash_in_spark
from lastfm_assets.engines.spark.split import pairs_of as pairs_in_spark
from lastfm_assets.engines.spark.split import split as split_in_spark
from lastfm_assets.engines.spark.tables import SparkTables
from lastfm_assets.engines.spark.weights import weighted
from lastfm_assets.errors import BadInputError
from lastfm_assets.io import Store
from lastfm_assets.listening.clean import CleanTables, clean
from lastfm_assets.listening.load import SourceTables, read_tables
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pair_hash, pairs_of, split
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.listening.weighting import SCHEMES, Weighting
from lastfm_assets.sources.files import Source
from lastfm_assets.sources.resolve import open_source

pytestmark = pytest.mark.integration

HETREC = Path(__file__).parents[4] / "shared" / "data" / "hetrec2011-lastfm-2k"
CLEAN = ("interactions", "artists", "tag_assignments", "friendships", "rejected_rows")


def _open(location: Path | str, tmp_path: Path) -> Source:
    return open_source(str(location), data_folder=tmp_path / "data", allow_sample=False)


@dataclass
class Both:
    """One source read and cleaned by both engines."""

    local: SourceTables
    spark: SourceFrames
    clean: CleanTables
    clean_in_spark: CleanFrames
    tables: SparkTables

    def stored(self, key: tuple[str, str], frame: Any) -> pd.DataFrame:
        types = RAW_TYPES.get(key[-1]) if key[0] == "raw" else None
        self.tables.write(key, frame, source="x", types=types)
        return self.tables.store.read(key, pd.DataFrame)


def _both(spark: Any, source: Source, folder: Path) -> Iterator[Both]:
    tables = SparkTables(Store(str(folder / "store")), spark)
    local = read_tables(source)
    with scratch(tables) as place:
        frames = read_source(tables, source, place)
        cleaned = clean(local.raw, local.about)
        yield Both(local, frames, cleaned, clean_in_spark(frames.raw, frames.about), tables)
    assert not (folder / "store" / ".scratch").exists()


def _same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True))


DIRTY = {
    "artists.dat": (
        b"\xef\xbb\xbfid\tname\turl\tpictureURL\r\n"
        b"1\tMALICE MIZER\thttp://x/1\thttp://p/1\r\n"
        b"2\tDiary \xc3\xa9t \xe2\x82\xac\thttp://x/2\t\r\n"
        b"\r\n"
        b"3\tbad \xff\xc3( bytes\thttp://x/3\thttp://p/3\r\n"
        b"4\t\thttp://x/4\thttp://p/4\n"
        b"x5\tnot a number\tu\tp\n"
        b"5\ttoo\tmany\tfields\there\n"
        b"too few\n"
        b"2\tagain\tu\tp\n"
        b"6\t" + b"n" * 501 + b"\tu\tp\n"
        b"7\t" + "é".encode() * 500 + b"\tu\tp\n"
        b"  8 \t  spaced  \tu\tp\r"
        b'9\t"Weird Al" \x00 nul\tu\tp\n'
        b'+10\t"quoted"\tu\tp'
    ),
    "user_artists.dat": (
        b"userID\tartistID\tweight\n"
        b"1\t1\t10\n1\t2\t20\n1\t1\t5\n2\t1\t0\n2\t2\t-3\n2\t99\t4\n3\t8\t1000000001\n"
        b"3\t8\t1000000000\n3\t8\t1000000000\n3\tx\t1\n3\t1\n\n \t \t \n4\t10\t1.5\n4\t10\t2\n"
        b"5\t7\t12345678901234567890\n-6\t7\t1\n" + b"6\t7\t3\n"
    ),
    "tags.dat": (b"tagID\ttagValue\n1\tmetal\n2\tchill\xe9 \x85out\n3\t\n1\tdouble\n4\tcaf\xe9\n"),
    "user_taggedartists.dat": (
        b"userID\tartistID\ttagID\tday\tmonth\tyear\n"
        b"1\t1\t1\t1\t4\t2009\n1\t1\t1\t2\t4\t2009\n1\t2\t2\t31\t2\t2009\n1\t2\t2\t1\t0\t2009\n"
        b"1\t2\t2\t1\t1\t1956\n1\t2\t2\t1\t1\t2101\n1\t99\t2\t1\t1\t2009\n1\t2\t77\t1\t1\t2009\n"
        b"2\t2\t4\t128\t1\t2009\n2\t2\t2\t-1\t3\t2009\n2\t1\t2\t29\t2\t2008\n2\t1\tx\t1\t1\t2008\n"
        b"2\t8\t2\t999999999999999999\t1\t2009\n"
    ),
    "user_friends.dat": (
        b"userID\tfriendID\n1\t2\n1\t3\n3\t1\n1\t3\n1\t1\n3\t77\n77\t3\n-6\t1\n1\tx\n"
    ),
}


@pytest.fixture(scope="module", params=["dirty", "sample", "HetRec"])
def both(request: pytest.FixtureRequest, spark: Any, tmp_path_factory: Any) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    location: Path | str = request.param
    if request.param == "dirty":
        location = folder / "dirty"
        location.mkdir()
        for name, content in DIRTY.items():
            (location / name).write_bytes(content)
    if request.param == "HetRec":
        location = HETREC
        if not HETREC.is_dir():
            pytest.skip(f"HetRec's files are not at {HETREC}")
    yield from _both(spark, _open(location, folder), folder)


@pytest.mark.parametrize("name", [table.asset for table in RAW_TABLES])
def test_raw_rows_are_the_local_ones(both: Both, name: str) -> None:
    _same(both.stored(("raw", name), both.spark.raw[name]), getattr(both.local.raw, name))
    assert both.spark.about == both.local.about
    assert both.spark.files == both.local.files


@pytest.mark.parametrize("name", CLEAN)
def test_clean_rows_are_the_local_ones(both: Both, name: str) -> None:
    frame = getattr(both.clean_in_spark, name)
    _same(both.stored(("listening", name), frame), getattr(both.clean, name))


def test_the_split_and_its_weights_are_the_local_ones(both: Both) -> None:
    expected = split(both.clean.interactions, seed=7)
    found = split_in_spark(both.clean_in_spark.interactions, seed=7)
    _same(both.stored(("listening", "split"), found), expected)
    seen = pairs_of(expected, "train", "validation")
    matrix = ListeningMatrix.from_pairs(seen, both.clean.artists["artist_id"].to_numpy())
    rows = weighted(pairs_in_spark(found, "train", "validation")).orderBy("user_id", "artist_id")
    table = both.stored(("listening", "weighted_matrix"), rows)
    np.testing.assert_allclose(table["weight"], matrix.weights, rtol=1e-6)
    assert table["weight"].dtype == np.float32
    np.testing.assert_array_equal(table["plays"], matrix.plays.data)


def test_pairs_draw_the_same_64_bits(spark: Any) -> None:
    users = np.array([0, 1, -1, 2**53 - 1, -(2**63), 2**63 - 1, 17])
    artists = np.array([5, -7, 2**40, 0, 2**63 - 1, -(2**63), 18])
    pairs = spark.createDataFrame(
        list(zip(users.tolist(), artists.tolist(), strict=True)), "u bigint, a bigint"
    )
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    for seed in (0, 3, -1, 2**64 - 1):
        drawn = pair_hash_in_spark(f.col("u"), f.col("a"), seed)
        found = pairs.select(drawn.alias("d")).toArrow()["d"].to_numpy()
        np.testing.assert_array_equal(found.view(np.uint64), pair_hash(users, artists, seed))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_weighs_alike(spark: Any, scheme: Any) -> None:
    rng = np.random.default_rng(3)
    pairs = pd.DataFrame({"user_id": rng.integers(0, 9, 60), "artist_id": rng.integers(0, 12, 60)})
    pairs = pairs.drop_duplicates(ignore_index=True)
    pairs["plays"] = rng.integers(1, 500, len(pairs))
    weighting = Weighting(scheme, k1=2.0, b=0.6, intensity=0.5)
    matrix = ListeningMatrix.from_pairs(pairs, np.arange(12), weighting=weighting)
    frame = spark.createDataFrame(
        pairs.to_numpy().tolist(), "user_id bigint, artist_id bigint, plays bigint"
    )
    found = weighted(frame, weighting).orderBy("user_id", "artist_id").toArrow()
    np.testing.assert_allclose(found["weight"].to_numpy(), matrix.weights, rtol=1e-5)


def _described(folder: Path, name: str, content: bytes | pd.DataFrame, said: str) -> Path:
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        content.to_parquet(folder / name)
    (folder / "plays.toml").write_text(f'path = "{name}"\n{said}\n')
    return folder / "plays.toml"


_FILLER = b"".join(b"u%d\tm%d\tartist %d\t%d\n" % (n, n % 9, n % 9, n + 1) for n in range(90))
TSV = (
    _FILLER
    + b"u1\t\tartist 3\t4\nu2\t\tNobody else\t5\nu3\tm1\t  Other   spelling \t6\n"
    + b"u4\t\t\t7\nonly two\tfields\n\n\t\t\t\nu5\tm2\tbad \xff\t8\nu6\tm77\t\t9\n"
)
NUMBERS = pd.DataFrame(
    {
        "user": [1, 2, 3, 4] * 12,
        "track": [float(n % 7) for n in range(47)] + [np.nan],
        "title": [f"song {n % 7}" for n in range(47)] + ["song 3"],
        "band": ["A", None, "B", "A"] * 12,
    }
)
DESCRIBED: dict[str, tuple[str, bytes | pd.DataFrame, str]] = {
    "tsv without a header, ids as text": (
        "plays.tsv",
        TSV,
        "header = false\n[columns]\nuser = 1\nitem = 2\nitem_name = 3\nplays = 4",
    ),
    "csv, quoted, names only": (
        "plays.csv",
        b'who,what,by,n\r\n"a, b","x ""y""",Z,3\r\nc,x,Y,4\r\nc,x,Z,+5\r\nd, x ,Z,6.0\r\n',
        'item = "track"\n[columns]\nuser = "who"\nitem_name = "what"\nby = "by"\nplays = "n"',
    ),
    "csv in Latin-1, numbers, a row a play": (
        "plays.csv",
        b"u;i;n\n" + b"".join(b"%d;%d;caf\xe9 %d\n" % (n % 5, n % 4, n % 4) for n in range(40)),
        'delimiter = ";"\nencoding = "latin-1"\n[columns]\nuser = "u"\nitem = "i"\nitem_name = "n"',
    ),
    "parquet, numbers with one missing": (
        "plays.parquet",
        NUMBERS,
        (
            'ids = "number"\n[columns]\nuser = "user"\nitem = "track"\nitem_name = "title"\n'
            'by = "band"'
        ),
    ),
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_described_table_gives_the_local_rows(spark: Any, tmp_path: Path, name: str) -> None:
    source = _open(_described(tmp_path, *DESCRIBED[name]), tmp_path)
    for both in _both(spark, source, tmp_path):
        assert both.spark.about == both.local.about
        assert both.spark.files == both.local.files
        for table in ("user_artists", "artists"):
            found = both.stored(("raw", table), both.spark.raw[table])
            _same(found, getattr(both.local.raw, table))
        _same(both.stored(("raw", "keys"), both.spark.keys), both.local.keys)
        for table in ("interactions", "rejected_rows"):
            found = both.stored(("listening", table), getattr(both.clean_in_spark, table))
            _same(found, getattr(both.clean, table))


REFUSED: dict[str, tuple[str, bytes, str, str]] = {
    "times": (
        "p.csv",
        b"u,i,t\n1,2,2009-01-01\n",
        '[columns]\nuser = "u"\nitem = "i"\ntime = "t"',
        "times of plays cannot be read by the Spark engine, .*; use the local engine",
    ),
    "UTF-16": (
        "p.csv",
        "u,i\n1,2\n".encode("utf-16"),
        'encoding = "utf-16"\n[columns]\nuser = "u"\nitem = "i"',
        "the encoding utf-16 cannot be read by the Spark engine",
    ),
    "a quoted line end": (
        "p.csv",
        b'u,i\n1,2\n1,"two\nlines"\n',
        '[columns]\nuser = "u"\nitem = "i"',
        "a quote stands alone in line 3, .*use the local engine",
    ),
    "two kinds of ids": (
        "p.csv",
        b"u,i\n1,2\nx,2\n",
        '[columns]\nuser = "u"\nitem = "i"',
        "user is the number '1' in line 2 and the text 'x' in line 3, expected one kind of ids",
    ),
    "too many bad rows": (
        "p.csv",
        b"u,i,n\n1,2,3\n1,2,x\n",
        '[columns]\nuser = "u"\nitem = "i"\nplays = "n"',
        r"plays is not a whole number in 1 of 2 rows, first in line 3 \('1,2,x'\)",
    ),
    "a missing column": (
        "p.csv",
        b"u,i\n1,2\n",
        '[columns]\nuser = "who"\nitem = "i"',
        "the column who is missing; found i, u",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_spark_cannot_read_is_refused_in_one_line(
    spark: Any, tmp_path: Path, name: str
) -> None:
    *described, expected = REFUSED[name]
    source = _open(_described(tmp_path, *described), tmp_path)  # type: ignore[arg-type]
    tables = SparkTables(Store(str(tmp_path / "store")), spark)
    with scratch(tables) as place, pytest.raises(BadInputError, match=expected):
        read_source(tables, source, place)


def test_a_wrong_header_and_plays_that_are_all_bad_are_said_as_locally(
    spark: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "artists.dat").write_bytes(b"id\tname\n1\tA\n")
    plays = folder / "user_artists.dat"
    tables = SparkTables(Store(str(tmp_path / "store")), spark)
    for content, expected in (
        (b"user\tartist\n1\t1\n", "user_artists.dat: the first line is .*expected the header"),
        (b"userID\tartistID\tweight\n \t\n", "user_artists.dat: only a header was found"),
    ):
        plays.write_bytes(content)
        with scratch(tables) as place, pytest.raises(BadInputError, match=expected):
            read_source(tables, _open(folder, tmp_path), place)
    plays.write_bytes(b"userID\tartistID\tweight\n1\t1\t0\n2\t1\t0\n")
    with scratch(tables) as place:
        frames = read_source(tables, _open(folder, tmp_path), place)
        with pytest.raises(BadInputError, match=r"2 lines of plays .* plays not above zero"):
            clean_in_spark(frames.raw, frames.about)
