"""The bundled sample is what its generator writes, and is spoilt as it says."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lastfm_assets.sources.folder import open_folder
from lastfm_assets.sources.resolve import sample_folder
from lastfm_assets.sources.sample import FILES, write_sample


def table(stem: str) -> list[list[str]]:
    """Fields of each line below the header."""
    raw = open_folder(sample_folder()).read(stem)
    lines = raw.content.decode(raw.dialect.encoding).splitlines()
    return [line.split(raw.dialect.delimiter) for line in lines[1:]]


def test_the_generator_writes_the_bundled_files_byte_for_byte(tmp_path: Path) -> None:
    write_sample(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (sample_folder() / name).read_bytes(), name


def test_another_seed_writes_another_world(tmp_path: Path) -> None:
    write_sample(tmp_path, seed=8)
    name = "user_artists.dat"
    assert (tmp_path / name).read_bytes() != (sample_folder() / name).read_bytes()


def test_the_command_writes_into_the_folder_it_is_given(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "lastfm_assets.sources.sample",
        "--folder",
        str(tmp_path / "s"),
    ]
    subprocess.run(command, check=True)
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == sorted(FILES)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("artists.dat", b"id\tname\turl\tpictureURL\n"),
        ("user_artists.dat", b"userID\tartistID\tweight\n"),
        ("tags.dat", b"tagID\ttagValue\n"),
        ("user_taggedartists.dat", b"userID\tartistID\ttagID\tday\tmonth\tyear\n"),
        ("user_friends.dat", b"userID\tfriendID\r\n"),
    ],
)
def test_headers_are_those_of_hetrec(name: str, header: bytes) -> None:
    assert (sample_folder() / name).read_bytes().startswith(header)


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in sample_folder().iterdir()) < 600_000


def test_nearly_every_listener_has_fifty_artists_and_two_hardly_any() -> None:
    n_artists = Counter(row[0] for row in table("user_artists"))
    assert len(n_artists) == 300
    assert 0.85 < sum(49 <= count <= 53 for count in n_artists.values()) / 300 < 0.95
    assert sum(count <= 4 for count in n_artists.values()) == 2
    assert min(map(int, n_artists)) == 2


def test_plays_are_spoilt_as_told() -> None:
    rows = table("user_artists")
    assert sum(len(row) == 2 for row in rows) == 1
    whole = [row for row in rows if len(row) == 3]
    assert Counter(row[2] for row in whole if not row[2].isdecimal() or row[2] == "0") == {
        "0": 3,
        "-1": 1,
        "-250": 1,
        "many": 1,
        "n/a": 1,
    }
    known = {row[0] for row in table("artists")}
    assert sum(row[1] not in known for row in whole) == 2
    assert len(whole) - len({(row[0], row[1]) for row in whole}) == 4


def test_artists_are_spoilt_as_told() -> None:
    names = [row[1] for row in table("artists")]
    assert sum(not name for name in names) == 1
    assert sum(len(name) > 1000 for name in names) == 1
    assert sum(name.count('"') == 1 for name in names) >= 3
    assert any(not name.isascii() for name in names)
    assert any(", " in name for name in names)
    assert any(" & " in name for name in names)


def test_tags_are_latin_and_no_utf8() -> None:
    content = (sample_folder() / "tags.dat").read_bytes()
    assert "nébulique" in content.decode("iso-8859-1")
    with pytest.raises(UnicodeDecodeError, match="utf-8"):
        content.decode("utf-8")


def test_dates_are_spoilt_as_told() -> None:
    rows = table("user_taggedartists")
    years = Counter(int(row[5]) for row in rows)
    assert {year: n for year, n in years.items() if year < 2005} == {1956: 3, 1201: 1}
    assert max(years) == 2011
    assert sum(row[3:5] == ["31", "2"] for row in rows) == 1
    assert not (sample_folder() / "user_taggedartists.dat").read_bytes().endswith(b"\n")


def test_friends_are_friends_both_ways() -> None:
    pairs = {tuple(row) for row in table("user_friends")}
    assert pairs == {(friend, user) for user, friend in pairs}
    content = (sample_folder() / "user_friends.dat").read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") == len(pairs) + 1
