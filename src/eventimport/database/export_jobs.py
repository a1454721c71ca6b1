"""Export jobs: found or added by requests, read and settled by attempts, and their downloads.

There is one task for each revision of an event, format and view. Those who ask for the same share
it, while it runs and until its link expires.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, literal, or_, select, true, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.conference_reader import Selection, record_columns
from eventimport.database.event_graph import NODES
from eventimport.database.event_queries import EDITABLE, find
from eventimport.database.models import (
    EXPORT_JOBS,
    OPEN_STATUSES,
    Event,
    ExportJob,
    ExportRequest,
    ExportView,
    ImportJob,
    ImportStatus,
    ObjectRecord,
    ObjectState,
    Task,
    TaskKind,
)
from eventimport.database.objects import Use, use_objects
from eventimport.database.tasks import Claim, add_task
from eventimport.database.visibility import (
    PRIVATE_COLUMNS,
    Viewer,
    event_visible,
    readable,
    shown,
    withdrawn,
)
from eventimport.errors import EventImportError
from eventimport.storage.stored_file import StoredFile

ENOUGH_TIME: Final = timedelta(minutes=5)
"""A link that expires sooner is not given out again."""


class TooManyExportsError(EventImportError):
    """The user has as many exports waiting and running as one user may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOf:
    """What is exported, and in which format. `created_at` is the time of the request."""

    event_id: int
    identifier: str
    event_name: str
    format: str
    view: ExportView
    token: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Download:
    """The file of an export, in the storage of this name. `size` is in bytes."""

    storage: str
    key: str
    size: int
    format: str
    identifier: str
    is_expired: bool


async def find_view(
    connection: AsyncConnection, event_key: int | str, viewer: Viewer
) -> tuple[Any, ExportView] | None:
    """The event, if the viewer may see it, and what they may see of it."""
    row = await find(connection, NODES[Kind.EVENT], event_key, viewer)
    if row is None:
        return None
    if row[EDITABLE]:
        return row, ExportView.WHOLE
    is_member = await connection.scalar(select(readable(viewer, literal(row["id"]))))
    return row, ExportView.RECORDS if is_member else ExportView.PUBLIC


def selection_of(view: ExportView) -> Selection:
    """The rows and columns of a view. A `PublicSpool` takes out what of `extra` is private."""

    def columns(kind: Kind) -> Sequence[ColumnElement[Any]]:
        private = PRIVATE_COLUMNS.get(kind, frozenset())
        return [column for column in record_columns(kind) if column.name not in private]

    def everything(_kind: Kind) -> ColumnElement[bool]:
        return true()

    if view is ExportView.WHOLE:
        return Selection()
    rows: Callable[[Kind], ColumnElement[bool]] = (
        everything if view is ExportView.RECORDS else shown
    )
    return Selection(rows=rows, columns=columns)


async def find_or_add_export(
    connection: AsyncConnection,
    event: Any,
    view: ExportView,
    format_name: str,
    *,
    user_id: int,
    most: int,
) -> tuple[UUID, bool]:
    """The id of the task that exports this revision of the event, and whether it is new. `most` is
    how many open exports a user may have. Raises TooManyExportsError."""
    # Two requests for the same export wait for each other here.
    locked = select(Event.revision).where(Event.id == event["id"]).with_for_update(key_share=True)
    revision = await connection.scalar(locked)
    usable = and_(
        ExportJob.status == ImportStatus.SUCCESS,
        ExportJob.key.is_not(None),
        ExportJob.expires_at > func.now() + ENOUGH_TIME,
    )
    found = await connection.execute(
        select(ExportJob.id, ExportJob.user_id)
        .where(
            ExportJob.event_id == event["id"],
            ExportJob.revision == revision,
            ExportJob.format == format_name,
            ExportJob.view == view,
            or_(ExportJob.status.in_(OPEN_STATUSES), usable),
        )
        .order_by(ExportJob.created_at.desc())
        .limit(1)
    )
    existing = found.one_or_none()
    if existing is not None:
        if existing.user_id != user_id:
            shared = postgresql.insert(ExportRequest).values(task_id=existing.id, user_id=user_id)
            await connection.execute(shared.on_conflict_do_nothing())
        return existing.id, False
    open_exports = select(func.count()).where(
        Task.user_id == user_id,
        Task.kind == TaskKind.EXPORT,
        or_(Task.status.in_(OPEN_STATUSES), Task.held),
    )
    if (await connection.scalar(open_exports) or 0) >= most:
        raise TooManyExportsError
    task_id = await add_task(connection, TaskKind.EXPORT, user_id=user_id)
    await connection.execute(
        insert(EXPORT_JOBS).values(
            id=task_id,
            event_id=event["id"],
            event_identifier=event["identifier"],
            event_name=event["name"],
            format=format_name,
            view=view,
            revision=revision,
            token=secrets.token_urlsafe(24),
        )
    )
    return task_id, True


