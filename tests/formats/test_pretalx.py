"""pretalx's JSON becomes an event."""

import copy
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.planning import zip_of
from tests.formats.pretalx_samples import (
    ANSWERS,
    EVENT,
    EXPANDED,
    LEGACY,
    PAGES,
    ROOMS,
    SLOTS,
    SPEAKERS,
    SUBMISSIONS,
    WIDGET,
    page,
)

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats import AUTO, choose_format
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.pretalx import PRETALX
from eventimport.formats.source import Source

NAMED: dict[str, Any] = {"name": "Lamp Days", "timezone": "Europe/Berlin"}


def read(
    content: Any, limits: ArchiveLimits | None = None, **options: Any
) -> tuple[Conference, Report]:
    """The conference of one document, or of a zip with these files, planned."""
    report = Report()
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    with Source.open(io.BytesIO(data), limits or ArchiveLimits(), report) as source:
        found = choose_format(source, AUTO, report)
        assert found is PRETALX
        conference = found.reader(source, ReadOptions(**options), report)
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return conference, report


def zipped(files: dict[str, Any]) -> bytes:
    return zip_of({}, {name: json.dumps(content).encode() for name, content in files.items()})


def by(conference: Conference, kind: Kind, field: str = "name") -> dict[str, Record]:
    return {each.values[field]: each for each in conference.records[kind]}


def sessions(conference: Conference) -> dict[str | None, Record]:
    return {each.key: each for each in conference.records[Kind.SESSION]}


def labels(session: Record, field: str = "speakers") -> list[str | None]:
    return [each.label for each in session.references.get(field, ())]


def times(session: Record) -> tuple[str, str]:
    return f"{session.values['starts_at']:%d %H:%M}", f"{session.values['ends_at']:%d %H:%M}"


def codes(report: Report) -> Counter[str]:
    return Counter(finding.code for finding in report.findings)


def test_a_zip_of_all_pages_becomes_an_event() -> None:
    conference, report = read(zipped(PAGES))
    assert not report.errors
    event = conference.event
    assert event.values["name"] == "Lampentage"
    assert (event.values["timezone"], event.values["email"]) == (
        "Europe/Berlin",
        "team@example.org",
    )
    assert f"{event.values['starts_at']:%d %H:%M}" == "30 22:00"
    assert event.values["logo_url"].endswith("/logo.png")
    found = sessions(conference)
    first, second, oil, lunch = (found[key] for key in ("LAMP01", "LAMP01-2", "LAMP02", "53"))
    assert times(first) == ("01 07:00", "01 07:45")
    assert times(second) == ("02 07:00", "02 07:45")
    assert second.extra["code"] == "LAMP01"
    assert labels(first, "microlocation") == ["Dachboden"]
    assert labels(second, "microlocation") == ["Hall"]
    for each in (first, second):
        assert labels(each) == ["Bea Wick", "Ann Lamp"]
        assert labels(each, "track") == ["Light"]
        assert labels(each, "session_type") == ["Talk"]
        assert each.values["state"] == "confirmed"
        assert "<strong>Bright</strong>" in each.values["short_abstract"]
        assert each.values["slides_url"].endswith("lamps.pdf")
        assert each.extra["links"] == [{"url": "https://lamps.example.org", "title": "All"}]
        assert [hid["id"] for hid in each.extra["resources"]] == [43]
        assert each.extra["answers"] == {"Gibt es Öl?": "Yes"}
        assert each.extra["tags"] == ["oil"]
        assert each.extra["internal_notes"] == "Check the oil"
        assert "duration" not in each.extra
    # Only the speaker names the session; it is not scheduled.
    assert labels(oil) == ["Ann Lamp"]
    assert (oil.values["state"], oil.extra["pending_state"]) == ("submitted", "accepted")
    assert "starts_at" not in oil.values
    assert oil.extra["duration"] == 45
    assert lunch.values["title"] == "Mittagessen"
    assert lunch.extra["description"]["en"] == "Lunch"
    assert labels(lunch, "session_type") == ["Break"]
    people = by(conference, Kind.SPEAKER)
    assert people["Ann Lamp"].values["email"] == "ann@example.org"
    assert people["Bea Wick"].values["github"].endswith("/bea")
    assert people["Bea Wick"].key == "BEA001"
    rooms = by(conference, Kind.MICROLOCATION)
    assert [each.values["position"] for each in rooms.values()] == [1, 0]
    assert rooms["Dachboden"].extra["capacity"] == 80
    assert rooms["Dachboden"].extra["name"]["en"] == "Attic"
    assert by(conference, Kind.TRACK)["Light"].values["color"] == "#ffcc00"
    forms = by(conference, Kind.CUSTOM_FORM)
    oil_question = forms["Gibt es Öl?"].values
    assert (oil_question["form"], oil_question["type"]) == ("session", "checkbox")
    assert oil_question["is_required"]
    assert forms["Profile"].values["form"] == "speaker"
    # Only the reviewer has answered it. It is kept.
    assert [each["id"] for each in event.extra["questions"]] == [23]
    assert [each["id"] for each in event.extra["answers"]] == [33]


