"""A schedule goes in, an event comes out, as from an archive."""

import json

from tests.formats.schedule_json_samples import BESIDE, HUB
from tests.jobs.conftest import Imports

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
