"""How an import stands, as a client polls it."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import Row, Select, and_, bindparam, or_, select

from eventimport import logs
from eventimport.database.models import OPEN_STATUSES, ImportJob, ImportStatus, User
from eventimport.database.outbox import error_count
from eventimport.database.revocation import revoke
from eventimport.dependencies import ResourcesDep, TokenUserIdDep, unauthorized
from eventimport.errors import refuse
from eventimport.resources import Resources
from eventimport.routers.documentation import ErrorDocument, ErrorsTotal, Version, problems
from eventimport.routers.import_jobs import findings_url
from eventimport.stored_objects import delete_objects

router = APIRouter(prefix="/v1/tasks", tags=["imports"])

TaskState = Literal["PENDING", "STARTED", "SUCCESS", "FAILURE", "REVOKED"]
POLL_INTERVAL = "1"
"""Seconds, for `Retry-After`."""


class Progress(BaseModel):
    """How far the import is: `done` of `total` in this stage, and a sentence for people."""

    stage: str | None
    done: int
    total: int
    message: str | None


class ImportResult(BaseModel):
    """The event that came out. After a dry run `id`, `identifier` and `url` are null."""

    id: str | None
    identifier: str | None
    event_name: str | None
    url: str | None
    report: dict[str, Any] = Field(
        description="Counts per kind, and the first findings with their places in the archive. "
        "`total` counts the findings, and `findings_url` lists all of them."
    )


class ErrorsMeta(ErrorsTotal):
    """How many errors there are, and where all of them are listed."""

    findings_url: str


class ImportErrors(ErrorDocument):
    """The first errors, at most 20, as a JSON:API document."""

    meta: ErrorsMeta


class Task(BaseModel):
    """`result` is null until the state is `SUCCESS` or `FAILURE`; then it is the event and the
    report, or a JSON:API document with the first errors found."""

    state: TaskState
    progress: Progress
    result: ImportResult | ImportErrors | None


def _statement() -> Select[*tuple[Any, ...]]:
    """Whether the user exists, and the job where the user may see it, in one go: this is the
    route that clients poll."""
    visible = and_(
        ImportJob.id == bindparam("job_id"),
        or_(ImportJob.user_id == User.id, User.is_admin),
    )
    return (
        select(
            ImportJob.id,
            ImportJob.status,
            ImportJob.stage,
            ImportJob.done,
            ImportJob.total,
            ImportJob.message,
            ImportJob.dry_run,
            ImportJob.event_id,
            ImportJob.event_identifier,
            ImportJob.event_name,
            ImportJob.report,
            ImportJob.errors,
            error_count().label("error_count"),
        )
        .select_from(User)
        .outerjoin(ImportJob, visible)
        .where(User.id == bindparam("user_id"))
    )


STATEMENT = _statement()


@router.get("/{task_id}", response_model=Task, responses=problems(401, 404))
async def get_task(task_id: UUID, user_id: TokenUserIdDep, resources: ResourcesDep) -> JSONResponse:
    """How an import stands. Ask again after `Retry-After` seconds while there is such a header.

    Only the one who started the import, and admins, see it.
    """
    task = await read_task(resources, task_id, user_id)
    headers = {"Cache-Control": "no-store"}
    if task["state"] in OPEN_STATUSES:
        headers["Retry-After"] = POLL_INTERVAL
    return JSONResponse(task, headers=headers)


@router.delete("/{task_id}", response_model=Task, responses=problems(401, 404, 409))
async def cancel_task(
    task_id: UUID, user_id: TokenUserIdDep, resources: ResourcesDep
) -> JSONResponse:
    """Cancel an import that has not ended. The answer is the task, whose state is `REVOKED` then.

    No event comes out of it, and none of its files stay: a worker that has begun it stops within
    seconds. Only the one who started the import, and admins, may cancel it.
    """
    await read_task(resources, task_id, user_id)
    async with resources.engine.begin() as connection:
        files = await revoke(connection, task_id)
    if files is None:
        raise refuse(
            409,
            "task-ended",
            "The import has ended",
            f"Task {task_id} has ended already; it cannot be cancelled.",
        )
    await delete_objects(resources.engine, resources.storages, files)
    task = await read_task(resources, task_id, user_id)
    return JSONResponse(task, headers={"Cache-Control": "no-store"})


async def read_task(resources: Resources, task_id: UUID, user_id: int) -> dict[str, Any]:
    """The task as `Task` describes it, read over a connection that is given back at once.

    Raises ProblemError: 401 where the user is gone, 404 where the task is not theirs to see.
    """
    logs.bind(task_id=str(task_id))
    async with resources.reader.connect() as connection:
        found = await connection.execute(STATEMENT, {"job_id": task_id, "user_id": user_id})
        row = found.one_or_none()
    if row is None:
        raise unauthorized()
    if row.id is None:
        raise refuse(404, "not-found", "Not Found", f"There is no task {task_id}.")
    return _task(row, resources.settings.event_base_url)


def _report(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    report: dict[str, Any] = row.report or {}
    report = {**report, "findings_url": findings_url(row.id)}
    return {**report, "dry_run": True} if row.dry_run else report


def _task(row: Row[*tuple[Any, ...]], event_base_url: str) -> dict[str, Any]:
    """The task as `Task` describes it, without the cost of validating our own data."""
    result: dict[str, Any] | None = None
    if row.status == ImportStatus.SUCCESS:
        identifier = row.event_identifier
        result = {
            "id": None if row.event_id is None else str(row.event_id),
            "identifier": identifier,
            "event_name": row.event_name,
            "url": None if identifier is None else f"{event_base_url}/events/{identifier}",
            "report": _report(row),
        }
    elif row.status == ImportStatus.FAILURE:
        result = {
            "errors": row.errors or [],
            "meta": {"total": row.error_count, "findings_url": findings_url(row.id)},
            "jsonapi": Version().model_dump(),
        }
    return {
        "state": row.status,
        "progress": {
            "stage": row.stage,
            "done": row.done,
            "total": row.total,
            "message": row.message,
        },
        "result": result,
    }
