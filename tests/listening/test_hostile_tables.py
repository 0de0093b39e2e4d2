"""Tables that swallow their own rows, or that nobody could read in time."""

import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.clean import RawTables, clean
from lastfm_assets.listening.described.plays_file import read_plays
from lastfm_assets.listening.parse import NEVER_CLOSED, empty, parse
from lastfm_assets.listening.tables import ARTISTS, FRIENDS, TAGGED_ARTISTS, TAGS, USER_ARTISTS
from lastfm_assets.sources.description import Description
from lastfm_assets.sources.files import Dialect, PlaysFile, RawFile

CSV = Dialect(",", quoted=True, encoding="utf-8")
DAT = Dialect("\t", quoted=False, encoding="utf-8")


def artists(content: bytes, dialect: Dialect = CSV) -> pd.DataFrame:
    return parse(RawFile("artists.csv", content, dialect), ARTISTS)


def plays(folder: Path, content: bytes, columns: str = 'user = "u", item_name = "a"') -> object:
    (folder / "plays.csv").write_bytes(content)
    (folder / "mine.toml").write_text(f'path = "plays.csv"\ncolumns = {{{columns}}}\n')
    said = Description.read(folder / "mine.toml")
    return read_plays(PlaysFile(folder / "plays.csv", said))


class TestAnUnclosedQuoteInHetRecsForm:
    """It took all lines up to the next quote, or the end, for one name: rows lost, nothing said."""

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_costs_its_own_line_alone(self, end: str) -> None:
        lines = ["id,name", "1,a", '2,"b', "3,c", '4,"d, ""e"""', '5,"f']
        found = artists(end.join(lines).encode())
        refused = found[found["reason"].notna()]
        assert refused["line"].tolist() == [3, 6]
        assert refused["text"].tolist() == ['2,"b', '5,"f']
        assert set(refused["reason"]) == {NEVER_CLOSED}
        good = found[found["reason"].isna()]
        assert good["line"].tolist() == [2, 4, 5]
        assert good["artist_name"].tolist() == ["a", "c", 'd, "e"']

    def test_does_not_move_the_numbers_of_lines_behind_it(self) -> None:
        found = artists(b'id,name\n\r1,"a\n\r2,b\n')
        assert found["line"].tolist() == [3, 5]

    @pytest.mark.parametrize("name", ['12" Mix', 'a,"" b', '"', '""'])
    def test_is_none_where_a_quote_stands_within_a_field(self, name: str) -> None:
        quoted = name.replace('"', '""')
        found = artists(f'id,name\n1,x{name[:1].strip(",")}\n2,"{quoted}"\n'.encode())
        assert found["reason"].isna().all()
        assert found["artist_name"].iloc[1] == name


class TestAnUnclosedQuoteInADescribedTable:
    """There a quoted field may have several lines, so that only the end of the file tells."""

    def test_at_the_end_is_named_by_its_line(self, tmp_path: Path) -> None:
        rows = b"".join(b"u%d,x\n" % n for n in range(50))
        with pytest.raises(BadInputError, match="quote that is opened in line 52 is never closed"):
            plays(tmp_path, b"u,a\n" + rows + b'u50,"b\nu51,c\nu52,d\n')

    @pytest.mark.parametrize("end", [b"\n \n", b" \n", b"\n\n", b""])
    def test_is_none_where_blanks_stand_behind_the_last_quote(
        self, tmp_path: Path, end: bytes
    ) -> None:
        """A good file was refused whole for a blank at its end."""
        plays(tmp_path, b'u,a\n1,x\n2,"b\nc"' + end)

    def test_in_a_column_before_the_last_is_named_too(self, tmp_path: Path) -> None:
        rows = b"".join(b"x,u%d\n" % n for n in range(50))
        with pytest.raises(BadInputError, match="quote that is opened in line 52 is never closed"):
            plays(tmp_path, b"a,u\n" + rows + b'"b,u50\nc,u51\n')

    @pytest.mark.parametrize("last", ['u9,"b\nc"', 'u9,"b\n""c"""', 'u9,"b\nc"\n\n'])
    def test_is_none_where_it_is_closed(self, tmp_path: Path, last: str) -> None:
        plays(tmp_path, f"u,a\nu1,x\nu2,y\n{last}".encode())


def test_rows_of_odd_spaces_are_no_rows() -> None:
    """They ended in an IndexError: bytes.strip knows other spaces than text does."""
    with pytest.raises(BadInputError, match="only a header was found"):
        parse(
            RawFile("user_artists.dat", "userID\tartistID\tweight\n\u3000\t\t\n".encode(), DAT),
            USER_ARTISTS,
        )


def test_nothing_is_left_of_plays_without_their_artists() -> None:
    raw = RawTables(
        artists(b"id\tname\n1\ta\n", DAT),
        parse(RawFile("p", b"userID\tartistID\tweight\n1\t7\t1\n", DAT), USER_ARTISTS),
        empty(TAGS),
        empty(TAGGED_ARTISTS),
        empty(FRIENDS),
    )
    with pytest.raises(BadInputError, match="most often: unknown artist"):
        clean(raw)


def test_a_header_of_millions_of_fields_is_not_taken_apart() -> None:
    with pytest.raises(BadInputError, match="first line is 10,000,007 bytes long"):
        artists(b"id,name" + b"," * 10_000_000 + b"\n1,a\n")


@pytest.mark.parametrize("dialect", [CSV, DAT], ids=["csv", "dat"])
def test_a_line_of_ten_million_characters_takes_a_few_times_its_size(dialect: Dialect) -> None:
    content = b"id,name\n1," + b"x" * 10_000_000 + b'\n2,"b"\n'
    content = content.replace(b",", dialect.delimiter.encode())
    tracemalloc.start()
    found = artists(content, dialect)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["line"].tolist() == [2, 3]
    assert peak < 8 * len(content)


@pytest.mark.parametrize("number", ["1_000", "\u0663", "0x10", "1e3", "nan", "9" * 19, "1.0"])
def test_only_plain_digits_are_whole_numbers(number: str) -> None:
    content = f"userID\tartistID\tweight\n1\t1\t{number}\n".encode()
    found = parse(RawFile("user_artists.dat", content, DAT), USER_ARTISTS)
    assert found["reason"].tolist() == ["weight is not a whole number"]
