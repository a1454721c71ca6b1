"""Running an import: read the source, plan every row, write them in one transaction, then move the
media files and end."""

import asyncio
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_delay,
    wait_exponential_jitter,
)

from eventimport.conference.conference import Conference
from eventimport.conference.plan import Plan, PlannedMedia, TableRows, make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.database.audit import record_act
from eventimport.database.conference_writer import draw_ids, write_plan
from eventimport.database.endings import fail, succeed
from eventimport.database.engine import when_available
from eventimport.database.findings import add_findings, with_media_findings
from eventimport.database.models import MediaOutcome
from eventimport.database.objects import use_objects
from eventimport.database.publication import publish_imported
from eventimport.database.tasks import Claim, Lease, claim, lease_import, update_import
from eventimport.database.visibility import OWNER
from eventimport.formats import choose_format
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError
from eventimport.formats.source import Source
from eventimport.imports.attempt import Attempt, passes, paused_collection, run_attempt
from eventimport.imports.endings import (
    IMPORT_REASONS,
    ImportFailedError,
    failure_of,
    new_report_of,
    words_of,
)
from eventimport.imports.media import (
    Archived,
    EarlyItem,
    EarlyMedia,
    check_early,
    move_media,
    store_early,
    taken_back_on_failure,
)
from eventimport.observability.tracing import annotate
from eventimport.resources import Resources
from eventimport.storage.local import disk_error, local_copy
from eventimport.storage.protocol import ObjectNotFoundError, StorageError

logger = logging.getLogger(__name__)

_NOTHING: Final = (None, None, None)


async def run_import(resources: Resources, job_id: UUID) -> None:
    """Claim this import, out of its turn, and run an attempt at it. Nothing happens if it doesn't
    wait for a worker."""
    async with resources.engine.begin() as connection:
        claimed = await claim(connection, job_id)
    if claimed is not None:
        await attempt_import(resources, claimed)


async def attempt_import(resources: Resources, claimed: Claim) -> None:
    """Run the claimed attempt to its end. Cancelled, it hands the import back."""

    async def lease() -> Lease:
        async with resources.reader.connect() as connection:
            return await lease_import(connection, claimed)

    attempt = Attempt(await when_available(lease))
    await run_attempt(resources, attempt, lambda: _run(resources, attempt), IMPORT_REASONS)


async def _run(resources: Resources, attempt: Attempt) -> None:
    lease = attempt.lease
    try:
        if lease.event_identifier is None:
            with paused_collection():
                await commit_event(resources, attempt)
    except ImportFailedError as failure:
        await _fail(resources, attempt, failure)
        return
    except Exception as error:
        if passes(error):
            raise
        logger.exception("import %s failed unexpectedly", lease.job_id)
        await _fail(resources, attempt, ImportFailedError([IMPORT_REASONS.internal_error]))
        return
    if not lease.dry_run:
        # The event is there: from here on, the import goes on until all is done.
        await finish(resources, attempt)


async def commit_event(resources: Resources, attempt: Attempt) -> None:
    """Commit the event, with the media files still to move; or, in a dry run, end the job with the
    report of what would be.

    Raises ImportFailedError for what lies with the archive or its storage, StaleAttemptError, and
    what the database raises: nothing is written then.
    """
    lease = attempt.lease
    report = new_report_of(resources.settings)()
    plan = await _plan(resources, attempt, report)
    if lease.dry_run:
        attempt.enter("media", "Checking the images")
        with _storage_failures(lease):
            await check_early(resources, attempt, plan, report)
        _check(report, lease)
        summary, findings = await attempt.in_thread(
            lambda: (_summary(plan, report), report.as_rows())
        )
        attempt.is_ending = True
        async with resources.engine.begin() as connection:
            await add_findings(connection, lease.job_id, findings)
            await succeed(
                connection,
                lease,
                words_of(resources.settings),
                job={
                    "event_name": plan.event_name,
                    "format": attempt.format,
                    "report": summary,
                },
                stage="done",
                message="Checked; nothing was imported",
            )
        return
    if lease.strict:
        attempt.enter("media", "Storing the media files")
        with _storage_failures(lease):
            stored = await store_early(resources, attempt, plan, report)
        async with taken_back_on_failure(resources, stored):
            _check(report, lease)
            await _write(resources, attempt, plan, report, stored)
    else:
        await _write(resources, attempt, plan, report)
    attempt.enter("media", "Storing the media files")
    await attempt.in_thread(plan.clear)


