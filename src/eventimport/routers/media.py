"""Public objects of the local storage, served so that none of them can run anything."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import FileResponse

from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import ResourcesDep
from eventimport.http.headers import names_etag, not_modified
from eventimport.http.openapi import problems
from eventimport.storage.content_types import content_type_of, shown_in_place
from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import ObjectNotFoundError

HEADERS = {
    # Keys are random and their objects never change.
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    # Pages of other sites show these pictures.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}

VALIDATORS = ("etag", "last-modified")

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

router = APIRouter(tags=["files"])


class MediaResponse(FileResponse):
    """A file in chunks that are larger than Starlette's own: each costs a hop to a thread."""

    chunk_size = 256 * 1024


@router.get(
    "/media/{key:path}",
    summary="Get Media File",
    response_class=MediaResponse,
    responses={
        200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string"}}}},
        206: {"description": "The requested range of the file."},
        304: {"description": "The client has the current version."},
        416: {"description": "The requested range is outside of the file."},
        **problems(404),
    },
)
async def get_media(
    key: str,
    request: Request,
    resources: ResourcesDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Get a public file of the local storage. A file that a browser could run is sent as a
    download."""
    storage = resources.storages.get("local")
    if not isinstance(storage, LocalStorage):
        raise _not_found(key)
    try:
        path = await storage.public_path(key)
        facts = path.stat()
    except (ObjectNotFoundError, FileNotFoundError, ValueError):
        raise _not_found(key) from None
    content_type = content_type_of(key)
    response = MediaResponse(
        path,
        headers=HEADERS,
        media_type=content_type,
        filename=path.name,
        content_disposition_type="inline" if shown_in_place(content_type) else "attachment",
        stat_result=facts,
    )
    if names_etag(if_none_match, response.headers["etag"]):
        return not_modified(response)
    if not _has_usable_range(request, response, facts.st_size):
        _forget_range(request)
    return response


@router.head("/media/{key:path}", include_in_schema=False)
async def head_media(
    key: str,
    request: Request,
    resources: ResourcesDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The same without the content: the response sees to that."""
    return await get_media(key, request, resources, if_none_match)


def _has_usable_range(request: Request, response: Response, size: int) -> bool:
    """Whether the client asks for one range, well spelled, of the file as it is now.

    All else gets the whole file, as HTTP allows. Raises 416 for a range that the file has not:
    `FileResponse` would answer that, and a malformed range, as text instead of a problem.
    """
    found = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    condition = request.headers.get("if-range")
    if found is None or condition not in (None, *(response.headers[name] for name in VALIDATORS)):
        return False
    first, last = found.groups()
    if not (first or last) or (first and last and int(first) > int(last)):
        return False
    if size == 0 or (int(first) >= size if first else int(last) == 0):
        raise refuse(
            416,
            "no-such-range",
            "Range not satisfiable",
            f"The requested range is outside of the file, which has {size:,} bytes.",
            source={"header": "Range"},
            headers={"Content-Range": f"bytes */{size}"},
        )
    return True


def _forget_range(request: Request) -> None:
    headers = request.scope["headers"]
    request.scope["headers"] = [header for header in headers if header[0] != b"range"]


def _not_found(key: str) -> ProblemError:
    return refuse(404, "not-found", "Not Found", f"Unknown file /media/{key}.")