def test_records_may_stand_in_the_place_of_their_ids() -> None:
    given = {"event.json": EVENT, "expanded.json": EXPANDED, "slots.json": page(*SLOTS)}
    conference, report = read(zipped(given))
    expected, _ = read(zipped(PAGES))
    assert not report.errors
    assert {key: labels(each) for key, each in sessions(conference).items()} == {
        key: labels(each) for key, each in sessions(expected).items()
    }
    for field in ("microlocation", "track", "session_type"):
        assert [labels(each, field) for each in sessions(conference).values()] == [
            labels(each, field) for each in sessions(expected).values()
        ]
    assert sessions(conference)["LAMP01"].extra["answers"] == {"Gibt es Öl?": "Yes"}


def test_slots_may_hold_their_submissions() -> None:
    rooms = {each["id"]: each for each in ROOMS}
    talks = {each["code"]: each for each in SUBMISSIONS}
    slots = [
        {**each, "room": rooms[each["room"]], "submission": talks.get(each["submission"])}
        for each in SLOTS
    ]
    schedule = {"id": 2, "version": "1.2", "published": "2027-01-01T00:00:00Z", "slots": slots}
    for content in (page(*slots), schedule):
        conference, report = read(content, **NAMED)
        assert not report.errors
        found = sessions(conference)
        assert set(found) == {"LAMP01", "LAMP01-2", "53"}
        assert labels(found["LAMP01"], "microlocation") == ["Attic"]
        # The speakers and the track are not in the file.
        assert found["LAMP01"].extra["speakers"] == ["BEA001", "ANN001"]
        assert codes(report)["dangling-reference"] == 3


def test_the_form_of_older_versions_is_read() -> None:
    conference, report = read(LEGACY, language="de", **NAMED)
    assert not report.errors
    session = sessions(conference)["LAMP01"]
    assert times(session) == ("01 07:00", "01 07:45")
    assert labels(session) == ["Bea Wick", "Ann Lamp"]
    assert labels(session, "track") == ["Light"]
    assert labels(session, "session_type") == ["Vortrag"]
    assert labels(session, "microlocation") == ["Dachboden"]
    assert by(conference, Kind.MICROLOCATION)["Dachboden"].extra["name"]["en"] == "Attic"
    assert session.extra["submission_type"]["en"] == "Talk"
    assert session.values["video_url"] == "https://videos.example.org/1"
    assert session.extra["answers"] == {"Is there oil?": "Yes"}
    assert session.values["state"] == "accepted"
    bea = by(conference, Kind.SPEAKER)["Bea Wick"]
    assert bea.values["email"] == "bea@example.org"
    assert bea.values["photo_url"].endswith("bea.png")


def test_the_same_slot_of_two_documents_is_one_session() -> None:
    files = {"submissions.json": LEGACY, "talks.json": page(*LEGACY)}
    conference, _ = read(zipped(files), **NAMED)
    assert set(sessions(conference)) == {"LAMP01"}
    files = {"widget.json": WIDGET, "submissions.json": page(*SUBMISSIONS)}
    conference, _ = read(zipped(files), name="Lamp Days")
    assert set(sessions(conference)) == {"LAMP01", "LAMP01-2", "LAMP02", "53"}
    assert "All of them" in sessions(conference)["LAMP01"].values["long_abstract"]


