"""The job that imports an archive: read, plan, write in one transaction, move the media, tell."""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from asyncpg import UniqueViolationError
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_delay,
    wait_exponential_jitter,
)

from eventimport import logs
from eventimport.database.endings import fail, succeed
from eventimport.database.engine import is_away
from eventimport.database.event_writer import EventWriteError, draw_ids, write_plan
from eventimport.database.leases import (
    Lease,
    StaleAttemptError,
    claim,
    release,
    update_job,
)
from eventimport.database.media_records import with_media
from eventimport.errors import Problem
from eventimport.jobs.attempt import Attempt, paused_collection, running
from eventimport.jobs.import_failure import (
    ARCHIVE_GONE,
    DATABASE_LOST,
    OUR_FAULT,
    STORAGE_AWAY,
    TOO_LONG,
    ImportFailedError,
    problems_of,
)
from eventimport.jobs.import_rows import rows_of_import
from eventimport.jobs.move_media import move_media
from eventimport.jobs.patience import LONGEST_PAUSE, patiently
from eventimport.jobs.telling import words_of
from eventimport.openevent.archive import Archive, ArchiveError
from eventimport.openevent.conference import Conference, read_conference
from eventimport.openevent.plan import Plan, make_plan, provisional_ids
from eventimport.openevent.report import Report
from eventimport.resources import Resources
from eventimport.storage.event_objects import remove_event_objects
from eventimport.storage.materialize import local_copy
from eventimport.storage.protocol import ObjectNotFoundError, StorageError
from eventimport.tracing import annotate, job_span

FIRST_PAUSE: Final = 0.25
"""Seconds until the second attempt of one that lost the database; then twice that, …"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of an archive: its conference, and the paths of its media."""

    conference: Conference
    media: dict[str, str]


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
    """An attempt whose log and trace tell which import it is, and whose."""
    task_id = str(lease.job_id)
    with (
        logs.bound(task_id=task_id, user_id=lease.user_id, attempt=lease.attempt),
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
                await _import(resources, attempt)
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
        await _finish(resources, attempt)
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


async def _import(resources: Resources, attempt: Attempt) -> None:
    lease = attempt.lease
    report = Report(limit=resources.settings.max_findings)
    plan = await _plan(resources, attempt, report)
    told = {"counts": plan.counts, "media": plan.media_report(), **report.as_dict()}
    if lease.dry_run:
        async with resources.engine.begin() as connection:
            await succeed(
                connection,
                lease,
                words_of(resources.settings),
                message="Checked; nothing was written",
                event_name=plan.event_name,
                report=told,
            )
        return
    await _write(resources, attempt, plan, told)
    attempt.enter("media", "Moving the media")
    await attempt.in_thread(plan.clear)


async def _plan(resources: Resources, attempt: Attempt, report: Report) -> Plan:
    """Read the archive, draw the ids, and plan every row. Raises ImportFailedError."""
    lease = attempt.lease
    reading = await _read(resources, attempt, report)
    attempt.enter("planning", "Planning the event")
    _check(report, lease)
    counts = reading.conference.counts()
    if lease.dry_run:
        ids = provisional_ids(counts)
    else:
        async with resources.engine.begin() as connection:
            ids = await draw_ids(connection, counts)
    identifier = new_identifier()
    plan = await attempt.in_thread(
        lambda: make_plan(reading.conference, ids, identifier, reading.media, report)
    )
    _check(report, lease)
    return plan


async def _read(resources: Resources, attempt: Attempt, report: Report) -> Reading:
    lease = attempt.lease
    storage = resources.storages.get(lease.archive_storage)

    def read(path: Path) -> Reading:
        with (
            path.open("rb") as file,
            Archive.open(file, resources.settings.archive_limits, report) as archive,
        ):
            conference = read_conference(archive, report, attempt.tell)
            # A medium that cannot be read must be known of before there is an event.
            archive.check_media(report)
            return Reading(conference, {p: entry.name for p, entry in archive.media.items()})

    try:
        async for trial in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, StorageError) and e.retryable),
            wait=wait_exponential_jitter(multiplier=0.5, max=30),
            stop=stop_after_delay(resources.settings.storage_patience),
            reraise=True,
        ):
            with trial, _disk_as_storage():
                async with local_copy(storage, lease.archive_key) as path:
                    return await attempt.in_thread(lambda: read(path))
    except ArchiveError:
        raise ImportFailedError(problems_of(report), report) from None
    except ObjectNotFoundError:
        raise ImportFailedError([ARCHIVE_GONE]) from None
    except StorageError as error:
        logger.warning("import %s: %s", lease.job_id, error)
        raise ImportFailedError([STORAGE_AWAY]) from None
    raise AssertionError("the retry either returns or raises")


@contextmanager
def _disk_as_storage() -> Iterator[None]:
    """The disk that an archive is read from, or copied to, may be full or ill for a while, too."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"local disk: {error}") from error


def _check(report: Report, lease: Lease) -> None:
    if report.failed(strict=lease.strict):
        raise ImportFailedError(problems_of(report, strict=lease.strict), report)


async def _write(resources: Resources, attempt: Attempt, plan: Plan, told: dict[str, Any]) -> None:
    """The event, its rows, the owner's role, the media still to move, and the job's step forward:
    all of them, or none."""
    lease = attempt.lease
    attempt.enter("writing", "Importing the event")
    tables = [*plan.tables, *rows_of_import(plan, lease)]

    def tell(table: str, done: int, total: int) -> None:
        attempt.tell(f"Importing {table.replace('_', ' ')}", done, total)

    async with resources.engine.connect() as connection, connection.begin():
        await write_plan(connection, tables, tell)
        await update_job(
            connection,
            lease,
            stage="media",
            event_id=plan.event_id,
            event_identifier=plan.identifier,
            event_name=plan.event_name,
            report=told,
        )


async def _finish(resources: Resources, attempt: Attempt) -> None:
    attempt.enter("media", "Moving the media")
    media = await move_media(resources, attempt)
    async with resources.engine.begin() as connection:
        await succeed(
            connection,
            attempt.lease,
            words_of(resources.settings),
            message="Imported",
            report=with_media(media),
            stage_seconds=attempt.times(),
        )
    attempt.enter("done", "Imported")
    times = attempt.times()
    annotate({f"stage.{stage}.seconds": seconds for stage, seconds in times.items()})
    logger.info("import %s is done", attempt.lease.job_id, extra={"stages": times})


async def _fail(
    resources: Resources,
    lease: Lease,
    failure: ImportFailedError,
    attempt: Attempt | None = None,
) -> None:
    errors = [problem.as_dict() for problem in failure.problems]
    values: dict[str, Any] = {}
    if failure.report is not None:
        values["report"] = failure.report.as_dict()
    if attempt is not None:
        values.update(stage=attempt.stage, stage_seconds=attempt.times())
    async with resources.engine.begin() as connection:
        ended = await fail(connection, lease, words_of(resources.settings), errors, **values)
    if ended.event_id is not None:
        await remove_event_objects(resources.storages, ended.event_id)


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


def new_identifier() -> str:
    """A new event's name in URLs: eight hexadecimal digits, the first a letter, so that it is never
    taken for an id. Unique as far as the database's constraint says so."""
    return secrets.choice("abcdef") + secrets.token_hex(4)[:7]
