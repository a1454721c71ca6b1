"""Clocks that differ, or are set, while imports run: each import ends all the same."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.formats.planning import zip_of
from tests.jobs.conftest import Imports
from tests.lost_workers import lose_workers
from tests.rows import change_imports

from eventimport.database.models import TaskKind
from eventimport.database.tasks import Beat, Claim, claim, claim_next, release, update_task
from eventimport.imports.run import run_import
from eventimport.jobs.recovery import Watch, recover

ARCHIVE = zip_of({"event": {"id": 1, "name": "Conference", "timezone": "UTC"}})


async def set_clock(imports: Imports, by: timedelta) -> None:
    """Set PostgreSQL's clock: to it, all that was written before is later or earlier now."""
    async with imports.resources.engine.begin() as connection:
        for column in ("created_at", "started_at", "retry_at"):
            statement = f"UPDATE tasks SET {column} = {column} - CAST(:by AS interval)"
            await connection.execute(text(statement), {"by": by})


async def claimed(imports: Imports) -> Claim:
    """A worker's claim of the only import."""
    async with imports.resources.engine.begin() as connection:
        found = await claim_next(connection, kinds=[TaskKind.IMPORT])
    assert found is not None
    return found


async def beat(imports: Imports, of: Claim) -> None:
    async with imports.resources.engine.begin() as connection:
        await update_task(connection, of)


@pytest.mark.parametrize("hours", [-1, 2])
async def test_a_lost_worker_is_noticed_whatever_the_clock_says(
    imports: Imports, hours: int
) -> None:
    job_id = await imports.accept(ARCHIVE)
    await claimed(imports)
    await set_clock(imports, timedelta(hours=hours))

    assert await lose_workers(imports.resources) == 1
    await run_import(imports.resources, job_id)

    job = await imports.job(job_id)
    assert (job.status, job.attempt, job.failures) == ("SUCCESS", 2, 1)


@pytest.mark.parametrize("hours", [-1, 2])
async def test_a_living_worker_keeps_its_task_whatever_the_clock_says(
    imports: Imports, hours: int
) -> None:
    await imports.accept(ARCHIVE)
    worker = await claimed(imports)
    watch = Watch()
    for second in range(0, 100, 10):
        await set_clock(imports, timedelta(hours=hours))
        assert await recover(imports.resources, watch, now=float(second)) == 0
        await beat(imports, worker)


async def test_what_was_put_off_before_the_clock_was_set_back_is_due(imports: Imports) -> None:
    await imports.accept(ARCHIVE)
    worker = await claimed(imports)
    async with imports.resources.engine.begin() as connection:
        await release(connection, worker, pause=timedelta(seconds=10))
        # In the same transaction, for which time stands still.
        assert await claim_next(connection, kinds=[TaskKind.IMPORT]) is None
    await set_clock(imports, timedelta(hours=-1))

    assert (await claimed(imports)).attempt == 2


async def test_a_recovery_that_could_not_look_begins_anew(imports: Imports) -> None:
    """While the database was unavailable, no worker could send a heartbeat."""
    job_id = await imports.accept(ARCHIVE)
    await claimed(imports)
    watch = Watch()
    timeout = imports.resources.settings.heartbeat_timeout
    await recover(imports.resources, watch, now=0.0)
    watch.forget()
    assert await recover(imports.resources, watch, now=timeout) == 0
    assert (await imports.job(job_id)).status == "STARTED"
    assert await recover(imports.resources, watch, now=2 * timeout) == 1


def test_only_a_heartbeat_that_stays_the_last_one_means_silence() -> None:
    watch = Watch()
    first, second = Beat(UUID(int=1), 1, 1), Beat(UUID(int=1), 1, 2)
    assert watch.silent([first], now=0, after=30) == []
    assert watch.silent([first], now=29, after=30) == []
    assert watch.silent([second], now=31, after=30) == []
    assert watch.silent([second], now=60, after=30) == []
    assert watch.silent([second], now=61, after=30) == [second]
    assert watch.silent([], now=62, after=30) == []
    assert watch.silent([second], now=100, after=30) == []


async def test_several_recoveries_take_a_task_back_once(imports: Imports) -> None:
    job_id = await imports.accept(ARCHIVE)
    await claimed(imports)

    counts = await asyncio.gather(*(lose_workers(imports.resources) for _ in range(4)))

    assert sum(counts) == 1
    assert (await imports.job(job_id)).failures == 1


async def test_a_lost_worker_of_a_cancelled_import_lets_go_of_it(imports: Imports) -> None:
    job_id = await imports.accept(ARCHIVE)
    await claimed(imports)
    await lose_workers(imports.resources)
    async with imports.resources.engine.begin() as connection:
        other = await claim(connection, job_id)
    assert other is not None
    await change_imports(imports.resources.engine, job_id, status="REVOKED")

    assert await lose_workers(imports.resources) == 0

    job = await imports.job(job_id)
    assert (job.status, job.held) == ("REVOKED", False), "and it no longer counts"
