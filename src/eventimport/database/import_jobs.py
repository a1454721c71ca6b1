"""Import jobs, as their owners and admins list them."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.event_filters import Filter, met_by
from eventimport.database.models import ImportFinding, ImportJob
from eventimport.database.visibility import Viewer

LISTED: Final = (
    ImportJob.id,
    ImportJob.status,
    ImportJob.stage,
    ImportJob.done,
    ImportJob.total,
    ImportJob.message,
    ImportJob.file_name,
    ImportJob.archive_size,
    ImportJob.strict,
    ImportJob.dry_run,
    ImportJob.format,
    ImportJob.options,
    ImportJob.event_id,
    ImportJob.event_identifier,
    ImportJob.event_name,
    ImportJob.created_at,
    ImportJob.started_at,
    ImportJob.finished_at,
)
"""The columns of a list. The report, which may be long, is read only with a single job."""


async def list_import_jobs(
    connection: AsyncConnection,
    user_id: int | None,
    status: str | None,
    order: Sequence[tuple[str, bool]] = (),
    *,
    filters: Sequence[Filter] = (),
    limit: int,
    offset: int,
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int]:
    """A page of the user's imports, and how many there are in all; of all users if there is no
    `user_id`, and of any status if there is no `status`. All meet the `filters`. `order`
    names columns, each with whether it is in descending order; the newest imports come first where
    it does not decide."""
    terms = [
        getattr(ImportJob, column).desc().nulls_last()
        if descending
        else getattr(ImportJob, column).asc()
        for column, descending in order
    ]
    columns = {column.key: column for column in LISTED}
    chosen = [_of(user_id), met_by(columns, filters, Viewer())]
    if status is not None:
        chosen.append(ImportJob.status == status)
    page = (
        select(*LISTED)
        .where(*chosen)
        .order_by(*terms, ImportJob.created_at.desc(), ImportJob.id)
        .limit(limit)
        .offset(offset)
    )
    count = select(func.count()).select_from(ImportJob).where(*chosen)
    rows = (await connection.execute(page)).all()
    return rows, await connection.scalar(count) or 0


async def find_import_job(
    connection: AsyncConnection, user_id: int | None, job_id: UUID
) -> Row[*tuple[Any, ...]] | None:
    """One of the user's imports, with its report and its first errors."""
    statement = select(*LISTED, ImportJob.report, ImportJob.errors).where(
        ImportJob.id == job_id, _of(user_id)
    )
    return (await connection.execute(statement)).one_or_none()


async def list_findings(
    connection: AsyncConnection,
    user_id: int | None,
    job_id: UUID,
    severity: str | None,
    *,
    limit: int,
    offset: int,
) -> tuple[Sequence[Row[int, dict[str, Any]]], int] | None:
    """A page of an import's findings of this severity (of any, if None), each as its position and
    its content, and how many there are in all. None if it is not an import of the user."""
    job = await connection.scalar(select(ImportJob.id).where(ImportJob.id == job_id, _of(user_id)))
    if job is None:
        return None
    chosen = [ImportFinding.import_job_id == job_id]
    if severity is not None:
        chosen.append(ImportFinding.severity == severity)
    page = (
        select(ImportFinding.position, ImportFinding.content)
        .where(*chosen)
        .order_by(ImportFinding.position)
        .limit(limit)
        .offset(offset)
    )
    count = select(func.count()).select_from(ImportFinding).where(*chosen)
    rows = (await connection.execute(page)).all()
    return rows, await connection.scalar(count) or 0


def _of(user_id: int | None) -> ColumnElement[bool]:
    return true() if user_id is None else ImportJob.user_id == user_id
