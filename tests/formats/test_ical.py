"""Calendars of all producers are read, and all that they say is somewhere."""

import hashlib
import io
import json
import random
import re
import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Event, vCalAddress, vText
from tests.formats.calendar_samples import (
    CALENDARS,
    FRAB,
    GOOGLE,
    MOCA,
    OUTLOOK,
    PENTABARF,
    PLAIN_CALENDAR,
    PRETALX,
    SCHED,
    calendar,
)
from tests.formats.planning import zip_of

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats import detect
from eventimport.formats.format import ReadOptions
from eventimport.formats.ical import ICAL
from eventimport.formats.ical.components import Property
from eventimport.formats.ical.moments import Zones, read_duration
from eventimport.formats.ical.rules import read_rule
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source

START: Final = "DTSTART:20270501T080000Z\nDTEND:20270501T083000Z"


def read(
    data: str | bytes, limits: ArchiveLimits | None = None, **options: Any
) -> tuple[Conference, Report]:
    """The conference, planned, so that its links are known."""
    report = Report()
    content = data.encode() if isinstance(data, str) else data
    with Source.open(io.BytesIO(content), limits or ArchiveLimits(), report) as source:
        assert detect(source) is ICAL
        conference = ICAL.reader(source, ReadOptions(**options), report)
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return conference, report


def sessions(conference: Conference) -> list[Record]:
    """The sessions in the order of their starts."""
    found = conference.records[Kind.SESSION]
    return sorted(found, key=lambda each: str(each.values.get("starts_at")))


def only(*events: str, **options: Any) -> tuple[Record, Report]:
    conference, report = read(calendar(*events), **options)
    [session] = conference.records[Kind.SESSION]
    return session, report


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def names(conference: Conference, kind: Kind) -> list[str]:
    return [record.values["name"] for record in conference.records[kind]]


def label(record: Record, field: str) -> list[str | None]:
    return [reference.label for reference in record.references.get(field, ())]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Producers.


def test_a_plain_calendar() -> None:
    conference, report = read(PLAIN_CALENDAR)
    [session] = conference.records[Kind.SESSION]
    assert conference.event.values == {
        "name": "Lantern Days",
        "timezone": "Europe/Berlin",
        "starts_at": utc("2027-05-01T08:00"),
        "ends_at": utc("2027-05-01T08:30"),
    }
    assert session.values == {
        "title": "Opening",
        "long_abstract": "How to light a lantern, and why.",
        "starts_at": utc("2027-05-01T08:00"),
        "ends_at": utc("2027-05-01T08:30"),
        "state": "confirmed",
    }
    assert session.key == "opening"
    assert (label(session, "microlocation"), label(session, "track")) == (["Hall 1"], ["Light"])
    assert not report.findings


def test_frab() -> None:
    conference, report = read(FRAB)
    [session] = conference.records[Kind.SESSION]
    assert conference.event.values["name"] == "lantern27"
    assert conference.event.values["timezone"] == "Europe/Berlin"
    assert "owner_name" not in conference.event.values
    assert session.values["long_abstract"] == "Light and shadow, explained.\nBring a lamp."
    assert session.values["starts_at"] == utc("2027-05-01T08:00")
    assert session.extra["url"] == "2027/events/70.html"
    assert label(session, "microlocation") == ["Tent Light, Shadow & Co"]
    assert not conference.records[Kind.SPEAKER]
    # Nothing says that these are names.
    assert session.values["title"] == "Light - and shadow"
    assert "speakers-in-title" in codes(report)


def test_pretalx() -> None:
    conference, report = read(PRETALX)
    first, second = sessions(conference)
    assert conference.event.values["name"] == "lantern-2027"
    assert first.values["starts_at"] == utc("2027-05-01T00:30")
    # Summer has begun there.
    assert second.values["starts_at"] == utc("2027-10-31T23:30")
    assert first.values["long_abstract"] == "<p>A <em>bright</em> start</p>"
    assert first.values["title"] == "Opening - Ann Lamp, Bea Wick"
    assert "timezone" not in codes(report)


def test_names_of_known_speakers_are_separated_from_a_title() -> None:
    attendee = "ATTENDEE;CN=Ann Lamp:invalid:nomail\nATTENDEE;CN=Bea Wick:invalid:nomail\n"
    text = PRETALX.replace("DTSTAMP:20270417T234004Z\nLOCATION", f"{attendee}LOCATION")
    conference, report = read(text)
    for session in sessions(conference):
        assert session.values["title"] == "Opening"
        assert label(session, "speakers") == ["Ann Lamp", "Bea Wick"]
    assert names(conference, Kind.SPEAKER) == ["Ann Lamp", "Bea Wick"]
    assert "speakers-in-title" not in codes(report)


def test_sched() -> None:
    conference, report = read(SCHED)
    first, second = sessions(conference)
    assert conference.event.values["location_name"] == "Amsterdam, Netherlands"
    assert names(conference, Kind.MICROLOCATION) == ["Entrance C", "Hall 2"]
    assert (label(first, "track"), label(second, "track")) == (["REGISTRATION"], ["SOCIAL"])
    assert second.extra["categories"] == ["FOOD"]
    assert first.values["title"] == "Badges & Lamps"
    assert first.values["long_abstract"].startswith("SOLD OUT.&nbsp; SORRY.\n\n")
    [zone] = [finding for finding in report.findings if finding.code == "timezone"]
    assert "“Europe/Amsterdam”" in zone.message


def test_the_zone_of_a_sched_calendar_may_be_given() -> None:
    conference, report = read(SCHED, timezone="Europe/Amsterdam")
    assert conference.event.values["timezone"] == "Europe/Amsterdam"
    assert sessions(conference)[0].values["starts_at"] == utc("2027-05-01T08:00")
    assert not {"timezone", "other-timezone"} & codes(report)


def test_pentabarf() -> None:
    conference, report = read(PENTABARF)
    [session] = conference.records[Kind.SESSION]
    assert session.values["title"] == "Opening, at last; finally"
    assert session.values["long_abstract"] == "<p>Light, and shadow</p>"
    assert session.values["starts_at"] == utc("2027-05-01T08:00")
    assert names(conference, Kind.TRACK) == ["Light, Shadow"]
    assert label(session, "speakers") == ['Ann "Lamp" Wick', "Wick, Bea"]
    assert session.extra["url"] == "https://lantern.example/2027/7/"
    assert conference.event.values["timezone"] == "Europe/Brussels"
    assert "link" in codes(report)


