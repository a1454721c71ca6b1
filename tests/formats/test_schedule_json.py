"""schedule.json of all producers is read, and all that it says is somewhere."""

import copy
import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.mutants import assert_explained
from tests.formats.planning import zip_of
from tests.formats.real_schedules import (
    Expected,
    assert_expected,
    described,
    in_order,
    speakers_of,
)
from tests.formats.schedule_json_samples import (
    BESIDE,
    DIALECTS,
    FRAB_2015,
    FRAB_EVENTS,
    FRAB_NOW,
    HUB,
    PLAIN,
    PRETALX_NOW,
    PRETALX_OLD,
)

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats import detect
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.schedule_json import SCHEDULE_JSON
from eventimport.formats.schedule_xml import SCHEDULE_XML
from eventimport.formats.source import Source


def read(
    document: Any, limits: ArchiveLimits | None = None, **options: Any
) -> tuple[Conference, Report]:
    """The conference, planned, so that its links are known."""
    report = Report()
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with Source.open(io.BytesIO(data), limits or ArchiveLimits(), report) as source:
        assert detect(source) is SCHEDULE_JSON
        conference = SCHEDULE_JSON.reader(source, ReadOptions(**options), report)
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return conference, report


def sessions(conference: Conference) -> dict[str, Record]:
    return {each.values["title"]: each for each in conference.records[Kind.SESSION]}


def speakers(conference: Conference) -> dict[str, Record]:
    return {each.values["name"]: each for each in conference.records[Kind.SPEAKER]}


def names(conference: Conference, kind: Kind) -> list[str]:
    found = sorted(conference.records[kind], key=lambda each: each.index)
    return [record.values["name"] for record in found]


def label(session: Record, field: str) -> str | None:
    return next((each.label for each in session.references.get(field, ())), None)


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def changed(sample: dict[str, Any], **event: Any) -> dict[str, Any]:
    """A sample of the first schema whose first session has these values, too."""
    document = copy.deepcopy(sample)
    [day] = document["schedule"]["conference"]["days"]
    day["rooms"]["Hall"][0].update(event)
    return document


def test_a_plain_schedule_is_read_without_findings() -> None:
    conference, report = read(PLAIN)
    assert not report.findings
    assert conference.event.values["name"] == "Lantern Days"
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
    assert speakers_of(opening) == ["Ann Lee"]


def test_frab_of_2015_has_full_names_and_plain_text() -> None:
    conference, report = read(FRAB_2015)
    assert not report.errors
    [night] = conference.records[Kind.SESSION]
    assert night.values["starts_at"] == utc("2015-08-07 22:30")
    assert night.values["short_abstract"] == "first line\nsecond &lt; line"
    assert night.values["long_abstract"] == "A <b>real</b> tag"
    assert night.extra["logo"] == "/system/logos/38/a.png?1"
    assert night.extra["links"] == [{"url": "www.lantern.example", "title": "Camp"}]
    assert "track" not in night.references
    # One id of two persons: merged files have this.
    assert names(conference, Kind.SPEAKER) == ["Ann Lee", "Bo Ek"]
    assert names(conference, Kind.MICROLOCATION) == ["Hall", "Cellar"]
    [day] = conference.event.extra["schedule_days"]
    assert day["index"] == 0
    assert day["day_end"] == "2015-08-07T22:00:00+02:00"


def test_frab_says_how_it_may_be_recorded_and_has_relative_attachments() -> None:
    conference, report = read(FRAB_NOW)
    assert not report.errors
    [lamps] = conference.records[Kind.SESSION]
    assert lamps.values["short_abstract"] == "*stars* stay"
    assert lamps.values["slides_url"] == "https://frab.example/system/attachments/1/lamps.pdf?1"
    assert lamps.values["audio_url"] == "https://frab.example/talk.mp3"
    assert lamps.values["video_url"] == "https://media.example/lamps.mp4"
    assert lamps.extra["do_not_record"] is False
    assert lamps.extra["recording_license"] == "CC BY"
    slides, notes, recording = lamps.extra["attachments"]
    assert (slides["title"], notes["title"], recording["type"]) == ("Slides", "Notes", "media")
    ann, bo = speakers(conference)["Ann Lee"], speakers(conference)["Bo Ek"]
    assert (ann.key, ann.extra["id"], ann.extra["name"]) == ("p-1", "7", "Ann L.")
    assert bo.values == {"name": "Bo Ek", "email": "bo@example.org"}
    assert conference.event.extra["keywords"] == ["lamps"]


