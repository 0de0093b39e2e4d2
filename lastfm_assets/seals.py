"""Checksums that stored files carry within, so that damage is told and not used.

Ordinary tools read a sealed file as ever. In a Parquet file the seal lies between the rows and the
footer, where no reader looks; it has the hash of each block of the rows, so that some columns are
tested without reading the others, and one of itself with the footer. An archive has its seal as
the archive's comment, a JSON object as its last key, a page as a last comment.
"""

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, cast

BLOCK: Final = 1 << 20
"""Bytes of a block of a Parquet file or of a table's part; the last may be shorter."""
_HASH: Final = hashlib.sha256().digest_size
_MARK: Final = b"lastfm-assets seal 1"
_ENDS: Final = 8
"""Bytes of a Parquet file behind its footer: the footer's length, and `PAR1`."""
_FIXED: Final = len(_MARK) + 8 + _HASH
_HEX: Final = rb"([0-9a-f]{64})"
_FORMS: Final = {
    ".npz": (_MARK + b" sha256 ", b""),
    ".json": (b',\n  "seal": "', b'"\n}'),
    ".html": (b"\n<!-- " + _MARK + b" sha256 ", b" -->\n"),
}
"""By a file's suffix: what stands before and behind the hash of all that is before it."""
_PATTERNS: Final = {
    suffix: re.compile(re.escape(before) + _HEX + re.escape(behind) + rb"\Z")
    for suffix, (before, behind) in _FORMS.items()
}


