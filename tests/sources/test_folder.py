"""Opening a folder: what is found in it, and what is said where something is missing."""

import os
from pathlib import Path

import pytest
from source_world import Fill, Refusal

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.files import Dialect
from lastfm_assets.sources.folder import open_folder

ROOT = Path(__file__).parents[2]
HETREC = ROOT.parent / "shared" / "data" / "hetrec2011-lastfm-2k"

CSV = {"artists.csv": b'id,name\n1,"Oku, Plee"\n', "user_artists.csv": b"userID,artistID,weight\n"}


def test_files_are_handed_over_byte_for_byte_with_their_spelling(
    tmp_path: Path, files: dict[str, bytes], fill: Fill
) -> None:
    source = open_folder(fill(tmp_path, files))
    plays = source.read("user_artists")
    assert (plays.name, plays.content) == ("user_artists.dat", files["user_artists.dat"])
    assert plays.dialect == Dialect("\t", quoted=False, encoding="utf-8")
    assert source.name == "custom"
    assert source.location == str(tmp_path)
    assert not source.is_fallback


def test_the_tags_of_hetrec_are_latin(tmp_path: Path, files: dict[str, bytes], fill: Fill) -> None:
    tags = open_folder(fill(tmp_path, files)).read("tags")
    assert "nébulique" in tags.content.decode(tags.dialect.encoding)


def test_an_optional_file_that_is_not_there_is_none(
    tmp_path: Path, files: dict[str, bytes], fill: Fill
) -> None:
    assert open_folder(fill(tmp_path, files)).read("user_friends") is None


def test_csv_files_are_quoted_and_comma_separated(tmp_path: Path, fill: Fill) -> None:
    artists = open_folder(fill(tmp_path, CSV)).read("artists")
    assert artists.name == "artists.csv"
    assert artists.dialect == Dialect(",", quoted=True, encoding="utf-8")


def test_where_both_are_there_the_original_form_wins(
    tmp_path: Path, files: dict[str, bytes], fill: Fill
) -> None:
    assert open_folder(fill(tmp_path, files | CSV)).read("artists").name == "artists.dat"


def test_files_may_lie_in_one_sub_folder_beside_others_without_any(
    tmp_path: Path, files: dict[str, bytes], fill: Fill
) -> None:
    fill(tmp_path / "data", files)
    fill(tmp_path / "notes", {"todo.txt": b""})
    assert open_folder(tmp_path).read("artists").content == files["artists.dat"]


def test_files_in_the_folder_itself_win_over_those_below(
    tmp_path: Path, files: dict[str, bytes], fill: Fill
) -> None:
    fill(tmp_path, files)
    fill(tmp_path / "old", files | {"artists.dat": b"old"})
    assert open_folder(tmp_path).read("artists").content == files["artists.dat"]


def test_files_in_two_sub_folders_are_refused(
    tmp_path: Path, files: dict[str, bytes], fill: Fill, refusal: Refusal
) -> None:
    fill(tmp_path / "a", files)
    fill(tmp_path / "b", files)
    with refusal(BadInputError, r"found in 2 sub-folders \(a, b\), expected one"):
        open_folder(tmp_path)


def test_one_archive_stands_for_the_files(
    tmp_path: Path, files: dict[str, bytes], zipped: bytes, fill: Fill
) -> None:
    fill(tmp_path, {"any.zip": zipped, ".gitkeep": b""})
    assert open_folder(tmp_path).read("artists").content == files["artists.dat"]


def test_two_archives_are_refused(
    tmp_path: Path, zipped: bytes, fill: Fill, refusal: Refusal
) -> None:
    fill(tmp_path, {"a.zip": zipped, "b.zip": zipped})
    with refusal(BadInputError, r"2 archives were found \(a.zip, b.zip\), expected one"):
        open_folder(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path, refusal: Refusal) -> None:
    with refusal(BadInputError, "nowhere: nothing was found, expected a folder"):
        open_folder(tmp_path / "nowhere")


def test_a_file_is_not_a_folder(
    tmp_path: Path, files: dict[str, bytes], fill: Fill, refusal: Refusal
) -> None:
    fill(tmp_path, files)
    with refusal(BadInputError, "a file was found, expected a folder"):
        open_folder(tmp_path / "artists.dat")


def test_an_empty_folder_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    with refusal(BadInputError, "artists and user_artists missing; found nothing, expected"):
        open_folder(tmp_path)


def test_a_folder_of_other_files_tells_a_few_of_them(
    tmp_path: Path, fill: Fill, refusal: Refusal
) -> None:
    fill(tmp_path, {f"holiday{n}.jpg": b"" for n in range(7)})
    os.symlink(tmp_path / "gone", tmp_path / "dangling")  # noqa: PTH211
    with refusal(BadInputError, r"found dangling, .*holiday3\.jpg and 3 more, expected"):
        open_folder(tmp_path)


@pytest.mark.parametrize("stem", ["artists", "user_artists"])
def test_a_required_file_that_is_missing_is_named(
    tmp_path: Path, files: dict[str, bytes], fill: Fill, refusal: Refusal, stem: str
) -> None:
    del files[f"{stem}.dat"]
    with refusal(BadInputError, rf"{stem} missing; found .*tags\.dat.*set LASTFM_SOURCE"):
        open_folder(fill(tmp_path, files))


def test_odd_names_stay_on_one_line(tmp_path: Path, fill: Fill, refusal: Refusal) -> None:
    with refusal(BadInputError, "found a b, expected"):
        open_folder(fill(tmp_path / "odd\nfolder", {"a\nb": b""}))


def test_a_file_that_vanished_is_a_clear_error(
    tmp_path: Path, files: dict[str, bytes], fill: Fill, refusal: Refusal
) -> None:
    source = open_folder(fill(tmp_path, files))
    (tmp_path / "artists.dat").unlink()
    with refusal(BadInputError, r"artists\.dat: cannot be read \(No such file"):
        source.read("artists")


@pytest.mark.skipif(not HETREC.is_dir(), reason="HetRec is not on this machine")
class TestTheRealFiles:
    def test_are_recognised_whatever_their_line_ends(self, tmp_path: Path, fill: Fill) -> None:
        plays = (HETREC / "user_artists.dat").read_bytes()
        windows = plays.replace(b"\n", b"\r\n").removesuffix(b"\r\n")
        fill(tmp_path, {"artists.dat": b"id\tname\n", "user_artists.dat": windows})
        assert open_folder(tmp_path).name == "hetrec2011-lastfm-2k"
        assert open_folder(HETREC).name == "hetrec2011-lastfm-2k"

    def test_with_one_play_more_are_custom(self, tmp_path: Path, fill: Fill) -> None:
        plays = (HETREC / "user_artists.dat").read_bytes() + b"2\t51\t1\n"
        fill(tmp_path, {"artists.dat": b"id\tname\n", "user_artists.dat": plays})
        assert open_folder(tmp_path).name == "custom"

    def test_are_all_five_there(self) -> None:
        source = open_folder(HETREC)
        for stem in ("artists", "user_artists", "tags", "user_taggedartists", "user_friends"):
            assert source.read(stem).content.startswith((b"id\t", b"userID\t", b"tagID\t"))
