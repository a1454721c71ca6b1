"""Workers that are told to stop, that sleep through their own funeral, and that die each time."""

import asyncio
import signal
from datetime import timedelta

import pytest
from tests.faults.kill_points import DISK, JOB, RECORDS, KillPoint
from tests.faults.service import Service
from tests.lost_workers import lose_workers

from eventimport.database.models import ImportJob, ImportStatus
from eventimport.jobs.worker import _cancelled
from eventimport.settings import Settings

NO_RECOVERY = {"RECOVERY_INTERVAL": "3600", "HEARTBEAT_TIMEOUT": "3600"}


async def test_a_worker_that_is_told_to_stop_finishes(service: Service) -> None:
    job_id = await service.accept()
    worker = await service.worker(
        KillPoint(JOB + "write_plan", "before", number=signal.SIGTERM),
        SHUTDOWN_GRACE="60",
        **NO_RECOVERY,
    )
    assert await worker.wait() == 0, worker.told()
    job = await service.job(job_id)
    assert (job.status, job.attempt) == (ImportStatus.SUCCESS, 1), worker.told()
    assert await service.violations({job_id: 1}) == []


@pytest.mark.parametrize(
    "target",
    [JOB + "read_conference", JOB + "write_plan", RECORDS + "settle_moved", DISK + "put"],
)
async def test_what_it_cannot_finish_in_time_is_handed_back(service: Service, target: str) -> None:
    """And taken up at once, rather than when the heartbeat is stale."""
    job_id = await service.accept()
    worker = await service.worker(
        KillPoint(target, "before", number=signal.SIGTERM), SHUTDOWN_GRACE="0", **NO_RECOVERY
    )
    assert await worker.wait() == 0, worker.told()
    job = await service.job(job_id)
    assert (job.status, job.attempt) == (ImportStatus.PENDING, 1), worker.told()
    await service.worker(None, **NO_RECOVERY)
    job = await service.ended(job_id)
    assert job.attempt == 2
    assert await service.violations({job_id: 1}) == []


@pytest.mark.parametrize(
    "point",
    [
        KillPoint(JOB + "read_conference", "before", number=signal.SIGSTOP),
        KillPoint(JOB + "write_plan", "after", number=signal.SIGSTOP),
        KillPoint(DISK + "put", "before", number=signal.SIGSTOP),
        KillPoint(DISK + "put", "after", 2, number=signal.SIGSTOP),
        KillPoint(JOB + "succeed", "before", number=signal.SIGSTOP),
    ],
    ids=str,
)
async def test_who_wakes_up_too_late_changes_nothing(service: Service, point: KillPoint) -> None:
    job_id = await service.accept()
    sleeper = await service.worker(point, DATABASE_IDLE_TIMEOUT="1.0")
    await sleeper.stopped()
    other = await service.worker(DATABASE_IDLE_TIMEOUT="1.0")
    job = await service.ended(job_id)
    await service.mailed()
    sleeper.send(signal.SIGCONT)
    # Told to stop, it first finishes whatever it still believes in.
    assert await sleeper.end() == 0, sleeper.told()
    assert await other.end() == 0, other.told()
    after = await service.job(job_id)
    assert (after.attempt, after.finished_at) == (job.attempt, job.finished_at)
    assert await service.violations({job_id: 1}) == []
    assert len(service.mails()) == 1


async def killed_twice(service: Service, point: KillPoint) -> ImportJob:
    """The import, once two of its workers were killed at this point and no other may try."""
    job_id = await service.accept()
    for attempt in (1, 2):
        worker = await service.worker(point, MAX_ATTEMPTS="2", **NO_RECOVERY)
        assert await worker.wait() == -signal.SIGKILL, worker.told()
        if attempt == 1:
            # Not by the next worker, which a busy machine could make look dead as well.
            assert await lose_workers(service.resources) == 1
    await service.worker(MAX_ATTEMPTS="2")
    job = await service.ended(job_id)
    await service.mailed()
    return job


async def test_what_kills_its_worker_each_time_is_given_up(service: Service) -> None:
    job = await killed_twice(service, KillPoint(JOB + "read_conference", "before"))
    assert (job.status, job.attempt, job.event_id) == (ImportStatus.FAILURE, 2, None)
    assert job.errors is not None
    assert [error["code"] for error in job.errors] == ["worker-lost"]
    assert await service.violations({}) == []


async def test_media_that_kill_their_worker_each_time_are_left_out(service: Service) -> None:
    job = await killed_twice(service, KillPoint(RECORDS + "settle_moved", "before", 1))
    assert (job.status, job.attempt, job.errors) == (ImportStatus.SUCCESS, 2, None)
    assert job.event_id is not None
    assert job.report is not None
    outcomes = job.report["media"]["outcomes"]
    assert outcomes["NOT_STORED"] > 0
    assert "PLANNED" not in outcomes


def test_a_lost_import_goes_on_within_a_minute() -> None:
    fields = Settings.model_fields
    longest = fields["heartbeat_timeout"].default + fields["recovery_interval"].default
    assert timedelta(seconds=longest) < timedelta(minutes=1)


async def test_a_cancellation_that_is_forgotten_is_repeated() -> None:
    """As `asyncio.wait_for` may forget it before Python 3.12."""
    forgotten = asyncio.Event()

    async def forgetful() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            forgotten.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(forgetful())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await _cancelled([task], again_after=0.01)
    assert forgotten.is_set()
    assert task.cancelled()
