"""schedule.xml of all producers is read, and all that it says is somewhere."""

import io
import json
import random
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from tests.formats.mutants import assert_explained
from tests.formats.planning import zip_of
from tests.formats.real_schedules import Expected, assert_expected, speakers_of
from tests.formats.schedule_samples import (
    DIALECTS,
    FOSDEM,
    FRAB,
    HAND_MADE,
    HUB,
    OPEN_EVENT_SERVER,
    PENTABARF,
    PLAIN,
    PRETALX,
    WAFER,
)

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats import detect
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.schedule_xml import SCHEDULE_XML
from eventimport.formats.source import Source


def read(
    data: str | bytes, limits: ArchiveLimits | None = None, **options: Any
) -> tuple[Conference, Report]:
    """The conference, planned, so that its links are known."""
    report = Report()
    content = data.encode() if isinstance(data, str) else data
    with Source.open(io.BytesIO(content), limits or ArchiveLimits(), report) as source:
        assert detect(source) is SCHEDULE_XML
        conference = SCHEDULE_XML.reader(source, ReadOptions(**options), report)
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return conference, report


def sessions(conference: Conference) -> dict[str, Record]:
    return {each.values["title"]: each for each in conference.records[Kind.SESSION]}


def names(conference: Conference, kind: Kind) -> list[str]:
    return [record.values["name"] for record in conference.records[kind]]


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_plain_schedule_is_read_without_findings() -> None:
    conference, report = read(PLAIN)
    assert not report.findings
    event = conference.event.values
    assert event["name"] == "Lantern Days"
    assert event["starts_at"] == utc("2027-04-30 22:00")
    assert event["ends_at"] == utc("2027-05-02 21:59")
    [opening] = conference.records[Kind.SESSION]
    assert opening.values == {
        "title": "Opening",
        "short_abstract": "Light a lantern.",
        "language": "en",
        "state": "confirmed",
        "starts_at": utc("2027-05-01 08:00"),
        "ends_at": utc("2027-05-01 08:30"),
    }
    assert set(opening.foreign_keys) == {"track_id", "microlocation_id", "session_type_id"}


def test_pentabarf_needs_a_zone_and_has_html() -> None:
    _, report = read(PENTABARF)
    [error] = report.errors
    assert error.code == "no-time-zone"
    assert "08:00 UTC if it is “Europe/Brussels”" in error.message
    conference, report = read(PENTABARF, timezone="Europe/Brussels")
    assert not report.errors
    found = sessions(conference)
    opening, night = found["Opening & Welcome"], found["Night"]
    assert opening.values["starts_at"] == utc("2009-05-02 08:00")
    assert night.values["starts_at"] == utc("2009-05-02 23:30")
    assert opening.values["short_abstract"] == "<p>AT&amp;T <b>opens</b></p>"
    assert opening.values["slides_url"] == "http://example.org/a.pdf"
    assert opening.extra["attachments"] == [
        {"@type": "slides", "@href": "http://example.org/a.pdf", "#text": "Slides"},
        {"@type": "other", "@href": "http://example.org/b.txt"},
    ]
    assert speakers_of(opening) == ["Ann Lee", "Bo Ek"]
    assert conference.event.values["location_name"] == "Old Mill, Brussels"
    assert conference.event.extra["release"] == "3.1"
    rooms = conference.records[Kind.MICROLOCATION]
    assert {each.values["name"]: each.values["position"] for each in rooms} == {
        "Hall": 0,
        "Cellar": 1,
    }


def test_fosdem_lists_tracks_and_persons_beside_the_conference() -> None:
    conference, report = read(FOSDEM)
    assert not report.errors
    [welcome] = conference.records[Kind.SESSION]
    assert welcome.values["ends_at"] - welcome.values["starts_at"] == timedelta(minutes=25)
    assert "ambiguous-duration" not in codes(report)
    [track] = conference.records[Kind.TRACK]
    assert track.extra == {"online_qa": "true", "slug": "main"}
    assert conference.event.extra["tracks"] == [{"name": "Unused", "online_qa": "false"}]
    [ann] = conference.records[Kind.SPEAKER]
    assert ann.values["short_biography"] == "<p>Short</p>"
    assert ann.values["long_biography"] == "Long"
    assert (ann.key, ann.extra["slug"]) == ("7", "ann")
    assert conference.records[Kind.MICROLOCATION][0].extra == {"slug": "janson"}


