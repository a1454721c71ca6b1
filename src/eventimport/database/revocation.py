"""Cancelling imports."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import OPEN_STATUSES, Event, ImportJob, ImportStatus


@dataclass(frozen=True, slots=True)
class RevokedImport:
    """What is left in storage of an import that was cancelled: the objects of its event, which is
    gone, and its archive."""

    event_id: int | None
    archive_storage: str | None
    archive_key: str | None


async def revoke(connection: AsyncConnection, job_id: UUID) -> RevokedImport | None:
    """End the job as REVOKED, and remove the event that one of its attempts may have committed.
    None, and nothing is changed, where the job has ended already.

    From the commit on, no attempt at it can commit anything. Nobody is told: whoever cancels an
    import knows.
    """
    statement = (
        update(ImportJob)
        .where(ImportJob.id == job_id, ImportJob.status.in_(OPEN_STATUSES))
        .values(
            status=ImportStatus.REVOKED,
            message="Cancelled",
            event_identifier=None,
            finished_at=func.now(),
        )
        .returning(ImportJob.event_id, ImportJob.archive_storage, ImportJob.archive_key)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    if row.event_id is not None:
        await connection.execute(delete(Event).where(Event.id == row.event_id))
    return RevokedImport(row.event_id, row.archive_storage, row.archive_key)