def test_moca() -> None:
    conference, report = read(MOCA)
    first, second = sessions(conference)
    assert conference.event.values["timezone"] == "Europe/Rome"
    assert conference.event.values["latitude"] == 42.5816338
    assert (first.key, second.key) == (
        "46939 2027-05-01T11:00+00:00 MOV",
        "46939 2027-05-01T13:00+00:00 XOR",
    )
    assert {first.extra["uid"], second.extra["uid"]} == {"46939"}
    assert (label(first, "speakers"), label(second, "speakers")) == (
        ["Ann Lamp & Bea"],
        ["The Camp"],
    )
    # The address is that of the camp.
    assert conference.event.values["email"] == "info@camp.example"
    assert all("email" not in each.values for each in conference.records[Kind.SPEAKER])
    assert "shared-id" not in codes(report)


def test_outlook() -> None:
    conference, report = read(OUTLOOK)
    [session] = conference.records[Kind.SESSION]
    assert session.values["starts_at"] == utc("2027-05-01T08:00")
    assert conference.event.values["timezone"] == "Europe/Berlin"
    assert session.values["long_abstract"] == "<p>Rich</p>"
    assert session.extra["description"] == "Plain"
    assert session.values["language"] == "en-US"
    assert session.extra["attendee"] == ["Guest"]
    assert not conference.records[Kind.SPEAKER]
    assert session.extra["valarm"][0]["action"] == "DISPLAY"
    assert "address-hidden" in codes(report)


def test_google() -> None:
    conference, report = read(GOOGLE)
    found = sessions(conference)
    # 20:00 in Berlin, also after the clocks changed on 28 March.
    assert [each.values["starts_at"] for each in found] == [
        utc("2027-03-15T19:00"),
        utc("2027-03-29T18:00"),
        utc("2027-04-06T17:00"),
    ]
    assert [each.values["state"] for each in found] == ["confirmed", "confirmed", "canceled"]
    assert found[2].values["title"] == "Evening, moved"
    assert len({each.key for each in found}) == 3
    assert "recurrence" in codes(report)


# Lines.


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_ends_of_lines(end: str, mark: str) -> None:
    conference, report = read(mark + PLAIN_CALENDAR.replace("\r\n", end))
    assert sessions(conference)[0].values["title"] == "Opening"
    assert codes(report) == ({"byte-order-mark"} if mark else set())


@pytest.mark.parametrize("fold", [b"\r\n ", b"\n\t", b"\r\r\n ", b"\n\n "])
def test_a_character_may_be_split_by_a_fold(fold: bytes) -> None:
    text = calendar(f"{START}\nSUMMARY:L\u2019été").encode()
    middle = text.index("\u2019".encode()) + 1
    conference, report = read(text[:middle] + fold + text[middle:])
    assert sessions(conference)[0].values["title"] == "L\u2019été"
    assert "encoding" not in codes(report)


@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ("utf-8", None),
        ("utf-8-sig", "byte-order-mark"),
        ("utf-16", "byte-order-mark"),
        ("cp1252", "encoding"),
    ],
)
def test_encodings(encoding: str, code: str | None) -> None:
    conference, report = read(calendar(f"{START}\nSUMMARY:Größe \u2014 “a”").encode(encoding))
    assert sessions(conference)[0].values["title"] == "Größe \u2014 “a”"
    assert codes(report) == ({code} if code else set())


def test_a_line_may_say_its_encoding() -> None:
    text = calendar(f"{START}\nSUMMARY;CHARSET=ISO-8859-5:Фонарь")
    conference, report = read(text.encode("iso-8859-5"))
    assert sessions(conference)[0].values["title"] == "Фонарь"
    assert not report.failed(strict=False)


def test_control_characters_are_removed() -> None:
    session, report = only(f"{START}\nSUMMARY:A\x00b\x06c")
    assert session.values["title"] == "Abc"
    assert "control-characters" in codes(report)


def test_text_that_is_not_folded_is_added() -> None:
    text = (
        f"{START}\nSUMMARY:A\nDESCRIPTION:One\nTwo words: three\nhttps://lamp.example/\nLOCATION:B"
    )
    session, report = only(text)
    assert session.values["long_abstract"] == "One\nTwo words: three\nhttps://lamp.example/"
    assert label(session, "microlocation") == ["B"]
    assert "broken-line" in codes(report)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (r"a\, b\; c\\d\nE\NF\:", "a, b; c\\d\nE\nF:"),
        (r"C:\temp", "C:\\temp"),
        ("100 %", "100 %"),
    ],
)
def test_escaped_texts(value: str, text: str) -> None:
    assert Property("SUMMARY", value).text == text


def test_quoted_printable() -> None:
    session, _ = only(f"{START}\nSUMMARY;ENCODING=QUOTED-PRINTABLE:L=C3=A4mpchen")
    assert session.values["title"] == "Lämpchen"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PLAIN_CALENDAR.replace("END:VEVENT\r\n", ""), "no-end"),
        (PLAIN_CALENDAR.replace("END:VCALENDAR\r\n", ""), "no-end"),
        (PLAIN_CALENDAR.replace("END:VEVENT", "END:VALARM\r\nEND:VEVENT"), "no-begin"),
        (
            PLAIN_CALENDAR.replace("END:VEVENT", "BEGIN:VALARM\r\nACTION:AUDIO\r\nEND:VEVENT"),
            "no-end",
        ),
        (PLAIN_CALENDAR + "trailing words\r\n", "outside-calendar"),
        (PLAIN_CALENDAR + PLAIN_CALENDAR.replace("UID:opening", "UID:other"), None),
    ],
)
def test_a_calendar_that_is_not_well_formed(text: str, code: str | None) -> None:
    conference, report = read(text)
    assert {each.values["title"] for each in sessions(conference)} == {"Opening"}
    assert code is None or code in codes(report)
    assert not report.errors


def test_an_incomplete_calendar_fails() -> None:
    with pytest.raises(ArchiveError, match="incomplete"):
        read(PLAIN_CALENDAR[: PLAIN_CALENDAR.index("DESCRIPTION")])


def test_a_missing_end_loses_no_event() -> None:
    text = calendar(f"{START}\nSUMMARY:A", f"{START}\nSUMMARY:B").replace("END:VEVENT\n", "", 1)
    conference, report = read(text)
    assert {each.values["title"] for each in sessions(conference)} == {"A", "B"}
    assert "no-end" in codes(report)


