"""Saved models whose parts do not fit: compiled code followed them out of its memory."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.errors import StoreError
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import from_bytes, to_bytes, train

PAIRS = pd.DataFrame(
    {"user_id": [1, 1, 2, 2, 3], "artist_id": [1, 2, 2, 3, 1], "plays": [9, 1, 5, 7, 2]}
)


def saved(name: str) -> dict[str, np.ndarray]:
    matrix = ListeningMatrix.from_pairs(PAIRS, np.arange(1, 5))
    content = to_bytes(train(name, matrix, side=SideTables.none(), seed=0), {})
    with np.load(io.BytesIO(content)) as archive:
        return {one: archive[one] for one in archive.files}


def restored(arrays: dict[str, np.ndarray]) -> object:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return from_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    ("part", "value", "found"),
    [
        ("indices", 10**6, "the sparse matrix weights names entries"),
        ("indices", -1, "the sparse matrix weights names entries"),
        ("indptr", 10**6, "the sparse matrix weights names entries"),
        ("shape", 2**40, "the sparse matrix weights names entries"),
        ("data", -1e30, "weights_data holds something else than finite numbers"),
        ("data", np.nan, "weights_data holds something else than finite numbers"),
    ],
)
def test_a_sparse_matrix_names_only_entries_that_it_has(
    part: str, value: float, found: str
) -> None:
    """The first of these ended the whole process by a signal, with nothing said."""
    arrays = saved("user_knn")
    changed = arrays[f"learnt_weights_{part}"].copy()
    changed[0] = value
    with pytest.raises(StoreError, match=found):
        restored({**arrays, f"learnt_weights_{part}": changed})


@pytest.mark.parametrize("part", ["users", "artists", "artist_bias"])
def test_vectors_are_as_many_as_ids(part: str) -> None:
    arrays = saved("bpr")
    with pytest.raises(StoreError, match="its vectors are"):
        restored({**arrays, f"learnt_{part}": arrays[f"learnt_{part}"][:1]})


def test_text_is_nothing_that_a_model_learns() -> None:
    arrays = saved("popularity")
    with pytest.raises(StoreError, match="something else than finite numbers"):
        restored({**arrays, "learnt_listeners": arrays["learnt_listeners"].astype("U9")})


@pytest.mark.parametrize("ids", [np.zeros(3, int), np.arange(3.0), np.zeros((1, 3), int)])
def test_ids_are_rising_whole_numbers(ids: np.ndarray) -> None:
    with pytest.raises(StoreError, match="expected rising whole numbers"):
        restored({**saved("popularity"), "user_ids": ids})


@pytest.mark.parametrize("said", [[], None, {"model": []}, {"model": "als", "config": 3}])
def test_a_header_of_something_else_is_refused(said: object) -> None:
    header = np.frombuffer(json.dumps(said).encode(), dtype=np.uint8)
    with pytest.raises(StoreError, match="not a saved model"):
        restored({**saved("popularity"), "header": header})


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_packed_array_is_not_unpacked(method: int) -> None:
    """A megabyte of it may hold a gigabyte; ours are never packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("header.npy", bytes(10_000_000))
    with pytest.raises(StoreError, match="packed"):
        from_bytes(buffer.getvalue())


def test_an_array_that_claims_terabytes_is_refused() -> None:
    start = io.BytesIO()
    claimed = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(start, claimed)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("header.npy", start.getvalue())
    with pytest.raises(StoreError, match="not a saved model"):
        from_bytes(buffer.getvalue())
