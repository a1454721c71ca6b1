"""Schedules of one format become events, are exported in another, and become the same events."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.formats.examples import EXAMPLES, OPTIONS
from tests.formats.round_trips import SCHEDULES, comparable
from tests.formats.test_writers import KEEPS, check
from tests.memory_conference import MemoryConference

from eventimport.database.conference_reader import read_conference, snapshot
from eventimport.database.tasks import claim
from eventimport.exports.run import attempt_export
from eventimport.imports.run import run_import
from eventimport.resources import Resources
from eventimport.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with which no media file is fetched."""
    return settings.model_copy(update={"fetch_media": False})


class Server:
    """What a user does with a service, and its worker."""

    def __init__(self, client: httpx.AsyncClient, resources: Resources) -> None:
        self._client = client
        self._resources = resources

    async def imported(self, name: str, data: bytes, **options: str) -> int:
        """The id of the event that a file becomes."""
        answer = await self._client.post(
            f"/v1/events/import/{name}", files={"file": ("schedule", data)}, data=options
        )
        assert answer.status_code == 202, answer.text
        task_url = answer.json()["task_url"]
        await run_import(self._resources, UUID(task_url.rpartition("/")[2]))
        task = (await self._client.get(task_url)).json()
        assert task["state"] == "SUCCESS", task
        return int(task["event"]["id"])

    async def exported(self, event_id: int, name: str) -> tuple[bytes, set[str]]:
        """An event in a format, and the codes of what the format cannot say."""
        answer = await self._client.get(f"/v1/events/{event_id}/export/{name}")
        assert answer.status_code == 202, answer.text
        task_url = answer.json()["task_url"]
        async with self._resources.engine.begin() as connection:
            claimed = await claim(connection, UUID(task_url.rpartition("/")[2]))
        assert claimed is not None
        await attempt_export(self._resources, claimed)
        result: dict[str, Any] = (await self._client.get(task_url)).json()["result"]
        file = await self._client.get(result["download_url"])
        assert file.status_code == 200
        assert result["report"]["omitted"] == 0
        return file.content, {finding["code"] for finding in result["report"]["findings"]}

    async def stored(self, event_id: int) -> MemoryConference:
        """The event, as the database has it."""
        async with snapshot(self._resources.engine) as connection:
            found = await read_conference(connection, event_id)
        assert found is not None
        return MemoryConference(*found)


async def test_each_schedule_goes_through_the_server_to_each_other(
    user_client: httpx.AsyncClient, service: Any
) -> None:
    server = Server(user_client, service.resources)
    for source in SCHEDULES:
        options = {"timezone": "Europe/Berlin", **OPTIONS[source]}
        first = await server.imported(source, EXAMPLES[source](), **options)
        before = await server.stored(first)
        for name in SCHEDULES:
            data, losses = await server.exported(first, name)
            check(name, data)
            after = await server.stored(await server.imported(name, data))
            expected, found = (comparable(e, KEEPS[name], losses) for e in (before, after))
            assert expected["sessions"]
            for key, value in expected.items():
                assert found[key] == value, (source, name, key, losses)
