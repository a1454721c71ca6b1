"""Open Event in a single JSON document that has all records."""

import io
import json
from typing import Any

import pytest
from tests.formats.planning import EVENT

from eventimport.conference.conference import Conference
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.formats import AUTO, choose_format
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source

SESSIONS = [
    {
        "id": 1,
        "title": "Opening",
        "starts_at": "2027-05-01T09:00:00+00:00",
        "track": {"id": 3, "name": "Main"},
        "speakers": [{"id": 5, "name": "Ada"}],
    }
]
LISTS = {
    "sessions": SESSIONS,
    "speakers": [{"id": 5, "name": "Ada"}],
    "tracks": [{"id": 3, "name": "Main"}],
}
TOGETHER = {
    "the event first": {"event": EVENT, **LISTS},
    "the event last": {**LISTS, "event": EVENT},
    "other spellings": {"Event": EVENT, "Sessions": SESSIONS, "speakers.json": LISTS["speakers"]}
    | {"tracks": LISTS["tracks"]},
}


def read(
    data: bytes, name: str, limits: ArchiveLimits | None = None
) -> tuple[Conference | None, Report]:
    report = Report()
    with Source.open(io.BytesIO(data), limits or ArchiveLimits(), report) as source:
        try:
            chosen = choose_format(source, name, report)
            return chosen.reader(source, ReadOptions(), report), report
        except ArchiveError:
            return None, report


@pytest.mark.parametrize("name", ["openevent", "json", AUTO])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("content", TOGETHER.values(), ids=TOGETHER)
def test_all_records_in_one_object(content: dict[str, Any], encoding: str, name: str) -> None:
    conference, report = read(json.dumps(content).encode(encoding), name)
    assert conference is not None
    assert conference.event.values["name"] == "Conference"
    (session,) = conference.records[Kind.SESSION]
    assert session.values["title"] == "Opening"
    assert [speaker.values["name"] for speaker in conference.records[Kind.SPEAKER]] == ["Ada"]
    assert [track.values["name"] for track in conference.records[Kind.TRACK]] == ["Main"]
    assert {finding.code for finding in report.findings} <= {"json-encoding", "byte-order-mark"}


@pytest.mark.parametrize("content", [EVENT | LISTS, EVENT])
def test_an_event_by_itself_is_read_where_its_format_is_named(content: dict[str, Any]) -> None:
    conference, report = read(json.dumps(content).encode(), "openevent")
    assert conference is not None
    assert conference.event.values["name"] == "Conference"
    assert not report.findings
    conference, report = read(json.dumps(content).encode(), AUTO)
    assert conference is None
    assert [error.code for error in report.errors] == ["unknown-format"]


def test_media_files_that_are_not_there_are_missing() -> None:
    event = EVENT | {"logo-url": "/images/logo.png"}
    conference, _ = read(json.dumps({"event": event}).encode(), "openevent")
    assert conference is not None
    assert conference.event.values["logo_url"] == "/images/logo.png"
    assert not conference.files.files


def test_the_limits_of_an_object_hold() -> None:
    data = json.dumps({"event": EVENT, **LISTS}).encode()
    for limits, setting in (
        (ArchiveLimits(max_record_bytes=100), "MAX_RECORD_BYTES"),
        (ArchiveLimits(max_document_bytes=100), "MAX_DOCUMENT_BYTES"),
        (ArchiveLimits(max_records=1), "MAX_RECORDS"),
    ):
        _, report = read(data, "openevent", limits)
        assert setting in " ".join(error.message for error in report.errors)


@pytest.mark.parametrize("data", [b"{", b"[", b"{}", b"[]", b'{"event": 1}', b'{"event": {}}'])
def test_what_has_no_event_ends_in_errors(data: bytes) -> None:
    _, report = read(data, "openevent")
    assert report.errors
