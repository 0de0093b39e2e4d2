"""A stored matrix whose parts do not fit: compiled code would follow them out of its memory."""

import io

import numpy as np
import pandas as pd
import pytest

from lastfm_assets import formats
from lastfm_assets.errors import StoreError
from lastfm_assets.listening.matrix import ListeningMatrix

PAIRS = pd.DataFrame({"user_id": [1, 1, 2], "artist_id": [1, 2, 2], "plays": [9, 1, 5]})


@pytest.mark.parametrize(
    ("part", "value"), [("indices", 10**6), ("indptr", 10**6), ("weights", np.nan)]
)
def test_is_refused_before_anything_follows_it(part: str, value: float) -> None:
    matrix = ListeningMatrix.from_pairs(PAIRS, np.arange(1, 4))
    with np.load(io.BytesIO(formats.encode(matrix, {})), allow_pickle=False) as archive:
        arrays = {name: archive[name].copy() for name in archive.files}
    arrays[part][-1] = value
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    with pytest.raises(StoreError, match=r"entries that it does not have|finite numbers"):
        formats.decode(buffer.getvalue(), ListeningMatrix)
