"""Both audio files: what is read from them, however they are spelled, and what is refused."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest
from audio_world import FEATURES, rewritten, with_cell, write_files

from lastfm_assets.errors import BadInputError
from lastfm_assets.music.audio_features import (
    AUDIO_FEATURES,
    BY_GENRES,
    BY_YEAR,
    UNITS,
    long_table,
    no_features,
    read_audio_files,
)

FOLDER = "LASTFM_AUDIO_FEATURES"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "audio files")


def refused(folder: Path | str, match: str) -> str:
    """The one line that a folder is refused with."""
    with pytest.raises(BadInputError, match=match) as caught:
        read_audio_files(str(folder))
    said = str(caught.value)
    assert said.isprintable()
    assert said.endswith(f"or unset {FOLDER}")
    assert len(said) < 700
    return said


class TestBothFiles:
    def test_are_typed_row_by_row(self, folder: Path) -> None:
        files = read_audio_files(str(folder))
        expected = pd.read_csv(folder / BY_YEAR)[["year", *FEATURES]]
        pd.testing.assert_frame_equal(files.years, expected)
        assert len(files.genres) == 60
        assert files.genres["genres"].tolist()[:2] == ["invented, no. 0", "invented, no. 1"]

    def test_become_a_row_a_year_and_feature(self, folder: Path) -> None:
        years = read_audio_files(str(folder)).years
        table = long_table(years)
        assert tuple(table.columns) == AUDIO_FEATURES
        assert len(table) == 40 * len(UNITS)
        assert table["feature"].tolist()[: len(UNITS)] == list(UNITS)
        assert table["year"].is_monotonic_increasing
        row = table[(table["year"] == 1975) & (table["feature"] == "tempo")]
        assert row["value"].tolist() == years.loc[years["year"] == 1975, "tempo"].tolist()

    def test_that_are_not_there_leave_a_table_of_the_same_types(self, folder: Path) -> None:
        some = long_table(read_audio_files(str(folder)).years)
        assert no_features().empty
        assert no_features().dtypes.to_dict() == some.dtypes.to_dict()

    def test_are_told_from_others_by_their_bytes(self, folder: Path) -> None:
        before = read_audio_files(str(folder)).signature
        assert read_audio_files(str(folder)).signature == before
        with_cell(folder / BY_GENRES, 5, "tempo", "101.5")
        assert read_audio_files(str(folder)).signature != before

    @pytest.mark.parametrize(
        "spelled",
        [
            lambda text: "\ufeff" + re.sub(r"(?m)^[^,]+,", "", text),  # before a column of ours
            lambda text: text.replace("\n", "\r\n"),
            lambda text: text.replace("\n", "\n\n"),
            lambda text: text.rstrip("\n"),
            lambda text: text.replace("tempo", ' "Tempo" ').replace(' "', '"').replace('" ', '"'),
            lambda text: re.sub(r"(?m)^1,", '"1",', text),
            lambda text: text.replace(",", " , "),
            lambda text: re.sub(r"(?m)^", "more,", text).replace("more,mode", "other,mode"),
        ],
        ids=[
            "BOM",
            "CRLF",
            "blank lines",
            "no last end",
            "case",
            "quotes",
            "spaces",
            "more columns",
        ],
    )
    def test_may_be_spelled_otherwise(self, folder: Path, spelled: object) -> None:
        before = read_audio_files(str(folder)).years

        def change(text: str) -> str:
            return spelled(text).removesuffix("more,")  # type: ignore[operator]

        rewritten(folder / BY_YEAR, change)
        pd.testing.assert_frame_equal(read_audio_files(str(folder)).years, before)

    def test_may_have_years_in_any_order(self, folder: Path) -> None:
        before = read_audio_files(str(folder)).years

        def upside_down(text: str) -> str:
            header, *rows = text.splitlines()
            return "\n".join([header, *rows[::-1]])

        rewritten(folder / BY_YEAR, upside_down)
        pd.testing.assert_frame_equal(read_audio_files(str(folder)).years, before)

    def test_may_lie_in_the_home_folder(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(folder.parent))
        assert len(read_audio_files("~/audio files").years) == 40


class TestAFolder:
    def test_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        said = refused(tmp_path / "nowhere", "nowhere: nothing was found, expected a folder with")
        assert f"{BY_YEAR} and {BY_GENRES}; set {FOLDER} to it" in said

    def test_that_is_a_file_is_refused(self, folder: Path) -> None:
        refused(folder / BY_YEAR, "data_by_year.csv: a file was found, expected a folder")

    @pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-that-name/x", "a\nb"])
    def test_of_an_impossible_name_is_refused(self, name: str) -> None:
        refused(name, r": nothing.* was found, expected a folder")

    @pytest.mark.parametrize("name", [BY_YEAR, BY_GENRES])
    def test_without_one_of_the_files_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        refused(folder, f"{name}: not found, expected {BY_YEAR} and {BY_GENRES} in the folder")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_whose_file_may_not_be_read_is_refused(self, folder: Path) -> None:
        (folder / BY_YEAR).chmod(0)
        refused(folder, "data_by_year.csv: cannot be read")

    def test_with_a_folder_for_a_file_is_refused(self, folder: Path) -> None:
        (folder / BY_YEAR).unlink()
        (folder / BY_YEAR).mkdir()
        refused(folder, r"data_by_year.csv: cannot be read \(Is a directory\), expected a readable")


class TestALine:
    @pytest.mark.parametrize(
        "cell", ["", "abc", "nan", "inf", "-inf", "1e999", "1_000", "0x10", "1,5", "\u0661", "--1"]
    )
    def test_with_no_number_is_refused_by_file_line_and_column(
        self, folder: Path, cell: str
    ) -> None:
        quoted = f'"{cell}"' if "," in cell else cell
        with_cell(folder / BY_YEAR, 5, "tempo", quoted)
        said = refused(folder, r"data_by_year\.csv: line 5, column tempo: .* was found, expected a")
        assert f"{cell!r} was found, expected a number; correct the line" in said

    @pytest.mark.parametrize(
        "year", ["999", "2101", "0", "-1970", "1970.5", "19x0", "", "9" * 40, "\u0661\u0669\u0667"]
    )
    def test_with_no_possible_year_is_refused(self, folder: Path, year: str) -> None:
        with_cell(folder / BY_YEAR, 2, "year", year)
        refused(folder, r"line 2, column year: .* was found, expected a year from 1000 to 2100;")

    @pytest.mark.parametrize("year", ["1000", "2100"])
    def test_with_a_year_at_the_end_of_the_range_is_read(self, folder: Path, year: str) -> None:
        with_cell(folder / BY_YEAR, 2, "year", year)
        assert int(year) in set(read_audio_files(str(folder)).years["year"])

    def test_of_a_year_that_came_before_is_refused(self, folder: Path) -> None:
        with_cell(folder / BY_YEAR, 9, "year", "1972")
        refused(folder, r"line 9, column year: '1972' stands in line 4 too, expected one line each")

    def test_of_a_genre_that_came_before_is_refused(self, folder: Path) -> None:
        rewritten(folder / BY_GENRES, lambda text: text.replace("no. 7", "no. 3"))
        refused(folder, r"line 9, column genres: 'invented, no. 3' stands in line 5 too")

    def test_without_a_genre_is_refused(self, folder: Path) -> None:
        rewritten(folder / BY_GENRES, lambda text: text.replace('"invented, no. 2"', ""))
        refused(folder, r"data_by_genres.csv: line 4, column genres: '' was found, expected a name")

    def test_with_a_field_too_many_is_refused(self, folder: Path) -> None:
        with_cell(folder / BY_YEAR, 6, "tempo", "100,200")
        refused(folder, r"line 6 has 14 fields, expected 13 as in the header; correct the line")

    def test_with_a_field_too_few_is_refused(self, folder: Path) -> None:
        rewritten(folder / BY_YEAR, lambda text: text + "1,2050\n")
        refused(folder, r"data_by_year.csv: line 42 has 2 fields, expected 13 as in the header")

    def test_is_numbered_as_an_editor_does_where_others_are_blank(self, folder: Path) -> None:
        with_cell(folder / BY_YEAR, 3, "tempo", "?")
        rewritten(folder / BY_YEAR, lambda text: text.replace("\n", "\r\n\r\n"))
        refused(folder, r"line 5, column tempo: '\?' was found")

    def test_whose_cell_is_long_or_unprintable_is_refused_in_one_line(self, folder: Path) -> None:
        with_cell(folder / BY_YEAR, 3, "tempo", '"' + "a\x07\u2028" * 4000 + '"')
        assert len(refused(folder, r"column tempo: 'a\\x07.*…' was found")) < 500


class TestAFile:
    @pytest.mark.parametrize("column", ["year", *UNITS])
    def test_without_a_column_is_refused(self, folder: Path, column: str) -> None:
        rewritten(folder / BY_YEAR, lambda text: text.replace(column, "another", 1))
        refused(folder, f"data_by_year.csv: line 1 names no column {column}, expected one each of")

    def test_with_a_column_twice_is_refused(self, folder: Path) -> None:
        rewritten(folder / BY_GENRES, lambda text: text.replace("tempo", "energy", 1))
        refused(folder, "data_by_genres.csv: line 1 names 2 columns energy, expected one each of")

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
    def test_of_nothing_is_refused(self, folder: Path, content: bytes) -> None:
        (folder / BY_YEAR).write_bytes(content)
        refused(folder, "line 1 names no column year, expected one each")

    def test_of_a_header_alone_is_refused(self, folder: Path) -> None:
        rewritten(folder / BY_YEAR, lambda text: text.splitlines()[0] + "\n")
        refused(folder, "only a header was found, expected rows below it; replace the file")

    def test_that_is_not_utf_8_is_refused_with_the_line(self, folder: Path) -> None:
        content = (folder / BY_GENRES).read_bytes().replace(b"no. 4", b"caf\xe9")
        (folder / BY_GENRES).write_bytes(content.replace(b"\n", b"\r\n"))
        refused(folder, r"data_by_genres.csv: line 6 has bytes that are not UTF-8, expected UTF-8")

    def test_in_utf_16_is_refused(self, folder: Path) -> None:
        (folder / BY_YEAR).write_bytes((folder / BY_YEAR).read_text("utf-8").encode("utf-16"))
        refused(folder, r"data_by_year.csv: line 1 has bytes that are not UTF-8")

    @pytest.mark.parametrize("tail", ['"1', "x" * 200_000])
    def test_that_is_no_csv_is_refused(self, folder: Path, tail: str) -> None:
        rewritten(folder / BY_YEAR, lambda text: text + tail)
        refused(folder, r"data_by_year.csv: line 42 is no CSV \(.*\), expected fields parted by")
