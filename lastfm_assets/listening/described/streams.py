"""A file's content as valid UTF-8, however it is packed and encoded, without reading it whole."""

import codecs
import io
from typing import Any, Final

import pyarrow as pa

from lastfm_assets.sources.files import PlaysFile

_END: Final = 64
"""Bytes that are kept of the end of a content."""


def utf8_stream(raw: pa.NativeFile, file: PlaysFile, end: bytearray | None = None) -> pa.NativeFile:
    """The content, unpacked, as valid UTF-8: PyArrow loses count of lines in which it is not.

    Args:
        raw: the opened file, which the caller closes.
        file: which file it is.
        end: is given the last bytes of the content so far.

    Returns:
        A stream in which unknown bytes are U+FFFD.
    """
    is_packed = file.path.suffix.lower() == ".gz"
    unpacked = pa.CompressedInputStream(raw, "gzip") if is_packed else raw
    recoded = _Recoded(unpacked, file.description.encoding, end)
    return pa.PythonFile(io.BufferedReader(recoded, 1 << 20), mode="r")


class _Recoded(io.RawIOBase):
    """Any encoding as UTF-8; unknown bytes as U+FFFD."""

    def __init__(self, stream: pa.NativeFile, encoding: str, end: bytearray | None) -> None:
        self._end = end
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._ready = b""
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._is_over:
            chunk = self._stream.read(1 << 20)
            self._is_over = not chunk
            text = self._decoder.decode(chunk, final=self._is_over)
            self._ready = text.encode(errors="replace")
            if self._end is not None:
                self._end[:] = (self._end + self._ready[-_END:])[-_END:]
        piece = self._ready[: len(buffer)]
        self._ready = self._ready[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)
