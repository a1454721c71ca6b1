"""An Open Event export loses nothing: what is imported from it equals what was exported."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from tests.formats.planning import zip_of
from tests.formats.stored import OPTIONS, InvalidSourceError, Stored, facts, stored
from tests.formats.test_nothing_lost import conferences, mended

from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.formats import OPENEVENT
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.openevent.reader import read
from eventimport.formats.source import Source

OF_THE_PROGRAMME = {
    *("end-without-start", "ends-before-start", "hidden-session", "no-duration"),
    *("outside-event", "room-booked-twice", "speaker-booked-twice"),
}
"""Findings about the programme itself, however it is written."""


def check(event: Stored) -> bytes:
    """Export an event, import the export, and compare; then export that again, and compare."""
    data, losses = event.written(OPENEVENT)
    assert losses.findings == []
    again = stored(data)
    assert facts(again) == facts(event)
    once_more, losses = again.written(OPENEVENT)
    assert losses.findings == []
    assert facts(stored(once_more)) == facts(event)
    return data


def test_the_shared_archives_come_back_equal(archives: list[Path]) -> None:
    for path in archives:
        event = stored(mended(path))
        again = stored(check(event))
        codes = {finding.code for finding in again.report.findings}
        assert codes <= OF_THE_PROGRAMME, path.stem


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(conferences())
def test_generated_conferences_come_back_equal(documents: dict[str, Any]) -> None:
    try:
        event = stored(zip_of(documents, {"images/a.png": b"x"}))
    except (InvalidSourceError, ArchiveError):
        assume(False)
    check(event)


EVENT = {"id": 1, "name": "Conference", "timezone": "Europe/Berlin"}


def test_other_programs_find_what_they_expect() -> None:
    sessions = [
        {"id": 3, "title": "Talk", "starts_at": "2027-03-05T09:00:00Z", "speakers": [{"id": 7}]},
        {"id": 4, "title": "Break"},
    ]
    documents = {
        "event": {**EVENT, "social_links": [{"name": "Web", "link": "https://example.org"}]},
        "sessions": sessions,
        "speakers": [{"id": 7, "name": "Ada", "photo": "/images/a.png"}],
        "sponsors": [{"id": 1, "name": "S", "level": 2}],
    }
    event = stored(zip_of(documents, {"images/a.png": b"image"}))

    data, _ = event.written(OPENEVENT)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        found = {
            name: json.loads(archive.read(name)) for name in archive.namelist() if "/" not in name
        }
        (speaker,) = found["speakers"]
        assert archive.read(speaker["photo-url"].removeprefix("/")) == b"image"
    documents_of_the_format = {
        *("event", "forms", "meta", "microlocations", "session_types", "sessions"),
        *("speakers", "sponsors", "tracks"),
    }
    assert set(found) == documents_of_the_format
    talk, pause = found["sessions"]
    assert talk["starts-at"] == "2027-03-05T10:00:00+01:00"
    assert talk["speakers"] == [{"id": 7, "name": "Ada"}]
    # Clients read the name of each, whether there is one or not.
    assert (pause["track"], pause["microlocation"], pause["session-type"]) == ({}, {}, {})
    assert found["sponsors"][0]["level"] == "2"
    assert found["event"]["social-links"][0]["link"] == "https://example.org"


def test_records_that_share_an_id_or_have_none_keep_their_links() -> None:
    documents = {
        "event": EVENT,
        "speakers": [
            {"id": 1, "name": "Ada"},
            {"id": 1, "name": "Bob"},
            {"name": "Cem"},
            {"id": "new-1", "name": "Dee"},
        ],
        "sessions": [
            {"id": n, "title": name, "speakers": [name]}
            for n, name in enumerate(["Ada", "Bob", "Cem", "Dee"])
        ],
    }
    event = stored(zip_of(documents))
    assert len(list(event.conference.links())) == 4
    check(event)


def test_what_an_edited_export_holds_is_checked_again() -> None:
    event = stored(zip_of({"event": EVENT, "sponsors": [{"id": 1, "name": "S"}]}))
    data, _ = event.written(OPENEVENT)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        documents = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    documents["sponsors"][0] |= {
        "url": "javascript:alert(1)",
        "description": "<p>x<script>y</script></p>",
        "colour": "red",
        "level": "high",
        "logo-url": "vbscript:x",
    }

    again = stored(zip_of(documents))

    (sponsor,) = again.conference.records(Kind.SPONSOR)
    assert sponsor.values == {"name": "S", "description": "<p>x</p>"}
    assert sponsor.extra.keys() == {"url", "description", "colour", "level", "logo_url"}
    codes = {finding.code for finding in again.report.findings}
    assert codes == {"html-removed", "invalid-value", "unknown-key"}


def test_the_report_of_the_first_import_comes_along() -> None:
    event = stored(zip_of({"event": EVENT}))
    report = {"totals": {"warning": 3}}
    data, _ = event.written(OPENEVENT, replace(OPTIONS, first_import=report))
    with Source.open(io.BytesIO(data), ArchiveLimits(), Report()) as source:
        assert read(source, ReadOptions(), Report()).first_import == report
