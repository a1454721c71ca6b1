"""What all readers of schedules share: zones, day rules, persons, names, flavours of texts."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventimport.conference.conference import Conference
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.schedules.flavours import MAX_MARKDOWN, Flavour, read_text
from eventimport.formats.schedules.schedule import Person, Schedule, Session
from eventimport.formats.schedules.slots import (
    Slot,
    read_day_change,
    read_duration,
    slot_by_day_rules,
)
from eventimport.formats.schedules.zone_choice import choose_zone


def made(
    *sessions: Session, report: Report | None = None, zone: str | None = None, **options: Any
) -> tuple[Conference, Report]:
    report = report or Report()
    schedule = Schedule(report, ArchiveLimits(), entry="x", **options)
    schedule.event["name"] = "Lantern Days"
    schedule.named_zone = zone
    for session in sessions:
        schedule.add(session)
    return schedule.finish(), report


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def talk(title: str = "Opening", **given: Any) -> Session:
    slot = Slot(datetime(2027, 5, 1, 10, tzinfo=UTC), length=timedelta(minutes=30))
    return Session(**{"fields": {"title": title}, "slot": slot, **given})


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def links(conference: Conference, report: Report) -> dict[str, list[str]]:
    """The names of each session's speakers, as they are linked."""
    plan = make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    pairs = next(table.rows for table in plan.tables if table.table == "session_speakers")
    speakers = {each.new_id: each for each in conference.records[Kind.SPEAKER]}
    found: dict[str, list[str]] = {}
    for session in conference.records[Kind.SESSION]:
        found[session.values["title"]] = [
            f"{speakers[person].values['name']}/{speakers[person].key}"
            for one, person in pairs
            if one == session.new_id
        ]
    return found


def slot(**given: Any) -> Slot:
    return slot_by_day_rules(
        **{"date": None, "day": None, "start": None, "duration": None, **given}
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"date": "2027-05-01T23:30:00+02:00", "day": "2027-05-01"}, "2027-05-01T23:30:00+02:00"),
        # A date with an offset counts, whatever the day and the hour of the change of days are.
        (
            {
                "date": "2027-05-02T01:00:00+02:00",
                "day": "2027-05-01",
                "start": "01:00",
                "day_change": time(9),
            },
            "2027-05-02T01:00:00+02:00",
        ),
        ({"day": "2027-05-01", "start": "10:00"}, "2027-05-01T10:00:00"),
        ({"day": "2027-05-01", "start": "9:05"}, "2027-05-01T09:05:00"),
        ({"day": "2027-05-01", "start": "10:00:30"}, "2027-05-01T10:00:30"),
        ({"day": "2027-05-01", "start": "00:30"}, "2027-05-02T00:30:00"),
        ({"day": "2027-05-01", "start": "05:59"}, "2027-05-02T05:59:00"),
        ({"day": "2027-05-01", "start": "06:00"}, "2027-05-01T06:00:00"),
        ({"day": "2027-05-01", "start": "08:00", "day_change": time(9)}, "2027-05-02T08:00:00"),
        ({"day": "2027-05-01", "start": "24:30"}, "2027-05-02T00:30:00"),
        ({"day": "2027-05-01", "start": "25:30"}, "2027-05-02T01:30:00"),
        # A day without an offset is that of the calendar.
        ({"date": "2027-05-02", "day": "2027-05-01", "start": "00:30"}, "2027-05-02T00:30:00"),
        ({"date": "2027-05-02T00:30:00", "start": "00:30"}, "2027-05-02T00:30:00"),
        ({"day": "2027-05-01", "start": "2027-05-01 10:00"}, "2027-05-01T10:00:00"),
        ({"day": "2027-05-01T09:00:00+02:00", "start": "10:00"}, "2027-05-01T10:00:00"),
        ({"date": " ", "day": "2027-05-01", "start": " 10:00 "}, "2027-05-01T10:00:00"),
    ],
)
def test_the_start_of_a_session(given: dict[str, Any], expected: str) -> None:
    found = slot(**given)
    assert found.starts is not None
    assert found.starts.isoformat() == expected
    assert not found.doubts


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"day": "2027-05-01", "start": "soon"}, "start"),
        ({"day": "someday", "start": "10:00"}, "start"),
        ({"start": "10:00"}, "start"),
        ({"date": "x", "day": "2027-05-01"}, "date"),
        ({"date": "2027-05-01T10:00:00Z", "duration": "long"}, "duration"),
        ({"date": "2027-05-01T10:00:00Z", "duration": "6944:11:40"}, "duration"),
        ({"date": "2027-05-01T10:00:00Z", "end": "late"}, "end"),
    ],
)
def test_what_is_not_a_time_is_kept(given: dict[str, Any], field: str) -> None:
    [doubt] = slot(**given).doubts
    assert (doubt.field, doubt.kept) == (field, True)
    _, report = made(talk(slot=slot(**given)))
    assert any(finding.code == doubt.code for finding in report.findings)


