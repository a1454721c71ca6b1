"""The front page, and the stylesheet and the scripts of all pages.

Starlette's `StaticFiles` makes an ETag of a file's time and size. In an image that is built
reproducibly, two versions may have the same, so that a browser would mix them.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import Header, Request, Response

from eventimport.auth import MAX_PASSWORD_LENGTH
from eventimport.errors import refuse
from eventimport.formats import AUTO, EXPORTABLE, IMPORTABLE
from eventimport.http.dependencies import ResourcesDep
from eventimport.http.headers import names_etag, not_modified
from eventimport.http.routing import Router
from eventimport.pages.templates import html_response, render

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

router = Router(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def show_front_page(_request: Request, resources: ResourcesDep) -> Response:
    """The page; its scripts do the rest, over the same API as every other client."""
    settings = resources.settings
    content = render(
        "front.html",
        auto=AUTO,
        formats=IMPORTABLE,
        export_formats=EXPORTABLE,
        sign_up_enabled=settings.sign_up_enabled,
        max_archive_bytes=settings.max_archive_bytes,
        mailed=settings.mail is not None,
        min_password_length=settings.min_password_length,
        max_password_length=MAX_PASSWORD_LENGTH,
    )
    return html_response(content, scripts=True)


@cache
def _assets() -> dict[str, tuple[bytes, str]]:
    """The content and the ETag of every file, by its name."""
    contents = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    return {
        name: (content, f'"{sha256(content).hexdigest()[:32]}"')
        for name, content in contents.items()
    }


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
async def get_static_file(
    name: str, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """One file. A browser asks each time whether it has changed: scripts import each other by name,
    and all must be of one version."""
    found = _assets().get(name)
    if found is None:
        raise refuse(404, "not-found", "Not Found", f"Unknown file /static/{name}.")
    content, etag = found
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    answer = Response(content, headers=headers, media_type=MEDIA_TYPES[Path(name).suffix])
    return not_modified(answer) if names_etag(if_none_match, etag) else answer
