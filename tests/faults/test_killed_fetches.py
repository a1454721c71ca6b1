"""`kill -9` of a worker that fetches the missing media files of an import."""

import asyncio
import signal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select
from tests.faults.kill_points import KillPoint
from tests.faults.service import Service, running_service
from tests.faults.workers import PATIENCE, Workers
from tests.formats.planning import zip_of
from tests.jobs.test_media_findings import drawn
from tests.media.test_fetch import ok, serving

from eventimport.database.media_fetches import add_media_fetch
from eventimport.database.models import ImportStatus, MediaItem, ObjectRecord, Task
from eventimport.imports.run import run_import

FETCH = "eventimport.imports.media_fetch:"
RECORDS = "eventimport.database.media_records:ImportMediaRecords."
LINKS = 5


async def ended(service: Service, task_id: UUID) -> None:
    status = select(Task.status).where(Task.id == task_id)
    async with asyncio.timeout(PATIENCE), service.resources.reader.connect() as connection:
        while await connection.scalar(status) != ImportStatus.SUCCESS:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "point",
    [
        KillPoint(FETCH + "begin_media_fetch", "after"),
        KillPoint(RECORDS + "settle_moved", "after"),
        KillPoint(FETCH + "succeed", "after"),
    ],
    ids=str,
)
async def test_a_worker_that_is_killed_while_it_fetches(
    workers: Workers, tmp_path: Path, database_url: str, redis_url: str, point: KillPoint
) -> None:
    async with (
        serving() as server,
        running_service(
            workers,
            tmp_path,
            database_url,
            redis_url,
            FETCH_ALLOWED_HOSTS="127.0.0.1",
            FETCH_FAILURES_PER_HOST="100",
        ) as service,
    ):
        sponsors = [
            {"id": number, "name": f"Sponsor {number}", "logo-url": server.url(f"/{number}.png")}
            for number in range(LINKS)
        ]
        event = {"id": 1, "name": "Conference"}
        job_id = await service.accept(data=zip_of({"event": event, "sponsors": sponsors}))
        await run_import(service.resources, job_id)
        server.answers = {f"/{number}.png": ok(drawn()) for number in range(LINKS)}
        async with service.resources.engine.begin() as connection:
            task_id = await add_media_fetch(connection, job_id, None, links=True)
        killed = await service.worker(point)
        assert await killed.wait() == -signal.SIGKILL, killed.told()
        await service.worker()
        await ended(service, task_id)

        job = await service.job(job_id)
        assert job.report is not None
        assert job.report["media"]["outcomes"] == {"MOVED": LINKS}
        assert (job.report["totals"]["warning"], job.report["findings"]) == (0, [])
        async with service.resources.engine.connect() as connection:
            urls = set(await connection.scalars(select(MediaItem.url)))
            kept = select(func.count()).where(
                ObjectRecord.purpose == "media", ObjectRecord.state == "KEPT"
            )
            assert len(urls) == await connection.scalar(kept) == LINKS
            result = await connection.scalar(select(Task.result).where(Task.id == task_id))
        assert result is not None
        assert (result["stored"], result["missing"]) == (LINKS, 0)
