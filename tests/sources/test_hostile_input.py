"""Sources made to do harm, or by somebody who did not look: each ends in one clear line."""

import os
import zipfile
from pathlib import Path

import pytest
from source_world import FILES

from lastfm_assets.errors import BadInputError
from lastfm_assets.models.competing import competing
from lastfm_assets.sources.archive import open_archive
from lastfm_assets.sources.description import Description, names_columns
from lastfm_assets.sources.resolve import open_source
from lastfm_assets.sources.signature import is_known, signature_of

COLUMNS = '\n[columns]\nuser = "user"\nitem = "artist"\n'


def opened(path: Path) -> object:
    return open_source(str(path), data_folder=path.parent / "data", allow_sample=False)


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


class TestWhatNeverEnds:
    """A pipe that nobody writes to held a sensor up for ever."""

    def test_a_pipe_as_description_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "mine.toml")
        with pytest.raises(BadInputError, match="cannot be read"):
            opened(tmp_path / "mine.toml")
        assert not is_known(signature_of(str(tmp_path / "mine.toml"), data_folder=tmp_path))

    def test_a_pipe_as_table_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "plays.csv")
        file = written(tmp_path / "mine.toml", f'path = "plays.csv"{COLUMNS}')
        with pytest.raises(BadInputError, match="a pipe or a device was found"):
            opened(file)
        assert not is_known(signature_of(str(file), data_folder=tmp_path))

    def test_pipes_and_devices_in_a_folder_are_no_listening_files(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "artists.dat")
        (tmp_path / "user_artists.dat").symlink_to("/dev/zero")
        (tmp_path / "tags.dat").symlink_to("tags.dat")
        with pytest.raises(
            BadInputError, match=r"artists and user_artists missing; found artists.dat .not a file"
        ):
            opened(tmp_path)

    @pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
    def test_models_are_read_from_a_short_file_alone(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "models.toml"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()
        with pytest.raises(BadInputError, match="cannot be read"):
            competing(str(path))

    def test_a_long_file_of_models_is_not_read(self, tmp_path: Path) -> None:
        with pytest.raises(BadInputError, match="more than 64 KiB"):
            competing(str(written(tmp_path / "models.toml", "#" * 70_000)))


class TestYamlThatGrows:
    """Twenty lines that refer to each other took seconds, sixty would have taken all memory."""

    BOMB = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60)
    )

    def test_is_refused_at_its_first_reference(self, tmp_path: Path) -> None:
        file = written(tmp_path / "mine.yaml", self.BOMB + "columns: {user: u, item: i}\n")
        with pytest.raises(BadInputError, match=r"line 2 is not YAML .it refers to another part"):
            Description.read(file)

    def test_of_others_is_passed_over_beside_listening_files(self, tmp_path: Path) -> None:
        for name, content in FILES.items():
            (tmp_path / name).write_bytes(content)
        compose = written(tmp_path / "docker-compose.yml", "x: &x {a: 1}\ny: {<<: *x}\n")
        assert not names_columns(compose)
        opened(tmp_path)


@pytest.mark.parametrize(
    ("ending", "text", "found"),
    [
        (".toml", "min_precision = 0x" + "f" * 6000, "is a number of thousands of digits"),
        (".toml", 'url = "https://[::1"\nformat = "csv"', "the URL cannot be read"),
        (".toml", 'path = "' + "a" * 300 + '.csv"', "nothing that can be opened .File name too"),
        (".toml", 'path = "../../\\u0000x.csv"', "names no file"),
        (".yaml", 'url: "https://127.0.0.1:1/\\ud800.csv"', "has characters that no URL has"),
    ],
    ids=["a number of 7,000 digits", "no URL", "a long path", "a path with NUL", "half a letter"],
)
def test_a_description_is_refused_and_not_a_traceback(
    tmp_path: Path, ending: str, text: str, found: str
) -> None:
    columns = COLUMNS if ending == ".toml" else "\ncolumns: {user: user, item: artist}\n"
    path = 'path = "x.csv"\n' if text.startswith("min") else ""
    with pytest.raises(BadInputError, match=found) as caught:
        opened(written(tmp_path / f"mine{ending}", path + text + columns))
    assert len(str(caught.value).splitlines()) == 1


def test_a_url_of_bytes_that_are_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="has characters that no URL has"):
        open_source("https://127.0.0.1:1/\udcff.zip", data_folder=tmp_path, allow_sample=False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = " + "[" * 5000, "is no TOML"),
        ("[als]\nweighting = 0x" + "f" * 6000, "weighting is a number of thousands of digits"),
        ('["' + "x" * 5000 + '"]', "unknown model 'xxx"),
        ('[als]\n"\\u001b[31m" = 1', "no parameter"),
    ],
    ids=["deep", "a number of 7,000 digits", "a long name", "a name that steers"],
)
def test_models_are_refused_in_one_short_line(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(BadInputError, match=found) as caught:
        competing(str(written(tmp_path / "models.toml", text)))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


def test_an_entry_without_a_name_is_refused(tmp_path: Path) -> None:
    """Python's own reader stumbles over it with an IndexError."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
        archive.writestr("QQQ", b"")
    path.write_bytes(path.read_bytes().replace(b"QQQ", b"\0QQ"))
    with pytest.raises(BadInputError, match="points outside"):
        open_archive(path)


def test_an_archive_inside_an_archive_stays_packed(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner.zip", tmp_path / "outer.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "inner.zip")
    with pytest.raises(BadInputError, match=r"missing; found inner.zip"):
        open_archive(outer)


def test_who_may_not_read_is_told_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "artists.dat").chmod(0)
    with pytest.raises(BadInputError, match="Permission denied"):
        opened(tmp_path).read("artists")  # type: ignore[attr-defined]


def test_a_file_that_vanishes_between_two_looks_is_told_so(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    source = open_source(str(tmp_path), data_folder=tmp_path, allow_sample=False)
    (tmp_path / "artists.dat").unlink()
    (tmp_path / "artists.dat").mkdir()
    with pytest.raises(BadInputError, match=r"cannot be read .Is a directory"):
        source.read("artists")