def test_old_pretalx_is_recognised_by_its_codes() -> None:
    conference, report = read(PRETALX_OLD)
    assert not report.errors
    first, second = conference.records[Kind.SESSION]
    assert (first.extra["id"], second.extra["id"]) == ("25", "25")
    assert first.values["ends_at"] - first.values["starts_at"] == timedelta(hours=28)
    assert first.values["short_abstract"] == "<p>About <em>lamps</em></p>"
    assert first.extra["answers"] == [{"question": {"en": "Shirt?"}, "answer": "L"}]
    [ann] = conference.records[Kind.SPEAKER]
    assert ann.key == "NQTF8Y"
    assert ann.values["short_biography"] == "<p>Lights <strong>lamps</strong></p>"
    assert ann.extra["answers"] == [{"question": 1, "answer": "yes"}]
    hall = conference.records[Kind.MICROLOCATION][-1]
    assert hall.extra == {"guid": "r-1", "capacity": 300}


def test_pretalx_has_links_translations_and_an_end() -> None:
    conference, report = read(PRETALX_NOW)
    assert not report.errors
    [lamps] = conference.records[Kind.SESSION]
    assert label(lamps, "track") == "Light"
    assert label(lamps, "session_type") == "Talk"
    assert lamps.extra["type"] == {"en": "Talk", "de": "Vortrag"}
    assert lamps.values["ends_at"] == utc("2026-06-01 07:30")
    assert lamps.extra["duration"] == "00:45"
    assert "end-differs" in codes(report)
    assert names(conference, Kind.TRACK) == ["Light", "Unused"]
    assert names(conference, Kind.MICROLOCATION) == ["Hall", "Attic", "Cellar"]
    [ann] = conference.records[Kind.SPEAKER]
    assert ann.values == {
        "name": "Ann Lee",
        "email": "ann@example.org",
        "photo_url": "https://pretalx.example/media/ann.png",
        "short_biography": "<p>Lights <strong>lamps</strong></p>",
        "github": "https://github.com/annlee",
        "website": "https://ann.example",
        "mastodon": "https://social.example/@ann",
        "linkedin": "https://www.linkedin.com/in/ann",
    }
    assert ann.extra["links"] == [{"url": "https://blog.example", "title": "My blog"}]
    assert (ann.key, ann.extra["code"]) == ("p-1", "NQTF8Y")
    event = conference.event
    assert event.values["logo_url"] == "https://pretalx.example/media/logo.png"
    assert event.values["external_event_url"] == "https://lantern.example"
    assert event.extra["base_url"] == "https://pretalx.example"


