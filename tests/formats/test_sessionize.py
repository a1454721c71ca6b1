"""Sessionize's JSON is read in all its views, and all that it says is somewhere."""

import copy
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.formats.planning import zip_of
from tests.formats.round_trips import SCHEDULES, stored
from tests.formats.sessionize_samples import ALL, ANN, BEA, GRID, SESSIONS, SPEAKERS
from tests.formats.test_writers import check_round_trip

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats import detect
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.sessionize import SESSIONIZE
from eventimport.formats.source import Source

ZONE = "Europe/Vienna"


def read(
    document: Any, limits: ArchiveLimits | None = None, **options: str | None
) -> tuple[Conference, Report]:
    """The conference, planned, so that its links are known."""
    report = Report()
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    given: dict[str, Any] = {"name": "Lamp Days", "timezone": ZONE, **options}
    with Source.open(io.BytesIO(data), limits or ArchiveLimits(), report) as source:
        assert detect(source) is SESSIONIZE
        conference = SESSIONIZE.reader(source, ReadOptions(**given), report)
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return conference, report


def by(conference: Conference, kind: Kind, field: str = "name") -> dict[str, Record]:
    return {each.values[field]: each for each in conference.records[kind]}


def labels(session: Record, field: str) -> list[str | None]:
    return [each.label for each in session.references.get(field, ())]


def codes(report: Report) -> Counter[str]:
    return Counter(finding.code for finding in report.findings)


def test_the_view_all_becomes_an_event() -> None:
    conference, report = read(ALL)
    assert not report.errors
    assert conference.event.values["timezone"] == ZONE
    sessions = by(conference, Kind.SESSION, "title")
    lamps = sessions["Lamps & <Wicks>"]
    assert lamps.key == "101"
    assert lamps.values["starts_at"].isoformat() == "2027-05-01T07:00:00+00:00"
    assert lamps.values["ends_at"].isoformat() == "2027-05-01T07:45:00+00:00"
    assert (lamps.values["state"], lamps.values["level"]) == ("confirmed", "Novice")
    assert lamps.values["video_url"] == "https://videos.example.org/lamps.mp4"
    assert labels(lamps, "microlocation") == ["Attic"]
    assert labels(lamps, "track") == ["Light"]
    assert labels(lamps, "session_type") == ["Talk"]
    assert labels(lamps, "speakers") == ["Dr. Bea Wick", "Ann Lamp"]
    assert lamps.extra["categories"] == {"Which track fits best?": ["Oil"], "Audience": ["Owls"]}
    assert lamps.extra["answers"] == {"Allergies to oil": "No whale oil"}
    assert lamps.extra["liveUrl"] == "https://live.example.org/lamps"
    assert lamps.values["long_abstract"].split() == ["First", "line", "second", "line"]


def test_rooms_have_their_order_and_tracks_without_sessions_stay() -> None:
    conference, _ = read(ALL)
    rooms = sorted(conference.records[Kind.MICROLOCATION], key=lambda each: each.values["position"])
    assert [room.values["name"] for room in rooms] == ["Cellar", "Attic"]
    assert set(by(conference, Kind.TRACK)) == {"Light", "Oil", "Dark"}


def test_persons_keep_their_links_and_what_no_field_takes() -> None:
    conference, _ = read(ALL)
    people = by(conference, Kind.SPEAKER)
    ann, bea = people["Ann Lamp"], people["Dr. Bea Wick"]
    assert (ann.key, bea.key) == (ANN, BEA)
    assert ann.values["position"] == "Lamp maker"
    assert ann.values["is_featured"] is True
    assert ann.values["website"] == "https://ann.example.org/"
    assert ann.values["linkedin"].endswith("/in/ann")
    assert ann.values["photo_url"] == "https://images.example.org/ann.jpg"
    assert [link["linkType"] for link in ann.extra["links"]] == ["Sessionize"]
    assert ann.extra["categories"] == {"Topics you know": ["Glass"]}
    assert ann.extra["answers"] == {"Food": "Vegan"}
    # Her names are not the parts of the full one.
    assert (bea.extra["firstName"], bea.extra["lastName"]) == ("Bea", "Wick")


