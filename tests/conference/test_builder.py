"""A conference made by a format's reader that knows nothing of Open Event."""

from datetime import UTC, datetime
from typing import Any

from eventimport.conference.builder import ConferenceBuilder, EventChoices
from eventimport.conference.conference import Reference, id_or_name
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import Plan, make_plan, provisional_ids
from eventimport.conference.report import Finding, Report
from eventimport.conference.rich_text import TextLimits

EVENT: dict[str, Any] = {
    "name": "Conference",
    "timezone": "Europe/Berlin",
    "starts_at": "2026-02-01T09:00+01:00",
}


def started(report: Report, **event: Any) -> ConferenceBuilder:
    builder = ConferenceBuilder(report, TextLimits(), entry="schedule.xml")
    builder.add(Kind.EVENT, EVENT | event, 0)
    return builder


def planned(builder: ConferenceBuilder, report: Report) -> Plan:
    conference = builder.finish()
    return make_plan(conference, provisional_ids(conference.counts()), "abcd1234", report)


def found(report: Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


def test_values_are_read_as_those_of_every_format() -> None:
    report = Report()
    builder = started(report)
    session = builder.add(
        Kind.SESSION,
        {
            "id": 7.0,
            "title": "Q&amp;A",
            "starts_at": "2026-02-01 09:00",
            "long_abstract": "<p>Hello<script>alert(1)</script></p>",
            "signup_url": "javascript:alert(1)",
            "state": "Accept",
        },
        0,
    )
    assert session.key == "7"
    assert session.values["title"] == "Q&A"
    assert session.values["starts_at"] == datetime(2026, 2, 1, 8, tzinfo=UTC)
    assert "script" not in session.values["long_abstract"]
    assert session.values["state"] == "accepted"
    assert session.extra["signup_url"] == "javascript:alert(1)"
    assert found(report, "html-removed")[0].place.title == "Q&A"
    assert found(report, "link")[0].place.entry == "schedule.xml"


def test_a_record_of_the_same_fields_is_read_like_the_first() -> None:
    report = Report()
    builder = started(report)
    texts: dict[str, Any] = {
        "title": "Q&amp;A",
        "state": "Accept",
        "average_rating": "4.5",
        "website": "a.example",
    }
    odd: dict[str, Any] = {
        "title": ["Opening"],
        "state": 7,
        "average_rating": "none",
        "website": "n/a",
    }
    for index, given in enumerate([texts, odd, texts, odd]):
        builder.add(Kind.SESSION, dict(given), index)
    first, other, *again = builder.conference.records[Kind.SESSION]
    assert first.values == {
        "title": "Q&A",
        "state": "accepted",
        "average_rating": 4.5,
        "website": "a.example",
    }
    assert other.values == {"title": "Opening", "state": "7"}
    assert other.extra == {"average_rating": "none", "website": "n/a"}
    assert [(each.values, each.extra) for each in again] == [
        (first.values, first.extra),
        (other.values, other.extra),
    ]
    assert {finding.count for finding in report.findings} == {2}


def test_a_call_with_no_times_has_a_time_zone() -> None:
    report = Report()
    builder = started(report)
    call = builder.add(Kind.SPEAKERS_CALL, {"timezone": "Nowhere/Land"}, 0)
    assert call.extra == {"timezone": "Nowhere/Land"}
    assert [finding.place.field for finding in found(report, "invalid-value")] == ["timezone"]


def test_an_unknown_key_is_kept_and_reported_once() -> None:
    report = Report()
    builder = started(report)
    for index in range(3):
        builder.add(Kind.SESSION, {"title": f"Talk {index}"}, index, extra={"slug": f"t{index}"})
    conference = builder.finish()
    (finding,) = found(report, "unknown-key")
    assert finding.count == 3
    assert "3 of the sessions" in finding.message
    assert [session.extra for session in conference.records[Kind.SESSION]] == [
        {"slug": f"t{index}"} for index in range(3)
    ]


def test_records_are_made_of_what_sessions_say_about_them() -> None:
    report = Report()
    builder = started(report)
    for index, track in enumerate(("Main", "Main", "Side")):
        reference = Reference(Kind.TRACK, track, track, {"color": "#ff0000", "slug": track.lower()})
        builder.add(
            Kind.SESSION, {"title": f"Talk {index}"}, index, references={"track": (reference,)}
        )
    builder.derive(Kind.TRACK)
    plan = planned(builder, report)
    conference = builder.conference
    tracks = conference.records[Kind.TRACK]
    assert [(track.key, track.values["name"], track.extra) for track in tracks] == [
        ("Main", "Main", {"slug": "main"}),
        ("Side", "Side", {"slug": "side"}),
    ]
    linked = [session.foreign_keys["track_id"] for session in conference.records[Kind.SESSION]]
    assert linked == [tracks[0].new_id, tracks[0].new_id, tracks[1].new_id]
    assert plan.counts["tracks"] == 2
    assert {finding.code for finding in report.findings} == {"tracks-derived", "unknown-key"}


def test_references_by_id_or_name_are_linked() -> None:
    report = Report()
    builder = started(report)
    builder.add(Kind.SPEAKER, {"id": 1, "name": "Ada"}, 0)
    builder.add(Kind.SPEAKER, {"id": 2, "name": "Grace"}, 1)
    speakers = (id_or_name(Kind.SPEAKER, "1"), id_or_name(Kind.SPEAKER, "grace"))
    builder.add(Kind.SESSION, {"title": "Both"}, 0, references={"speakers": speakers})
    both = (id_or_name(Kind.SPEAKER, "Ada, Grace"),)
    builder.add(Kind.SESSION, {"title": "Names"}, 1, references={"speakers": both})
    lost = (Reference(Kind.SPEAKER, "9", "Alan", source={"id": 9, "name": "Alan"}),)
    builder.add(Kind.SESSION, {"title": "Lost"}, 2, references={"speakers": lost})
    plan = planned(builder, report)
    assert plan.counts["session_speakers"] == 4
    assert found(report, "several-names")[0].place.title == "Names"
    assert found(report, "dangling-reference")[0].place.title == "Lost"
    (session,) = (
        record
        for record in builder.conference.records[Kind.SESSION]
        if record.values["title"] == "Lost"
    )
    assert session.extra == {"speakers": [{"id": 9, "name": "Alan"}]}


def test_an_event_needs_a_name_and_may_have_an_unknown_zone() -> None:
    report = Report()
    builder = started(report, name="", timezone="Middle Earth")
    conference = builder.finish()
    assert conference.zone is UTC
    assert conference.event.extra["timezone"] == "Middle Earth"
    assert [finding.code for finding in report.errors] == ["no-event-name"]
    assert found(report, "timezone")


def test_references_are_values() -> None:
    same = Reference(Kind.TRACK, "1", "Main", source={"id": 1})
    assert len({same, Reference(Kind.TRACK, "1", "Main"), Reference(Kind.TRACK, "1", "Side")}) == 2
    assert Reference(Kind.TRACK, "1", rest={"color": "red"}) != Reference(Kind.TRACK, "1")


def chosen(report: Report, event: dict[str, Any], **choices: str) -> ConferenceBuilder:
    builder = ConferenceBuilder(
        report, TextLimits(), entry="event", choices=EventChoices(**choices)
    )
    builder.add(Kind.EVENT, event, 0)
    return builder


def test_the_users_choices_fill_what_the_source_does_not_say() -> None:
    report = Report()
    builder = chosen(
        report, {"starts_at": "2026-07-01 09:00"}, name="Mine", timezone="Europe/Berlin"
    )
    conference = builder.finish()
    assert conference.event.values["name"] == "Mine"
    assert conference.event.values["timezone"] == "Europe/Berlin"
    assert conference.event.values["starts_at"] == datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert {finding.code for finding in report.findings} == {"no-offset"}


def test_the_users_choices_replace_what_the_source_says_with_a_finding() -> None:
    report = Report()
    event = {"name": "Theirs", "timezone": "Europe/Paris"}
    builder = chosen(report, event, name="Mine", timezone="Asia/Tokyo")
    conference = builder.finish()
    assert conference.event.values["name"] == "Mine"
    assert conference.event.values["timezone"] == "Asia/Tokyo"
    assert conference.event.extra == {"name": "Theirs", "timezone": "Europe/Paris"}
    assert [finding.value for finding in found(report, "other-name")] == ["Theirs"]
    assert [finding.value for finding in found(report, "other-timezone")] == ["Europe/Paris"]


def test_choices_that_the_source_agrees_with_are_no_finding() -> None:
    report = Report()
    event = {"name": "Mine", "timezone": "Europe/Berlin"}
    builder = chosen(report, event, name="Mine", timezone="Europe/Berlin", language="de")
    builder.set_language("DE")
    assert not builder.finish().event.extra
    assert not report.findings


def test_a_zone_that_is_unknown_is_replaced() -> None:
    report = Report()
    builder = chosen(report, {"name": "A", "timezone": "Mars"}, timezone="Asia/Tokyo")
    conference = builder.finish()
    assert conference.event.values["timezone"] == "Asia/Tokyo"
    assert conference.event.extra == {"timezone": "Mars"}


def test_the_users_language_is_that_of_sessions_that_name_none() -> None:
    report = Report()
    builder = chosen(report, {"name": {"en": "A", "de": "B"}}, language="de")
    builder.set_language("en")
    builder.add(Kind.SESSION, {"id": 1, "title": {"en": "One", "de": "Eins"}}, 0)
    builder.add(Kind.SESSION, {"id": 2, "title": "Two", "language": "en"}, 1)
    conference = builder.finish()
    assert conference.event.values["name"] == "B"
    sessions = conference.records[Kind.SESSION]
    assert [session.values["title"] for session in sessions] == ["Eins", "Two"]
    assert [session.values["language"] for session in sessions] == ["de", "en"]
    assert [finding.value for finding in found(report, "other-language")] == ["en"]