def sealed(content: bytes, suffix: str) -> list[bytes | memoryview]:
    """A file's content with its seal, in pieces to be written one after the other.

    Args:
        content: of the file, without a seal; it is not copied.
        suffix: of the file's name: `.parquet`, `.npz`, `.json` or `.html`.
    """
    view = memoryview(content)
    if suffix == ".parquet":
        start = _footer_start(view[-_ENDS:], len(view))
        hashes = b"".join(_hashes(view[:start]))
        head = hashes + _MARK + (len(hashes) // _HASH).to_bytes(8, "little")
        return [view[:start], head, _sha256(head, view[start:]), view[start:]]
    before, behind = _FORMS[suffix]
    body: list[bytes | memoryview] = [view]
    if suffix == ".npz":  # the last two bytes say how long the comment is
        body = [view[:-2], (len(before) + 2 * _HASH + len(behind)).to_bytes(2, "little")]
    elif suffix == ".json":
        body = [view[: -len(b"\n}")]]
    return [*body, before, _sha256(*body).hex().encode(), behind]


def check(file: IO[bytes], suffix: str) -> bool:
    """Holds a whole file against its seal, a block at a time.

    Returns:
        Whether it has a seal; one of an early format has none.

    Raises:
        ValueError: it is not as it was written.
    """
    if suffix == ".parquet":
        guarded = Guarded.of_parquet(file)
        if guarded is None:
            return False
        guarded.check()
        return True
    found, end = _seal_at_end(file, suffix)
    if found is None:
        return False
    file.seek(0)
    digest = hashlib.sha256()
    for piece in _pieces(file, end):
        digest.update(piece)
    if digest.hexdigest().encode() != found:
        raise ValueError("it is damaged: its checksum is another than when it was written")
    return True


def check_head(file: IO[bytes], suffix: str) -> bool:
    """As `check`, only as much as is read for a header: of a table the footer, of a page all.

    An archive's header has a checksum of its own.
    """
    if suffix == ".parquet":
        return Guarded.of_parquet(file) is not None
    if suffix == ".npz":
        return _seal_at_end(file, suffix)[0] is not None
    return check(file, suffix)


def without(content: bytes, suffix: str) -> bytes:
    """The content of a page or an archive without its seal."""
    return _PATTERNS[suffix].sub(b"", content, count=1)


def hashes_of(file: IO[bytes]) -> list[str]:
    """SHA-256 (hex) of each block of a file."""
    size = _size(file)
    file.seek(0)
    return [hashlib.sha256(block).hexdigest() for block in _pieces(file, size)]


def guarded(file: IO[bytes]) -> IO[bytes]:
    """A Parquet file as it is to be read in part: what is not as it was written cannot be.

    Raises:
        ValueError: its footer is not as it was written.
    """
    return cast("IO[bytes]", Guarded.of_parquet(file) or file)


class Guarded(io.RawIOBase):
    """A file of which each block is held against its hash as it is read.

    Whoever reads some of it reads only what was written, or gets a ValueError.
    """

    def __init__(self, file: IO[bytes], hashes: Sequence[bytes], size: int) -> None:
        """Guards the first `size` bytes of a file; what lies behind has been looked at already.

        Raises:
            ValueError: there are not as many hashes as blocks.
        """
        if len(hashes) != -(-size // BLOCK):
            raise ValueError("it is damaged: its checksums are not as many as its blocks")
        self._file, self._hashes, self._guarded = file, hashes, size
        self._end = _size(file)
        self._place, self._number, self._block = 0, -1, b""

    @classmethod
    def of_parquet(cls, file: IO[bytes]) -> "Guarded | None":
        """By the seal of a Parquet file, which is tested here; None where it has none.

        Raises:
            ValueError: seal or footer is not as it was written.
        """
        size = _size(file)
        start = _footer_start(_at(file, max(0, size - _ENDS), size), size)
        if start < _FIXED:
            return None
        seal = _at(file, start - _FIXED, start)
        if not seal.startswith(_MARK):
            return None
        n = int.from_bytes(seal[len(_MARK) : -_HASH], "little")
        body = start - _FIXED - n * _HASH
        if body < 0:
            raise ValueError("it is damaged: its checksums do not fit into it")
        hashes = _at(file, body, body + n * _HASH)
        if _sha256(hashes, seal[:-_HASH], _at(file, start, size)) != seal[-_HASH:]:
            raise ValueError("it is damaged: its footer is another than when it was written")
        return cls(file, [hashes[at : at + _HASH] for at in range(0, len(hashes), _HASH)], body)

    @classmethod
    def whole(cls, file: IO[bytes], size: int, hashes: Sequence[str]) -> "Guarded":
        """By what is known of a file from elsewhere: its size and `hashes_of` it.

        Raises:
            ValueError: it has another size.
        """
        if _size(file) != size:
            raise ValueError(f"it is damaged: {_size(file)} bytes, {size} were written")
        return cls(file, [bytes.fromhex(one) for one in hashes], size)

    def check(self) -> None:
        """Reads every block.

        Raises:
            ValueError: one is not as it was written.
        """
        for number in range(len(self._hashes)):
            self._read_block(number)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes from the start."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._end}[whence]
        self._place = max(0, start + offset)
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """All the bytes that are asked for, as far as there are any.

        Raises:
            ValueError: a block is not as it was written.
        """
        rest = max(0, self._end - self._place)
        end = self._place + (rest if size is None or size < 0 else min(size, rest))
        pieces = list(self._between(self._place, end))
        self._place = end
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readinto(self, buffer: Any) -> int:
        """As `read`."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def _between(self, start: int, end: int) -> Iterator[bytes]:
        while start < min(end, self._guarded):
            number, offset = divmod(start, BLOCK)
            piece = self._read_block(number)[offset : offset + end - start]
            start += len(piece)
            yield piece
        if start < end:
            yield _at(self._file, start, end)

    def _read_block(self, number: int) -> bytes:
        if number != self._number:
            start = number * BLOCK
            block = _at(self._file, start, min(start + BLOCK, self._guarded))
            if _sha256(block) != self._hashes[number]:
                raise ValueError(
                    f"it is damaged: between bytes {start} and {start + len(block)} it is not as "
                    "it was written"
                )
            self._number, self._block = number, block
        return self._block


def _sha256(*pieces: bytes | memoryview) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _hashes(view: memoryview) -> Iterator[bytes]:
    for start in range(0, len(view), BLOCK):
        yield _sha256(view[start : start + BLOCK])


def _footer_start(end: bytes | memoryview, size: int) -> int:
    """Where a Parquet file's footer begins, by its last bytes; negative where it is none."""
    return size - _ENDS - int.from_bytes(end[:4], "little") if len(end) == _ENDS else -1


def _seal_at_end(file: IO[bytes], suffix: str) -> tuple[bytes | None, int]:
    """The hash that a file ends with, and where what it is of ends."""
    size = _size(file)
    length = sum(map(len, _FORMS[suffix])) + 2 * _HASH
    end = _at(file, max(0, size - length), size)
    found = _PATTERNS[suffix].fullmatch(end)
    return (found[1], size - length) if found else (None, size)


def _size(file: IO[bytes]) -> int:
    return file.seek(0, io.SEEK_END)


def _at(file: IO[bytes], start: int, end: int) -> bytes:
    """Bytes of a file.

    Raises:
        ValueError: it ends before.
    """
    file.seek(start)
    content = file.read(end - start)
    if len(content) != end - start:
        raise ValueError("it is damaged: it ends early")
    return content


def _pieces(file: IO[bytes], end: int) -> Iterator[bytes]:
    """The first bytes of a file from where it is, in blocks."""
    start = 0
    while start < end:
        piece = file.read(min(BLOCK, end - start))
        if not piece:
            raise ValueError("it is damaged: it ends early")
        start += len(piece)
        yield piece
