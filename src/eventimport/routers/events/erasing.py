"""Erasing a person from an event."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, EmailStr, Field

from eventimport.accounts.erasing import erase
from eventimport.http.dependencies import AccountDep, ClientAddressDep, ResourcesDep
from eventimport.http.events.requests import find_to_change
from eventimport.http.events.schema import EVENT
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.openapi import problems
from eventimport.http.routing import Router

router = Router(prefix="/v1/events", tags=["members"], route_class=SmallBodyRoute)


class Person(BaseModel):
    """The person to erase."""

    model_config = ConfigDict(extra="forbid")

    email: EmailStr


class Erasure(BaseModel):
    """What was erased, counted."""

    speakers: int = Field(description="Speakers with this address.")
    texts: int = Field(description="Values in which the address or the name was replaced.")
    reports: int = Field(description="Reports and findings of imports that were changed.")
    notifications: int = Field(description="Notifications that were changed.")
    invitations: int = Field(description="Open invitations that were deleted.")
    archives: int = Field(description="Archives of imports that were deleted.")
    files: int = Field(description="All deleted files.")


@router.post("/{event_key}/erase", responses=problems(400, 403, 413, 415, 422))
async def erase_from_event(
    event_key: Annotated[
        str,
        Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The event's id, or its identifier."),
    ],
    body: Person,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> Erasure:
    """Erase a person who asks for it from an event. This cannot be undone.

    Deletes the speaker with this address, the speaker's files, and the archives and exports of the
    event. Replaces the address and the name in `extra` and in reports. Other texts lose the address
    only. Backups keep the person until they are deleted. Only the owner and admins
    can do this.
    """
    async with resources.engine.begin() as connection:
        row = await find_to_change(connection, EVENT, event_key, account, by_owner=True)
        event_id = row["id"]
    counts = await erase(resources, body.email, event_id=event_id, actor=account.id, client=client)
    return Erasure.model_validate(dict.fromkeys(Erasure.model_fields, 0) | counts)
