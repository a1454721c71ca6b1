"""Archives in: a zip goes from the socket to the storage, then a row, then the queue."""

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from eventimport.database.models import ImportJob
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.forms.multipart import Part, parts
from eventimport.http.idempotency import FileRequest, carry_out
from eventimport.http.idempotency_key import REFUSALS, REPLAYED_HEADER, IdempotencyKeyDep
from eventimport.http.openapi import problems
from eventimport.imports.quota import claim_room, require_room
from eventimport.observability import logs
from eventimport.observability.tracing import current_parent
from eventimport.queue import QueueUnavailableError
from eventimport.resources import Resources
from eventimport.routers.tasks import POLL_INTERVAL
from eventimport.storage.config import UploadLimits
from eventimport.storage.keys import archive_key

FIELD = "file"
SOURCE_TYPE = "json"
FORMAT = "openevent"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
"""A local file header, or the end of an empty zip."""
ZIP_TYPE = "application/zip"
MAX_FILE_NAME_LENGTH = 255

REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "title": "ArchiveUpload",
                "required": [FIELD],
                "properties": {
                    FIELD: {
                        "type": "string",
                        "format": "binary",
                        "contentMediaType": "application/octet-stream",
                        "description": "The zip of an Open Event export.",
                    }
                },
            }
        }
    },
}

router = APIRouter(prefix="/v1/events/import", tags=["imports"])
logger = logging.getLogger(__name__)


class ImportOptions(BaseModel):
    """How to import."""

    model_config = ConfigDict(extra="forbid")

    strict: bool = Field(False, description="Fail if there is any finding, not only for errors.")
    dry_run: bool = Field(
        False, description="Only check the archive: return the report, and import nothing."
    )


class AcceptedImport(BaseModel):
    """The URL of the import's task."""

    task_url: str


@router.post(
    "/{source_type}",
    status_code=202,
    response_model=AcceptedImport,
    responses={
        202: REPLAYED_HEADER,
        **problems(400, 401, 404, 408, 413, 415, 429),
        **REFUSALS,
    },
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def import_event(
    source_type: Annotated[str, Path(json_schema_extra={"enum": [SOURCE_TYPE]})],
    request: Request,
    *,
    account: AccountDep,
    resources: ResourcesDep,
    key: IdempotencyKeyDep,
    options: Annotated[ImportOptions, Query()],
) -> Response:
    """Import an Open Event archive.

    The response is sent as soon as the archive is stored. The task shows the progress and the
    result.
    """
    if source_type != SOURCE_TYPE:
        raise refuse(
            404,
            "unknown-source-type",
            "No such kind of import",
            f"Only {SOURCE_TYPE!r} can be imported, not {source_type!r}.",
        )
    storage = await resources.active_storage()
    job = ImportJob(
        id=uuid4(),
        user_id=account.id,
        format=FORMAT,
        strict=options.strict,
        dry_run=options.dry_run,
        archive_storage=storage.name,
        trace_parent=current_parent(),
        request_id=logs.request_id(),
    )
    accepted = _accepted(job.id)

    async def add(connection: AsyncConnection) -> None:
        async with AsyncSession(connection) as session:
            await claim_room(connection, account.id, resources.settings.import_quota)
            session.add(job)
            await session.flush()
            session.expunge(job)

    async def work(files: FileRequest) -> Response:
        if not files.is_repetition:
            try:
                await require_room(resources, account.id)
            except ProblemError:
                # The last free place may be that of a request with the same key.
                await files.find_earlier()
                if not files.is_repetition:
                    raise
            logs.bind(task_id=str(job.id))
        await _receive(request, job, resources.settings.archive_upload_limits, files)
        return await files.accept(accepted, add, import_job_id=job.id)

    response = await carry_out(
        request,
        resources,
        storage,
        work,
        user_id=account.id,
        key=key,
        options=options.model_dump(),
    )
    if response is accepted:
        await _wake_worker(job.id, resources)
    return response


def _accepted(job_id: UUID) -> JSONResponse:
    task_url = f"/v1/tasks/{job_id}"
    headers = {"Location": task_url, "Retry-After": POLL_INTERVAL}
    content = AcceptedImport(task_url=task_url).model_dump()
    return JSONResponse(content, status_code=202, headers=headers)


async def _receive(
    request: Request, job: ImportJob, limits: UploadLimits, files: FileRequest
) -> None:
    """Store the archive and say so in the job."""
    job.archive_key = archive_key(job.id)
    async for part in parts(request, limits, files={FIELD}):
        if part.name == FIELD and part.filename is not None:
            await _store(part, part.filename, job, files)
    if job.archive_size is None:
        raise _bad_request("no-file", f"The form has no file in a part named {FIELD!r}.")


async def _store(part: Part, file_name: str, job: ImportJob, files: FileRequest) -> None:
    head = await _head(part)
    # Without a file name this may be a field, or an input where no file was chosen.
    if not (file_name or head.startswith(ZIP_SIGNATURES)):
        return
    if job.archive_size is not None:
        raise _bad_request("many-files", f"The form has more than one part named {FIELD!r}.")
    chunks = files.reading(part.name, file_name, _zip_chunks(head, part))
    job.archive_size = await files.store_archive(archive_key(job.id), chunks, content_type=ZIP_TYPE)
    job.file_name = _printable(file_name)


async def _head(part: Part) -> bytes:
    """The part's first bytes: as many as a signature has, or all there are."""
    head = b""
    async for chunk in part:
        head += chunk
        if len(head) >= len(ZIP_SIGNATURES[0]):
            break
    return head


async def _zip_chunks(head: bytes, part: Part) -> AsyncIterator[bytes]:
    """The part's chunks, of which `head` is read, if its first bytes are a zip's."""
    _check_signature(head)
    yield head
    async for chunk in part:
        yield chunk


def _check_signature(head: bytes) -> None:
    if not head:
        raise _bad_request("empty-file", "The file is empty.")
    if not head.startswith(ZIP_SIGNATURES):
        raise refuse(415, "not-a-zip", "The file is not a zip", "It does not begin as a zip does.")


def _bad_request(code: str, detail: str) -> ProblemError:
    return refuse(400, code, "The form is not as it should be", detail)


def _printable(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[
        :MAX_FILE_NAME_LENGTH
    ]


async def _wake_worker(job_id: UUID, resources: Resources) -> None:
    """Have a worker look at once. Without this, workers find the import a few seconds later."""
    try:
        await resources.queue.wake_worker()
    except QueueUnavailableError:
        logger.warning("import %s waits until a worker looks by itself", job_id, exc_info=True)