@pytest.mark.parametrize(
    ("text", "days_first", "minutes", "is_doubtful"),
    [
        ("00:30", False, 30, False),
        ("1:30", False, 90, False),
        ("100:00", False, 6000, False),
        ("00:30:00", False, 30, False),
        ("00:50:00", True, 50, True),
        ("1:12:00", True, 36 * 60, False),
        ("1:12:00", False, 72, True),
        ("1:00:00", False, 60, True),
        ("2:45:00", False, 165, False),
        ("135.0:00", True, 135, True),
        ("45", False, 45, True),
        ("PT1H30M", False, 90, False),
        ("P1DT2H", False, 26 * 60, False),
    ],
)
def test_durations(text: str, days_first: bool, minutes: int, is_doubtful: bool) -> None:
    found = read_duration(text, days_first=days_first)
    assert found is not None
    if text == "00:50:00":
        # No hour 50: it cannot be days, hours and minutes.
        assert (found.value, found.doubt) == (timedelta(minutes=50), None)
        return
    assert found.value == timedelta(minutes=minutes)
    assert bool(found.doubt) == is_doubtful


@pytest.mark.parametrize("text", ["", "x", "1:60:60", "P", "PT", "-1:00", "99999:00", "1:2:3:4"])
def test_no_duration(text: str) -> None:
    assert read_duration(text) is None


@given(st.text(max_size=20))
def test_any_text_is_a_slot(text: str) -> None:
    found = slot(date=text, day=text, start=text, duration=text, end=text)
    assert found.starts is None or 1 < found.starts.year < 9999
    read_day_change(text)


def test_an_end_settles_a_doubtful_duration() -> None:
    found = slot(date="2027-05-01T10:00:00Z", duration="1:12:00", end="2027-05-01T11:12:00Z")
    assert not found.doubts