def test_questions_become_fields_of_the_form_where_they_were_answered() -> None:
    conference, _ = read(ALL)
    forms = by(conference, Kind.CUSTOM_FORM)
    assert {name: (each.values["form"], each.values["type"]) for name, each in forms.items()} == {
        "Allergies to oil": ("session", "paragraph"),
        "Food": ("speaker", "text"),
    }
    assert [each["question"] for each in conference.event.extra["questions"]] == ["Shoes"]


def test_states_say_what_is_in_the_programme() -> None:
    conference, report = read(ALL)
    sessions = by(conference, Kind.SESSION, "title")
    assert sessions["Wicks"].values["state"] == "submitted"
    assert sessions["Wicks"].extra["status"] == "Waitlisted"
    lunch = sessions["Lunch"]
    assert (lunch.values["state"], labels(lunch, "session_type")) == ("confirmed", ["Service"])
    assert codes(report)["all-rooms"] == 1


@pytest.mark.parametrize(
    ("status", "is_confirmed", "state"),
    [
        ("Accepted", True, "confirmed"),
        ("accepted", False, "accepted"),
        ("Declined", False, "rejected"),
        ("Accept_Queue", False, "submitted"),
        ("Nominated", True, "submitted"),
        (None, False, "confirmed"),
    ],
)
def test_a_status_becomes_a_state(status: str | None, is_confirmed: bool, state: str) -> None:
    document = copy.deepcopy(ALL)
    document["sessions"][0] |= {"status": status, "isConfirmed": is_confirmed}
    conference, _ = read(document)
    assert by(conference, Kind.SESSION, "title")["Lamps & <Wicks>"].values["state"] == state


@pytest.mark.parametrize("view", [SESSIONS, GRID], ids=["sessions", "grid"])
def test_other_views_become_the_same_event(view: Any) -> None:
    expected, _ = read(ALL)
    conference, report = read(view)
    assert not report.errors
    sessions = by(conference, Kind.SESSION, "title")
    assert set(sessions) == {"Lamps & <Wicks>", "Lunch"}
    assert len(conference.records[Kind.SESSION]) == 2
    for title, session in sessions.items():
        same = by(expected, Kind.SESSION, "title")[title]
        assert session.values == same.values
        for field in ("microlocation", "track", "session_type", "speakers"):
            assert labels(session, field) == labels(same, field)
        for key in ("answers", "categories"):
            assert session.extra.get(key) == same.extra.get(key)


def test_speakers_by_themselves_bring_their_sessions() -> None:
    conference, report = read(SPEAKERS, timezone=None)
    assert not report.errors
    assert codes(report)["sessions-derived"] == 1
    sessions = by(conference, Kind.SESSION, "title")
    assert {title: labels(each, "speakers") for title, each in sessions.items()} == {
        "Lamps & <Wicks>": ["Ann Lamp"],
        "Wicks": ["Dr. Bea Wick"],
    }


def test_ids_that_lead_nowhere_are_reported_and_kept() -> None:
    document = copy.deepcopy(ALL)
    document["sessions"][0] |= {"roomId": 99, "speakers": ["gone", ANN], "categoryItems": [77]}
    document["speakers"][0]["sessions"] = [101, 404]
    conference, report = read(document)
    lamps = by(conference, Kind.SESSION, "title")["Lamps & <Wicks>"]
    assert (lamps.extra["roomId"], lamps.extra["speakers"]) == (99, ["gone"])
    assert lamps.extra["categoryItems"] == [77]
    assert labels(lamps, "speakers") == ["Ann Lamp"]
    messages = [each for each in report.findings if each.code == "dangling-reference"]
    assert sum(each.count for each in messages) == 3
    # The other speaker names the session, but is not named by it.
    assert lamps.extra["named_by"] == ["Dr. Bea Wick"]
    assert codes(report)["one-sided-link"] == 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_it_goes_out_in_each_format_of_schedules(name: str) -> None:
    conference, _ = read(ALL)
    check_round_trip(stored(conference), name)


