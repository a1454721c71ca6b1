"""Previews: the page of an event that is not public, for those who own it."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from eventimport.auth import PREVIEW_LIFETIME, PreviewTokens
from eventimport.database.event_page import find_own_event_id
from eventimport.errors import refuse
from eventimport.http.dependencies import ResourcesDep, TokenUserIdDep
from eventimport.http.openapi import problems
from eventimport.pages.event import is_identifier

router = APIRouter(tags=["events"])


class Preview(BaseModel):
    """The URL of an event's page, whether it is public or not. Any person with the URL can see the
    page."""

    url: str = Field(
        description="A path of this service with a token that opens only this page.",
        examples=["/events/ab3de6f0?preview=…"],
    )
    expires_in: int = Field(description="Seconds until the token expires.")


@router.post("/v1/events/{identifier}/preview", responses=problems(401, 404))
async def create_preview(
    identifier: str, user_id: TokenUserIdDep, resources: ResourcesDep, response: Response
) -> Preview:
    """Create a URL that shows the event's page while the event is a draft or private.

    Only the event's owner and admins can do this.
    """
    event_id = None
    if is_identifier(identifier):
        async with resources.reader.connect() as connection:
            event_id = await find_own_event_id(connection, identifier, user_id)
    if event_id is None:
        raise refuse(404, "not-found", "Not Found", f"You have no event {identifier[:64]}.")
    token = PreviewTokens(resources.settings.auth).issue(event_id)
    response.headers["Cache-Control"] = "no-store"
    return Preview(
        url=f"/events/{identifier}?preview={token}",
        expires_in=int(PREVIEW_LIFETIME.total_seconds()),
    )