# Times.


@pytest.mark.parametrize(
    ("lines", "starts", "ends"),
    [
        (
            "DTSTART:20270501T080000Z\nDTEND:20270501T083000Z",
            "2027-05-01T08:00",
            "2027-05-01T08:30",
        ),
        ("DTSTART:20270501T080000Z\nDURATION:PT30M", "2027-05-01T08:00", "2027-05-01T08:30"),
        ("DTSTART:20270501T080000Z\nDURATION:P1DT1H", "2027-05-01T08:00", "2027-05-02T09:00"),
        ("DTSTART:20270501T100000\nDTEND:20270501T103000", "2027-05-01T08:00", "2027-05-01T08:30"),
        ("DTSTART:20270501T100000\nDURATION:PT1H", "2027-05-01T08:00", "2027-05-01T09:00"),
        (
            "DTSTART;TZID=America/New_York:20270501T100000\nDURATION:PT1H",
            "2027-05-01T14:00",
            "2027-05-01T15:00",
        ),
        # Hours pass as clocks change, days follow the clock.
        (
            "DTSTART;TZID=Europe/Berlin:20270327T230000\nDURATION:PT5H",
            "2027-03-27T22:00",
            "2027-03-28T03:00",
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20270327T120000\nDURATION:P1D",
            "2027-03-27T11:00",
            "2027-03-28T10:00",
        ),
        ("DTSTART;VALUE=DATE:20270501", "2027-04-30T22:00", "2027-05-01T22:00"),
        (
            "DTSTART;VALUE=DATE:20270501\nDTEND;VALUE=DATE:20270503",
            "2027-04-30T22:00",
            "2027-05-02T22:00",
        ),
        ("DTSTART:20270501\nDURATION:P2D", "2027-04-30T22:00", "2027-05-02T22:00"),
        ("DTSTART:20270501\nDTEND:20270501", "2027-04-30T22:00", "2027-05-01T22:00"),
        ("DTSTART:20270501T080000Z", "2027-05-01T08:00", None),
        ("DTSTART:20270501T240000Z\nDURATION:PT1H", "2027-05-02T00:00", "2027-05-02T01:00"),
        (
            "DTSTART:2027-05-01T10:00:00+02:00\nDURATION:PT1H",
            "2027-05-01T08:00",
            "2027-05-01T09:00",
        ),
    ],
)
def test_times(lines: str, starts: str, ends: str | None) -> None:
    is_day = re.match(r"DTSTART\S*:\d{8}$", lines, re.MULTILINE) is not None
    session, _ = only(f"{lines}\nSUMMARY:A")
    assert session.values["starts_at"] == utc(starts)
    assert session.values.get("ends_at") == (utc(ends) if ends else None)
    assert session.extra.get("all_day", False) is is_day


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Berlin",
        "europe/berlin",
        "/freeassociation.sourceforge.net/Europe/Berlin",
        "/mozilla.org/20050126_1/Europe/Berlin",
        "W. Europe Standard Time",
        '"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"',
        "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
        "Europe-Berlin",
    ],
)
def test_names_of_zones(name: str) -> None:
    session, report = only(f"DTSTART;TZID={name}:20270501T100000\nDURATION:PT1H\nSUMMARY:A")
    assert session.values["starts_at"] == utc("2027-05-01T08:00")
    assert "timezone" not in codes(report)


CUSTOM: Final = """\
BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:19701101T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700308T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
END:VTIMEZONE
"""


def test_a_zone_that_only_the_calendar_knows() -> None:
    events = [
        f"DTSTART;TZID=Lamp Time:2027{day}T100000\nDURATION:PT1H\nSUMMARY:A\nUID:{day}"
        for day in ("0501", "1201")
    ]
    conference, _ = read(calendar(*events, before=CUSTOM.format(name="Lamp Time"), zone=None))
    assert [each.values["starts_at"] for each in sessions(conference)] == [
        utc("2027-05-01T14:00"),
        utc("2027-12-01T15:00"),
    ]
    assert conference.event.values["timezone"] == "America/New_York"
    assert conference.event.extra["vtimezone"][0]["tzid"] == "Lamp Time"


def test_a_known_zone_counts_more_than_its_definition() -> None:
    event = "DTSTART;TZID=Europe/Berlin:20270501T100000\nDURATION:PT1H\nSUMMARY:A"
    conference, report = read(calendar(event, before=CUSTOM.format(name="Europe/Berlin")))
    assert sessions(conference)[0].values["starts_at"] == utc("2027-05-01T08:00")
    assert "timezone" in codes(report)
    assert conference.event.extra["vtimezone"]


def test_definitions_of_one_calendar_are_not_those_of_another() -> None:
    event = "DTSTART;TZID=Lamp Time:20270501T100000\nDURATION:PT1H\nSUMMARY:A"
    text = calendar(event, before=CUSTOM.format(name="Lamp Time"))
    first, _ = read(text)
    second, _ = read(text.replace("-0400", "+0400").replace("-0500", "+0300"))
    starts = [each.records[Kind.SESSION][0].values["starts_at"] for each in (first, second)]
    assert starts == [utc("2027-05-01T14:00"), utc("2027-05-01T06:00")]


@pytest.mark.parametrize(
    "definition",
    [
        "BEGIN:VTIMEZONE\nTZID:Lamp Time\nEND:VTIMEZONE\n",
        CUSTOM.format(name="Lamp Time").replace("TZOFFSETTO:-0500\n", ""),
        CUSTOM.format(name="Lamp Time").replace("YEARLY;", "SECONDLY;"),
        CUSTOM.format(name="Lamp Time").replace("BYDAY=1SU", "BYMONTHDAY=31"),
        CUSTOM.format(name="Lamp Time").replace("-0500", "+9999"),
    ],
)
def test_a_definition_that_cannot_be_used(definition: str) -> None:
    event = "DTSTART;TZID=Lamp Time:20270501T100000\nDURATION:PT1H\nSUMMARY:A"
    conference, report = read(calendar(event, before=definition))
    # Local to the event.
    assert sessions(conference)[0].values["starts_at"] == utc("2027-05-01T08:00")
    assert "timezone" in codes(report)