async def read_export_job(connection: AsyncConnection, task_id: UUID) -> ExportOf | None:
    """What the task is to export; None if the event has been deleted meanwhile."""
    statement = select(
        ExportJob.event_id,
        ExportJob.event_identifier.label("identifier"),
        ExportJob.event_name,
        ExportJob.format,
        ExportJob.view,
        ExportJob.token,
        ExportJob.created_at,
    )
    existing = and_(Event.id == ExportJob.event_id, ~Event.deleted_here)
    statement = statement.join(Event, existing).where(ExportJob.id == task_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else ExportOf(**{**row, "view": ExportView(row["view"])})


async def first_import_of(connection: AsyncConnection, event_id: int) -> dict[str, Any] | None:
    """The report of the import that made the event. If that was an export of another event, the
    report of the import that had made the other one."""
    statement = (
        select(ImportJob.report)
        .where(ImportJob.event_id == event_id)
        .order_by(ImportJob.created_at)
        .limit(1)
    )
    report: dict[str, Any] | None = await connection.scalar(statement)
    return report.get("first_import", report) if report else None


async def kept_objects(
    connection: AsyncConnection, objects: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Those of the files, pairs of storage and key, that are stored."""
    statement = select(ObjectRecord.storage, ObjectRecord.key).where(
        tuple_(ObjectRecord.storage, ObjectRecord.key).in_(objects),
        ObjectRecord.state == ObjectState.KEPT,
    )
    return {(row.storage, row.key) for row in await connection.execute(statement)}


async def settle_export(
    connection: AsyncConnection,
    claimed: Claim,
    storage: str,
    file: StoredFile,
    *,
    revision: int,
    lifetime: timedelta,
) -> datetime:
    """Record the file of an export, in the transaction that ends its task. Returns when its link
    expires. Raises ObjectLostError."""
    use = Use(key=file.key, size=file.size, export_job_id=claimed.task_id)
    await use_objects(connection, storage, [use])
    job = EXPORT_JOBS.c
    statement = (
        update(EXPORT_JOBS)
        .where(job.id == claimed.task_id)
        .values(
            storage=storage,
            key=file.key,
            size=file.size,
            revision=revision,
            expires_at=func.now() + lifetime,
        )
        .returning(job.expires_at)
    )
    expires_at: datetime = (await connection.execute(statement)).scalar_one()
    return expires_at


async def find_download(connection: AsyncConnection, token: str) -> Download | None:
    """The file that a download's URL names. None if there is none, the event was deleted, or a
    public view of it is no longer public."""
    job, events = EXPORT_JOBS.c, NODES[Kind.EVENT].table
    # Members who see more than the public got the link from the service.
    public = or_(job.view != ExportView.PUBLIC, event_visible(Viewer()))
    statement = (
        select(
            job.storage,
            job.key,
            job.size,
            job.format,
            job.event_identifier.label("identifier"),
            or_(job.key.is_(None), job.expires_at < func.now()).label("is_expired"),
        )
        .join(events, events.c.id == job.event_id)
        .where(job.token == token, job.expires_at.is_not(None), public, ~withdrawn())
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Download(**row)
