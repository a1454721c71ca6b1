"""The queue port, and arq behind it. Only ids travel; the row in `import_jobs` is the truth."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, cast
from uuid import UUID

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from eventimport.errors import EventImportError

IMPORT_EVENT = "import_event"
"""The name of the function that the worker registers for imports: `(ctx, job_id, attempt)`."""


def worker_key(queue_name: str, worker: str) -> str:
    """The key in Redis that a living worker renews every few seconds."""
    return f"{queue_name}:worker:{worker}"


class QueueUnavailableError(EventImportError):
    """Redis does not answer; what was to be enqueued is not, as far as one knows."""


class ImportQueue(Protocol):
    """What the service asks of a queue."""

    async def enqueue_import(self, job_id: UUID, attempt: int) -> None:
        """Have a worker run this attempt of the import; that it is enqueued already is no error.

        Raises QueueUnavailableError, within a few seconds.
        """
        ...

    async def renew_import(self, job_id: UUID, attempt: int) -> None:
        """Have a worker run this attempt although it was enqueued before, and perhaps taken by a
        worker that has died since; where it still waits for one, nothing changes.

        Raises QueueUnavailableError, within a few seconds.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Where the queue is. `timeout` bounds each step (connect, answer), in seconds."""

    url: str
    name: str = "eventimport"
    timeout: float = 1.0


def serialize_job(job: dict[str, Any]) -> bytes:
    """arq's job, or what came of it, as JSON; of an exception only its type, since its words may
    hold personal data. Raises TypeError for what else JSON does not know."""
    return json.dumps(job, separators=(",", ":"), default=_type_of_exception).encode()


def _type_of_exception(value: object) -> str:
    if isinstance(value, BaseException):
        return type(value).__qualname__
    raise TypeError(f"a job holds no {type(value).__qualname__}")


def deserialize_job(data: bytes) -> dict[str, Any]:
    """The job that `serialize_job` wrote."""
    return cast("dict[str, Any]", json.loads(data))


def create_redis(config: QueueConfig, *, timeout: float | None = None) -> ArqRedis:
    """A client of the queue that connects when it is first used; the worker takes the same one.

    `timeout` replaces the configuration's, for a client that waits on purpose.
    """
    seconds = config.timeout if timeout is None else timeout
    pool = ConnectionPool.from_url(
        config.url, socket_connect_timeout=seconds, socket_timeout=seconds
    )
    redis = ArqRedis(
        pool_or_conn=pool,
        job_serializer=serialize_job,
        job_deserializer=deserialize_job,
        default_queue_name=config.name,
    )
    redis.auto_close_connection_pool = True
    return redis


def _arq_id(job_id: UUID, attempt: int, number: int = 0) -> str:
    return f"import:{job_id}:{attempt}" + (f":{number}" if number else "")


class ArqQueue:
    """The queue that arq's workers read."""

    def __init__(self, config: QueueConfig) -> None:
        self._redis = create_redis(config)
        self._name = config.name
        self._timeout = config.timeout * 2

    async def enqueue_import(self, job_id: UUID, attempt: int) -> None:
        """See `ImportQueue`. arq ignores a second job of one id, so the id holds the attempt."""
        async with self._answering():
            await self._enqueue(job_id, attempt, _arq_id(job_id, attempt))

    async def renew_import(self, job_id: UUID, attempt: int) -> None:
        """See `ImportQueue`. What a dead worker has taken, arq holds to be in progress for as long
        as a job may take, and does not enqueue again until then; and it goes on looking at such
        jobs, the oldest first, at only so many of them. So they leave the queue, and what takes
        their place has another id: a living worker must not have two jobs of one."""
        async with self._answering():
            if attempt:
                await self._first_not_taken(job_id, attempt - 1)
            arq_id = await self._first_not_taken(job_id, attempt)
            if await self._redis.zscore(self._name, arq_id) is None:
                await self._redis.delete(job_key_prefix + arq_id)
                await self._enqueue(job_id, attempt, arq_id)

    async def _first_not_taken(self, job_id: UUID, attempt: int) -> str:
        for number in count():
            arq_id = _arq_id(job_id, attempt, number)
            if not await self._redis.exists(in_progress_key_prefix + arq_id):
                return arq_id
            await self._redis.zrem(self._name, arq_id)
            await self._redis.delete(job_key_prefix + arq_id, retry_key_prefix + arq_id)
        raise AssertionError("numbers do not end")

    async def _enqueue(self, job_id: UUID, attempt: int, arq_id: str) -> None:
        await self._redis.enqueue_job(IMPORT_EVENT, str(job_id), attempt, _job_id=arq_id)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (RedisError, OSError, TimeoutError) as error:
            raise QueueUnavailableError(f"the queue is away: {error}") from error

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._redis.aclose()
