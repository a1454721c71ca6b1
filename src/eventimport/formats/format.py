"""What a format is: its names, how it is recognised, and how it is read and written."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final

from eventimport.conference.builder import EventChoices
from eventimport.conference.conference import Conference
from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.formats.source import Source

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much; 0 if that is unknown."""

EVERY: Final = 250
"""Records between two reports of progress."""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a reader needs besides the source. The limits, and the check that may stop the work, are
    the source's."""

    progress: Progress = no_progress
    timezone: str | None = None
    """The time zone of a source that names none; a name that `find_zone` knows."""
    name: str | None = None
    """The event's name, instead of the source's."""
    language: str | None = None
    """The event's language, instead of the source's; that of sessions that name none."""

    @property
    def choices(self) -> EventChoices:
        """What the user says about the event."""
        return EventChoices(timezone=self.timezone, name=self.name, language=self.language)


def text_of(head: bytes) -> bytes:
    """What the text of a file begins with, after a byte order mark, blanks, and the first byte of
    a character in UTF-16."""
    for mark in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        head = head.removeprefix(mark)
    return head.lstrip(b" \t\r\n\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What a writer needs besides the conference. Two exports of the same version with the same
    options are equal: writers use `now`, and no clock."""

    event_url: str
    """The event's page, such as `https://example.org/events/abcd1234`; URLs of its parts begin
    so."""
    base_url: str
    """Where the service is, without a slash at the end. Media fields hold whole URLs already."""
    generator: str = "eventimport"
    version: str
    """The version of `generator`."""
    now: datetime
    """The time of the export, with a time zone."""
    first_import: dict[str, Any] | None = None
    """The report of the import that made the event, if it is known and may be shown."""


OpenMedia = Callable[[str], Iterator[bytes] | None]
"""Returns the bytes of a stored media file in chunks, by the URL that a record holds. None if the
URL is not that of a stored file: it is a link."""

Detect = Callable[[Source], bool]
Read = Callable[[Source, ReadOptions, Report], Conference]
Write = Callable[[StoredConference, OpenMedia, BinaryIO, WriteOptions, Report], None]


def never(_source: Source) -> bool:
    """Detects no source: that of a format which is only written."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How conferences are written down. `name` is the format's name in URLs, `title` in sentences.

    `detect` says whether an open source is in this format, by its content, and never raises
    ArchiveError. `read` reports what is wrong and returns the conference; it raises ArchiveError,
    its finding in the report too, if the source holds no conference of this format. `write` gets a
    callable that opens media files, because formats know no storage. A format has `read`, `write`
    or both.
    """

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    """Other names that the API accepts."""
    extensions: tuple[str, ...]
    """Suffixes of files in this format, the usual one first."""
    media_type: str
    beginnings: tuple[bytes, ...] = ()
    """What a file that is not a zip begins with, after blanks; other files are rejected while they
    are uploaded. Empty if a file may begin in any way."""
    detect: Detect = never
    read: Read | None = None
    write: Write | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.aliases

    def may_begin(self, head: bytes) -> bool:
        """Whether a file that is not a zip may begin so."""
        return not self.beginnings or text_of(head).startswith(self.beginnings)

    @property
    def reader(self) -> Read:
        """What reads the format. Raises TypeError if it is only written."""
        if self.read is None:
            raise TypeError(f"{self.title} cannot be read")
        return self.read

    @property
    def writer(self) -> Write:
        """What writes the format. Raises TypeError if it is only read."""
        if self.write is None:
            raise TypeError(f"{self.title} cannot be written")
        return self.write
