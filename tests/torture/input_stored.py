"""Archives, stored files, models and SQL: what is fed to the readers of these, and how."""

import io
import json
import stat
import tarfile
import zipfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from input_mutations import HOSTILE, Mutator
from input_parsers import FILES, Parser

from lastfm_assets import terminal
from lastfm_assets.automation.alert_message import _inert, _short
from lastfm_assets.automation.metadata import table_metadata
from lastfm_assets.io import Store
from lastfm_assets.listening.described.plays_file import read_plays
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import trained
from lastfm_assets.models.trained import train
from lastfm_assets.sources.archive import open_archive
from lastfm_assets.sources.description import Description
from lastfm_assets.sources.files import OPTIONAL, REQUIRED, PlaysFile
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.sql.query import Answer, answered
from lastfm_assets.sql.stored import StoredTables
from lastfm_assets.sql.writing import write_csv, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = ("popularity", "item_knn", "user_knn", "als", "bpr", "ease", "rp3beta", "blend")
_STEMS = (*REQUIRED, *OPTIONAL)
_NAMES = (
    *("artists.dat", "user_artists.dat", "tags.dat", "a/artists.dat", "./artists.csv", "x/y/z"),
    *("../artists.dat", "/artists.dat", "C:\\artists.dat", "..\\artists.dat", "a\nb", "\udcff", ""),
)


def archives(folder: Path) -> Parser:
    """Zip and tar, whole and damaged, with honest and lying entries."""
    file = folder / "archive"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        source = open_archive(file)
        for stem in _STEMS:
            source.read(stem)

    seeds = (_zip(Random(1)), _zip(Random(2)), _tar(Random(1), "w"), _tar(Random(1), "w:gz"))  # noqa: S311
    words = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"ustar\0", b"\x1f\x8b", b"x" * 512)
    return Parser(run, seeds, words, make=_archive)


def _archive(rng: Random) -> bytes:
    made = _zip(rng, hostile=True) if rng.random() < 0.5 else _tar(rng, "w", hostile=True)
    return made if rng.random() < 0.5 else Mutator((made,)).variant(rng)


def _entries(rng: Random, *, hostile: bool) -> list[tuple[str, bytes]]:
    entries = [(f"{stem}.dat", content) for stem, content in FILES.items()]
    for _ in range(rng.choice((0, 1, 3)) if hostile else 0):
        entries.insert(rng.randrange(len(entries)), (rng.choice(_NAMES), rng.choice(HOSTILE)))
    return entries


def _zip(rng: Random, *, hostile: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((0, 8))) as archive:
        for name, content in _entries(rng, hostile=hostile):
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode() or "x")
            if hostile and rng.random() < 0.2:
                kind = rng.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFREG))
                info.external_attr = (kind | 0o644) << 16
            with archive.open(info, "w") as entry:
                entry.write(content)
    return buffer.getvalue()


def _tar(rng: Random, mode: str, *, hostile: bool = False) -> bytes:
    buffer = io.BytesIO()
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in _entries(rng, hostile=hostile):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if hostile and rng.random() < 0.2:
                info.type, info.linkname = rng.choice(kinds), "../x"
            if hostile and rng.random() < 0.1:
                info.pax_headers = {"size": rng.choice(("-1", "9" * 30, "x")), "path": "y"}
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def parquet_table(folder: Path) -> Parser:
    """A described table in parquet: damaged bytes, and columns of any type."""
    file = folder / "plays.toml"
    columns = '{user = "u", item_name = "a", plays = "p", time = "t"}'
    file.write_text(f'path = "p.parquet"\ncolumns = {columns}\ntime = {{time_zone = "UTC"}}\n')
    said = Description.read(file)
    assert said.path is not None
    path = said.path

    def run(data: bytes) -> None:
        path.write_bytes(data)
        read_plays(PlaysFile(path, said))

    return Parser(run, (_written(_PLAYS),), (b"PAR1",), make=_parquet)


_PLAYS = {
    "u": pa.array(["ann", "bob", "ann", "carl"]),
    "a": pa.array(["Oku, Plee", "N", "N", "Zo"]),
    "p": pa.array([1, 5, 2, 2**40]),
    "t": pa.array([1275350400, 1275350401, 1275350402, 1275350403], pa.timestamp("s")),
}


