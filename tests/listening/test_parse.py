"""Raw bytes to typed tables: whatever the line ends, no line is lost or misnumbered."""

import pandas as pd
import pytest
from raw_worlds import CSV, DAT, HEADERS, LATIN, below, parsed

from lastfm_assets.errors import BadInputError
from lastfm_assets.formats import version_of
from lastfm_assets.listening import parse as parse_module
from lastfm_assets.listening.parse import empty
from lastfm_assets.listening.tables import ARTISTS, RAW_TABLES, TAGS, USER_ARTISTS, RawTable
from lastfm_assets.sources.files import Dialect

HEADER = HEADERS["user_artists"]
PLAYS = f"{HEADER}\n2\t51\t13883\n2\t52\t11690\n3\t51\tmany\n\n4\t53\n5\t54\t7\n"


def facts(table: pd.DataFrame) -> list[tuple[int, str]]:
    """Line and reason of each row refused."""
    refused = table[table["reason"].notna()]
    return list(zip(refused["line"], refused["reason"], strict=True))


class TestLineEnds:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("last", [True, False], ids=["ended", "last line without newline"])
    def test_every_line_end_gives_the_same_table(self, end: str, *, last: bool) -> None:
        text = PLAYS if last else PLAYS.removesuffix("\n")
        table = parsed(text.replace("\n", end))
        pd.testing.assert_frame_equal(table, parsed(PLAYS))
        assert version_of(table) == version_of(parsed(PLAYS))

    def test_mixed_line_ends_are_read_alike(self) -> None:
        mixed = f"{HEADER}\r\n2\t51\t13883\n2\t52\t11690\r3\t51\tmany\r\n\r\n4\t53\n5\t54\t7\n"
        assert version_of(parsed(mixed)) == version_of(parsed(PLAYS))

    def test_a_byte_order_mark_changes_nothing(self) -> None:
        marked = b"\xef\xbb\xbf" + PLAYS.encode()
        assert version_of(parsed(marked)) == version_of(parsed(PLAYS))

    @pytest.mark.parametrize(
        "other",
        [
            PLAYS.replace("13883", "13884"),
            PLAYS.replace("many", "lots"),
            PLAYS.replace("\n\n", "\n"),
            PLAYS.replace("2\t51\t13883\n2\t52\t11690\n", "2\t52\t11690\n2\t51\t13883\n"),
        ],
        ids=["a play", "a refused text", "a line number", "the order"],
    )
    def test_the_hash_sees_every_change_of_content(self, other: str) -> None:
        assert version_of(parsed(other)) != version_of(parsed(PLAYS))

    def test_blank_lines_are_no_rows_and_shift_no_line_number(self) -> None:
        table = parsed(f"{HEADER}\n1\t2\t3\n\n   \n\t\t\n4\t5\n\n7\t8\t9\n")
        assert list(table["line"]) == [2, 6, 8]
        assert facts(table) == [(6, "wrong number of fields")]

    def test_line_numbers_hold_over_many_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parse_module, "_BLOCK_BYTES", 100)
        lines = [f"{n}\t1\t{n}" if n % 7 else f"{n}\t1" for n in range(2, 300)]
        table = parsed("\n".join([HEADER, *lines]))
        assert list(table["line"]) == list(range(2, 300))
        good = table[table["reason"].isna()]
        assert list(good["user_id"]) == list(good["line"])
        assert [line for line, _ in facts(table)] == [n for n in range(2, 300) if n % 7 == 0]


