"""What a process holds open for its whole life; the web server and the worker share it."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from arq.connections import ArqRedis
from opentelemetry.trace import TracerProvider
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from eventimport.auth import Limiter, LookAlikes, Passwords, Tokens
from eventimport.database.accounts import find_signed_in
from eventimport.database.engine import create_engine, create_reader, session_factory
from eventimport.database.models import ObjectPurpose
from eventimport.database.objects import (
    Reservation,
    Use,
    forget_objects,
    give_up_objects,
    record_objects,
    reserve_together,
    use_together,
)
from eventimport.database.service_settings import StorageChoice, write_storage_place
from eventimport.database.statistics import StatisticsReader
from eventimport.database.task_watch import TaskWatcher
from eventimport.feed_cache import FeedCache
from eventimport.groups import Groups
from eventimport.media.fetch import Fetcher
from eventimport.media.image_processes import ImageProcesses
from eventimport.observability.failure_log import FailureLog
from eventimport.observability.metrics import RequestMetrics
from eventimport.observability.tracing import NO_TRACES
from eventimport.queue import ArqQueue, Queue, QueueUnavailableError, create_redis
from eventimport.settings import Settings
from eventimport.storage.factory import StorageSet
from eventimport.storage.keys import probe_key
from eventimport.storage.probe import probe
from eventimport.storage.protocol import Storage

LIMITER_TIMEOUT: Final = 0.25
"""How long a request waits for Redis to count it, in seconds; then it passes uncounted."""

LONGEST_ENDING: Final = 5.0
"""How long what is `unfinished` holds up the end of the process, in seconds."""

REQUESTS_TOGETHER: Final = 64
"""Requests of a process that share a statement or a transaction, if they come at the same time."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The open resources. `reader` is the engine without transactions, for single SELECTs.

    A signal handler sets `stopping` once the process must stop: answers that have no end of their
    own must end then, for the server waits for them. `unfinished` are the tasks that must take back
    what they have stored should they fail: nothing is closed before they have ended, for a server
    that stops cancels them, and does not wait. Requests that come at the same time share the
    statements of `accounts`, which finds those of tokens, and of `reservations` and `uses`, which
    record files.
    """

    settings: Settings
    engine: AsyncEngine
    reader: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    storages: StorageSet
    storage_choice: StorageChoice
    queue: Queue
    redis: ArqRedis
    limiter: Limiter
    task_watcher: TaskWatcher
    look_alikes: LookAlikes = field(default_factory=LookAlikes)
    metrics: RequestMetrics
    failure_log: FailureLog = field(default_factory=FailureLog)
    statistics: StatisticsReader
    tracer_provider: TracerProvider
    fetcher: Fetcher
    source_fetcher: Fetcher
    url_imports: asyncio.Semaphore
    images: ImageProcesses
    feeds: FeedCache
    tokens: Tokens
    passwords: Passwords
    accounts: Groups[tuple[int, int], Row[int, int, str, bool, bool] | None]
    reservations: Groups[Reservation, bool]
    uses: Groups[tuple[str, Sequence[Use]], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    unfinished: set[asyncio.Task[Any]] = field(default_factory=set)

    async def active_storage(self) -> Storage:
        """The backend that takes new objects: the one that an admin has chosen, which all processes
        know within a second or two, else the one of the settings."""
        name = await self.storage_choice.current()
        if name is None:
            return self.storages.active
        if name not in self.storages.names:
            logger.error("the storage %r was chosen, but is not configured", name)
            return self.storages.active
        return self.storages.get(name)

    async def storage_for_upload(self, *, force_local: bool) -> Storage:
        """The backend for a user's upload: the local disk if the client asks for it."""
        return self.storages.get("local") if force_local else await self.active_storage()

    async def choose_storage(self, name: str) -> None:
        """Have all processes store new files in the storage of this name, if the service can write,
        read and delete an object in it. Raises StorageError."""
        key = probe_key()
        async with self.engine.begin() as connection:
            await record_objects(connection, name, [key], ObjectPurpose.PROBE)
        await probe(self.storages.get(name), key)
        async with self.engine.begin() as connection:
            gone = await give_up_objects(connection, name, [key])
            await forget_objects(connection, [one.id for one in gone])
            await write_storage_place(connection, name)
        self.storage_choice.set(name)

    async def wake_worker(self) -> None:
        """Have a worker look at once. Without this, workers find the work a few seconds later."""
        try:
            await self.queue.wake_worker()
        except QueueUnavailableError:
            logger.warning("the work waits until a worker looks by itself", exc_info=True)


@asynccontextmanager
async def open_resources(
    settings: Settings, tracer_provider: TracerProvider = NO_TRACES
) -> AsyncIterator[Resources]:
    """Open everything, and close it in reverse order. No server is contacted yet: each connects
    when it is first needed, so that a process starts even if one of them is unavailable."""
    async with AsyncExitStack() as stack:
        engine = create_engine(settings.database)
        stack.push_async_callback(engine.dispose)
        storages = StorageSet.create(settings.storages, active_name=settings.storage_place)
        stack.push_async_callback(storages.close)
        reader = create_reader(settings.reader_database)
        stack.push_async_callback(reader.dispose)
        queue = ArqQueue(settings.queue)
        stack.push_async_callback(queue.close)
        redis = create_redis(settings.queue, timeout=LIMITER_TIMEOUT)
        stack.push_async_callback(redis.aclose)
        fetcher = Fetcher(settings.fetch_limits)
        stack.push_async_callback(fetcher.aclose)
        source_fetcher = Fetcher(settings.source_fetch_limits)
        stack.push_async_callback(source_fetcher.aclose)
        images = ImageProcesses(settings.image_processing)
        stack.push_async_callback(images.close)

        async def reserve(asked: Sequence[Reservation]) -> Sequence[bool]:
            async with engine.begin() as connection:
                return await reserve_together(connection, asked)

        feeds = FeedCache(settings.feed_cache_bytes)
        stack.push_async_callback(feeds.close)
        resources = Resources(
            settings=settings,
            engine=engine,
            reader=reader,
            sessions=session_factory(engine),
            storages=storages,
            storage_choice=StorageChoice(reader),
            queue=queue,
            redis=redis,
            limiter=Limiter(redis, settings.queue_name),
            task_watcher=TaskWatcher(
                reader,
                settings.max_event_streams,
                settings.max_event_streams_per_user,
                settings.event_stream_lifetime,
            ),
            metrics=RequestMetrics(),
            statistics=StatisticsReader(engine),
            tracer_provider=tracer_provider,
            fetcher=fetcher,
            source_fetcher=source_fetcher,
            url_imports=asyncio.Semaphore(settings.url_imports_at_once),
            images=images,
            feeds=feeds,
            tokens=Tokens(settings.auth),
            passwords=Passwords(),
            accounts=Groups(partial(find_signed_in, reader), most=REQUESTS_TOGETHER),
            reservations=Groups(reserve, most=REQUESTS_TOGETHER),
            uses=Groups(partial(use_together, engine), most=REQUESTS_TOGETHER),
        )
        stack.push_async_callback(_end, resources.unfinished)
        yield resources


async def _end(unfinished: set[asyncio.Task[Any]]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_ENDING):
            while unfinished:
                await asyncio.wait(unfinished)
