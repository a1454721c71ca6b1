"""What the queue does when a job is enqueued anew, without a worker."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix

from eventimport.queue import ArqQueue, QueueConfig, create_redis


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    redis = create_redis(QueueConfig(url=redis_url))
    yield redis
    await redis.aclose()


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[ArqQueue]:
    queue = ArqQueue(QueueConfig(url=redis_url))
    yield queue
    await queue.close()


async def waiting(redis: ArqRedis) -> list[str]:
    return [job.job_id or "" for job in await redis.queued_jobs()]


async def test_what_waits_already_is_not_multiplied(queue: ArqQueue, redis: ArqRedis) -> None:
    job_id = uuid4()
    await queue.enqueue_import(job_id, 0)
    for _ in range(3):
        await queue.renew_import(job_id, 0)
    assert await waiting(redis) == [f"import:{job_id}:0"]


async def test_what_a_dead_worker_has_taken_is_enqueued_once(
    queue: ArqQueue, redis: ArqRedis
) -> None:
    job_id = uuid4()
    await queue.enqueue_import(job_id, 0)
    for number in ("", ":1"):
        await redis.psetex(f"{in_progress_key_prefix}import:{job_id}:0{number}", 60_000, b"1")
        for _ in range(2):
            await queue.renew_import(job_id, 0)
    assert await waiting(redis) == [f"import:{job_id}:0:2"]


async def test_the_attempt_before_leaves_the_queue(queue: ArqQueue, redis: ArqRedis) -> None:
    """arq looks at the oldest jobs only: dead ones must not hide the others."""
    job_id = uuid4()
    await queue.enqueue_import(job_id, 0)
    await redis.psetex(f"{in_progress_key_prefix}import:{job_id}:0", 60_000, b"1")
    await queue.renew_import(job_id, 1)
    assert await waiting(redis) == [f"import:{job_id}:1"]


async def test_what_the_queue_has_lost_is_enqueued(queue: ArqQueue, redis: ArqRedis) -> None:
    job_id = uuid4()
    await queue.enqueue_import(job_id, 0)
    await redis.zrem("eventimport", f"import:{job_id}:0")
    await queue.renew_import(job_id, 0)
    assert await waiting(redis) == [f"import:{job_id}:0"]
