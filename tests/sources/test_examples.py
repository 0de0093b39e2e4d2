"""The examples that users can try: invented, spoilt a little, and worth a model."""

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.load import Loaded, load
from lastfm_assets.sources.examples import Kind, write_example

KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("examples")
    for kind in KINDS:
        write_example(kind, folder / kind)
    return folder


def loaded(folder: Path, kind: Kind) -> Loaded:
    return load(str(folder / kind / f"{kind}.toml"), data_folder=folder)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_writes_the_same_bytes(kind: Kind, folder: Path, tmp_path: Path) -> None:
    description = write_example(kind, tmp_path)
    assert description == tmp_path / f"{kind}.toml"
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (folder / kind / file.name).read_bytes()


def test_another_seed_writes_others(folder: Path, tmp_path: Path) -> None:
    write_example("playlists", tmp_path, seed=1)
    before = (folder / "playlists" / "playlists.csv").read_bytes()
    assert (tmp_path / "playlists.csv").read_bytes() != before


@pytest.mark.parametrize("where", ["a file", "a file/below", "/proc/x", "a\0b"])
def test_a_folder_that_cannot_be_written_to_is_named_in_one_line(
    where: str, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("mine")
    said = r": the example cannot be written \(.+\), expected a folder .*; name another"
    with pytest.raises(BadInputError, match=said) as caught:
        write_example("playlists", tmp_path / where)
    assert str(caught.value).isprintable()
    assert (tmp_path / "a file").read_text() == "mine"


@pytest.mark.parametrize("name", ["playlists.csv", "playlists.toml"])
def test_a_file_that_cannot_be_replaced_is_told_of_too(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(BadInputError, match=r"cannot be written \(Is a directory\)"):
        write_example("playlists", tmp_path)


@pytest.mark.parametrize(
    ("kind", "item", "users", "items", "spoilt"),
    [
        ("360k", "artist", 300, 800, {"user is missing", "plays is not a whole number"}),
        ("scrobbles", "track", 200, 3600, {"time is not readable", "by is missing"}),
        ("playlists", "track", 300, 3100, {"item is missing", "by is missing"}),
    ],
)
def test_each_can_be_loaded_and_has_a_few_bad_lines(
    folder: Path, kind: Kind, item: str, users: int, items: int, spoilt: set[str]
) -> None:
    found = loaded(folder, kind)
    assert (found.about.source, found.about.item) == (f"example-{kind}", item)
    assert found.interactions["user_id"].nunique() == users
    assert 0.9 * items < len(found.artists) < 1.1 * items
    assert spoilt < set(found.rejected_rows["reason"])
    assert len(found.rejected_rows) < 20


def test_artists_without_an_id_find_it_by_their_name(folder: Path) -> None:
    text = (folder / "360k" / "plays.tsv").read_text(encoding="utf-8")
    assert text.count("\t\t") > 50
    keys = loaded(folder, "360k").keys
    artists = keys.loc[keys["kind"] == "artist", "key"]
    assert artists.str.fullmatch("[0-9a-f-]{36}").all()


def test_the_log_goes_over_years(folder: Path) -> None:
    plays = loaded(folder, "scrobbles").interactions
    years = plays["last_played"].max() - plays["first_played"].min()
    assert years > pd.Timedelta(days=3 * 365)


@pytest.mark.parametrize("kind", KINDS)
def test_what_others_play_tells_more_than_what_most_play(folder: Path, kind: Kind) -> None:
    pairs = loaded(folder, kind).interactions
    rows, users = pd.factorize(pairs["user_id"])
    columns, items = pd.factorize(pairs["artist_id"])
    held_out = np.random.default_rng(0).random(len(pairs)) < 0.2
    known, wanted = (np.zeros((len(users), len(items)), dtype=np.float32) for _ in range(2))
    known[rows[~held_out], columns[~held_out]] = 1
    wanted[rows[held_out], columns[held_out]] = 1
    listeners = known.sum(axis=0)
    cosine = known.T @ known / np.sqrt(np.outer(listeners + 1, listeners + 1))
    of_neighbours, of_most = (
        _hits(scores, known, wanted) for scores in (known @ cosine, listeners + 0 * known)
    )
    assert of_neighbours > 2 * of_most > 0


def _hits(scores: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> float:
    """Share of each user's ten best unknown items that are wanted."""
    best = np.argsort(-np.where(known > 0, -np.inf, scores), axis=1, kind="stable")[:, :10]
    return float(np.take_along_axis(wanted, best, axis=1).mean())


def test_a_table_of_any_size_is_an_example_too(tmp_path: Path) -> None:
    description = write_example("360k", tmp_path, pairs=5_000, seed=2)
    assert description == tmp_path / "360k.toml"
    assert (tmp_path / "plays.tsv").read_bytes().count(b"\n") == 5_000
    found = load(str(description), data_folder=tmp_path)
    assert found.about.source == "generated-5000"


@pytest.mark.parametrize("kind", ["scrobbles", "playlists"])
def test_the_others_have_one_size(kind: Kind, tmp_path: Path) -> None:
    said = f"an example of 5000 pairs as {kind}: only 360k is written in any size; choose that kind"
    with pytest.raises(BadInputError, match=said):
        write_example(kind, tmp_path, pairs=5_000)
