"""Who may run an import job, and what it says of itself: the fencing of attempts.

Each claim of a job adds 1 to its `attempt`. Whoever holds an older number changes no row any more:
every statement here names the attempt, and tells whether it still counted.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import Event, ImportJob, ImportStatus
from eventimport.errors import EventImportError


class StaleAttemptError(EventImportError):
    """Another worker has the job by now, or it was cancelled: nothing may be committed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """An attempt at a job. `event_id` is that of an event which an earlier attempt committed."""

    job_id: UUID
    attempt: int
    user_id: int
    strict: bool
    dry_run: bool
    archive_storage: str
    archive_key: str
    event_id: int | None


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
            or_(ImportJob.status == ImportStatus.PENDING, _stale(stale_after)),
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
        )
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return Lease(**row) if row is not None else None


async def update_job(connection: AsyncConnection, lease: Lease, **values: Any) -> None:
    """Change the job's row, and show that its worker is alive.

    Raises StaleAttemptError where the attempt does not count any more.
    """
    statement = (
        update(ImportJob)
        .where(
            ImportJob.id == lease.job_id,
            ImportJob.attempt == lease.attempt,
            ImportJob.status == ImportStatus.STARTED,
        )
        .values(heartbeat_at=func.now(), **values)
    )
    result = await connection.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101 - what an UPDATE gives; for the types
    if result.rowcount != 1:
        raise StaleAttemptError(f"attempt {lease.attempt} of import {lease.job_id} is over")


async def release(connection: AsyncConnection, lease: Lease) -> None:
    """Hand the job back, to be run again at once. Raises StaleAttemptError."""
    await update_job(connection, lease, status=ImportStatus.PENDING, enqueued_at=None)


async def take_unqueued(
    connection: AsyncConnection, *, stale_after: timedelta, limit: int = 100
) -> list[Waiting]:
    """The jobs that no worker will come to by itself: accepted but never enqueued, enqueued so long
    ago that the queue may have lost them, or begun by a worker that is silent since. Each is marked
    as enqueued now, and PENDING: the caller tells the queue."""
    lost = and_(
        ImportJob.status == ImportStatus.PENDING,
        or_(
            ImportJob.enqueued_at.is_(None),
            ImportJob.enqueued_at < func.now() - stale_after,
        ),
    )
    chosen = (
        select(ImportJob.id)
        .where(or_(lost, _stale(stale_after)))
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


async def give_up(connection: AsyncConnection, lease: Lease, errors: list[dict[str, Any]]) -> None:
    """End the job as FAILURE, and remove the event that one of its attempts has committed.

    Raises StaleAttemptError.
    """
    event = select(ImportJob.event_id).where(ImportJob.id == lease.job_id).scalar_subquery()
    await connection.execute(delete(Event).where(Event.id == event))
    await update_job(connection, lease, **_failure(errors))


async def fail_exhausted(
    connection: AsyncConnection,
    *,
    stale_after: timedelta,
    max_attempts: int,
    errors: list[dict[str, Any]],
) -> list[UUID]:
    """End, as FAILURE, the jobs whose last permitted attempt died, and remove the events that they
    have committed. Returns the jobs' ids."""
    statement = (
        select(ImportJob.id, ImportJob.event_id)
        .where(ImportJob.attempt >= max_attempts, _stale(stale_after))
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(statement)).all()
    if not rows:
        return []
    ids = [row.id for row in rows]
    events = [row.event_id for row in rows if row.event_id is not None]
    await connection.execute(
        update(ImportJob).where(ImportJob.id.in_(ids)).values(**_failure(errors))
    )
    await connection.execute(delete(Event).where(Event.id.in_(events)))
    return ids


def _failure(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "status": ImportStatus.FAILURE,
        "message": "The import failed",
        "errors": errors,
        "finished_at": func.now(),
    }


def _stale(after: timedelta) -> Any:
    return and_(
        ImportJob.status == ImportStatus.STARTED,
        ImportJob.heartbeat_at < func.now() - after,
    )