def test_hub_has_flat_events_and_lists_beside_them() -> None:
    conference, report = read(HUB)
    assert not report.errors
    found = sessions(conference)
    lamps, lunch, gone = found["Lamps"], found["Lunch"], found["Gone"]
    assert lamps.values["starts_at"] == utc("2027-12-27 23:15")
    assert lamps.values["short_abstract"] == "<p>Über <em>Lampen</em></p>"
    assert lamps.extra["short_abstract"] == {"de": "Über *Lampen*", "en": "About *lamps*"}
    assert lamps.values["slides_url"] == "https://hub.example/lamps.pdf"
    assert (lamps.values["state"], lamps.extra["state"]) == ("confirmed", "DELAYED")
    assert label(lamps, "microlocation") == "Hall"
    assert label(lamps, "track") == "Light"
    # The name is that of the list; who has no name anywhere is kept.
    assert speakers_of(lamps) == ["Ann Lee", "Bo Ek"]
    assert lamps.extra["roles"] == {"p-1": "SPEAKER", "p-2": "MODERATOR"}
    assert lamps.extra["participants"] == [{"guid": "p-9", "role": "GUEST"}]
    assert label(lunch, "session_type") == "BREAK"
    assert gone.values["state"] == "canceled"
    assert label(gone, "microlocation") == "Yard"
    assert names(conference, Kind.MICROLOCATION) == ["Hall", "Attic", "Yard"]
    assert names(conference, Kind.TRACK) == ["Light"]
    assert conference.records[Kind.TRACK][0].values["color"] == "#F9B000"
    assert [each["name"] for each in conference.event.extra["tracks"]] == ["Unused"]
    assert set(speakers(conference)) == {"Ann Lee", "Bo Ek", "Cy Ode"}
    ann = speakers(conference)["Ann Lee"]
    assert ann.values["mastodon"] == "https://social.example/@ann"
    assert ann.values["photo_url"] == "https://hub.example/ann.png"
    assert conference.event.values["description"] == "<p>Viele <em>Lampen</em></p>"
    assert "translated" in codes(report)


def test_files_made_by_hand_need_a_zone() -> None:
    _, report = read(BESIDE)
    [error] = report.errors
    assert error.code == "no-time-zone"
    assert "`timezone`" in error.message
    assert "08:00 UTC if it is “Europe/Brussels”" in error.message
    conference, report = read(BESIDE, timezone="Europe/Brussels")
    assert not report.errors
    assert conference.event.values["name"] == "wax27"
    found = sessions(conference)
    assert found["Wax"].values["starts_at"] == utc("2027-05-01 08:00")
    assert found["Wax"].values["ends_at"] == utc("2027-05-01 08:45")
    assert found["Wax"].values["slides_url"] == "https://wax.example/wax.pdf"
    assert found["Late"].values["starts_at"] == utc("2027-05-01 23:15")
    assert found["Elsewhere"].values["starts_at"] == utc("2027-05-01 10:00")
    # The room that it stands in counts.
    assert label(found["Elsewhere"], "microlocation") == "Yard"
    assert found["Elsewhere"].extra["room"] == "Barn"
    assert speakers_of(found["Wax"]) == ["Ann Lee", "Bo Ek"]
    assert found["Late"].extra["end"] == "02:00"


def test_all_sessions_of_frab_are_read_if_the_user_names_the_event() -> None:
    _, report = read(FRAB_EVENTS)
    assert {error.code for error in report.errors} == {"no-event-name"}
    conference, report = read(FRAB_EVENTS, name="Lantern Days")
    assert not report.errors
    lamps = sessions(conference)["Lamps"].values
    assert (lamps["starts_at"], lamps["ends_at"]) == (
        utc("2027-05-01 08:00"),
        utc("2027-05-01 09:00"),
    )
    assert "starts_at" not in sessions(conference)["Unscheduled"].values


def test_the_persons_of_frab_are_read_if_the_user_names_the_event() -> None:
    ann = {
        "id": 3,
        "full_public_name": "Ann Lee",
        "abstract": "Lights lamps",
        "description": "Long",
        "events": [{"id": 1, "title": "Lamps"}],
    }
    conference, report = read({"schedule_speakers": {"speakers": [ann]}}, name="Lantern Days")
    assert not report.errors
    [speaker] = conference.records[Kind.SPEAKER]
    assert speaker.key == "3"
    assert speaker.values == {
        "name": "Ann Lee",
        "short_biography": "Lights lamps",
        "long_biography": "Long",
    }
    assert speaker.extra["events"] == ann["events"]


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    elif isinstance(value, str) and value:
        yield key, value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield key, str(value)


TIMES: Final = {"date", "start", "end", "duration", "start_time", "end_time", "state"}
"""Keys whose values are read as times, or as states."""

IMPLIED: Final = {"GitHub", "Website", "activitypub", "ACTIVITYPUB", "MASTODON", "SLIDES"}
"""What links and attachments say of themselves that the fields' names say, too."""


