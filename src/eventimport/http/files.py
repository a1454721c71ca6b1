"""Stored files as responses: whole or one range of them, and never as a page that can run."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from email.utils import format_datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from eventimport.errors import refuse
from eventimport.http.headers import names_etag, not_modified
from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import ObjectNotFoundError, Storage

SANDBOX: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
VALIDATORS: Final = ("etag", "last-modified")

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class PathResponse(FileResponse):
    """A file in chunks that are larger than Starlette's own: each costs a hop to a thread."""

    chunk_size = 256 * 1024


def path_response(
    request: Request,
    path: Path,
    *,
    headers: Mapping[str, str],
    content_type: str,
    file_name: str,
    in_place: bool = False,
) -> Response:
    """A file of this machine: the range that the request asks for, or a 304 if the client has it.
    Raises FileNotFoundError, and 416 for a range that the file does not have."""
    facts = path.stat()
    response = PathResponse(
        path,
        headers=dict(headers),
        media_type=content_type,
        filename=file_name,
        content_disposition_type="inline" if in_place else "attachment",
        stat_result=facts,
    )
    if names_etag(request.headers.get("if-none-match"), response.headers["etag"]):
        return not_modified(response)
    if _usable_range(request, response, facts.st_size) is None:
        # `FileResponse` answers a malformed range as text instead of a problem.
        _forget_range(request)
    return response


async def stored_response(
    request: Request,
    storage: Storage,
    key: str,
    *,
    headers: Mapping[str, str],
    content_type: str,
    file_name: str,
) -> Response:
    """A stored file as a download, from whatever storage. Raises ObjectNotFoundError, and 416 for a
    range that the file does not have."""
    if isinstance(storage, LocalStorage):
        path = await storage.path(key)
        return path_response(
            request, path, headers=headers, content_type=content_type, file_name=file_name
        )
    found = await storage.stat(key)
    if found is None:
        raise ObjectNotFoundError(key)
    response = StreamingResponse(iter(()), media_type=content_type)
    response.headers.update(headers)
    response.headers["accept-ranges"] = "bytes"
    response.headers["content-disposition"] = f"attachment; filename*=utf-8''{quote(file_name)}"
    response.headers["etag"] = f'"{found.size:x}-{found.modified_at.timestamp():.0f}"'
    response.headers["last-modified"] = format_datetime(found.modified_at, usegmt=True)
    if names_etag(request.headers.get("if-none-match"), response.headers["etag"]):
        return not_modified(response)
    wanted = _usable_range(request, response, found.size)
    start, end = wanted or (0, found.size)
    response.headers["content-length"] = str(end - start)
    if wanted is not None:
        response.status_code = 206
        response.headers["content-range"] = f"bytes {start}-{end - 1}/{found.size}"
    if request.method != "HEAD":
        async with AsyncExitStack() as stack:
            chunks = await stack.enter_async_context(storage.open(key))
            response.body_iterator = _part(chunks, start, end, stack.pop_all())
    return response


async def _part(
    chunks: AsyncIterator[bytes], start: int, end: int, opened: AsyncExitStack
) -> AsyncIterator[bytes]:
    """The bytes from `start` to before `end`. Storages have no ranges: the rest is skipped."""
    async with opened:
        position = 0
        async for chunk in chunks:
            part = chunk[max(start - position, 0) : max(end - position, 0)]
            position += len(chunk)
            if part:
                yield part
            if position >= end:
                return


def _usable_range(request: Request, response: Response, size: int) -> tuple[int, int] | None:
    """The range that the client asks for, if it is one, well spelled, of the file as it is now: its
    first byte, and the one after its last.

    All else gets the whole file, as HTTP allows. Raises 416 for a range that the file has not.
    """
    found = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    condition = request.headers.get("if-range")
    if found is None or condition not in (None, *(response.headers[name] for name in VALIDATORS)):
        return None
    first, last = found.groups()
    if not (first or last) or (first and last and int(first) > int(last)):
        return None
    if size == 0 or (int(first) >= size if first else int(last) == 0):
        raise refuse(
            416,
            "no-such-range",
            "Range not satisfiable",
            f"The requested range is outside of the file, which has {size:,} bytes.",
            source={"header": "Range"},
            headers={"Content-Range": f"bytes */{size}"},
        )
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _forget_range(request: Request) -> None:
    headers = request.scope["headers"]
    request.scope["headers"] = [header for header in headers if header[0] != b"range"]
