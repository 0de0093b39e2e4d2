"""A described table of plays: every shape that people have, and no line lost or misnumbered."""

import codecs
import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plays_world import (
    BY_NUMBER,
    TRACKS,
    keys_of,
    names,
    plays_file,
    read,
    read_tsv,
    refused,
    rows,
)

from lastfm_assets.errors import BadInputError
from lastfm_assets.formats import version_of
from lastfm_assets.listening.described import delimited, identifiers, refusals
from lastfm_assets.listening.described.identifiers import numbers_for
from lastfm_assets.listening.described.plays_file import read_plays
from lastfm_assets.listening.parse import empty
from lastfm_assets.listening.tables import ARTISTS, USER_ARTISTS

PLAIN = {"user": "user", "item": "item"}


class TestTablesAsTheyCome:
    def test_as_last_fm_360k_has_no_header_and_sometimes_no_id(self, tmp_path: Path) -> None:
        tables = read_tsv(tmp_path, "u1\t\tN7\t12", "u1\t\tElse\t3", "u2\tm1\tN1\t4\n")
        assert rows(tables, "line", "user_id", "artist_id", "plays", after=100) == [
            (101, "u1", "m7", 12),
            (102, "u1", "Else", 3),
            (103, "u2", "m1", 4),
        ]
        assert names(tables)[-2:] == [(100, "N100"), (102, "Else")]
        assert tables.left_out == 0

    def test_as_a_log_has_a_play_a_row(self, tmp_path: Path) -> None:
        text = "at,user,track,artist\n2010-01-01T00:00:10Z,a,T,X\n2010-01-01T00:05:00Z,a,T,X\n"
        tables = read(tmp_path, text, TRACKS | {"time": "at"}, item="track")
        (first, second) = rows(tables, "user_id", "artist_id", "plays", "played_at")
        assert first == ("a", "X - T", 1, pd.Timestamp("2010-01-01 00:00:10"))
        assert second == ("a", "X - T", 1, pd.Timestamp("2010-01-01 00:05:00"))
        assert names(tables) == [(2, "X - T")]

    def test_as_playlists_have_a_pair_a_row_and_numbers_for_users(self, tmp_path: Path) -> None:
        text = 'user,track,artist\n7,"Hello, you",X\n7,Bye,Y\n8,Bye,X\n'
        tables = read(tmp_path, text, TRACKS, item="track")
        assert rows(tables, "user_id", "artist_id") == [
            (7, "X - Hello, you"),
            (7, "Y - Bye"),
            (8, "X - Bye"),
        ]
        assert set(tables.keys["kind"]) == {"artist"}

    def test_parquet_is_read_alike(self, tmp_path: Path) -> None:
        table = pd.DataFrame(
            {
                "user": ["a", "b", None],
                "item": [3.0, 4.0, 4.0],
                "plays": [5, 6, 7],
                "at": pd.to_datetime(["2010-01-01", "2010-01-02", "2010-01-03"], utc=True),
            }
        )
        many = pd.concat([table.iloc[:2]] * 20 + [table], ignore_index=True)
        many.to_parquet(tmp_path / "p.parquet")
        columns = PLAIN | {"plays": "plays", "time": "at"}
        content = (tmp_path / "p.parquet").read_bytes()
        tables = read(tmp_path, content, columns, path="p.parquet")
        assert rows(tables, "line", "user_id", "artist_id", "plays", "played_at")[1] == (
            *(2, "b", 4, 6),
            pd.Timestamp("2010-01-02"),
        )
        assert refused(tables) == [(43, ",4.0,7,2010-01-03 00:00:00+00:00", "user is missing")]

    def test_parquets_times_may_be_floating_milliseconds(self, tmp_path: Path) -> None:
        times = [1275336900000.0] * 29 + [None]
        pd.DataFrame({"user": "a", "item": "x", "at": times}).to_parquet(tmp_path / "p.parquet")
        content = (tmp_path / "p.parquet").read_bytes()
        columns, time = PLAIN | {"time": "at"}, {"format": "unix_ms"}
        tables = read(tmp_path, content, columns, path="p.parquet", time=time)
        assert rows(tables, "played_at")[0] == (pd.Timestamp("2010-05-31 20:15:00"),)
        assert [reason for _, _, reason in refused(tables)] == ["time is not readable"]

    @pytest.mark.parametrize("kind", [pa.dictionary(pa.int8(), pa.string()), pa.binary()])
    def test_parquet_may_hold_text_in_any_way(self, tmp_path: Path, kind: pa.DataType) -> None:
        column = pa.array([b"x", b"y"]) if kind == pa.binary() else pa.array(["x", "y"]).cast(kind)
        pq.write_table(pa.table({"user": column, "item": column}), tmp_path / "p.parquet")
        content = (tmp_path / "p.parquet").read_bytes()
        tables = read(tmp_path, content, PLAIN, path="p.parquet")
        assert rows(tables, "user_id", "artist_id") == [("x", "x"), ("y", "y")]

    @pytest.mark.parametrize(
        ("path", "encoding"),
        [
            ("p.csv.gz", "utf-8"),
            ("p.csv", "cp1252"),
            ("p.csv.gz", "iso-8859-1"),
            ("p.csv", "utf-16"),
            ("p.csv", "utf-8-sig"),
        ],
    )
    def test_packing_and_encoding_change_nothing(
        self, tmp_path: Path, path: str, encoding: str
    ) -> None:
        text = "user,item\n" + "".join(f"ü{n},é{n % 7}\n" for n in range(5000))
        plain = read(tmp_path, text, PLAIN)
        content = text.encode(encoding)
        content = gzip.compress(content) if path.endswith(".gz") else content
        packed = read(tmp_path, content, PLAIN, path=path, encoding=encoding)
        for name in ("user_artists", "artists", "keys"):
            pd.testing.assert_frame_equal(getattr(packed, name), getattr(plain, name))

    @pytest.mark.parametrize("delimiter", [";", "|", "\t"])
    def test_any_one_character_may_part_fields(self, tmp_path: Path, delimiter: str) -> None:
        text = "user,item\na,x\n".replace(",", delimiter)
        assert rows(read(tmp_path, text, PLAIN, delimiter=delimiter), "artist_id") == [("x",)]

    def test_columns_are_those_that_other_sources_give(self, tmp_path: Path) -> None:
        tables = read_tsv(tmp_path, "x")
        assert tables.user_artists.dtypes.to_dict() == empty(USER_ARTISTS).dtypes.to_dict()
        assert tables.artists.dtypes.to_dict() == empty(ARTISTS).dtypes.to_dict()
        assert list(tables.user_artists) == list(empty(USER_ARTISTS))
        assert list(tables.artists) == list(empty(ARTISTS))
        assert tables.artists[["url", "picture_url", "text", "reason"]].isna().to_numpy().all()

    def test_times_are_a_column_of_seconds_only_where_they_are_named(self, tmp_path: Path) -> None:
        text = "user,item,at\na,x,1275000000\n"
        assert "played_at" not in read(tmp_path, text, PLAIN).user_artists
        timed = read(tmp_path, text, PLAIN | {"time": "at"}, time={"format": "unix"})
        assert timed.user_artists["played_at"].dtype == np.dtype("datetime64[s]")
        order = ["line", "user_id", "artist_id", "plays", "played_at", "text", "reason"]
        assert list(timed.user_artists) == order

    def test_the_same_file_gives_the_same_tables(self, tmp_path: Path) -> None:
        one, other = (read_tsv(tmp_path, "x", "u1\t\tN1\t2") for _ in range(2))
        for name in ("user_artists", "artists", "keys"):
            assert version_of(getattr(one, name)) == version_of(getattr(other, name))

    def test_progress_ends_with_all_of_the_file(self, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        file = plays_file(tmp_path, "user,item\na,x\n", PLAIN)
        read_plays(file, on_progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (14, 14)


class TestLines:
    def test_blank_lines_are_no_rows_and_shift_no_number(self, tmp_path: Path) -> None:
        tables = read_tsv(tmp_path, "", "a\tb\tc\t1", "\t \t\t", "  ", "x\ty", "", "d\te\tf\t2")
        assert rows(tables, "line", after=100) == [(102,), (105,), (107,)]
        assert refused(tables) == [(105, "x\ty", "wrong number of fields")]

    def test_numbers_hold_over_many_pieces(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delimited, "_BLOCK_BYTES", 200)
        chances = np.random.default_rng(0).random(3000)
        bad = {n for n in range(2, 3000) if chances[n] < 0.04}
        lines = ["user,item", *(f"u{n},x" if n not in bad else f"u{n}" for n in range(2, 3000))]
        tables = read(tmp_path, "\n".join(lines), PLAIN)
        assert list(tables.user_artists["line"]) == list(range(2, 3000))
        assert {line for line, _, _ in refused(tables)} == bad
        assert all(text == f"u{line}" for line, text, _ in refused(tables))
        assert all(user in {f"u{line}", None} for line, user in rows(tables, "line", "user_id"))

    def test_a_quoted_field_may_go_over_several_lines(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delimited, "_BLOCK_BYTES", 60)
        good = "".join(f"u{n},x\n" for n in range(5, 100))
        text = 'user,item\na,"x\ny"\nb,z\n' + good + 'c,"1\r\n\n2",too many\nlast,"z"\n'
        tables = read(tmp_path, text, PLAIN)
        assert rows(tables, "line", "artist_id")[:3] == [(2, "x y"), (4, "z"), (5, "x")]
        assert rows(tables, "line", after=99) == [(100,), (103,)]
        assert [line for line, _, _ in refused(tables)] == [100]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_line_ends_make_no_difference(self, tmp_path: Path, end: str) -> None:
        text = "user,item\na,x\n\nb,y\n".replace("\n", end)
        assert rows(read(tmp_path, text, PLAIN), "line", "artist_id") == [(2, "x"), (4, "y")]

    def test_most_lines_tell_how_many_columns_a_file_without_header_has(
        self, tmp_path: Path
    ) -> None:
        text = "# made by hand\n" + "a\tx\n" * 30
        tables = read(tmp_path, text, {"user": 1, "item": 2}, path="p.tsv", header=False)
        assert refused(tables) == [(1, "# made by hand", "wrong number of fields")]

    def test_quotation_marks_in_a_tsv_are_ordinary(self, tmp_path: Path) -> None:
        assert names(read_tsv(tmp_path, 'a\tb\t"Weird Al\t1'))[-1] == (101, '"Weird Al')


class TestIds:
    def test_of_text_are_the_first_53_bits_of_sha_256(self, tmp_path: Path) -> None:
        tables = read(tmp_path, "user,item\nanna,Björk\n", PLAIN)
        key = tables.keys.set_index("key")["id"]
        for text in ("anna", "Björk"):
            digest = hashlib.sha256(text.encode()).hexdigest()
            assert key[text] == int(digest, 16) >> (256 - 53)
        assert dict(zip(tables.keys["key"], tables.keys["kind"], strict=True)) == {
            "anna": "user",
            "Björk": "artist",
        }

    def test_that_fall_on_one_number_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(identifiers, "BITS", 4)
        with pytest.raises(BadInputError, match=r"the ids '\w+' and '\w+' fall on one number"):
            numbers_for([f"a{n}" for n in range(17)])

    def test_are_below_two_to_the_53(self) -> None:
        ids = numbers_for([str(n) for n in range(1000)])
        assert ids.dtype == np.int64
        assert 2**52 < ids.max() < 2**53
        assert ids.min() >= 0

    def test_that_are_numbers_stay_and_have_no_keys(self, tmp_path: Path) -> None:
        tables = read(tmp_path, "user,item\n7,-3\n8,0\n", PLAIN)
        assert rows(tables, "user_id", "artist_id") == [(7, -3), (8, 0)]
        assert tables.keys.empty
        assert tables.keys.dtypes.astype(str).to_dict()["id"] == "int64"

    def test_that_are_declared_text_may_look_like_numbers(self, tmp_path: Path) -> None:
        tables = read(tmp_path, "user,item\n7,x\n007,3\n", PLAIN, ids="text")
        assert keys_of(tables, "user") == {"7", "007"}

    def test_with_leading_zeros_are_text(self, tmp_path: Path) -> None:
        assert keys_of(read(tmp_path, "user,item\n001,1\n", PLAIN), "user") == {"001"}

    def test_declared_numbers_are_read_as_such(self, tmp_path: Path) -> None:
        text = "user,item\n" + "7,1\n" * 30 + "007,+1\nx,1\n7,1.0\n"
        tables = read(tmp_path, text, PLAIN, ids="number")
        assert rows(tables, "user_id", "artist_id", after=31) == [(7, 1), (None, None), (7, 1)]
        assert refused(tables) == [(33, "x,1", "user is not a whole number")]
        assert len(tables.artists) == 1

    def test_space_around_them_is_not_part_of_them(self, tmp_path: Path) -> None:
        assert keys_of(read(tmp_path, "user,item\na,x\n a ,y\n", PLAIN), "user") == {"a"}

    def test_of_both_kinds_name_both_lines_and_the_remedy(self, tmp_path: Path) -> None:
        said = r"user is the number '7' in line 2 and the text 'x' in line 4.*set ids = \"text\" in"
        with pytest.raises(BadInputError, match=said):
            read(tmp_path, "user,item\n7,1\n8,1\nx,1\n", PLAIN)

    def test_of_refused_rows_say_nothing_about_their_kind(self, tmp_path: Path) -> None:
        text = "user,item,plays\n" + "7,1,1\n" * 30 + "x,1,many\n"
        tables = read(tmp_path, text, PLAIN | {"plays": "plays"})
        assert tables.keys.empty


class TestItemsWithoutAnId:
    def test_take_that_of_their_name_where_it_has_one(self, tmp_path: Path) -> None:
        tables = read_tsv(tmp_path, "u\t\tN5\t1")
        assert rows(tables, "artist_id", after=100) == [("m5",)]

    def test_take_their_name_where_it_has_two_ids(self, tmp_path: Path) -> None:
        tables = read_tsv(tmp_path, "u\tother\tN5\t1", "u\t\tN5\t1")
        assert rows(tables, "artist_id", after=100) == [("other",), ("N5",)]

    def test_are_told_apart_by_whom_they_are_by(self, tmp_path: Path) -> None:
        text = "user,id,track,artist\na,1x,T,X\na,2y,T,Y\na,,T,X\na,,T,Z\n"
        tables = read(tmp_path, text, TRACKS | {"item": "id"})
        assert rows(tables, "artist_id") == [("1x",), ("2y",), ("1x",), ("Z - T",)]
        assert [name for _, name in names(tables)] == ["X - T", "Y - T", "Z - T"]

    def test_need_whom_they_are_by_where_that_is_a_column(self, tmp_path: Path) -> None:
        text = "user,id,track,artist\n" + "a,1x,T,\n" * 30 + "a,,T,\n"
        tables = read(tmp_path, text, TRACKS | {"item": "id"})
        assert refused(tables) == [(32, "a,,T,", "by is missing")]
        assert names(tables) == [(2, "T")]

    def test_are_refused_where_ids_are_numbers_and_their_name_has_none(
        self, tmp_path: Path
    ) -> None:
        text = "user,id,name\n" + "a,1,One\n" * 40 + "b,,Two\nb,,One\n"
        tables = read(tmp_path, text, {"user": "user", "item": "id", "item_name": "name"})
        reason = "item has no id, and its name has none elsewhere"
        assert refused(tables) == [(42, "b,Two,1", reason)]
        assert rows(tables, "line", "artist_id", after=41) == [(42, None), (43, 1)]

    def test_that_have_no_name_anywhere_are_called_by_their_id(self, tmp_path: Path) -> None:
        tables = read_tsv(tmp_path, "u\tm1\t\t1", "u\tnew\t\t1", "u\tlater\t\t1", "u\tlater\tL\t1")
        assert names(tables)[-2:] == [(102, "new"), (103, "L")]


class TestRefusedRows:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("\tm1\tN1\t3", "user is missing"),
            ("u1\t\t\t3", "item is missing"),
            ("u1\t \t \t3", "item is missing"),
            ("u1\tm1\tN1\tmany", "plays is not a whole number"),
            ("u1\tm1\tN1\t", "plays is not a whole number"),
            ("u1\tm1\tN1\t1.5", "plays is not a whole number"),
            ("u1\tm1\tN1\t" + "9" * 19, "plays is not a whole number"),
            ("u1\tm1\tN1", "wrong number of fields"),
            ("u1\tm1\tN1\t3\t", "wrong number of fields"),
            ("u1\tm\x001\tN1\t3", "unknown bytes"),
        ],
    )
    def test_keep_their_line_text_and_reason_and_nothing_else(
        self, tmp_path: Path, line: str, reason: str
    ) -> None:
        tables = read_tsv(tmp_path, line, "u1\tm1\tN1\t3")
        assert refused(tables) == [(101, line, reason)]
        assert rows(tables, "user_id", "artist_id", "plays", after=100) == [
            (None, None, None),
            ("u1", "m1", 3),
        ]

    def test_with_unknown_bytes_are_shown_readably(self, tmp_path: Path) -> None:
        content = b"user,item\n" + b"a,x\n" * 40 + b"b,\xe9\n"
        assert refused(read(tmp_path, content, PLAIN)) == [(42, "b,\ufffd", "unknown bytes")]

    @pytest.mark.parametrize("encoded", [False, True])
    def test_of_parquet_with_unknown_bytes_are_refused_though_it_calls_them_text(
        self, tmp_path: Path, *, encoded: bool
    ) -> None:
        """Names of items without an id ended in a UnicodeDecodeError."""
        ids = ["x"] * 40 + [None]
        said = pa.array([b"X"] * 40 + [b"Y\xff"], pa.binary()).view(pa.string())
        said = said.dictionary_encode() if encoded else said
        table = pa.table({"user": ["a"] * 41, "item": ids, "name": said})
        pq.write_table(table, tmp_path / "p.parquet")
        content = (tmp_path / "p.parquet").read_bytes()
        columns = PLAIN | {"item_name": "name"}
        told = refused(read(tmp_path, content, columns, path="p.parquet"))
        assert [(line, reason) for line, _, reason in told] == [(41, "unknown bytes")]
        assert told[0][1].endswith("Y\ufffd")

    def test_with_unknown_bytes_and_too_few_fields_shift_no_number(self, tmp_path: Path) -> None:
        content = b"user,item\n" + b"a,x\n" * 40 + b"\xff\xe9\nb,y\n"
        tables = read(tmp_path, content, PLAIN)
        assert refused(tables) == [(42, "\ufffd\ufffd", "wrong number of fields")]
        assert rows(tables, "line", "user_id", after=42) == [(43, "b")]

    def test_without_a_possible_time_are_refused(self, tmp_path: Path) -> None:
        good = "2010-01-01T10:00:00+01:00,a,x\n" * 60
        text = f"at,user,item\n{good}1970-01-01T00:00:00Z,a,x\n2010-02-30T00:00:00Z,a,x\nnever,a,x"
        tables = read(tmp_path, text, PLAIN | {"time": "at"})
        assert [line for line, _, _ in refused(tables)] == [62, 63, 64]
        assert {reason for _, _, reason in refused(tables)} == {"time is not readable"}
        assert tables.user_artists["played_at"].isna().sum() == 3

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("\tm1\tN1\t3", "user is missing in 6 of 106 rows, first in line 101.*columns.user"),
            ("u1\t\t\t3", "item is missing in 6 of 106 rows, first in line 101.*columns.item"),
            ("u1\tm1\tN1\tx", r"plays is not a whole number .*first in line 101 \('u1\\tm1"),
            ("u1\tm1\tN1", "wrong number of fields .*first in line 101.*check delimiter"),
        ],
    )
    def test_above_a_twentieth_refuse_the_file_naming_the_first(
        self, tmp_path: Path, line: str, said: str
    ) -> None:
        assert len(refused(read_tsv(tmp_path, *[line] * 5))) == 5
        with pytest.raises(BadInputError, match=said):
            read_tsv(tmp_path, *[line] * 6)

    def test_with_unknown_bytes_above_a_twentieth_name_the_encoding(self, tmp_path: Path) -> None:
        content = "user,item\nbjörk,x\n".encode("cp1252")
        with pytest.raises(
            BadInputError,
            match=r"unknown bytes .*line 2.*in mine.toml, set encoding, for instance \"cp1",
        ):
            read(tmp_path, content, PLAIN)

    def test_of_a_long_file_stop_the_reading_early(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delimited, "_BLOCK_BYTES", 1000)
        monkeypatch.setattr(delimited, "_MOST_REFUSED", 50)
        monkeypatch.setattr(refusals, "_JUDGED_FROM", 100)
        text = "user,item\n" + "a,x\n" * 20 + "a,x,y\n" * 5000
        with pytest.raises(BadInputError, match=r"wrong number .*first in line 22 \('a,x,y'\)"):
            read(tmp_path, text, PLAIN)


