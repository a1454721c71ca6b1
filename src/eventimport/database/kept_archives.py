"""The archives of imports that have ended: how long they are kept, and that they are gone."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import OPEN_STATUSES, ImportJob, ImportStatus


@dataclass(frozen=True, slots=True)
class KeptArchive:
    """The archive of an import that has ended, in the storage of that name."""

    job_id: UUID
    storage: str
    key: str


async def archives_to_remove(
    connection: AsyncConnection, *, finished_before: datetime, after: UUID | None, limit: int
) -> list[KeptArchive]:
    """Archives that are not needed any more, in the order of their jobs' ids, which the next call
    takes as its `after`: those of imports that ended so long ago, and those of cancelled ones,
    which were to go at once."""
    ended = and_(ImportJob.status.not_in(OPEN_STATUSES), ImportJob.finished_at < finished_before)
    statement = (
        select(ImportJob.id, ImportJob.archive_storage, ImportJob.archive_key)
        .where(
            or_(ended, ImportJob.status == ImportStatus.REVOKED),
            ImportJob.archive_storage.is_not(None),
            ImportJob.archive_key.is_not(None),
        )
        .order_by(ImportJob.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(ImportJob.id > after)
    return [
        KeptArchive(job_id, storage, key)
        for job_id, storage, key in await connection.execute(statement)
        if storage is not None and key is not None
    ]


async def forget_archives(connection: AsyncConnection, job_ids: Collection[UUID]) -> None:
    """Take down that the jobs, which have ended, have no archive in storage any more."""
    await connection.execute(
        update(ImportJob)
        .where(ImportJob.id.in_(job_ids), ImportJob.status.not_in(OPEN_STATUSES))
        .values(archive_key=None)
    )
