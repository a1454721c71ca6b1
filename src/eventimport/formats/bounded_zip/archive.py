"""Bounded, safe reading of a zip. Nothing is ever extracted to a path that the zip names."""

import codecs
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Final, Self

from eventimport.conference.media import MediaIndex
from eventimport.conference.paths import resolved
from eventimport.conference.report import Check, Report, go_on
from eventimport.formats.bounded_zip.directory import ZIP_MAGIC, read_directory
from eventimport.formats.bounded_zip.entries import Entry, Refusal, find_entries
from eventimport.formats.bounded_zip.inflating import (
    CHUNK,
    FAULTS,
    DictionaryTooLargeError,
    inflate,
)
from eventimport.formats.bounded_zip.names import document_named
from eventimport.formats.limits import MIB, ArchiveError, ArchiveLimits
from eventimport.formats.openevent.layout import Layout, NoEventError, find_layout

__all__ = ["Archive", "ArchiveError", "ArchiveLimits", "MediaEntry"]

_PEEKS: Final = 16
_HEAD: Final = 512
_LIMITS: Final = frozenset(
    {"entry-too-large", "compression-ratio", "archive-too-large", "lzma-dictionary"}
)
"""Errors of an entry that fail an import even if only a file has them."""


@dataclass(frozen=True, slots=True)
class MediaEntry:
    """A file that is not a document: its entry's name, and its size and CRC-32 as the zip tells
    them, which holds only once `Archive.read` has come to its end."""

    name: str
    size: int
    crc: int


