"""Tasks: how they stand, once or as it changes, and cancelling them."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field, RootModel, with_config
from typing_extensions import TypedDict

from eventimport.auth import Bearer
from eventimport.database.endings import cancel
from eventimport.database.models import OPEN_STATUSES, ImportStatus, TaskKind
from eventimport.database.publication import reservations
from eventimport.database.task_status import find_task
from eventimport.database.task_watch import UNREADABLE, Watch
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import BearerDep, ResourcesDep, unauthorized
from eventimport.http.events.requests import IfNoneMatchDep
from eventimport.http.examples import REF
from eventimport.http.headers import names_etag
from eventimport.http.openapi import ErrorObject, ErrorsTotal, JsonapiVersion, problems
from eventimport.http.reports import FORBID, Report, TaskReport
from eventimport.http.routing import Router
from eventimport.imports.endings import new_report_of, words_of
from eventimport.observability import logs
from eventimport.resources import Resources
from eventimport.stored_objects import delete_objects

router = Router(prefix="/v1/tasks", tags=["imports"])

logger = logging.getLogger(__name__)


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


class Access(BaseModel):
    """Who sees the imported event, and the paths that change that. All are POST requests."""

    published: bool = Field(description="Whether all people can see the event.")
    detail: str = Field(description="The same for people, and how you see the event.")
    publish: str = Field(description="Publishes the event.", examples=["/v1/events/24/publish"])
    preview: str = Field(
        description="Returns a URL that shows the event's page without signing in, for a limited"
        " time.",
        examples=["/v1/events/ab3de6f0/preview"],
    )


class ImportResult(BaseModel):
    """The imported event. After a dry run, `id`, `identifier`, `url` and `access` are null; also if
    the event was deleted, except `identifier` and `url`."""

    id: str | None
    identifier: str | None
    event_name: str | None
    url: str | None
    access: Access | None
    report: TaskReport


class ImageSizes(BaseModel):
    """The resource whose image was changed, and the URLs of the new sizes by attribute. Attributes
    that already had a value keep it, and are not listed."""

    id: str
    type: Literal["event", "speaker"]
    sizes: dict[str, str]


class FetchedMedia(BaseModel):
    """What became of the media files of an import that were fetched again: how many the task has
    stored, how many of the import's are still missing, and the number for each outcome."""

    import_job_id: str
    stored: int
    missing: int
    outcomes: dict[str, int]


class ExportedFile(BaseModel):
    """The exported file. Its link needs no access token, and works until `expires_at`."""

    download_url: str
    expires_at: str = Field(description="When the link expires, in ISO 8601.")
    format: str = Field(description="The name of the file's format.")
    size: int = Field(description="The size of the file, in bytes.")
    report: Report = Field(description="What the format cannot say of the event.")


@with_config(FORBID)
class ErrorsMeta(ErrorsTotal):
    """The number of errors, and the URL that lists all of them."""

    findings_url: str


@with_config(FORBID)
class ImportErrors(TypedDict):
    """The first errors, at most 20, as a JSON:API document."""

    errors: list[ErrorObject]
    jsonapi: JsonapiVersion
    meta: ErrorsMeta


@with_config(FORBID)
class TaskErrors(TypedDict):
    """The errors of a task that is not an import, as a JSON:API document."""

    errors: list[ErrorObject]
    jsonapi: JsonapiVersion
    meta: ErrorsTotal


class AnyTask(BaseModel):
    """What tasks have in every state. `event` is null until an import has committed its event."""

    kind: Literal["import", "image-sizes", "fetch-media", "export"]
    progress: Progress
    event: TaskEvent | None


class OpenTask(AnyTask):
    """A task that waits or runs."""

    state: Literal["PENDING", "STARTED"]
    result: None


class SucceededImport(AnyTask):
    """An import that has succeeded."""

    state: Literal["SUCCESS"]
    kind: Literal["import"]
    result: ImportResult


class SucceededImageSizes(AnyTask):
    """The smaller sizes of an image were made."""

    state: Literal["SUCCESS"]
    kind: Literal["image-sizes"]
    result: ImageSizes