def _parquet(rng: Random) -> bytes:
    """Good columns, some of them of another type, with what may stand in it."""
    n = len(_PLAYS["u"])
    kinds: tuple[Callable[[], pa.Array], ...] = (
        lambda: pa.array([rng.choice(HOSTILE) for _ in range(n)], pa.binary()),
        lambda: pa.array(["ann", "2", None, "\u202e"]),
        lambda: pa.array([1, -1, None, 2**63 - 1]),
        lambda: pa.array([1.0, float("nan"), float("inf"), 1e308]),
        lambda: pa.array([2**64 - 1, 0, 1, None], pa.uint64()),
        lambda: pa.array(
            [0, 10**18, None, -(10**18)], pa.timestamp("ns", rng.choice((None, "UTC")))
        ),
        lambda: pa.array([0, 2**52, None, -(2**52)], pa.timestamp("s")),
        lambda: pa.array([0, 2**30, None, -(2**31)], pa.date32()),
        lambda: pa.array([None] * n),
        lambda: pa.array([True, False, None, True]),
        lambda: pa.array([[1], [], None, [2]]),
        lambda: pa.array(["a", "b", None, "a"]).dictionary_encode(),
        lambda: pa.array([1, 2, None, 3], pa.decimal128(38, 5)),
        lambda: pa.array([1, 2, None, 3], pa.duration("s")),
        lambda: pa.array([1, 2, None, 3], pa.time32("s")),
        lambda: pa.array([b"x" * 16] * n, pa.binary(16)),
        lambda: pa.array([1.0, 2.0, None, 65504.0], pa.float16()),
    )
    columns = dict(_PLAYS)
    for name in rng.sample(list(columns), rng.choice((0, 1, 1, 1, 2, 4))):
        columns[name] = rng.choice(kinds)()
    made = _written(columns)
    return made if rng.random() < 0.6 else Mutator((made,)).variant(rng)


def _written(columns: dict[str, pa.Array]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, row_group_size=2)
    return bytes(sink.getvalue().to_pybytes())


def models(_folder: Path) -> Parser:
    """A saved model: damaged bytes, and arrays of other shapes, types and values."""
    seeds = tuple(_saved())

    def run(data: bytes) -> None:
        model, _ = trained.from_bytes(data)
        ranked = model.rank(np.arange(min(2, len(model.user_ids))), n=2)
        if len(ranked.artists) != min(2, len(model.user_ids)):
            raise AssertionError(f"lists of {len(ranked.artists)} users")

    def make(rng: Random) -> bytes:
        with np.load(io.BytesIO(rng.choice(seeds))) as archive:
            arrays = {name: archive[name] for name in archive.files}
        said = None
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice(list(arrays))
            other = _other_header if name == "header" and said is None else _other_array
            said = said or name
            arrays[name] = other(arrays[name], rng)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    return Parser(run, seeds, (b"PK\x03\x04", b"'descr': '<f8'", b"NUMPY"), make=make)


def _saved() -> list[bytes]:
    rng = np.random.default_rng(1)
    users, artists = np.divmod(np.flatnonzero(rng.random(60) < 0.4), 10)
    pairs = pd.DataFrame({"user_id": users, "artist_id": artists, "plays": artists + 1})
    matrix = ListeningMatrix.from_pairs(pairs, np.arange(10))
    side = SideTables(
        pd.DataFrame({"user_id": [0], "artist_id": [1], "tag_id": [1]}),
        pd.DataFrame({"user_id": [0], "friend_id": [1]}),
    )
    return [trained.to_bytes(train(name, matrix, side=side, seed=0), {}) for name in MODELS]


