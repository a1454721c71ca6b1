"""Imports whose format the worker detects, and what the user says about their events."""

import pytest
from tests.formats.examples import EXAMPLES, OPTIONS
from tests.formats.planning import EVENT, zip_of
from tests.jobs.conftest import Imports

from eventimport.formats import AUTO, IMPORTABLE


@pytest.mark.parametrize("name", [each.name for each in IMPORTABLE])
async def test_the_format_that_was_detected_is_noted(imports: Imports, name: str) -> None:
    job = await imports.run(EXAMPLES[name](), source_format=AUTO, **OPTIONS[name])
    assert (job.status, job.format) == ("SUCCESS", name)
    options = {"dry_run": True, **OPTIONS[name]}
    job = await imports.run(EXAMPLES[name](), source_format=AUTO, **options)
    assert (job.status, job.format) == ("SUCCESS", name)


@pytest.mark.parametrize("name", [each.name for each in IMPORTABLE if each.name != "openevent"])
async def test_a_zip_may_hold_the_document_of_any_format(imports: Imports, name: str) -> None:
    data = zip_of({}, {"folder/document": EXAMPLES[name](), "folder/images/a.png": b"\x89PNG"})
    job = await imports.run(data, source_format=AUTO, **OPTIONS[name])
    assert (job.status, job.format) == ("SUCCESS", name)


async def test_the_format_is_noted_if_reading_fails(imports: Imports) -> None:
    job = await imports.run(zip_of({"event": b"{"}), source_format=AUTO)
    assert (job.status, job.format) == ("FAILURE", "openevent")


async def test_a_source_in_another_format_fails_with_its_route(imports: Imports) -> None:
    job = await imports.run(EXAMPLES["ical"](), source_format="schedule-json")
    assert job.status == "FAILURE"
    assert job.errors is not None
    (error,) = job.errors
    assert error["code"] == "other-format"
    assert "/v1/events/import/ical" in error["detail"]


async def test_an_unknown_format_lists_what_was_looked_for(imports: Imports) -> None:
    for data in (b"%PDF-1.7", zip_of({}, {"a.png": b"\x89PNG"})):
        job = await imports.run(data, source_format=AUTO)
        assert (job.status, job.format) == ("FAILURE", AUTO)
        assert job.errors is not None
        (error,) = job.errors
        assert error["code"] == "unknown-format"
        assert all(each.title in error["detail"] for each in IMPORTABLE)


async def test_a_zip_in_several_formats_is_not_guessed(imports: Imports) -> None:
    documents = {name: EXAMPLES[name]() for name in ("schedule-xml", "ical")}
    job = await imports.run(zip_of({}, documents), source_format=AUTO)
    assert (job.status, job.format) == ("FAILURE", AUTO)
    assert job.errors is not None
    (error,) = job.errors
    assert error["code"] == "several-formats"
    assert all(f"/v1/events/import/{name}" in error["detail"] for name in documents)
    job = await imports.run(zip_of({}, documents), source_format="ical")
    assert (job.status, job.format) == ("SUCCESS", "ical")


async def test_what_the_user_says_reaches_the_event(imports: Imports) -> None:
    sessions = [{"id": 1, "title": "A", "starts_at": "2027-07-01 09:00"}]
    data = zip_of({"event": {"id": 1, "name": "Theirs"}, "sessions": sessions})
    job = await imports.run(data, timezone="Europe/Berlin", name="Mine", language="de")
    assert job.event_id is not None
    (event,) = await imports.rows("events")
    assert (event["name"], event["timezone"]) == ("Mine", "Europe/Berlin")
    assert event["extra"]["name"] == "Theirs"
    (session,) = await imports.rows("sessions")
    assert session["starts_at"].isoformat() == "2027-07-01T07:00:00+00:00"
    assert session["language"] == "de"


async def test_without_a_zone_utc_stays_with_a_warning(imports: Imports) -> None:
    event = {name: value for name, value in EVENT.items() if name != "timezone"}
    sessions = [{"id": 1, "title": "A", "starts_at": "2027-07-01 09:00"}]
    job = await imports.run(zip_of({"event": event, "sessions": sessions}))
    assert job.status == "SUCCESS"
    assert job.report is not None
    (finding,) = (each for each in job.report["findings"] if each["code"] == "no-offset")
    assert finding["severity"] == "warning"
    assert "`timezone`" in finding["message"]
