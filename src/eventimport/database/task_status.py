"""How a task stands, for the client that polls it."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, and_, bindparam, exists, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.accounts import is_signed_in
from eventimport.database.endings import error_count
from eventimport.database.models import IMPORT_JOBS, Event, ExportRequest, Task, User


def _statement() -> Select[*tuple[Any, ...]]:
    owned = or_(Task.user_id == User.id, User.is_admin)
    shared = exists().where(ExportRequest.task_id == Task.id, ExportRequest.user_id == User.id)
    visible = and_(Task.id == bindparam("task_id"), or_(owned, shared))
    job = IMPORT_JOBS.c
    return (
        select(
            Task.id,
            Task.kind,
            Task.status,
            Task.stage,
            Task.done,
            Task.total,
            Task.message,
            Task.result,
            Task.errors,
            job.dry_run,
            job.format,
            Event.id.label("event_id"),
            job.event_identifier,
            job.event_name,
            job.report,
            Event.published_at,
            Event.state,
            Event.privacy,
            error_count().label("error_count"),
            owned.label("is_owned"),
        )
        .select_from(User)
        .outerjoin(Task, visible)
        .outerjoin(IMPORT_JOBS, job.id == Task.id)
        .outerjoin(Event, and_(Event.id == job.event_id, not_(Event.deleted_here)))
        .where(is_signed_in(bindparam("user_id"), bindparam("token_version")))
    )


STATEMENT: Final = _statement()
"""Built once: clients poll the route that uses it."""


async def find_task(
    reader: AsyncEngine, task_id: UUID, user_id: int, token_version: int
) -> Row[*tuple[Any, ...]] | None:
    """The task's row, read in one statement over a connection that is given back at once.

    None if a token with this version does not count any more. Its `id` is None if the user may not
    see the task, or if there is none. `is_owned` says whether they may cancel it.
    """
    async with reader.connect() as connection:
        values = {"task_id": task_id, "user_id": user_id, "token_version": token_version}
        found = await connection.execute(STATEMENT, values)
        return found.one_or_none()
