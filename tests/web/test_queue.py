"""The queue, over a real Valkey and over none."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from eventimport.queue import ArqQueue, QueueConfig, QueueUnavailableError, create_redis


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[ArqQueue]:
    """A queue over the test's Valkey."""
    queue = ArqQueue(QueueConfig(url=redis_url, name="some-queue"))
    yield queue
    await queue.close()


async def queued_ids(redis_url: str) -> list[Any]:
    """The ids of the jobs in the queue."""
    redis = create_redis(QueueConfig(url=redis_url, name="some-queue"))
    try:
        return sorted(job.job_id for job in await redis.queued_jobs())
    finally:
        await redis.aclose()


async def test_an_attempt_is_enqueued_once(queue: ArqQueue, redis_url: str) -> None:
    job_id = uuid4()

    await queue.enqueue_import(job_id, 0)
    await queue.enqueue_import(job_id, 0)

    assert await queued_ids(redis_url) == [f"import:{job_id}:0"]


async def test_each_attempt_is_a_job_of_its_own(queue: ArqQueue, redis_url: str) -> None:
    job_id = uuid4()

    await queue.enqueue_import(job_id, 0)
    await queue.enqueue_import(job_id, 1)

    assert await queued_ids(redis_url) == [f"import:{job_id}:0", f"import:{job_id}:1"]


async def test_a_queue_that_is_away_is_told(unused_tcp_port: int) -> None:
    queue = ArqQueue(QueueConfig(url=f"redis://127.0.0.1:{unused_tcp_port}/0"))

    with pytest.raises(QueueUnavailableError):
        await queue.enqueue_import(uuid4(), 0)

    await queue.close()


async def test_a_queue_that_is_silent_is_told() -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closing.wait()
        writer.close()

    closing = asyncio.Event()
    server = await asyncio.start_server(say_nothing, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    queue = ArqQueue(QueueConfig(url=f"redis://127.0.0.1:{port}/0", timeout=0.05))

    with pytest.raises(QueueUnavailableError):
        await queue.enqueue_import(uuid4(), 0)

    await queue.close()
    closing.set()
    server.close()
    await server.wait_closed()


async def test_a_queue_that_comes_back_is_used_again(
    queue: ArqQueue, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = uuid4()
    redis = create_redis(QueueConfig(url=redis_url))
    await queue.enqueue_import(job_id, 0)
    await redis.client_kill_filter(_type="normal", skipme=True)

    await queue.enqueue_import(job_id, 1)

    await redis.aclose()
    assert await queued_ids(redis_url) == [f"import:{job_id}:0", f"import:{job_id}:1"]
