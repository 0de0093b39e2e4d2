"""A described table of plays as a source: found, fetched, opened, and seen to have changed."""

import hashlib
from pathlib import Path

import pytest
from source_world import Fill, Refusal, Server, zip_of

from lastfm_assets.errors import BadInputError, SourceUnavailableError
from lastfm_assets.sources.download import Patience
from lastfm_assets.sources.files import Source, Stem
from lastfm_assets.sources.resolve import open_source
from lastfm_assets.sources.signature import is_known, signature_of

COLUMNS = '[columns]\nuser = "user"\nitem = "item"\n'
MINE = {"mine.toml": f'path = "p.csv"\n{COLUMNS}'.encode(), "p.csv": b"user,item\na,x\n"}
QUICK = Patience(tries=2, answer_seconds=5, silence_seconds=5, pause_seconds=0.01)
STEMS: tuple[Stem, ...] = (
    "artists",
    "user_artists",
    "tags",
    "user_taggedartists",
    "user_friends",
)


def opened(setting: Path | str | None, data: Path) -> Source:
    setting = None if setting is None else str(setting)
    return open_source(setting, data_folder=data, allow_sample=False, patience=QUICK)


def signature(setting: Path | str | None, data: Path) -> str:
    return signature_of(None if setting is None else str(setting), data_folder=data)


@pytest.fixture
def mine(tmp_path: Path, fill: Fill) -> Path:
    return fill(tmp_path / "own", MINE) / "mine.toml"


@pytest.fixture
def at_url(tmp_path: Path, server: Server) -> Path:
    """A description whose table is served by this machine."""
    server.content = MINE["p.csv"]
    file = tmp_path / "served.toml"
    url = f"{server.url.replace('//', '//ann:s3cret@')}/whole?token=s3cret"
    file.write_text(f'url = "{url}"\nformat = "csv"\n{COLUMNS}')
    return file


class TestOpened:
    def test_it_has_its_table_and_none_of_the_five_files(self, mine: Path, tmp_path: Path) -> None:
        source = opened(mine, tmp_path)
        assert (source.name, source.location, source.is_fallback) == ("mine", str(mine), False)
        assert source.plays.path == mine.parent / "p.csv"
        assert source.plays.description.name == "mine"
        assert [source.read(stem) for stem in STEMS] == [None] * 5

    def test_it_may_be_the_one_description_of_a_folder(self, mine: Path, tmp_path: Path) -> None:
        assert opened(mine.parent, tmp_path).name == "mine"

    def test_it_may_lie_in_data_raw_and_goes_before_other_files(
        self, tmp_path: Path, fill: Fill, files: dict[str, bytes]
    ) -> None:
        fill(tmp_path / "raw", MINE | files)
        assert opened(None, tmp_path).name == "mine"

    def test_files_of_other_sources_have_no_table(
        self, tmp_path: Path, fill: Fill, files: dict[str, bytes]
    ) -> None:
        assert opened(fill(tmp_path / "five", files), tmp_path).plays is None

    def test_two_descriptions_in_a_folder_are_refused(
        self, mine: Path, tmp_path: Path, refusal: Refusal
    ) -> None:
        (mine.parent / "other.yml").write_text("path: p.csv")
        with refusal(BadInputError, r"2 descriptions were found \(mine\.toml, other\.yml\)"):
            opened(mine.parent, tmp_path)

    def test_a_table_that_is_not_there_is_named(
        self, mine: Path, tmp_path: Path, refusal: Refusal
    ) -> None:
        (mine.parent / "p.csv").unlink()
        with refusal(BadInputError, r"mine\.toml: nothing was found at .*p\.csv, expected the tab"):
            opened(mine, tmp_path)
        (mine.parent / "p.csv").mkdir()
        with refusal(BadInputError, "a folder was found at"):
            opened(mine, tmp_path)

    def test_a_description_that_is_not_there_is_named(
        self, tmp_path: Path, refusal: Refusal
    ) -> None:
        with refusal(BadInputError, r"no\.toml: cannot be read \(No such file"):
            opened(tmp_path / "no.toml", tmp_path)


