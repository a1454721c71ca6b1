"""`kill -9` of a worker in the midst of a clean-up: the next round does the rest."""

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from tests.clean_up.conftest import pass_time
from tests.faults.kill_points import KillPoint
from tests.faults.service import Service
from tests.faults.workers import PATIENCE
from tests.stored_files import keys_in, store

from eventimport.database.models import ObjectPurpose, ObjectRecord
from eventimport.storage.keys import probe_key

CLEAN_UP = "eventimport.jobs.clean_up:"
DELETER = "eventimport.stored_objects:"
DISK = "eventimport.storage.local:LocalStorage."
OFTEN = "0.2"
UNUSED = select(func.count()).where(ObjectRecord.purpose != ObjectPurpose.MEDIA)

POINTS = [
    KillPoint(CLEAN_UP + "take_round", "after", 2),
    KillPoint(CLEAN_UP + "unlink_expired_archives", "before"),
    KillPoint(CLEAN_UP + "unlink_expired_archives", "after"),
    KillPoint(CLEAN_UP + "unlink_lost_rows", "before"),
    KillPoint(CLEAN_UP + "take_unlinked", "before"),
    KillPoint(CLEAN_UP + "take_unlinked", "after"),
    KillPoint(DISK + "delete_unfinished", "before"),
    KillPoint(DISK + "delete", "before"),
    KillPoint(DISK + "delete", "after"),
    KillPoint(DISK + "delete", "after", 2),
    KillPoint(DELETER + "forget_objects", "before"),
    KillPoint(DELETER + "forget_objects", "after"),
    KillPoint(CLEAN_UP + "delete_old_mails", "before"),
    KillPoint(CLEAN_UP + "add_counts", "after"),
]


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_a_worker_that_is_killed_while_it_cleans_up(
    service: Service, point: KillPoint
) -> None:
    job_id = await service.accept()
    importing = await service.worker()
    job = await service.ended(job_id)
    await service.mailed()
    assert await importing.end() == 0, importing.told()
    await service.change(job_id, finished_at=func.now() - text("interval '31 days'"))
    root = Path(service.environment["LOCAL_STORAGE_PATH"])
    for _ in range(2):
        await store(service.resources, probe_key(), ObjectPurpose.PROBE)
    async with service.resources.engine.begin() as connection:
        await pass_time(connection, timedelta(hours=25))

    killed = await service.worker(point, CLEAN_UP_INTERVAL=OFTEN)
    assert await killed.wait() == -signal.SIGKILL, "the point was not reached:\n" + killed.told()
    other = await service.worker(CLEAN_UP_INTERVAL=OFTEN)
    async with asyncio.timeout(PATIENCE), service.resources.reader.connect() as connection:
        left = 1
        while left:
            left = await connection.scalar(UNUSED) or 0
            await asyncio.sleep(0.05)
    assert await other.end() in {0, -signal.SIGTERM}, other.told()

    assert job.archive_key is not None
    assert not (root / job.archive_key).exists()
    assert await keys_in(service.resources.storages.active, "private/") == []
    assert await service.violations({job_id: 1}) == []
