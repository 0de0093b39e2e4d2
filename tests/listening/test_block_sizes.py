"""Nothing depends on how many rows are worked on at once."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from listening.plays_world import BY_NUMBER, plays_file

from lastfm_assets.formats import version_of
from lastfm_assets.listening import blocks
from lastfm_assets.listening.clean import MOST_PLAYS, CleanTables
from lastfm_assets.listening.described import plays_tables, texts
from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.listening.weighting import SCHEMES, Scheme, Weighting

N_LINES = 3_000
BAD = {17: "u1\tonly two", 400: "\tm1\tN1\t3", 401: "u2\tm1\tN1\tmany", 2_999: "u3\tm2\tN2\t-4"}


def lines() -> list[str]:
    """Plays with ids missing here and there, pairs twice, and lines that are refused."""
    rng = np.random.default_rng(11)
    users, items = rng.integers(0, 60, N_LINES), rng.integers(0, 90, N_LINES)
    plays, has_id = rng.integers(0, 2_000, N_LINES), rng.random(N_LINES) > 0.05
    rows = [
        f"u{user}\t{f'm{item}' if known else ''}\tN{item}\t{count}"
        for user, item, count, known in zip(users, items, plays, has_id, strict=True)
    ]
    return [BAD.get(at, row) for at, row in enumerate(rows)]


@dataclass(frozen=True)
class Sizes:
    rows: int
    chunk: int
    few: int


DEFAULT = Sizes(blocks.ROWS_AT_ONCE, plays_tables._CHUNK, texts._FEW)


@pytest.fixture
def description(tmp_path: Path) -> Path:
    content = "\n".join(lines())
    file = plays_file(tmp_path, content, BY_NUMBER, path="plays.tsv", header=False)
    return file.path.with_name("mine.toml")


def loaded(description: Path, sizes: Sizes, monkeypatch: pytest.MonkeyPatch) -> CleanTables:
    """The clean tables, so many rows at once."""
    monkeypatch.setattr(blocks, "ROWS_AT_ONCE", sizes.rows)
    monkeypatch.setattr(plays_tables, "_CHUNK", sizes.chunk)
    monkeypatch.setattr(texts, "_FEW", sizes.few)
    monkeypatch.setattr("lastfm_assets.listening.described.delimited._BLOCK_BYTES", 64 * sizes.few)
    return load(str(description), data_folder=description.parent)


def versions(tables: CleanTables) -> dict[str, str]:
    """Hash of every clean table, of the split and of the matrix under every scheme."""
    found = {
        field.name: version_of(table)
        for field in fields(tables)
        if isinstance(table := getattr(tables, field.name), pd.DataFrame)
    }
    dealt = split(tables.interactions, seed=5)
    found["split"] = version_of(dealt)
    artist_ids = tables.artists["artist_id"].to_numpy()
    for scheme in SCHEMES:
        matrix = ListeningMatrix.from_pairs(
            pairs_of(dealt, "train"), artist_ids, weighting=Weighting(scheme, intensity=0.3)
        )
        found[scheme] = version_of(matrix) + matrix.fingerprint
    return found


@pytest.mark.parametrize("sizes", [Sizes(1_000, 64, 40), Sizes(13, 5, 4)])
def test_tables_split_and_matrix_do_not_depend_on_the_size_of_blocks(
    description: Path, sizes: Sizes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = versions(loaded(description, DEFAULT, monkeypatch))
    assert len(expected) == 7 + len(SCHEMES)
    assert versions(loaded(description, sizes, monkeypatch)) == expected


def test_pairs_are_those_of_a_group_by(description: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = loaded(description, DEFAULT, monkeypatch)
    rows = [line.split("\t") for at, line in enumerate(lines()) if at not in BAD]
    frame = pd.DataFrame(rows, columns=["user", "item", "name", "plays"])
    frame["plays"] = frame["plays"].astype("int64")
    used = frame[frame["plays"].between(1, MOST_PLAYS)]
    expected = used.groupby(["user", "name"])["plays"].sum()
    assert len(tables.interactions) == len(expected)
    assert sorted(tables.interactions["plays"]) == sorted(expected)
    assert (
        tables.interactions[["user_id", "artist_id"]].apply(tuple, axis=1).is_monotonic_increasing
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pairs_in_any_order_give_one_matrix(scheme: Scheme) -> None:
    pairs = pd.DataFrame(
        {"user_id": [1, 1, 2, 5], "artist_id": [3, 9, 3, 4], "plays": [2, 1, 7, 4]}
    )
    artist_ids, weighting = np.array([3, 4, 9]), Weighting(scheme)
    in_order = ListeningMatrix.from_pairs(pairs, artist_ids, weighting=weighting)
    shuffled = ListeningMatrix.from_pairs(pairs.iloc[[2, 0, 3, 1]], artist_ids, weighting=weighting)
    assert version_of(shuffled) == version_of(in_order)
    assert in_order.plays.indices.dtype == in_order.plays.indptr.dtype == np.int32
