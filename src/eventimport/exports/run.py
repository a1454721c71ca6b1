"""Running an export: the event is spooled, written in its format, and stored on the way."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any, BinaryIO, Final, cast

from eventimport import __version__
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.database.endings import hold, succeed
from eventimport.database.export_jobs import (
    ExportOf,
    first_import_of,
    read_export_job,
    selection_of,
    settle_export,
)
from eventimport.database.models import ExportView, ObjectPurpose
from eventimport.database.objects import record_objects
from eventimport.database.tasks import Claim
from eventimport.errors import Problem
from eventimport.exports.feeds import PublicSpool
from eventimport.exports.spool import Spool, spool_event
from eventimport.exports.stream import Loop, Sink, read_in_thread
from eventimport.formats import Format, format_named
from eventimport.formats.format import EVERY, WriteOptions
from eventimport.imports.attempt import ENDED, TaskAttempt, fail_attempt, run_attempt
from eventimport.imports.endings import (
    EXPORT_REASONS,
    NO_FILE,
    download_url,
    new_report_of,
    words_of,
)
from eventimport.resources import Resources
from eventimport.storage.keys import export_key
from eventimport.storage.protocol import Storage
from eventimport.storage.stored_file import StoredFile
from eventimport.stored_objects import take_back

EVENT_GONE: Final = Problem(
    409,
    "event-deleted",
    "Event deleted",
    f"The event was deleted before it was exported. {NO_FILE}",
)
logger = logging.getLogger(__name__)


async def attempt_export(resources: Resources, claimed: Claim) -> None:
    """Run the claimed attempt to its end. Cancelled, it hands the task back."""
    attempt = TaskAttempt(claimed, stage="reading", message="Reading the event")
    await run_attempt(resources, attempt, lambda: _run(resources, attempt), EXPORT_REASONS)


async def _run(resources: Resources, attempt: TaskAttempt) -> None:
    task_id = attempt.claimed.task_id
    async with resources.reader.connect() as connection:
        job = await read_export_job(connection, task_id)
    is_whole = job is not None and job.view is ExportView.WHOLE
    with closing((Spool if is_whole else PublicSpool)(attempt.check)) as spool:
        found = None if job is None else await _spool(resources, job, spool)
        if job is None or found is None:
            await fail_attempt(resources, attempt, EVENT_GONE, "The export failed")
            return
        revision, first_import = found
        report = new_report_of(resources.settings)()
        options = _options(resources, job, first_import)
        storage = await resources.active_storage()
        await _forget_earlier(resources, attempt, storage)
        key = export_key(task_id, attempt.claimed.attempt)
        async with resources.engine.begin() as connection:
            await hold(connection, attempt.claimed)
            await record_objects(connection, storage.name, [key], ObjectPurpose.EXPORT)
        try:
            size = await _store(resources, attempt, spool, storage, key, job, options, report)
            await _settle(
                resources, attempt, job, storage, StoredFile(key, "", size), revision, report
            )
        except BaseException:
            await asyncio.shield(
                take_back(resources.engine, resources.storages, storage.name, [key])
            )
            raise


async def _spool(resources: Resources, job: ExportOf, spool: Spool) -> tuple[int, Any] | None:
    whole = job.view is ExportView.WHOLE
    return await spool_event(
        resources.engine,
        resources.storages,
        job.event_id,
        spool,
        selection=selection_of(job.view),
        beside=partial(first_import_of, event_id=job.event_id) if whole else None,
    )


def _options(
    resources: Resources, job: ExportOf, first_import: dict[str, Any] | None
) -> WriteOptions:
    settings = resources.settings
    return WriteOptions(
        event_url=f"{settings.event_base_url}/events/{job.identifier}",
        base_url=settings.public_url,
        version=__version__,
        now=job.created_at,
        first_import=first_import,
    )


async def _forget_earlier(resources: Resources, attempt: TaskAttempt, storage: Storage) -> None:
    """Delete what attempts of workers have left that were killed."""
    claimed = attempt.claimed
    keys = [export_key(claimed.task_id, number) for number in range(1, claimed.attempt)]
    await take_back(resources.engine, resources.storages, storage.name, keys)


async def _store(  # noqa: PLR0917 - what an export consists of
    resources: Resources,
    attempt: TaskAttempt,
    spool: Spool,
    storage: Storage,
    key: str,
    job: ExportOf,
    options: WriteOptions,
    report: Report,
) -> int:
    """Write the file and store it at the same time; returns its size."""
    exported = format_named(job.format)
    attempt.enter("writing", f"Writing {exported.title}")
    loop = Loop(attempt.stopped)
    sink = Sink(loop)

    def open_media(url: str) -> Iterator[bytes] | None:
        attempt.check()
        at = spool.file_at(url)
        if at is None:
            return None
        name, file_key = at
        return read_in_thread(loop, resources.storages.get(name), file_key)

    def on_record(kind: Kind, done: int) -> None:
        if done % EVERY == 0:
            attempt.show(f"Writing {kind.replace('_', ' ')}s", done, spool.count(kind))

    spool.on_record = on_record

    def write() -> None:
        exported.writer(spool, open_media, cast("BinaryIO", sink), options, report)
        sink.finish()

    async def produce() -> None:
        try:
            await attempt.in_thread(write)
        except Exception as error:
            await sink.fail(error)
            raise

    producing = asyncio.create_task(produce())
    try:
        await storage.put(key, sink.chunks(), content_type=exported.media_type)
        await producing
    finally:
        if not producing.done():
            # The thread must not write into a closed spool.
            attempt.stopped.set()
            producing.cancel()
        await asyncio.gather(producing, return_exceptions=True)
        if attempt.threads:
            await asyncio.shield(asyncio.wait(attempt.threads))
    return sink.size


async def _settle(  # noqa: PLR0917 - what an export consists of
    resources: Resources,
    attempt: TaskAttempt,
    job: ExportOf,
    storage: Storage,
    file: StoredFile,
    revision: int,
    report: Report,
) -> None:
    settings, claimed = resources.settings, attempt.claimed
    exported = format_named(job.format)
    attempt.is_ending = True
    async with resources.engine.begin() as connection:
        await hold(connection, claimed)
        expires_at = await settle_export(
            connection,
            claimed,
            storage.name,
            file,
            revision=revision,
            lifetime=settings.export_lifetime,
        )
        await succeed(
            connection,
            claimed,
            words_of(settings),
            stage=ENDED,
            message=_message(exported, report),
            result={
                "download_url": download_url(settings, job.token, job.identifier, exported),
                "expires_at": expires_at.isoformat(),
                "format": exported.name,
                "size": file.size,
                "report": report.summary(),
            },
            stage_seconds=attempt.times(),
        )
    logger.info("task %s is done: %d bytes", claimed.task_id, file.size)


def _message(exported: Format, report: Report) -> str:
    count = len(report.findings)
    if not count:
        return f"Exported as {exported.title}"
    findings = "1 finding" if count == 1 else f"{count:,} findings"
    return f"Exported as {exported.title}, with {findings}"