def test_frab_has_plain_text_and_relative_addresses() -> None:
    conference, report = read(FRAB)
    found = sessions(conference)
    opening, night = found["Opening"], found["Night"]
    assert opening.values["short_abstract"] == "first line\nsecond line"
    assert opening.values["long_abstract"] == "1 &lt; 2"
    assert "texts" not in opening.extra
    assert opening.extra["recording"] == {"license": "CC BY", "optout": "false"}
    assert night.values["starts_at"] == utc("2014-12-28 00:00")
    assert conference.event.values["timezone"] == "+01:00"
    assert "logo_url" not in conference.event.values
    assert conference.event.extra["logo"] == "/system/logo.png?1573676286"
    assert names(conference, Kind.SPEAKER) == ["Bo Ek", "Ann Lee"]
    assert {"relative-address", "no-time-zone"} <= codes(report)


def test_pretalx_repeats_talks_and_writes_markdown() -> None:
    conference, report = read(PRETALX)
    assert not report.errors
    lamps = [each for each in conference.records[Kind.SESSION] if each.values["title"] == "Lamps"]
    assert [each.extra["code"] for each in lamps] == ["ABCDEF"] * 2
    assert [each.values["starts_at"] for each in lamps] == [
        utc("2026-06-01 08:00"),
        utc("2026-06-01 12:00"),
    ]
    assert lamps[0].values["short_abstract"] == "<p>About <em>lamps</em></p>"
    assert "<li>a</li>" in lamps[0].values["long_abstract"]
    assert lamps[0].extra["texts"]["long_abstract"]["source"].startswith("First\nsecond\n- a")
    exhibition = sessions(conference)["Exhibition"].values
    assert exhibition["ends_at"] - exhibition["starts_at"] == timedelta(hours=28)
    assert "ambiguous-duration" not in codes(report)
    [track] = conference.records[Kind.TRACK]
    assert track.values["color"] == "#123456"
    assert conference.event.values["logo_url"] == "https://pretalx.example/media/logo.png"
    assert conference.event.extra["color"] == "#abc"


def test_wafer_writes_utc_and_a_day_early() -> None:
    conference, report = read(WAFER)
    opening = sessions(conference)["Opening"]
    assert opening.values["starts_at"] == utc("2023-09-10 05:00")
    assert "start-differs" not in codes(report)
    assert "<a href=" in opening.values["long_abstract"]
    [ann] = conference.records[Kind.SPEAKER]
    assert ann.values == {"name": "Ann Lee", "email": "ann@example.org"}
    assert "ann@example.org" not in json.dumps(ann.extra)
    assert names(conference, Kind.SESSION_TYPE) == ["Long talk"]


def test_hub_has_guids_only_and_repeats_one() -> None:
    conference, report = read(HUB)
    bold, workshop = conference.records[Kind.SESSION]
    assert {bold.extra["id"], workshop.extra["id"]} == {"1000001", "1000002"}
    assert "shared-id" in codes(report)
    bold = sessions(conference)["**Bold**"]
    assert bold.values["long_abstract"] == "<p>A <strong>bold</strong> text</p>"
    assert bold.extra["room"] == "Hall One"
    assert bold.extra["links"] == ["https://example.org/x"]
    assert names(conference, Kind.SPEAKER) == ["Ann Lee", "Ann Lee"]
    assert "same-name" in codes(report)
    assert conference.event.values["starts_at"] == utc("2024-12-27 09:30")
    assert not conference.records[Kind.TRACK]


def test_old_open_event_server_has_days_for_dates() -> None:
    conference, report = read(OPEN_EVENT_SERVER, timezone="Asia/Singapore")
    [glass] = conference.records[Kind.SESSION]
    assert glass.values["starts_at"] == utc("2017-03-17 01:30")
    assert "ends_at" not in glass.values
    assert "no-duration" in codes(report)
    assert glass.extra["full_conf_url"] == "x"


