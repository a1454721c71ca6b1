"""Keys are read however they are spelled; those that no field takes are kept and reported."""

import json
from typing import Any

import pytest
from tests.formats.planning import Planned, plan_documents

from eventimport.conference.kinds import LEVELS, SHAPES, Kind
from eventimport.conference.report import Severity
from eventimport.formats.openevent.dialect import SYNONYMS, Dialect, letters


def findings(planned: Planned, code: str) -> dict[str | None, tuple[int, str]]:
    """The findings of a code: field → count and message."""
    found = [f for f in planned.report.findings if f.code == code]
    return {f.place.field: (f.count, f.message) for f in found}


@pytest.mark.parametrize(
    "key", ["startsAt", "StartsAt", "STARTSAT", "starts.at", "Starts At", "startsat", "starts__at"]
)
def test_other_spellings_are_read_and_reported(key: str) -> None:
    planned = plan_documents(sessions=[{"id": 1, "title": "A", key: "2027-01-01T10:00:00Z"}])
    (session,) = planned.rows("sessions")
    assert session["starts_at"].isoformat() == "2027-01-01T10:00:00+00:00"
    assert session["extra"] == {}
    # Capitals and blanks between words have always been read.
    expected = set() if key == "Starts At" else {"key-spelling"}
    assert planned.codes == expected


def test_camel_case_is_one_repair_for_each_kind() -> None:
    planned = plan_documents(
        tracks=[{"id": 1, "name": "T", "fontColor": "#fff"}],
        sessions=[
            {"id": number, "title": "A", "trackId": 1, "shortAbstract": "a", "slidesURL": None}
            for number in range(1, 6)
        ],
    )
    assert {row["track_id"] for row in planned.rows("sessions")} == {
        row["id"] for row in planned.rows("tracks")
    }
    found = planned.findings("key-spelling")
    assert [finding.severity for finding in found] == [Severity.REPAIR] * 2
    assert "“shortAbstract” as short-abstract" in found[1].message
    assert "“slidesURL” as slides-url" in found[1].message
    assert planned.codes == {"key-spelling"}


def test_what_other_programs_call_the_fields_is_read() -> None:
    planned = plan_documents(
        microlocations=[{"id": 1, "name": "Hall", "lat": 1.5}],
        speakers=[{"id": 7, "public_name": "Ada", "biography": "b"}],
        sessions=[
            {
                "id": 1,
                "title": "A",
                "start": "2027-01-01T10:00:00Z",
                "abstract": "short",
                "description": "long",
                "room": {"id": 1, "name": "Hall"},
                "persons": [{"id": 7, "public_name": "Ada"}],
            }
        ],
    )
    (session,) = planned.rows("sessions")
    (room,) = planned.rows("microlocations")
    (speaker,) = planned.rows("speakers")
    assert session["starts_at"].isoformat() == "2027-01-01T10:00:00+00:00"
    assert (session["short_abstract"], session["long_abstract"]) == ("short", "long")
    assert (session["microlocation_id"], room["latitude"]) == (room["id"], 1.5)
    assert (speaker["name"], speaker["long_biography"]) == ("Ada", "b")
    assert planned.rows("session_speakers") == [
        {"session_id": session["id"], "speaker_id": speaker["id"]}
    ]
    assert planned.codes == {"key-spelling"}


@pytest.mark.parametrize("first", ["abstract", "short-abstract"])
def test_the_formats_own_key_comes_first(first: str) -> None:
    values = {"abstract": "theirs", "short-abstract": "ours"}
    second = next(key for key in values if key != first)
    record = {"id": 1, "title": "A", first: values[first], second: values[second]}
    planned = plan_documents(sessions=[record])
    (session,) = planned.rows("sessions")
    assert session["short_abstract"] == "ours"
    assert session["extra"] == {"abstract": "theirs"}
    ((count, message),) = findings(planned, "unknown-key").values()
    assert count == 1
    assert "“abstract” and another key both set short-abstract" in message


def test_each_key_that_no_field_takes_is_one_warning_with_its_count() -> None:
    sessions: list[dict[str, Any]] = [
        {"id": number, "title": f"Talk {number}", "beamer": True, "empty": ""}
        for number in range(5)
    ]
    sessions[3]["coffee"] = "black"
    event = {"id": 1, "name": "Conference", "timezone": "UTC", "colour-scheme": "dark"}
    planned = plan_documents(event=event, sessions=sessions)
    told = findings(planned, "unknown-key")
    assert {field: count for field, (count, _) in told.items()} == {
        "beamer": 5,
        "coffee": 1,
        "colour-scheme": 1,
    }
    assert told["beamer"][1].startswith("5 of the sessions have “beamer”")
    (coffee,) = [f for f in planned.findings("unknown-key") if f.place.field == "coffee"]
    assert (coffee.severity, coffee.value) == (Severity.WARNING, "black")
    assert (coffee.place.entry, coffee.place.record) == ("sessions", 3)
    assert [row["extra"].get("beamer") for row in planned.rows("sessions")] == [True] * 5
    assert planned.codes == {"unknown-key"}


