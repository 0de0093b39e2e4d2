"""Which item each row of plays is of: by its id, by its name, or by its name's only id."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

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
    both = (item.codes != MISSING) & (label.codes != MISSING)
    pairs = pd.unique(label.codes[both].astype(np.int64) * len(item.texts) + item.codes[both])
    at_label, at_item = np.divmod(pairs, max(1, len(item.texts)))
    ids = np.bincount(at_label, minlength=len(label.texts) + 1)
    only = np.full(len(label.texts) + 1, MISSING, dtype=np.int32)
    only[at_label] = at_item
    only[ids != 1] = MISSING
    return Coded(np.where(item.codes == MISSING, only[label.codes], item.codes), item.texts)


def with_names_for_ids(item: Coded, label: Coded) -> Coded:
    """Ids, where a row that still lacks one takes its name for it."""
    lacking = item.codes == MISSING
    if not lacking.any():
        return item
    named = np.where(lacking, label.codes, MISSING).astype(np.int32)
    both = gathered([item, Coded(named, label.texts)])
    n = len(item.codes)
    return Coded(np.where(lacking, both.codes[n:], both.codes[:n]), both.texts)


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
    everywhere = np.ones(len(item.codes), dtype=bool)
    return _first_rows(item.codes, n, everywhere), names.to_pylist()


def _first_rows(codes: npt.NDArray[np.int32], n: int, counts: Flags) -> npt.NDArray[np.int64]:
    """(n,) first row with each code among the rows that count, -1 where there is none."""
    rows = np.flatnonzero(counts)[::-1]
    first = np.full(n, -1, dtype=np.int64)
    first[codes[rows]] = rows  # of a position that comes again the last one stays, so the first row
    return first
