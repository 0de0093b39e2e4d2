"""Every reader of text that comes from outside: what it is fed, and how it is driven."""

import functools
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets import cli
from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation import exchange
from lastfm_assets.evaluation.given_lists import match
from lastfm_assets.listening.clean import RawTables, clean
from lastfm_assets.listening.described.plays_file import read_plays
from lastfm_assets.listening.keys import id_of
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.parse import parse
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.tables import RAW_TABLES, RawTable
from lastfm_assets.models.competing import competing
from lastfm_assets.models.trained import train
from lastfm_assets.music.audio_features import BY_GENRES, BY_YEAR, UNITS, read_audio_files
from lastfm_assets.recommendations import reader
from lastfm_assets.recommendations.lists import top_artists_of_listener
from lastfm_assets.settings import PREFIX, Settings
from lastfm_assets.sources.described import open_described
from lastfm_assets.sources.description import Description
from lastfm_assets.sources.download import Patience
from lastfm_assets.sources.files import Dialect, PlaysFile, RawFile
from lastfm_assets.vocabulary import Columns

ARTISTS = (
    b'id\tname\turl\tpictureURL\n1\tZ\xc3\xb6" Brimm\thttp://x/1\t\n2\tOku, Plee\t\t\n3\tN\t\t\n'
)
FILES: Mapping[str, bytes] = MappingProxyType(
    {
        "artists": ARTISTS,
        "user_artists": b"userID\tartistID\tweight\n2\t1\t30\n2\t2\t7\n5\t1\t1\n7\t3\t400\n",
        "tags": b"tagID\ttagValue\n1\tn\xe9bulique\n2\trock\n",
        "user_taggedartists": b"userID\tartistID\ttagID\tday\tmonth\tyear\n2\t1\t1\t1\t4\t2009\n",
        "user_friends": b"userID\tfriendID\n2\t5\n5\t2\n",
    }
)
LISTS = b"user_id,artist_id,score\n1,10,0.9\n1,11,0.5\n2,10,0.7\n2,12,-1.5\n"
PAIRS = b"user_id,artist_id\n1,11\n2,12\n2,13\n"


@dataclass(frozen=True)
class Parser:
    """A door, and what stands before it."""

    run: Callable[[bytes], object]
    """Returns, or raises an error of ours; all else is a defect."""
    seeds: tuple[bytes, ...]
    """Good input, which variants are made of."""
    tokens: tuple[bytes, ...] = ()
    make: Callable[[Random], bytes] | None = None
    """Input made from the ground up, in every second case."""


def hetrec_file(_folder: Path) -> Parser:
    """The first byte says which of the five files it is, and in which of two forms."""

    def run(data: bytes) -> None:
        raw, table = _raw(data)
        found = parse(raw, table)
        lines = found[Columns.LINE].to_numpy()
        if len(lines) and not (lines[0] >= 2 and (np.diff(lines) > 0).all()):
            raise AssertionError(f"line numbers {lines[:5]} do not rise from 2 on")

    return Parser(run, _hetrec_seeds(), _HETREC_WORDS)


def hetrec_source(_folder: Path) -> Parser:
    """One hostile file among five, cleaned with the others."""
    good = {table.asset: parse(_dat(FILES[table.stem], table), table) for table in RAW_TABLES}

    def run(data: bytes) -> None:
        raw, table = _raw(data)
        clean(RawTables(**{**good, table.asset: parse(raw, table)}))

    return Parser(run, _hetrec_seeds(), _HETREC_WORDS)


_HETREC_WORDS = (b"id", b"name", b"userID", b"artistID", b"weight", b"tagID", b"\t", b'"', b"\n")


def _hetrec_seeds() -> tuple[bytes, ...]:
    seeds = []
    for place, table in enumerate(RAW_TABLES):
        dat = FILES[table.stem]
        csv = dat.decode("iso-8859-1").replace(",", " ").replace("\t", ",").encode()
        quoted = csv.replace(b"\n", b'"\n').replace(b",", b',"', 1) if place == 2 else csv
        seeds += [bytes([place]) + dat, bytes([place + 5]) + csv, bytes([place + 5]) + quoted]
        seeds.append(bytes([place]) + dat.split(b"\n")[0] + b"\n")
    return tuple(seeds)


