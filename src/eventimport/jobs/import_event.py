"""The job that imports an archive: read, plan, write in one transaction, move the media, tell."""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_delay,
    wait_exponential_jitter,
)

from eventimport.database.endings import fail, succeed
from eventimport.database.event_writer import EventWriteError, draw_ids, write_plan
from eventimport.database.leases import (
    Lease,
    StaleAttemptError,
    claim,
    release,
    update_job,
)
from eventimport.database.media_records import with_media
from eventimport.jobs.attempt import Attempt, paused_collection, running
from eventimport.jobs.import_failure import (
    ARCHIVE_GONE,
    OUR_FAULT,
    STORAGE_AWAY,
    ImportFailedError,
    problems_of,
)
from eventimport.jobs.import_rows import rows_of_import
from eventimport.jobs.move_media import move_media
from eventimport.jobs.telling import words_of
from eventimport.openevent.archive import Archive, ArchiveError
from eventimport.openevent.conference import Conference, read_conference
from eventimport.openevent.plan import Plan, make_plan, provisional_ids
from eventimport.openevent.report import Report
from eventimport.resources import Resources
from eventimport.storage.materialize import local_copy
from eventimport.storage.protocol import ObjectNotFoundError, StorageError

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
    elsewhere. Cancelled, it hands the job back. Raises what the database's absence raises: the job
    is then found by its stale heartbeat."""
    settings = resources.settings
    async with resources.engine.begin() as connection:
        lease = await claim(connection, job_id, stale_after=settings.heartbeat_stale_after)
    if lease is None:
        logger.info("import %s has ended or runs elsewhere", job_id)
        return
    try:
        async with running(
            resources.engine, lease, heartbeat_seconds=settings.heartbeat_interval
        ) as attempt:
            await _run(resources, attempt)
    except StaleAttemptError:
        logger.warning("import %s: attempt %d is over", job_id, lease.attempt)
    except asyncio.CancelledError:
        await asyncio.shield(_hand_back(resources, lease))
        raise


async def _run(resources: Resources, attempt: Attempt) -> None:
    lease = attempt.lease
    try:
        if lease.event_id is None:
            with paused_collection():
                await _import(resources, attempt)
    except ImportFailedError as failure:
        await _fail(resources, lease, failure)
        return
    except Exception as error:
        if _passes(error):
            raise
        logger.exception("import %s failed for a reason that is ours", lease.job_id)
        await _fail(resources, lease, ImportFailedError([OUR_FAULT]))
        return
    if lease.dry_run:
        return
    try:
        await _finish(resources, attempt)
    except Exception as error:
        if _passes(error):
            raise
        logger.exception("import %s: its event is there, but not all is done", lease.job_id)
        await _put_off(resources, lease)


def _passes(error: Exception) -> bool:
    """Whether the reason will pass by itself: the attempt is over, or the database is away. The row
    stays as it is then, and its heartbeat gets stale."""
    if isinstance(error, EventWriteError):
        return error.retryable
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, (StaleAttemptError, SQLAlchemyError, OSError))


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
            with trial:
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
        )
    attempt.enter("done", "Imported")
    told = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in attempt.seconds.items())
    logger.info(
        "import %s is done: %s", attempt.lease.job_id, told, extra={"seconds": attempt.seconds}
    )


async def _fail(resources: Resources, lease: Lease, failure: ImportFailedError) -> None:
    errors = [problem.as_dict() for problem in failure.problems]
    report = {} if failure.report is None else {"report": failure.report.as_dict()}
    async with resources.engine.begin() as connection:
        await fail(connection, lease, words_of(resources.settings), errors, **report)


async def _put_off(resources: Resources, lease: Lease) -> None:
    """Have the recovery run the rest again, or, after the last attempt, undo the import."""
    if lease.attempt >= resources.settings.max_attempts:
        await _fail(resources, lease, ImportFailedError([OUR_FAULT]))
        return
    async with resources.engine.begin() as connection:
        await release(connection, lease)


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
