"""Files in: from the socket to the storage, with no temporary file and no second copy."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from eventimport.errors import ProblemError, refuse
from eventimport.file_requests import FileRequest, Reply
from eventimport.http.dependencies import AccountDep, ForceLocal, ResourcesDep
from eventimport.http.forms.multipart import Part, parts
from eventimport.http.idempotency import (
    REFUSALS,
    REPLAYED_HEADER,
    IdempotencyKeyDep,
    identity_of,
    response_to,
)
from eventimport.http.openapi import FILE_SCHEMA, problems
from eventimport.http.routing import Router
from eventimport.storage.config import UploadLimits
from eventimport.storage.content_types import content_type_of
from eventimport.storage.keys import upload_key

ONE = "file"
MANY = ("files", "files[]")

REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "title": "FileUpload",
                "description": "Either `file`, or any number of `files` (or `files[]`).",
                "properties": {
                    ONE: FILE_SCHEMA,
                    MANY[0]: {"type": "array", "items": FILE_SCHEMA},
                },
            }
        }
    },
}

router = Router(prefix="/v1/upload", tags=["files"])


class UploadedFiles(BaseModel):
    """The URL of the uploaded file, or a list of URLs in the order of the files."""

    url: str | list[str]


RESPONSES = {200: REPLAYED_HEADER, **problems(400, 401, 408, 413, 415), **REFUSALS}


@router.post(
    "/files",
    name="upload_files",
    description="The same as `/v1/upload/file`.",
    response_model=UploadedFiles,
    responses=RESPONSES,
    openapi_extra={"requestBody": REQUEST_BODY},
)
@router.post(
    "/file",
    response_model=UploadedFiles,
    responses=RESPONSES,
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def upload_file(
    request: Request,
    *,
    account: AccountDep,
    resources: ResourcesDep,
    key: IdempotencyKeyDep,
    force_local: ForceLocal = False,
) -> Response:
    """Upload one file as `file`, or many as `files`. All of them are stored, or none."""
    storage = await resources.storage_for_upload(force_local=force_local)

    identity = identity_of(request, key, {"force_local": force_local})

    async def work() -> Reply:
        limits = resources.settings.upload_limits
        async with FileRequest(resources, storage, account.id, identity) as files:
            names, keys = await _receive(request, account.id, limits, files)
            urls = [storage.public_url(key) for key in keys]
            uploaded = UploadedFiles(url=urls[0] if names == [ONE] else urls)
            reply = Reply(200, uploaded.model_dump_json())
            await files.accept(reply, user_id=account.id)
        return reply

    return await response_to(work())


async def _receive(
    request: Request, user_id: int, limits: UploadLimits, files: FileRequest
) -> tuple[list[str], list[str]]:
    """The name of each part that brought a file, and the key under which that is stored."""
    names: list[str] = []
    keys: list[str] = []
    async for part in parts(request, limits):
        await _store(part, user_id, files, names, keys)
    _check_names(names)
    return names, keys


async def _store(
    part: Part, user_id: int, files: FileRequest, names: list[str], keys: list[str]
) -> None:
    if part.filename is None or part.name not in (ONE, *MANY):
        return
    chunks: AsyncIterator[bytes] = part
    if not part.filename:
        # Browsers send an empty part without a file name where no file was chosen.
        first = await anext(part, None)
        if first is None:
            return
        chunks = _followed(first, part)
    names.append(part.name)
    _check_names(names)
    key = upload_key(user_id, part.filename)
    chunks = files.reading(part.name, part.filename, chunks)
    await files.store_upload(key, chunks, content_type=content_type_of(key))
    keys.append(key)


def _check_names(names: list[str]) -> None:
    if not names:
        raise _bad_request(
            "no-file", f"The form has no file in a part named {ONE!r} or {MANY[0]!r}."
        )
    if ONE in names and len(names) > 1:
        raise _bad_request(
            "many-files", f"The form has more files than {ONE!r}. Send them as {MANY[0]!r}."
        )


def _bad_request(code: str, detail: str) -> ProblemError:
    return refuse(400, code, "Invalid upload form", detail, source={"pointer": f"/{ONE}"})


async def _followed(first: bytes, rest: Part) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
