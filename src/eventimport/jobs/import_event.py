"""The job that imports an archive: the life of an attempt at it, from its claim to its end."""

import asyncio
import logging
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError

from eventimport import logs
from eventimport.database.endings import fail
from eventimport.database.engine import is_away
from eventimport.database.event_writer import EventWriteError
from eventimport.database.findings import add_findings
from eventimport.database.leases import Lease, StaleAttemptError, claim, release
from eventimport.errors import Problem
from eventimport.jobs.attempt import Attempt, paused_collection, running
from eventimport.jobs.import_failure import (
    ARCHIVE_GONE,
    DATABASE_LOST,
    OUR_FAULT,
    STORAGE_AWAY,
    TOO_LONG,
    ImportFailedError,
)
from eventimport.jobs.import_stages import finish, import_archive
from eventimport.jobs.patience import LONGEST_PAUSE, patiently
from eventimport.jobs.telling import words_of
from eventimport.resources import Resources
from eventimport.storage.protocol import ObjectNotFoundError, StorageError
from eventimport.stored_objects import delete_objects
from eventimport.tracing import job_span

FIRST_PAUSE: Final = 0.25
"""Seconds until the second attempt of one that lost the database; then twice that, …"""

logger = logging.getLogger(__name__)


async def import_event(ctx: dict[str, Any], job_id: str, attempt: int) -> None:  # noqa: ARG001
    """arq's entry: run the import `job_id`. That it was enqueued as `attempt` only made the job's
    id: the row decides whether there is anything to do."""
    resources: Resources = ctx["resources"]
    await run_import(resources, UUID(job_id))


async def run_import(resources: Resources, job_id: UUID) -> None:
    """Claim the import and bring it to its end. Nothing happens where it has ended, or runs
    elsewhere. Cancelled, it hands the job back. A database that is away is waited for, and an
    attempt that it interrupted begun anew."""
    while True:
        lease = await patiently(lambda: _claim(resources, job_id))
        if lease is None:
            logger.info("import %s has ended or runs elsewhere", job_id)
            return
        if await _observed(resources, lease):
            return
        await asyncio.sleep(min(FIRST_PAUSE * 2**lease.attempt, LONGEST_PAUSE))


async def _claim(resources: Resources, job_id: UUID) -> Lease | None:
    async with resources.engine.begin() as connection:
        return await claim(connection, job_id, stale_after=resources.settings.heartbeat_stale_after)


async def _observed(resources: Resources, lease: Lease) -> bool:
    """An attempt whose log and trace tell which import it is, whose, and of which request."""
    task_id = str(lease.job_id)
    with (
        logs.bound(
            request_id=lease.request_id,
            task_id=task_id,
            user_id=lease.user_id,
            attempt=lease.attempt,
        ),
        job_span(resources.tracer_provider, "import", parent=lease.trace_parent, task_id=task_id),
    ):
        return await _attempt(resources, lease)


async def _attempt(resources: Resources, lease: Lease) -> bool:
    """Whether this is all that there is to do here: not where the database was lost."""
    settings = resources.settings
    try:
        async with (
            asyncio.timeout(settings.import_timeout) as limit,
            running(
                resources.engine, lease, heartbeat_seconds=settings.heartbeat_interval
            ) as attempt,
        ):
            await _run(resources, attempt)
    except StaleAttemptError:
        logger.warning("import %s: attempt %d is over", lease.job_id, lease.attempt)
    except asyncio.CancelledError:
        await asyncio.shield(_hand_back(resources, lease))
        raise
    except Exception as error:
        if not (_passes(error) or limit.expired()):
            raise
        logger.warning("import %s was interrupted", lease.job_id, exc_info=True)
        reason = TOO_LONG if limit.expired() else DATABASE_LOST
        await patiently(lambda: _put_off(resources, lease, reason))
        return limit.expired()
    return True


async def _run(resources: Resources, attempt: Attempt) -> None:
    lease = attempt.lease
    try:
        if lease.event_identifier is None:
            with paused_collection():
                await import_archive(resources, attempt)
    except ImportFailedError as failure:
        await _fail(resources, lease, failure, attempt)
        return
    except Exception as error:
        if _passes(error):
            raise
        logger.exception("import %s failed for a reason that is ours", lease.job_id)
        await _fail(resources, lease, ImportFailedError([OUR_FAULT]), attempt)
        return
    if lease.dry_run:
        return
    try:
        await finish(resources, attempt)
    except Exception as error:
        if _passes(error):
            raise
        logger.exception("import %s: its event is there, but not all is done", lease.job_id)
        await _put_off(resources, lease, _reason_of(error))


def _passes(error: Exception) -> bool:
    """Whether the reason is none to fail for: the attempt is over, or the database is away."""
    if isinstance(error, EventWriteError):
        # The identifier may be taken; another attempt draws another one.
        return error.retryable or isinstance(error.__cause__, UniqueViolationError)
    return isinstance(error, StaleAttemptError) or is_away(error)


def _reason_of(error: Exception) -> Problem:
    if isinstance(error, ObjectNotFoundError):
        return ARCHIVE_GONE
    return STORAGE_AWAY if isinstance(error, StorageError) else OUR_FAULT


async def _fail(
    resources: Resources,
    lease: Lease,
    failure: ImportFailedError,
    attempt: Attempt | None = None,
) -> None:
    errors = [problem.as_dict() for problem in failure.problems]
    values: dict[str, Any] = {}
    if failure.report is not None:
        values["report"] = {**failure.report.summary(), "error_count": failure.count}
    if attempt is not None:
        values.update(stage=attempt.stage, stage_seconds=attempt.times())
    findings = await asyncio.to_thread(failure.report.as_rows) if failure.report else []
    async with resources.engine.begin() as connection:
        await add_findings(connection, lease.job_id, findings)
        ended = await fail(connection, lease, words_of(resources.settings), errors, **values)
    codes = ", ".join(dict.fromkeys(problem.code for problem in failure.problems))
    reason = failure.problems[0].title
    logger.warning(
        "import %s failed with %d errors: %s (%s)", lease.job_id, failure.count, reason, codes
    )
    await delete_objects(resources.engine, resources.storages, ended.files)


async def _put_off(resources: Resources, lease: Lease, reason: Problem) -> None:
    """Have the recovery run the rest again, or, after the last attempt, undo the import."""
    try:
        if lease.attempt >= resources.settings.max_attempts:
            await _fail(resources, lease, ImportFailedError([reason]))
            return
        async with resources.engine.begin() as connection:
            await release(connection, lease)
    except StaleAttemptError:
        logger.warning("import %s: attempt %d is over", lease.job_id, lease.attempt)


async def _hand_back(resources: Resources, lease: Lease) -> None:
    """Let another worker have the job now, rather than when this one's heartbeat is stale."""
    try:
        async with resources.engine.begin() as connection:
            await release(connection, lease)
        await resources.queue.enqueue_import(lease.job_id, lease.attempt)
    except StaleAttemptError:
        logger.info("import %s was cancelled", lease.job_id)
    except Exception:
        logger.warning("import %s waits for the recovery", lease.job_id, exc_info=True)
