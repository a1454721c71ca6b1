"""The page of an event, and the URL that shows it before it is public."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote

import anyio.to_thread
from fastapi import Header, Response
from pydantic import BaseModel, Field

from eventimport.auth import PreviewTokens
from eventimport.database.conference_reader import AnyRow
from eventimport.database.event_page import (
    EventContents,
    find_event,
    find_readable_event_id,
    is_public,
    read_contents,
)
from eventimport.database.event_queries import TooLargeError
from eventimport.database.visibility import Viewer
from eventimport.errors import refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.headers import names_etag, not_modified
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.pages.links import StoredMedia
from eventimport.pages.templates import html_response, render
from eventimport.pages.view import view
from eventimport.resources import Resources

PRIVATE = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex"}

router = Router()
pages = Router(include_in_schema=False)
previews = Router(tags=["events"])

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_identifier(text: str) -> bool:
    """Whether it can be an event's identifier at all; a database can't be asked for any text."""
    return _IDENTIFIER.fullmatch(text) is not None


@pages.api_route("/events/{identifier}", methods=["GET", "HEAD"])
async def show_event(
    identifier: str,
    resources: ResourcesDep,
    preview: str | None = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """An event: public, or with a preview token."""
    event = None
    if is_identifier(identifier):
        async with resources.reader.connect() as connection:
            event = await find_event(connection, identifier)
    if event is None or not (is_public(event) or _opens(preview, event, resources)):
        return _not_found(identifier)
    media = StoredMedia(resources)
    try:
        page = await _page(event, resources, media)
    except TooLargeError:
        return _too_large(event)
    if page is None:
        return _not_found(identifier)
    style, pictures = page.style, media.bases
    if not is_public(event):
        return html_response(page.content, style=style, pictures=pictures, headers=PRIVATE)
    headers = {"ETag": page.etag}
    answer = html_response(page.content, style=style, pictures=pictures, headers=headers)
    return not_modified(answer) if names_etag(if_none_match, page.etag) else answer


@dataclass(frozen=True, slots=True)
class _Page:
    content: bytes
    style: str
    etag: str


async def _page(event: AnyRow, resources: Resources, media: StoredMedia) -> _Page | None:
    """The page, without the long texts if it would be too large with them; None if the event is
    gone. Raises TooLargeError."""
    max_bytes = resources.settings.max_response_bytes
    for brief in (False, True):
        async with resources.reader.connect() as connection:
            contents = await read_contents(connection, event.id, max_bytes, brief=brief)
        if contents is None:
            return None
        # A large event takes a while to render; other requests go on meanwhile.
        page = await anyio.to_thread.run_sync(
            _render, contents, media, resources.settings.report_contact
        )
        if len(page.content) <= max_bytes:
            return page
        if contents.is_brief:
            break
    raise TooLargeError


def _opens(preview: str | None, event: AnyRow, resources: Resources) -> bool:
    if event.is_withdrawn:
        return False
    return preview is not None and PreviewTokens(resources.settings.auth).opens(preview, event.id)


def _render(contents: EventContents, media: StoredMedia, contact: str | None) -> _Page:
    page = view(contents, media)
    report_url = None
    if contact is not None:
        subject = quote(f"Report: {contents.event.identifier}")
        report_url = contact
        if not contact.startswith("https://"):
            report_url = f"mailto:{quote(contact)}?subject={subject}"
    content = render("event.html", page=page, report_url=report_url).encode()
    return _Page(content, page.style, f'"{sha256(content).hexdigest()[:32]}"')


def _too_large(event: AnyRow) -> Response:
    headers = {} if is_public(event) else PRIVATE
    return html_response(render("too_large.html", event=event), headers=headers)


def _not_found(identifier: str) -> Response:
    known = identifier if is_identifier(identifier) else None
    content = render("not_found.html", identifier=known)
    return html_response(content, status=404, scripts=True, headers=PRIVATE)


class Preview(BaseModel):
    """The URL of an event's page, whether it is public or not. Any person with the URL can see the
    page."""

    url: str = Field(
        description="A path of this service with a token that opens only this page.",
        examples=["/events/ab3de6f0?preview=…"],
    )
    expires_in: int = Field(description="Seconds until the token expires.")


@previews.post("/v1/events/{identifier}/preview", responses=problems(401, 404))
async def create_preview(
    identifier: str, account: AccountDep, resources: ResourcesDep, response: Response
) -> Preview:
    """Create a URL that shows the event's page while the event is not published.

    Only members of the event and admins can do this.
    """
    event_id = None
    if is_identifier(identifier):
        async with resources.reader.connect() as connection:
            viewer = Viewer(account.id, account.is_admin)
            event_id = await find_readable_event_id(connection, identifier, viewer)
    if event_id is None:
        raise refuse(
            404, "not-found", "Not Found", f"Unknown event {identifier[:64]}, or not your event."
        )
    token = PreviewTokens(resources.settings.auth).issue(event_id)
    response.headers["Cache-Control"] = "no-store"
    return Preview(
        url=f"/events/{identifier}?preview={token}",
        expires_in=int(resources.settings.auth.preview_lifetime.total_seconds()),
    )


router.include_router(pages)
router.include_router(previews)
