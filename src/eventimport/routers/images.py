"""Image uploads: encoded anew without metadata, and in smaller sizes on request."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from eventimport.conference.data_urls import DataUrlError, decode_data_url
from eventimport.errors import ProblemError, refuse, size_in_words
from eventimport.file_requests import FileRequest, Reply
from eventimport.http.dependencies import AccountDep, ForceLocal, ResourcesDep
from eventimport.http.forms.body import Body, too_large
from eventimport.http.forms.multipart import parts
from eventimport.http.idempotency import (
    REFUSALS,
    REPLAYED_HEADER,
    IdempotencyKeyDep,
    identity_of,
    response_to,
)
from eventimport.http.openapi import FILE_SCHEMA, problems
from eventimport.http.routing import Router
from eventimport.media.images import ImageRefusedError, ProcessedImage
from eventimport.resources import Resources
from eventimport.storage.config import UploadLimits
from eventimport.storage.keys import upload_key

FIELD = "file"

_STATUSES = {
    "too-large": 413,
    "too-many-pixels": 413,
    "damaged": 422,
    "too-slow": 422,
    "too-much-memory": 422,
    "unprocessable": 422,
}
_JSON_OVERHEAD = 64 * 1024
_MOST_JSON = 64 * 1024
"""Bytes of a JSON body without its `data`."""
_DATA = re.compile(rb'"data"\s*+:\s*+"')

REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "title": "ImageUpload",
                "required": [FIELD],
                "properties": {FIELD: FILE_SCHEMA},
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "title": "ImageData",
                "required": ["data"],
                "properties": {
                    "data": {
                        "type": "string",
                        "description": "`data:image/png;base64,` and the image.",
                    }
                },
            }
        },
    },
}

_ONE_FRAME = (
    "Only the first frame of the animation was kept. It has more than 1,000"
    " frames, or its frames have too many pixels in total (MAX_IMAGE_PIXELS)."
)

router = Router(prefix="/v1/upload", tags=["files"])


class Size(StrEnum):
    """A smaller version that a client may request."""

    LARGE = "large"
    THUMBNAIL = "thumbnail"
    SMALL = "small"
    ICON = "icon"


class UploadedImage(BaseModel):
    """The URL of the image, and of the sizes that were requested."""

    url: str
    sizes: dict[Size, str] | None = Field(None, description="The URL of each size.")
    notice: str | None = Field(None, description="What differs from the image that was sent.")


RESPONSES = {200: REPLAYED_HEADER, **problems(400, 401, 408, 413, 415), **REFUSALS}


@router.post(
    "/image",
    response_model=UploadedImage,
    responses=RESPONSES,
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def upload_image(
    request: Request,
    *,
    account: AccountDep,
    resources: ResourcesDep,
    key: IdempotencyKeyDep,
    force_local: ForceLocal = False,
    size: Annotated[
        list[Size] | None, Query(description="Smaller versions to make; may be repeated.")
    ] = None,
) -> Response:
    """Upload an image, as JSON or as a form. It is stored without its metadata; an animation keeps
    its frames."""
    storage = await resources.storage_for_upload(force_local=force_local)
    asked = tuple(dict.fromkeys(size or ()))

    identity = identity_of(request, key, {"force_local": force_local, "size": asked})

    async def work() -> Reply:
        async with FileRequest(resources, storage, account.id, identity) as files:
            name, content = await _receive(request, resources.settings.upload_limits, files)
            if files.is_repetition:
                files.repeat()
            pointer = "/data" if _is_json(request) else f"/{FIELD}"
            images = await _process(content, resources, asked, pointer)
            urls = []
            for image in images:
                object_key = upload_key(account.id, f"{name}{image.extension}")
                await files.store_upload(
                    object_key, _whole(image.data), content_type=image.content_type
                )
                urls.append(storage.public_url(object_key))
            url, *others = urls
            uploaded = UploadedImage(
                url=url,
                sizes=dict(zip(asked, others, strict=True)) or None,
                notice=_ONE_FRAME if images[0].frames_dropped else None,
            )
            reply = Reply(200, uploaded.model_dump_json(exclude_none=True))
            await files.accept(reply, user_id=account.id)
        return reply

    async with resources.images.turn(account.id):
        return await response_to(work())


async def _receive(request: Request, limits: UploadLimits, files: FileRequest) -> tuple[str, bytes]:
    """The image's name, without an extension, and its bytes."""
    if _is_json(request):
        allowed = limits.max_image_bytes
        body = Body(
            request,
            # With line breaks, as `base64` and mail programs write them, escaped.
            max_bytes=allowed * 4 // 3 * 80 // 76 + _JSON_OVERHEAD,
            refusal=too_large(
                f"The image is larger than {size_in_words(allowed)}",
                "MAX_IMAGE_BYTES",
                allowed,
                "/data",
            ),
            chunk_timeout_seconds=limits.chunk_timeout_seconds,
        )
        content = await asyncio.to_thread(_decode, await body.read())
        await files.add("data", None, content)
        return "image", content
    found: tuple[str, bytes] | None = None
    async for part in parts(request, limits):
        if part.name == FIELD and part.filename is not None:
            content = await part.read(limits.max_image_bytes, limit="MAX_IMAGE_BYTES")
            if not part.filename and not content:
                # Browsers send such a part where no file was chosen.
                continue
            if found is not None:
                what = f"The form has more than one part named {FIELD!r}."
                raise _bad_request("many-files", what, f"/{FIELD}")
            await files.add(part.name, part.filename, content)
            found = part.filename.rpartition(".")[0] or part.filename, content
    if found is None:
        what = f"The form has no file in a part named {FIELD!r}."
        raise _bad_request("no-file", what, f"/{FIELD}")
    return found


