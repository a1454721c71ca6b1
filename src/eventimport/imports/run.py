"""The job that imports an archive: the life of an attempt at it, from its claim to its end."""

import asyncio
import logging
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError

from eventimport.database.conference_writer import EventWriteError
from eventimport.database.endings import fail
from eventimport.database.engine import is_away
from eventimport.database.findings import add_findings
from eventimport.database.retries import patiently
from eventimport.database.tasks import (
    LONGEST_PAUSE,
    Claim,
    Lease,
    StaleAttemptError,
    claim,
    lease_import,
    let_go,
    release,
)
from eventimport.errors import Problem
from eventimport.imports.attempt import Attempt, paused_collection, running
from eventimport.imports.endings import new_report_of, words_of
from eventimport.imports.failure import (
    ARCHIVE_GONE,
    DATABASE_LOST,
    OUR_FAULT,
    STORAGE_AWAY,
    TOO_LONG,
    ImportFailedError,
)
from eventimport.imports.stages import finish, import_archive
from eventimport.observability import logs
from eventimport.observability.tracing import job_span
from eventimport.resources import Resources
from eventimport.storage.protocol import ObjectNotFoundError, StorageError

FIRST_PAUSE: Final = 0.5
"""Seconds until the second attempt."""

logger = logging.getLogger(__name__)


async def run_import(resources: Resources, job_id: UUID) -> None:
    """Claim this import, out of its turn, and run an attempt at it. Nothing happens if it doesn't
    wait for a worker."""
    async with resources.engine.begin() as connection:
        claimed = await claim(connection, job_id)
    if claimed is not None:
        await attempt_import(resources, claimed)


async def attempt_import(resources: Resources, claimed: Claim) -> None:
    """Run the claimed attempt to its end. Cancelled, it hands the import back."""
    await _observed(resources, await patiently(lambda: _lease(resources, claimed)))


async def _lease(resources: Resources, claimed: Claim) -> Lease:
    async with resources.reader.connect() as connection:
        return await lease_import(connection, claimed)


async def _observed(resources: Resources, lease: Lease) -> None:
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
        await _attempt(resources, lease)


async def _attempt(resources: Resources, lease: Lease) -> None:
    settings = resources.settings
    beat = settings.heartbeat_interval
    attempt = Attempt(lease)
    try:
        async with (
            asyncio.timeout(settings.import_timeout) as limit,
            running(resources.reader, attempt, heartbeat_seconds=beat),
        ):
            await _run(resources, attempt)
    except StaleAttemptError:
        logger.warning("import %s: attempt %d is over", lease.job_id, lease.attempt)
        await attempt.wind_down(resources.engine, beat)
    except asyncio.CancelledError:
        await asyncio.shield(hand_back(resources, lease))
        raise
    except Exception as error:
        if limit.expired():
            logger.warning("import %s took too long", lease.job_id, exc_info=True)
            await patiently(lambda: put_off(resources, lease, TOO_LONG))
        elif _passes(error):
            logger.warning("import %s was interrupted", lease.job_id, exc_info=True)
            patience = settings.database_patience
            await patiently(lambda: put_off(resources, lease, DATABASE_LOST, patience))
        else:
            raise


async def _run(resources: Resources, attempt: Attempt) -> None:
    lease = attempt.lease
    try:
        if lease.event_identifier is None:
            with paused_collection():
                await import_archive(resources, attempt)
    except ImportFailedError as failure:
        await _fail(resources, attempt, failure)
        return
    except Exception as error:
        if _passes(error):
            raise
        logger.exception("import %s failed for a reason that is ours", lease.job_id)
        await _fail(resources, attempt, ImportFailedError([OUR_FAULT]))
        return
    if lease.dry_run:
        return
    try:
        await finish(resources, attempt)
    except Exception as error:
        if _passes(error):
            raise
        logger.exception("import %s: its event is there, but not all is done", lease.job_id)
        patience = _patience_with(error, resources)
        attempt.is_ending = True
        await put_off(resources, lease, _reason_of(error), patience)


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


def _patience_with(error: Exception, resources: Resources) -> float | None:
    """How long to go on trying in spite of the error, in seconds; None if it counts as a failed
    attempt."""
    if isinstance(error, StorageError) and error.retryable:
        return resources.settings.storage_patience
    return None


async def _fail(resources: Resources, attempt: Attempt, failure: ImportFailedError) -> None:
    attempt.is_ending = True
    job: dict[str, Any] = {}
    findings = await asyncio.to_thread(failure.report.as_rows) if failure.report else []
    if failure.report is not None:
        job["report"] = {**failure.report.summary(), "error_count": failure.count}
    async with resources.engine.begin() as connection:
        await add_findings(connection, attempt.lease.job_id, findings)
        await fail(
            connection,
            attempt.lease,
            words_of(resources.settings),
            [problem.as_dict() for problem in failure.problems],
            new_report=new_report_of(resources.settings),
            job=job,
            stage=attempt.stage,
            stage_seconds=attempt.times(),
        )
    codes = ", ".join(dict.fromkeys(problem.code for problem in failure.problems))
    reason = failure.problems[0].title
    logger.warning(
        "import %s failed with %d errors: %s (%s)",
        attempt.lease.job_id,
        failure.count,
        reason,
        codes,
    )


async def put_off(
    resources: Resources, claimed: Claim, reason: Problem, patience: float | None = None
) -> None:
    """Hand the task back for a later attempt. If it has waited for an unavailable server for
    `patience` seconds, or (without it) this was the last permitted attempt, end the task."""
    settings = resources.settings
    try:
        async with resources.engine.begin() as connection:
            if patience is None:
                pause = _pause(2.0**claimed.failures - 1)
                last = claimed.failures + 1 >= settings.max_attempts
                counted: dict[str, Any] = {"failed": True}
            else:
                pause = _pause(claimed.waited)
                seconds = pause.total_seconds()
                last = claimed.waited + seconds > patience
                counted = {"waited": seconds}
            if last:
                await fail(
                    connection,
                    claimed,
                    words_of(settings),
                    [reason.as_dict()],
                    new_report=new_report_of(settings),
                )
            else:
                await release(connection, claimed, pause=pause, **counted)
    except StaleAttemptError:
        logger.warning("task %s: attempt %d is over", claimed.task_id, claimed.attempt)


def _pause(before: float) -> timedelta:
    """Until the next attempt: each pause is about as long as all `before` it, in seconds."""
    return min(timedelta(seconds=FIRST_PAUSE + before), LONGEST_PAUSE)


async def hand_back(resources: Resources, claimed: Claim) -> None:
    """Let another worker have the task now, rather than when this one's heartbeat is missed."""
    try:
        async with resources.engine.begin() as connection:
            try:
                await release(connection, claimed)
            except StaleAttemptError:
                logger.info("task %s was cancelled", claimed.task_id)
                await let_go(connection, claimed)
                return
        await resources.queue.wake_worker()
    except Exception:
        logger.warning("task %s waits for the recovery", claimed.task_id, exc_info=True)
