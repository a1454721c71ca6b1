"""The route that accepts imports: a form with a file goes in, the URL of a task comes out."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from eventimport.errors import ProblemError, refuse
from eventimport.file_requests import Reply
from eventimport.formats import IMPORTABLE, Format, UnknownFormatError, format_named, names_of
from eventimport.formats.source import ZIP_SIGNATURES
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.forms.multipart import Form, Part, parts
from eventimport.http.idempotency import (
    REFUSALS,
    REPLAYED_HEADER,
    IdempotencyKeyDep,
    identity_of,
    response_to,
)
from eventimport.http.openapi import FILE_SCHEMA, problems
from eventimport.imports.accept import FIELD, Upload, accept_import
from eventimport.storage.config import UploadLimits

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
                        **FILE_SCHEMA,
                        "description": "The file to import. For Open Event, a zip.",
                    }
                },
            }
        }
    },
}

router = APIRouter(prefix="/v1/events/import", tags=["imports"])


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
    source_type: Annotated[str, Path(json_schema_extra={"enum": names_of(IMPORTABLE)})],
    request: Request,
    *,
    account: AccountDep,
    resources: ResourcesDep,
    key: IdempotencyKeyDep,
    options: Annotated[ImportOptions, Query()],
) -> Response:
    """Import a conference.

    The response is sent as soon as the archive is stored. The task shows the progress and the
    result.
    """
    try:
        source_format = format_named(source_type, IMPORTABLE)
    except UnknownFormatError as error:
        raise refuse(404, "unknown-source-type", "Unknown format", str(error)) from None
    limits = resources.settings.archive_upload_limits
    accepted = partial(_accepted, poll_interval=resources.settings.client_poll_interval)

    async def work() -> Reply:
        job_id = await accept_import(
            resources,
            account.id,
            partial(_receive, request, source_format, limits),
            source_format=source_format,
            strict=options.strict,
            dry_run=options.dry_run,
            identity=identity_of(request, key, options.model_dump()),
            reply=accepted,
        )
        return accepted(job_id)

    return await response_to(work())


def _accepted(job_id: UUID, *, poll_interval: int) -> Reply:
    task_url = f"/v1/tasks/{job_id}"
    headers = {"Location": task_url, "Retry-After": str(poll_interval)}
    return Reply(202, AcceptedImport(task_url=task_url).model_dump_json(), headers)


async def _receive(request: Request, source_format: Format, limits: UploadLimits) -> Upload:
    """The form's file. Its chunks read the form to its end."""
    form = parts(request, limits, files={FIELD})
    upload = await _next_file(form, source_format)
    if upload is None:
        raise _bad_request("no-file", f"The form has no file in a part named {FIELD!r}.")
    return Upload(upload.file_name, _only_file(upload.chunks, form, source_format))


async def _only_file(
    chunks: AsyncIterator[bytes], form: Form, source_format: Format
) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield chunk
    if await _next_file(form, source_format) is not None:
        raise _bad_request("many-files", f"The form has more than one part named {FIELD!r}.")


async def _next_file(form: Form, source_format: Format) -> Upload | None:
    """The next part that is a file. Without a file name it may be a field, or an input in which no
    file was chosen, unless it begins as a zip does."""
    async for part in form:
        if part.name == FIELD and part.filename is not None:
            head = await _head(part)
            if part.filename or head.startswith(ZIP_SIGNATURES):
                return Upload(part.filename, _checked_chunks(head, part, source_format))
    return None


async def _head(part: Part) -> bytes:
    """The part's first bytes: as many as a signature has, or all there are."""
    head = b""
    async for chunk in part:
        head += chunk
        if len(head) >= len(ZIP_SIGNATURES[0]):
            break
    return head


async def _checked_chunks(head: bytes, part: Part, source_format: Format) -> AsyncIterator[bytes]:
    """The part's chunks, starting with `head`. Raises 400 if the file is empty, and 415 if the
    format needs a zip and this is not one."""
    _check_head(head, source_format)
    yield head
    async for chunk in part:
        yield chunk


def _check_head(head: bytes, source_format: Format) -> None:
    if not head:
        raise _bad_request("empty-file", "The file is empty. Choose a zip archive.")
    if source_format.zip_only and not head.startswith(ZIP_SIGNATURES):
        raise refuse(
            415,
            "not-a-zip",
            "Not a zip archive",
            f"{source_format.title} is imported from a zip. "
            "The file does not begin with a zip signature.",
        )


def _bad_request(code: str, detail: str) -> ProblemError:
    return refuse(400, code, "Invalid upload form", detail)
