"""How an import stands, as a client polls it."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import Row, Select, and_, bindparam, or_, select

from eventimport.database.endings import cancel
from eventimport.database.models import (
    IMPORT_JOBS,
    OPEN_STATUSES,
    ImportStatus,
    TaskKind,
    User,
)
from eventimport.database.models import Task as TaskRow
from eventimport.database.outbox import error_count
from eventimport.errors import refuse
from eventimport.http.dependencies import ResourcesDep, TokenUserIdDep, unauthorized
from eventimport.http.openapi import ErrorDocument, ErrorsTotal, Version, problems
from eventimport.imports.endings import new_report_of, words_of
from eventimport.observability import logs
from eventimport.resources import Resources
from eventimport.routers.import_jobs import findings_url
from eventimport.stored_objects import delete_objects

router = APIRouter(prefix="/v1/tasks", tags=["imports"])

TaskState = Literal["PENDING", "STARTED", "SUCCESS", "FAILURE", "REVOKED"]
POLL_INTERVAL = "1"
"""Seconds, for `Retry-After`."""


class Progress(BaseModel):
    """The progress of the import: `done` of `total` in this stage, and a sentence for people."""

    stage: str | None
    done: int
    total: int
    message: str | None


class TaskEvent(BaseModel):
    """The event of an import, from its commit on. Its media files may not be stored yet."""

    id: str
    identifier: str
    name: str | None
    url: str


class ImportResult(BaseModel):
    """The imported event. After a dry run, `id`, `identifier` and `url` are null."""

    id: str | None
    identifier: str | None
    event_name: str | None
    url: str | None
    report: dict[str, Any] = Field(
        description="Counts per kind, and the first findings with their places in the"
        " archive. `total` is the number of findings, and `findings_url` lists"
        " all of them."
    )


class ImageSizes(BaseModel):
    """The resource whose image was changed, and the URLs of the new sizes by attribute. Attributes
    that already had a value keep it, and are not listed."""

    id: str
    type: Literal["event", "speaker"]
    sizes: dict[str, str]


class ErrorsMeta(ErrorsTotal):
    """The number of errors, and the URL that lists all of them."""

    findings_url: str


class ImportErrors(ErrorDocument):
    """The first errors, at most 20, as a JSON:API document."""

    meta: ErrorsMeta


class Task(BaseModel):
    """`event` is null until an import has committed its event. `result` is null until the state is
    `SUCCESS` or `FAILURE`. Then it has the event and the report of an import, or the sizes of an
    image (`image-sizes`). After a failure, it is a JSON:API document with the first errors."""

    kind: Literal["import", "image-sizes"]
    state: TaskState
    progress: Progress
    event: TaskEvent | None
    result: ImportResult | ImageSizes | ImportErrors | ErrorDocument | None


def _statement() -> Select[*tuple[Any, ...]]:
    """Whether the user exists, and the task if the user may see it, in one go: this is the route
    that clients poll."""
    visible = and_(
        TaskRow.id == bindparam("task_id"),
        or_(TaskRow.user_id == User.id, User.is_admin),
    )
    job = IMPORT_JOBS.c
    return (
        select(
            TaskRow.id,
            TaskRow.kind,
            TaskRow.status,
            TaskRow.stage,
            TaskRow.done,
            TaskRow.total,
            TaskRow.message,
            TaskRow.result,
            TaskRow.errors,
            job.dry_run,
            job.event_id,
            job.event_identifier,
            job.event_name,
            job.report,
            error_count().label("error_count"),
        )
        .select_from(User)
        .outerjoin(TaskRow, visible)
        .outerjoin(IMPORT_JOBS, job.id == TaskRow.id)
        .where(User.id == bindparam("user_id"))
    )


STATEMENT = _statement()


@router.get("/{task_id}", response_model=Task, responses=problems(401, 404))
async def get_task(task_id: UUID, user_id: TokenUserIdDep, resources: ResourcesDep) -> JSONResponse:
    """Get the state of a task. If the response has a `Retry-After` header, repeat the request after
    that many seconds.

    Only the owner of the task and admins can see it.
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
    """Cancel a task that has not ended. Only its owner and admins may do so.

    Until its event is committed (`event` is null), the import ends as `REVOKED`: it leaves no event
    and no files. After the commit, it ends as `SUCCESS`: the event stays, without the media files
    that are not stored yet. To undo the import, delete the event. A task that makes the sizes of an
    image ends as `REVOKED`. A worker that runs the task stops within seconds.
    """
    await read_task(resources, task_id, user_id)
    async with resources.engine.begin() as connection:
        files = await cancel(
            connection,
            task_id,
            words_of(resources.settings),
            new_report=new_report_of(resources.settings),
        )
    if files is None:
        raise refuse(
            409,
            "task-ended",
            "Task already ended",
            f"Task {task_id} has ended. Only a waiting or running task can be cancelled.",
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
        found = await connection.execute(STATEMENT, {"task_id": task_id, "user_id": user_id})
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


def _result(row: Row[*tuple[Any, ...]], url: str | None) -> dict[str, Any] | None:
    if row.status == ImportStatus.FAILURE:
        meta = {"total": row.error_count}
        if row.kind == TaskKind.IMPORT:
            meta["findings_url"] = findings_url(row.id)
        return {
            "errors": row.errors or [],
            "meta": meta,
            "jsonapi": Version().model_dump(),
        }
    if row.status != ImportStatus.SUCCESS:
        return None
    if row.kind != TaskKind.IMPORT:
        return row.result or {}
    return {
        "id": None if row.event_id is None else str(row.event_id),
        "identifier": row.event_identifier,
        "event_name": row.event_name,
        "url": url,
        "report": _report(row),
    }


def _task(row: Row[*tuple[Any, ...]], event_base_url: str) -> dict[str, Any]:
    """The task as `Task` describes it, without the cost of validating our own data."""
    identifier = row.event_identifier
    url = None if identifier is None else f"{event_base_url}/events/{identifier}"
    event = {
        "id": str(row.event_id),
        "identifier": identifier,
        "name": row.event_name,
        "url": url,
    }
    return {
        "kind": row.kind,
        "state": row.status,
        "progress": {
            "stage": row.stage,
            "done": row.done,
            "total": row.total,
            "message": row.message,
        },
        "event": None if row.event_id is None else event,
        "result": _result(row, url),
    }
