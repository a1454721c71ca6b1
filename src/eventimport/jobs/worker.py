"""The worker process: its slots, arq's loop that wakes them, and what runs beside them."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

from arq.worker import Worker, func
from redis.exceptions import RedisError

from eventimport.database.engine import explain, is_unavailable
from eventimport.database.models import TaskKind
from eventimport.database.tasks import Claim, claim_next
from eventimport.exports.run import attempt_export
from eventimport.imports.image_sizes import attempt_image_sizes
from eventimport.imports.media_fetch import attempt_media_fetch
from eventimport.imports.run import attempt_import
from eventimport.jobs.clean_up import keep_cleaning_up
from eventimport.jobs.recovery import keep_recovering
from eventimport.jobs.send_mail import keep_sending
from eventimport.observability import logs
from eventimport.observability.failure_log import FailureLog
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

HANDLERS: Final[Mapping[str, Callable[[Resources, Claim], Coroutine[Any, Any, None]]]] = {
    TaskKind.IMPORT: attempt_import,
    TaskKind.IMAGE_SIZES: attempt_image_sizes,
    TaskKind.EXPORT: attempt_export,
    TaskKind.FETCH_MEDIA: attempt_media_fetch,
}
"""What runs a claimed task of each kind. Tasks of other kinds are left to newer workers."""

logger = logging.getLogger(__name__)


class Slots:
    """Claims tasks from the database and runs them, WORKER_JOBS at once.

    It looks for tasks when it is woken, when a task ends, and every TASK_POLL_INTERVAL seconds.
    `listener` gets no wake-ups while all slots are taken: they are for other workers then.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._running: dict[asyncio.Task[None], Claim] = {}
        self.woken = asyncio.Event()
        self.listener: Worker | None = None

    @property
    def running(self) -> list[asyncio.Task[None]]:
        """The tasks that run."""
        return list(self._running)

    @property
    def is_free(self) -> bool:
        """Whether another task may run."""
        return len(self._running) < self._resources.settings.worker_jobs

    async def work(self, stopping: asyncio.Event) -> None:
        """Claim and run tasks until `stopping` is set; those that run then go on."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self.woken.clear()
                await self._fill(stopping)
                await self._wait(stop)
        finally:
            stop.cancel()

    async def _wait(self, stop: asyncio.Task[Any]) -> None:
        woken = asyncio.create_task(self.woken.wait())
        try:
            await asyncio.wait(
                (woken, stop),
                timeout=self._resources.settings.task_poll_interval,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            woken.cancel()

    async def _fill(self, stopping: asyncio.Event) -> None:
        """Claim tasks until all slots are taken, or no task waits."""
        try:
            while self.is_free and not stopping.is_set():
                claimed = await self._claim()
                if claimed is None:
                    break
                self._start(claimed)
            self._resources.failure_log.write({}, {"database"})
        except Exception as error:
            if is_unavailable(error) or isinstance(error, (OSError, TimeoutError)):
                self._resources.failure_log.write({"database": explain(error)}, set())
            else:
                logger.exception("claiming a task failed unexpectedly")
        if self.listener is not None:
            self.listener.allow_pick_jobs = self.is_free and not stopping.is_set()

    async def _claim(self) -> Claim | None:
        most = self._resources.settings.running_per_user
        by_user = Counter(claimed.user_id for claimed in self._running.values())
        full = [user_id for user_id, count in by_user.items() if count >= most]
        async with self._resources.engine.begin() as connection:
            return await claim_next(connection, kinds=list(HANDLERS), without_users=full)

    def _start(self, claimed: Claim) -> None:
        task = asyncio.create_task(HANDLERS[claimed.kind](self._resources, claimed))
        self._running[task] = claimed
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._running.pop(task)
        self.woken.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("task %s failed unexpectedly", claimed.task_id, exc_info=error)


POLL_SECONDS: Final = 0.1
RECONNECT_SECONDS: Final = 1.0
HEALTH_SECONDS: Final = 10
REDIS_TIMEOUT: Final = 10.0
LAST_WORDS_SECONDS: Final = 10.0
"""Longer than an import takes to hand itself back, and a mail to be marked as sent."""


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; then take no more jobs, finish what is running within the grace
    period, and hand back what is not finished."""
    logs.configure(settings.logging)
    prepare_process()
    asyncio.run(_work(settings))


def prepare_process() -> None:
    """Exempt the modules that are loaded by now from garbage collection."""
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
            resources.failure_log.write({"queue": str(error)}, set())
        finally:
            slots.listener = None
            await _to_its_end(_close(worker))
        await asyncio.sleep(RECONNECT_SECONDS)


async def _to_its_end(closing: Coroutine[Any, Any, None]) -> None:
    """Wait for what must not stop halfway, however often the caller is cancelled meanwhile."""
    task = asyncio.create_task(closing)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((task,))
    task.result()


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


async def _connected(ctx: dict[str, Any]) -> None:
    """arq's entry, once it has reached Redis."""
    failure_log: FailureLog = ctx["failure_log"]
    failure_log.write({}, {"queue"})


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
        ctx={"woken": woken, "failure_log": resources.failure_log},
        on_startup=_connected,
        job_serializer=serialize_job,
        job_deserializer=deserialize_job,
        log_results=False,
    )
