"""Compressed data of a zip's entry → its bytes, in chunks of bounded size and memory.

The standard library's `zipfile` inflates bzip2 and LZMA without any bound: it gives back as much as
the data hold, and allocates the dictionary that an LZMA header asks for.
"""

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from eventimport.formats.limits import MIB

STORED: Final = 0
DEFLATED: Final = 8
BZIP2: Final = 12
LZMA: Final = 14
METHODS: Final = frozenset({STORED, DEFLATED, BZIP2, LZMA})
"""The compression methods that are read."""

METHOD_NAMES: Final = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64, used by Windows Explorer for large files",
    10: "PKWARE Implode",
    20: "Zstandard (zstd)",
    93: "Zstandard (zstd)",
    94: "MP3",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES encryption",
}
"""What people call the methods that are not read."""

CHUNK: Final = 128 * 1024
_LZMA_HEADER: Final = 9
_MIN_DICTIONARY: Final = 4096

FAULTS: Final = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)
"""What decompressors raise for damaged data. Reads of the file are not among what they do."""


class DictionaryTooLargeError(Exception):
    """An LZMA entry asks for a dictionary of `size` bytes, more than allowed."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Stored:
    eof = False

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:  # noqa: ARG002
        return data


class _Deflate:
    """zlib's decompressor, keeping its unconsumed input as the other two do."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Lzma:
    """LZMA as zips have it: a header of nine bytes, then the raw stream, often without an end
    mark."""

    def __init__(self, size: int, max_dictionary: int) -> None:
        self._size = size
        self._max_dictionary = max_dictionary
        self._head = b""
        self._inner: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._inner is not None and self._inner.eof

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if self._inner is None:
            self._head += data
            if len(self._head) < _LZMA_HEADER:
                return b""
            self._inner = self._begin()
            data = self._head[_LZMA_HEADER:]
        return self._inner.decompress(data, max_length)

    def _begin(self) -> lzma.LZMADecompressor:
        properties = self._head[4]
        if int.from_bytes(self._head[2:4], "little") != 5 or properties >= 225:
            raise ValueError("an invalid LZMA header")
        # More dictionary than there is data is never looked at.
        wanted = int.from_bytes(self._head[5:9], "little")
        dictionary = max(_MIN_DICTIONARY, min(wanted, self._size))
        if dictionary > self._max_dictionary:
            raise DictionaryTooLargeError(wanted)
        properties, lc = divmod(properties, 9)
        pb, lp = divmod(properties, 5)
        options = {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])


def inflate(
    method: int, packed: Iterator[bytes], size: int, max_dictionary: int = 64 * MIB
) -> Iterator[bytes]:
    """The bytes that the packed chunks hold; `size` is what the zip says they are.

    It goes on to the end of the packed data, beyond `size` as well: the caller counts. Raises
    FAULTS, and DictionaryTooLargeError.
    """
    decompressor: _Decompressor
    if method == DEFLATED:
        decompressor = _Deflate()
    elif method == BZIP2:
        decompressor = bz2.BZ2Decompressor()
    elif method == LZMA:
        decompressor = _Lzma(size, max_dictionary)
    else:
        decompressor = _Stored()
    for data in packed:
        chunk = decompressor.decompress(data, CHUNK)
        while chunk:
            yield chunk
            if decompressor.eof or method == STORED:
                break
            chunk = decompressor.decompress(b"", CHUNK)
        if decompressor.eof:
            return
    if method in {DEFLATED, BZIP2}:
        raise EOFError("the data end too soon")