def _is_json(request: Request) -> bool:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type == "application/json" or content_type.endswith("+json")


def _decode(body: bytes) -> bytes:
    """The bytes of `{"data": "data:image/…;base64,…"}`. The text of `data` is not decoded as JSON:
    that would hold the interpreter for too long."""
    match = _DATA.search(body, 0, _MOST_JSON)
    end = body.find(b'"', match.end()) if match else -1
    encoded = memoryview(body)[match.end() : end] if match and end >= 0 else None
    rest = body if match is None or encoded is None else body[: match.end()] + body[end:]
    if len(rest) > _MOST_JSON:
        raise _invalid("The body must be a JSON object with the member `data`.")
    try:
        document = json.loads(rest)
    except (ValueError, RecursionError) as error:
        raise _bad_request("invalid-json", f"The body is not valid JSON: {error}.") from error
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, str):
        raise _invalid("The member `data` must be a text.")
    try:
        _, content = decode_data_url(encoded if encoded is not None else data, base64_only=True)
    except DataUrlError as error:
        raise _invalid(f"`data` is not a data URL: {error}.") from error
    return content


async def _process(
    content: bytes, resources: Resources, sizes: Sequence[Size], pointer: str
) -> list[ProcessedImage]:
    """The image, and it once more in each of the sizes. `pointer` says where the request has it."""
    settings = resources.settings
    wanted = {str(kind): settings.image_sizes.upload[kind] for kind in sizes}
    try:
        image, made = await resources.images.process(content, settings.image_limits, wanted)
    except ImageRefusedError as error:
        status = _STATUSES.get(error.code, 415)
        source = {"pointer": pointer}
        raise refuse(status, error.code, "Image rejected", str(error), source=source) from error
    return [image, *made.values()]


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _invalid(detail: str) -> ProblemError:
    return refuse(422, "invalid-value", "Invalid value", detail, source={"pointer": "/data"})


def _bad_request(code: str, detail: str, pointer: str | None = None) -> ProblemError:
    source = None if pointer is None else {"pointer": pointer}
    return refuse(400, code, "Invalid request", detail, source=source)
