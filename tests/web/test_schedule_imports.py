"""Schedules that are sent to the API become events in the database."""

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select
from tests.formats.schedule_samples import FOSDEM, PENTABARF, WAFER

from eventimport.database.models import Base, User
from eventimport.imports.run import run_import
from eventimport.resources import Resources
from eventimport.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with which no media file is fetched."""
    return settings.model_copy(update={"fetch_media": False})


async def imported(
    client: httpx.AsyncClient, resources: Resources, route: str, data: bytes
) -> dict[str, Any]:
    """Send a file to an import's route, and return its task as it ended."""
    files = {"file": ("schedule.xml", data, "application/xml")}
    answer = await client.post(f"/v1/events/import/{route}", files=files)
    assert answer.status_code == 202, answer.text
    task_url = answer.json()["task_url"]
    await run_import(resources, UUID(task_url.rpartition("/")[2]))
    task = await client.get(task_url)
    result: dict[str, Any] = task.json()
    return result


async def counts(resources: Resources, event_id: int) -> dict[str, int]:
    """How many rows the tables have of an event."""
    found: Counter[str] = Counter()
    async with resources.engine.connect() as connection:
        for name in ("microlocations", "tracks", "session_types", "speakers", "sessions"):
            table = Base.metadata.tables[name]
            statement = select(func.count()).where(table.c.event_id == event_id)
            found[name] = await connection.scalar(statement) or 0
        sessions, links = (Base.metadata.tables[n] for n in ("sessions", "session_speakers"))
        statement = select(func.count()).select_from(
            links.join(sessions, sessions.c.id == links.c.session_id)
        )
        found["links"] = (
            await connection.scalar(statement.where(sessions.c.event_id == event_id)) or 0
        )
    return dict(found)


@pytest.mark.parametrize("route", ["schedule-xml", "pentabarf"])
async def test_a_schedule_becomes_an_event(
    route: str, user_client: httpx.AsyncClient, service: Any
) -> None:
    task = await imported(user_client, service.resources, route, FOSDEM.encode())
    assert task["state"] == "SUCCESS"
    assert task["event"]["name"] == "Lantern 2026"
    assert await counts(service.resources, int(task["event"]["id"])) == {
        "microlocations": 1,
        "tracks": 1,
        "session_types": 1,
        "speakers": 1,
        "sessions": 1,
        "links": 1,
    }


async def test_local_times_without_a_zone_fail_with_the_explanation(
    user_client: httpx.AsyncClient, service: Any
) -> None:
    task = await imported(user_client, service.resources, "schedule-xml", PENTABARF.encode())
    assert task["state"] == "FAILURE"
    assert "time zone" in str(task["result"])


async def test_no_address_of_a_speaker_is_public(
    user_client: httpx.AsyncClient, client: httpx.AsyncClient, service: Any, user: User
) -> None:
    task = await imported(user_client, service.resources, "schedule-xml", WAFER.encode())
    event = task["event"]["id"]
    published = await user_client.post(f"/v1/events/{event}/publish")
    assert published.status_code == 200, published.text
    own = await user_client.get(f"/v1/events/{event}/speakers")
    assert "ann@example.org" in own.text
    for path in ("", "/speakers", "/sessions", "?include=speakers"):
        public = await client.get(f"/v1/events/{event}{path}")
        assert public.status_code in {200, 400}
        assert "ann@example.org" not in public.text
    page = await client.get(f"/events/{task['event']['identifier']}")
    assert page.status_code == 200
    assert "Ann Lee" in page.text
    assert "ann@example.org" not in page.text


async def test_a_real_schedule_is_imported(
    user_client: httpx.AsyncClient, service: Any, real_formats: Path
) -> None:
    data = (real_formats / "schedule-xml" / "fosdem_2024.xml").read_bytes()
    task = await imported(user_client, service.resources, "schedule-xml", data)
    assert task["state"] == "SUCCESS"
    assert await counts(service.resources, int(task["event"]["id"])) == {
        "microlocations": 35,
        "tracks": 65,
        "session_types": 6,
        "speakers": 945,
        "sessions": 876,
        "links": 1123,
    }