def test_hand_made_files_are_read() -> None:
    conference, report = read(HAND_MADE, timezone="Europe/Berlin")
    assert not report.errors
    assert conference.event.values["name"] == "Lantern & Friends"
    assert conference.event.values["external_event_url"] == "www.lantern.example"
    found = sessions(conference)
    wax, late, lunch = found["Wax <3 & wick"], found["Late"], found["Lunch"]
    assert speakers_of(wax) == ["Ann Lee", "Bo Ek"]
    assert wax.values["long_abstract"] == "<p>Real <b>markup</b></p>"
    assert late.values["starts_at"] == utc("2027-05-01 23:15")
    assert lunch.values["starts_at"] == utc("2027-05-01 10:00")
    assert names(conference, Kind.MICROLOCATION) == ["Barn", "Yard"]
    assert {"several-names", "address-in-name"} <= codes(report)
    bo = [each for each in conference.records[Kind.SPEAKER] if each.values["name"] == "Bo Ek"]
    assert [each.values.get("email") for each in bo] == ["bo@example.org"]


@pytest.mark.parametrize("sample", DIALECTS.values(), ids=DIALECTS)
def test_every_value_is_somewhere(sample: str) -> None:
    """Each text and attribute is in a value, in `extra`, or is the time of something."""
    conference, _ = read(sample, timezone="Europe/Berlin")
    kept = [
        [each.key, each.values, each.extra] for kind in Kind for each in conference.records[kind]
    ]
    everything = " ".join(json.dumps(kept, default=str, ensure_ascii=False).split())
    everything = re.sub(r"\\n|\\\"", lambda found: {"\\n": " ", '\\"': '"'}[found[0]], everything)
    root = etree.fromstring(sample.strip().encode())
    for element in root.iter():
        texts = [*element.attrib.values(), element.text or "", element.tail or ""]
        if (
            element.tag in {"start", "date", "duration", "day_change", "end"}
            or element.tag == "day"
        ):
            continue
        parent = element.getparent()
        if element.tag == "person" and parent is not None and parent.tag == "event":
            continue
        for text in filter(str.strip, texts):
            whole = " ".join(text.split())
            found = whole in everything or whole.replace("<", "&lt;") in everything
            assert found, (element.tag, whole)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        ("<feed/>", "not-a-schedule", "“feed”"),
        ("<iCalendar><vcalendar/></iCalendar>", "not-a-schedule", "“iCalendar”"),
        ("BEGIN:VCALENDAR", "not-xml", "not XML"),
        ("<schedule><day><entry/></day></schedule>", "not-a-schedule", "rooms"),
        ("<schedule><day></schedule>", "invalid-xml", "mismatch"),
        ("<!DOCTYPE schedule><schedule/>", "doctype", "DOCTYPE"),
    ],
)
def test_what_is_not_a_schedule_is_explained(data: str, code: str, words: str) -> None:
    report = Report()
    with (
        Source.open(io.BytesIO(data.encode()), ArchiveLimits(), report) as source,
        pytest.raises(ArchiveError),
    ):
        SCHEDULE_XML.reader(source, ReadOptions(), report)
    [error] = report.errors
    assert error.code == code
    assert words in error.message


def test_a_conference_without_a_title_has_its_acronym_or_what_the_user_says() -> None:
    untitled = PLAIN.replace("<title>Lantern Days</title>", "<acronym>ld27</acronym>")
    conference, report = read(untitled)
    assert conference.event.values["name"] == "ld27"
    assert "no-title" in codes(report)
    conference, _ = read(untitled, name="Lantern")
    assert conference.event.values["name"] == "Lantern"
    _, report = read(PLAIN.replace("<title>Lantern Days</title>", ""))
    assert "no-event-name" in codes(report)


def test_a_person_without_a_name_is_kept() -> None:
    conference, report = read(PLAIN.replace(">Ann Lee</person>", "/><person>Bo Ek</person>"))
    [session] = conference.records[Kind.SESSION]
    assert session.extra["persons_without_name"] == [{"id": "1"}]
    assert speakers_of(session) == ["Bo Ek"]
    assert "unknown-key" in codes(report)


def test_a_listed_person_has_a_photo() -> None:
    listed = "<persons><person id='1'><name>Ann Lee</name><avatar>a.png</avatar></person></persons>"
    base = "<base_url>https://lantern.example/x/</base_url></conference>"
    report = Report()
    with Source.open(
        io.BytesIO(PLAIN.replace("</conference>", base + listed).encode()), ArchiveLimits(), report
    ) as source:
        conference = SCHEDULE_XML.reader(source, ReadOptions(), report)
    [ann] = conference.records[Kind.SPEAKER]
    assert ann.values["photo_url"] == "https://lantern.example/x/a.png"