def test_local_times_without_a_zone_fail_with_the_explanation() -> None:
    text = calendar("DTSTART:20270501T100000\nDURATION:PT1H\nSUMMARY:A", zone=None)
    _, report = read(text)
    [error] = report.errors
    assert error.code == "no-time-zone"
    conference, report = read(text, timezone="Asia/Tokyo")
    assert sessions(conference)[0].values["starts_at"] == utc("2027-05-01T01:00")
    assert not report.errors


@pytest.mark.parametrize(
    ("time", "code"), [("20270328T023000", "time-skipped"), ("20271031T023000", "time-repeated")]
)
def test_clocks_that_change(time: str, code: str) -> None:
    _, report = only(f"DTSTART;TZID=Europe/Berlin:{time}\nDURATION:PT1H\nSUMMARY:A")
    assert code in codes(report)


@pytest.mark.parametrize("name", ["DTSTART", "DTEND", "DURATION"])
@pytest.mark.parametrize(
    "value", ["soon", "20271301T100000", "00010101T000000Z", "-PT1H", "P9999D"]
)
def test_what_is_not_a_time_is_kept(name: str, value: str) -> None:
    start = "" if name == "DTSTART" else "DTSTART:20270501T080000Z\n"
    session, report = only(f"{start}{name}:{value}\nSUMMARY:A")
    assert session.extra[name.lower()] == value
    assert "invalid-value" in codes(report)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT1H30M", timedelta(minutes=90)),
        ("P1W", timedelta(weeks=1)),
        ("+P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("P", None),
        ("PT", None),
        ("-PT1H", None),
        ("PT9999999S", timedelta(seconds=9999999)),
        ("P999W", None),
        ("1:30", None),
    ],
)
def test_durations(text: str, length: timedelta | None) -> None:
    assert read_duration(text) == length


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_may_stand_for_a_time(text: str, zone: str) -> None:
    found = Zones(Report(), "x").read(Property("DTSTART", text, 1, {"TZID": zone}))
    assert found is None or found.moment.year > 1
    read_duration(text)


# Recurrence.


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;COUNT=3", ["0501", "0502", "0503"]),
        ("FREQ=WEEKLY;BYDAY=SA,SU;COUNT=3", ["0501", "0502", "0508"]),
        ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20270601", ["0501", "0515", "0529"]),
        ("FREQ=MONTHLY;BYDAY=1SA;COUNT=2", ["0501", "0605"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", ["0501", "0531", "0630"]),
        ("FREQ=YEARLY;COUNT=1", ["0501"]),
    ],
)
def test_rules(rule: str, days: list[str]) -> None:
    conference, report = read(calendar(f"{START}\nRRULE:{rule}\nSUMMARY:A\nUID:a"))
    found = [f"{each.values['starts_at']:%m%d}" for each in sessions(conference)]
    assert found == days
    assert not report.errors


def test_dates_of_a_series() -> None:
    lines = f"{START}\nRDATE:20270503T080000Z,20270505T080000Z\nEXDATE:20270503T080000Z"
    conference, _ = read(calendar(f"{lines}\nSUMMARY:A\nUID:a"))
    found = [f"{each.values['starts_at']:%m%d}" for each in sessions(conference)]
    assert found == ["0501", "0505"]


def test_a_change_of_all_later_times() -> None:
    master = f"{START}\nRRULE:FREQ=DAILY;COUNT=4\nSUMMARY:A\nUID:a"
    later = (
        "DTSTART:20270503T090000Z\nDTEND:20270503T093000Z\nSUMMARY:B\nUID:a\n"
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20270503T080000Z"
    )
    conference, _ = read(calendar(master, later))
    found = [
        (each.values["title"], f"{each.values['starts_at']:%d %H}") for each in sessions(conference)
    ]
    assert found == [("A", "01 08"), ("A", "02 08"), ("B", "03 09"), ("B", "04 09")]


def test_one_time_of_a_series_whose_rule_is_elsewhere() -> None:
    session, report = only(f"{START}\nRECURRENCE-ID:20270501T080000Z\nSUMMARY:A\nUID:a")
    assert session.extra["recurrence-id"] == "20270501T080000Z"
    assert not report.errors


def test_days_recur() -> None:
    conference, _ = read(calendar("DTSTART:20270501\nRRULE:FREQ=DAILY;COUNT=2\nSUMMARY:A\nUID:a"))
    first, second = sessions(conference)
    assert first.values["ends_at"] == second.values["starts_at"] == utc("2027-05-01T22:00")
    assert second.extra["all_day"] is True


def test_a_repeated_uid_is_no_recurrence() -> None:
    events = [f"{START}\nSUMMARY:{title}\nUID:same\nLOCATION:{title}" for title in "AB"]
    conference, report = read(calendar(*events))
    assert {each.values["title"] for each in sessions(conference)} == {"A", "B"}
    assert "shared-id" not in codes(report)


def test_a_rule_without_an_end_is_bounded() -> None:
    conference, report = read(calendar(f"{START}\nRRULE:FREQ=WEEKLY\nSUMMARY:A\nUID:a"))
    assert len(sessions(conference)) == 9
    [finding] = [each for each in report.findings if each.code == "recurrence"]
    assert "without an end" in finding.message


ENDLESS: Final = [
    "FREQ=SECONDLY",
    "FREQ=MINUTELY",
    "FREQ=HOURLY;COUNT=9999",
    "FREQ=SECONDLY;UNTIL=99990101",
    "FREQ=DAILY;BYHOUR="
    + ",".join(map(str, range(24)))
    + ";BYMINUTE="
    + ",".join(map(str, range(60))),
]


@pytest.mark.parametrize("rule", ENDLESS)
def test_too_many_instances_are_an_error(rule: str) -> None:
    with pytest.raises(ArchiveError, match="MAX_INSTANCES") as caught:
        read(calendar(f"{START}\nRRULE:{rule}\nSUMMARY:A\nUID:a"))
    assert caught.value.code == "too-many-instances"


def test_instances_of_all_series_are_counted_together() -> None:
    events = [f"{START}\nRRULE:FREQ=DAILY;COUNT=10\nSUMMARY:A\nUID:{n}" for n in range(3)]
    read(calendar(*events), ArchiveLimits(max_instances=30))
    with pytest.raises(ArchiveError, match="more than 29 times"):
        read(calendar(*events), ArchiveLimits(max_instances=29))