async def _plan(resources: Resources, attempt: Attempt, report: Report) -> Plan:
    """Read the archive, draw the ids, and plan every row. Raises ImportFailedError."""
    lease = attempt.lease
    conference = await _read(resources, attempt, report)
    attempt.enter("planning", "Planning the event")
    _check(report, lease)
    counts = conference.counts()
    if lease.dry_run:
        ids = provisional_ids(counts)
    else:
        async with resources.engine.begin() as connection:
            ids = await draw_ids(connection, counts)
    identifier = new_identifier()
    plan = await attempt.in_thread(
        lambda: make_plan(conference, ids, identifier, report, check=attempt.check)
    )
    _check(report, lease)
    return plan


async def _read(resources: Resources, attempt: Attempt, report: Report) -> Conference:
    lease = attempt.lease
    storage = resources.storages.get(lease.archive_storage)

    try:
        async for trial in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, StorageError) and e.retryable),
            wait=wait_exponential_jitter(multiplier=0.5, max=30),
            stop=stop_after_delay(resources.settings.storage_patience),
            reraise=True,
        ):
            with trial, _disk_as_storage():
                async with local_copy(storage, lease.archive_key) as path:
                    return await attempt.in_thread(
                        lambda: read_conference(resources, attempt, path, report)
                    )
    except ArchiveError:
        raise failure_of(report) from None
    except ObjectNotFoundError:
        raise ImportFailedError([IMPORT_REASONS.source_gone]) from None
    except StorageError as error:
        logger.warning("import %s: %s", lease.job_id, error)
        raise ImportFailedError([IMPORT_REASONS.storage_unavailable]) from None
    raise AssertionError("the retry either returns or raises")


def read_conference(
    resources: Resources, attempt: Attempt, path: Path, report: Report
) -> Conference:
    """Read the source at this path; its other files must be readable, too. Blocks."""
    limits = resources.settings.archive_limits
    options = ReadOptions(progress=attempt.show, **attempt.lease.options)
    with path.open("rb") as file, Source.open(file, limits, report, attempt.check) as source:
        source_format = choose_format(source, attempt.lease.format, report)
        attempt.detected = source_format.name
        conference = source_format.reader(source, options, report)
        # A media file that cannot be read must be reported before the event is committed.
        source.check_media(report)
        conference.files = source.index
        return conference


@contextmanager
def _disk_as_storage() -> Iterator[None]:
    """The disk that an archive is read from, or copied to, may be full or ill for a while, too."""
    try:
        yield
    except OSError as error:
        raise disk_error(error) from error


def _check(report: Report, lease: Lease) -> None:
    if report.failed(strict=lease.strict):
        raise failure_of(report, strict=lease.strict)


@contextmanager
def _storage_failures(lease: Lease) -> Iterator[None]:
    """A storage that fails while there is no event yet ends the import."""
    try:
        yield
    except StorageError as error:
        logger.warning("import %s: %s", lease.job_id, error)
        raise ImportFailedError([IMPORT_REASONS.storage_unavailable]) from None