def test_a_namespace_does_not_matter() -> None:
    named = PLAIN.replace("<schedule>", '<schedule xmlns="urn:x-lantern">')
    assert sessions(read(named)[0]).keys() == {"Opening"}


def test_order_does_not_matter() -> None:
    start, end = PLAIN.index("  <conference>"), PLAIN.index("  <day")
    moved = PLAIN[:start] + PLAIN[end:].replace("</schedule>", PLAIN[start:end] + "</schedule>")
    assert read(moved)[0].event.values == read(PLAIN)[0].event.values


def test_a_schedule_may_lie_in_a_zip_beside_its_media() -> None:
    document = PLAIN.replace(
        "<track>", '<attachments><attachment href="a/x.pdf"/></attachments><track>'
    )
    data = zip_of({}, {"conf/schedule.xml": document.encode(), "conf/a/x.pdf": b"%PDF"})
    report = Report()
    with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
        assert detect(source) is SCHEDULE_XML
        conference = SCHEDULE_XML.reader(source, ReadOptions(), report)
    plan = make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    assert [each.origin for each in plan.media] == ["archive"]
    assert not report.findings


def test_several_schedules_in_a_zip_are_an_error() -> None:
    data = zip_of({}, {"a.xml": PLAIN.encode(), "b.xml": PLAIN.encode()})
    report = Report()
    with (
        Source.open(io.BytesIO(data), ArchiveLimits(), report) as source,
        pytest.raises(ArchiveError, match="several"),
    ):
        SCHEDULE_XML.reader(source, ReadOptions(), report)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1", "cp1252"])
def test_encodings_are_detected(encoding: str) -> None:
    named = encoding.removesuffix("-sig")
    document = PLAIN.replace('encoding="UTF-8"', f'encoding="{named}"').replace("Ann", "Zoë")
    conference, _ = read(document.encode(encoding))
    assert names(conference, Kind.SPEAKER) == ["Zoë Lee"]


@pytest.mark.parametrize(
    ("inner", "setting"),
    [
        ("<day><room name='a'>" + "<event/>" * 1_000 + "</room></day>", "MAX_RECORDS"),
        ("<day>" + "".join(f"<room name='{n}'/>" for n in range(1_000)) + "</day>", "MAX_RECORDS"),
        (
            "<persons>"
            + "".join(f"<person id='{n}'>x</person>" for n in range(1_000))
            + "</persons>",
            "MAX_RECORDS",
        ),
        ("<day date='2027-05-01'/>" * 1_000, "MAX_RECORD_BYTES"),
        ("<odd>x</odd>" * 1_000, "MAX_RECORD_BYTES"),
        ("<day><odd>x</odd></day>" * 1_000, "MAX_RECORD_BYTES"),
        ("<tracks>" + "<track a='b'>x</track>" * 1_000 + "</tracks>", "MAX_RECORD_BYTES"),
        ("x<version/>" * 5_000, "MAX_RECORD_BYTES"),
    ],
)
def test_everything_is_bounded(inner: str, setting: str) -> None:
    limits = ArchiveLimits(max_records=400, max_record_bytes=4_000)
    with pytest.raises(ArchiveError, match=rf"\b{setting}\b"):
        read(f"<schedule>{inner}<day><room name='x'/></day></schedule>", limits)


# Conferences that hypothesis makes, written by a simple writer of each dialect, and read back.

_WORDS = st.text(st.sampled_from("abcdeé ßñ中&<>'\"-.,*_[]()#"), min_size=1, max_size=12).map(
    lambda text: " ".join(text.split()) or "x"
)
_NAMES = _WORDS.filter(lambda name: "@" not in name)
_ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])


