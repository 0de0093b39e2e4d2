"""Columns of text in which few values come often, held as each value once and codes of rows."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lastfm_assets.listening.blocks import Numbers, blocks, looked_up

MISSING: Final = -1
"""Code of a row without a value."""
_WHOLE: Final = r"^[+-]?[0-9]{1,18}(\.0*)?$"
"""Up to 18 digits: always within 64 bits. `12.0` is how pandas writes a 12 among missing ones."""
_AN_ID: Final = r"^(0|-?[1-9][0-9]{0,17})$"
"""A whole number that stays itself when written again; `007` does not."""

_FEW: Final = 1 << 16
"""Values that may wait whatever is known already."""

Codes = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of text."""

    codes: Codes
    """(n,) position of each row's text in `texts`, or `MISSING`."""
    texts: pa.Array
    """(m,) texts of one line, without space around them; all different once gathered."""

    def flagged(self, flags: Flags, *, missing: bool = False) -> Flags:
        """(n,) flags of rows from (m,) flags of values."""
        return looked_up(np.append(flags, missing), self.codes)

    def rows(self, kept: Flags) -> "Coded":
        """Some of the rows."""
        return Coded(self.codes[kept], self.texts)

    def used(self) -> Flags:
        """(m,) whether any row has the value."""
        used = np.zeros(len(self.texts) + 1, dtype=bool)
        for rows in blocks(len(self.codes)):
            used[self.codes[rows]] = True
        return used[:MISSING]


def coded(column: pa.Array) -> tuple[Coded, Flags]:
    """A column as it was read.

    Args:
        column: (n,) bytes, text, numbers or whatever can be written as text.

    Returns:
        The column; and (m,) which of its values have unknown bytes.
    """
    encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    texts = pc.utf8_trim_whitespace(as_text(encoded.dictionary).fill_null(""))
    if _flags(pc.or_(pc.match_substring(texts, "\n"), pc.match_substring(texts, "\r"))).any():
        texts = pc.replace_substring_regex(texts, r"\s*[\r\n]\s*", " ")
    codes = encoded.indices.cast(pa.int32()).fill_null(MISSING).to_numpy()
    blank = _flags(pc.equal(texts, ""))
    if blank.any():
        codes = np.append(np.where(blank, MISSING, np.arange(len(blank))), MISSING)[codes]
    bad = pc.or_(pc.match_substring(texts, "\ufffd"), pc.match_substring(texts, "\0"))
    return Coded(codes.astype(np.int32, copy=False), texts), _flags(bad)


def gathered(pieces: list[Coded]) -> Coded:
    """The column of several pieces, each value once; values that no row has may be among them."""
    if not pieces:
        return Coded(np.empty(0, dtype=np.int32), pa.array([], pa.large_string()))
    chunks = [
        pa.DictionaryArray.from_arrays(
            pa.array(piece.codes, mask=piece.codes == MISSING), piece.texts, safe=False
        )
        for piece in pieces
    ]
    together = pa.chunked_array(chunks).unify_dictionaries()
    codes = np.concatenate(
        [chunk.indices.fill_null(MISSING).to_numpy() for chunk in together.chunks]
    )
    column = Coded(codes, together.chunk(0).dictionary)
    return renamed(column, column.texts)  # of a single piece, some may be alike once trimmed


def renamed(column: Coded, values: pa.Array) -> Coded:
    """A column with other values, which may be alike for several of the old ones."""
    encoded = values.cast(pa.large_string()).dictionary_encode()
    codes = np.append(encoded.indices.to_numpy(), np.int32(MISSING)).astype(np.int32, copy=False)
    return Coded(looked_up(codes, column.codes), encoded.dictionary)


@dataclass(slots=True)
class Texts:
    """A column that comes in pieces, each value of which is soon held once.

    Pieces that share few values would else hold the same artist a hundred times. Together they
    are `gathered`, whenever the new pieces have as many values as all before them: so each value
    is looked at a few times only.
    """

    _codes: Numbers = field(default_factory=Numbers)
    """Of the pieces that have been put together."""
    _texts: pa.Array = field(default_factory=lambda: pa.array([], pa.large_string()))
    _waiting: list[Coded] = field(default_factory=list)

    def add(self, piece: Coded) -> None:
        """The next piece."""
        self._waiting.append(piece)
        if sum(len(one.texts) for one in self._waiting) > max(_FEW, len(self._texts)):
            self._put_together()

    def all(self) -> Coded:
        """The whole column; nothing is left here."""
        self._put_together()
        return Coded(self._codes.all().astype(np.int32, copy=False), self._texts)

    def _put_together(self) -> None:
        # what is known comes first and keeps its codes
        known = Coded(np.empty(0, dtype=np.int32), self._texts)
        together = gathered([known, *self._waiting])
        self._waiting = []
        self._codes.add(together.codes)
        self._texts = together.texts


def compact(column: Coded) -> Coded:
    """A column, none of its rows missing, without the values that no row has."""
    used = column.used()
    codes = (np.cumsum(used) - 1).astype(np.int32)
    return Coded(looked_up(codes, column.codes), column.texts.filter(pa.array(used, pa.bool_())))


def whole_numbers(values: pa.Array) -> tuple[npt.NDArray[np.int64], Flags]:
    """(m,) numbers, 0 where the text is none, and (m,) whether it is one."""
    good = pc.match_substring_regex(values, _WHOLE)
    digits = pc.replace_substring_regex(values, r"^\+|\.0*$", "")
    numbers = pc.if_else(good, digits, "0").cast(pa.int64())
    return numbers.to_numpy(zero_copy_only=False), _flags(good)


def are_ids(values: pa.Array) -> Flags:
    """(m,) which texts are whole numbers that can be ids as they are."""
    return _flags(pc.match_substring_regex(values, _AN_ID))


def as_text(values: pa.Array) -> pa.Array:
    """Values as text; bytes that are no UTF-8 become U+FFFD."""
    try:
        return values.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = (
            one.decode(errors="replace") if isinstance(one, bytes) else str(one)
            for one in values.to_pylist()
        )
        return pa.array(texts, pa.large_string())


def _flags(values: pa.Array) -> Flags:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)
