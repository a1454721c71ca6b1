"""The page of an event."""

import re
from hashlib import sha256
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Response

from eventimport.auth import PreviewTokens
from eventimport.database.event_page import (
    AnyRow,
    EventContents,
    find_event,
    is_public,
    read_contents,
)
from eventimport.dependencies import ResourcesDep
from eventimport.resources import Resources
from eventimport.routers.conditional import names, not_modified
from eventimport.routers.pages.media import StoredMedia
from eventimport.routers.pages.templates import html_response, render
from eventimport.routers.pages.view import EventView, view

PRIVATE = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex"}

router = APIRouter(include_in_schema=False)

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_identifier(text: str) -> bool:
    """Whether it can be an event's identifier at all; a database can't be asked for any text."""
    return _IDENTIFIER.fullmatch(text) is not None


@router.api_route("/events/{identifier}", methods=["GET", "HEAD"])
async def show_event(
    identifier: str,
    resources: ResourcesDep,
    preview: str | None = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """An event, to everybody if it is public, else to those with a preview token of it."""
    contents = None
    if is_identifier(identifier):
        async with resources.reader.connect() as connection:
            event = await find_event(connection, identifier)
            if event is not None and (is_public(event) or _opens(preview, event, resources)):
                contents = await read_contents(connection, event)
    if contents is None:
        return _not_found(identifier)
    media = StoredMedia(resources)
    # A large event takes a while to render; other requests go on meanwhile.
    page, text = await anyio.to_thread.run_sync(_render, contents, media)
    if not is_public(contents.event):
        return html_response(text, style=page.style, pictures=media.bases, headers=PRIVATE)
    etag = f'"{sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag}
    answer = html_response(text, style=page.style, pictures=media.bases, headers=headers)
    return not_modified(answer) if names(if_none_match, etag) else answer


def _opens(preview: str | None, event: AnyRow, resources: Resources) -> bool:
    return preview is not None and PreviewTokens(resources.settings.auth).opens(preview, event.id)


def _render(contents: EventContents, media: StoredMedia) -> tuple[EventView, str]:
    page = view(contents, media)
    return page, render("event.html", page=page)


def _not_found(identifier: str) -> Response:
    known = identifier if is_identifier(identifier) else None
    content = render("not_found.html", identifier=known)
    return html_response(content, status=404, scripts=True, headers=PRIVATE)