class Archive:
    """An open archive: a context manager, to be used by one thread at a time. It does not close the
    file that it was opened from."""

    def __init__(
        self, file: BinaryIO, layout: Layout, limits: ArchiveLimits, check: Check = go_on
    ) -> None:
        self.check: Final = check
        """Raises what the caller wants raised if reading is to stop."""
        self._file: BinaryIO | None = file
        self._entries = {
            entry.name: entry for entry in (*layout.documents.values(), *layout.files.values())
        }
        self._aliases = layout.aliases
        self._left_out = layout.left_out
        self._inflated: dict[str, int] = {}
        self._total = 0
        self.limits: Final = limits
        self.root: Final = layout.root
        """The folder of all documents, ending in a slash; empty where there is none."""
        self.documents: Final[Mapping[str, str]] = {
            document: entry.name for document, entry in layout.documents.items()
        }
        """Canonical document names → entry names."""
        self.media: Final[dict[str, MediaEntry]] = {
            path: MediaEntry(entry.name, entry.member.size, entry.member.crc)
            for path, entry in layout.files.items()
        }
        """Paths from the zip's root, without a leading slash, as the zip spells them."""
        self.record_counts: Final[dict[str, int]] = {}
        """How many records were read of each document."""
        self.value_counts: Final[Counter[str]] = Counter()
        """How many values were read of each document."""

    @classmethod
    def open(
        cls, file: BinaryIO, limits: ArchiveLimits, report: Report, check: Check = go_on
    ) -> Self:
        """Open a zip that stands in a seekable file. `check` is called for each chunk and record.

        Every entry that is left out is reported. Raises ArchiveError, its finding in the report
        too, if the zip cannot be used at all, and OSError if the file cannot be read.
        """
        report.is_document = _is_document
        try:
            directory = read_directory(file, limits)
            entries = find_entries(file, directory, limits, report)
            try:
                layout = find_layout(
                    entries, lambda entry: _looks_like_json(_head(file, entry, limits)), report
                )
            except NoEventError as error:
                if directory.split:
                    raise _split(error) from error
                _report_hidden_zips(file, entries, limits, report)
                raise
            _refuse_large_documents(layout, limits, report)
        except ArchiveError as error:
            report.error(error.code, error.message, error.place)
            raise
        return cls(file, layout, limits, check)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the file, without closing it."""
        self._file = None

    @property
    def index(self) -> MediaIndex:
        """The media files by the paths that records name them by, without those that `check_media`
        found damaged. It outlives the archive."""
        files = {path: entry.name for path, entry in self.media.items()}
        aliases = {other: path for other, path in self._aliases.items() if path in files}
        return MediaIndex(files, self.root, aliases, dict(self._left_out))

    def read(self, name: str) -> Iterator[bytes]:
        """Inflate the entry of this name, in chunks of at most 1 MiB.

        Raises KeyError where there is none. The iterator raises ArchiveError where what comes out
        is over a limit or not what the zip promised (size, CRC-32), and OSError as `open` does.
        """
        return self._inflate(self._entries[name])

    def check_media(self, report: Report) -> None:
        """Inflate all media once. One that is damaged is reported and left out; one that is over a
        limit is an error.

        Until then, all that is known of a file is what the zip says of it."""
        for path, file in list(self.media.items()):
            try:
                for _ in self.read(file.name):
                    pass
            except ArchiveError as error:
                if error.code in _LIMITS:
                    report.error(error.code, error.message, error.place)
                    continue
                message = f"{error.message} The file was left out."
                report.warning(error.code, message, error.place)
                self._left_out[resolved(path)] = Refusal(error.code, error.message)
                del self.media[path]

    def _inflate(self, entry: Entry) -> Iterator[bytes]:
        if self._file is None:
            raise ValueError("the archive is closed")
        inflated = checksum = 0
        for chunk in _inflated(self._file, entry, self.limits):
            self.check()
            inflated += len(chunk)
            self._check(entry, inflated)
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

    def _check(self, entry: Entry, inflated: int) -> None:
        excess = entry.excess(inflated, self.limits)
        if excess is not None:
            raise ArchiveError(excess.code, excess.message, entry.place)
        if entry.name in self.documents.values() and inflated > self.limits.max_document_bytes:
            raise _too_large_a_document(entry, self.limits)
        # Read again, an entry counts once.
        known = self._inflated.get(entry.name, 0)
        if inflated > known:
            self._inflated[entry.name] = inflated
            self._total += inflated - known
        if self._total > self.limits.max_total_bytes:
            message = (
                f"The files of the zip have more than {self.limits.max_total_bytes:,} bytes "
                "together. The limit is set by MAX_INFLATED_BYTES."
            )
            raise ArchiveError("archive-too-large", message, entry.place)


def _is_document(entry: str) -> bool:
    return document_named(entry.rpartition("/")[2]) is not None


def _inflated(file: BinaryIO, entry: Entry, limits: ArchiveLimits) -> Iterator[bytes]:
    """What the entry's data hold, unchecked. Raises ArchiveError, and OSError as the file does."""
    member = entry.member
    packed = _packed(file, entry.data_offset, member.packed)
    try:
        yield from inflate(member.method, packed, member.size, limits.max_lzma_dictionary_bytes)
    except DictionaryTooLargeError as error:
        message = (
            f"The file needs an LZMA dictionary of {error.size:,} bytes. The limit is "
            f"{limits.max_lzma_dictionary_bytes:,} (MAX_LZMA_DICTIONARY_BYTES). "
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


def _head(file: BinaryIO, entry: Entry, limits: ArchiveLimits) -> bytes:
    """The first bytes of an entry that can be read; none of one that turns out to be damaged."""
    head = b""
    try:
        for chunk in _inflated(file, entry, limits):
            head += chunk[:_HEAD]
            if len(head) >= _HEAD:
                break
    except ArchiveError:
        return b""
    return head


def _looks_like_json(head: bytes) -> bool:
    for mark in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        head = head.removeprefix(mark)
    return head.lstrip(b" \t\r\n\0").startswith((b"{", b"["))


def _split(error: ArchiveError) -> ArchiveError:
    message = f"The zip is one part of a split zip. Create it again as one file. {error.message}"
    return ArchiveError("split-archive", message)


def _report_hidden_zips(
    file: BinaryIO, entries: Sequence[Entry], limits: ArchiveLimits, report: Report
) -> None:
    """Where there is no document, what should have been unpacked may have been packed again."""
    for entry in entries[:_PEEKS]:
        if entry.refusal is None and _head(file, entry, limits).startswith(ZIP_MAGIC):
            message = "The file is a zip within the zip. Import this inner zip by itself."
            report.error("nested-zip", message, entry.place)


def _refuse_large_documents(layout: Layout, limits: ArchiveLimits, report: Report) -> None:
    for document, entry in list(layout.documents.items()):
        if entry.member.size > limits.max_document_bytes:
            error = _too_large_a_document(entry, limits)
            report.error(error.code, error.message, error.place)
            del layout.documents[document]


def _too_large_a_document(entry: Entry, limits: ArchiveLimits) -> ArchiveError:
    size = limits.max_document_bytes
    shown = f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size:,} bytes"
    message = f"The document is larger than {shown}. The limit is set by MAX_DOCUMENT_BYTES."
    return ArchiveError("document-too-large", message, entry.place)