AWARE = [datetime.fromisoformat("2027-05-01T10:00:00+02:00")]
LOCAL = [local("2027-05-01 10:00")]
TWO_OFFSETS = [*AWARE, datetime.fromisoformat("2027-01-01T10:00:00+01:00")]
UTC_ONLY = [datetime(2027, 5, 1, 10, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("times", "given", "name", "is_doubtful"),
    [
        (AWARE, {"by_user": "Asia/Tokyo", "named": "Europe/Paris"}, "Asia/Tokyo", False),
        (AWARE, {"named": "Europe/Paris", "of_times": ["Asia/Tokyo"]}, "Europe/Paris", False),
        (AWARE, {"named": "Nowhere/Town", "of_times": ["Asia/Tokyo"]}, "Asia/Tokyo", False),
        (AWARE, {"of_times": ["Asia/Tokyo", "Asia/Seoul", "Asia/Seoul"]}, "Asia/Seoul", False),
        (AWARE, {}, "+02:00", True),
        ([*AWARE, *LOCAL], {}, "+02:00", True),
        (TWO_OFFSETS, {}, "Europe/Berlin", True),
        (UTC_ONLY, {}, "UTC", True),
        ([], {}, "UTC", True),
        (LOCAL, {}, None, False),
        ([*UTC_ONLY, *LOCAL], {}, None, False),
    ],
)
def test_the_time_zone(
    times: list[datetime], given: dict[str, Any], name: str | None, is_doubtful: bool
) -> None:
    choice = choose_zone(times, **{"by_user": None, "named": None, **given})
    assert choice.name == name
    assert bool(choice.doubt) == is_doubtful


def test_local_times_without_a_zone_fail_with_the_explanation() -> None:
    schedule = Schedule(report := Report(), ArchiveLimits(), entry="x")
    schedule.event["name"] = "Lantern Days"
    schedule.places = ["Nowhere", "Tokyo"]
    schedule.add(talk(slot=Slot(local("2027-05-01 10:00"))))
    schedule.finish()
    [error] = report.errors
    assert error.code == "no-time-zone"
    assert "`timezone`" in error.message
    assert "01:00 UTC if it is “Asia/Tokyo”, 08:00 UTC if it is “Europe/Berlin”" in error.message


@pytest.mark.parametrize(("zone", "option"), [("Asia/Tokyo", None), (None, "Asia/Tokyo")])
def test_local_times_are_in_the_zone(zone: str | None, option: str | None) -> None:
    there = Slot(local("2027-05-01 10:00"), length=timedelta(hours=1))
    conference, report = made(talk(slot=there), zone=zone, time_zone=option)
    [session] = conference.records[Kind.SESSION]
    assert session.values["starts_at"] == datetime(2027, 5, 1, 1, tzinfo=UTC)
    assert session.values["ends_at"] == datetime(2027, 5, 1, 2, tzinfo=UTC)
    assert conference.event.values["timezone"] == "Asia/Tokyo"
    assert conference.event.values["starts_at"] == datetime(2027, 5, 1, 1, tzinfo=UTC)
    assert codes(report) == ["no-offset"]


def test_a_length_counts_over_a_change_of_the_clocks() -> None:
    night = Slot(local("2027-03-28 01:00"), length=timedelta(hours=2))
    conference, _ = made(talk(slot=night), zone="Europe/Berlin")
    [session] = conference.records[Kind.SESSION]
    assert session.values["ends_at"] - session.values["starts_at"] == timedelta(hours=2)


def test_the_zone_of_the_user_counts_and_the_other_is_kept() -> None:
    conference, report = made(talk(), zone="Europe/Paris", time_zone="Asia/Tokyo")
    assert conference.event.values["timezone"] == "Asia/Tokyo"
    assert conference.event.extra["time_zone_name"] == "Europe/Paris"
    assert "other-timezone" in codes(report)


@pytest.mark.parametrize(
    ("clock", "zone", "code"),
    [
        (time(12), "Europe/Berlin", None),
        (time(10), "Europe/Berlin", "start-differs"),
        (time(10), None, "perhaps-local"),
        (time(12), None, None),
    ],
)
def test_a_clock_beside_a_date_is_checked(clock: time, zone: str | None, code: str | None) -> None:
    start = Slot(datetime(2027, 5, 1, 10, tzinfo=UTC), length=timedelta(hours=1), local_start=clock)
    conference, report = made(talk(slot=start), zone=zone)
    [session] = conference.records[Kind.SESSION]
    assert session.values["starts_at"] == datetime(2027, 5, 1, 10, tzinfo=UTC)
    assert [each for each in codes(report) if each != "no-time-zone"] == ([code] if code else [])


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        (
            [[Person(name="Ann", guid="g1", id="1")], [Person(name="Ann B.", guid="g1", id="2")]],
            ["Ann/g1", "Ann/g1"],
        ),
        (
            [[Person(name="Ann", code="C1")], [Person(name="Ann", code="C2")]],
            ["Ann/C1", "Ann/C2"],
        ),
        # One id, several people: merged files have this.
        ([[Person(name="Ann", id="1")], [Person(name="Bea", id="1")]], ["Ann/1", "Bea/1"]),
        ([[Person(name="Ann", id="1")], [Person(name=" Ann ", id="1")]], ["Ann/1", "Ann/1"]),
        ([[Person(name="Ann", id="1")], [Person(name="Ann", id="2")]], ["Ann/1", "Ann/2"]),
        ([[Person(name="Ann")], [Person(name="Ann")]], ["Ann/Ann", "Ann/Ann"]),
        ([[Person(name="Ann")], [Person(name="ann")]], ["Ann/Ann", "ann/ann"]),
    ],
)
def test_who_is_the_same_person(persons: list[list[Person]], expected: list[str]) -> None:
    sessions = [talk(str(n), persons=given, id=str(n)) for n, given in enumerate(persons)]
    conference, report = made(*sessions, zone="UTC")
    assert list(links(conference, report).values()) == [[name] for name in expected]
    assert len(conference.records[Kind.SPEAKER]) == len(set(expected))
    assert not report.errors


def test_several_people_of_one_name_are_reported() -> None:
    both = [Person(name="Ann", id="1"), Person(name="Ann", id="2")]
    _, report = made(talk(persons=both), zone="UTC")
    assert "same-name" in codes(report)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ann <ann@example.org>", "Ann"),
        ("Ann (ann@example.org)", "Ann"),
        ("ann@example.org", "ann"),
        ("mailto:ann@example.org", "ann"),
        ("Ann ann@example.org", "Ann"),
    ],
)
def test_no_address_is_public(name: str, expected: str) -> None:
    conference, _ = made(talk(persons=[Person(name=name, id="ann@example.org")]), zone="UTC")
    [speaker] = conference.records[Kind.SPEAKER]
    assert speaker.values == {"name": expected, "email": "ann@example.org"}
    assert speaker.key == expected
    assert speaker.extra["id"] == "ann@example.org"


def test_names_become_rows_once() -> None:
    conference, report = made(
        talk("a", room="Hall  1", track="Main", session_type="talk"),
        talk("b", room=" Hall 1 ", track="main", session_type="talk"),
        talk("c", room="", track=" ", session_type=None),
        zone="UTC",
    )
    names = {
        kind: [record.values["name"] for record in conference.records[kind]]
        for kind in (Kind.MICROLOCATION, Kind.TRACK, Kind.SESSION_TYPE)
    }
    assert names == {
        Kind.MICROLOCATION: ["Hall 1"],
        Kind.TRACK: ["Main", "main"],
        Kind.SESSION_TYPE: ["talk"],
    }
    assert conference.records[Kind.SESSION_TYPE][0].values["length"] == "00:30"
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    assert codes(report) == ["room-booked-twice"]
    keys = [set(record.foreign_keys) for record in conference.records[Kind.SESSION]]
    assert keys == [{"track_id", "microlocation_id", "session_type_id"}] * 2 + [set()]


