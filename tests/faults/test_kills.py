"""`kill -9` of a worker at each step of an import, from the first to the mail."""

import signal

import pytest
from sqlalchemy import func, update
from tests.faults.kill_points import KILL_POINTS, MAIL, KillPoint
from tests.faults.service import Service

from eventimport.database.models import ImportStatus, OutgoingMail


@pytest.mark.parametrize("point", KILL_POINTS, ids=str)
async def test_a_worker_that_is_killed(service: Service, point: KillPoint) -> None:
    job_id = await service.accept()
    killed = await service.worker(point)
    assert await killed.wait() == -signal.SIGKILL, "the point was not reached:\n" + killed.told()
    # A mail that was taken is left alone for minutes: these are over.
    async with service.resources.engine.begin() as connection:
        await connection.execute(update(OutgoingMail).values(next_attempt_at=func.now()))

    other = await service.worker()
    job = await service.ended(job_id)
    assert job.status == ImportStatus.SUCCESS, job.errors
    await service.mailed()
    # It may be told to stop before it has begun to listen.
    assert await other.end() in {0, -signal.SIGTERM}, other.told()
    assert await service.violations({job_id: 1}) == []
    assert len(service.mails()) == 1


def test_the_points_are_spread_over_the_whole_import() -> None:
    assert len({str(point) for point in KILL_POINTS}) == len(KILL_POINTS) >= 20
    assert any(point.target.startswith(MAIL) for point in KILL_POINTS)
