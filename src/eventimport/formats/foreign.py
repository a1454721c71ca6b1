"""Files that people take for exports of a schedule, and what to export instead."""

from typing import Final

from eventimport.formats.bounded_json.outline import outline
from eventimport.formats.bounded_xml.reader import root_name
from eventimport.formats.format import text_of
from eventimport.formats.source import Source

_SPREADSHEET: Final = "Save the table as .xlsx, .ods or CSV, and import that file."
_PAGE: Final = (
    "Import the data behind the page: a spreadsheet can be downloaded as .xlsx or CSV, and "
    "schedules have exports such as JSON, schedule.xml or iCalendar."
)

_BINARY: Final = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an older Excel workbook (.xls), or one with a password. Save it as .xlsx without a "
        "password, and import that file.",
    ),
    (b"%PDF-", f"a PDF. {_SPREADSHEET}"),
    (b"{\\rtf", f"a text document (RTF). {_SPREADSHEET}"),
)
"""What files begin with, and what they are."""

_DOCTYPE: Final = b"<!doctype html"
_ROOTS: Final = {
    "html": f"a web page. {_PAGE}",
    "workbook": f"an older Excel workbook (SpreadsheetML). {_SPREADSHEET}",
}
"""The names of roots of XML documents in lower case, and what these are."""

_ENTRIES: Final = (
    ("Index/Document.iwa", f"a Numbers spreadsheet. {_SPREADSHEET}"),
    ("Index.zip", f"a Numbers spreadsheet. {_SPREADSHEET}"),
    ("xl/workbook.bin", f"a binary Excel workbook (.xlsb). {_SPREADSHEET}"),
    ("word/document.xml", f"a Word document. {_SPREADSHEET}"),
    ("ppt/presentation.xml", f"a PowerPoint presentation. {_SPREADSHEET}"),
)
"""Entries of zips, and what a zip with such an entry is."""

_PAGES: Final = (".html", ".htm")
_OF_PAGES: Final = (".css", ".js", ".svg", ".png", ".gif", ".jpg", ".jpeg", ".ico", ".woff2")
"""What comes with web pages."""

_TEXT_DOCUMENT: Final = b"application/vnd.oasis.opendocument."
_INDICO: Final = frozenset({"_type", "results", "additionalInfo"})


def explain_foreign(source: Source) -> str | None:
    """What the source is, and what to import instead. None if it is unknown."""
    what = _zip_of(source) if source.is_zip else _file_of(source)
    return f"The file is {what}" if what is not None else None


def _zip_of(source: Source) -> str | None:
    named = {entry.path: entry.name for entry in source.entries if entry.refusal is None}
    for path, what in _ENTRIES:
        if path in named:
            return what
    if "mimetype" in named and source.head(named["mimetype"]).startswith(_TEXT_DOCUMENT):
        return f"an OpenDocument file, but not a spreadsheet. {_SPREADSHEET}"
    paths = [path.casefold() for path in named if not path.endswith("/")]
    if any(path.endswith(_PAGES) for path in paths) and all(
        path.endswith((*_PAGES, *_OF_PAGES)) for path in paths
    ):
        return f"a zip of web pages. {_PAGE}"
    return None


def _file_of(source: Source) -> str | None:
    beginning = source.beginning()
    for mark, what in _BINARY:
        if beginning.startswith(mark):
            return what
    text = text_of(beginning)
    # Elements may be left out in HTML: the root may be any.
    is_page = text[: len(_DOCTYPE)].lower() == _DOCTYPE
    if (root := "html" if is_page else root_name(beginning)) is not None:
        return _ROOTS.get(root.casefold())
    if text.startswith(b"{") and len(outline(beginning) & _INDICO) > 1:
        return (
            "an answer of Indico's HTTP API. Export the event's contributions as iCalendar "
            "(detail=contributions) or as a spreadsheet, and import that file."
        )
    return None
