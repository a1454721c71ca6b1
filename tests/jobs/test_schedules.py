"""A schedule goes in, an event comes out, as from an archive."""

import json
from pathlib import Path

import pytest
from tests.formats.calendar_samples import GOOGLE, PENTABARF_XCAL
from tests.formats.schedule_json_samples import BESIDE, HUB
from tests.jobs.conftest import Imports

from eventimport.formats.ical import ICAL
from eventimport.formats.schedule_json import SCHEDULE_JSON


async def test_a_schedule_json_is_imported(imports: Imports) -> None:
    job = await imports.run(json.dumps(HUB).encode(), source_format=SCHEDULE_JSON)
    assert (job.status, job.stage) == ("SUCCESS", "done")
    assert job.event_id is not None
    (event,) = await imports.rows("events")
    assert (event["name"], event["timezone"]) == ("Lantern 27", "Europe/Berlin")
    sessions = {row["title"]: row for row in await imports.rows("sessions", job.event_id)}
    assert set(sessions) == {"Lamps", "Lunch", "Gone"}
    assert sessions["Lamps"]["starts_at"].isoformat() == "2027-12-27T23:15:00+00:00"
    assert sessions["Lamps"]["extra"]["code"] == "HQCCYH"
    assert await imports.links(job.event_id) == {
        ("270fa44c-821a-577f-8ca3-000000000001", "p-1"),
        ("270fa44c-821a-577f-8ca3-000000000001", "p-2"),
    }


async def test_local_times_without_a_zone_fail_with_the_explanation(imports: Imports) -> None:
    job = await imports.run(json.dumps(BESIDE).encode(), source_format=SCHEDULE_JSON)
    assert (job.status, job.event_id) == ("FAILURE", None)
    assert not await imports.rows("events")


async def test_a_calendar_is_imported(imports: Imports) -> None:
    job = await imports.run(GOOGLE.encode(), source_format=ICAL)
    assert (job.status, job.stage) == ("SUCCESS", "done")
    assert job.event_id is not None
    (event,) = await imports.rows("events")
    assert (event["name"], event["timezone"]) == ("Lamp Club", "Europe/Berlin")
    sessions = await imports.rows("sessions", job.event_id)
    found = sorted((row["starts_at"].isoformat(), row["title"], row["state"]) for row in sessions)
    assert found == [
        ("2027-03-15T19:00:00+00:00", "Evening", "confirmed"),
        ("2027-03-29T18:00:00+00:00", "Evening", "confirmed"),
        ("2027-04-06T17:00:00+00:00", "Evening, moved", "canceled"),
    ]


async def test_a_calendar_is_imported_in_the_zone_of_the_user(imports: Imports) -> None:
    data = PENTABARF_XCAL.encode()
    job = await imports.run(data, source_format="auto", timezone="Asia/Tokyo")
    assert (job.status, job.event_id is None) == ("SUCCESS", False)
    assert job.event_id is not None
    (session,) = await imports.rows("sessions", job.event_id)
    assert session["starts_at"].isoformat() == "2027-05-01T01:00:00+00:00"
    speakers = await imports.rows("speakers", job.event_id)
    assert {row["name"] for row in speakers} == {"Ann Lamp, Lamp House", "Bea Wick"}


@pytest.mark.real_archives
async def test_a_real_calendar_is_imported(imports: Imports, real_formats: Path) -> None:
    data = (real_formats / "ics" / "moca24_dirty.ics").read_bytes()
    job = await imports.run(data, source_format="auto", file_name="schedule.ics")
    assert (job.status, job.stage) == ("SUCCESS", "done")
    assert job.event_id is not None
    counts = [
        len(await imports.rows(table, job.event_id))
        for table in ("sessions", "microlocations", "speakers")
    ]
    assert counts == [88, 4, 69]
    assert len(await imports.links(job.event_id)) == 88
    starts = sorted(row["starts_at"] for row in await imports.rows("sessions", job.event_id))
    assert (starts[0].isoformat(), starts[-1].isoformat()) == (
        "2024-09-13T10:00:00+00:00",
        "2024-09-15T13:00:00+00:00",
    )
