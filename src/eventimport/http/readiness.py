"""Whether all that an import needs works, and what an operator can do if it does not.

`/readyz` and the metrics use the same checks. No reason contains an address or a secret.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.engine import explain
from eventimport.database.migrations import SchemaMismatchError, check_schema
from eventimport.database.statistics import unattended_backlog
from eventimport.errors import EventImportError, size_in_words
from eventimport.queue import worker_key
from eventimport.resources import Resources
from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import ObjectNotFoundError, StorageError

CheckResult = Literal["ok", "failed", "timeout", "unknown"]
"""`unknown`: the check needs a server that another check has found unavailable."""

PROBE_KEY: Final = "private/readiness-probe"
"""The object does not exist: that a storage says so shows that it answers. It is read rather than
looked up, because S3 names the reason of a failure only in the response to a GET."""

PROBE_SECONDS: Final = 60
"""How long Redis keeps what a check writes. A Redis that is full, or a replica, answers a ping."""


class NotReadyError(EventImportError):
    """A check failed; the message is for operators."""


class _UnknownError(Exception):
    """The check cannot be made."""


@dataclass(slots=True)
class Checks:
    """The results of one round by name, the reasons of those that failed, and measurements."""

    results: dict[str, CheckResult] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    workers: int | None = None
    free_bytes: int | None = None
    clock_differences: dict[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed, or took too long."""
        return [name for name, result in self.results.items() if result in {"failed", "timeout"}]


async def run_checks(resources: Resources) -> Checks:
    """Run all checks at the same time, and log what has changed. READINESS_TIMEOUT limits each."""
    checks = Checks()
    results = await asyncio.gather(
        *(_result_of(name, check, resources, checks) for name, check in CHECKS.items())
    )
    checks.results = dict(zip(CHECKS, results, strict=True))
    checks.reasons = {name: checks.reasons[name] for name in CHECKS if name in checks.reasons}
    working = {name for name, result in checks.results.items() if result == "ok"}
    resources.failure_log.write(checks.reasons, working)
    return checks


async def _result_of(
    name: str,
    check: Callable[[Resources, Checks], Awaitable[None]],
    resources: Resources,
    checks: Checks,
) -> CheckResult:
    timeout = resources.settings.readiness_timeout
    try:
        async with asyncio.timeout(timeout):
            await check(resources, checks)
    except TimeoutError:
        checks.reasons[name] = f"No answer within {timeout:g} seconds (READINESS_TIMEOUT)."
        return "timeout"
    except _UnknownError:
        return "unknown"
    except Exception as error:  # noqa: BLE001 - whatever it is, that part is not ready
        checks.reasons[name] = reason_of(error)
        return "failed"
    return "ok"


def reason_of(error: Exception) -> str:
    """What an operator can do about the error, without values, addresses or keys."""
    if isinstance(error, (NotReadyError, SchemaMismatchError)):
        return str(error)
    if isinstance(error, StorageError):
        return " ".join(filter(None, (f"{error.code}." if error.code else "", error.advice))) or (
            "The storage does not answer as expected."
        )
    if isinstance(error, SQLAlchemyError):
        return explain(error)
    if isinstance(error, RedisError):
        return _redis_reason(error)
    return f"{type(error).__name__}."


def _redis_reason(error: RedisError) -> str:
    code = str(error).partition(" ")[0]
    advice = _REDIS_ADVICE.get(code)
    if advice is None:
        return f"Redis cannot be used ({type(error).__name__}). Check REDIS_URL."
    return f"{advice} ({code})"


_REDIS_ADVICE: Final[Mapping[str, str]] = {
    "MISCONF": "Redis cannot save its data, so it rejects writes. Check its disk.",
    "NOAUTH": "Redis requires a password. Add it to REDIS_URL.",
    "NOPERM": "The user in REDIS_URL lacks a permission.",
    "OOM": "The memory of Redis is full. Raise `maxmemory`.",
    "READONLY": "Redis is a replica. REDIS_URL must lead to the primary server.",
    "WRONGPASS": "Redis rejects the password. Check REDIS_URL.",
}
"""What to do, by the first word of Redis's error."""