def test_a_rule_for_each_second_with_few_times() -> None:
    lines = "DTSTART:20270501T080000Z\nRRULE:FREQ=SECONDLY;INTERVAL=600;COUNT=3"
    conference, _ = read(calendar(f"{lines}\nSUMMARY:A\nUID:a"))
    assert len(sessions(conference)) == 3


def test_series_without_a_time_are_counted() -> None:
    """Each takes some time, even if nothing of it remains."""
    series = f"{START}\nRRULE:FREQ=DAILY;COUNT=1\nEXDATE:20270501T080000Z\nSUMMARY:A"
    with pytest.raises(ArchiveError, match="MAX_INSTANCES"):
        read(calendar(*(f"{series}\nUID:{n}" for n in range(11))), ArchiveLimits(max_instances=10))


def test_changes_of_a_series_are_counted() -> None:
    series = f"{START}\nRRULE:FREQ=DAILY;COUNT=2\nSUMMARY:A\nUID:a"
    change = f"{START}\nRECURRENCE-ID:20270501T080000Z\nSUMMARY:A\nUID:a"
    with pytest.raises(ArchiveError, match="MAX_INSTANCES"):
        read(calendar(series, *[change] * 20), ArchiveLimits(max_instances=10))


def test_many_rules_of_one_session() -> None:
    rules = "RRULE:FREQ=DAILY;COUNT=2\n" * 1_000
    conference, report = read(calendar(f"{START}\n{rules}SUMMARY:A\nUID:a"))
    assert len(sessions(conference)) == 2
    assert "recurrence" in codes(report)


NEVER: Final = [
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MINUTELY;BYMONTH=13",
    "FREQ=HOURLY;BYDAY=MO",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=20",
    "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=2",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
    "FREQ=DAILY;BYSETPOS=2",
    "FREQ=YEARLY;BYWEEKNO=53",
    "FREQ=YEARLY;BYEASTER=1",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;COUNT=-1",
    "FREQ=DAILY;COUNT=",
    "FREQ=DAILY;FREQ=DAILY",
    "FREQ=DAILY;UNTIL=soon",
    "FREQ=DAILY;BYHOUR=25",
    "FREQ=NEVER",
    "COUNT=3",
    "",
    "FREQ=DAILY;BYMONTH=" + ",".join(["1"] * 1000),
]


@pytest.mark.parametrize("rule", NEVER)
def test_a_rule_that_may_never_apply_is_not_expanded(rule: str) -> None:
    assert read_rule(rule) is None
    session, report = only(f"{START}\nRRULE:{rule or ';'}\nSUMMARY:A\nUID:a")
    assert session.extra["rrule"] == (rule or ";")
    assert "recurrence" in codes(report)


# Persons.


@pytest.mark.parametrize(
    ("line", "speaks"),
    [
        ("ATTENDEE;CN=Ann Lamp:invalid:nomail", True),
        ("ATTENDEE;CN=Ann Lamp:mailto:ann@lamp.example", True),
        ("ATTENDEE;CN=Ann Lamp;CUTYPE=INDIVIDUAL;ROLE=CHAIR:MAILTO:ann@lamp.example", True),
        ("ATTENDEE;CN=Ann Lamp;PARTSTAT=ACCEPTED:mailto:ann@lamp.example", False),
        ("ATTENDEE;CN=Ann Lamp;CUTYPE=ROOM:mailto:ann@lamp.example", False),
        ("ATTENDEE:mailto:ann@lamp.example", False),
        ("ORGANIZER;CN=Ann Lamp:mailto:ann@lamp.example", False),
    ],
)
def test_who_speaks(line: str, speaks: bool) -> None:
    conference, _ = read(calendar(f"{START}\nSUMMARY:A\n{line}"))
    assert names(conference, Kind.SPEAKER) == (["Ann Lamp"] if speaks else [])


def test_a_person_of_several_sessions_is_one_speaker() -> None:
    line = "ATTENDEE;CN=Ann Lamp:mailto:ann@lamp.example"
    conference, _ = read(calendar(*(f"{START}\nUID:{n}\nSUMMARY:{n}\n{line}" for n in "ab")))
    [ann] = conference.records[Kind.SPEAKER]
    assert ann.values == {"name": "Ann Lamp", "email": "ann@lamp.example"}


ADDRESSES: Final = """\
ATTENDEE;CN=Ann Lamp;SENT-BY="mailto:a1@lamp.example";EMAIL=a2@lamp.example:mailto:a3@lamp.example
ATTENDEE;CN=Ann Lamp:mailto:a4@lamp.example
ATTENDEE;PARTSTAT=ACCEPTED;CN=a5@lamp.example:mailto:a6@lamp.example
ATTENDEE;CN="Bea a7@lamp.example":invalid:nomail
ORGANIZER;CN=Office:mailto:a8@lamp.example
CONTACT:Jim\\, a9@lamp.example
X-MAIL;X-FROM=a10@lamp.example:mailto:a11@lamp.example
COMMENT:write to a12@lamp.example
a13@lamp.example
BEGIN:VALARM
ATTENDEE:mailto:a14@lamp.example
END:VALARM
"""


def test_no_address_is_public() -> None:
    before = "X-OWNER:a15@lamp.example\nBEGIN:VTODO\nORGANIZER:mailto:a16@lamp.example\nEND:VTODO\n"
    conference, report = read(calendar(f"{START}\nUID:a\nSUMMARY:A\n{ADDRESSES}", before=before))
    private = {"email", "mobile"}
    for records in conference.records.values():
        for record in records:
            public = {name: each for name, each in record.values.items() if name not in private}
            shown = json.dumps([public, record.extra, record.key], default=str)
            assert "@lamp.example" not in shown
    assert "address-hidden" in codes(report)


# Nothing is lost.


@pytest.mark.parametrize("text", CALENDARS.values(), ids=CALENDARS)
def test_all_that_a_calendar_says_is_somewhere(text: str) -> None:
    """Each word of a property is in a record, or decides how others are read."""
    conference, report = read(text)
    known = " ".join(
        str(each)
        for records in conference.records.values()
        for record in records
        for each in (record.values, record.extra, record.key, record.references)
    )
    for component in Calendar.from_ical(text).walk():
        if component.name in {"VTIMEZONE", "STANDARD", "DAYLIGHT"}:
            continue
        items: Any = component.property_items(recursive=False)
        for name, value in items:
            if name in CONSUMED:
                continue
            said = Property(name, value.to_ical().decode()).text
            for word in re.findall(r"\w+", said):
                assert word in known, (name, said)
    assert not report.errors