def _other_header(array: np.ndarray, rng: Random) -> np.ndarray:
    said = json.loads(array.tobytes())
    values = ("als", "no", -1, 2**70, None, [], {}, "x", float("nan"), {"factors": 3})
    said[rng.choice(list(said))] = rng.choice(values)
    text = json.dumps(said) if rng.random() < 0.9 else "[" * rng.choice((1, 5000))
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _other_array(array: np.ndarray, rng: Random) -> np.ndarray:
    kind = rng.randrange(8)
    flat = array.reshape(-1).copy()
    if kind == 0:
        return np.asarray(array[: rng.randrange(3)]) if array.ndim else np.zeros(3)
    if kind == 1:
        return array.astype(rng.choice(("float16", "float64", "int8", "bool", "U8", "complex64")))
    if kind == 2:
        return np.concatenate([flat, flat])
    if kind == 3:
        return array.T if rng.random() < 0.5 else array[None]
    if kind == 4:
        return np.zeros((0, *array.shape[1:]), array.dtype)
    if flat.size:
        extreme = (
            (-1, 10**6, 2**31 - 1, 127) if flat.dtype.kind in "iub" else (np.nan, np.inf, -1e30)
        )
        with np.errstate(all="ignore"):
            flat[rng.randrange(flat.size)] = np.array(rng.choice(extreme)).astype(flat.dtype)
    return flat.reshape(array.shape)


def sql(folder: Path) -> Parser:
    """Text for the command `sql`, over a small store; files and the network must stay shut."""
    store = Store(str(folder / "store"))
    artists = pd.DataFrame({"artist_id": [1, 2], "artist_name": ["Zö", "=1+1"], "url": ["", None]})
    store.write(("listening", "artists"), artists, source="custom")
    stored = StoredTables(store)
    (folder / "secret.csv").write_text("a\nsecret-in-a-file\n")

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        with answered(stored, text) as answer:
            rows = [row for batch in answer.batches for row in batch]
        if "secret-in-a-file" in str(rows):
            raise AssertionError("the query has read a file")

    secret = str(folder / "secret.csv").encode()
    queries = [query.replace(b"FILE", secret) for query in _QUERIES]
    return Parser(run, tuple(queries), (*_SQL_WORDS, secret))


_QUERIES = (
    b"select * from listening.artists",
    b"with a as (from listening.artists) select artist_name, count(*) from a group by all",
    b"summarize listening.artists",
    b"show tables",
    b"pivot listening.artists on artist_id using count(*)",
    b"select * from 'FILE'",
    b"select * from read_csv('FILE')",
    b"select * from read_text('FILE')",
    b"copy listening.artists to 'FILE'",
    b"attach 'FILE' as x",
    b"install httpfs",
    b"select * from query('select 1')",
)
_SQL_WORDS = (
    *(
        b"select",
        b"from",
        b"where",
        b"union all",
        b"read_csv_auto",
        b"read_blob",
        b"glob",
        b"getenv",
    ),
    *(b"parquet_scan", b"arrow_scan(1,2,3)", b"pandas_scan(1)", b"sniff_csv", b"pragma", b"set"),
    *(b"export database", b"import database", b"load", b"call", b"explain", b"describe", b"();"),
    *(
        b"null",
        b"1",
        b"'x'",
        b'"',
        b"$$",
        b"--",
        b"/*",
        b"*/",
        b"::int",
        b"[1]",
        b"{'a': 1}",
        b"x -> 1",
    ),
)


def names_shown(_folder: Path) -> Parser:
    """Names and other texts from strangers, wherever people are shown them."""
    bidi = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for shown in (terminal._cell(text), one_line(text)):
            if not all(letter.isprintable() and ord(letter) not in bidi for letter in shown):
                raise AssertionError(f"steers a terminal: {shown!r}")
        told = _inert(_short(text))
        if "<" in told or any(ord(letter) in bidi or letter in "\x1b\0" for letter in told):
            raise AssertionError(f"steers a chat service: {told!r}")
        preview = table_metadata(pd.DataFrame({"artist_name": [text]}))["preview"]
        cell = str(preview.records[0].data["artist_name"])
        if not all(letter.isprintable() and ord(letter) not in bidi for letter in cell):
            raise AssertionError(f"steers the web UI: {cell!r}")
        written = io.StringIO()
        write_csv(Answer(("name",), iter([[(text,)]])), written)
        as_json = io.StringIO()
        write_json(Answer(("name",), iter([[(text,)]])), as_json)
        if json.loads(as_json.getvalue()) != [{"name": text}]:
            raise AssertionError("JSON has another text")

    seeds = tuple(
        text.encode() for text in ("Zö Brimm", "Oku, Plee", "עברית", "a\u202eb", "<b>", "\x1b[1m")
    )
    return Parser(run, seeds, (b"<", b"@", b"\x1b[", b"*", b"_", b"|", b"`"))