async def _database(resources: Resources, _: Checks) -> None:
    await check_schema(resources.reader)


async def _queue(resources: Resources, _: Checks) -> None:
    key = f"{resources.settings.queue_name}:readiness-probe"
    await resources.redis.set(key, b"", ex=PROBE_SECONDS)


async def _storage(resources: Resources, _: Checks) -> None:
    storage = await resources.active_storage()
    try:
        async with storage.open(PROBE_KEY):
            return
    except ObjectNotFoundError:
        return


async def _worker(resources: Resources, checks: Checks) -> None:
    pattern = worker_key(resources.settings.queue_name, "*")
    try:
        found = [key async for key in resources.redis.scan_iter(match=pattern, count=1000)]
    except (RedisError, OSError):
        raise _UnknownError from None
    checks.workers = len(found)
    if not found:
        raise NotReadyError("No worker is running. Start `eventimport worker`.")


async def _disk(resources: Resources, checks: Checks) -> None:
    storage = await resources.active_storage()
    if not isinstance(storage, LocalStorage):
        return
    free = checks.free_bytes = await storage.free_bytes()
    least = resources.settings.min_free_disk_bytes
    if free < least:
        raise NotReadyError(
            f"The disk of LOCAL_STORAGE_PATH has {size_in_words(free)} free. At least"
            f" {size_in_words(least)} are required (MIN_FREE_DISK_BYTES). Free space, or enlarge"
            " the disk."
        )


async def _backlog(resources: Resources, _: Checks) -> None:
    longest = resources.settings.max_queue_wait
    try:
        async with resources.reader.connect() as connection:
            backlog = await unattended_backlog(connection, longest)
    except (SQLAlchemyError, OSError):
        raise _UnknownError from None
    if backlog is not None:
        raise NotReadyError(
            f"No worker runs a task. Tasks that wait: {backlog.waiting:,}, the oldest for"
            f" {backlog.oldest_seconds:,.0f} seconds. The limit is {longest:g} seconds"
            " (MAX_QUEUE_WAIT). Start workers, or read their logs."
        )


async def _clocks(resources: Resources, checks: Checks) -> None:
    differences = checks.clock_differences
    for name, read in (("database", _database_clock), ("redis", _redis_clock)):
        try:
            before = wall_clock()
            server = await read(resources)
            differences[name] = _ahead(before, server, wall_clock())
        except (SQLAlchemyError, RedisError, OSError):
            continue
    if not differences:
        raise _UnknownError
    limit = resources.settings.max_clock_difference
    wrong = {name: ahead for name, ahead in differences.items() if abs(ahead) > limit}
    if wrong:
        told = " and ".join(
            f"{abs(ahead):,.0f} seconds {'ahead of' if ahead > 0 else 'behind'} {TITLES[name]}"
            for name, ahead in wrong.items()
        )
        raise NotReadyError(
            f"The clock of this process is {told}. The limit is {limit:g} seconds"
            " (MAX_CLOCK_DIFFERENCE). Synchronise the clocks, for example by NTP."
        )


wall_clock: Callable[[], float] = time.time
"""Seconds since the epoch."""

TITLES: Final = {"database": "PostgreSQL", "redis": "Redis"}


def _ahead(before: float, server: float, after: float) -> float:
    """By how many seconds our clock is at least ahead of a server's; negative if it is behind."""
    if before <= server <= after:
        return 0.0
    return before - server if server < before else after - server


async def _database_clock(resources: Resources) -> float:
    async with resources.reader.connect() as connection:
        epoch = await connection.scalar(select(func.extract("epoch", func.clock_timestamp())))
    return float(epoch or 0)


async def _redis_clock(resources: Resources) -> float:
    seconds, microseconds = await resources.redis.time()
    return float(seconds) + float(microseconds) / 1e6


CHECKS: Final[Mapping[str, Callable[[Resources, Checks], Awaitable[None]]]] = {
    "database": _database,
    "queue": _queue,
    "storage": _storage,
    "worker": _worker,
    "disk": _disk,
    "backlog": _backlog,
    "clocks": _clocks,
}
