"""Sessions and speakers → CSV, for spreadsheets: UTF-8 with a byte order mark, lines end in CR LF.

A text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

import csv
import io
import zipfile
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import BinaryIO, Final

from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.formats.format import OpenMedia, WriteOptions
from eventimport.formats.table.rows import Value, columns, keeps, note_losses, rows

FORMULAS: Final = ("=", "+", "-", "@", "|", "%", "\t", "\r", "\n")
"""What a formula begins with, in some spreadsheet."""

BOTH: Final = keeps("CSV", Kind.SESSION, Kind.SPEAKER)
SESSIONS: Final = keeps("CSV of the sessions", Kind.SESSION)
SPEAKERS: Final = keeps("CSV of the speakers", Kind.SPEAKER)


def write_sessions(
    conference: StoredConference,
    _open_media: OpenMedia,
    sink: BinaryIO,
    _options: WriteOptions,
    report: Report,
) -> None:
    """Write the table of the sessions."""
    sink.writelines(_lines(conference, Kind.SESSION))
    note_losses(conference, SESSIONS, report).report(conference)


def write_speakers(
    conference: StoredConference,
    _open_media: OpenMedia,
    sink: BinaryIO,
    _options: WriteOptions,
    report: Report,
) -> None:
    """Write the table of the speakers."""
    sink.writelines(_lines(conference, Kind.SPEAKER))
    note_losses(conference, SPEAKERS, report).report(conference)


def write_both(
    conference: StoredConference,
    _open_media: OpenMedia,
    sink: BinaryIO,
    options: WriteOptions,
    report: Report,
) -> None:
    """Write a zip with both tables."""
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, kind in (("sessions.csv", Kind.SESSION), ("speakers.csv", Kind.SPEAKER)):
            entry = zipfile.ZipInfo(name, options.now.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                file.writelines(_lines(conference, kind))
    note_losses(conference, BOTH, report).report(conference)


def _lines(conference: StoredConference, kind: Kind) -> Iterator[bytes]:
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    yield BOM_UTF8
    writer.writerow(columns(kind))
    for row in rows(conference, kind):
        writer.writerow([defused(value) for value in row])
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()
    yield line.getvalue().encode()


def defused(value: Value) -> Value:
    """The value of a cell. A number is not a formula."""
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULAS):
        return f"'{value}"
    return value