class TestText:
    def test_lone_quotes_in_dat_are_ordinary_characters(self) -> None:
        table = below(ARTISTS, '1\t"Weird Al\tu\tp', '2\tB"\tu\tp', '3\t"C"\tu\tp')
        assert list(table["artist_name"]) == ['"Weird Al', 'B"', '"C"']

    def test_quoted_csv_may_hold_commas_and_doubled_quotes(self) -> None:
        text = 'id,name,url,pictureURL\n1,"Emerson, Lake & Palmer",u,p\n2,"The ""Band""",u,p\n'
        table = parsed(text, ARTISTS, CSV)
        assert list(table["artist_name"]) == ["Emerson, Lake & Palmer", 'The "Band"']
        assert table["reason"].isna().all()

    def test_a_quoted_header_is_read(self) -> None:
        table = parsed('"userID","artistID","weight"\n1,2,3\n', USER_ARTISTS, CSV)
        assert table.loc[0, ["user_id", "artist_id", "plays"]].tolist() == [1, 2, 3]

    def test_tags_in_latin_1_are_read_as_such(self) -> None:
        content = b"tagID\ttagValue\n1\tm\xe1gico\n2\tchill\xfc\n"
        assert list(parsed(content, TAGS, LATIN)["tag"]) == ["m\u00e1gico", "chill\u00fc"]

    @pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "N/A", "#N/A", "1"])
    def test_names_that_look_like_missing_values_are_names(self, name: str) -> None:
        table = below(ARTISTS, f"1\t{name}\tu\tp")
        assert table["artist_name"].tolist() == [name]
        assert table["reason"].isna().all()

    @pytest.mark.parametrize("byte", [b"\xff", b"\xe1", b"\x00"], ids=["FF", "E1", "NUL"])
    def test_unknown_bytes_cost_their_own_line_only(self, byte: bytes) -> None:
        content = b"id\tname\n1\tA" + byte + b"\n2\tB\n3\tC\n"
        table = parsed(content, ARTISTS)
        assert facts(table) == [(2, "name has unknown bytes")]
        assert table["text"][0] == "1\tA\ufffd"
        assert list(table["artist_name"][1:]) == ["B", "C"]

    def test_unknown_bytes_in_a_number_are_no_number(self) -> None:
        table = parsed(HEADER.encode() + b"\n1\t2\t3\x00\n1\t2\t\xff\n1\t2\t3\n")
        reason = "weight is not a whole number"
        assert facts(table) == [(2, reason), (3, reason)]

    def test_space_around_a_field_is_not_part_of_it(self) -> None:
        table = below(ARTISTS, " 1 \t  Air \tu\tp")
        assert table.loc[0, ["artist_id", "artist_name"]].tolist() == [1, "Air"]


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"), [("+5", 5), ("-5", -5), ("007", 7), ("9" * 18, 10**18 - 1)]
    )
    def test_whole_numbers_are_typed(self, text: str, value: int) -> None:
        assert parsed(f"{HEADER}\n1\t2\t{text}")["plays"].tolist() == [value]

    @pytest.mark.parametrize(
        "text", ["many", "1.5", "1e3", "", "1,000", "0x1f", "9" * 19, "9" * 400, "--1", "\u0661"]
    )
    def test_anything_else_is_refused_with_its_text(self, text: str) -> None:
        table = parsed(f"{HEADER}\n1\t2\t{text}\n1\t3\t4\n")
        assert facts(table) == [(2, "weight is not a whole number")]
        assert table["text"][0] == f"1\t2\t{text}"
        assert table["plays"].isna().tolist() == [True, False]

    def test_the_first_bad_field_names_the_reason(self) -> None:
        assert facts(parsed(f"{HEADER}\nx\ty\tz")) == [(2, "userID is not a whole number")]