def _dat(content: bytes, table: RawTable) -> RawFile:
    encoding = "iso-8859-1" if table.stem == "tags" else "utf-8"
    return RawFile(f"{table.stem}.dat", content, Dialect("\t", quoted=False, encoding=encoding))


def _raw(data: bytes) -> tuple[RawFile, RawTable]:
    which = data[0] % 10 if data else 0
    table = RAW_TABLES[which % 5]
    if which < 5:
        return _dat(data[1:], table), table
    return RawFile(
        f"{table.stem}.csv", data[1:], Dialect(",", quoted=True, encoding="utf-8")
    ), table


def description_toml(folder: Path) -> Parser:
    """A description in TOML, see `_description`."""
    return _description(".toml", folder)


def description_yaml(folder: Path) -> Parser:
    """A description in YAML, see `_description`."""
    return _description(".yaml", folder)


def _description(ending: str, folder: Path) -> Parser:
    """A description, and what it leads to as far as that is on this machine."""
    (folder / "plays.csv").write_bytes(b"user,artist,plays\n1,2,3\n")
    file = folder / f"mine{ending}"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        if Description.read(file).url is None:  # nothing is fetched here
            open_described(file, folder, lambda _done, _total: None, Patience(tries=1))

    return Parser(run, _DESCRIPTIONS[ending], _DESCRIPTION_WORDS)


_DESCRIPTIONS = {
    ".toml": (
        b'path = "plays.csv"\n[columns]\nuser = "user"\nitem = "artist"\nplays = "plays"\n',
        (
            b'name = "x"\nurl = "https://host/p.tsv.gz"\nformat = "tsv"\nids = "text"\n'
            b"quoted = false\n"
            b'encoding = "utf-16"\nuntil = 2010-06-01\nmin_precision = 0.05\nitem = "track"\n'
            b'[columns]\nuser = "u"\nitem_name = "t"\nby = "a"\ntime = "w"\n'
            b'[time]\nformat = "unix"\ntime_zone = "Europe/Berlin"\n'
        ),
        (
            b'path = "x"\nformat = "csv"\nheader = false\ndelimiter = ";"\n'
            b"columns = {user = 1, item = 2}\n"
        ),
    ),
    ".yaml": (
        b"path: plays.csv\ncolumns:\n  user: user\n  item: artist\n  plays: plays\n",
        (
            b"url: https://host/p.csv\nids: number\nuntil: 2010-06-01\n"
            b"columns: {user: u, item: 1}\ntime: {format: iso, time_zone: UTC}\n"
        ),
        (
            b"version: '3'\nservices:\n  db: &db\n    image: postgres\n    ports: ['5432:5432']\n"
            b"  web:\n    <<: *db\n    command: [a, b]\n"
        ),
    ),
}
_DESCRIPTION_WORDS = (
    *(b"path", b"url", b"columns", b"user", b"item", b"encoding", b"header", b"until", b"time"),
    *(b"&a", b"*a", b"<<", b"!!python/object:os.system", b"!!binary", b"---", b"?", b": ", b"- "),
    *(b"rot13", b"punycode", b"idna", b"unicode_escape", b"utf_7", b"undefined", b"Etc/GMT+1"),
    *(b"0x" + b"f" * 5000, b"https://[::1", b"https://u:p@h:99999/x", b"2010-13-01", b"12:30:45"),
)


def described_table(folder: Path) -> Parser:
    """The first byte says which description the table has."""
    said = []
    for number, (ending, text) in enumerate(_TABLES):
        file = folder / f"t{number}.toml"
        file.write_text(f'path = "t{number}{ending}"\n{text}')
        said.append(Description.read(file))

    def run(data: bytes) -> None:
        one = said[(data[0] if data else 0) % len(said)]
        assert one.path is not None
        one.path.write_bytes(data[1:])
        read_plays(PlaysFile(one.path, one))

    return Parser(run, _table_seeds(), (b"user", b"artist", b"plays", b"when", b","))