def test_blanks_in_titles_do_not_count() -> None:
    conference, _ = made(
        talk(fields={"title": " Wax\n and  wick ", "subtitle": "a\tb "}), zone="UTC"
    )
    values = conference.records[Kind.SESSION][0].values
    assert (values["title"], values["subtitle"]) == ("Wax and wick", "a b")


def test_a_type_has_a_length_only_if_all_of_it_are_equally_long() -> None:
    long = Slot(datetime(2027, 5, 1, 10, tzinfo=UTC), length=timedelta(hours=1))
    conference, _ = made(
        talk(session_type="talk"), talk("b", session_type="talk", slot=long), zone="UTC"
    )
    assert "length" not in conference.records[Kind.SESSION_TYPE][0].values


def test_values_that_differ_are_kept() -> None:
    one = Person(name="Ann", id="1", fields={"short_biography": "a"})
    other = Person(name="Ann", id="1", fields={"short_biography": "b", "country": "NZ"})
    conference, report = made(talk(persons=[one]), talk("b", id="2", persons=[other]), zone="UTC")
    [ann] = conference.records[Kind.SPEAKER]
    assert (ann.values["short_biography"], ann.values["country"]) == ("a", "NZ")
    assert ann.extra["other_values"] == {"short_biography": ["b"]}
    assert "differing-values" in codes(report)


def test_repeated_talks_are_sessions_with_a_common_code() -> None:
    repeated = [talk(guid=f"g{n}", id="7", extra={"code": "ABCDEF"}) for n in range(3)]
    conference, report = made(*repeated, zone="UTC")
    sessions = conference.records[Kind.SESSION]
    assert [session.key for session in sessions] == ["g0", "g1", "g2"]
    assert {(each.extra["code"], each.extra["id"]) for each in sessions} == {("ABCDEF", "7")}
    assert codes(report) == ["administration"]


@pytest.mark.parametrize(
    ("source", "usual", "text", "flavour"),
    [
        ("plain\ntext", Flavour.PLAIN, "plain\ntext", Flavour.PLAIN),
        (" a < b ", Flavour.PLAIN, "a < b", Flavour.PLAIN),
        ("<p>a</p>", Flavour.PLAIN, "<p>a</p>", Flavour.HTML),
        ("<p>a</p>", Flavour.MARKDOWN, "<p>a</p>", Flavour.HTML),
        ("no tags", Flavour.HTML, "no tags", Flavour.PLAIN),
        ("no *marks", Flavour.MARKDOWN, "no *marks", Flavour.PLAIN),
        ("*so*", Flavour.MARKDOWN, "<p><em>so</em></p>", Flavour.MARKDOWN),
        ("a\nb", Flavour.MARKDOWN, "<p>a<br />\nb</p>", Flavour.MARKDOWN),
        ("a <b>b</b>", Flavour.MARKDOWN, "<p>a &lt;b&gt;b&lt;/b&gt;</p>", Flavour.MARKDOWN),
        ("[x](javascript:alert(1))", Flavour.MARKDOWN, None, Flavour.PLAIN),
        ("*" * (MAX_MARKDOWN + 1), Flavour.MARKDOWN, None, Flavour.PLAIN),
    ],
)
def test_flavours(source: str, usual: Flavour, text: str | None, flavour: Flavour) -> None:
    found = read_text(source, usual)
    assert found.text == (source if text is None else text)
    assert found.flavour is flavour


def test_the_source_of_a_rendered_text_is_kept() -> None:
    schedule = Schedule(report := Report(), ArchiveLimits(), entry="x")
    schedule.event["name"] = "Lantern Days"
    schedule.flavour = Flavour.MARKDOWN
    schedule.named_zone = "UTC"
    schedule.add(talk(fields={"title": "a", "long_abstract": "*b*", "short_abstract": "c"}))
    [session] = schedule.finish().records[Kind.SESSION]
    assert session.values["long_abstract"] == "<p><em>b</em></p>"
    assert session.extra["texts"] == {
        "long_abstract": {"flavour": "markdown", "source": "*b*"},
    }
    assert not report.findings


def fill(schedule: Schedule, count: int) -> None:
    for number in range(count):
        schedule.add(talk(room=str(number)))


def test_too_many_records_are_an_error() -> None:
    schedule = Schedule(Report(), ArchiveLimits(max_records=10), entry="x")
    with pytest.raises(ArchiveError, match="MAX_RECORDS"):
        fill(schedule, 20)
