"""Public objects of the local storage, served so that none of them can run anything."""

from typing import Annotated

from fastapi import Header, Request, Response

from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import ResourcesDep
from eventimport.http.files import SANDBOX, PathResponse, path_response
from eventimport.http.openapi import FILE_CONTENT, problems
from eventimport.http.routing import Router
from eventimport.storage.content_types import content_type_of, shown_in_place
from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import ObjectNotFoundError

HEADERS = {
    # Keys are random and their objects never change.
    "Cache-Control": "public, max-age=31536000, immutable",
    **SANDBOX,
    # Pages of other sites show these pictures.
    "Cross-Origin-Resource-Policy": "cross-origin",
}

router = Router(tags=["files"])


@router.head("/media/{key:path}", include_in_schema=False)
@router.get(
    "/media/{key:path}",
    summary="Get Media File",
    response_class=PathResponse,
    responses={
        200: {"description": "The file.", "content": FILE_CONTENT},
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
    if_none_match: Annotated[str | None, Header()] = None,  # noqa: ARG001 - documents it
) -> Response:
    """Get a public file of the local storage. A file that a browser could run is sent as a
    download."""
    storage = resources.storages.get("local")
    if not isinstance(storage, LocalStorage):
        raise _not_found(key)
    content_type = content_type_of(key)
    try:
        path = await storage.public_path(key)
        return path_response(
            request,
            path,
            headers=HEADERS,
            content_type=content_type,
            file_name=path.name,
            in_place=shown_in_place(content_type),
        )
    except (ObjectNotFoundError, FileNotFoundError, ValueError):
        raise _not_found(key) from None


def _not_found(key: str) -> ProblemError:
    return refuse(404, "not-found", "Not Found", f"Unknown file /media/{key}.")
