"""xCal is read as the calendar that it is, by RFC 6321 and in Pentabarf's dialect."""

import io
import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.formats.calendar_samples import (
    FOSDEM_XCAL,
    PENTABARF_XCAL,
    PLAIN_XCAL,
    RECURRING_XCAL,
    XCALS,
)
from tests.formats.planning import zip_of

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats import detect
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source
from eventimport.formats.xcal import XCAL

BERLIN: Final = "Europe/Berlin"


def read(data: str | bytes, time_zone: str | None = None) -> tuple[Conference, Report]:
    """The conference, planned, so that its links are known."""
    report = Report()
    content = data.encode() if isinstance(data, str) else data
    with Source.open(io.BytesIO(content), ArchiveLimits(), report) as source:
        found = detect(source)
        assert found is not None
        conference = found.reader(source, ReadOptions(timezone=time_zone), report)
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return conference, report


def sessions(conference: Conference) -> list[Record]:
    found = conference.records[Kind.SESSION]
    return sorted(found, key=lambda each: str(each.values.get("starts_at")))


def label(record: Record, field: str) -> list[str | None]:
    return [reference.label for reference in record.references.get(field, ())]


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", XCALS.values(), ids=XCALS)
def test_xcal_is_detected(text: str) -> None:
    with Source.open(io.BytesIO(text.encode()), ArchiveLimits(), Report()) as source:
        assert detect(source) is XCAL


def test_rfc_6321() -> None:
    conference, report = read(PLAIN_XCAL)
    [session] = sessions(conference)
    assert conference.event.values["name"] == "Lantern Days"
    assert conference.event.values["timezone"] == BERLIN
    assert session.values["title"] == "Opening, at last; finally"
    assert session.values["starts_at"] == utc("2027-05-01T08:00")
    assert session.values["ends_at"] == utc("2027-05-01T08:30")
    assert session.key == "opening"
    assert label(session, "microlocation") == ["Hall 1"]
    assert label(session, "track") == ["Light"]
    assert label(session, "speakers") == ["Ann Lamp"]
    assert not report.findings


def test_recurrence() -> None:
    conference, _ = read(RECURRING_XCAL)
    assert [each.values["starts_at"] for each in sessions(conference)] == [
        utc("2027-05-01T08:00"),
        utc("2027-05-08T08:00"),
    ]
    assert conference.event.values["latitude"] == 52.5


def test_pentabarf() -> None:
    conference, report = read(PENTABARF_XCAL, BERLIN)
    [session] = sessions(conference)
    assert session.values == {
        "title": "Light, and shadow",
        "subtitle": "for beginners",
        "long_abstract": "Light &amp; <b>shadow</b>",
        "language": "de",
        "starts_at": utc("2027-05-01T08:00"),
        "ends_at": utc("2027-05-01T09:30"),
        "state": "confirmed",
    }
    assert label(session, "speakers") == ["Ann Lamp, Lamp House", "Bea Wick"]
    assert label(session, "session_type") == ["Lecture"]
    assert label(session, "track") == []
    assert "summary" not in session.extra
    assert session.extra["pentabarf:event-id"] == "4"
    assert session.extra["pentabarf:language"] == "German"
    assert session.extra["url"] == "2027/events/4.html"
    assert not report.errors


def test_local_times_without_a_zone_fail_with_the_explanation() -> None:
    _, report = read(PENTABARF_XCAL)
    [error] = report.errors
    assert error.code == "no-time-zone"
    assert "`timezone`" in error.message


def test_fosdem_says_the_offset() -> None:
    conference, report = read(FOSDEM_XCAL)
    [session] = sessions(conference)
    assert session.values["starts_at"] == utc("2027-02-06T09:50")
    assert session.values["ends_at"] == utc("2027-02-06T10:20")
    assert label(session, "track") == ["Keynotes"]
    assert label(session, "session_type") == []
    assert session.extra["url"] == "https://lantern.example/2027/welcome/"
    assert not report.errors


def test_an_offset_of_another_time_is_not_used() -> None:
    text = FOSDEM_XCAL.replace("10:50:00 +0100", "11:50:00 +0100")
    conference, _ = read(text, BERLIN)
    [session] = sessions(conference)
    assert session.values["starts_at"] == utc("2027-02-06T09:50")
    assert session.extra["pentabarf:start"] == "2027-02-06 11:50:00 +0100"