_TIMED = 'columns = {user = "user", item_name = "artist", time = "when"}\n'
_TABLES = (
    (".csv", 'columns = {user = "user", item = "artist", plays = "plays"}\n'),
    (".csv", 'columns = {user = "user", item = "id", item_name = "artist", by = "by"}\n'),
    (".tsv", 'ids = "number"\ncolumns = {user = "user", item = "artist", plays = "plays"}\n'),
    (".csv", _TIMED + 'until = 2010-06-01\ntime = {time_zone = "Europe/Berlin"}\n'),
    (".csv", _TIMED + 'time = {format = "unix_ms"}\n'),
    (".csv.gz", 'columns = {user = "user", item = "artist"}\n'),
    (".csv", 'encoding = "utf-16"\ncolumns = {user = "user", item = "artist"}\n'),
    (
        ".csv",
        'encoding = "cp1252"\nheader = false\ndelimiter = ";"\ncolumns = {user = 1, item = 2}\n',
    ),
)


def _table_seeds() -> tuple[bytes, ...]:
    import gzip  # noqa: PLC0415

    plays = b'user,artist,plays\nann,"Oku, Plee",3\nbob,N,12\ncarl,"two\nlines",1\n'
    timed = b"user,artist,when\nann,N,2010-05-31T20:15:00\nbob,N,2010-05-01T02:00:00\n"
    contents = (
        plays,
        b"user,id,artist,by\n1,a1,N,Oku\n2,,N,Oku\n3,a2,,\n",
        b"user\tartist\tplays\n1\t2\t3\n2\t3\t4.0\n",
        timed,
        b"user,artist,when\nann,N,1275350400000\nbob,N,1275350400001.5\n",
        gzip.compress(plays, mtime=0),
        plays.decode().encode("utf-16"),
        b"1;N\xe9\n2;Oku\n",
    )
    seeds = [bytes([place]) + content for place, content in enumerate(contents)]
    return (*seeds, b"\x03" + timed.replace(b"T", b" ").replace(b"\n", b"+02:00\n"))


def held_out(_folder: Path) -> Parser:
    """Held-out pairs, as text and as a source's numbers."""
    keys = pd.DataFrame({"kind": ["artist"], "id": [1], "key": ["11"]})

    def run(data: bytes) -> None:
        pairs = exchange.read_pairs(data, "held_out.csv")
        exchange.ids_as_in_source(pairs, "held_out.csv", keys.iloc[: data[0] % 2])

    return Parser(run, (PAIRS, PAIRS.replace(b"11", b'"Oku, Plee"')), _EXCHANGE_WORDS)


def given_lists(_folder: Path) -> Parser:
    """Lists, judged on fixed pairs."""

    def run(data: bytes) -> None:
        lists, pairs = exchange.same_ids(
            exchange.read_lists(data, "lists.csv"), exchange.read_pairs(PAIRS, "held_out.csv")
        )
        figures = match(lists, pairs).per_user([1, 10])
        if not np.isfinite(figures["precision@10"]).all():
            raise AssertionError(f"precision@10 is {figures['precision@10'].tolist()}")

    return Parser(run, (LISTS, LISTS.replace(b",10,", b",ten,")), _EXCHANGE_WORDS)


_EXCHANGE_WORDS = (b"user_id", b"artist_id", b"score", b"plays", b"artist_name", b",", b"\n", b'"')


