"""Cancelling imports."""

from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.event_changes import delete_event
from eventimport.database.models import OPEN_STATUSES, ImportJob, ImportStatus
from eventimport.database.objects import Unlinked, unlink_archive


async def revoke(connection: AsyncConnection, job_id: UUID) -> list[Unlinked] | None:
    """End the job as REVOKED, and remove the event that one of its attempts may have committed.
    Returns the import's files, which are to be deleted after the commit. None, and nothing is
    changed, if the job has ended already.

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
        .returning(ImportJob.event_id)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    files = await unlink_archive(connection, job_id)
    if row.event_id is not None:
        files += await delete_event(connection, row.event_id)
    return files
