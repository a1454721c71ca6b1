"""Files of other programs are named, with what to import instead."""

import io

import pytest
from tests.formats.planning import zip_of

from eventimport.conference.report import Report
from eventimport.formats import AUTO, IMPORTABLE, choose_format
from eventimport.formats.foreign import explain_foreign
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source

INDICO = (
    b'{"count": 1, "additionalInfo": {}, "_type": "HTTPAPIResult", "results": [{"title": "x"}]}'
)
FILES: dict[str, tuple[bytes, str]] = {
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), ".xls"),
    "a PDF": (b"%PDF-1.7\n", "PDF"),
    "rich text": (b"{\\rtf1 x}", "RTF"),
    "a web page": (b"\n<!DOCTYPE html><HTML><body/></HTML>", "web page"),
    "SpreadsheetML": (b'<?xml version="1.0"?><Workbook xmlns="urn:x"/>', "SpreadsheetML"),
    "Indico's JSON": (INDICO, "Indico"),
    "Numbers": (zip_of({}, {"Index/Document.iwa": b"x", "preview.jpg": b"x"}), "Numbers"),
    "a binary workbook": (zip_of({}, {"xl/workbook.bin": b"x"}), ".xlsb"),
    "a Word document": (zip_of({}, {"word/document.xml": b"<x/>"}), "Word"),
    "OpenDocument text": (
        zip_of(
            {}, {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<x/>"}
        ),
        "not a spreadsheet",
    ),
    "a sheet as web pages": (zip_of({}, {"S.html": b"<html/>", "r/s.css": b"a{}"}), "web pages"),
}


@pytest.mark.parametrize(("data", "what"), FILES.values(), ids=FILES)
def test_what_cannot_be_imported_is_named(data: bytes, what: str) -> None:
    for name in (AUTO, *(each.name for each in IMPORTABLE)):
        report = Report()
        with (
            Source.open(io.BytesIO(data), ArchiveLimits(), report) as source,
            pytest.raises(ArchiveError, match=what),
        ):
            choose_format(source, name, report)
        (error,) = report.errors
        assert error.code == "unknown-format"
        assert "import" in error.message.lower()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"results": []}',
        b"<feed/>",
        zip_of({}, {"a.png": b"\x89PNG"}),
        zip_of({}, {"index.html": b"<html/>", "data.bin": b"x"}),
    ],
)
def test_other_files_are_not_explained(data: bytes) -> None:
    with Source.open(io.BytesIO(data), ArchiveLimits(), Report()) as source:
        assert explain_foreign(source) is None