@pytest.mark.parametrize("sample", DIALECTS.values(), ids=DIALECTS)
def test_every_value_is_somewhere(sample: dict[str, Any]) -> None:
    """Each text and number is in a value, in `extra`, or is the time of something."""
    conference, _ = read(sample, timezone="Europe/Berlin")
    kept = [
        [each.key, each.values, each.extra] for kind in Kind for each in conference.records[kind]
    ]
    everything = json.dumps(kept, default=str, ensure_ascii=False)
    for key, text in leaves(sample):
        quoted = json.dumps(text, ensure_ascii=False)[1:-1].replace(" < ", " &lt; ")
        in_name = text.partition(" <")[0] in everything
        implied = key in TIMES or text in IMPLIED
        assert implied or quoted in everything or in_name, (key, text)


def test_keys_that_no_one_knows_are_kept_with_one_finding_each() -> None:
    conference, report = read(changed(PLAIN, shoe={"size": [1, {"a": None}]}, hat=3))
    [opening] = conference.records[Kind.SESSION]
    assert opening.extra == {"shoe": {"size": [1, {"a": None}]}, "hat": 3}
    assert [finding.code for finding in report.findings] == ["unknown-key"] * 2


@pytest.mark.parametrize(
    ("event", "person"),
    [
        ({"name": "Ann Lee", "email": "ann@example.org"}, "Ann Lee"),
        ({"name": "Ann Lee", "contact": "mailto:ann@example.org"}, "Ann Lee"),
        ({"public_name": "ann@example.org"}, "ann"),
        ({"name": "Ann Lee", "id": "ann@example.org"}, "Ann Lee"),
        ({"name": "Ann Lee", "code": "ann@example.org"}, "Ann Lee"),
        ({"name": "Ann Lee", "links": [{"url": "mailto:ann@example.org"}]}, "Ann Lee"),
        ({"name": "Ann Lee", "links": ["mailto:ann@example.org"]}, "Ann Lee"),
        ({"name": "Ann <ann@example.org>"}, "Ann"),
        ({"name": "Ann Lee", "answers": ["ann@example.org"]}, "Ann Lee"),
    ],
)
def test_no_address_is_public(event: dict[str, Any], person: str) -> None:
    conference, report = read(changed(PLAIN, persons=[event]))
    assert not report.errors
    [ann] = conference.records[Kind.SPEAKER]
    public = {name: value for name, value in ann.values.items() if name != "email"}
    assert ann.values["name"] == person
    assert "ann@example.org" not in json.dumps([public, ann.key])
    # It is in fields that only the owner and admins see.
    assert "ann@example.org" in json.dumps([ann.values.get("email"), ann.extra])


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        ([{"guid": "g", "name": "Ann"}, {"guid": "g", "name": "Ann L."}], 1),
        ([{"code": "A", "name": "Ann"}, {"code": "B", "name": "Ann"}], 2),
        ([{"id": 1, "name": "Ann"}, {"id": 1, "name": "Bo"}], 2),
        ([{"id": 1, "public_name": "Ann"}, {"id": 1, "full_public_name": "Ann"}], 1),
        ([{"name": "Ann"}, "Ann"], 1),
        ([{"name": {"en": "Ann"}}, "Ann"], 1),
    ],
)
def test_who_is_the_same_person(persons: list[Any], expected: int) -> None:
    conference, _ = read(changed(PLAIN, persons=persons))
    assert len(conference.records[Kind.SPEAKER]) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Light", "Light"),
        ("light", "Light"),
        ({"slug": "light"}, "Light"),
        ({"guid": "t-1"}, "Light"),
        ({"name": "Dark"}, "Dark"),
        ({"slug": "dark"}, "dark"),
        ({"en": "Dark", "de": "Dunkel"}, "Dark"),
        (None, None),
        ("", None),
        (7, "7"),
        ([], None),
    ],
)
def test_tracks_in_all_spellings(given: Any, expected: str | None) -> None:
    document = changed(PLAIN, track=given)
    listed = [{"name": "Light", "slug": "light", "guid": "t-1"}]
    document["schedule"]["conference"]["tracks"] = listed
    conference, report = read(document)
    [opening] = conference.records[Kind.SESSION]
    assert label(opening, "track") == expected
    assert not report.errors


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b'{"weather": 1}', "not-a-schedule", "It has: weather"),
        (b"[]", "not-a-schedule", "neither"),
        (b"", "not-a-schedule", "neither"),
        (b'{"schedule": []}', "not-a-schedule", "neither"),
        (b"BEGIN:VCALENDAR", "json-syntax", "not valid JSON"),
        (b"<schedule/>", "json-syntax", "not valid JSON"),
        (b'{"schedule": {"conference": {"days": [', "json-syntax", "not valid JSON"),
        (b'{"schedule": {"conference": {}}} x', "json-syntax", "more text"),
    ],
)
def test_what_is_not_a_schedule_is_explained(data: bytes, code: str, words: str) -> None:
    report = Report()
    with (
        Source.open(io.BytesIO(data), ArchiveLimits(), report) as source,
        pytest.raises(ArchiveError),
    ):
        SCHEDULE_JSON.reader(source, ReadOptions(), report)
    [error] = report.errors
    assert error.code == code
    assert words in error.message


