"""The queue port, and arq behind it.

An arq job carries no id: it only wakes a worker, which claims the next task from the database. A
duplicate, late or lost wake-up is harmless, because workers also look for tasks by themselves.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, cast

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from eventimport.errors import EventImportError

WAKE_UP: Final = "wake_up"
"""The name of the function that the worker registers: `(ctx)`."""

_SCORE: Final = datetime.fromtimestamp(1, UTC)
"""arq runs a job once its score, by default the enqueuer's wall clock, isn't ahead of the worker's
clock. This one never is, and it isn't 0, which arq never runs."""

_EXPIRES: Final = timedelta(days=1)
"""Without it, arq would derive a negative expiry from the score."""


def worker_key(queue_name: str, worker: str) -> str:
    """The key in Redis that a living worker renews every few seconds."""
    return f"{queue_name}:worker:{worker}"


class QueueUnavailableError(EventImportError):
    """Redis did not answer; the wake-up may be lost."""


class Queue(Protocol):
    """What the service asks of a queue."""

    async def wake_worker(self) -> None:
        """Have a worker look for tasks now.

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
    raise TypeError(f"a job cannot contain a {type(value).__qualname__}")


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


class ArqQueue:
    """The queue that arq's workers read."""

    def __init__(self, config: QueueConfig) -> None:
        self._redis = create_redis(config)
        self._timeout = config.timeout * 2

    async def wake_worker(self) -> None:
        """See `Queue`."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._redis.enqueue_job(WAKE_UP, _defer_until=_SCORE, _expires=_EXPIRES)
        except (RedisError, OSError, TimeoutError) as error:
            raise QueueUnavailableError(f"the queue is unavailable: {error}") from error

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._redis.aclose()
