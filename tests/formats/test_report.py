"""Findings of one cause are one, and no archive makes a report larger than its limits."""

import json
from typing import Any

import pytest

from eventimport.conference.report import Place, Report, Severity, sentence, times_in_words


def size_of(report: Report) -> int:
    """Bytes of all findings as JSON."""
    return len(json.dumps(report.as_rows(), ensure_ascii=False).encode())


def test_findings_of_one_cause_are_one_with_a_count_and_the_first_places() -> None:
    report = Report()
    for record in range(188):
        place = Place("sessions", record, str(record), "speakers", title=f"Talk {record}")
        report.warning("no-id", f"speaker “{record}” has no id", place, {"name": record})
    (finding,) = report.as_rows()
    assert finding["count"] == 188
    assert finding["message"] == "Speaker “0” has no id."
    assert (finding["record"], finding["title"]) == (0, "Talk 0")
    assert [place["record"] for place in finding["places"]] == [0, 1, 2, 3, 4]
    assert finding["places"][1] == {
        "entry": "sessions",
        "record": 1,
        "source_id": "1",
        "field": "speakers",
        "title": "Talk 1",
        "value": '{"name": 1}',
        "message": "Speaker “1” has no id.",
    }
    assert report.totals == {Severity.WARNING: 188}


def test_other_causes_are_findings_of_their_own() -> None:
    report = Report()
    for code, message, entry, field in (
        ("a", "one", "sessions", "x"),
        ("b", "one", "sessions", "x"),
        ("a", "two", "sessions", "x"),
        ("a", "one", "speakers", "x"),
        ("a", "one", "sessions", "y"),
        ("a", "one", "sessions", "x1"),
        ("a", "one", "sessions", "x2"),
    ):
        report.warning(code, message, Place(entry, 0, field=field))
    report.repair("a", "one", Place("sessions", 0, field="x"))
    assert [finding.count for finding in report.findings] == [1] * 8


def test_entries_and_the_elements_of_lists_are_counted_together() -> None:
    report = Report(is_document=lambda entry: entry == "sessions")
    for number in range(7):
        report.warning("unused-entry", "no record names it", Place(f"{number}.png"))
        report.repair("nul", "removed", Place("sessions", 1, field=f"speakers.{number}.name"))
    assert [finding.count for finding in report.findings] == [7, 7]
    assert report.findings[0].others[1].place.entry == "2.png"


def test_a_group_joins_messages() -> None:
    report = Report()
    for word in ("red", "blue"):
        report.warning("a", f"unknown colour: {word}", Place("tracks", 0), group="unknown colour")
    assert [finding.count for finding in report.findings] == [2]


@pytest.mark.parametrize("number", [0, 1, 5, 6, 188])
def test_many_warnings_are_recorded_as_each_of_them_would_be(number: int) -> None:
    described = []

    def describe(record: int) -> tuple[str, Place, Any]:
        described.append(record)
        return f"room {record} is booked twice", Place("sessions", record), record

    report, expected = Report(), Report()
    report.warnings("twice", iter(range(number)), describe, group="room")
    assert len(described) <= 6
    for record in range(number):
        expected.warning("twice", *describe(record), group="room")
    assert report.as_dict() == expected.as_dict()


def test_people_count_records_from_1_and_know_them_by_their_names() -> None:
    place = Place("sessions", 3, "12", "starts_at", title="Opening")
    assert str(place) == "sessions, record 4 “Opening” (id 12), starts_at"


def test_no_text_is_quoted_at_length() -> None:
    report = Report()
    huge = "\0\ud800x" * 1_000_000
    place = Place(huge, 0, huge, huge, title=huge)
    report.warning("a", huge, place, huge)
    report.warning("b", "huge", place, [huge])
    report.warning("c", "huge", place, 10**4000)
    assert size_of(report) < 20_000
    for finding in report.as_rows():
        assert len(str(finding["value"])) < 1_500


def test_a_report_is_bounded_by_bytes_and_counts_what_does_not_fit() -> None:
    report = Report(max_bytes=40_000)
    for number in range(1_000):
        field = f"f{number}" + "é" * 100
        for record in range(3):
            report.warning("a", "m", Place("sessions", record, field=field))
    assert size_of(report) <= 40_000
    assert len(report.findings) > 10
    summary = report.summary()
    assert summary["totals"]["warning"] == 3_000
    assert summary["omitted"] == 3_000 - sum(finding.count for finding in report.findings)
    assert summary["total"] == len(report.findings)
    assert len(summary["findings"]) == 20


def test_the_findings_that_a_task_shows_are_bounded_by_bytes() -> None:
    report = Report()
    for number in range(20):
        for record in range(5):
            place = Place(" " * 200, record, field=f"{number}" + " " * 190)
            report.warning("a", "m" * 600, place, "“" * 200)
    shown = report.summary()["findings"]
    assert 1 < len(shown) < 20
    assert len(json.dumps(shown, ensure_ascii=False).encode()) <= 64 * 1024
    assert report.summary()["total"] == 20


def test_a_report_is_bounded_by_number() -> None:
    report = Report(limit=5)
    for number in range(50):
        report.repair("a", "m", Place("sessions", 0, field=f"f{number}"))
    assert len(report.findings) == 5
    assert report.summary()["omitted"] == 45


def test_errors_replace_what_matters_less() -> None:
    report = Report(limit=10)
    for severity in (Severity.REPAIR, Severity.WARNING, Severity.ERROR):
        for number in range(20):
            report.add(severity, "a", "m", Place("sessions", 0, field=f"f{number}"))
    assert {finding.severity for finding in report.findings} == {Severity.ERROR}
    assert [finding.place.field for finding in report.errors] == [f"f{n}" for n in range(10)]
    assert report.summary()["totals"] == {"repair": 20, "warning": 20, "error": 20}


def test_the_gravest_findings_come_first() -> None:
    report = Report()
    for number in range(30):
        report.repair("a", "m", Place("sessions", 0, field=f"f{number}"))
    report.error("bad", "m", Place("sessions"))
    assert report.summary()["findings"][0]["code"] == "bad"
    assert [row["severity"] for row in report.as_rows()] == ["error"] + ["repair"] * 30
    assert report.summary()["total"] == 31


def test_a_report_is_merged_with_its_counts() -> None:
    other, report = Report(), Report()
    for record in range(100):
        other.error("a", "m", Place("config", record))
    report.merge(other, Severity.WARNING)
    (finding,) = report.findings
    assert (finding.severity, finding.count, len(finding.others)) == (Severity.WARNING, 100, 4)
    assert report.totals == {Severity.WARNING: 100}


def test_the_records_of_a_finding_are_named() -> None:
    report = Report()
    for number, title in enumerate(("Opening", "Keynote", "Opening", None, "Panel", "Tea", "End")):
        report.warning("no-id", "the session names a speaker", Place("s.json", number, title=title))
    (finding,) = report.as_rows()

    assert times_in_words(finding) == " (7 times: “Opening”, “Keynote”, “Panel”, …)"
    assert times_in_words(finding | {"places": []}) == " (7 times)"
    assert times_in_words(finding | {"count": 1}) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [("not a time", "Not a time."), ("“x” is new", "“x” is new."), ("Is it?", "Is it?"), ("", ".")],
)
def test_messages_are_sentences(text: str, shown: str) -> None:
    assert sentence(text) == shown
