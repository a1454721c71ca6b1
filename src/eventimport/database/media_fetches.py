"""Media fetches: tasks that fetch again what an import has not stored of its media files.

The request only makes the task. Its first attempt marks the files as planned, in one transaction;
from then on they are stored and recorded as those of an import.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.endings import hold
from eventimport.database.findings import take_media_findings_back
from eventimport.database.media_records import CHANGED, count_outcomes, read_media_report
from eventimport.database.models import (
    IMPORT_JOBS,
    MEDIA_FETCHES,
    OPEN_STATUSES,
    Event,
    MediaFetch,
    MediaItem,
    MediaOutcome,
    Task,
    TaskKind,
)
from eventimport.database.tasks import Claim, add_task
from eventimport.errors import EventImportError

_AGAIN: Final = (
    MediaOutcome.UNREACHABLE,
    MediaOutcome.REFUSED,
    MediaOutcome.TOO_LARGE,
    MediaOutcome.NOT_AN_IMAGE,
    MediaOutcome.NOT_STORED,
)
"""The outcomes of links that another fetch may change: their hosts are not ours."""


class UnknownImportError(EventImportError):
    """The import is unknown, or of another user."""


class ImportNotEndedError(EventImportError):
    """The import still stores its media files itself."""


class EventDeletedError(EventImportError):
    """The event of the import was deleted, and can still be restored."""


class NothingMissingError(EventImportError):
    """No media file of the import can be fetched again."""


@dataclass(frozen=True, slots=True)
class FetchedImport:
    """The import whose media files a task fetches, and where its archive is; the key is None if the
    archive was deleted. `stored_before` is None until an attempt has begun."""

    job_id: UUID
    archive_storage: str | None
    archive_key: str | None
    stored_before: int | None


async def add_media_fetch(
    connection: AsyncConnection,
    job_id: UUID,
    of_user: int | None,
    *,
    links: bool,
) -> UUID:
    """Make the task, or return the one that has not ended yet. `of_user` is the only user whose
    imports count, if there is one, and `links` says whether linked files are fetched at all.

    Requests for one import wait for each other here. Raises UnknownImportError,
    ImportNotEndedError, EventDeletedError, NothingMissingError.
    """
    mine = and_(Task.id == job_id, Task.kind == TaskKind.IMPORT)
    if of_user is not None:
        mine = and_(mine, Task.user_id == of_user)
    locked = select(Task.status, Task.user_id).where(mine).with_for_update()
    found = (await connection.execute(locked)).one_or_none()
    if found is None:
        raise UnknownImportError
    if found.status in OPEN_STATUSES:
        raise ImportNotEndedError
    running = select(MediaFetch.id).where(
        MediaFetch.import_job_id == job_id, MediaFetch.status.in_(OPEN_STATUSES)
    )
    running_id = await connection.scalar(running.limit(1))
    if running_id is not None:
        return running_id
    job = IMPORT_JOBS.c
    facts = (
        select(job.archive_key.is_not(None), func.coalesce(Event.deleted_here, False))
        .outerjoin(Event, Event.id == job.event_id)
        .where(job.id == job_id)
    )
    has_archive, is_deleted = (await connection.execute(facts)).one()
    if is_deleted:
        raise EventDeletedError
    missing = _missing(job_id, links=links, archive=has_archive)
    if not await connection.scalar(select(select(MediaItem.id).where(missing).exists())):
        raise NothingMissingError
    task_id = await add_task(connection, TaskKind.FETCH_MEDIA, user_id=found.user_id)
    await connection.execute(insert(MEDIA_FETCHES).values(id=task_id, import_job_id=job_id))
    return task_id


async def read_media_fetch(connection: AsyncConnection, task_id: UUID) -> FetchedImport:
    """What the task is for."""
    fetch, job = MEDIA_FETCHES.c, IMPORT_JOBS.c
    statement = (
        select(fetch.import_job_id, job.archive_storage, job.archive_key, fetch.stored_before)
        .join(IMPORT_JOBS, job.id == fetch.import_job_id)
        .where(fetch.id == task_id)
    )
    return FetchedImport(*(await connection.execute(statement)).one())


async def begin_media_fetch(
    connection: AsyncConnection, claimed: Claim, fetched: FetchedImport, *, links: bool
) -> None:
    """Plan what is missing once more, and take back what the report says of it, unless an earlier
    attempt has done so. Raises StaleAttemptError."""
    await hold(connection, claimed)
    job_id = fetched.job_id
    before = await count_outcomes(connection, job_id)
    begun = (
        update(MEDIA_FETCHES)
        .where(MEDIA_FETCHES.c.id == claimed.task_id, MEDIA_FETCHES.c.stored_before.is_(None))
        .values(stored_before=before.get(MediaOutcome.MOVED, 0))
        .returning(MEDIA_FETCHES.c.id)
    )
    if await connection.scalar(begun) is None:
        return
    missing = _missing(job_id, links=links, archive=fetched.archive_key is not None)
    await connection.execute(
        update(MediaItem).where(missing).values(outcome=MediaOutcome.PLANNED, detail=None)
    )
    report = await take_media_findings_back(connection, job_id)
    report["media"] = {
        **report.get("media", {}),
        **await read_media_report(connection, job_id),
    }
    await connection.execute(
        update(IMPORT_JOBS).where(IMPORT_JOBS.c.id == job_id).values(report=report)
    )


async def media_fetch_result(connection: AsyncConnection, task_id: UUID) -> dict[str, Any]:
    """What the ended task returns: how many media files it has stored, and how many of the import's
    are still missing."""
    fetched = await read_media_fetch(connection, task_id)
    counts = await count_outcomes(connection, fetched.job_id)
    stored = counts.get(MediaOutcome.MOVED, 0)
    return {
        "import_job_id": str(fetched.job_id),
        "stored": max(stored - (fetched.stored_before or 0), 0),
        "missing": sum(counts.values()) - stored,
        "outcomes": dict(sorted(counts.items())),
    }


def _missing(job_id: UUID, *, links: bool, archive: bool) -> ColumnElement[bool]:
    """The media items of an import that can be fetched again. A file of the archive can, if it was
    not reached before the import ended: what else is wrong with it stays so."""
    of_link = and_(MediaItem.origin == "remote", MediaItem.outcome.in_(_AGAIN))
    left = MediaItem.outcome == MediaOutcome.NOT_STORED
    of_archive = and_(MediaItem.origin == "archive", left)
    of_data_url = and_(MediaItem.origin == "inline", left)
    return and_(
        MediaItem.import_job_id == job_id,
        func.coalesce(MediaItem.detail, "") != CHANGED,
        or_(
            of_link if links else false(),
            of_archive if archive else false(),
            of_data_url,
        ),
    )