@st.composite
def conferences(draw: st.DrawFn) -> dict[str, Any]:
    """A title, a zone, and sessions in rooms at local times of two days."""
    people = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    return {
        "title": draw(_WORDS),
        "zone": draw(_ZONES),
        "sessions": [
            {
                "id": str(number),
                "title": draw(_WORDS),
                "room": draw(st.sampled_from(["Hall", "Cellar & Co", "<Roof>"])),
                "track": draw(st.sampled_from([None, "Light", "Dark"])),
                "persons": draw(st.lists(st.sampled_from(people), max_size=3, unique=True)),
                "day": draw(st.integers(0, 1)),
                "minute": draw(st.integers(0, 27 * 60)),
                "length": draw(st.integers(1, 23 * 60)),
            }
            for number in range(1, draw(st.integers(0, 5)) + 1)
        ],
    }


def written(conference: dict[str, Any], *, has_dates: bool) -> str:
    """The conference as a schedule.xml: with `<date>`, or as Pentabarf has it, by days."""
    zone = ZoneInfo(conference["zone"])
    days = []
    for number in range(2):
        day = date(2027, 6, 1) + timedelta(days=number)
        events = ""
        for each in conference["sessions"]:
            if each["day"] != number:
                continue
            minute = 6 * 60 + each["minute"] % (24 * 60)
            local = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
            when = local.replace(tzinfo=zone).isoformat()
            persons = "".join(f"<person>{escape(name)}</person>" for name in each["persons"])
            track = f"<track>{escape(each['track'])}</track>" if each["track"] else "<track/>"
            length = f"{each['length'] // 60:02}:{each['length'] % 60:02}"
            events += (
                f"<room name={quoteattr(each['room'])}><event id='{each['id']}'>"
                + (f"<date>{when}</date>" if has_dates else "")
                + f"<start>{local:%H:%M}</start><duration>{length}</duration>"
                f"<title>{escape(each['title'])}</title>{track}<persons>{persons}</persons>"
                "</event></room>"
            )
        days.append(f"<day index='{number + 1}' date='{day}'>{events}</day>")
    head = f"<title>{escape(conference['title'])}</title>"
    head += f"<time_zone_name>{conference['zone']}</time_zone_name>"
    return f"<schedule><conference>{head}</conference>{''.join(days)}</schedule>"


@pytest.mark.parametrize("has_dates", [True, False])
@given(conferences())
def test_what_is_written_is_read_back(has_dates: bool, given: dict[str, Any]) -> None:
    conference, report = read(written(given, has_dates=has_dates))
    assert not report.errors
    assert conference.event.values["name"] == given["title"]
    found = {each.key: each for each in conference.records[Kind.SESSION]}
    assert set(found) == {each["id"] for each in given["sessions"]}
    zone = ZoneInfo(given["zone"])
    for each in given["sessions"]:
        session = found[each["id"]]
        minute = 6 * 60 + each["minute"] % (24 * 60)
        day = date(2027, 6, 1 + each["day"])
        local = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
        assert session.values["title"] == each["title"]
        assert session.values["starts_at"] == local.replace(tzinfo=zone)
        lasts = session.values["ends_at"] - session.values["starts_at"]
        assert lasts == timedelta(minutes=each["length"])
        assert session.references["microlocation"][0].label == each["room"]
        track = session.references.get("track")
        assert (track[0].label if track else None) == each["track"]
        assert speakers_of(session) == each["persons"]
    assert Counter(names(conference, Kind.SPEAKER)) == Counter(
        {name for each in given["sessions"] for name in each["persons"]}
    )


_ODD_PARTS: Final = [
    *(
        b"&",
        b"<",
        b">",
        b"\x06",
        b"\xff",
        b"\xc3",
        b"&nbsp;",
        b"&#6;",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
    ),
    *(
        b"<room name='x'>",
        b"</room>",
        b"<event>",
        b"</event>",
        b"<day>",
        b"25:61",
        b"-1",
        b"9" * 400,
    ),
    *(b"2027-13-45T99:99:99+99:99", b"<persons><persons>", b"'", b'"', b"\0", b"", b"<x/>" * 50),
]