@pytest.mark.parametrize(
    "limits",
    [
        ("MAX_RECORDS", {"max_records": 3}),
        ("MAX_RECORD_BYTES", {"max_record_bytes": 3_000}),
        ("MAX_RECORD_VALUES", {"max_record_values": 20}),
        ("MAX_VALUES", {"max_values": 100}),
        ("MAX_TEXT_LENGTH", {"max_string_length": 900}),
        ("MAX_JSON_DEPTH", {"max_depth": 3}),
        ("MAX_DOCUMENT_BYTES", {"max_document_bytes": 5_000}),
    ],
    ids=lambda limits: limits[0],
)
def test_a_limit_is_named(limits: tuple[str, dict[str, Any]]) -> None:
    name, given = limits
    document = copy.deepcopy(PLAIN)
    [day] = document["schedule"]["conference"]["days"]
    odd = {
        "title": "x" * 1000,
        "deep": [[[[1]]]],
        "many": list(range(40)),
        "long": ["y" * 100] * 40,
    }
    day["rooms"]["Hall"] = [odd] * 5
    with pytest.raises(ArchiveError, match=name):
        read(document, ArchiveLimits(**given))


@pytest.mark.slow
def test_a_million_events_are_an_error() -> None:
    head, tail = b'{"schedule":{"conference":{"days":[{"rooms":{"a":[', b"{}]}}]}}}"
    data = head + b"{}," * 1_000_000 + tail
    with pytest.raises(ArchiveError, match="MAX_RECORDS"):
        read(data)


@pytest.mark.parametrize("part", ["{}", "[]", '{"rooms":{}}', '{"rooms":{"a":[]}}', "1", '"x"'])
def test_very_many_days_end(part: str) -> None:
    days = f"{part}," * 30_000
    data = f'{{"schedule":{{"conference":{{"title":"a","days":[{days}{part}]}}}}}}'.encode()
    with pytest.raises(ArchiveError, match="MAX_RECORDS"):
        read(data, ArchiveLimits(max_records=20_000))


