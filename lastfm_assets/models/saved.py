"""Arrays of a saved model or matrix, judged before compiled code follows the places they name."""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

import numpy as np

from lastfm_assets.errors import StoreError

_NUMBERS: Final = "biuf"
"""Kinds of arrays that a model learns: flags, whole numbers and floats."""
_LARGEST: Final = 1e12
"""No model learns a larger number, and three that are multiplied stay within 32 bits."""
_POOLED: Final = "theta"
"""A blend's weights are over the spread of its members' scores, which may be next to nothing."""


def arrays_in(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an npz archive by name.

    They lie in it as they are: a packed one could be of any size.

    Raises:
        StoreError: an entry is packed, or claims more bytes than there are.
        Exception: whatever NumPy and `zipfile` raise on what is no such archive.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > len(content):
        raise StoreError("its arrays are packed, or claim more bytes than it has")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def check_ids(ids: np.ndarray) -> None:
    """Refuses ids that are not (n,) int64.

    Raises:
        StoreError: they are something else.
    """
    if ids.ndim != 1 or ids.dtype != np.int64 or np.any(ids[1:] <= ids[:-1]):
        raise StoreError(f"its ids are {ids.shape} {ids.dtype}, expected rising whole numbers")


def check_numbers(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses what compiled code would take for numbers or places, and are none.

    Sparse matrices are those whose parts end in `_indices`, `_indptr` and `_shape`.

    Raises:
        StoreError: an array holds no finite numbers, or a sparse matrix names entries outside.
        KeyError: a part of a sparse matrix is missing.
    """
    for name, array in arrays.items():
        good = array.dtype.kind in _NUMBERS
        if array.dtype.kind == "f" and array.size:
            largest = np.inf if name == _POOLED else _LARGEST
            # with a NaN, both are NaN, which is neither larger nor smaller than anything
            good = bool(-largest < array.min() <= array.max() < largest)
        if not good:
            raise StoreError(f"{name} holds something else than finite numbers")
    for name in arrays:
        prefix = name.removesuffix("_indptr")
        if prefix != name:
            _check_sparse(prefix, arrays)


def _check_sparse(prefix: str, arrays: Mapping[str, np.ndarray]) -> None:
    data, places, starts, shape = (
        arrays[f"{prefix}_{part}"] for part in ("data", "indices", "indptr", "shape")
    )
    whole = all(part.ndim == 1 and part.dtype.kind == "i" for part in (places, starts, shape))
    fits = (
        whole
        and data.shape == places.shape
        and shape.shape == (2,)
        and starts.shape == (int(shape[0]) + 1,)
        and int(starts[0]) == 0
        and int(starts[-1]) == len(places)
        and not np.any(starts[1:] < starts[:-1])
    )
    if not fits or (len(places) and not 0 <= places.min() <= places.max() < shape[1]):
        raise StoreError(f"the sparse matrix {prefix} names entries that it does not have")