def test_local_times_need_the_zone_of_the_user() -> None:
    _, report = read(ALL, timezone=None)
    assert [error.code for error in report.errors] == ["no-time-zone"]


def test_the_event_needs_a_name() -> None:
    _, report = read(ALL, name=None)
    (error,) = report.errors
    assert error.code == "no-event-name"
    assert "option `name`" in error.message


def test_categories_are_known_by_words_of_their_titles() -> None:
    _, report = read(ALL)
    said = [each.message for each in report.findings if each.code == "category-by-title"]
    assert len(said) == 3
    assert any("“Session format” was read as the type" in message for message in said)


def test_two_tracks_of_two_categories_do_not_mix() -> None:
    document = copy.deepcopy(ALL)
    document["categories"].append(
        {"id": 9, "title": "Second theme", "type": "session", "items": [{"id": 91, "name": "Gas"}]}
    )
    document["sessions"][0]["categoryItems"] = [91, 11]
    conference, _ = read(document)
    lamps = by(conference, Kind.SESSION, "title")["Lamps & <Wicks>"]
    assert labels(lamps, "track") == ["Light"]
    assert lamps.extra["categories"] == {"Second theme": ["Gas"]}
    assert "Gas" not in by(conference, Kind.TRACK)


def test_a_zip_may_hold_it_beside_other_files() -> None:
    data = zip_of({}, {"export/all.json": json.dumps(ALL).encode(), "readme.txt": b"Lamps"})
    conference, report = read(data)
    assert not report.errors
    assert len(conference.records[Kind.SESSION]) == 3


@pytest.mark.parametrize(
    "document",
    [
        b'[{"groupId": "1", "groupName": "x", "sessions": "none"}]',
        b'{"sessions": [{"isServiceSession": true, "startsAt"',
        b'{"sessions": [{"isServiceSession": true, "startsAt": 5, "speakers": {"a": 1}}]}',
        b'{"sessions": [7, {"isServiceSession": [], "id": []}], "rooms": [{"id": {}, "name": 5}]}',
        b'[{"date": 5, "rooms": [7, {"id": 1, "sessions": [5]}]}]',
        b'[{"firstName": {"a": 1}, "lastName": 5, "tagLine": [], "sessions": [5, {"id": 1}]}]',
    ],
)
def test_odd_documents_end_in_findings(document: bytes) -> None:
    report = Report()
    with Source.open(io.BytesIO(document), ArchiveLimits(), report) as source:
        assert detect(source) is SESSIONIZE
        try:
            conference = SESSIONIZE.reader(source, ReadOptions(name="Lamp Days"), report)
        except ArchiveError:
            assert report.errors
            return
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    assert report.findings


def test_too_many_sessions_are_an_error_that_names_the_setting() -> None:
    document = {**ALL, "sessions": [ALL["sessions"][1]] * 50}
    with pytest.raises(ArchiveError, match="MAX_RECORDS"):
        read(document, ArchiveLimits(max_records=20))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("gab2024_all.json", (15, 4, 16, 0, 0, 2)),
        ("scottishsummit_all.json", (61, 7, 76, 6, 2, 0)),
    ],
)
def test_real_files_are_read(real_formats: Path, name: str, counts: tuple[int, ...]) -> None:
    conference, report = read((real_formats / "sessionize" / name).read_bytes())
    assert not report.errors
    kinds = (Kind.SESSION, Kind.MICROLOCATION, Kind.SPEAKER, Kind.TRACK, Kind.SESSION_TYPE)
    assert tuple(len(conference.records[kind]) for kind in (*kinds, Kind.CUSTOM_FORM)) == counts
    found = codes(report)
    assert not found["dangling-reference"]
    assert not found["one-sided-link"]
    assert all(len(labels(each, "speakers")) for each in conference.records[Kind.SESSION])