@pytest.mark.parametrize(
    ("address", "base", "expected"),
    [
        ("talk.pdf", None, None),
        ("a/talk.pdf", None, None),
        ("/a/talk.pdf", None, None),
        ("www.lantern.example/talk.pdf", None, "https://www.lantern.example/talk.pdf"),
        ("//lantern.example/talk.pdf", None, "https://lantern.example/talk.pdf"),
        ("//[talk.pdf", None, None),
        ("talk.pdf", "https://lantern.example/27/", "https://lantern.example/27/talk.pdf"),
        ("/talk.pdf", "https://lantern.example/27/", "https://lantern.example/talk.pdf"),
        ("www.a.example/talk.pdf", "https://b.example", "https://www.a.example/talk.pdf"),
    ],
)
def test_relative_attachments(address: str, base: str | None, expected: str | None) -> None:
    audio = address.replace(".pdf", ".mp3")
    document = changed(PLAIN, attachments=[address, audio])
    document["schedule"]["base_url"] = base
    conference, report = read(document)
    [opening] = conference.records[Kind.SESSION]
    assert opening.values.get("slides_url") == expected
    if expected is None:
        # Both are kept, though they have one name.
        assert [address, audio] in (
            opening.extra.get("attachment"),
            opening.extra.get("attachments"),
        )
        assert not report.errors


def test_the_user_chooses_the_language_of_texts() -> None:
    conference, _ = read(HUB, language="en")
    assert conference.event.values["description"] == "<p>Many <em>lamps</em></p>"
    lamps = sessions(conference)["Lamps"].values
    assert lamps["short_abstract"] == "<p>About <em>lamps</em></p>"
    assert lamps["language"] == "de"


def test_keys_that_are_repeated_are_kept() -> None:
    text = json.dumps(PLAIN).replace('"title": "Lantern Days"', '"title": "A", "title": "B"')
    conference, _ = read(text.encode())
    assert conference.event.values["name"] == "A"
    assert conference.event.extra["repeated_keys"] == {"title": ["B"]}


def test_order_does_not_matter() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(each) for each in value] if isinstance(value, list) else value

    for sample in (PLAIN, HUB, PRETALX_NOW):
        one, other = read(sample)[0], read(turned(sample))[0]
        assert other.event.values == one.event.values
        assert [each.values for each in other.records[Kind.SESSION]] == [
            each.values for each in one.records[Kind.SESSION]
        ]


def test_a_schedule_may_lie_in_a_zip_beside_its_media() -> None:
    document = json.dumps(changed(PLAIN, attachments=[{"url": "a/x.pdf"}])).encode()
    data = zip_of({}, {"conf/schedule.json": document, "conf/a/x.pdf": b"%PDF"})
    report = Report()
    with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
        assert detect(source) is SCHEDULE_JSON
        conference = SCHEDULE_JSON.reader(source, ReadOptions(), report)
    plan = make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    assert [each.origin for each in plan.media] == ["archive"]
    assert not report.findings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings_are_detected(encoding: str) -> None:
    text = json.dumps(PLAIN, ensure_ascii=False, indent=2).replace("Ann", "Zoë")
    conference, _ = read(text.encode(encoding))
    assert names(conference, Kind.SPEAKER) == ["Zoë Lee"]


# Conferences that hypothesis makes, written by a simple writer of each dialect, and read back.

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0@"), min_size=1, max_size=12)
_WORDS = _TEXTS.map(lambda text: " ".join(text.split()) or "x").filter(
    lambda text: "&" not in text and text.strip() == text
)
_ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])


@st.composite
def conferences(draw: st.DrawFn) -> dict[str, Any]:
    """A title, a zone, and sessions in rooms at times of two days."""
    people = draw(st.lists(_WORDS, min_size=1, max_size=4, unique=True))
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
                "minute": draw(st.integers(6 * 60, 30 * 60 - 1)),
                "length": draw(st.integers(1, 23 * 60)),
            }
            for number in range(1, draw(st.integers(0, 5)) + 1)
        ],
    }


def begins(conference: dict[str, Any], session: dict[str, Any]) -> datetime:
    day = datetime(2027, 6, 1 + session["day"], tzinfo=ZoneInfo(conference["zone"]))
    return day + timedelta(minutes=session["minute"])


