"""Whether the service is alive and ready."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from eventimport.database.migrations import SchemaMismatchError, check_schema
from eventimport.errors import refuse
from eventimport.http.dependencies import ResourcesDep
from eventimport.queue import worker_key
from eventimport.resources import Resources

PROBE_KEY = "private/readiness-probe"
"""The object does not exist: that a storage says so shows that it answers."""

router = APIRouter(tags=["health"])
logger = logging.getLogger(__name__)

CheckResult = Literal["ok", "failed", "timeout"]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The state of everything that the service needs, by name."""

    status: Literal["ok"] = "ok"
    checks: dict[str, CheckResult]


class NoWorkerError(Exception):
    """No worker has recently reported to the queue that it is alive."""


@router.get("/healthz")
async def check_alive() -> Health:
    """Check that the process answers. No other server is asked."""
    return Health()


@router.get("/readyz")
async def check_ready(resources: ResourcesDep, response: Response) -> Readiness:
    """Check all that an import needs: the database, the queue, the storage, and a worker that is
    alive. If any check fails, the response is a 503 with the results in the error's `meta`.
    READINESS_TIMEOUT limits each check."""
    hints: list[str] = []
    results = await asyncio.gather(
        *(_result_of(name, check, resources, hints) for name, check in CHECKS.items())
    )
    checks = dict(zip(CHECKS, results, strict=True))
    missing = [name for name, result in checks.items() if result != "ok"]
    if missing:
        raise refuse(
            503,
            "not-ready",
            "Service not ready",
            " ".join([f"Unavailable: {', '.join(missing)}.", *hints]),
            headers={"Retry-After": "5"},
            meta={"checks": checks},
        )
    response.headers["Cache-Control"] = "no-store"
    return Readiness(checks=checks)


async def _result_of(
    name: str,
    check: Callable[[Resources], Awaitable[None]],
    resources: Resources,
    hints: list[str],
) -> CheckResult:
    try:
        async with asyncio.timeout(resources.settings.readiness_timeout):
            await check(resources)
    except TimeoutError:
        return "timeout"
    except SchemaMismatchError as error:
        logger.error("not ready: %s", error)  # noqa: TRY400 - the traceback says no more
        hints.append(str(error))
        return "failed"
    except Exception as error:  # noqa: BLE001 - whatever it is, that part is not ready
        logger.warning("not ready: %s (%s)", name, type(error).__name__)
        return "failed"
    return "ok"


async def _database(resources: Resources) -> None:
    await check_schema(resources.reader)


async def _queue(resources: Resources) -> None:
    await resources.redis.ping()


async def _storage(resources: Resources) -> None:
    await (await resources.active_storage()).stat(PROBE_KEY)


async def _worker(resources: Resources) -> None:
    pattern = worker_key(resources.settings.queue_name, "*")
    async for _ in resources.redis.scan_iter(match=pattern, count=1000):
        return
    raise NoWorkerError


CHECKS: dict[str, Callable[[Resources], Awaitable[None]]] = {
    "database": _database,
    "queue": _queue,
    "storage": _storage,
    "worker": _worker,
}
