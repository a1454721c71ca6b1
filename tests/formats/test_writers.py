"""What is written in a format is valid, is read back, and its losses are reported."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vobject
from hypothesis import given, settings
from icalendar import Calendar
from jsonschema import Draft6Validator, FormatChecker
from lxml import etree
from tests.formats import consumers
from tests.formats.examples import EXAMPLES, OPTIONS
from tests.formats.planning import conference_of, zip_of
from tests.formats.round_trips import SCHEDULES, comparable, identities, read, stored, written
from tests.formats.test_nothing_lost import conferences as documents_of
from tests.formats.test_schedule_xml import conferences as programmes
from tests.formats.test_schedule_xml import written as schedule_of

from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.formats import FORMATS
from eventimport.formats.ical.writer import KEEPS as ICAL_KEEPS
from eventimport.formats.schedule_json.writer import KEEPS as JSON_KEEPS
from eventimport.formats.schedule_xml.writer import KEEPS as XML_KEEPS
from eventimport.formats.schedules.losses import Keeps
from eventimport.formats.xcal.writer import KEEPS as XCAL_KEEPS

KEEPS: dict[str, Keeps] = {
    "schedule-xml": XML_KEEPS,
    "schedule-json": JSON_KEEPS,
    "ical": ICAL_KEEPS,
    "xcal": XCAL_KEEPS,
}
PROGRAMMES = [each for each in FORMATS if each.name in SCHEDULES]

LARGE = 200_000
"""Bytes from which on a document is not read by everything that can read it: that takes long."""

Judge = Callable[[bytes], None]


def check_calendar(data: bytes) -> None:
    """A calendar is valid by the library, and by the rules that it does not check."""
    calendar = Calendar.from_ical(data)
    assert [error for part in calendar.walk() for error in part.errors] == []
    if len(data) < LARGE:
        events = vobject.readOne(data.decode()).contents.get("vevent", [])
        assert len(events) == data.count(b"\nBEGIN:VEVENT")
    lines = data.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 75 and b"\n" not in line and b"\r" not in line for line in lines)
    assert all(line.decode() for line in lines)
    events = calendar.walk("VEVENT")
    uids = [str(event["UID"]) for event in events]
    assert len(uids) == len(set(uids))
    defined = {str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")}
    named = re.findall(rb";TZID=([^:;]+)", data.replace(b"\r\n ", b""))
    assert {name.decode() for name in named} <= defined
    for event in events:
        assert {"DTSTAMP", "DTSTART", "SUMMARY", "LOCATION", "UID"} <= set(event)
        assert "mailto" not in event.to_ical().decode().casefold()


def check(name: str, data: bytes, judges: dict[str, Judge] | None = None) -> None:
    """A document is valid by its judges and accepted by the apps that read it."""
    if name == "ical":
        check_calendar(data)
    elif name in {"schedule-xml", "xcal"}:
        etree.fromstring(data)
    else:
        json.loads(data)
    consumers.check(name, data)
    if judges and name in judges:
        judges[name](data)


def check_round_trip(
    conference: StoredConference, name: str, judges: dict[str, Judge] | None = None
) -> None:
    """What is written is valid and is read back, but for what the report says."""
    data, report = written(name, conference)
    check(name, data, judges)
    if judges and len(data) > 2 * LARGE:
        return
    again, findings = read(data)
    assert again is not None, findings.errors
    codes = {finding.code for finding in report.findings}
    event = stored(again)
    before, after = (comparable(each, KEEPS[name], codes) for each in (conference, event))
    for one, other in zip(before.pop("sessions"), after["sessions"], strict=True):
        assert one == other, codes
    for key, value in before.items():
        assert after[key] == value, (key, codes)
    if name == "ical":
        return
    (guids, ids), (guids_after, ids_after) = identities(conference), identities(event)
    assert ids <= ids_after
    assert guids <= guids_after or name == "xcal"


@pytest.fixture(scope="module")
def judges(real_formats: Path) -> dict[str, Judge]:
    """The schemas of the formats."""
    schema = etree.XMLSchema(etree.parse(real_formats / "schema/schedule.xml.xsd"))
    validator = Draft6Validator(
        json.loads((real_formats / "schema/schema.json").read_text()),
        format_checker=FormatChecker(),
    )

    def of_xml(data: bytes) -> None:
        schema.assertValid(etree.fromstring(data))

    def of_json(data: bytes) -> None:
        assert [error.message for error in validator.iter_errors(json.loads(data))] == []

    return {"schedule-xml": of_xml, "schedule-json": of_json}


@pytest.mark.parametrize("source", [*EXAMPLES])
@pytest.mark.parametrize("name", SCHEDULES)
def test_an_example_of_each_format_goes_through_each_other(source: str, name: str) -> None:
    conference, _ = read(EXAMPLES[source](), **{"timezone": "Europe/Berlin", **OPTIONS[source]})
    assert conference is not None
    check_round_trip(stored(conference), name)


@pytest.mark.parametrize("name", SCHEDULES)
@settings(max_examples=25)
@given(programmes())
def test_a_generated_programme_is_read_back(name: str, given: dict[str, Any]) -> None:
    conference, _ = read(schedule_of(given, has_dates=True).encode())
    assert conference is not None
    check_round_trip(stored(conference), name)


@pytest.mark.parametrize("name", SCHEDULES)
@settings(max_examples=25)
@given(documents_of())
def test_any_archive_is_valid_in_each_format(name: str, documents: dict[str, Any]) -> None:
    report = Report()
    conference = conference_of(zip_of(documents), report)
    if report.errors:
        return
    check_round_trip(stored(conference), name)


@pytest.mark.parametrize("name", SCHEDULES)
def test_two_exports_are_equal(name: str) -> None:
    conference, _ = read(EXAMPLES["openevent"]())
    assert conference is not None
    event = stored(conference)
    assert written(name, event)[0] == written(name, event)[0]


@pytest.mark.without_coverage
@pytest.mark.slow
def test_real_sources_are_valid_in_each_format(
    real_formats: Path, judges: dict[str, Judge]
) -> None:
    folders = ("schedule-xml", "schedule-json", "xcal", "ics")
    check_files(
        [file for folder in folders for file in sorted((real_formats / folder).iterdir())], judges
    )


@pytest.mark.slow
def test_real_archives_are_valid_in_each_format(
    archives: list[Path], judges: dict[str, Judge]
) -> None:
    check_files(archives, judges)


def check_files(files: list[Path], judges: dict[str, Judge]) -> None:
    """What real files hold is valid in each format, and is read back."""
    checked = 0
    for file in files:
        conference, _ = read(file.read_bytes(), None if file.suffix == ".xml" else "Europe/Berlin")
        if conference is None:
            continue
        event = stored(conference)
        for name in SCHEDULES:
            check_round_trip(event, name, judges)
        checked += 1
    assert checked > len(files) // 2


@pytest.mark.parametrize("second", SCHEDULES)
@pytest.mark.parametrize("first", SCHEDULES)
@pytest.mark.parametrize("source", [*EXAMPLES])
def test_an_event_goes_through_two_formats(source: str, first: str, second: str) -> None:
    """A → event → B → event: equal but for what the two reports say."""
    conference, _ = read(EXAMPLES[source](), **{"timezone": "Europe/Berlin", **OPTIONS[source]})
    assert conference is not None
    event = stored(conference)
    codes: set[str] = set()
    latest: StoredConference = event
    for name in (first, second):
        data, report = written(name, latest)
        codes |= {finding.code for finding in report.findings}
        again, findings = read(data)
        assert again is not None, findings.errors
        latest = stored(again)
    both = common(KEEPS[first], KEEPS[second])
    before, after = (comparable(each, both, codes) for each in (event, latest))
    assert after == before


def common(one: Keeps, other: Keeps) -> Keeps:
    """What two formats keep."""
    kinds = one.fields.keys() & other.fields.keys()
    return Keeps(
        title="",
        fields={kind: one.fields[kind] & other.fields[kind] for kind in kinds},
        extra={
            kind: one.extra.get(kind, frozenset()) & other.extra.get(kind, frozenset())
            for kind in kinds
        },
    )


@settings(max_examples=25)
@given(documents_of())
def test_any_archive_can_become_a_site(documents: dict[str, Any]) -> None:
    report = Report()
    conference = conference_of(zip_of(documents), report)
    if not report.errors:
        consumers.check_open_event(written("openevent", stored(conference))[0])


def test_speakers_list_their_sessions() -> None:
    documents = {
        "event": {"id": 1, "name": "Conference"},
        "speakers": [{"id": 7, "name": "Ann"}, {"id": 8, "name": "Bea"}],
        "sessions": [
            {"id": 1, "title": "One", "speakers": [{"id": 8}, {"id": 7}]},
            {"id": 2, "title": "Two", "speakers": [{"id": 8}]},
        ],
    }
    data, _ = written("openevent", stored(conference_of(zip_of(documents), Report())))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        speakers = json.loads(archive.read("speakers"))
    assert {speaker["name"]: speaker["sessions"] for speaker in speakers} == {
        "Ann": [{"id": 1}],
        "Bea": [{"id": 1}, {"id": 2}],
    }