@pytest.mark.parametrize("text", XCALS.values(), ids=XCALS)
def test_all_that_xcal_says_is_somewhere(text: str) -> None:
    conference, _ = read(text, BERLIN)
    known = " ".join(
        str(each)
        for records in conference.records.values()
        for record in records
        for each in (record.values, record.extra, record.key, record.references)
    )
    read_otherwise = {"dtstart", "dtend", "start", "end", "status", "class", "version", "summary"}
    read_otherwise |= {"duration", "attendee", "rrule", "exdate"}
    for element in etree.fromstring(text.strip().encode()).iter():
        names = {etree.QName(each).localname for each in (element, *element.iterancestors())}
        if names & read_otherwise or not (element.text or "").strip():
            continue
        for word in re.findall(r"\w+", element.text or ""):
            assert word in known, (element.tag, element.text)


def test_unknown_elements_and_attributes_are_kept() -> None:
    text = PENTABARF_XCAL.replace("<location>", '<lamps colour="red">3</lamps><location>')
    conference, report = read(text.replace("<vevent>", "stray<vevent>", 1), BERLIN)
    [session] = sessions(conference)
    assert session.extra["lamps"] == "3"
    assert session.extra["lamps;colour"] == "red"
    assert conference.event.extra["broken_lines"] == ["stray"]
    assert {"unknown-key", "administration"} <= codes(report)


def test_no_address_is_public() -> None:
    people = "<attendee>Ann ann@lamp.example</attendee><attendee>mailto:bea@lamp.example</attendee>"
    text = PENTABARF_XCAL.replace(
        "<location>", f"{people}<contact>c@lamp.example</contact><location>"
    )
    conference, _ = read(text, BERLIN)
    for records in conference.records.values():
        for record in records:
            public = {name: each for name, each in record.values.items() if name != "email"}
            assert "@lamp.example" not in json.dumps([public, record.extra], default=str)


def test_a_repeated_uid_is_several_sessions() -> None:
    event = PENTABARF_XCAL[PENTABARF_XCAL.index("<vevent>") : PENTABARF_XCAL.index("</vcalendar>")]
    again = event.replace("20270501T1", "20270502T1")
    conference, report = read(PENTABARF_XCAL.replace(event, event + again), BERLIN)
    assert len({each.key for each in sessions(conference)}) == 2
    assert "shared-id" not in codes(report)


def test_xcal_in_a_zip() -> None:
    conference, _ = read(zip_of({}, {"calendar.xml": PLAIN_XCAL.encode()}))
    assert len(sessions(conference)) == 1


def nested() -> str:
    return "<iCalendar><vcalendar>" + "<vevent><components>" * 50_000


