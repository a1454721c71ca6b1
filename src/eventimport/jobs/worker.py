"""The worker process: arq's loop around our jobs, and what keeps it going when Redis is away."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Iterable
from typing import Final

from arq.worker import Worker, func
from redis.exceptions import RedisError

from eventimport import logs
from eventimport.jobs.clean_up import keep_cleaning_up
from eventimport.jobs.import_event import import_event
from eventimport.jobs.recovery import keep_recovering
from eventimport.jobs.send_mail import keep_sending
from eventimport.queue import (
    IMPORT_EVENT,
    create_redis,
    deserialize_job,
    serialize_job,
    worker_key,
)
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings
from eventimport.tracing import create_tracer_provider

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
    """Run jobs until `stopping` is set. While Redis is away, go on with the jobs that run, and wait
    for it."""
    while not stopping.is_set():
        worker = create_worker(resources)
        main = asyncio.create_task(worker.async_run())
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait((main, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        worker.allow_pick_jobs = False
        if stopping.is_set():
            grace = resources.settings.shutdown_grace
            if worker.tasks:
                await asyncio.wait(worker.tasks.values(), timeout=grace)
        else:
            error = main.exception()
            if not isinstance(error, (RedisError, OSError, TimeoutError)):
                await main
            logger.warning("the queue is away: %s", error)
            await _finish_without_queue(worker, stopping, resources.settings.shutdown_grace)
        await _close(worker, main)


async def _finish_without_queue(worker: Worker, stopping: asyncio.Event, grace: float) -> None:
    """Wait for the end of what runs, and a second at least; told to stop, for the grace period at
    most."""
    stop = asyncio.create_task(stopping.wait())
    running = [asyncio.create_task(asyncio.sleep(RECONNECT_SECONDS)), *worker.tasks.values()]
    done = asyncio.create_task(asyncio.wait(running))
    try:
        await asyncio.wait((stop, done), return_when=asyncio.FIRST_COMPLETED)
        if stop.done():
            await asyncio.wait((done,), timeout=grace if worker.tasks else 0)
    finally:
        for task in (stop, done, running[0]):
            task.cancel()


async def _close(worker: Worker, main: asyncio.Task[None]) -> None:
    """End what still runs; imports hand themselves back when they are cancelled."""
    runs = list(worker.tasks.values())
    await _cancelled([main], again_after=RECONNECT_SECONDS)
    await _cancelled(worker.job_tasks.values(), again_after=LAST_WORDS_SECONDS)
    await asyncio.gather(*runs, return_exceptions=True)
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        await worker.close()


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


def create_worker(resources: Resources) -> Worker:
    """arq's worker for our queue. Results are not kept, nor those of jobs that arq could not begin:
    the row in `import_jobs` is the truth, and for as long as arq has a result of an id, it enqueues
    nothing under it."""
    settings = resources.settings
    return Worker(
        functions=[
            func(
                import_event,
                name=IMPORT_EVENT,
                # Attempts have a limit of their own; this is for one that waits for the database.
                timeout=2 * settings.import_timeout,
            )
        ],
        keep_result=0,
        queue_name=settings.queue_name,
        redis_pool=create_redis(settings.queue, timeout=REDIS_TIMEOUT),
        handle_signals=False,
        max_jobs=settings.worker_jobs,
        poll_delay=POLL_SECONDS,
        health_check_interval=HEALTH_SECONDS,
        health_check_key=worker_key(settings.queue_name, f"{socket.gethostname()}:{os.getpid()}"),
        ctx={"resources": resources},
        job_serializer=serialize_job,
        job_deserializer=deserialize_job,
        log_results=False,
    )
