"""What an import's report says of media files that were not stored, or are odd."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import IMPORT_ORDER
from eventimport.database.media_records import LONGEST_LISTED
from eventimport.database.models import Base, ImportJob, MediaItem, MediaOutcome


@dataclass(frozen=True, slots=True)
class ReportedFile:
    """A media file of a row, what became of it and why. `title` is the row's title or name, and
    `source_id` its id in the archive."""

    table: str
    field: str
    source: str
    origin: str
    media_type: str
    outcome: str
    detail: str | None
    title: str | None
    source_id: str | None


_LABELS: Final = {level.table: level.label for level in IMPORT_ORDER}
"""The column that people know a row by."""


async def files_to_report(connection: AsyncConnection, job_id: UUID) -> AsyncIterator[ReportedFile]:
    """The files that were not stored, and those stored with a detail; by table, then by id.

    Files that the archive lacks are left out: the report has had them since the archive was read.
    """
    item = MediaItem.__table__.c
    told = (item.import_job_id == job_id) & (
        ((item.outcome != MediaOutcome.MOVED) & (item.outcome != MediaOutcome.PLANNED))
        | item.detail.is_not(None)
    )
    known = (item.outcome == MediaOutcome.MISSING) & item.entry.is_(None)
    tables = await connection.scalars(
        select(item.table_name).where(told, ~known).distinct().order_by(item.table_name)
    )
    for name in tables.all():
        row = Base.metadata.tables[name].c
        statement = (
            select(
                item.table_name,
                item.field,
                func.left(item.source, LONGEST_LISTED),
                item.origin,
                item.media_type,
                item.outcome,
                item.detail,
                row[_LABELS[name]],
                row["source_id"],
            )
            .join_from(MediaItem, Base.metadata.tables[name], row.id == item.row_id)
            .where(told, ~known, item.table_name == name)
            .order_by(item.id)
        )
        async for found in await connection.stream(statement):
            yield ReportedFile(*found)


async def report_of(connection: AsyncConnection, job_id: UUID) -> dict[str, Any]:
    """The import's report as it stands."""
    report = await connection.scalar(select(ImportJob.report).where(ImportJob.id == job_id))
    return dict(report or {})