class TestBesideListeningFiles:
    """Files with a description's ending that others put there are not for us to read."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("docker-compose.yml", b"services:\n  web:\n    image: nginx\n"),
            ("pyproject.toml", b'[project]\nname = "x"\n'),
            ("broken.toml", b"columns = "),
            ("list.yaml", b"- columns\n"),
            ("many.yaml", b"columns: 1\n---\ncolumns: 2\n"),
            ("long.yaml", b"columns: 1\n" + b"#" * (1 << 16)),
        ],
    )
    @pytest.mark.parametrize("is_archive", [False, True])
    def test_what_names_no_columns_is_passed_over(
        self,
        tmp_path: Path,
        fill: Fill,
        files: dict[str, bytes],
        name: str,
        content: bytes,
        is_archive: bool,  # noqa: FBT001
    ) -> None:
        held = {"hetrec.zip": zip_of(files)} if is_archive else files
        raw = fill(tmp_path / "raw", held)
        before = signature(raw, tmp_path)
        (raw / name).write_bytes(content)
        for setting in (raw, None):
            assert (opened(setting, tmp_path).plays, opened(setting, tmp_path).name) == (
                None,
                "custom",
            )
            assert is_known(before)
            assert signature(setting, tmp_path) == before

    def test_what_names_columns_goes_before_them(
        self, tmp_path: Path, fill: Fill, files: dict[str, bytes]
    ) -> None:
        others = {"docker-compose.yml": b"services: {}\n"}
        raw = fill(tmp_path / "raw", files | MINE | others)
        for setting in (raw, None):
            assert opened(setting, tmp_path).name == "mine"
            assert signature(setting, tmp_path) == signature(raw / "mine.toml", tmp_path)

    def test_what_names_columns_is_refused_where_they_are_wrong(
        self, tmp_path: Path, fill: Fill, files: dict[str, bytes], refusal: Refusal
    ) -> None:
        raw = fill(tmp_path / "raw", files | {"mine.yml": b"columns: {usr: a}\npath: p.csv\n"})
        with refusal(BadInputError, r"the key columns\.usr is unknown, expected user"):
            opened(raw, tmp_path)
        assert not is_known(signature(raw, tmp_path))

    def test_alone_in_a_folder_it_is_told_what_is_wrong_with_it(
        self, tmp_path: Path, fill: Fill, refusal: Refusal
    ) -> None:
        alone = fill(tmp_path / "own", {"mine.toml": b"columns = "})
        with refusal(BadInputError, r"mine\.toml: line 1 is not TOML"):
            opened(alone, tmp_path)

    def test_a_folder_that_is_named_like_a_description_is_a_folder(
        self, tmp_path: Path, fill: Fill, files: dict[str, bytes]
    ) -> None:
        folder = fill(tmp_path / "plays.toml", files)
        assert opened(folder, tmp_path).name == "custom"
        assert is_known(signature(folder, tmp_path))


class TestBehindAUrl:
    def test_it_is_fetched_into_the_downloads_and_hides_the_secrets(
        self, at_url: Path, tmp_path: Path, server: Server
    ) -> None:
        source = opened(at_url, tmp_path)
        assert source.plays.path.read_bytes() == server.content
        assert source.plays.path.parent == tmp_path / "raw" / "downloads"
        assert "s3cret" not in source.location + source.plays.path.name

    def test_with_a_checksum_it_is_fetched_once(
        self, at_url: Path, tmp_path: Path, server: Server
    ) -> None:
        digest = hashlib.sha256(server.content).hexdigest()
        at_url.write_text(at_url.read_text().replace('s3cret"', f's3cret#sha256={digest}"'))
        for _ in range(2):
            opened(at_url, tmp_path)
        assert len(server.asked) == 1

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("{server}/gone.csv", r"the server answered 404.*check the URL in .*at\.toml"),
            ("{server}/whole#sha256=12", r"expected #sha256= and 64 .*correct .*at\.toml"),
            ("http://host.example/p.csv", r"is not encrypted, expected https.*correct .*at\.toml"),
            ("s3://bucket/p.csv", r"s3://bucket was found.*correct .*at\.toml"),
        ],
    )
    def test_that_cannot_be_used_the_description_is_to_be_corrected(
        self, tmp_path: Path, server: Server, refusal: Refusal, url: str, said: str
    ) -> None:
        file = tmp_path / "at.toml"
        file.write_text(f'url = "{url.format(server=server.url)}"\nformat = "csv"\n{COLUMNS}')
        with refusal(BadInputError, said):
            opened(file, tmp_path)

    def test_that_nobody_answers_is_no_fault_of_the_input(
        self, tmp_path: Path, closed_url: str, refusal: Refusal
    ) -> None:
        file = tmp_path / "at.toml"
        file.write_text(f'url = "{closed_url}"\nformat = "csv"\n{COLUMNS}')
        said = r"fetched in 2 tries.*set `path` in \S*at\.toml to the file instead of `url`$"
        with refusal(SourceUnavailableError, said):
            opened(file, tmp_path)

    def test_that_moves_to_another_host_the_url_is_to_be_corrected(
        self, tmp_path: Path, server: Server, refusal: Refusal
    ) -> None:
        server.moved_to = "https://elsewhere.example/p.csv"
        file = tmp_path / "at.toml"
        file.write_text(f'url = "{server.url}/moved"\nformat = "csv"\n{COLUMNS}')
        with refusal(BadInputError, r"; set `url` in \S*at\.toml to the final URL if you trust"):
            opened(file, tmp_path)


class TestItsSignature:
    def test_stays_while_neither_file_changes(self, mine: Path, tmp_path: Path) -> None:
        before = signature(mine, tmp_path)
        (mine.parent / "p.csv").write_bytes(MINE["p.csv"])
        (mine.parent / "notes.txt").write_text("x")
        assert is_known(before)
        assert signature(mine, tmp_path) == before == signature(mine.parent, tmp_path)

    @pytest.mark.parametrize("name", sorted(MINE))
    def test_changes_with_either_file(self, mine: Path, tmp_path: Path, name: str) -> None:
        before = signature(mine, tmp_path)
        (mine.parent / name).write_bytes(MINE[name] + b"\n")
        assert is_known(signature(mine, tmp_path))
        assert signature(mine, tmp_path) != before

    def test_of_data_raw_is_the_descriptions(self, tmp_path: Path, fill: Fill) -> None:
        fill(tmp_path / "raw", MINE)
        assert signature(None, tmp_path) == signature(tmp_path / "raw" / "mine.toml", tmp_path)

    def test_of_a_url_with_a_checksum_is_known_without_asking(
        self, at_url: Path, tmp_path: Path, server: Server
    ) -> None:
        text = at_url.read_text()
        at_url.write_text(text.replace('s3cret"', f's3cret#sha256={"0" * 64}"'))
        one = signature(at_url, tmp_path)
        at_url.write_text(text.replace('s3cret"', f's3cret#sha256={"1" * 64}"'))
        assert is_known(one)
        assert signature(at_url, tmp_path) != one
        assert server.asked == []

    def test_of_a_url_that_does_not_answer_is_unknown(
        self, tmp_path: Path, closed_url: str
    ) -> None:
        file = tmp_path / "at.toml"
        file.write_text(f'url = "{closed_url}"\nformat = "csv"\n{COLUMNS}')
        assert not is_known(signature(file, tmp_path))

    def test_of_what_is_wrong_is_unknown(self, mine: Path, tmp_path: Path) -> None:
        mine.write_text("path = ")
        assert "is not TOML" in signature(mine, tmp_path)
        assert not is_known(signature(mine, tmp_path))
        assert not is_known(signature(tmp_path / "no.toml", tmp_path))