CONSUMED: Final = frozenset(
    [
        *("BEGIN", "END", "DTSTART", "DTEND", "STATUS", "VERSION", "TZID", "VTIMEZONE", "CLASS"),
        *("X-WR-TIMEZONE", "GEO", "ATTENDEE", "ORGANIZER"),
    ]
)
"""Properties that are read as something else than their text; other tests show as what."""


def test_properties_that_are_unknown_are_kept() -> None:
    lines = """\
X-LAMPS;X-COLOUR=red:3
X-LAMPS:4
PRIORITY:5
CONFERENCE;VALUE=URI;LABEL=Stream:https://live.lamp.example/
ATTACH:https://lamp.example/talk.pdf
ATTACH:https://lamp.example/more.pdf
ATTACH;FMTTYPE=audio/mpeg:https://lamp.example/sound
STATUS:TENTATIVE
GEO:1;200
"""
    session, report = only(f"{START}\nSUMMARY:A\n{lines}")
    assert session.extra["x-lamps"] == ["3", "4"]
    assert session.extra["x-lamps;x-colour"] == "red"
    assert session.extra["priority"] == "5"
    assert session.extra["conference"] == "https://live.lamp.example/"
    assert session.extra["conference;label"] == "Stream"
    assert session.values["slides_url"] == "https://lamp.example/talk.pdf"
    assert session.values["audio_url"] == "https://lamp.example/sound"
    assert session.extra["attach"] == "https://lamp.example/more.pdf"
    assert (session.values["state"], session.extra["status"]) == ("accepted", "TENTATIVE")
    assert session.extra["geo"] == "1;200"
    assert "unknown-key" in codes(report)


def test_properties_of_the_calendar() -> None:
    before = """\
NAME:Other name
X-WR-CALDESC:About lamps
URL:https://lamp.example/
COLOR:turquoise
X-UNKNOWN:a
BEGIN:VTODO
SUMMARY:Buy lamps
END:VTODO
"""
    conference, report = read(calendar(f"{START}\nSUMMARY:A", before=before))
    event = conference.event
    assert event.values["name"] == "Lantern Days"
    assert event.values["description"] == "About lamps"
    assert event.values["external_event_url"] == "https://lamp.example/"
    assert event.extra["name"] == "Other name"
    assert event.extra["color"] == "turquoise"
    assert event.extra["x-unknown"] == "a"
    assert event.extra["vtodo"] == [{"summary": "Buy lamps"}]
    assert "other-component" in codes(report)


def test_the_name_of_the_user_counts() -> None:
    conference, _ = read(PLAIN_CALENDAR, name="Lamp Days")
    assert conference.event.values["name"] == "Lamp Days"


def test_repeated_properties_are_kept() -> None:
    lines = "SUMMARY;LANGUAGE=de:A\nSUMMARY;LANGUAGE=en:B\nLOCATION:C\nLOCATION:D\nSTATUS:CONFIRMED"
    session, report = only(f"{START}\n{lines}\nDTEND:20270501T090000Z\nDURATION:PT2H")
    assert session.values["title"] == "A"
    assert session.extra["summary"] == "B"
    assert session.extra["location"] == "D"
    assert session.extra["dtend"] == "20270501T090000Z"
    assert session.extra["duration"] == "PT2H"
    assert "unknown-key" in codes(report)


def test_calendars_of_several_zones() -> None:
    other = PLAIN_CALENDAR.replace("Europe/Berlin", "Asia/Tokyo").replace("UID:op", "UID:p")
    conference, _ = read(PLAIN_CALENDAR + other)
    assert conference.event.values["timezone"] == "Europe/Berlin"
    assert conference.event.extra["x-wr-timezone"] == "Asia/Tokyo"
    assert [each.values["starts_at"] for each in sessions(conference)] == [
        utc("2027-05-01T01:00"),
        utc("2027-05-01T08:00"),
    ]


def test_the_language_of_the_user_counts_for_sessions_that_name_none() -> None:
    conference, _ = read(PLAIN_CALENDAR, language="de")
    assert sessions(conference)[0].values["language"] == "de"


def test_a_private_session_is_reported() -> None:
    _, report = only(f"{START}\nSUMMARY:A\nCLASS:PRIVATE")
    assert "private-session" in codes(report)


def test_a_calendar_in_a_zip() -> None:
    text = PLAIN_CALENDAR.replace("LOCATION", "ATTACH:slides/talk.pdf\r\nLOCATION")
    data = zip_of({}, {"a/cal.ics": text.encode(), "a/slides/talk.pdf": b"%PDF-"})
    with Source.open(io.BytesIO(data), ArchiveLimits(), report := Report()) as source:
        assert detect(source) is ICAL
        conference = ICAL.reader(source, ReadOptions(), report)
    assert sessions(conference)[0].values["slides_url"] == "slides/talk.pdf"
    assert conference.files.find("slides/talk.pdf") is not None


# Hostile calendars.


def many_lines() -> str:
    return calendar(f"{START}\nSUMMARY:A\n" + "X-A:b\n" * 1_000_000)