class TestUntil:
    TEXT = "at,user,item\n" + "".join(
        f"2010-05-{day:02}T23:30:00Z,a,i{day}\n" for day in range(1, 32)
    )

    def test_later_rows_are_counted_and_in_no_table(self, tmp_path: Path) -> None:
        tables = read(tmp_path, self.TEXT, PLAIN | {"time": "at"}, until=date_of("2010-05-03"))
        assert rows(tables, "artist_id") == [("i1",), ("i2",)]
        assert tables.left_out == 29
        assert len(tables.artists) == 2
        assert keys_of(tables, "artist") == {"i1", "i2"}

    def test_the_day_begins_in_the_time_zone(self, tmp_path: Path) -> None:
        zone = {"time_zone": "Europe/Berlin"}
        columns = PLAIN | {"time": "at"}
        tables = read(tmp_path, self.TEXT, columns, until=date_of("2010-05-03"), time=zone)
        assert rows(tables, "artist_id") == [("i1",)]

    def test_that_leaves_nothing_is_refused(self, tmp_path: Path) -> None:
        said = "all 31 rows are of 2010-05-01 or later.*correct until in mine.toml"
        with pytest.raises(BadInputError, match=said):
            read(tmp_path, self.TEXT, PLAIN | {"time": "at"}, until=date_of("2010-05-01"))

    def test_a_name_seen_only_later_gives_no_id(self, tmp_path: Path) -> None:
        text = "at,user,id,name\n2010-05-01T00:00:00Z,a,,N\n2010-05-09T00:00:00Z,a,m,N\n"
        columns = {"user": "user", "item": "id", "item_name": "name", "time": "at"}
        tables = read(tmp_path, text, columns, until=date_of("2010-05-05"))
        assert rows(tables, "artist_id") == [("N",)]


