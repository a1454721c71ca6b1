"""`kill -9` of the API at each step of a request that stores files: all of it counts, or none."""

import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.clean_up.conftest import pass_time
from tests.faults.api_requests import IMPORT, UPLOAD, answers, post, settings_of
from tests.faults.kill_points import KillPoint
from tests.faults.workers import Workers
from tests.stored_files import keys_in

from eventimport.database.models import ImportJob, ObjectLink, ObjectRecord, User
from eventimport.jobs.clean_up import clean_up
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

REQUESTS = "eventimport.file_requests:"
DISK = "eventimport.storage.local:LocalStorage."
FILE = "eventimport.storage.partial_file:PartialFile."

IMPORT_POINTS = [
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
]
UPLOAD_POINTS = [
    KillPoint(REQUESTS + "FileRequest.store_upload", "before"),
    KillPoint("eventimport.resources:reserve_together", "before"),
    KillPoint("eventimport.resources:reserve_together", "after"),
    KillPoint(REQUESTS + "FileRequest.store_upload", "after"),
    KillPoint(REQUESTS + "use_objects", "after"),
]
POINTS = [
    *((IMPORT, point) for point in IMPORT_POINTS),
    *((UPLOAD, point) for point in UPLOAD_POINTS),
]


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


@pytest.mark.parametrize(("url", "point"), POINTS, ids=str)
async def test_an_api_that_is_killed(
    resources: Resources,
    settings: Settings,
    servers: list[str],
    user_id: int,
    *,
    workers: Workers,
    tmp_path: Path,
    url: str,
    point: KillPoint,
) -> None:
    request: list[str | int] = [url, user_id, *servers, str(settings.local_storage_path)]
    killed = await workers.start({}, tmp_path / "api.log", point, request)
    assert await killed.wait() == -signal.SIGKILL, "the point was not reached:\n" + killed.told()
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