def test_the_document_of_the_widget_becomes_an_event() -> None:
    conference, report = read(WIDGET, name="Lamp Days")
    assert not report.errors
    assert conference.event.values["timezone"] == "Europe/Berlin"
    assert conference.event.extra["version"] == "1.2"
    found = sessions(conference)
    assert times(found["LAMP01"]) == ("01 07:00", "01 07:45")
    assert times(found["LAMP01-2"]) == ("02 07:00", "02 07:45")
    assert times(found["53"]) == ("01 10:00", "01 11:00")
    assert labels(found["LAMP01"]) == ["Bea Wick", "Ann Lamp"]
    assert labels(found["LAMP01"], "track") == ["Light"]
    assert labels(found["53"], "microlocation") == ["Hall"]
    assert found["LAMP01"].values["state"] == "confirmed"
    assert by(conference, Kind.SPEAKER)["Bea Wick"].values["photo_url"].endswith("b.png")


@pytest.mark.parametrize(
    "content",
    [
        WIDGET,
        page(*SUBMISSIONS),
        page(*SPEAKERS),
        page(*SLOTS),
        SUBMISSIONS,
        SPEAKERS,
        SLOTS,
        SUBMISSIONS[0],
        SPEAKERS[0],
        EXPANDED,
    ],
)
def test_each_document_is_detected(content: Any) -> None:
    read(content, **NAMED)


@pytest.mark.parametrize(
    "content", [EVENT, page(), page(*ROOMS), ROOMS, page(*ANSWERS), {"count": 1, "results": [{}]}]
)
def test_documents_without_sessions_and_speakers_are_not_detected(content: Any) -> None:
    with Source.open(io.BytesIO(json.dumps(content).encode()), ArchiveLimits(), Report()) as source:
        assert not PRETALX.detect(source)


def test_missing_pages_are_reported() -> None:
    _, report = read(page(*SUBMISSIONS, count=30), **NAMED)
    [finding] = [each for each in report.findings if each.code == "missing-pages"]
    assert "2 of 30 submissions" in finding.message
    both = {"1.json": page(SUBMISSIONS[0], count=2), "2.json": page(SUBMISSIONS[1], count=2)}
    conference, report = read(zipped(both), **NAMED)
    assert not codes(report)["missing-pages"]
    assert len(sessions(conference)) == 2


def test_older_versions_and_foreign_records_are_left_out() -> None:
    older = {**SLOTS[0], "id": 1, "schedule": 1, "start": "2027-05-01T20:00:00+02:00"}
    review = {"id": 1, "score": 3, "text": "Good"}
    files = {**PAGES, "slots.json": page(*SLOTS, older, review)}
    conference, report = read(zipped(files))
    assert len(sessions(conference)) == 4
    assert codes(report)["older-version"] == codes(report)["unknown-records"] == 1


def test_several_events_need_a_name() -> None:
    files = {**PAGES, "event.json": page(EVENT, {**EVENT, "slug": "lamps26"})}
    conference, report = read(zipped(files), **NAMED)
    assert conference.event.values["name"] == "Lamp Days"
    assert not report.errors
    report = Report()
    with Source.open(io.BytesIO(zipped(files)), ArchiveLimits(), report) as source:
        PRETALX.reader(source, ReadOptions(), report)
    assert codes(report)["several-events"] == 1
    assert report.errors


def test_a_slot_of_an_unknown_session_becomes_one_by_its_code() -> None:
    conference, report = read(page(*SLOTS), **NAMED)
    assert sessions(conference)["LAMP01"].values["title"] == "LAMP01"
    assert codes(report)["dangling-reference"]


def test_a_blocker_is_not_in_the_programme() -> None:
    content = copy.deepcopy(WIDGET)
    content["talks"][2]["slot_type"] = "blocker"
    conference, _ = read(content, name="Lamp Days")
    assert sessions(conference)["53"].values["state"] == "draft"


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        ({"max_records": 20}, "MAX_RECORDS"),
        ({"max_values": 100}, "MAX_VALUES"),
        ({"max_record_bytes": 100}, "MAX_RECORD_BYTES"),
        ({"max_document_bytes": 1000}, "MAX_DOCUMENT_BYTES"),
    ],
)
def test_a_limit_that_is_hit_names_its_setting(limits: dict[str, Any], setting: str) -> None:
    many = [{**SUBMISSIONS[0], "code": f"L{number}"} for number in range(50)]
    with pytest.raises(ArchiveError, match=setting):
        read(page(*many), ArchiveLimits(**limits), **NAMED)


