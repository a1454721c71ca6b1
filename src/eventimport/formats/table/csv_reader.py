"""CSV files, and rows as JSON → a conference: one table, or a zip with tables of sessions and of
speakers."""

from collections.abc import Iterator
from typing import Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Report
from eventimport.formats.bounded_zip.archive import Entry
from eventimport.formats.format import ReadOptions, text_of
from eventimport.formats.source import Source
from eventimport.formats.table.headers import find_header
from eventimport.formats.table.json_reader import begins_as_rows, read_rows
from eventimport.formats.table.reader import read_sheets
from eventimport.formats.table.sheets import (
    DELIMITERS,
    Sheet,
    csv_rows,
    said_delimiter,
    sniffed_rows,
)

TITLE: Final = "CSV"
TITLE_OF_ROWS: Final = "JSON"

_DOCUMENTS: Final = (b"{", b"[", b"<?xml", b"<schedule", b"<iCalendar", b"<icalendar", b"BEGIN:")
"""What documents of other formats begin with."""

_DRAWING: Final = ".svg"


def has_table(source: Source) -> bool:
    """Whether the source is a table with a known header, or a zip with one and without documents of
    other formats."""
    if not source.is_zip:
        return _is_table(source.beginning())
    found = False
    for entry in source.entries:
        if entry.refusal is not None or entry.path.lower().endswith(_DRAWING):
            continue
        head = source.beginning(entry.name)
        if text_of(head).startswith(_DOCUMENTS) and not begins_as_rows(head):
            return False
        found = found or _is_table(head)
    return found


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read tables. Raises ArchiveError, its finding in the report too, if there is no table of
    sessions or speakers, or a limit is exceeded."""
    if not source.is_zip:
        sheet = _sheet(source, None, options, report)
        return read_sheets([sheet], source, options, report, TITLE)
    documents = [
        entry
        for entry in source.entries
        if entry.refusal is None and _is_table(source.beginning(entry.name))
    ]
    outermost = min(documents, key=_depth, default=None)
    if outermost is not None:
        folder, slash, _ = outermost.path.rpartition("/")
        names = {name for entry in documents for name in (entry.name, entry.path)}
        report.is_document = names.__contains__
        source.choose_documents(documents, report, root=folder + slash)
    sheets = [_sheet(source, entry.name, options, report) for entry in documents]
    return read_sheets(sheets, source, options, report, outermost.name if outermost else TITLE)


def _sheet(source: Source, name: str | None, options: ReadOptions, report: Report) -> Sheet:
    beginning = source.beginning(name)
    if begins_as_rows(beginning):
        return read_rows(source, name, TITLE_OF_ROWS, options.language, report)
    entry = name or TITLE
    delimiter = _delimiter(beginning) or ","
    chunks: Iterator[bytes] = source.read_document(name)
    return Sheet(entry, None, csv_rows(chunks, delimiter, entry, source.limits, report))


def _is_table(beginning: bytes) -> bool:
    if begins_as_rows(beginning):
        return True
    # A line of JSON may hold the names of columns.
    is_document = text_of(beginning).startswith(_DOCUMENTS)
    return not is_document and _delimiter(beginning) is not None


def _delimiter(beginning: bytes) -> str | None:
    """The delimiter by which the most columns of a header are known; None if no row is a header."""
    said = said_delimiter(beginning)
    headers = {
        delimiter: header
        for delimiter in ((said,) if said is not None else DELIMITERS)
        if (header := find_header(sniffed_rows(beginning, delimiter))) is not None
    }
    return max(headers, key=lambda each: headers[each].known, default=None)


def _depth(entry: Entry) -> int:
    return entry.path.count("/")