HOSTILE: Final[dict[str, tuple[Callable[[], str], str]]] = {
    "a zone of 1 MB": (
        lambda: calendar(f"DTSTART;TZID={'A' * 2**20}:20270501T100000"),
        "MAX_TEXT_LENGTH",
    ),
    "a long line": (lambda: calendar("SUMMARY:" + "a" * 5_000_000), "MAX_TEXT_LENGTH"),
    "a long folded line": (
        lambda: calendar("SUMMARY:" + "a\n " * 1_500_000),
        "MAX_TEXT_LENGTH",
    ),
    "a million lines": (many_lines, "MAX_RECORD_VALUES"),
    "a million lines of text": (
        lambda: calendar("DESCRIPTION:a\n" + "some words\n" * 1_000_000),
        "MAX_RECORD_VALUES",
    ),
    "many blank lines": (lambda: "BEGIN:VCALENDAR" + "\n" * 2_000_001, "MAX_VALUES"),
    "a large event": (
        lambda: calendar(("X-A:" + "b" * 900_000 + "\n") * 5),
        "MAX_RECORD_BYTES",
    ),
    "many events": (lambda: calendar(*["SUMMARY:a"] * 10_001), "MAX_RECORDS"),
    "components within components": (
        lambda: calendar("BEGIN:VALARM\n" * 100_000),
        "MAX_JSON_DEPTH",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "setting"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_calendar_is_an_explained_error(make: Callable[[], str], setting: str) -> None:
    limits = ArchiveLimits(max_records=10_000) if setting == "MAX_RECORDS" else None
    with pytest.raises(ArchiveError, match=setting):
        read(make(), limits)


def test_a_zone_with_a_long_name_is_unknown() -> None:
    text = calendar(f"DTSTART;TZID={'A' * 9_000}:20270501T100000\nDURATION:PT1H\nSUMMARY:A")
    conference, report = read(text)
    assert sessions(conference)[0].values["starts_at"] == utc("2027-05-01T08:00")
    assert "timezone" in codes(report)


def test_a_long_header_is_kept_unread() -> None:
    session, report = only(f"{START}\nSUMMARY:A\nX-A;X-B={'c' * 20_000}:d")
    assert len(session.extra["broken_lines"][0]) > 20_000
    assert "broken-line" in codes(report)


@pytest.mark.without_coverage
@pytest.mark.slow
def test_the_memory_for_a_large_calendar_is_bounded() -> None:
    event = f"{START}\nSUMMARY:A\nDESCRIPTION:{'words ' * 100}"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read(calendar(*(f"{event}\nUID:{n}" for n in range(20_000))))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 500 * 1024


# Generated calendars.

WORDS: Final = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp", "Zs"), exclude_characters="<>&@`*_\\")
    | st.just(" "),
    min_size=1,
    max_size=30,
).map(lambda text: " ".join(text.split()) or "Lamp")
ZONES: Final = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])
TALKS: Final = st.fixed_dictionaries(
    {
        "title": WORDS,
        "text": WORDS,
        "room": WORDS.filter(lambda text: "://" not in text),
        "track": WORDS,
        "starts": st.integers(0, 4 * 24 * 60).map(
            lambda minutes: datetime.fromisoformat("2027-05-01") + timedelta(minutes=minutes)
        ),
        "minutes": st.integers(5, 300),
        "speakers": st.lists(WORDS.filter(lambda name: '"' not in name), max_size=3, unique=True),
        "by_length": st.booleans(),
    }
)


def written(talks: list[dict[str, Any]], zone: str) -> bytes:
    made = Calendar()
    made.add("prodid", "-//tests//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", "Lantern Days")
    for number, talk in enumerate(talks):
        event = Event()
        event.add("uid", f"talk-{number}")
        start = talk["starts"].replace(tzinfo=ZoneInfo(zone))
        event.add("dtstart", start)
        if talk["by_length"]:
            event.add("duration", timedelta(minutes=talk["minutes"]))
        else:
            event.add("dtend", start + timedelta(minutes=talk["minutes"]))
        event.add("summary", talk["title"])
        event.add("description", talk["text"])
        event.add("location", talk["room"])
        event.add("categories", [talk["track"]])
        for name in talk["speakers"]:
            address = vCalAddress("invalid:nomail")
            address.params["CN"] = vText(name)
            event.add("attendee", address, encode=False)
        made.add_component(event)
    made.add_missing_timezones()
    return bytes(made.to_ical())


@given(st.lists(TALKS, min_size=1, max_size=5), ZONES)
def test_what_icalendar_writes_is_read_back(talks: list[dict[str, Any]], zone: str) -> None:
    conference, report = read(written(talks, zone))
    found = {record.key: record for record in conference.records[Kind.SESSION]}
    assert len(found) == len(talks)
    for number, talk in enumerate(talks):
        session = found[f"talk-{number}"]
        start = talk["starts"].replace(tzinfo=ZoneInfo(zone))
        assert session.values["title"] == talk["title"]
        assert session.values["long_abstract"] == talk["text"]
        assert session.values["starts_at"] == start
        assert session.values["ends_at"] == start + timedelta(minutes=talk["minutes"])
        assert label(session, "microlocation") == [talk["room"]]
        assert label(session, "track") == [talk["track"]]
        assert label(session, "speakers") == talk["speakers"]
    assert conference.event.values["timezone"] == zone
    assert not report.errors


def assert_explained(data: bytes) -> None:
    report = Report()
    try:
        with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
            conference = ICAL.reader(source, ReadOptions(timezone="Europe/Berlin"), report)
    except ArchiveError:
        assert report.errors
        return
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    assert report.errors or conference.records[Kind.EVENT]
    assert "\0" not in json.dumps(report.as_dict(), ensure_ascii=False, allow_nan=False)


LINES: Final = [
    *("BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END"),
    *("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY;COUNT=3", "RDATE:20270501", "EXDATE:x", "BEGIN:"),
    *("RECURRENCE-ID:20270501T080000Z", "DTSTART:20270501", "DTEND:20260101T000000Z", "UID:a"),
    *("DTSTART;TZID=:20270501T100000", "DURATION:PT0S", ":", ";", "SUMMARY", "X;A:", 'X;A=":b'),
    *("TZOFFSETTO:+2500", "DTSTART:99980101T000000", "GEO:nan;inf", "SEQUENCE:٣", "\x00", " x"),
]


@settings(max_examples=300)
@given(
    st.sampled_from(list(CALENDARS.values())),
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from([*LINES, None])), max_size=12),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
def test_mutants_end_in_an_event_or_an_explanation(
    text: str, changes: list[tuple[int, str | None]], encoding: str
) -> None:
    lines = text.splitlines()
    for position, line in changes:
        place = position % len(lines)
        lines[place : place + 1] = [] if line is None and len(lines) > 1 else [line or ":"]
    assert_explained("\n".join(lines).encode(encoding, "replace"))


@given(st.sampled_from(list(CALENDARS.values())), st.integers(0, 2**32))
def test_damaged_bytes_end_in_an_event_or_an_explanation(text: str, seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    assert_explained(bytes(data))


# Real calendars.


def described(conference: Conference) -> dict[str, Any]:
    """What is expected of a real calendar, without its texts."""
    found = sorted(
        conference.records[Kind.SESSION],
        key=lambda each: (each.values["starts_at"], each.values["title"], str(each.key)),
    )
    zone = conference.zone
    counts = conference.counts()
    picked = [found[0], found[len(found) // 2], found[-1]]
    night = [each for each in found if each.values["starts_at"].astimezone(zone).hour < 6]
    return {
        "counts": {name: counts[name] for name in _COUNTED if counts[name]},
        "days": len({each.values["starts_at"].astimezone(zone).date() for each in found}),
        "timezone": conference.event.values["timezone"],
        "first": found[0].values["starts_at"].isoformat(),
        "last": found[-1].values["starts_at"].isoformat(),
        "night": night[0].values["starts_at"].isoformat() if night else None,
        "picked": [
            digest(
                [
                    each.values["title"],
                    label(each, "microlocation"),
                    label(each, "track"),
                    len(label(each, "speakers")),
                ]
            )
            for each in picked
        ],
    }


_COUNTED: Final = ("sessions", "speakers", "tracks", "microlocations", "session_types")


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


REAL: Final[dict[str, dict[str, Any]]] = {
    "daylight_saving_time": {
        "counts": {"sessions": 215, "microlocations": 20},
        "days": 203,
        "timezone": "Europe/Berlin",
        "first": "2017-06-29T17:00:00+00:00",
        "last": "2019-06-22T09:00:00+00:00",
        "night": "2017-10-06T22:00:00+00:00",
        "picked": ["bdce12e2966d", "b2bdd59faf92", "bb5503451c83"],
    },
    "duration": {
        "counts": {"sessions": 3},
        "days": 3,
        "timezone": "Europe/Berlin",
        "first": "2018-01-09T23:00:00+00:00",
        "last": "2018-01-20T11:00:00+00:00",
        "night": "2018-01-09T23:00:00+00:00",
        "picked": ["f364c9849420", "dbcc59a99ffc", "138841ee9007"],
    },
    "each_week_but_two_deleted": {
        "counts": {"sessions": 6},
        "days": 6,
        "timezone": "Europe/Berlin",
        "first": "2019-03-03T23:30:00+00:00",
        "last": "2019-04-21T22:30:00+00:00",
        "night": "2019-03-03T23:30:00+00:00",
        "picked": ["fba5dd17b9dc", "fba5dd17b9dc", "fba5dd17b9dc"],
    },
    "jres_2022": {
        "counts": {"sessions": 120, "microlocations": 15},
        "days": 4,
        "timezone": "Europe/Paris",
        "first": "2022-05-17T09:00:00+00:00",
        "last": "2022-05-20T10:40:00+00:00",
        "night": None,
        "picked": ["e6bfec47cdf6", "d84b6d8d92e2", "c6ef9834a9df"],
    },
    "klimacamp2015_frab": {
        "counts": {"sessions": 106, "microlocations": 10},
        "days": 8,
        "timezone": "Europe/Berlin",
        "first": "2015-08-07T14:00:00+00:00",
        "last": "2015-08-14T09:30:00+00:00",
        "night": None,
        "picked": ["6a209e13a675", "3f30c1baba72", "be0aa6215be2"],
    },
    "kubecon_eu_2026_sched": {
        "counts": {"sessions": 596, "tracks": 26, "microlocations": 52},
        "days": 6,
        "timezone": "UTC",
        "first": "2026-03-22T07:00:00+00:00",
        "last": "2026-03-27T08:00:00+00:00",
        "night": "2026-03-25T05:30:00+00:00",
        "picked": ["d749ef0bb4c7", "2b0092ab1ab4", "a1509d3105fe"],
    },
    "moca24_dirty": {
        "counts": {"sessions": 88, "speakers": 69, "microlocations": 4},
        "days": 3,
        "timezone": "Europe/Rome",
        "first": "2024-09-13T10:00:00+00:00",
        "last": "2024-09-15T13:00:00+00:00",
        "night": None,
        "picked": ["0efb2f91b8b8", "bbcd00f77eb3", "5c359344729f"],
    },
    "pyconau_2023_pretalx": {
        "counts": {"sessions": 94, "microlocations": 4},
        "days": 3,
        "timezone": "Australia/Adelaide",
        "first": "2023-08-17T23:30:00+00:00",
        "last": "2023-08-20T07:20:00+00:00",
        "night": None,
        "picked": ["4aa92aaaa3e1", "1a251b7ee1fb", "fbe3b0a784d9"],
    },
    "xwr_moved-event-RECURRENCE-ID": {
        "counts": {"sessions": 2},
        "days": 2,
        "timezone": "Europe/Berlin",
        "first": "2021-11-26T20:30:00+00:00",
        "last": "2021-12-17T20:30:00+00:00",
        "night": None,
        "picked": ["71466285a6af", "71466285a6af", "71466285a6af"],
    },
    "xwr_single-event-no-tz": {
        "counts": {"sessions": 1},
        "days": 1,
        "timezone": "Europe/Brussels",
        "first": "2021-09-16T19:00:00+00:00",
        "last": "2021-09-16T19:00:00+00:00",
        "night": None,
        "picked": ["c5e99b49d6f8", "c5e99b49d6f8", "c5e99b49d6f8"],
    },
}
"""By the names of the files: counts as their README says, times, and digests."""


@pytest.mark.real_archives
@pytest.mark.parametrize("name", REAL)
def test_a_real_calendar(real_formats: Path, name: str) -> None:
    data = (real_formats / "ics" / f"{name}.ics").read_bytes()
    # Only this one has local times without any zone.
    options: dict[str, Any] = {"timezone": "Europe/Berlin"} if name == "duration" else {}
    conference, report = read(data, **options)
    assert described(conference) == REAL[name]
    assert not report.errors


@pytest.mark.real_archives
def test_a_real_calendar_without_a_zone_fails_with_the_explanation(real_formats: Path) -> None:
    _, report = read((real_formats / "ics" / "duration.ics").read_bytes())
    assert [error.code for error in report.errors] == ["no-time-zone"]


@pytest.mark.real_archives
@pytest.mark.parametrize("name", [name for name in REAL if "_20" in name or "2015" in name])
def test_starts_of_a_real_calendar_are_those_that_its_library_reads(
    real_formats: Path, name: str
) -> None:
    data = (real_formats / "ics" / f"{name}.ics").read_bytes()
    events: Any = Calendar.from_ical(data.replace(b"\r\r\n", b"\r\n")).walk("VEVENT")
    starts = [each["DTSTART"].dt.astimezone(UTC) for each in events]
    conference, _ = read(data)
    assert sorted(starts) == [each.values["starts_at"] for each in sessions(conference)]