@pytest.mark.parametrize(
    ("limits", "setting"),
    [({"max_instances": 20}, "MAX_INSTANCES"), ({"max_values": 900}, "VALUES")],
)
def test_slots_multiply_a_session_only_within_limits(limits: dict[str, Any], setting: str) -> None:
    speakers = [{**SPEAKERS[0], "code": f"S{number}", "answers": []} for number in range(30)]
    talk = {**SUBMISSIONS[0], "speakers": [each["code"] for each in speakers]}
    slots = [{"id": number, **dict.fromkeys(("room", "end"))} for number in range(40)]
    for slot in slots:
        slot |= {"start": f"2027-05-01T09:{slot['id']:02}:00Z", "submission": "LAMP01"}
    with pytest.raises(ArchiveError, match=setting):
        read(page(talk, *speakers, *slots), ArchiveLimits(**limits), **NAMED)


KEYS = sorted(
    {key for each in (*SUBMISSIONS, *SPEAKERS, *SLOTS, *ROOMS, *ANSWERS, EVENT) for key in each}
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 60)
    | st.text(max_size=5)
    | st.sampled_from(["LAMP01", "ANN001", "2027-05-01T09:00:00Z", "confirmed", "en"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "en", "de"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), max_size=6))
def test_odd_records_end_in_findings(records: list[dict[str, Any]]) -> None:
    report = Report()
    data = json.dumps(page(*SUBMISSIONS, *records)).encode()
    with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
        try:
            conference = PRETALX.reader(source, ReadOptions(**NAMED), report)
        except ArchiveError:
            assert report.errors
            return
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)


@given(st.data())
def test_a_changed_document_ends_in_findings(data: st.DataObject) -> None:
    """Any value of a document may be any other one, or be missing."""
    everything = page(*(each for found in PAGES.values() for each in found.get("results", ())))
    document = copy.deepcopy(data.draw(st.sampled_from([WIDGET, EXPANDED, LEGACY, everything])))
    for _ in range(data.draw(st.integers(1, 4))):
        inner: Any = document
        while True:
            keys = [*inner] if isinstance(inner, dict) else [*range(len(inner))]
            key = data.draw(st.sampled_from(keys))
            if isinstance(inner[key], (dict, list)) and inner[key] and data.draw(st.booleans()):
                inner = inner[key]
                continue
            inner[key] = data.draw(VALUES)
            break
    report = Report()
    content = io.BytesIO(json.dumps(document).encode())
    with Source.open(content, ArchiveLimits(), report) as source:
        try:
            conference = PRETALX.reader(source, ReadOptions(**NAMED), report)
        except ArchiveError:
            assert report.errors
            return
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)


@pytest.mark.parametrize("code", [None, "", []])
def test_a_session_without_a_code_has_no_id(code: Any) -> None:
    conference, report = read(page({**SUBMISSIONS[0], "code": code}), **NAMED)
    assert not report.errors
    assert [*sessions(conference)] == [None]


def test_real_rows_of_the_older_api_are_read(real_formats: Path) -> None:
    names = ["europython_api_submissions.json", "europython_api_speakers.json"]
    data = zip_of({}, {name: (real_formats / "pretalx" / name).read_bytes() for name in names})
    conference, report = read(data, **NAMED)
    assert not report.errors
    kinds = (Kind.SESSION, Kind.SPEAKER, Kind.TRACK, Kind.SESSION_TYPE, Kind.MICROLOCATION)
    assert [len(conference.records[kind]) for kind in kinds] == [2, 3, 2, 2, 0]
    assert sorted(len(each.extra["answers"]) for each in conference.records[Kind.SESSION]) == [4, 6]
    people = conference.records[Kind.SPEAKER]
    assert all("@" in each.values["email"] and "@" not in str(each.extra) for each in people)
