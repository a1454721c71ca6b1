"""The members of an event, their roles, and invitations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, EmailStr, Field

from eventimport.accounts.invitations import accept, invite
from eventimport.database.audit import record_act
from eventimport.database.event_queries import OWNED, READABLE
from eventimport.database.members import (
    change_role,
    find_member,
    list_invitations,
    list_members,
    remove_member,
    withdraw_invitation,
)
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AccountDep, ClientAddressDep, ResourcesDep
from eventimport.http.events.requests import find_to_change, find_visible
from eventimport.http.events.schema import EVENT
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.jsonapi import (
    Attributes,
    Collection,
    Document,
    JSONAPIResponse,
    PageQuery,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import problems
from eventimport.http.routing import Router

MAX_ID: Final = 2**63 - 1

router = Router(
    prefix="/v1",
    tags=["members"],
    default_response_class=JSONAPIResponse,
    route_class=SmallBodyRoute,
)

EventKey = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The event's id, or its identifier.")
]
UserId = Annotated[int, Path(ge=1, le=MAX_ID, description="The member's user id.")]
Role = Literal["owner", "editor", "viewer"]


class Strict(BaseModel):
    """A part of a request body without other members."""

    model_config = ConfigDict(extra="forbid")


class MemberAttributes(Attributes):
    """A member's address and role."""

    email: str
    role: Role


class MemberDocument(Document[MemberAttributes]):
    """One member of an event. The id is that of the user."""


class MemberCollection(Collection[MemberAttributes]):
    """One page of the members of an event."""


class InvitationAttributes(Attributes):
    """Who is invited, as what, and until when the link of the mail works."""

    email: str
    role: Role
    expires_at: datetime


class InvitationDocument(Document[InvitationAttributes]):
    """One invitation."""


class InvitationCollection(Collection[InvitationAttributes]):
    """One page of the open invitations of an event."""


class RoleChange(Strict):
    """The new role."""

    role: Role


class ChangedMember(Strict):
    """The member as a client changes it."""

    type: Literal["event-member"]
    id: str = Field(max_length=20)
    attributes: RoleChange


class MemberPatch(Strict):
    """The document of a change."""

    data: ChangedMember


class NewInvitation(Strict):
    """Who is invited, and as what. Only a member can become the owner."""

    email: EmailStr
    role: Literal["editor", "viewer"]


class InvitationData(Strict):
    """The invitation as a client makes it."""

    type: Literal["event-invitation"]
    attributes: NewInvitation


class InvitationPost(Strict):
    """The document of a new invitation."""

    data: InvitationData


class InvitationToken(Strict):
    """What follows `invitation=` in the link of the mail."""

    token: str = Field(max_length=200, pattern=r"^[^\x00]*$")


class AcceptedInvitation(BaseModel):
    """The event on which you work now, and your role."""

    event_id: str
    identifier: str
    role: Role


@router.get("/events/{event_key}/members", responses=problems(403))
async def list_event_members(
    event_key: EventKey,
    account: AccountDep,
    resources: ResourcesDep,
    query: Annotated[PageQuery, Query()],
) -> MemberCollection:
    """List the members of an event: its owner, who can do everything; editors, who can change it;
    and viewers, who see it before it is published. Only members and admins can see them."""
    page = query.page(resources.settings.max_list_size)
    async with resources.reader.connect() as connection:
        row = await find_visible(connection, EVENT, event_key, account)
        if not row[READABLE]:
            raise refuse(403, "forbidden", "Not allowed", "Only members and admins can do this.")
        event_id = row["id"]
        rows, total = await list_members(connection, event_id, limit=page.limit, offset=page.offset)
    found = (_member(event_id, *row) for row in rows)
    return MemberCollection.page(f"/v1/events/{event_id}/members", page, total, found)


