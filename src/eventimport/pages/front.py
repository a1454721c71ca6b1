"""The front page: sign in, import an archive, see how it goes."""

from fastapi import APIRouter, Request, Response

from eventimport.auth import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from eventimport.http.dependencies import ResourcesDep
from eventimport.pages.templates import html_response, render

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def show_front_page(_request: Request, resources: ResourcesDep) -> Response:
    """The page; its scripts do the rest, over the same API as every other client."""
    settings = resources.settings
    content = render(
        "front.html",
        sign_up_enabled=settings.sign_up_enabled,
        max_archive_bytes=settings.max_archive_bytes,
        min_password_length=MIN_PASSWORD_LENGTH,
        max_password_length=MAX_PASSWORD_LENGTH,
    )
    return html_response(content, scripts=True)