def date_of(text: str) -> Any:
    """A day that TOML writes without quotes."""
    return pd.Timestamp(text).date()


class TestAHopelessFile:
    @pytest.mark.parametrize(
        ("content", "keys", "said"),
        [
            ("", {}, "plays.csv: no line was found"),
            ("\n\n", {}, "plays.csv: no line was found"),
            ("user,item\n", {}, "plays.csv: no row was found"),
            ("user,item\n\n ,\n", {}, "plays.csv: no row was found"),
            (
                "user;item\na;x\n",
                {},
                r'the column user is missing; found user;item.*delimiter = ";"',
            ),
            ("user\titem\na\tx\n", {}, r'set delimiter = "\\t" in mine.toml'),
            ("who,what\na,x\n", {}, "found what, who.*correct columns.user in mine.toml"),
            ("user,item,user\na,x,b\n", {}, "the column user is there more than once"),
            ("<html>log in</html>", {}, "the column user is missing; found <html>"),
            (codecs.BOM_UTF16_LE + "user,item\n".encode("utf-16-le"), {}, 'encoding = "utf-16"'),
            (b"\x1f\x8bno", {"path": "p.csv.gz"}, "p.csv.gz: cannot be read"),
            (
                gzip.compress(b"user,item\na,x\n" * 9, mtime=0)[:-9],
                {"path": "p.csv.gz"},
                "cannot be read",
            ),
            (b"PAR1 not", {"path": "p.parquet"}, "p.parquet: not a readable parquet file"),
            (b"", {"path": "p.parquet"}, "p.parquet: not a readable parquet file"),
        ],
    )
    def test_is_refused_in_one_line_with_the_remedy(
        self, tmp_path: Path, content: str | bytes, keys: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(BadInputError, match=said) as caught:
            read(tmp_path, content, PLAIN, **keys)
        assert str(caught.value).isprintable()

    def test_without_header_may_have_too_few_columns(self, tmp_path: Path) -> None:
        with pytest.raises(BadInputError, match=r'column 2 is missing.*set delimiter = ","'):
            read(tmp_path, "a,b,c,1\n", BY_NUMBER, path="p.tsv", header=False)

    def test_may_have_a_quote_that_is_never_closed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delimited, "_BLOCK_BYTES", 400)
        text = "user,item\n" + "a,x\n" * 120 + 'b,"y\n' + "a,x\n" * 2000
        with pytest.raises(BadInputError, match=r"never closed, was found after line \d+.*quoted"):
            read(tmp_path, text, PLAIN)

    def test_may_have_vanished(self, tmp_path: Path) -> None:
        file = plays_file(tmp_path, "user,item\na,x\n", PLAIN)
        file.path.unlink()
        with pytest.raises(BadInputError, match=r"plays\.csv: cannot be read \(No such file"):
            read_plays(file)

    def test_of_parquet_may_lack_a_column_or_nest_one(self, tmp_path: Path) -> None:
        pd.DataFrame({"user": ["a"], "item": [["x", "y"]]}).to_parquet(tmp_path / "p.parquet")
        content = (tmp_path / "p.parquet").read_bytes()
        with pytest.raises(BadInputError, match="the column item holds list<"):
            read(tmp_path, content, PLAIN, path="p.parquet")
        with pytest.raises(BadInputError, match="the column name is missing; found item, user"):
            read(tmp_path, content, {"user": "user", "item": "name"}, path="p.parquet")

    @given(
        content=st.one_of(
            st.binary(max_size=300),
            st.text(alphabet='u,m\n\r"\t 1-\0é2', max_size=200).map(str.encode),
        ),
        quoted=st.booleans(),
        header=st.booleans(),
        timed=st.booleans(),
        ids=st.sampled_from([{}, {"ids": "text"}, {"ids": "number"}]),
        encoding=st.sampled_from(["utf-8", "cp1252", "utf-16", "utf-8-sig", "shift_jis"]),
    )
    @settings(
        max_examples=250,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_of_any_bytes_ends_in_tables_or_one_clear_line(
        self,
        tmp_path: Path,
        content: bytes,
        encoding: str,
        ids: dict[str, str],
        **how: bool,
    ) -> None:
        columns = {"user": 1, "item": 2, "item_name": 3}
        if how.pop("timed"):
            columns |= {"time": 3}
        if how["header"]:
            content = "u,m,n\n".encode(encoding) + content
            columns = {role: "umn"[number - 1] for role, number in columns.items()}
        said = "plays.csv"
        try:
            tables = read(tmp_path, content, columns, encoding=encoding, **how, **ids)
        except BadInputError as problem:
            said = str(problem)
        else:
            table = tables.user_artists
            assert table["line"].is_monotonic_increasing
            assert table["line"].is_unique
            good = table[table["reason"].isna()]
            assert set(good["artist_id"]) == set(tables.artists["artist_id"])
            assert not tables.keys.duplicated(["kind", "id"]).any()
        assert "plays.csv" in said
        assert said.isprintable()


def test_messages_show_no_text_that_is_overlong(tmp_path: Path) -> None:
    text = "user,item\n" + "x" * 9000 + ",y\n" + "1,y\n"
    with pytest.raises(BadInputError, match=re.escape("...")) as caught:
        read(tmp_path, text, PLAIN)
    assert len(str(caught.value)) < 700