class TestFields:
    @pytest.mark.parametrize("line", ["1", "1\t2", "1\t2\t3\t4", "1\t2\t3\t"])
    def test_too_few_or_too_many_fields_cost_the_line(self, line: str) -> None:
        table = parsed(f"{HEADER}\n{line}\n5\t6\t7\n")
        assert facts(table) == [(2, "wrong number of fields")]
        assert table["text"][0] == line
        assert table.loc[1, ["user_id", "artist_id", "plays"]].tolist() == [5, 6, 7]

    @pytest.mark.parametrize(
        "text",
        [
            "weight\tuserID\tartistID\n3\t1\t2\n",
            "userID\textra\tartistID\tweight\n1\tx\t2\t3\n",
            " USERID\tartistid \tWeight\n1\t2\t3\n",
        ],
        ids=["other order", "extra column", "other case"],
    )
    def test_columns_go_by_their_header(self, text: str) -> None:
        pd.testing.assert_frame_equal(parsed(text), parsed(f"{HEADER}\n1\t2\t3\n"))

    def test_a_refused_line_is_kept_whole_whatever_columns_are_needed(self) -> None:
        table = parsed("extra\tuserID\tmore\tartistID\tweight\nx\t1\ty\t2\tmany\n")
        assert table["text"].tolist() == ["x\t1\ty\t2\tmany"]

    def test_optional_columns_may_lack(self) -> None:
        table = parsed("id\tname\n1\tAir\n", ARTISTS)
        assert list(table.columns) == list(empty(ARTISTS).columns)
        assert table[["url", "picture_url"]].isna().to_numpy().all()

    @pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.stem)
    def test_an_absent_file_gives_the_same_columns_and_types(self, table: RawTable) -> None:
        whole = below(table, "\t".join("1" for _ in table.fields))
        assert whole.dtypes.to_dict() == empty(table).dtypes.to_dict()
        assert list(whole.columns) == list(empty(table).columns)
        assert len(empty(table)) == 0

    def test_refused_lines_do_not_change_the_types(self) -> None:
        spoilt = parsed(f"{HEADER}\n1\t2\n1\tx\t3\n1\t2\t3")
        assert spoilt.dtypes.to_dict() == empty(USER_ARTISTS).dtypes.to_dict()


@pytest.mark.parametrize(
    ("content", "dialect", "found"),
    [
        (b"userID\tartistID\n1\t2\n", DAT, r"the first line is .*missing: weight\)"),
        (b"userID\tartistID\tweight\tweight\n1\t2\t3\t3\n", DAT, "the first line is"),
        (f"{HEADER}\n".encode(), DAT, "only a header was found"),
        (HEADER.encode(), DAT, "only a header was found"),
        (f"{HEADER}\n\n \n".encode(), DAT, "only a header was found"),
        (b"", DAT, "the first line is ''"),
        (b"\n1\t2\t3\n", DAT, "the first line is ''"),
        (bytes(range(256)) * 40, DAT, "the first line is"),
        (PLAYS.encode("utf-16"), DAT, "the first line is"),
        (PLAYS.encode("utf-16-be"), DAT, "the first line is"),
        (b"<html><body>Not found</body></html>", DAT, "<html>"),
        (b"1\t2\t3\n4\t5\t6\n", DAT, r"the first line is '1\\t2\\t3'"),
        (PLAYS.encode(), CSV, "the first line is"),
        (b'"' + b"x" * 200_000, CSV, "the first line is"),
        (b"x" * 200_000, DAT, "the first line is"),
    ],
    ids=[
        "missing column",
        "column twice",
        "header only",
        "header only without newline",
        "header and blank lines",
        "empty",
        "blank first line",
        "noise",
        "UTF-16",
        "UTF-16 without mark",
        "a web page",
        "no header",
        "another delimiter",
        "an endless quoted field",
        "an endless line",
    ],
)
def test_a_hopeless_file_is_refused_in_one_short_line(
    content: bytes, dialect: Dialect, found: str
) -> None:
    with pytest.raises(BadInputError, match=found) as caught:
        parsed(content, USER_ARTISTS, dialect)
    message = str(caught.value)
    assert message.startswith("user_artists.")
    assert "expected" in message
    assert "replace the file" in message
    assert "\n" not in message
    assert "\r" not in message
    assert len(message) < 1000


def test_a_line_longer_than_a_block_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_module, "_BLOCK_BYTES", 100)
    with pytest.raises(BadInputError, match=r"user_artists\.dat: not a readable table") as caught:
        parsed(f"{HEADER}\n1\t2\t3\n" + "9" * 1000 + "\t2\t3\n")
    assert "\n" not in str(caught.value)
