"""Bounded, safe reading of a zip. Nothing is ever extracted to a path that the zip names."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Final, Self
from zipfile import ZipFile

from eventimport.openevent.entries import Entry, usable_entries
from eventimport.openevent.layout import Layout, NoEventError, find_layout
from eventimport.openevent.limits import ArchiveError, ArchiveLimits
from eventimport.openevent.report import Report
from eventimport.openevent.zip_directory import (
    ZIP_FAULTS,
    ZIP_MAGIC,
    open_zip,
    reraise_disk_error,
)

__all__ = ["Archive", "ArchiveError", "ArchiveLimits", "MediaEntry"]

_CHUNK: Final = 256 * 1024
_PEEKS: Final = 16


@dataclass(frozen=True, slots=True)
class MediaEntry:
    """A file that is no document: its entry's name, and its size and CRC-32 as the zip tells them,
    which holds only once `Archive.read` has come to its end."""

    name: str
    size: int
    crc: int


class Archive:
    """An open archive: a context manager, to be used by one thread at a time. It does not close the
    file that it was opened from."""

    def __init__(self, archive: ZipFile, layout: Layout, limits: ArchiveLimits) -> None:
        self._zip = archive
        self._entries = {
            entry.name: entry for entry in (*layout.documents.values(), *layout.media.values())
        }
        self._inflated: dict[str, int] = {}
        self._total = 0
        self.limits: Final = limits
        self.root: Final = layout.root
        """The folder of all documents and media, ending in a slash; empty where there is none."""
        self.documents: Final[Mapping[str, str]] = {
            document: entry.name for document, entry in layout.documents.items()
        }
        """Canonical document names → entry names."""
        self.media: Final[Mapping[str, MediaEntry]] = {
            path: MediaEntry(entry.name, entry.info.file_size, entry.info.CRC)
            for path, entry in layout.media.items()
        }
        """Paths relative to the root, without a leading slash, in composed Unicode (NFC)."""
        self.record_counts: Final[dict[str, int]] = {}
        """How many records were read of each document."""

    @classmethod
    def open(cls, file: BinaryIO, limits: ArchiveLimits, report: Report) -> Self:
        """Open a zip that stands in a seekable file.

        Every entry that is refused is an error in the report, and left out. Raises ArchiveError,
        its finding in the report too, where the zip cannot be used at all, and OSError where the
        file cannot be read.
        """
        try:
            archive = open_zip(file, limits)
            entries = list(usable_entries(file, archive, limits, report))
            try:
                layout = find_layout(entries, report)
            except NoEventError:
                _report_hidden_zips(archive, entries, report)
                raise
            _refuse_large_documents(layout, limits, report)
        except ArchiveError as error:
            report.error(error.code, error.message, error.place)
            raise
        return cls(archive, layout, limits)

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
        self._zip.close()

    def read(self, name: str) -> Iterator[bytes]:
        """Inflate the entry of this name, in chunks of at most 1 MiB.

        Raises KeyError where there is none. The iterator raises ArchiveError where what comes out
        is over a limit or not what the zip promised (size, CRC-32), and OSError as `open` does.
        """
        return self._inflate(self._entries[name])

    def check_media(self, report: Report) -> None:
        """Inflate all media once, and report an error for each that is damaged or over a limit.

        Until then, all that is known of a medium is what the zip says of it."""
        for medium in self.media.values():
            try:
                for _ in self.read(medium.name):
                    pass
            except ArchiveError as error:
                report.error(error.code, error.message, error.place)

    def _inflate(self, entry: Entry) -> Iterator[bytes]:
        inflated = 0
        # A size of its own makes the standard library go on to the end of the compressed data,
        # where it would else stop, contented, at the size that the header claims.
        info = copy(entry.info)
        info.file_size = self.limits.max_entry_bytes + 2 * _CHUNK
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    inflated += len(chunk)
                    self._check(entry, inflated)
                    yield chunk
        except ZIP_FAULTS as error:
            reraise_disk_error(error)
            reason = str(error) or "the data end too soon"
            message = f"the entry is damaged: {reason}"
            raise ArchiveError("damaged-entry", message, entry.place) from error
        if inflated != entry.info.file_size:
            message = f"the entry holds {inflated} bytes; the zip says {entry.info.file_size}"
            raise ArchiveError("damaged-entry", message, entry.place)

    def _check(self, entry: Entry, inflated: int) -> None:
        excess = entry.excess(inflated, self.limits)
        if excess is not None:
            raise ArchiveError(*excess, entry.place)
        if entry.name in self.documents.values() and inflated > self.limits.max_document_bytes:
            raise _too_large_a_document(entry, self.limits)
        # Read again, an entry counts once.
        known = self._inflated.get(entry.name, 0)
        if inflated > known:
            self._inflated[entry.name] = inflated
            self._total += inflated - known
        if self._total > self.limits.max_total_bytes:
            message = f"the entries hold more than {self.limits.max_total_bytes} bytes together"
            raise ArchiveError("archive-too-large", message, entry.place)


def _report_hidden_zips(archive: ZipFile, entries: Sequence[Entry], report: Report) -> None:
    """Where there is no document, what should have been unpacked may have been packed again."""
    for entry in entries[:_PEEKS]:
        try:
            with archive.open(entry.info) as stream:
                magic = stream.read(len(ZIP_MAGIC))
        except ZIP_FAULTS as error:
            reraise_disk_error(error)
            continue
        if magic == ZIP_MAGIC:
            report.error("nested-zip", "a zip within the archive is not read", entry.place)


def _refuse_large_documents(layout: Layout, limits: ArchiveLimits, report: Report) -> None:
    for document, entry in list(layout.documents.items()):
        if entry.info.file_size > limits.max_document_bytes:
            error = _too_large_a_document(entry, limits)
            report.error(error.code, error.message, error.place)
            del layout.documents[document]


def _too_large_a_document(entry: Entry, limits: ArchiveLimits) -> ArchiveError:
    message = f"the document holds more than the {limits.max_document_bytes} bytes that are read"
    return ArchiveError("document-too-large", message, entry.place)