async def _write(
    resources: Resources,
    attempt: Attempt,
    plan: Plan,
    report: Report,
    stored: EarlyMedia | None = None,
) -> None:
    """The event, its rows, the owner's role, the media still to move, and the job's step forward:
    all of them, or none."""
    lease = attempt.lease
    attempt.enter("writing", "Importing the event")
    summary, findings, tables = await attempt.in_thread(
        lambda: (
            _summary(plan, report),
            report.as_rows(),
            [*plan.tables, *rows_of_import(plan, lease, stored.items if stored else ())],
        )
    )

    def show(table: str, done: int, total: int) -> None:
        attempt.show(f"Importing {table.replace('_', ' ')}", done, total)

    async with resources.engine.connect() as connection, connection.begin():
        await write_plan(connection, tables, show)
        if stored is not None:
            await use_objects(connection, stored.storage, stored.uses)
        acts = ["import"]
        if lease.publish and await publish_imported(
            connection, plan.event_id, confirmed=lease.confirm
        ):
            acts.append("publish")
        for act in acts:
            event = ("event", plan.event_id)
            await record_act(connection, act, actor=lease.user_id, subject=event)
        await add_findings(connection, lease.job_id, findings)
        await update_import(
            connection,
            lease,
            event_id=plan.event_id,
            event_identifier=plan.identifier,
            event_name=plan.event_name,
            format=attempt.format,
            report=summary,
        )


def _summary(plan: Plan, report: Report) -> dict[str, Any]:
    summary = {"counts": plan.counts, "media": plan.media_report(), **report.summary()}
    return summary if plan.first_import is None else {**summary, "first_import": plan.first_import}


def new_identifier() -> str:
    """A new event's name in URLs: eight hexadecimal digits, the first a letter, so that it is never
    taken for an id. Unique as far as the database's constraint says so."""
    return secrets.choice("abcdef") + secrets.token_hex(4)[:7]


def rows_of_import(plan: Plan, lease: Lease, stored: Sequence[EarlyItem] = ()) -> list[TableRows]:
    """The owner's role, and the media: those that the archive names but does not hold have their
    outcome already. `stored` are the media that a strict import has stored by now."""
    roles = [(plan.event_id, lease.user_id, OWNER)]
    media = [
        (
            lease.job_id,
            plan.event_id,
            item.table,
            item.row_id,
            item.field,
            item.source,
            item.origin,
            item.media_type,
            item.entry,
            *_outcome(item, stored[number] if stored else None),
        )
        for number, item in enumerate(plan.media)
    ]
    columns = (
        "import_job_id",
        "event_id",
        "table_name",
        "row_id",
        "field",
        "source",
        "origin",
        "media_type",
        "entry",
        "outcome",
        "url",
        "size",
        "moved_at",
    )
    return [
        TableRows("event_roles", ("event_id", "user_id", "role"), roles),
        TableRows("media_items", columns, media),
    ]


def _outcome(item: PlannedMedia, stored: EarlyItem | None) -> tuple[Any, ...]:
    if stored is not None and stored.outcome == MediaOutcome.MOVED:
        now = datetime.now(UTC)
        return (MediaOutcome.MOVED.value, stored.url, stored.size, now)
    return ((MediaOutcome.MISSING if item.missing else MediaOutcome.PLANNED).value, *_NOTHING)


async def finish(resources: Resources, attempt: Attempt) -> None:
    """Move the media that are still to be moved, and end the job as SUCCESS.

    Raises what `move_media` does, and what the database raises: the next attempt goes on.
    """
    attempt.enter("media", "Storing the media files")
    lease = attempt.lease
    media = await move_media(resources, attempt, lease.job_id, Archived.of(lease))
    attempt.is_ending = True
    async with resources.engine.begin() as connection:
        found = new_report_of(resources.settings)()
        summary = await with_media_findings(connection, attempt.lease.job_id, media, found)
        await succeed(
            connection,
            attempt.lease,
            words_of(resources.settings),
            job={"report": summary},
            stage="done",
            message="Imported",
            # The heartbeat may have missed the last of them.
            done=attempt.done,
            total=attempt.total,
            stage_seconds=attempt.times(),
        )
    attempt.enter("done", "Imported")
    times = attempt.times()
    annotate({f"stage.{stage}.seconds": seconds for stage, seconds in times.items()})
    logger.info("import %s is done", attempt.lease.job_id, extra={"stages": times})


async def _fail(resources: Resources, attempt: Attempt, failure: ImportFailedError) -> None:
    attempt.is_ending = True
    job: dict[str, Any] = {"format": attempt.format}
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