def event_of(conference: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
    """What all dialects say of a session in the same way."""
    return {"title": session["title"], "track": session["track"], "guid": session["id"]}


def by_days(conference: dict[str, Any], *, has_dates: bool) -> dict[str, Any]:
    """The conference by the first schema: with `date`, or with the days and clocks only."""
    days: list[dict[str, Any]] = [
        {"index": n + 1, "date": f"2027-06-0{n + 1}", "rooms": {}} for n in range(2)
    ]
    for session in conference["sessions"]:
        starts = begins(conference, session)
        length = f"{session['length'] // 60:02}:{session['length'] % 60:02}"
        event = event_of(conference, session)
        event |= {"start": f"{starts:%H:%M}", "duration": length}
        event["persons"] = [{"id": 1, "public_name": name} for name in session["persons"]]
        if has_dates:
            event["date"] = starts.isoformat()
        days[session["day"]]["rooms"].setdefault(session["room"], []).append(event)
    named = {"title": conference["title"], "time_zone_name": conference["zone"], "days": days}
    return {"schedule": {"version": "1", "conference": named}}


def flat(conference: dict[str, Any]) -> dict[str, Any]:
    """The conference by the second schema."""
    people = {name for session in conference["sessions"] for name in session["persons"]}
    guids = {name: f"g{number}" for number, name in enumerate(sorted(people))}
    rooms = {session["room"] for session in conference["sessions"]}
    events = []
    for session in conference["sessions"]:
        starts = begins(conference, session)
        ends = (starts.astimezone(UTC) + timedelta(minutes=session["length"])).isoformat()
        event = event_of(conference, session) | {"start": starts.isoformat(), "end": ends}
        event["room"] = {"guid": f"r-{session['room']}"}
        event["track"] = {"slug": session["track"].lower()} if session["track"] else None
        event["participants"] = [{"guid": guids[name], "name": name} for name in session["persons"]]
        events.append(event)
    named = {
        "title": conference["title"],
        "time_zone_name": conference["zone"],
        "rooms": [{"name": name, "guid": f"r-{name}"} for name in sorted(rooms)],
        "tracks": [{"name": name, "slug": name.lower()} for name in ("Light", "Dark")],
    }
    return {"schedule": {"events": events, "conference": named}}


WRITERS: Final = {
    "dates": lambda conference: by_days(conference, has_dates=True),
    "days": lambda conference: by_days(conference, has_dates=False),
    "flat": flat,
}


@pytest.mark.parametrize("dialect", WRITERS)
@given(conferences())
def test_what_is_written_is_read_back(dialect: str, given: dict[str, Any]) -> None:
    conference, report = read(WRITERS[dialect](given))
    assert not report.errors
    assert conference.event.values["name"] == given["title"]
    found = {each.key: each for each in conference.records[Kind.SESSION]}
    assert set(found) == {each["id"] for each in given["sessions"]}
    for each in given["sessions"]:
        session = found[each["id"]]
        assert session.values["title"] == each["title"]
        assert session.values["starts_at"] == begins(given, each)
        lasts = session.values["ends_at"] - session.values["starts_at"]
        assert lasts == timedelta(minutes=each["length"])
        assert label(session, "microlocation") == each["room"]
        assert label(session, "track") == each["track"]
        assert speakers_of(session) == each["persons"]
    assert Counter(names(conference, Kind.SPEAKER)) == Counter(
        {name for each in given["sessions"] for name in each["persons"]}
    )


ODD_VALUES: Final[list[Any]] = [
    *(None, True, -1, 1e300, "", "x" * 5000, [], {}, [[]], [{}], {"a": {"b": []}}, [None, 1]),
    *("\0", "\ud800", "25:61", "2027-13-45T99:99", "http://[", "//[", "@", {"en": "a", "de": None}),
    *({"url": "//["}, {"name": []}, {"guid": {}}, [["a"], {"name": {"en": 1}}], "9" * 400),
]


def damaged(value: Any, source: random.Random) -> Any:
    """A copy of a JSON value in which some values are others."""
    if source.random() < 0.04:
        return source.choice(ODD_VALUES)
    if isinstance(value, dict):
        keys = list(value)
        if keys and source.random() < 0.1:
            source.shuffle(keys)
        return {key: damaged(value[key], source) for key in keys if source.random() > 0.02}
    return [damaged(each, source) for each in value] if isinstance(value, list) else value


def mutant(sample: dict[str, Any], seed: int) -> bytes:
    """The sample, damaged in its values, its bytes or its encoding."""
    source = random.Random(seed)
    if seed % 2:
        return json.dumps(damaged(sample, source)).encode()
    text = json.dumps(sample, ensure_ascii=False)
    if seed % 8 == 0:
        return text.encode(source.choice(["utf-16", "utf-32", "cp1252", "cp037"]), "replace")
    data = bytearray(text.encode())
    for _ in range(source.randint(1, 4)):
        data[source.randrange(len(data))] = source.choice(b'{}[],:"\\ 0ex\xff\x00')
    if seed % 8 == 2:
        del data[source.randrange(len(data)) :]
    return bytes(data)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_mutants_end_in_an_event_or_an_explanation(dialect: str) -> None:
    options = ReadOptions(timezone="Europe/Berlin", name="Lantern Days")
    assert_explained(SCHEDULE_JSON, options, partial(mutant, DIALECTS[dialect]))


# Real schedules. Nothing of them is in the project: what is expected are counts, times and digests.

EXPECTED: Final = {
    "frab-camp2019.json": Expected(
        [2, 90, 7, 2, 79, 96],
        4213056362,
        [
            (0, "2019-08-21 09:00", 30, 2, 1975020141, 2354446229, 2116733940),
            (39, "2019-08-23 12:00", 45, 1, 1975020141, 2406462699, 3043013893),
            (78, "2019-08-25 16:00", 30, 2, 1975020141, 2354446229, 558463196),
        ],
    ),
    "hub-schedule2.json": Expected(
        [5, 4, 2, 2, 2, 4],
        2671644055,
        [
            (0, "2024-12-27 09:30", 30, 3, 1172896343, 2354446229, 1334497616),
            (1, "2024-12-27 23:15", 40, 1, 2060764944, 1134272488, 2024726023),
        ],
    ),
    "klimacamp2015_frab.json": Expected(
        [11, 57, 4, 4, 106, 61],
        97573744,
        [
            (0, "2015-08-07 14:00", 90, 0, 3315596544, 2468031313, 1949006898),
            (53, "2015-08-11 09:30", 120, 0, 281724048, 1794392316, 3449067461),
            (105, "2015-08-14 09:30", 90, 0, 3527463710, 3306346651, 2401382564),
        ],
    ),
    "pretalx-democon.json": Expected(
        [2, 27, 2, 2, 36, 43],
        1266498451,
        [
            (0, "2020-12-14 08:00", 90, 1, 1800953842, 180069441, 600514190),
            (18, "2020-12-15 11:00", 30, 1, 667067084, 768628660, 208201380),
            (35, "2020-12-16 14:00", 30, 1, 667067084, 180069441, 204131320),
        ],
    ),
}


def read_real(folder: Path, name: str) -> tuple[Conference, Report]:
    return read((folder / "schedule-json" / name).read_bytes())


@pytest.mark.parametrize("name", EXPECTED)
def test_real_schedules_are_read(name: str, real_formats: Path) -> None:
    conference, report = read_real(real_formats, name)
    assert not report.errors
    assert_expected(conference, EXPECTED[name])


def test_all_real_schedules_have_expectations(real_formats: Path) -> None:
    assert {file.name for file in (real_formats / "schedule-json").iterdir()} == set(EXPECTED)


def test_an_event_exported_in_two_formats_is_the_same(real_formats: Path) -> None:
    report = Report()
    path = real_formats / "schedule-xml" / "klimacamp2015_frab.xml"
    with path.open("rb") as file, Source.open(file, ArchiveLimits(), report) as source:
        by_xml = SCHEDULE_XML.reader(source, ReadOptions(), report)
    by_json, _ = read_real(real_formats, "klimacamp2015_frab.json")
    assert len(by_json.records[Kind.SESSION]) == 106
    assert [described(each) for each in in_order(by_json)] == [
        described(each) for each in in_order(by_xml)
    ]