def listeners_plays(_folder: Path) -> Parser:
    """A listener's CSV, up to the list that it gets."""
    matrix = ListeningMatrix.from_pairs(
        pd.DataFrame({"user_id": [1, 1, 2, 2], "artist_id": [1, 2, 2, 3], "plays": [9, 1, 5, 7]}),
        np.arange(1, 7),
    )
    side = SideTables(
        pd.DataFrame({"user_id": [], "artist_id": [], "tag_id": []}),
        pd.DataFrame({"user_id": [], "friend_id": []}),
    )
    model = train("item_knn", matrix, side=side, seed=0)
    names = pd.Series(["Zö", "Oku, Plee", "N", "\u017f", "n", "="], index=np.arange(1, 7))
    no_keys = pd.DataFrame({"kind": [], "id": [], "key": []})

    def run(data: bytes) -> None:
        columns, counts, _ = reader._read_plays(data, "plays.csv", names, no_keys)
        plays = sps.coo_array(
            (counts, (np.zeros(len(columns), dtype=np.int64), columns)), shape=(1, len(names))
        )
        listed = top_artists_of_listener(model, plays.tocsr(), names, n=3)
        if not listed[Columns.SCORE].between(0, 1).all():
            raise AssertionError(f"scores are {listed[Columns.SCORE].tolist()}")

    seeds = (b"artist_id,plays\n1,30\n2,5\n", b'artist_name\n"Oku, Plee"\nN\n', b"artist_id\n3\n")
    return Parser(run, seeds, _EXCHANGE_WORDS)


def models_file(folder: Path) -> Parser:
    """What LASTFM_MODELS names."""
    file = folder / "models.toml"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        competing(str(file))

    seeds = (b"[als]\nfactors = 64\niterations = 15\nfits = 1\n[ease]\n[item_knn]\nshrink = 0.5\n",)
    words = (b"als", b"bpr", b"blend", b"weighting", b"nan", b"inf", b"[[a]]", b"0x" + b"f" * 5000)
    return Parser(run, seeds, words)


def settings(_folder: Path) -> Parser:
    """Lines of `name=value`, as an environment would hold them."""

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape").replace("\0", "")
        pairs = (line.partition("=") for line in text.split("\n"))
        found = Settings.from_environment({PREFIX + name: value for name, _, value in pairs})
        found.require_searchable_among(["als"])
        if found.memory_gb is not None:
            int(found.memory_gb * 1e9)

    lines = (
        *(b"SEED=7", b"MIN_PRECISION=0.05", b"MEMORY_GB=2.5", b"PROCESSES=2", b"ENGINE=local"),
        *(b"CHAMPION=als", b"SEARCH=approximate", b"JUDGED_USERS=1000", b"STORE=s3://b/x"),
        *(b"PUBLISH_URL=postgresql://u:p@h/d", b"ALERT_WEBHOOK=https://h/x", b"UI_URL=http://h"),
        *(b"SMTP_URL=smtp://h:25", b"SPARK_CONF=a=b,c=d", b"MODELS=als,ease", b"SOURCE=sample"),
    )
    return Parser(run, (*lines, b"\n".join(lines)), lines)


def words_typed(_folder: Path) -> Parser:
    """Ids, names, numbers and list lengths as they are typed."""
    artists = pd.DataFrame({"artist_id": [1, 20, -3], "artist_name": ["Zö", "N", "1"]})
    keys = pd.DataFrame({"kind": ["artist", "user"], "id": [1, 2], "key": ["a", "ann"]})

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        id_of(text, keys, "user")
        for tried in (
            functools.partial(cli._number, "--to", text),
            functools.partial(cli._cutoffs, text),
            functools.partial(reader._find, text, artists, "artist"),
        ):
            with suppress(BadInputError):
                tried()
        cli._number("--user", text)
        if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
            raise AssertionError(f"{text!r} was read as a number")

    return Parser(run, (b"1", b"20", b"10,20", b"Zo\xcc\x88", b"-3", b"ann"), (b"1", b","))


def audio_features(folder: Path) -> Parser:
    """Spotify's means of audio features, by year and by genre."""
    names = ",".join(UNITS)
    row = ",".join(["0.5"] * len(UNITS))
    years, genres = f"year,{names}\n1999,{row}\n2000,{row}\n", f'genres,{names}\n"a, b",{row}\n'
    (folder / BY_GENRES).write_text(genres)

    def run(data: bytes) -> None:
        (folder / BY_YEAR).write_bytes(data)
        read_audio_files(str(folder))

    return Parser(run, (years.encode(),), (b"year", b"tempo", b"0.5"))