def mutant(sample: str, seed: int) -> bytes:
    """The sample, damaged in its bytes, its structure or its encoding."""
    source = random.Random(seed)
    data = bytearray(sample.strip().encode())
    kind = seed % 4
    if kind == 3:
        encoding = source.choice(["utf-16", "utf-32", "cp1252", "cp037", "utf-16-le"])
        return bytes(data).decode().encode(encoding, "replace")
    tags = [found.span() for found in re.finditer(rb"<[^<>]*>|>[^<>]+<", data)]
    for _ in range(source.randint(1, 5)):
        if kind == 0:
            data[source.randrange(len(data))] = source.randrange(256)
        elif kind == 1:
            start, end = source.choice(tags)
            data[start:end] = source.choice(_ODD_PARTS)
        else:
            start, other = source.choice(tags)[0], source.choice(tags)[1]
            data[source.randrange(len(data)) :][:0] = data[min(start, other) : max(start, other)]
            at = source.randrange(len(data))
            data[at:at] = data[min(start, other) : max(start, other)]
    return bytes(data)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_mutants_end_in_an_event_or_an_explanation(dialect: str) -> None:
    options = ReadOptions(timezone="Europe/Berlin")
    assert_explained(SCHEDULE_XML, options, partial(mutant, DIALECTS[dialect]))


# Real schedules. Nothing of them is in the project: what is expected are counts, times and hashes.


EXPECTED: Final = {
    "31c3_frab.xml": Expected(
        [4, 198, 8, 3, 138, 211],
        4168655862,
        [
            (0, "2014-12-27 10:00", 30, 2, 1172896343, 2354446229, 3993187115),
            (69, "2014-12-28 20:45", 60, 1, 1135522625, 2960647563, 955695786),
            (137, "2014-12-30 17:30", 60, 2, 1172896343, 2354446229, 4260368541),
            (34, "2014-12-27 23:00", 135, 1, 1172896343, 3467269438, 3481211322),
        ],
    ),
    "debconf23_wafer.xml": Expected(
        [5, 87, 12, 5, 117, 143],
        830781581,
        [
            (0, "2023-09-10 01:30", 210, 0, 3812048684, 2734121990, 2436707271),
            (58, "2023-09-13 07:00", 180, 0, 3812048684, 2734121990, 1958206992),
            (116, "2023-09-17 13:30", 210, 0, 3812048684, 2734121990, 560403408),
        ],
    ),
    "engelsystem_extended.xml": Expected(
        [1, 2, 1, 1, 1, 2],
        3101756194,
        [
            (0, "2042-01-01 10:30", 30, 2, 3634731323, 3892748945, 3133661595),
        ],
    ),
    "engelsystem_minimal.xml": Expected(
        [2, 0, 1, 1, 1, 0],
        2042640929,
        [
            (0, "2042-01-02 13:30", 30, 0, 1075969015, 3892748945, 3085766748),
        ],
    ),
    "engelsystem_multiple.xml": Expected(
        [3, 0, 4, 1, 5, 0],
        1152026970,
        [
            (0, "2042-10-02 10:00", 90, 0, 2682995291, 482264887, 3051977751),
            (2, "2042-10-02 11:00", 30, 0, 1202515553, 3892748945, 3490877075),
            (4, "2042-10-02 13:30", 30, 0, 1202515553, 3960019102, 213084444),
        ],
    ),
    "fosdem_2024.xml": Expected(
        [35, 945, 65, 6, 876, 1123],
        1532396036,
        [
            (0, "2024-02-03 08:30", 25, 2, 3702109990, 3738787026, 1681357719),
            (438, "2024-02-04 08:00", 10, 1, 654633749, 1313359341, 937103956),
            (875, "2024-02-04 16:00", 50, 1, 3702109990, 3738787026, 1826132946),
        ],
    ),
    "klimacamp2015_frab.xml": Expected(
        [11, 57, 4, 4, 106, 61],
        97573744,
        [
            (0, "2015-08-07 14:00", 90, 0, 3315596544, 2468031313, 1949006898),
            (53, "2015-08-11 09:30", 120, 0, 281724048, 1794392316, 3449067461),
            (105, "2015-08-14 09:30", 90, 0, 3527463710, 3306346651, 2401382564),
        ],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_schedules_are_read(name: str, real_formats: Path) -> None:
    conference, report = read((real_formats / "schedule-xml" / name).read_bytes())
    assert not report.errors
    assert_expected(conference, EXPECTED[name])


def test_all_real_schedules_have_expectations(real_formats: Path) -> None:
    assert {file.name for file in (real_formats / "schedule-xml").iterdir()} == set(EXPECTED)
