"""Names and ids of invented listeners and artists, made from their numbers alone.

No table of them is kept: the same number always has the same text, and no two share one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import cache
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lastfm_assets.sources.sample_words import BRACKETED, HIRAGANA, LONE_MARK, SCENES, Scene

Numbers = npt.NDArray[np.integer[Any]]
Words = npt.NDArray[np.uint64]

_WORDS: Final = 2016
"""Words of a scene."""
_SHORT: Final = range(288)
"""Those with one syllable in the middle: 8 x 6 x 6."""
_LONG: Final = range(288, _WORDS)
"""Those with two: 8 x 6 x 6 x 6."""
_FIRST: Final = 3_483_648
"""Names of two short words in six ways; artists beyond have two long ones."""
_STRIDE: Final = 99_999_989
"""A prime that divides no number of names: neighbours by number are not neighbours by name."""


class _Kind(IntEnum):
    """How a name is made."""

    SHORT = 0
    LONG = 1
    SINGLE = 2
    LONE = 3
    HIRAGANA = 4


def artist_names(numbers: Numbers) -> pa.Array:
    """Names of artists, as text.

    A quarter is of a single word (up to 56,000 artists, until the words are used up), one in a
    hundred has a lone quotation mark, some are in hiragana, and all others are of two words in
    one of six ways. Neither tabs nor line ends are in any.

    Args:
        numbers: (n,) from 0 to below 100 million.
    """
    numbers = np.asarray(numbers, dtype=np.int64)
    kind = _kinds(numbers)
    names = pa.concat_arrays(
        [
            _of_two_words(numbers[kind == _Kind.SHORT], BRACKETED, _SHORT),
            _of_two_words(numbers[kind == _Kind.LONG] - _FIRST, BRACKETED, _LONG),
            _of_one_word(numbers[kind == _Kind.SINGLE] // 4),
            _of_two_words(numbers[kind == _Kind.LONE] // 100, [LONE_MARK], range(_WORDS)),
            _of_syllables(numbers[kind == _Kind.HIRAGANA] // 500),
        ]
    )
    return names.take(pa.array(np.argsort(np.argsort(kind, kind="stable"), kind="stable")))


def artist_mbids(numbers: Numbers) -> pa.Array:
    """Ids in the shape of MusicBrainz's: 32 hexadecimal digits, parted by four hyphens."""
    one = _scattered(np.asarray(numbers).astype(np.uint64))
    digits = _hexadecimal(np.stack([one, _scattered(~one)], axis=1))
    text = np.full((len(digits), 36), ord("-"), dtype=np.uint8)
    begin = 0
    for at, length in ((0, 8), (9, 4), (14, 4), (19, 4), (24, 12)):
        text[:, at : at + length] = digits[:, begin : begin + length]
        begin += length
    return _as_text(text)


def user_sha1s(numbers: Iterable[int]) -> pa.Array:
    """Ids of listeners as Last.fm-360K has them: SHA-1 in 40 hexadecimal digits."""
    return pa.array(
        [hashlib.sha1(b"%d" % number, usedforsecurity=False).hexdigest() for number in numbers],
        pa.string(),
    )


def _kinds(numbers: Numbers) -> npt.NDArray[np.int8]:
    """Which kind of name each artist has."""
    kind = np.where(numbers < _FIRST, _Kind.SHORT, _Kind.LONG).astype(np.int8)
    kind[(numbers % 4 == 0) & (numbers // 4 < _WORDS * len(SCENES))] = _Kind.SINGLE
    kind[numbers % 100 == 3] = _Kind.LONE  # noqa: PLR2004 (an odd number: none of the above)
    kind[(numbers % 500 == 7) & (numbers // 500 < len(HIRAGANA) ** 3)] = _Kind.HIRAGANA  # noqa: PLR2004
    return kind


def _of_two_words(numbers: Numbers, patterns: Sequence[str], words: range) -> pa.Array:
    """A name for each number below patterns x scenes x words x words, none twice."""
    n = len(words)
    left = (numbers * _STRIDE + 12_345) % (len(patterns) * len(SCENES) * n**2)
    left, pattern = np.divmod(left, len(patterns))
    left, scene = np.divmod(left, len(SCENES))
    begin = scene * _WORDS + words.start
    one, other = (_vocabulary().take(pa.array(begin + at)) for at in np.divmod(left, n))
    before, between, after = (
        pa.array(parts, pa.string()).take(pa.array(pattern))
        for parts in zip(*(each.split("{}") for each in patterns), strict=True)
    )
    return pc.binary_join_element_wise(before, one, between, other, after, "")


def _of_one_word(numbers: Numbers) -> pa.Array:
    return _vocabulary().take(pa.array(numbers * _STRIDE % (_WORDS * len(SCENES))))


def _of_syllables(numbers: Numbers) -> pa.Array:
    left, one = np.divmod(numbers, len(HIRAGANA))
    both = np.divmod(left, len(HIRAGANA))
    syllables = pa.array(HIRAGANA, pa.string())
    return pc.binary_join_element_wise(*(syllables.take(pa.array(n)) for n in (one, *both)), "")


@cache
def _vocabulary() -> pa.Array:
    """Words of all scenes, one scene after the other."""
    return pa.array([word for scene in SCENES for word in words_of(scene)], pa.string())


def words_of(scene: Scene) -> list[str]:
    """All words that a scene's syllables make, none twice."""
    short = product(scene.starts, scene.middles, scene.ends)
    long = product(scene.starts, scene.middles, scene.middles, scene.ends)
    return ["".join(syllables) for syllables in (*short, *long)]


def _scattered(numbers: Words) -> Words:
    """Another number of 64 bits for each, none twice (SplitMix64: Steele, Lea & Flood 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _hexadecimal(words: Words) -> npt.NDArray[np.uint8]:
    """(n, k) numbers of 64 bits as (n, 16 * k) digits in ASCII."""
    each = words.astype(">u8").view(np.uint8)
    halves = np.stack([each >> 4, each & 15], axis=-1).reshape(len(words), -1)
    return np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[halves]


def _as_text(characters: npt.NDArray[np.uint8]) -> pa.Array:
    """(n, width) of ASCII as texts."""
    n, width = characters.shape
    ends = np.arange(n + 1, dtype=np.int32) * np.int32(width)
    return pa.Array.from_buffers(
        pa.string(), n, [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(characters))]
    )
