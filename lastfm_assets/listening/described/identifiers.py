"""Numbers that stand for a source's own ids where those are text."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lastfm_assets.errors import BadInputError
from lastfm_assets.vocabulary import Columns

BITS: Final = 53
"""Bits of an id: as many as a JavaScript number keeps exact. A million ids meet on one number
with a chance of 1 in 18,000."""


def numbers_for(keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """Numbers for texts: the first 53 bits of SHA-256 of the UTF-8 text.

    They depend on nothing but the text, so that every delivery, and every other program, makes
    the same.

    Args:
        keys: (n,) texts, all different.

    Returns:
        (n,) numbers from 0 to 2 ** 53 - 1.

    Raises:
        BadInputError: two texts fall on one number.
    """
    starts = b"".join(hashlib.sha256(key.encode()).digest()[:8] for key in keys)
    ids = (np.frombuffer(starts, dtype=">u8") >> np.uint64(64 - BITS)).astype(np.int64)
    order = np.argsort(ids, kind="stable")
    met = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(met):
        one, other = (keys[int(order[met[0] + step])] for step in (0, 1))
        raise BadInputError(
            f"the ids {one!r} and {other!r} fall on one number, {ids[order[met[0]]]}, expected one "
            "each; rename one of them in the source"
        )
    return ids


def key_table(kind: str, keys: Sequence[str], ids: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The table of some texts and their numbers, ordered by number.

    Args:
        kind: `user` or `artist`.
        keys: (n,) texts.
        ids: (n,) number of each.

    Returns:
        `kind` (str), `id` (int64) and `key` (str).
    """
    columns = {
        Columns.KIND: pd.Series([kind] * len(keys), dtype="str"),
        Columns.ID: pd.Series(ids, dtype="int64"),
        Columns.KEY: pd.Series(list(keys), dtype="str"),
    }
    return pd.DataFrame(columns).sort_values(Columns.ID, ignore_index=True)
