"""What becomes of the dialects, the references, and the values that do not fit."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.formats.planning import EVENT, plan_documents, plan_of, zip_of


def test_the_older_vocabulary_reaches_the_same_columns() -> None:
    planned = plan_documents(
        event={
            "id": 5,
            "name": "E",
            "start_time": "2016-05-05T09:00:00+02:00",
            "organizer_name": "FOSSASIA",
            "has_session_speakers": True,
            "timezone": "Europe/Berlin",
            "copyright": {"holder": "H", "logo": "http://x.example/l.png"},
            "call_for_papers": {"announcement": "Speak", "start_date": "2016-05-01T19:30:00+02:00"},
        },
        sessions=[{"id": 1, "title": "T", "start_time": "2016-05-05T10:00:00", "slides": None}],
        sponsors=[{"id": 1, "name": "S", "sponsor_type": "Gold", "level": "2"}],
    )
    (event,) = planned.rows("events")
    assert event["starts_at"] == datetime(2016, 5, 5, 7, tzinfo=UTC)
    assert (event["owner_name"], event["source_id"]) == ("FOSSASIA", "5")
    assert event["extra"] == {}
    (session,) = planned.rows("sessions")
    assert session["starts_at"] == datetime(2016, 5, 5, 8, tzinfo=UTC)
    (sponsor,) = planned.rows("sponsors")
    assert (sponsor["type"], sponsor["level"]) == ("Gold", 2)
    (rights,) = planned.rows("event_copyrights")
    assert (rights["holder"], rights["logo_url"]) == ("H", "http://x.example/l.png")
    (call,) = planned.rows("speakers_calls")
    assert call["starts_at"] == datetime(2016, 5, 1, 17, 30, tzinfo=UTC)


def test_kebab_case_and_snake_case_are_one() -> None:
    planned = plan_documents(
        speakers=[
            {"id": 1, "name": "A", "short-biography": "b", "is-featured": "true"},
            {"id": 2, "name": "B", "short_biography": "b", "is_featured": True},
        ]
    )
    one, other = planned.rows("speakers")
    for field in ("short_biography", "is_featured"):
        assert one[field] == other[field]
    assert one["is_featured"] is True


@pytest.mark.parametrize("reference", [3, "3", {"id": 3}, {"id": "3", "name": "Room 3"}, 3.0])
def test_a_reference_is_found_however_it_is_spelled(reference: Any) -> None:
    planned = plan_documents(
        microlocations=[{"id": 2, "name": "Room 2"}, {"id": "3", "name": "Room 3"}],
        sessions=[{"id": 1, "title": "T", "microlocation": reference}],
    )
    room = planned.rows("microlocations")[1]
    (session,) = planned.rows("sessions")
    assert session["microlocation_id"] == room["id"]
    assert not planned.report.findings


@pytest.mark.parametrize("reference", [{}, None, {"id": None}, {"id": None, "name": ""}])
def test_an_empty_reference_refers_to_nothing(reference: Any) -> None:
    planned = plan_documents(
        tracks=[{"id": 1, "name": "A"}],
        sessions=[{"id": 1, "title": "T", "track": reference}],
    )
    assert planned.rows("sessions")[0]["track_id"] is None
    assert not planned.report.findings


def test_a_dangling_reference_is_told_and_kept() -> None:
    planned = plan_documents(
        session_types=[{"id": 1, "name": "Talk"}],
        sessions=[{"id": 9, "title": "T", "session_type": {"id": 4, "name": "Lunch"}}],
    )
    (session,) = planned.rows("sessions")
    assert session["session_type_id"] is None
    assert session["extra"] == {"session_type": {"id": 4, "name": "Lunch"}}
    (finding,) = planned.findings("dangling-reference")
    assert finding.place.source_id == "9"
    assert finding.place.field == "session_type"
    assert "the session type with the id “4”, which is not in the archive" in finding.message


def test_references_that_are_equal_to_python_alone_are_not_the_same() -> None:
    references: list[Any] = [{"id": 1}, {"id": True}, {"id": 1.0}, {"id": "1"}, {"id": 1}]
    planned = plan_documents(
        tracks=[{"id": 1, "name": "One"}],
        sessions=[
            {"id": index, "title": "T", "track": reference}
            for index, reference in enumerate(references)
        ],
    )
    rows = planned.rows("sessions")
    track = planned.rows("tracks")[0]["id"]
    assert [row["track_id"] for row in rows] == [track, None, track, track, track]
    assert rows[1]["extra"]["track"] == {"id": True}


def test_a_reference_without_an_id_is_found_by_name() -> None:
    planned = plan_documents(
        tracks=[{"id": 1, "name": "Web"}, {"id": 2, "name": "Data"}],
        sessions=[{"id": 1, "title": "T", "track": {"id": None, "name": " data "}}],
    )
    assert planned.rows("sessions")[0]["track_id"] == planned.rows("tracks")[1]["id"]
    assert planned.codes == {"reference-by-name"}


def test_what_a_reference_says_beyond_its_record_is_kept() -> None:
    planned = plan_documents(
        speakers=[{"id": 1, "name": "Ada", "city": "London"}],
        sessions=[
            {
                "id": 1,
                "title": "T",
                "speakers": [{"id": 1, "name": "Ada", "city": "London", "organisation": "AE"}],
            }
        ],
    )
    (session,) = planned.rows("sessions")
    assert session["extra"] == {"speakers": [{"id": "1", "organisation": "AE"}]}
    assert len(planned.rows("session_speakers")) == 1


def test_session_types_are_made_of_what_sessions_nest() -> None:
    types = [{"id": 2, "name": "Talk", "length": "00.30"}, {"id": 1, "name": "Panel"}]
    planned = plan_documents(
        sessions=[
            {"id": 1, "title": "A", "session_type": types[0]},
            {"id": 2, "title": "B", "session_type": types[1]},
            {"id": 3, "title": "C", "session_type": types[0]},
        ]
    )
    made = planned.rows("session_types")
    assert [(row["source_id"], row["name"], row["length"]) for row in made] == [
        ("1", "Panel", None),
        ("2", "Talk", "00:30"),
    ]
    linked = [row["session_type_id"] for row in planned.rows("sessions")]
    assert linked == [made[1]["id"], made[0]["id"], made[1]["id"]]
    assert all(row["extra"] == {} for row in planned.rows("sessions"))
    assert planned.codes == {"session-types-derived", "length"}


def test_the_union_of_links_holds_and_the_difference_is_told() -> None:
    planned = plan_documents(
        speakers=[
            {"id": 1, "name": "Ada", "sessions": [{"id": 10, "title": "A"}]},
            {"id": 2, "name": "Bob", "sessions": []},
        ],
        sessions=[
            {"id": 10, "title": "A", "speakers": [{"id": 2, "name": "Bob"}]},
            {"id": 11, "title": "B"},
        ],
    )
    ada, bob = planned.rows("speakers")
    session = planned.rows("sessions")[0]
    links = {(row["session_id"], row["speaker_id"]) for row in planned.rows("session_speakers")}
    assert links == {(session["id"], ada["id"]), (session["id"], bob["id"])}
    told = {(f.place.entry, f.place.source_id) for f in planned.findings("link-told-once")}
    assert told == {("speakers", "1"), ("sessions", "10")}


def test_a_track_that_names_its_sessions_links_those_without_one() -> None:
    planned = plan_documents(
        tracks=[
            {"id": 1, "name": "A", "sessions": [{"id": 1, "title": "T"}, {"id": 2, "title": "U"}]},
            {"id": 2, "name": "B"},
        ],
        sessions=[{"id": 1, "title": "T"}, {"id": 2, "title": "U", "track": 2}],
    )
    first, second = planned.rows("tracks")
    sessions = planned.rows("sessions")
    assert [row["track_id"] for row in sessions] == [first["id"], second["id"]]
    assert planned.codes == {"link-told-once", "track-differs"}


def test_one_record_twice_is_one_row() -> None:
    planned = plan_documents(tracks=[{"id": 1, "name": "A"}, {"id": "1", "name": "A"}])
    assert len(planned.rows("tracks")) == 1
    (finding,) = planned.findings("repeated-record")
    assert finding.place.record == 1


def test_two_people_of_one_id_are_two_rows_and_names_tell_them_apart() -> None:
    planned = plan_documents(
        speakers=[{"id": 7, "name": "Ada"}, {"id": 7, "name": "Bob"}],
        sessions=[
            {"id": 1, "title": "A", "speakers": [{"id": 7, "name": "bob"}]},
            {"id": 2, "title": "B", "speakers": [{"id": 7}]},
        ],
    )
    ada, bob = planned.rows("speakers")
    links = [(row["session_id"], row["speaker_id"]) for row in planned.rows("session_speakers")]
    sessions = planned.rows("sessions")
    assert links == [(sessions[0]["id"], bob["id"]), (sessions[1]["id"], ada["id"])]
    assert {"shared-id", "ambiguous-reference"} <= planned.codes


def test_records_are_in_the_order_of_their_source_ids() -> None:
    given = ["10", 2, "b", 1, None, "a"]
    planned = plan_documents(tracks=[{"id": number, "name": str(number)} for number in given])
    rows = planned.rows("tracks")
    assert [row["source_id"] for row in rows] == ["1", "2", "10", "a", "b", None]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def test_values_that_do_not_fit_are_kept_and_told() -> None:
    planned = plan_documents(
        microlocations=[{"id": 1, "name": "R", "floor": "upstairs", "latitude": "x"}],
        sessions=[
            {"id": 1, "title": "T", "starts_at": "tomorrow", "language": ["de", "en"]},
            {"id": 2, "title": {"text": "T"}},
        ],
    )
    assert planned.rows("microlocations")[0]["extra"] == {"floor": "upstairs", "latitude": "x"}
    one, other = planned.rows("sessions")
    assert one["extra"] == {"starts_at": "tomorrow", "language": ["de", "en"]}
    assert (other["title"], other["extra"]) == ("", {"title": {"text": "T"}})
    told = {(f.place.source_id, f.place.field) for f in planned.findings("invalid-value")}
    assert told == {
        ("1", "floor"),
        ("1", "latitude"),
        ("1", "starts_at"),
        ("1", "language"),
        ("2", "title"),
    }


def test_scripts_are_removed_and_told() -> None:
    text = "<p style=''>Hello <b>you</b><br/><script>alert(1)</script></p>"
    planned = plan_documents(sessions=[{"id": 1, "title": "T", "long_abstract": text}])
    (session,) = planned.rows("sessions")
    assert session["long_abstract"] == "<p>Hello <b>you</b><br></p>"
    (finding,) = planned.findings("html-removed")
    assert "<script>" in finding.message
    assert "style" not in finding.message
    assert session["extra"] == {"long_abstract": text}


def test_harmless_markup_is_no_finding() -> None:
    planned = plan_documents(
        sessions=[{"id": 1, "title": "T", "long_abstract": "<P>A<br/>B & C</P> 3 < 4"}]
    )
    assert not planned.report.findings


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "java\tscript:alert(1)", "JAVASCRIPT:1/1", "data:text/html,x"]
)
def test_a_link_that_a_browser_would_run_is_set_aside(link: str) -> None:
    planned = plan_documents(
        speakers=[{"id": 1, "name": "A", "website": link, "photo_url": link}],
    )
    (speaker,) = planned.rows("speakers")
    assert (speaker["website"], speaker["photo_url"]) == (None, None)
    assert speaker["extra"] == {"website": link, "photo_url": link}
    assert not planned.plan.media


@pytest.mark.parametrize("link", ["www.x.org", "x.org:80/a", "localhost:8000"])
def test_other_links_stay(link: str) -> None:
    planned = plan_documents(speakers=[{"id": 1, "name": "A", "website": link}])
    assert planned.rows("speakers")[0]["website"] == link


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ("00:30", "00:30"),
        ("01.30", "01:30"),
        ("00.20 minutes", "00:20"),
        ("1:05", "01:05"),
        (0.3, "00:30"),
        (2, "02:00"),
        (2.75, "02:45"),
        ("00.2 Hour", None),
        ("00:75", None),
        ("long", None),
    ],
)
def test_lengths(given: Any, length: str | None) -> None:
    planned = plan_documents(session_types=[{"id": 1, "name": "T", "length": given}])
    (row,) = planned.rows("session_types")
    assert row["length"] == length
    assert row["extra"] == ({} if length else {"length": given})
    assert bool(planned.report.findings) == (length != given)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("US / Pacific", "US/Pacific"),
        ("europe/berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("Hawaii-Aleutian", "Pacific/Honolulu"),
    ],
)
def test_time_zones_are_repaired(given: str, name: str) -> None:
    planned = plan_documents(event={**EVENT, "timezone": given})
    assert planned.rows("events")[0]["timezone"] == name
    assert planned.codes == {"timezone"}


def test_an_unknown_time_zone_is_kept_and_told() -> None:
    planned = plan_documents(event={**EVENT, "timezone": "Middle/Earth"})
    (event,) = planned.rows("events")
    assert (event["timezone"], event["extra"]) == ("UTC", {"timezone": "Middle/Earth"})
    assert planned.codes == {"timezone"}


def test_times_without_an_offset_are_local_to_the_event_and_told_once() -> None:
    planned = plan_documents(
        event={**EVENT, "timezone": "Asia/Singapore"},
        sessions=[
            {"id": 1, "title": "A", "starts_at": "2015-03-12T14:00:00"},
            {"id": 2, "title": "B", "starts_at": "2015-03-12T14:00:00", "ends_at": None},
        ],
    )
    for session in planned.rows("sessions"):
        assert session["starts_at"] == datetime(2015, 3, 12, 6, tzinfo=UTC)
    (finding,) = planned.findings("no-offset")
    assert finding.message.startswith("2 times")


def test_forms_of_both_kinds_become_rows() -> None:
    planned = plan_documents(
        forms=[
            {
                "id": 1,
                "session-form": '{"short-abstract": {"require": 1, "include": 0}}',
                "speaker_form": '{"name": {"require": 0, "include": 1, "hint": "full"}}',
            },
            {"id": 2, "form": "attendee", "field_identifier": "email", "is_required": True},
        ]
    )
    rows = planned.rows("custom_forms")
    assert [
        (r["form"], r["field_identifier"], r["is_required"], r["is_included"]) for r in rows
    ] == [
        ("session", "short_abstract", True, False),
        ("speaker", "name", False, True),
        ("attendee", "email", True, False),
    ]
    assert rows[1]["extra"] == {"hint": "full"}
    assert planned.codes == {"unknown-key"}


def test_media_come_from_the_archive_however_the_path_is_spelled() -> None:
    planned = plan_documents(
        {"images/a b.jpg": b"1", "images/B.jpg": b"2", "images/unused.jpg": b"3"},
        speakers=[
            {"id": 1, "name": "A", "photo": "/images/a%20b.jpg"},
            {"id": 2, "name": "B", "photo": "images/b.jpg"},
            {"id": 3, "name": "C", "photo": "images/c.jpg"},
            {"id": 4, "name": "D", "photo": "https://x.example/d.jpg"},
        ],
    )
    speakers = planned.rows("speakers")
    assert [row["photo_url"] for row in speakers] == [None, None, None, "https://x.example/d.jpg"]
    assert [(item.origin, item.entry, item.missing) for item in planned.plan.media] == [
        ("archive", "images/a b.jpg", False),
        ("archive", "images/B.jpg", False),
        ("archive", None, True),
        ("remote", None, False),
    ]
    assert [item.row_id for item in planned.plan.media] == [row["id"] for row in speakers]
    assert planned.codes == {"media-missing", "media-spelling", "unused-entry"}
    told = planned.plan.media_report()
    assert (told["archive"], told["missing"], told["remote"]) == (3, 1, 1)


def test_an_event_without_a_name_is_an_error_and_other_errors_are_told_with_it() -> None:
    planned = plan_documents(event={"id": 1}, tracks=b'[{"id": 1,}]', sponsors=b"7")
    errors = {finding.place.entry for finding in planned.report.errors}
    assert errors == {"event", "tracks", "sponsors"}


def test_meta_and_config_are_kept_with_the_event() -> None:
    planned = plan_of(
        zip_of(
            {
                "event": EVENT,
                "meta": {"root_url": "http://x"},
                "config.json": {"Email": "a@b.c"},
            }
        )
    )
    (event,) = planned.rows("events")
    assert event["extra"] == {"meta": {"root_url": "http://x"}, "config": {"Email": "a@b.c"}}