class SucceededFetch(AnyTask):
    """Media files of an import were fetched again."""

    state: Literal["SUCCESS"]
    kind: Literal["fetch-media"]
    result: FetchedMedia


class SucceededExport(AnyTask):
    """An export that has succeeded."""

    state: Literal["SUCCESS"]
    kind: Literal["export"]
    result: ExportedFile


class SucceededTask(
    RootModel[SucceededImport | SucceededImageSizes | SucceededFetch | SucceededExport]
):
    """A task that has succeeded. Its `kind` says what its `result` is."""

    root: Annotated[
        SucceededImport | SucceededImageSizes | SucceededFetch | SucceededExport,
        Field(discriminator="kind"),
    ]


class FailedTask(AnyTask):
    """A task that has failed. `result` is a JSON:API document with the first errors."""

    state: Literal["FAILURE"]
    result: ImportErrors | TaskErrors


class RevokedTask(AnyTask):
    """A task that was cancelled."""

    state: Literal["REVOKED"]
    result: None


class Task(RootModel[OpenTask | SucceededTask | FailedTask | RevokedTask]):
    """A task. Its `state` says what its `result` is."""

    root: Annotated[
        OpenTask | SucceededTask | FailedTask | RevokedTask, Field(discriminator="state")
    ]


TASK_RESPONSES: Final[dict[int | str, Any]] = {
    200: {
        "headers": {
            "ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}},
            "Retry-After": {
                "description": "Seconds to wait before you poll again. Only of an open task.",
                "schema": {"type": "integer"},
            },
        }
    },
    304: {"description": "Not Modified"},
    **problems(400, 401, 404),
}

EVENTS: Final[dict[str, Any]] = {
    "description": "Server-sent events. The `data` of each is a task as JSON, by this schema.",
    "content": {"text/event-stream": {"schema": {"$ref": f"{REF}Task"}}},
}
"""OpenAPI 3.1 has no keyword for the events of a stream: generators read the schema as theirs."""


