"""Tables of sessions and speakers: what is in them, and that no cell is a formula."""

import csv
import io
import re
import zipfile
from typing import Any

from hypothesis import given, settings
from tests.formats.planning import conference_of, zip_of
from tests.formats.round_trips import stored, written
from tests.formats.test_nothing_lost import conferences

from eventimport.conference.report import Report
from eventimport.formats.table.csv_writer import FORMULAS
from eventimport.formats.table.xlsx_writer import MAX_TEXT

EVENT = {"id": 1, "name": "Conference", "timezone": "Europe/Berlin"}
DOCUMENTS: dict[str, Any] = {
    "event": EVENT,
    "tracks": [{"id": 1, "name": "Main"}],
    "speakers": [
        {"id": 1, "name": "=cmd|'/c calc'!A0", "email": "a@b.example", "mobile": "+49 30 1"},
        {"id": 2, "name": "Zoë"},
    ],
    "sessions": [
        {
            "id": 1,
            "title": "@SUM(1)",
            "starts_at": "2027-05-01T09:00:00+00:00",
            "long_abstract": "<p>One &amp; two</p><p>=three</p>",
            "track": {"id": 1},
            "speakers": [{"id": 1}, {"id": 2}],
        },
        {"id": 2, "title": "Long", "long_abstract": "x" * (MAX_TEXT + 1)},
    ],
    "sponsors": [{"id": 1, "name": "A"}],
}


def made(documents: dict[str, Any], name: str) -> tuple[bytes, Report]:
    return written(name, stored(conference_of(zip_of(documents), Report())))


def table(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_csv_has_names_local_times_and_plain_texts() -> None:
    data, report = made(DOCUMENTS, "sessions-csv")
    first, second = table(data)
    assert first["title"] == "'@SUM(1)"
    assert first["starts_at"] == "2027-05-01T11:00:00+02:00"
    assert first["track"] == "Main"
    assert first["speakers"] == "'=cmd|'/c calc'!A0, Zoë"
    assert first["long_abstract"] == "One & two\n\n=three"
    assert second["starts_at"] == ""
    assert b"\r\n" in data
    messages = [finding.message for finding in report.findings]
    assert "CSV of the sessions has no place for 1 sponsor." in messages


def test_csv_is_a_zip_of_both_tables() -> None:
    data, report = made(DOCUMENTS, "csv")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["sessions.csv", "speakers.csv"]
        speakers = table(archive.read("speakers.csv"))
    assert speakers[0]["name"].startswith("'=")
    assert speakers[0]["mobile"].startswith("'+")
    assert speakers[1]["sessions"] == "'@SUM(1)"
    assert all("email" not in finding.message for finding in report.findings)


def test_excel_holds_texts_only() -> None:
    data, report = made(DOCUMENTS, "xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheets = [name for name in archive.namelist() if "/worksheets/sheet" in name]
        texts = [archive.read(name).decode() for name in sheets]
    assert len(sheets) == 2
    assert all("<f>" not in text and "hyperlink" not in text for text in texts)
    assert "@SUM(1)" in texts[0]
    assert "2027-05-01T11:00:00+02:00" in texts[0]
    assert "long-text" in {finding.code for finding in report.findings}


@settings(max_examples=25)
@given(conferences())
def test_no_cell_of_any_conference_is_a_formula(documents: dict[str, Any]) -> None:
    report = Report()
    conference = conference_of(zip_of(documents), report)
    if report.errors:
        return
    event = stored(conference)
    for name in ("sessions-csv", "speakers-csv"):
        for row in table(written(name, event)[0]):
            for value in row.values():
                is_number = re.fullmatch(r"-?[0-9.e+-]+", value) is not None
                assert is_number or not value.lstrip(" ").startswith(FORMULAS)
    with zipfile.ZipFile(io.BytesIO(written("xlsx", event)[0])) as archive:
        assert archive.testzip() is None
