"""`kill -9` of the API at each step of a request that stores files: all of it counts, or none."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.clean_up.conftest import pass_time
from tests.faults.kill_points import KillPoint
from tests.stored_files import keys_in

from eventimport.database.models import ImportJob, ObjectLink, ObjectRecord, User
from eventimport.jobs.clean_up import clean_up
from eventimport.main import create_app
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

REQUESTS = "eventimport.file_requests:"
DISK = "eventimport.storage.local:LocalStorage."
FILE = "eventimport.storage.partial_file:PartialFile."

POINTS = [
    KillPoint(REQUESTS + "FileRequest.store_archive", "before"),
    KillPoint(REQUESTS + "record_objects", "after"),
    KillPoint(DISK + "put", "before"),
    KillPoint(FILE + "commit", "before"),
    KillPoint(FILE + "commit", "after"),
    KillPoint(DISK + "put", "after"),
    KillPoint(REQUESTS + "record_answer", "after"),
    KillPoint(REQUESTS + "use_objects", "before"),
    KillPoint(REQUESTS + "use_objects", "after"),
    KillPoint(REQUESTS + "FileRequest.accept", "after"),
    KillPoint("eventimport.resources:Resources.wake_worker", "before"),
    KillPoint(REQUESTS + "FileRequest.store_upload", "before"),
    KillPoint(REQUESTS + "record_upload", "before"),
    KillPoint(REQUESTS + "record_upload", "after"),
    KillPoint(REQUESTS + "FileRequest.store_upload", "after"),
    KillPoint(REQUESTS + "FileRequest._use", "after"),
]
UPLOADS = ("store_upload", "record_upload", "FileRequest._use")

PROGRAM = """
import asyncio, sys
from tests.faults.kill_points import KillPoint
from tests.faults.test_killed_uploads import answers, settings_of, post, URLS

target, when, url, user_id, database_url, redis_url, folder = sys.argv[1:]

async def main():
    async with answers(settings_of(database_url, redis_url, folder), int(user_id)) as client:
        KillPoint(target, when).arm()
        await post(client, url)

asyncio.run(main())
"""
IMPORT, UPLOAD = "/v1/events/import/json", "/v1/upload/files"
URLS = (IMPORT, UPLOAD)
ZIP = b"PK\x05\x06" + bytes(18)


def settings_of(database_url: str, redis_url: str, folder: str) -> Settings:
    """The same settings in both processes."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key="a key for tests, which guards nothing",
        local_storage_path=Path(folder),
        allowed_hosts=("service.example",),
    )


class answers:  # noqa: N801 - used as a function
    """A client of an application in this process, signed in as the user."""

    def __init__(self, settings: Settings, user_id: int) -> None:
        self._app = create_app(settings)
        self._user_id = user_id

    async def __aenter__(self) -> httpx.AsyncClient:
        self._lifespan = self._app.router.lifespan_context(self._app)
        state = await self._lifespan.__aenter__()
        assert state is not None
        resources: Resources = state["resources"]

        async def answer(scope: object, receive: object, send: object) -> None:
            await self._app({**scope, "state": {"resources": resources}}, receive, send)  # type: ignore[dict-item, arg-type]

        headers = {"Authorization": f"Bearer {resources.tokens.issue(self._user_id)}"}
        transport = httpx.ASGITransport(answer)
        return httpx.AsyncClient(
            transport=transport, base_url="http://service.example", headers=headers
        )

    async def __aexit__(self, *_error: object) -> None:
        await self._lifespan.__aexit__(None, None, None)


async def post(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """The request that is cut off, and then repeated."""
    name = "file" if url == IMPORT else "files"
    return await client.post(
        url, files=[(name, ("a.zip", ZIP))], headers={"Idempotency-Key": "a key"}
    )


@pytest.fixture
async def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings over the test servers."""
    return settings_of(database_url, redis_url, str(tmp_path / "storage"))


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open resources."""
    async with open_resources(settings) as opened:
        yield opened


@pytest.fixture
def servers(database_url: str, redis_url: str) -> list[str]:
    """The URLs of the test servers."""
    return [database_url, redis_url]


@pytest.fixture
async def user_id(make_user: Any) -> int:
    """Who sends the request."""
    user: User = await make_user()
    return user.id


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_an_api_that_is_killed(
    resources: Resources,
    settings: Settings,
    servers: list[str],
    user_id: int,
    point: KillPoint,
) -> None:
    url = UPLOAD if any(name in point.target for name in UPLOADS) else IMPORT
    arguments = [point.target, point.when, url, str(user_id)]
    arguments += [*servers, str(settings.local_storage_path)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        *arguments,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL, "it was not reached"
    async with resources.engine.begin() as connection:
        await pass_time(connection, timedelta(days=2))
    await clean_up(resources)
    assert await rows(resources, ObjectRecord.key) == await keys_in(resources.storages.active)
    carried_out = bool(await rows(resources, ObjectRecord.key))
    assert carried_out is point.target.endswith(("FileRequest.accept", "wake_worker"))

    async with answers(settings, user_id) as client:
        response = await post(client, url)

    assert response.status_code in {200, 202}
    assert ("idempotency-replayed" in response.headers) is carried_out
    stored = await keys_in(resources.storages.active)
    assert len(stored) == 1
    assert await rows(resources, ObjectRecord.key) == stored
    assert len(await rows(resources, ObjectLink.id)) == 1
    assert len(await rows(resources, ImportJob.id)) == (1 if url == IMPORT else 0)
    assert list((settings.local_storage_path / ".incoming").iterdir()) == []


async def rows(resources: Resources, column: object) -> list[object]:
    """The values of a column, in order."""
    async with resources.engine.connect() as connection:
        return sorted(await connection.scalars(select(column)))  # type: ignore[call-overload]