HOSTILE: Final[dict[str, tuple[Callable[[], str], str]]] = {
    "an entity": (
        lambda: '<!DOCTYPE iCalendar [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + PLAIN_XCAL[39:],
        "DOCTYPE|document type",
    ),
    "elements within elements": (nested, "256 levels"),
    "many events": (
        lambda: "<iCalendar><vcalendar>" + "<vevent/>" * 1_000_000 + "</vcalendar></iCalendar>",
        "MAX_RECORDS",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_xcal_is_an_explained_error(make: Callable[[], str], message: str) -> None:
    with (
        pytest.raises(ArchiveError, match=message),
        Source.open(io.BytesIO(make().encode()), ArchiveLimits(), report := Report()) as source,
    ):
        XCAL.reader(source, ReadOptions(), report)
    assert report.errors


WORDS: Final = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P"), exclude_characters="<>&@`*_\\")
    | st.just(" "),
    min_size=1,
    max_size=30,
).map(lambda text: " ".join(text.split()) or "Lamp")
TALKS: Final = st.fixed_dictionaries(
    {
        "title": WORDS,
        "subtitle": WORDS,
        "room": WORDS.filter(lambda text: "://" not in text),
        "minute": st.integers(0, 4 * 24 * 60),
        "length": st.integers(5, 300),
        "speakers": st.lists(WORDS, max_size=3, unique=True),
    }
)


def written(talks: list[dict[str, Any]]) -> str:
    """Pentabarf's dialect."""
    events = []
    for number, talk in enumerate(talks):
        start = datetime.fromisoformat("2027-07-01") + timedelta(minutes=talk["minute"])
        end = start + timedelta(minutes=talk["length"])
        title, subtitle = escape(talk["title"]), escape(talk["subtitle"])
        persons = "".join(f"<attendee>{escape(name)}</attendee>" for name in talk["speakers"])
        events.append(
            f"<vevent><uid>{number}@a@pentabarf.org</uid><pentabarf:title>{title}</pentabarf:title>"
            f"<pentabarf:subtitle>{subtitle}</pentabarf:subtitle><dtstart>{start:%Y%m%dT%H%M%S}"
            f"</dtstart><dtend>{end:%Y%m%dT%H%M%S}</dtend><summary>{title}- {subtitle}</summary>"
            f"<location>{escape(talk['room'])}</location>{persons}</vevent>"
        )
    return (
        "<iCalendar xmlns:pentabarf='http://pentabarf.org'><vcalendar><x-wr-calname>Lantern Days"
        f"</x-wr-calname>{''.join(events)}</vcalendar></iCalendar>"
    )


@given(st.lists(TALKS, min_size=1, max_size=5))
def test_what_is_written_is_read_back(talks: list[dict[str, Any]]) -> None:
    conference, report = read(written(talks), BERLIN)
    found = {record.key: record for record in conference.records[Kind.SESSION]}
    for number, talk in enumerate(talks):
        session = found[f"{number}@a@pentabarf.org"]
        start = utc("2027-06-30T22:00") + timedelta(minutes=talk["minute"])
        assert session.values["title"] == talk["title"]
        assert session.values["subtitle"] == talk["subtitle"]
        assert session.values["starts_at"] == start
        assert session.values["ends_at"] == start + timedelta(minutes=talk["length"])
        assert label(session, "microlocation") == [talk["room"]]
        assert label(session, "speakers") == talk["speakers"]
        assert "summary" not in session.extra
    assert not report.errors


@settings(max_examples=200)
@given(st.sampled_from(list(XCALS.values())), st.integers(0, 2**32))
def test_mutants_end_in_an_event_or_an_explanation(text: str, seed: int) -> None:
    rng = random.Random(seed)
    lines = text.splitlines()
    for _ in range(rng.randint(0, 4)):
        place = rng.randrange(len(lines))
        lines[place : place + 1] = rng.choice([[], [lines[place]] * 2, [rng.choice(lines)]])
        lines = lines or [""]
    data = bytearray("\n".join(lines).encode())
    for _ in range(rng.randint(0, 3)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    report = Report()
    try:
        with Source.open(io.BytesIO(bytes(data)), ArchiveLimits(), report) as source:
            conference = XCAL.reader(source, ReadOptions(timezone=BERLIN), report)
    except ArchiveError:
        assert report.errors
        return
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    assert report.errors or conference.records[Kind.EVENT]


# Real files.


@pytest.mark.real_archives
def test_the_counts_of_a_real_file(real_formats: Path) -> None:
    conference, report = read(
        (real_formats / "xcal" / "klimacamp2015_frab.xcal").read_bytes(), BERLIN
    )
    counts = {name: count for name, count in conference.counts().items() if count}
    assert counts == {
        "events": 1,
        "microlocations": 10,
        "speakers": 57,
        "session_types": 1,
        "sessions": 106,
    }
    assert not report.errors


FOUR: Final = ("schedule-xml/{}.xml", "schedule-json/{}.json", "xcal/{}.xcal", "ics/{}.ics")


@pytest.mark.real_archives
def test_four_exports_of_one_event_are_the_same(real_formats: Path) -> None:
    """106 titles with their times and rooms, whichever file was imported."""
    found = []
    for path in FOUR:
        data = (real_formats / path.format("klimacamp2015_frab")).read_bytes()
        conference, report = read(data, BERLIN)
        assert not report.errors
        found.append(
            {
                (
                    " ".join(each.values["title"].split()),
                    each.values["starts_at"],
                    each.values["ends_at"],
                    *label(each, "microlocation"),
                )
                for each in conference.records[Kind.SESSION]
            }
        )
    assert [len(each) for each in found] == [106] * 4
    assert found[0] == found[1] == found[2] == found[3]
