"""Who may run an import job, and what it says of itself: the fencing of attempts.

Each claim of a job adds 1 to its `attempt`. Whoever holds an older number changes no row any more:
every statement here names the attempt, and tells whether it still counted.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import ImportJob, ImportStatus
from eventimport.errors import EventImportError


class StaleAttemptError(EventImportError):
    """Another worker has the job by now, or it was cancelled: nothing may be committed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """An attempt at a job. `event_id` is that of an event which an earlier attempt committed, and
    `event_identifier` its name in URLs, which stays when the event is deleted;
    `trace_parent` is the span of the request that brought the archive, `request_id` its name in the
    logs."""

    job_id: UUID
    attempt: int
    user_id: int
    strict: bool
    dry_run: bool
    archive_storage: str
    archive_key: str
    event_id: int | None
    event_identifier: str | None = None
    trace_parent: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that a worker is to be told of: its id, and the attempt it is at."""

    job_id: UUID
    attempt: int


async def claim(
    connection: AsyncConnection, job_id: UUID, *, stale_after: timedelta
) -> Lease | None:
    """Begin an attempt. None where there is nothing to do: the job has ended, or its worker has
    shown within `stale_after` that it is alive."""
    statement = (
        update(ImportJob)
        .where(
            ImportJob.id == job_id,
            or_(ImportJob.status == ImportStatus.PENDING, stale(stale_after)),
        )
        .values(
            status=ImportStatus.STARTED,
            attempt=ImportJob.attempt + 1,
            started_at=func.coalesce(ImportJob.started_at, func.now()),
            heartbeat_at=func.now(),
        )
        .returning(
            ImportJob.id.label("job_id"),
            ImportJob.attempt,
            ImportJob.user_id,
            ImportJob.strict,
            ImportJob.dry_run,
            ImportJob.archive_storage,
            ImportJob.archive_key,
            ImportJob.event_id,
            ImportJob.event_identifier,
            ImportJob.trace_parent,
            ImportJob.request_id,
        )
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return Lease(**row) if row is not None else None


async def update_job(connection: AsyncConnection, lease: Lease, **values: Any) -> None:
    """Change the job's row, and show that its worker is alive.

    Raises StaleAttemptError where the attempt does not count any more.
    """
    statement = update(ImportJob).where(held(lease)).values(heartbeat_at=func.now(), **values)
    result = await connection.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101 - what an UPDATE gives; for the types
    if result.rowcount != 1:
        raise StaleAttemptError(f"attempt {lease.attempt} of import {lease.job_id} is over")


async def release(connection: AsyncConnection, lease: Lease) -> None:
    """Hand the job back, to be run again at once. Raises StaleAttemptError."""
    await update_job(connection, lease, status=ImportStatus.PENDING, enqueued_at=None)


async def take_unqueued(
    connection: AsyncConnection,
    *,
    stale_after: timedelta,
    waiting_for: timedelta,
    max_attempts: int,
    limit: int = 100,
) -> list[Waiting]:
    """The jobs that no worker may come to by itself: accepted but never enqueued, still not begun
    `waiting_for` after they were, so that the queue may have lost them, or begun by a worker that
    is silent since, for less than the last time. Each is marked as enqueued now, and PENDING: the
    caller tells the queue."""
    lost = and_(
        ImportJob.status == ImportStatus.PENDING,
        or_(
            ImportJob.enqueued_at.is_(None),
            ImportJob.enqueued_at < func.now() - waiting_for,
        ),
    )
    silent = and_(stale(stale_after), ImportJob.attempt < max_attempts)
    chosen = (
        select(ImportJob.id)
        .where(or_(lost, silent))
        .order_by(ImportJob.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(ImportJob)
        .where(ImportJob.id.in_(chosen.scalar_subquery()))
        .values(status=ImportStatus.PENDING, enqueued_at=func.now())
        .returning(ImportJob.id, ImportJob.attempt)
    )
    return [Waiting(row.id, row.attempt) for row in await connection.execute(statement)]


def held(lease: Lease) -> ColumnElement[bool]:
    """That the attempt still counts."""
    return and_(
        ImportJob.id == lease.job_id,
        ImportJob.attempt == lease.attempt,
        ImportJob.status == ImportStatus.STARTED,
    )


def stale(after: timedelta) -> ColumnElement[bool]:
    """That the job's worker has been silent for so long."""
    return and_(
        ImportJob.status == ImportStatus.STARTED,
        ImportJob.heartbeat_at < func.now() - after,
    )
