"""What arq's worker leaves behind of jobs that it could not even begin."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from arq.constants import job_key_prefix

from eventimport.jobs.worker import create_worker
from eventimport.queue import create_redis, serialize_job
from eventimport.resources import Resources

Spoil = Callable[[ArqRedis, str], Awaitable[object]]


@pytest.fixture
async def redis(resources: Resources) -> AsyncIterator[ArqRedis]:
    """The queue, past its port."""
    redis = create_redis(resources.settings.queue)
    yield redis
    await redis.aclose()


async def lose(redis: ArqRedis, arq_id: str) -> None:
    """arq forgets what is to be done."""
    await redis.delete(job_key_prefix + arq_id)


async def garble(redis: ArqRedis, arq_id: str) -> None:
    """Something else writes over it."""
    await redis.set(job_key_prefix + arq_id, b"\x80 is no JSON")


async def misname(redis: ArqRedis, arq_id: str) -> None:
    """It is for another function, of another version perhaps."""
    job: dict[str, Any] = {"t": None, "f": "no_such_function", "a": [], "k": {}, "et": 0}
    await redis.set(job_key_prefix + arq_id, serialize_job(job))


@pytest.mark.parametrize("spoil", [lose, garble, misname])
async def test_a_wake_up_that_arq_cannot_run_leaves_nothing(
    resources: Resources, redis: ArqRedis, spoil: Spoil, caplog: pytest.LogCaptureFixture
) -> None:
    await resources.queue.wake_worker()
    (queued,) = await redis.queued_jobs()
    assert queued.job_id is not None
    await spoil(redis, queued.job_id)
    woken = asyncio.Event()
    worker = create_worker(resources, woken)
    worker.burst = True

    with caplog.at_level(logging.WARNING, "arq.jobs"):
        await worker.async_run()
    await worker.pool.aclose()

    assert worker.jobs_failed == 1
    assert [record for record in caplog.records if record.name == "arq.jobs"] == []
    assert not woken.is_set()
    assert await redis.queued_jobs() == []


def test_of_an_exception_only_its_type_is_written() -> None:
    written = serialize_job({"r": ValueError("Ada Lovelace")})

    assert written == b'{"r":"ValueError"}'


def test_what_json_does_not_know_is_no_job() -> None:
    with pytest.raises(TypeError, match="UUID"):
        serialize_job({"a": [uuid4()]})
