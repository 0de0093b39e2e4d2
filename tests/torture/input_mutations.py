"""Hostile variants of good input: what damages, what attacks and what careless people write."""

# ruff: noqa: SIM905 (a list of words, one a line, would be pages)
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_NUMBERS = (
    "0 -0 -1 +5 007 1.0 1.5 1_000 1e5 1e308 1e999 0x10 nan NaN inf -inf NA null None true 0.1.2 "
    "9223372036854775807 9223372036854775808 -9223372036854775809 1,5 12.000 1970-01-01 2010-02-30 "
    "2010-06-01T25:00 9999-12-31T23:59:59Z 0001-01-01 1275350400 \u0663 \uff11 \u00b2 \u00bd \u0967"
).split(" ")
_MARKS = (
    "\ufeff \u200b \u200d \u202e \u2066 \u061c \ufffd \ud800 \udcff Zo\u0308 \u017f \u1e9e "
    "\U0001f3b8"
)
_ATTACKS = (
    "\x1b[31m \x1b]0;x\x07 \x9b1m \x08\x08 \x7f <b> <script>alert(1) </script> {{7*7}} ${x} $(id) "
    "`id` [x](javascript:1) ![](x) @all =1+1 +1 -1+1 @SUM(1) =HYPERLINK(1) %s ../../etc/passwd "
    "/etc/passwd C:\\x file:///x s3://x ~root"
).split(" ")
_PUNCTUATION = [
    "",
    " ",
    "\0",
    "\t",
    "\r",
    "\n",
    "\r\n",
    *"\"',;|\\/",
    '""',
    "\xa0",
    "\u3000",
    "\u2028",
]
_LONG = ["9" * 400, "a" * 300, "x" * 2000, "'; DROP TABLE users; --", "' OR 1=1"]
HOSTILE = (
    *(
        text.encode("utf-8", "surrogatepass")
        for text in (*_PUNCTUATION, *_NUMBERS, *_MARKS.split(" "), *_ATTACKS, *_LONG)
    ),
    *(b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xe9", b"\x80"),
)
_BREAK = re.compile(rb"(\r\n|\r|\n)")
_FIELD = re.compile(rb"([,\t;|=:\[\]{}\"' ]|\r\n|\r|\n)")
_LONGEST = 1 << 16


@dataclass(frozen=True)
class Mutator:
    """Makes variants of some seeds; the same draws make the same variant."""

    seeds: Sequence[bytes]
    tokens: Sequence[bytes] = ()
    """Words of the format, which a variant may hold."""

    def variant(self, rng: Random) -> bytes:
        """One variant, of up to 64 KiB."""
        data = rng.choice(self.seeds)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
            data = rng.choice(_STEPS)(data, rng, self)[:_LONGEST]
        return data

    def word(self, rng: Random) -> bytes:
        """A hostile field, or a word of the format."""
        return rng.choice(self.tokens if self.tokens and rng.random() < 0.4 else HOSTILE)


def _bit(data: bytes, rng: Random, _of: Mutator) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _byte(data: bytes, rng: Random, _of: Mutator) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] = rng.choice((0, 1, 9, 10, 13, 34, 44, 127, 128, 255))
    return bytes(changed)


def _number(data: bytes, rng: Random, _of: Mutator) -> bytes:
    """Two, four or eight bytes of another number, as lengths and offsets are written."""
    size = rng.choice((2, 4, 8))
    at = rng.randrange(len(data) + 1)
    value = rng.choice((0, 1, (1 << (8 * size)) - 1, 1 << (8 * size - 1), len(data), 10**4))
    return data[:at] + (value % (1 << (8 * size))).to_bytes(size, "little") + data[at + size :]


def _cut(data: bytes, rng: Random, _of: Mutator) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _drop(data: bytes, rng: Random, _of: Mutator) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 2, 8, 64)) :]


def _again(data: bytes, rng: Random, _of: Mutator) -> bytes:
    start = rng.randrange(len(data) + 1)
    end = start + rng.choice((1, 8, 64, 512))
    return data[:end] + data[start:end] * rng.choice((1, 1, 3, 50)) + data[end:]


def _inserted(data: bytes, rng: Random, of: Mutator) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + of.word(rng) + data[at:]


def _field(data: bytes, rng: Random, of: Mutator) -> bytes:
    """Another field in the place of one."""
    parts = _FIELD.split(data[:4096])
    parts[rng.randrange(len(parts))] = of.word(rng)
    return b"".join(parts) + data[4096:]


def _lines(data: bytes, rng: Random, _of: Mutator) -> bytes:
    """A line that is there twice, missing or in another place."""
    parts = _BREAK.split(data)
    at = rng.randrange(len(parts))
    one = parts.pop(at)
    for _ in range(rng.choice((0, 1, 2))):
        parts.insert(rng.randrange(len(parts) + 1), one)
    return b"".join(parts)


def _ends(data: bytes, rng: Random, _of: Mutator) -> bytes:
    return _BREAK.sub(rng.choice((b"\r", b"\r\n", b"\n\n", b"\n\r", b"")), data)


def _recoded(data: bytes, rng: Random, _of: Mutator) -> bytes:
    """The same text in another encoding, with a mark or without."""
    text = data.decode("utf-8", "replace")
    name = rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso-8859-1"))
    return text.encode(name, "replace")


def _spliced(data: bytes, rng: Random, of: Mutator) -> bytes:
    other = rng.choice(of.seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _nested(data: bytes, rng: Random, _of: Mutator) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((b"[", b"{", b"(", b'"', b"- ")) * 3000 + data[at:]


_STEPS = (
    *(_bit, _byte, _number, _cut, _drop, _again, _inserted, _inserted),
    *(_field, _field, _field, _field, _lines, _ends, _recoded, _spliced),
)
_STEPS = (*_STEPS * 3, _nested)