def test_settings_of_the_exporting_server_are_one_warning() -> None:
    event = {
        "id": 1,
        "name": "Conference",
        "timezone": "UTC",
        "can-pay-by-paypal": True,
        "identifier": "abc",
        "version": {"event_ver": 1},
    }
    planned = plan_documents(
        event=event,
        meta={"root_url": "http://x"},
        sessions=[{"id": 1, "title": "A", "is-mail-sent": False, "creator-id": 1}],
        speakers=[{"id": 1, "name": "Ada", "created-at": "2020-01-01"}],
    )
    (finding,) = planned.report.findings
    assert (finding.code, finding.severity) == ("administration", Severity.WARNING)
    assert finding.count == 5
    for name in ("identifier", "version", "meta", "creator-id", "created-at"):
        assert f"“{name}”" in finding.message
    assert planned.rows("events")[0]["can_pay_by_paypal"] is True
    assert planned.rows("sessions")[0]["is_mail_sent"] is False


def test_documents_inside_the_event_are_read() -> None:
    event = {
        "id": 1,
        "name": "Conference",
        "timezone": "UTC",
        "sessions": [{"id": 1, "title": "A", "track": {"id": 1}, "speakers": [1]}],
        "speakers": {"data": [{"type": "speaker", "id": "1", "attributes": {"name": "Ada"}}]},
        "tracks": [{"id": 1, "name": "T"}],
        "sponsors": None,
    }
    planned = plan_documents(event=event)
    (session,) = planned.rows("sessions")
    (track,) = planned.rows("tracks")
    assert session["track_id"] == track["id"]
    assert [row["name"] for row in planned.rows("speakers")] == ["Ada"]
    assert len(planned.rows("session_speakers")) == 1
    assert [row["extra"] for row in planned.rows("events")] == [{}]
    assert planned.codes == {"nested-document"}
    assert {finding.severity for finding in planned.report.findings} == {Severity.REPAIR}


def test_a_document_of_its_own_counts_more_than_one_inside_the_event() -> None:
    inner = [{"id": 9, "name": "Other"}]
    event = {"id": 1, "name": "Conference", "timezone": "UTC", "tracks": inner}
    planned = plan_documents(event=event, tracks=[{"id": 1, "name": "T"}])
    assert [row["name"] for row in planned.rows("tracks")] == ["T"]
    assert [row["extra"] for row in planned.rows("events")] == [{"tracks": inner}]
    assert planned.codes == {"unknown-key"}


@pytest.mark.parametrize(
    "event",
    [
        {"event": {"id": 1, "name": "Conference", "timezone": "UTC"}},
        {"data": {"type": "event", "id": "1", "attributes": {"name": "Conference"}}},
        {"data": {"event": {"name": "Conference"}}, "jsonapi": {"version": "1.0"}},
        [{"id": 1, "name": "Conference", "timezone": "UTC"}],
        {"events": [{"name": "Conference"}], "total": None},
        {"event": {"name": "Conference"}, "sessions": [{"id": 1, "title": "A"}]},
        {
            "data": {
                "type": "event",
                "id": "1",
                "attributes": {"name": "Conference"},
                "relationships": {"sessions": {"data": [{"type": "session", "id": "1"}]}},
            },
            "included": [{"type": "session", "id": "1", "attributes": {"title": "A"}}],
        },
    ],
)
def test_an_event_inside_something_else_is_read(event: Any) -> None:
    planned = plan_documents(event=event)
    (row,) = planned.rows("events")
    assert (row["name"], row["extra"]) == ("Conference", {})
    assert len(planned.rows("sessions")) == ("session" in json.dumps(event))
    assert {finding.severity for finding in planned.report.findings} == {Severity.REPAIR}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_synonym_never_hides_a_field(kind: Kind) -> None:
    dialect = Dialect(kind)
    references = {reference.field for reference in LEVELS[kind].references}
    for name in {*SHAPES[kind].fields, *references}:
        assert dialect.names(name) == name
    for synonym, name in SYNONYMS[kind].items():
        assert dialect.names(synonym) == name
        assert name in {*SHAPES[kind].fields, *references}
        assert letters(synonym) not in {letters(field) for field in SHAPES[kind].fields}
