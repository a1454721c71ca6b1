"""Bounded, safe reading of a zip. Nothing is ever extracted to a path that the zip names."""

import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, Self

from eventimport.conference.report import Check, Report, go_on
from eventimport.errors import size_in_words
from eventimport.formats.bounded_zip.directory import read_directory
from eventimport.formats.bounded_zip.entries import Entry, find_entries
from eventimport.formats.bounded_zip.inflating import (
    CHUNK,
    FAULTS,
    DictionaryTooLargeError,
    inflate,
)
from eventimport.formats.limits import ArchiveError, ArchiveLimits


class Archive:
    """An open zip, to be used by one thread at a time. It does not close the file that it was
    opened from."""

    def __init__(
        self,
        file: BinaryIO,
        entries: Sequence[Entry],
        limits: ArchiveLimits,
        check: Check = go_on,
        *,
        is_split: bool = False,
    ) -> None:
        self._file: BinaryIO | None = file
        self._limits = limits
        self._check_stop = check
        self._readable = {entry.name: entry for entry in entries if entry.refusal is None}
        self._inflated: dict[str, int] = {}
        self._total = 0
        self.entries: Final = entries
        """The files in the zip's order, those too that cannot be read."""
        self.is_split: Final = is_split
        """Whether the zip says that it is one part of several."""

    @classmethod
    def open(
        cls, file: BinaryIO, limits: ArchiveLimits, report: Report, check: Check = go_on
    ) -> Self:
        """Open a zip that stands in a seekable file. `check` is called for each chunk.

        Reports what was guessed or repaired in its directory. Raises NotAZipError, ArchiveError if
        the zip cannot be used at all, and OSError if the file cannot be read.
        """
        directory = read_directory(file, limits)
        entries = find_entries(file, directory, limits, report)
        return cls(file, entries, limits, check, is_split=directory.split)

    def close(self) -> None:
        """Forget the file, without closing it."""
        self._file = None

    def read(self, name: str) -> Iterator[bytes]:
        """Inflate the entry of this name, in chunks of at most 1 MiB.

        Raises KeyError if there is none that can be read. The iterator raises ArchiveError if what
        comes out is over a limit or not what the zip promised (size, CRC-32), and OSError as `open`
        does.
        """
        return self._inflate(self._readable[name])

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of the entry of this name; none if it turns out to be damaged."""
        head = b""
        try:
            for chunk in _inflated(self._open_file(), self._readable[name], self._limits):
                head += chunk[:size]
                if len(head) >= size:
                    break
        except ArchiveError:
            return b""
        return head[:size]

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("the archive is closed")
        return self._file

    def _inflate(self, entry: Entry) -> Iterator[bytes]:
        inflated = checksum = 0
        for chunk in _inflated(self._open_file(), entry, self._limits):
            self._check_stop()
            inflated += len(chunk)
            self._check_limits(entry, inflated)
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if inflated != entry.member.size:
            message = (
                f"The zip is damaged: the file has {inflated:,} bytes, and should have "
                f"{entry.member.size:,}."
            )
            raise ArchiveError("damaged-entry", message, entry.place)
        if checksum != entry.member.crc:
            message = "The zip is damaged: the file's content does not match its checksum (CRC-32)."
            raise ArchiveError("damaged-entry", message, entry.place)

    def _check_limits(self, entry: Entry, inflated: int) -> None:
        excess = entry.excess(inflated, self._limits)
        if excess is not None:
            raise ArchiveError(excess.code, excess.message, entry.place)
        # Read again, an entry counts once.
        known = self._inflated.get(entry.name, 0)
        if inflated > known:
            self._inflated[entry.name] = inflated
            self._total += inflated - known
        if self._total > self._limits.max_total_bytes:
            message = (
                "The files of the zip are larger than"
                f" {size_in_words(self._limits.max_total_bytes)} in total. The"
                " limit is set by MAX_INFLATED_BYTES."
            )
            raise ArchiveError("archive-too-large", message, entry.place)


def _inflated(file: BinaryIO, entry: Entry, limits: ArchiveLimits) -> Iterator[bytes]:
    """What the entry's data hold, unchecked. Raises ArchiveError, and OSError as the file does."""
    member = entry.member
    packed = _packed(file, entry.data_offset, member.packed)
    try:
        yield from inflate(member.method, packed, member.size, limits.max_lzma_dictionary_bytes)
    except DictionaryTooLargeError as error:
        message = (
            f"The file needs an LZMA dictionary of {size_in_words(error.size)}. The limit is "
            f"{size_in_words(limits.max_lzma_dictionary_bytes)} (MAX_LZMA_DICTIONARY_BYTES). "
            "Create the zip with Deflate."
        )
        raise ArchiveError("lzma-dictionary", message, entry.place) from error
    except FAULTS as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The disk's fault, not the archive's.
            raise
        message = f"The zip is damaged: the file cannot be decompressed ({error})."
        raise ArchiveError("damaged-entry", message, entry.place) from error


def _packed(file: BinaryIO, position: int, left: int) -> Iterator[bytes]:
    while left > 0:
        file.seek(position)
        data = file.read(min(CHUNK, left))
        if not data:
            return
        position += len(data)
        left -= len(data)
        yield data
