"""A description says all that is needed, and what is wrong with it is said in one line."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_world import Refusal

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.description import Description

FULL = """
name = "lastfm-360k"
path = "plays.txt"
format = "csv"
delimiter = "|"
header = false
quoted = false
encoding = "latin-1"
item = "track"
ids = "text"
until = 2010-06-01
min_precision = 0.05
[columns]
user = 1
item = 2
item_name = 3
by = 4
plays = 5
time = 6
[time]
format = "unix_ms"
time_zone = "Europe/Berlin"
"""
YAML = """
name: lastfm-360k
path: plays.txt
format: csv
delimiter: "|"
header: no
quoted: false
encoding: latin-1
item: track
ids: text
until: 2010-06-01
min_precision: 0.05
columns: {user: 1, item: 2, item_name: 3, by: 4, plays: 5, time: 6}
time: {format: unix_ms, time_zone: Europe/Berlin}
"""
COLUMNS = '[columns]\nuser = "user"\nitem = "item"\n'


def described(folder: Path, text: str | bytes, name: str = "mine.toml") -> Description:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    return Description.read(folder / name)


class TestWhatIsSaid:
    def test_is_read_whole(self, tmp_path: Path) -> None:
        found = described(tmp_path, FULL)
        assert (found.name, found.path) == ("lastfm-360k", tmp_path / "plays.txt")
        assert (found.format, found.delimiter, found.header) == ("csv", "|", False)
        assert (found.quoted, found.encoding, found.item) == (False, "iso8859-1", "track")
        assert (found.ids, found.until) == ("text", date(2010, 6, 1))
        assert found.min_precision == 0.05
        assert list(found.columns.named().values()) == [1, 2, 3, 4, 5, 6]
        assert (found.time.format, found.time.time_zone) == ("unix_ms", "Europe/Berlin")

    @pytest.mark.parametrize("ending", ["yaml", "yml", "YAML"])
    def test_may_be_yaml(self, tmp_path: Path, ending: str) -> None:
        said = described(tmp_path, YAML, f"mine.{ending}")
        toml = described(tmp_path, FULL)
        assert {name: getattr(said, name) for name in ("name", "until", "columns", "time")} == {
            name: getattr(toml, name) for name in ("name", "until", "columns", "time")
        }
        assert (said.header, said.delimiter) == (False, "|")

    def test_may_be_short(self, tmp_path: Path) -> None:
        found = described(tmp_path, f'path = "p.csv"\n{COLUMNS}')
        assert (found.name, found.item, found.ids) == ("mine", "artist", None)
        assert (found.header, found.quoted, found.encoding) == (True, True, "utf-8")
        assert (found.until, found.min_precision, found.time.format) == (None, None, "iso")

    @pytest.mark.parametrize(
        ("path", "kind", "delimiter", "quoted"),
        [
            ("p.csv", "csv", ",", True),
            ("p.CSV.gz", "csv", ",", True),
            ("p.tsv", "tsv", "\t", False),
            ("p.tsv.gz", "tsv", "\t", False),
            ("p.parquet", "parquet", ",", False),
        ],
    )
    def test_follows_from_the_ending_of_the_table(
        self, tmp_path: Path, path: str, kind: str, delimiter: str, *, quoted: bool
    ) -> None:
        for place in (f'path = "{path}"', f'url = "https://host/{path}?x=1#md5={"0" * 32}"'):
            found = described(tmp_path, f"{place}\n{COLUMNS}")
            assert (found.format, found.delimiter, found.quoted) == (kind, delimiter, quoted)

    @pytest.mark.parametrize("item", ["track", "künstler", "music video", "sci-fi book"])
    def test_may_recommend_any_noun(self, tmp_path: Path, item: str) -> None:
        assert described(tmp_path, f'path = "p.csv"\nitem = "{item}"\n{COLUMNS}').item == item

    def test_may_begin_with_a_mark_and_have_windows_line_ends(self, tmp_path: Path) -> None:
        text = f'path = "p.csv"\n{COLUMNS}'.replace("\n", "\r\n")
        assert described(tmp_path, b"\xef\xbb\xbf" + text.encode()).name == "mine"

    def test_may_be_a_day_as_text(self, tmp_path: Path) -> None:
        text = f'path = "p.csv"\nuntil = "2010-06-01"\n{COLUMNS}time = "at"\n'
        assert described(tmp_path, text).until == date(2010, 6, 1)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("headr = false", "the key headr is unknown, expected header; correct it or leave it"),
            ("zzz = 1", "the key zzz is unknown, expected one of name, path, url"),
            ('header = "no"', "header is 'no', expected true or false; correct it"),
            ("delimiter = 1", "delimiter is 1, expected one character"),
            ('delimiter = ", "', "delimiter is ', ', expected one character"),
            ("delimiter = '\"'", "delimiter is .*expected one character"),
            ('delimiter = "é"', "delimiter is 'é', expected one character"),
            ('format = "xls"', "format is 'xls', expected csv, tsv or parquet"),
            ('encoding = "utf-9"', "encoding is 'utf-9', expected a name of an encoding"),
            ('encoding = "hex"', "encoding is 'hex', expected a name of an encoding"),
            ('item = "Track"', "item is 'Track', expected a singular noun in lower case"),
            ('item = "<b>"', "item is '<b>', expected a singular noun"),
            (f'item = "{"x" * 50}"', "item is 'xxx.*expected a singular noun"),
            ('ids = "int"', 'ids is \'int\', expected "number" or "text"'),
            ("until = 2010", "until is 2010, expected a day like 2010-06-01"),
            ('until = "soon"', "until is 'soon', expected a day"),
            ("until = 2010-06-01T00:00:00", "until is 2010-06-01 00:00:00, expected a day"),
            ("until = 2010-06-01", "until was found without columns.time"),
            ("min_precision = 2", "min_precision is 2, expected a number from 0 to 1"),
            ("min_precision = nan", "min_precision is nan, expected a number from 0 to 1"),
            ('name = "a b"', "the source's name is 'a b', expected letters, digits"),
            ('name = "../x"', r"the source's name is '\.\./x'"),
            (
                'name = "sample"',
                "the source's name is 'sample'.*neither sample nor hetrec2011-lastfm-2k",
            ),
            ('name = "hetrec2011-lastfm-2k"', "the source's name is 'hetrec2011-lastfm-2k'"),
            ('url = "https://host/x.csv"', "both path and url were found, expected one"),
            ('time = "iso"', "time is 'iso', expected a table with format and time_zone"),
        ],
    )
    def test_is_named_with_what_was_expected(
        self, tmp_path: Path, refusal: Refusal, line: str, said: str
    ) -> None:
        with refusal(BadInputError, rf"mine\.toml: {said}"):
            described(tmp_path, f'path = "p.csv"\n{line}\n{COLUMNS}')

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[columns]\nuser = 'u'\nitem = 'i'", "neither path nor url was found"),
            (f'path = "p.txt"\n{COLUMNS}', "the table's name is 'p.txt', expected the ending"),
            (f'path = " "\n{COLUMNS}', "path or url names no file"),
            ('path = "p.csv"', "columns is missing, expected a table of columns"),
            ('path = "p.csv"\ncolumns = 3', "columns is 3, expected a table of columns"),
            ('path = "p.csv"\n[columns]\nitem = "i"', "columns.user is missing, expected the"),
            ('path = "p.csv"\n[columns]\nuser = "u"', "columns has neither item nor item_name"),
            ('path = "p.csv"\n[columns]\nuser = ["u"]\nitem = "i"', "columns.user is a list"),
            ('path = "p.csv"\n[columns]\nuser = true\nitem = "i"', "columns.user is true"),
            (f'path = "p.csv"\n{COLUMNS}by = "b"', "columns.by was found without columns.item_na"),
            (
                f'path = "p.csv"\n{COLUMNS}itm = "b"',
                "the key columns.itm is unknown, expected item",
            ),
            (f'path = "p.csv"\n{COLUMNS}plays = "user"', "columns.user and columns.plays are both"),
            (f'path = "p.csv"\n{COLUMNS}plays = 4', "columns.plays is 4, expected its name, as"),
            (
                f'path = "p.csv"\nheader = false\n{COLUMNS}',
                "columns.user is 'user', expected its nu",
            ),
            (f'path = "p.parquet"\nquoted = true\n{COLUMNS}', "parquet has no header, delimiter"),
            (
                f'path = "p.csv"\n{COLUMNS}time = "t"\n[time]\ntime_zone = "Mars/Base"',
                "time.time_zone is 'Mars/Base', expected a time zone like",
            ),
            (
                f'path = "p.csv"\n{COLUMNS}time = "t"\n[time]\ntime_zone = "../UTC"',
                "time.time_zone is '../UTC', expected a time zone like",
            ),
            (
                f'path = "p.csv"\n{COLUMNS}time = "t"\n[time]\nformat = "dmy"',
                "time.format is 'dmy', expected iso, unix or unix_ms",
            ),
            ('path = "p.csv"\npath = "q.csv"', "line 2 is not TOML"),
            ('path = "p.csv"\n[columns\n', "line 2 is not TOML"),
            (b"\xff\xfe\x00", "is not TOML"),
            ("", "no keys were found|neither|columns is missing"),
            ("# " + "x" * 70_000, "more than 64 KiB, expected a short description"),
        ],
    )
    def test_names_the_key_or_the_line(
        self, tmp_path: Path, refusal: Refusal, text: str | bytes, said: str
    ) -> None:
        with refusal(BadInputError, rf"mine\.toml: ({said})"):
            described(tmp_path, text)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("path: p.csv\ncolumns: {user: u\nitem", "line 3 is not YAML"),
            ("a: &a [1]\npath: *b", "line 2 is not YAML"),
            ("path: !!python/object:os.system x", "line 1 is not YAML"),
            ("until: 2010-13-45", "is not YAML"),
            ("- path", "no keys were found"),
            ("1: 2", "the key 1 is unknown|columns is missing"),
            ("[" * 5000, "is not YAML"),
            (
                "path: {a: 1}\ncolumns: {user: u, item: i}",
                "path is a table, expected a file's path",
            ),
            ("path: p.csv\ncolumns: &c {user: u, item: *c}", "columns.item is a table|is not YAML"),
        ],
    )
    def test_in_yaml_too(self, tmp_path: Path, refusal: Refusal, text: str, said: str) -> None:
        with refusal(BadInputError, rf"mine\.yaml: .*({said})"):
            described(tmp_path, text, "mine.yaml")

    def test_is_a_name_made_of_an_odd_file_name(self, tmp_path: Path, refusal: Refusal) -> None:
        with refusal(BadInputError, "the source's name is 'my plays', expected letters"):
            described(tmp_path, f'path = "p.csv"\n{COLUMNS}', "my plays.toml")

    def test_is_a_file_that_is_not_there(self, tmp_path: Path, refusal: Refusal) -> None:
        with refusal(BadInputError, r"no\.toml: cannot be read \(No such file"):
            Description.read(tmp_path / "no.toml")

    @given(
        content=st.one_of(
            st.binary(max_size=200),
            st.text(max_size=200).map(lambda text: text.encode(errors="replace")),
            st.text(alphabet='path="c.sv\n[]{}:*&!- 1col', max_size=120).map(str.encode),
        ),
        ending=st.sampled_from(["toml", "yaml"]),
    )
    @settings(
        max_examples=200,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_is_any_noise_in_one_line(
        self, tmp_path: Path, content: bytes, ending: str, refusal: Refusal
    ) -> None:
        with refusal(BadInputError, rf"mine\.{ending}: "):
            described(tmp_path, content, f"mine.{ending}")


def test_a_path_is_relative_to_the_description(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    found: Any = described(tmp_path, f'path = "../p.csv"\n{COLUMNS}', "below/mine.toml").path
    assert found.resolve() == (tmp_path / "p.csv").resolve()
    assert described(tmp_path, f'path = "/p.csv"\n{COLUMNS}').path == Path("/p.csv")


def test_a_path_may_begin_in_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = described(tmp_path, f'path = "~/p.csv"\n{COLUMNS}').path
    assert found == tmp_path / "home" / "p.csv"
    assert described(tmp_path, f'path = "a~/p.csv"\n{COLUMNS}').path == tmp_path / "a~/p.csv"
    with refusal(BadInputError, r"mine\.toml: path is '~nobody-here/p\.csv', whose home was not"):
        described(tmp_path, f'path = "~nobody-here/p.csv"\n{COLUMNS}')