@router.get("/{task_id}", response_model=Task, responses=TASK_RESPONSES)
async def get_task(
    task_id: UUID,
    bearer: BearerDep,
    resources: ResourcesDep,
    if_none_match: IfNoneMatchDep = None,
) -> Response:
    """Get the state of a task. If the response has a `Retry-After` header, repeat the request after
    that many seconds. With the `ETag` as `If-None-Match`, a task that has not changed is a 304.

    Only the owner of the task and admins can see it; an export also those who asked for the same.
    """
    task = await read_task(resources, task_id, bearer)
    response = JSONResponse(task)
    etag = f'"{hashlib.blake2b(bytes(response.body), digest_size=12).hexdigest()}"'
    headers = {"Cache-Control": "no-store", "ETag": etag}
    if task["state"] in OPEN_STATUSES:
        headers["Retry-After"] = str(resources.settings.client_poll_interval)
    if if_none_match and names_etag(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


async def get_first_state(
    task_id: UUID, bearer: BearerDep, resources: ResourcesDep
) -> AsyncIterator[dict[str, Any]]:
    """The task as it is now: read before the answer begins, so that a refusal has its status. The
    stream counts until the answer has ended. Raises 429 for one too many."""
    with resources.task_watcher.stream(bearer.user_id):
        yield await read_task(resources, task_id, bearer)


@router.get(
    "/{task_id}/events",
    response_class=EventSourceResponse,
    responses={200: EVENTS, **problems(401, 404, 429)},
)
async def watch_task(
    task_id: UUID,
    bearer: BearerDep,
    resources: ResourcesDep,
    first: Annotated[dict[str, Any], Depends(get_first_state)],
) -> AsyncIterator[ServerSentEvent]:
    """Get the state of a task, now and after each change, as server-sent events.

    The last event has the final state. A response can end without it, after EVENT_STREAM_LIFETIME
    seconds or because the service stops. Then repeat the request, or poll the task. A comment every
    15 seconds keeps the connection alive. A browser's `EventSource` cannot send an access token;
    `fetch` can.
    """
    task = first
    yield ServerSentEvent(data=task)
    watcher = resources.task_watcher
    deadline = asyncio.get_running_loop().time() + watcher.stream_lifetime
    with watcher.watch(task_id) as watch:
        while task["state"] in OPEN_STATUSES:
            await _changed(watch, watcher.look_seconds)
            if resources.stopping.is_set() or asyncio.get_running_loop().time() > deadline:
                return
            if not watch.changed.is_set():
                continue
            watch.changed.clear()
            try:
                now = await read_task(resources, task_id, bearer)
            except (ProblemError, *UNREADABLE) as error:
                # The status is sent already: the stream can only end early.
                logger.warning("the event stream of task %s ends early: %s", task_id, error)
                return
            if now != task:
                task = now
                yield ServerSentEvent(data=task)


async def _changed(watch: Watch, seconds: float) -> None:
    """Wait for a change, and no longer than until the next look at the clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await watch.changed.wait()


@router.delete("/{task_id}", response_model=Task, responses=problems(401, 403, 404, 409))
async def cancel_task(task_id: UUID, bearer: BearerDep, resources: ResourcesDep) -> JSONResponse:
    """Cancel a task that has not ended. Only its owner and admins may do so.

    Until its event is committed (`event` is null), the import ends as `REVOKED`: it leaves no event
    and no files. After the commit, it ends as `SUCCESS`: the event stays, without the media files
    that are not stored yet. To undo the import, delete the event. A task that makes the sizes of an
    image, or fetches media files, ends as `REVOKED`; what it has stored stays. An export ends as
    `REVOKED` for all who asked for it. A worker that runs the task stops within seconds.
    """
    if not (await _find(resources, task_id, bearer)).is_owned:
        what = "Only the user who started the export, and admins, can cancel it."
        raise refuse(403, "forbidden", "Not allowed", what)
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
    task = await read_task(resources, task_id, bearer)
    return JSONResponse(task, headers={"Cache-Control": "no-store"})


async def read_task(resources: Resources, task_id: UUID, bearer: Bearer) -> dict[str, Any]:
    """The task as `Task` describes it.

    Raises ProblemError: 401 if the token does not count any more, 404 if they may not see the task.
    """
    row = await _find(resources, task_id, bearer)
    return _task(row, resources.settings.event_base_url)


async def _find(resources: Resources, task_id: UUID, bearer: Bearer) -> Any:
    logs.bind(task_id=str(task_id))
    row = await find_task(resources.reader, task_id, bearer.user_id, bearer.token_version)
    if row is None:
        raise unauthorized()
    if row.id is None:
        raise refuse(404, "not-found", "Not Found", f"Unknown task {task_id}.")
    return row


def _findings_url(row: Any) -> str:
    return f"/v1/import-jobs/{row.id}/findings"


def _report(row: Any) -> dict[str, Any]:
    report: dict[str, Any] = row.report or {}
    report = {**report, "format": row.format, "findings_url": _findings_url(row)}
    return {**report, "dry_run": True} if row.dry_run else report


def _result(row: Any, url: str | None) -> dict[str, Any] | None:
    if row.status == ImportStatus.FAILURE:
        meta = {"total": row.error_count}
        if row.kind == TaskKind.IMPORT:
            meta["findings_url"] = _findings_url(row)
        return {
            "errors": row.errors or [],
            "meta": meta,
            "jsonapi": JsonapiVersion().model_dump(),
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
        "access": None if row.event_id is None else _access(row),
        "report": _report(row),
    }


def _access(row: Any) -> dict[str, Any]:
    """The event's `Access`."""
    preview = f"/v1/events/{row.event_identifier}/preview"
    publish = f"/v1/events/{row.event_id}/publish"
    detail = "The event is published."
    if row.published_at is None:
        detail = (
            "The event is not published. Members of the event and admins see its page when they are"
            f" signed in, or with a link from POST {preview}. To publish the event, use POST"
            f" {publish}."
        )
        found = reservations({"state": row.state, "privacy": row.privacy})
        if found:
            detail += f" Its source says that {' and '.join(found)}, so add ?confirm=true."
    published = row.published_at is not None
    return {"published": published, "detail": detail, "publish": publish, "preview": preview}


def _task(row: Any, event_base_url: str) -> dict[str, Any]:
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
