"""Which item each row of plays is of: by its id, by its name, or by its name's only id."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lastfm_assets.listening.blocks import blocks
from lastfm_assets.listening.described.texts import MISSING, Coded, Flags, gathered, renamed

BETWEEN: Final = " - "
"""Between whom an item is by and its name, as it is shown."""


def labels_of(name: Coded, by: Coded | None) -> Coded:
    """Names as shown: `artist - track`, or the name alone where nobody is named with it."""
    if by is None:
        return name
    pairs = name.codes.astype(np.int64) * (len(by.texts) + 1) + by.codes + 1
    pairs[name.codes == MISSING] = MISSING
    codes, distinct = pd.factorize(np.where(pairs < 0, -1, pairs))
    at_name, at_by = np.divmod(distinct, len(by.texts) + 1)
    no_name = distinct < 0
    names = name.texts.take(pa.array(at_name, mask=no_name))
    whom = by.texts.take(pa.array(at_by - 1, mask=(at_by == 0) | no_name))
    between = pa.scalar(BETWEEN, pa.large_string())
    shown = pc.binary_join_element_wise(whom, names, between)
    shown = pc.if_else(pc.is_valid(whom), shown, names)
    codes = np.where(np.append(no_name, False)[codes], MISSING, codes)
    return renamed(Coded(codes.astype(np.int32), shown), shown.fill_null(""))


def with_ids_of_names(item: Coded, label: Coded) -> Coded:
    """Ids, where a row that lacks one has a name that belongs to exactly one id elsewhere."""
    at_lacking = np.flatnonzero(item.codes == MISSING)
    if not len(at_lacking):
        return item
    at_label, at_item = np.divmod(_different_pairs(label, item), max(1, len(item.texts)))
    ids = np.bincount(at_label, minlength=len(label.texts) + 1)
    only = np.full(len(label.texts) + 1, MISSING, dtype=np.int32)
    only[at_label] = at_item
    only[ids != 1] = MISSING
    codes = item.codes.copy()
    codes[at_lacking] = only[label.codes[at_lacking]]
    return Coded(codes, item.texts)


def _different_pairs(label: Coded, item: Coded) -> npt.NDArray[np.int64]:
    """Label times the number of items, and item, of rows that have both; each once."""
    found = [np.empty(0, dtype=np.int64)]
    for rows in blocks(len(item.codes)):
        named, which = label.codes[rows], item.codes[rows]
        both = (which != MISSING) & (named != MISSING)
        found.append(pd.unique(named[both].astype(np.int64) * len(item.texts) + which[both]))
    return pd.unique(np.concatenate(found))


def with_names_for_ids(item: Coded, label: Coded) -> Coded:
    """Ids, where a row that still lacks one takes its name for it."""
    at_lacking = np.flatnonzero(item.codes == MISSING)
    if not len(at_lacking):
        return item
    # the ids come first and keep their codes
    ids = Coded(np.empty(0, dtype=np.int32), item.texts)
    named = Coded(label.codes[at_lacking], label.texts)
    both = gathered([ids, named])
    codes = item.codes.copy()
    codes[at_lacking] = both.codes
    return Coded(codes, both.texts)


def items_of(item: Coded, label: Coded | None) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Where each item comes first, and what it is called.

    Args:
        item: each row's item, none missing, and no value that no row has.
        label: each row's name as shown; None where the source has no names.

    Returns:
        (m,) first row of each of `item.texts`; and its name in the first row that has one, or
        its id where none has.
    """
    n = len(item.texts)
    names = item.texts
    if label is not None:
        at = _first_rows(item.codes, n, label.codes != MISSING)
        found = np.append(label.codes, np.int32(MISSING))[at]
        told = label.texts.take(pa.array(found, mask=found == MISSING))
        names = pc.if_else(pc.is_valid(told), told, item.texts)
    return _first_rows(item.codes, n), names.to_pylist()


def _first_rows(
    codes: npt.NDArray[np.int32], n: int, counts: Flags | None = None
) -> npt.NDArray[np.int64]:
    """(n,) first row with each code among the rows that count, -1 where there is none."""
    first = np.full(n, -1, dtype=np.int64)
    # of a position that comes again the last one stays: from the last row to the first
    for block in reversed(list(blocks(len(codes)))):
        rows = np.arange(block.start, block.stop)
        rows = rows[::-1] if counts is None else rows[counts[block]][::-1]
        first[codes[rows]] = rows
    return first
