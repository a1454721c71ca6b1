"""The worker process: its slots, arq's loop that wakes them, and what runs beside them."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Iterable
from typing import Any, Final

from arq.worker import Worker, func
from redis.exceptions import RedisError

from eventimport.jobs.clean_up import keep_cleaning_up
from eventimport.jobs.recovery import keep_recovering
from eventimport.jobs.send_mail import keep_sending
from eventimport.jobs.slots import Slots
from eventimport.observability import logs
from eventimport.observability.tracing import create_tracer_provider
from eventimport.queue import (
    WAKE_UP,
    create_redis,
    deserialize_job,
    serialize_job,
    worker_key,
)
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

POLL_SECONDS: Final = 0.1
RECONNECT_SECONDS: Final = 1.0
HEALTH_SECONDS: Final = 10
REDIS_TIMEOUT: Final = 10.0
LAST_WORDS_SECONDS: Final = 10.0
"""Longer than an import takes to hand itself back, and a mail to be marked as sent."""

logger = logging.getLogger(__name__)


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; then take no more jobs, finish what is running within the grace
    period, and hand back what is not finished."""
    logs.configure(settings.logging)
    prepare_process()
    asyncio.run(_work(settings))


def prepare_process() -> None:
    """Tell the garbage collector that what is imported by now lives as long as the process."""
    gc.collect()
    gc.freeze()


async def _work(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tracer_provider = create_tracer_provider(settings.tracing, service="eventimport-worker")
    async with open_resources(settings, tracer_provider) as resources:
        beside = [
            asyncio.create_task(keep_recovering(resources)),
            asyncio.create_task(keep_sending(resources)),
            asyncio.create_task(keep_cleaning_up(resources)),
        ]
        try:
            await work(resources, stopping)
        finally:
            await _cancelled(beside, again_after=LAST_WORDS_SECONDS)


async def work(resources: Resources, stopping: asyncio.Event) -> None:
    """Run tasks until `stopping` is set. Then finish what runs within the grace period, and hand
    back the rest."""
    slots = Slots(resources)
    listening = asyncio.create_task(_listen(resources, slots))
    try:
        await slots.work(stopping)
        if slots.running:
            await asyncio.wait(slots.running, timeout=resources.settings.shutdown_grace)
    finally:
        await _cancelled([listening, *slots.running], again_after=LAST_WORDS_SECONDS)


async def _listen(resources: Resources, slots: Slots) -> None:
    """Wake the slots whenever the queue says so, until cancelled. An unavailable queue is waited
    for: meanwhile the slots look for tasks by themselves."""
    while True:
        worker = create_worker(resources, slots.woken)
        slots.listener = worker
        try:
            await worker.async_run()
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("the queue is unavailable: %s", error)
        finally:
            slots.listener = None
            await _close(worker)
        await asyncio.sleep(RECONNECT_SECONDS)


async def _close(worker: Worker) -> None:
    """What `Worker.close` does, which calls a deprecated method."""
    await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        await worker.pool.delete(worker.health_check_key)
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        await worker.pool.aclose()


async def _cancelled(tasks: Iterable[asyncio.Task[None]], *, again_after: float) -> None:
    """Cancel tasks until they have ended. Once is not always enough: before Python 3.12,
    `asyncio.wait_for` forgets a cancellation that comes just when what it waits for is done, and
    the client of Redis sends its commands within it."""
    waiting = set(tasks)
    ended = list(waiting)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=again_after)
    await asyncio.gather(*ended, return_exceptions=True)


async def wake_up(ctx: dict[str, Any]) -> None:
    """arq's entry: have the slots look for tasks."""
    woken: asyncio.Event = ctx["woken"]
    woken.set()


def create_worker(resources: Resources, woken: asyncio.Event) -> Worker:
    """arq's worker for our queue, whose jobs are wake-ups. Results are not kept."""
    settings = resources.settings
    return Worker(
        functions=[func(wake_up, name=WAKE_UP)],
        keep_result=0,
        queue_name=settings.queue_name,
        redis_pool=create_redis(settings.queue, timeout=REDIS_TIMEOUT),
        handle_signals=False,
        poll_delay=POLL_SECONDS,
        health_check_interval=HEALTH_SECONDS,
        health_check_key=worker_key(settings.queue_name, f"{socket.gethostname()}:{os.getpid()}"),
        ctx={"woken": woken},
        job_serializer=serialize_job,
        job_deserializer=deserialize_job,
        log_results=False,
    )
