"""The queue, over a real Valkey and over none."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.worker import Worker, func

from eventimport.queue import (
    WAKE_UP,
    ArqQueue,
    QueueConfig,
    QueueUnavailableError,
    create_redis,
    deserialize_job,
    serialize_job,
)

NAME = "some-queue"
HOUR_MS = 3_600_000
NOW_MS = 1_800_000_000_000


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[ArqQueue]:
    """A queue over the test's Valkey."""
    queue = ArqQueue(QueueConfig(url=redis_url, name=NAME))
    yield queue
    await queue.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """The same, past its port."""
    redis = create_redis(QueueConfig(url=redis_url, name=NAME))
    yield redis
    await redis.aclose()


async def woken_by(redis_url: str) -> int:
    """How many wake-ups a worker finds."""
    count = 0

    async def wake_up(ctx: dict[Any, Any]) -> None:
        nonlocal count
        count += 1

    worker = Worker(
        functions=[func(wake_up, name=WAKE_UP)],
        queue_name=NAME,
        redis_pool=create_redis(QueueConfig(url=redis_url, name=NAME)),
        handle_signals=False,
        burst=True,
        poll_delay=0.01,
        job_serializer=serialize_job,
        job_deserializer=deserialize_job,
    )
    await worker.async_run()
    await worker.pool.aclose()
    return count


async def test_wake_ups_reach_a_worker(queue: ArqQueue, redis_url: str) -> None:
    for _ in range(3):
        await queue.wake_worker()

    assert await woken_by(redis_url) == 3


@pytest.mark.parametrize("hours", [-2, 2])
async def test_clocks_that_differ_do_not_delay_a_wake_up(
    queue: ArqQueue, redis_url: str, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """The enqueuer's clock is two hours behind, or ahead of, the worker's."""
    with monkeypatch.context() as patch:
        patch.setattr("arq.connections.timestamp_ms", lambda: NOW_MS + hours * HOUR_MS)
        await queue.wake_worker()
    monkeypatch.setattr("arq.worker.timestamp_ms", lambda: NOW_MS)

    assert await woken_by(redis_url) == 1


async def test_a_wake_up_that_no_worker_takes_expires(queue: ArqQueue, redis: ArqRedis) -> None:
    await queue.wake_worker()

    (key,) = await redis.keys("arq:job:*")
    assert 0 < await redis.pttl(key) <= 24 * HOUR_MS


async def test_a_queue_that_is_away_is_told() -> None:
    queue = ArqQueue(QueueConfig(url="redis://127.0.0.1:1/0"))

    with pytest.raises(QueueUnavailableError):
        await queue.wake_worker()

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
        await queue.wake_worker()

    await queue.close()
    closing.set()
    server.close()
    await server.wait_closed()


async def test_a_queue_that_comes_back_is_used_again(queue: ArqQueue, redis: ArqRedis) -> None:
    await queue.wake_worker()
    # Only the queue's own connections: other tests of the run are clients of the same server.
    own, number = await redis.client_id(), redis.connection_pool.connection_kwargs["db"]
    for client in await redis.client_list():
        if client["db"] == str(number) and client["id"] != str(own):
            await redis.client_kill_filter(_id=client["id"])

    await queue.wake_worker()

    assert len(await redis.queued_jobs()) == 2
