"""What was uploaded or fetched: one file, or a zip. Its content says which, never its name."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Final, Self

from eventimport.conference.media import MediaIndex, resolved
from eventimport.conference.report import Check, Report, Severity, go_on, shown
from eventimport.conference.values import folded
from eventimport.errors import size_in_words
from eventimport.formats.bounded_zip.archive import HOSTILE, Archive, Entry, Refusal, path_of
from eventimport.formats.bounded_zip.directory import ZIP_MAGIC, NotAZipError
from eventimport.formats.bounded_zip.inflating import CHUNK
from eventimport.formats.limits import (
    ArchiveError,
    ArchiveLimits,
    document_too_large,
)

ZIP_SIGNATURES: Final = (ZIP_MAGIC, b"PK\x05\x06")
"""What a zip begins with: an entry, or the end of an empty zip."""

HEAD: Final = 512
"""Bytes that `head` returns at most."""

BEGINNING: Final = 64 * 1024
"""Bytes that `beginning` returns at most."""

_BEGINS_TEXT: Final = re.compile(rb"\xff\xfe|\xfe\xff|[\s\x00\xef\xbb\xbf]*+[{\[<]")
"""The beginning of text that has zero bytes: in UTF-16 or UTF-32, or as control characters."""

_PDF: Final = b"%PDF-"

_PEEKS: Final = 16
_PACKING: Final = frozenset({"compression-method", "encrypted-entry"})
_LIMITS: Final = frozenset(
    {"entry-too-large", "compression-ratio", "archive-too-large", "lzma-dictionary"}
)
"""Errors of a media file that fail an import, although only this file has them."""


@dataclass(frozen=True, slots=True)
class MediaEntry:
    """A file that is not a document: its entry's name, and its size and CRC-32 as the zip's
    directory has them. Both are certain only after `Source.read` has come to its end."""

    name: str
    size: int
    crc: int


class Source:
    """An open source: a context manager, to be used by one thread at a time. It does not close the
    file that it was opened from.

    A source of one file has no entries: `head` and `read` are called without a name then.
    """

    def __init__(
        self,
        file: BinaryIO,
        content: Archive | NotAZipError,
        limits: ArchiveLimits,
        check: Check = go_on,
    ) -> None:
        self.limits: Final = limits
        self.check: Final = check
        """Raises an exception if reading must stop."""
        self._file: BinaryIO | None = file
        self._archive = content if isinstance(content, Archive) else None
        self._no_zip = content if isinstance(content, NotAZipError) else None
        self.media: Final[dict[str, MediaEntry]] = {}
        """Paths from the zip's root, without a leading slash, as the zip spells them."""
        self._root = ""
        self._aliases: dict[str, str] = {}
        self._left_out: dict[str, Refusal] = {}

    @classmethod
    def open(
        cls, file: BinaryIO, limits: ArchiveLimits, report: Report, check: Check = go_on
    ) -> Self:
        """Open a source that stands in a seekable file. `check` is called for each chunk.

        Reports what a zip's directory has wrong. Raises ArchiveError, its finding in the report
        too, if the file is a zip that cannot be used at all, and OSError if it cannot be read.
        """
        # Until a reader says which entries are documents, all of them are counted together.
        report.is_document = _is_no_document
        content: Archive | NotAZipError
        try:
            content = Archive.open(file, limits, report, check)
        except NotAZipError as error:
            content = error
        except ArchiveError as error:
            error.reported(report)
            raise
        return cls(file, content, limits, check)

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
        if self._archive is not None:
            self._archive.close()

    @property
    def is_zip(self) -> bool:
        """Whether the file is a zip."""
        return self._archive is not None

    @property
    def is_split(self) -> bool:
        """Whether the zip says that it is one part of several."""
        return self._archive is not None and self._archive.is_split

    def require_zip(self) -> None:
        """Raise the ArchiveError that says what the file is, unless it is a zip."""
        if self._no_zip is not None:
            raise self._no_zip

    @property
    def entries(self) -> Sequence[Entry]:
        """The zip's files in its order, those too that cannot be read; none if it is not a zip."""
        return self._archive.entries if self._archive is not None else ()

    def head(self, name: str | None = None) -> bytes:
        """The first HEAD bytes of an entry, or of the only file; empty if it cannot be read."""
        if name is not None:
            return self._zip().head(name, HEAD)
        file = self._open_file()
        file.seek(0)
        return file.read(HEAD)

    def beginning(self, name: str | None = None) -> bytes:
        """What shows the format of a document: more than the head of what may be text. Empty if it
        cannot be read."""
        try:
            head = self.head(name)
            # An archive has many images: reading more of each as text would take seconds.
            if (
                not head
                or head.startswith(_PDF)
                or (b"\0" in head and not _BEGINS_TEXT.match(head))
            ):
                return head
            beginning = b""
            for chunk in self.read(name):
                beginning += chunk
                if len(beginning) >= BEGINNING:
                    break
            return beginning[:BEGINNING]
        except ArchiveError:
            return b""

    def read(self, name: str | None = None) -> Iterator[bytes]:
        """The bytes of an entry, or of the only file, in chunks of at most 1 MiB.

        Raises KeyError if the zip does not have the entry, or it cannot be read. The iterator
        raises ArchiveError if what comes out is over a limit or not what the zip promised (size,
        CRC-32), and OSError as `open` does.
        """
        return self._whole_file() if name is None else self._zip().read(name)

    def read_document(self, name: str | None = None) -> Iterator[bytes]:
        """The bytes of a document. The limit is MAX_DOCUMENT_BYTES; otherwise as `read`."""
        return self._bounded(name, self.read(name))

    def choose_documents(
        self,
        documents: Iterable[Entry],
        report: Report,
        *,
        root: str = "",
        unused: Iterable[Entry] = (),
    ) -> None:
        """Say which entries are documents: all others, except `unused`, are media files.

        `root` is the folder that records name media files from: empty, or ending in a slash. A
        media file that cannot be read is left out with a warning.
        """
        documents = list(documents)
        # If the zip must be created anew for a document, all that is packed so is an error.
        packed = any(
            entry.refusal is not None and entry.refusal.code in _PACKING for entry in documents
        )
        known = {entry.name for entry in (*documents, *unused)}
        self._root = root
        media = [entry for entry in self.entries if entry.name not in known]
        self._choose_media(media, report, packed=packed)

    @property
    def index(self) -> MediaIndex:
        """The media files by the paths that records name them by, without those that `check_media`
        found damaged. It outlives the source."""
        files = {path: entry.name for path, entry in self.media.items()}
        aliases = {other: path for other, path in self._aliases.items() if path in files}
        return MediaIndex(files, self._root, aliases, dict(self._left_out))

    def check_media(self, report: Report) -> None:
        """Inflate all media files once. A damaged file is reported and left out; a file that is
        over a limit is an error.

        Until then, a file's size and checksum are only what the zip's directory says."""
        for path, file in list(self.media.items()):
            try:
                for _ in self.read(file.name):
                    pass
            except ArchiveError as error:
                if error.code in _LIMITS:
                    error.reported(report)
                    continue
                message = f"{error.message} The file was left out."
                report.warning(error.code, message, error.place)
                self._left_out[resolved(path)] = Refusal(error.code, error.message)
                del self.media[path]

    def report_zips_within(self, report: Report) -> None:
        """Report the zips among the first entries: what should have been unpacked may have been
        packed again."""
        for entry in self.entries[:_PEEKS]:
            if entry.refusal is None and self.head(entry.name).startswith(ZIP_MAGIC):
                message = "The file is a zip within the zip. Import this inner zip by itself."
                report.error("nested-zip", message, entry.place)

    def _zip(self) -> Archive:
        if self._archive is None:
            raise KeyError("a source of one file has no entries")
        return self._archive

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("the source is closed")
        return self._file

    def _whole_file(self) -> Iterator[bytes]:
        position = 0
        while True:
            file = self._open_file()
            file.seek(position)
            data = file.read(CHUNK)
            if not data:
                return
            self.check()
            position += len(data)
            if position > self.limits.max_entry_bytes:
                message = (
                    f"The file is larger than {size_in_words(self.limits.max_entry_bytes)}. "
                    "The limit is set by MAX_ENTRY_BYTES."
                )
                raise ArchiveError("entry-too-large", message)
            yield data

    def _bounded(self, name: str | None, chunks: Iterator[bytes]) -> Iterator[bytes]:
        count = 0
        for chunk in chunks:
            count += len(chunk)
            if count > self.limits.max_document_bytes:
                raise document_too_large(self.limits, name and shown(name))
            yield chunk

    def _choose_media(self, entries: Sequence[Entry], report: Report, *, packed: bool) -> None:
        alike: dict[tuple[str, tuple[int, int]], Entry] = {}
        chosen: list[Entry] = []
        for entry in entries:
            if entry.refusal is not None:
                self._left_out[resolved(entry.path)] = entry.refusal
                _report_refusal(entry, entry.refusal, report, packed=packed)
                continue
            same = alike.setdefault((folded(entry.path), entry.member.content), entry)
            if same is not entry:
                self._aliases[entry.path] = same.path
                message = (
                    f"The file has the content of “{shown(same.name)}”, and its name differs only "
                    "in case or Unicode form. One of them is used."
                )
                report.repair("duplicate-entry", message, entry.place)
            else:
                member = entry.member
                self.media[entry.path] = MediaEntry(entry.name, member.size, member.crc)
                chosen.append(entry)
        for entry in chosen:
            for reading in entry.member.name.other_readings():
                path = path_of(reading)
                if path not in self.media:
                    self._aliases.setdefault(path, entry.path)


def _is_no_document(_: str) -> bool:
    return False


def _report_refusal(entry: Entry, refusal: Refusal, report: Report, *, packed: bool) -> None:
    message = refusal.message
    severity = Severity.ERROR
    if refusal.code not in HOSTILE and not (packed and refusal.code in _PACKING):
        severity = Severity.WARNING
        message = f"{message} The file was left out."
    report.add(severity, refusal.code, message, entry.place)