@router.patch(
    "/events/{event_key}/members/{user_id}", responses=problems(400, 403, 409, 413, 415, 422)
)
async def change_event_member(
    event_key: EventKey,
    user_id: UserId,
    body: MemberPatch,
    *,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> MemberDocument:
    """Change the role of a member. A new `owner` replaces the present owner, who becomes an editor.
    Only the owner and admins can do this."""
    if body.data.id != str(user_id):
        raise refuse(
            409,
            "id-mismatch",
            "Id mismatch",
            f"Expected id {str(user_id)!r}, got {body.data.id!r}.",
            source={"pointer": "/data/id"},
        )
    role = body.data.attributes.role
    async with resources.engine.begin() as connection:
        row = await find_to_change(connection, EVENT, event_key, account, by_owner=True)
        event_id = row["id"]
        member = await find_member(connection, event_id, user_id)
        if member is None:
            raise _unknown_member(user_id)
        if not await change_role(connection, event_id, user_id, role):
            raise _last_owner({"pointer": "/data/attributes/role"})
        await record_act(
            connection,
            "role-change",
            actor=account.id,
            subject=("event", event_id),
            client=client,
            detail={"user": user_id, "role": role},
        )
    return MemberDocument(data=_member(event_id, user_id, member.email, role))


@router.delete(
    "/events/{event_key}/members/{user_id}",
    status_code=204,
    response_class=Response,
    responses=problems(403, 409),
)
async def remove_event_member(
    event_key: EventKey,
    user_id: UserId,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> Response:
    """Remove a member from an event. The owner and admins can remove any member but the owner, and
    each member can leave."""
    async with resources.engine.begin() as connection:
        row = await find_visible(connection, EVENT, event_key, account)
        is_own = account.id == user_id and row[READABLE]
        row = await find_to_change(
            connection, EVENT, event_key, account, by_owner=not is_own, as_member=is_own
        )
        event_id = row["id"]
        if await find_member(connection, event_id, user_id) is None:
            raise _unknown_member(user_id)
        if not await remove_member(connection, event_id, user_id):
            raise _last_owner()
        await record_act(
            connection,
            "member-removal",
            actor=account.id,
            subject=("event", event_id),
            client=client,
            detail={"user": user_id},
        )
    return Response(status_code=204)


@router.get("/events/{event_key}/invitations", responses=problems(403))
async def list_event_invitations(
    event_key: EventKey,
    account: AccountDep,
    resources: ResourcesDep,
    query: Annotated[PageQuery, Query()],
) -> InvitationCollection:
    """List the open invitations to an event. Only its owner and admins can do this."""
    page = query.page(resources.settings.max_list_size)
    async with resources.reader.connect() as connection:
        row = await find_visible(connection, EVENT, event_key, account)
        if not row[OWNED]:
            what = "Only the event's owner and admins can do this."
            raise refuse(403, "forbidden", "Not allowed", what)
        event_id = row["id"]
        rows, total = await list_invitations(
            connection, event_id, limit=page.limit, offset=page.offset
        )
    found = (_invitation(event_id, row.id, row.address, row.role, row.expires_at) for row in rows)
    return InvitationCollection.page(f"/v1/events/{event_id}/invitations", page, total, found)


@router.post(
    "/events/{event_key}/invitations",
    status_code=201,
    responses=problems(400, 403, 413, 415, 422, 429),
)
async def invite_to_event(
    event_key: EventKey,
    body: InvitationPost,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> InvitationDocument:
    """Invite a person to work on an event. The person gets a mail with a link that works once, and
    needs an account to accept. An earlier invitation of the same address ends.

    Only the owner and admins can do this, after they have confirmed their own address.
    """
    if not account.is_confirmed:
        what = "Confirm your e-mail address before you invite other people."
        raise refuse(403, "address-not-confirmed", "Address not confirmed", what)
    given = body.data.attributes
    async with resources.engine.begin() as connection:
        row = await find_to_change(connection, EVENT, event_key, account, by_owner=True)
        event_id = row["id"]
        added = await invite(
            connection,
            resources.settings,
            event_id,
            address=given.email,
            role=given.role,
            inviter=account.email,
        )
        await record_act(
            connection,
            "invitation",
            actor=account.id,
            subject=("event", event_id),
            client=client,
            detail={"role": given.role},
        )
    resource = _invitation(event_id, added.id, given.email, given.role, added.expires_at)
    return InvitationDocument(data=resource)


@router.delete(
    "/events/{event_key}/invitations/{invitation_id}",
    status_code=204,
    response_class=Response,
    responses=problems(403),
)
async def withdraw_event_invitation(
    event_key: EventKey, invitation_id: UUID, account: AccountDep, resources: ResourcesDep
) -> Response:
    """Withdraw an invitation: the link in its mail no longer works. Only the owner and admins can
    do this."""
    async with resources.engine.begin() as connection:
        row = await find_to_change(connection, EVENT, event_key, account, by_owner=True)
        found = await withdraw_invitation(connection, row["id"], invitation_id)
    if not found:
        raise refuse(404, "not-found", "Not Found", f"Unknown invitation {invitation_id}.")
    return Response(status_code=204)


@router.post("/invitations/accept", responses=problems(400, 413, 415, 422))
async def accept_event_invitation(
    body: InvitationToken, account: AccountDep, resources: ResourcesDep, client: ClientAddressDep
) -> AcceptedInvitation:
    """Accept an invitation by the token in the link of its mail. The token works once."""
    found = await accept(resources, body.token, account.id, client)
    return AcceptedInvitation(event_id=str(found.id), identifier=found.identifier, role=found.role)


def _member(event_id: int, user_id: int, email: str, role: str) -> Resource[MemberAttributes]:
    return Resource(
        type="event-member",
        id=str(user_id),
        attributes=MemberAttributes(email=email, role=role),
        links=SelfLink(self=f"/v1/events/{event_id}/members/{user_id}"),
    )


def _invitation(
    event_id: int, invitation_id: UUID, email: str, role: str, expires_at: datetime
) -> Resource[InvitationAttributes]:
    return Resource(
        type="event-invitation",
        id=str(invitation_id),
        attributes=InvitationAttributes(
            email=email,
            role=role,
            expires_at=expires_at,
        ),
        links=SelfLink(self=f"/v1/events/{event_id}/invitations/{invitation_id}"),
    )


def _unknown_member(user_id: int) -> ProblemError:
    return refuse(404, "not-found", "Not Found", f"Unknown member {user_id}.")


def _last_owner(source: Mapping[str, str] | None = None) -> ProblemError:
    return refuse(
        409,
        "last-owner",
        "Owner required",
        "An event needs an owner. Make another member the owner first.",
        source=source,
    )
