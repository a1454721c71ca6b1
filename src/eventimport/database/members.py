"""Who works on an event: its members with their roles, and invitations. An event has an owner."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import Event, EventInvitation, EventRole, User
from eventimport.database.visibility import EDITOR, OWNER


async def list_members(
    connection: AsyncConnection, event_id: int, *, limit: int, offset: int
) -> tuple[Sequence[Row[int, str, str]], int]:
    """A page of the event's members: their ids, addresses and roles; and how many there are."""
    page = (
        select(EventRole.user_id, User.email, EventRole.role)
        .join(User, User.id == EventRole.user_id)
        .where(EventRole.event_id == event_id)
        .order_by(EventRole.user_id)
        .limit(limit)
        .offset(offset)
    )
    count = select(func.count()).select_from(EventRole).where(EventRole.event_id == event_id)
    return (await connection.execute(page)).all(), await connection.scalar(count) or 0


async def find_member(
    connection: AsyncConnection, event_id: int, user_id: int
) -> Row[int, str, str] | None:
    """One member of the event: the id, the address and the role."""
    statement = (
        select(EventRole.user_id, User.email, EventRole.role)
        .join(User, User.id == EventRole.user_id)
        .where(EventRole.event_id == event_id, EventRole.user_id == user_id)
    )
    return (await connection.execute(statement)).one_or_none()


async def change_role(connection: AsyncConnection, event_id: int, user_id: int, role: str) -> bool:
    """Give a member this role. A new owner takes the place of the present ones, who become editors.
    False, and nothing is changed, if the event would have no owner. The event is locked."""
    if role == OWNER:
        owners = update(EventRole).where(EventRole.event_id == event_id, EventRole.role == OWNER)
        await connection.execute(owners.values(role=EDITOR))
    elif await _is_last_owner(connection, event_id, user_id):
        return False
    own = update(EventRole).where(EventRole.event_id == event_id, EventRole.user_id == user_id)
    await connection.execute(own.values(role=role))
    return True


async def remove_member(connection: AsyncConnection, event_id: int, user_id: int) -> bool:
    """Remove a member. False, and nothing is changed, if the event would have no owner. The event
    is locked."""
    if await _is_last_owner(connection, event_id, user_id):
        return False
    own = delete(EventRole).where(EventRole.event_id == event_id, EventRole.user_id == user_id)
    await connection.execute(own)
    return True


async def _is_last_owner(connection: AsyncConnection, event_id: int, user_id: int) -> bool:
    owners = select(EventRole.user_id).where(
        EventRole.event_id == event_id, EventRole.role == OWNER
    )
    return set((await connection.scalars(owners)).all()) == {user_id}


async def add_invitation(
    connection: AsyncConnection, event_id: int, address: str, role: str, lifetime: timedelta
) -> Row[UUID, datetime]:
    """Add an invitation; an earlier one of the same address ends. Returns its id and its end."""
    await connection.execute(
        delete(EventInvitation).where(
            EventInvitation.event_id == event_id,
            func.lower(EventInvitation.address) == func.lower(address),
        )
    )
    values = {"event_id": event_id, "address": address, "role": role}
    statement = insert(EventInvitation).values(**values, expires_at=func.now() + lifetime)
    added = statement.returning(EventInvitation.id, EventInvitation.expires_at)
    return (await connection.execute(added)).one()


async def list_invitations(
    connection: AsyncConnection, event_id: int, *, limit: int, offset: int
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int]:
    """A page of the event's open invitations, and how many there are."""
    chosen = (EventInvitation.event_id == event_id, EventInvitation.expires_at > func.now())
    page = (
        select(*EventInvitation.__table__.c)
        .where(*chosen)
        .order_by(EventInvitation.created_at, EventInvitation.id)
        .limit(limit)
        .offset(offset)
    )
    count = select(func.count()).select_from(EventInvitation).where(*chosen)
    return (await connection.execute(page)).all(), await connection.scalar(count) or 0


async def withdraw_invitation(
    connection: AsyncConnection, event_id: int, invitation_id: UUID
) -> bool:
    """Delete an open invitation; whether there was one."""
    statement = delete(EventInvitation).where(
        EventInvitation.event_id == event_id, EventInvitation.id == invitation_id
    )
    return (await connection.execute(statement)).rowcount > 0


async def accept_invitation(
    connection: AsyncConnection, invitation_id: UUID, user_id: int
) -> Row[int, str, str] | None:
    """Use an invitation: the user becomes a member. A member keeps a role that permits more.
    Returns the event's id, its identifier and the invitation's role. None if the invitation was
    used, has expired or was withdrawn, or the event is deleted."""
    chosen = (
        select(Event.id, Event.identifier, EventInvitation.role)
        .join(EventInvitation, EventInvitation.event_id == Event.id)
        .where(
            EventInvitation.id == invitation_id,
            EventInvitation.expires_at > func.now(),
            ~Event.deleted_here,
        )
        .with_for_update()
    )
    found = (await connection.execute(chosen)).one_or_none()
    if found is None:
        return None
    await connection.execute(delete(EventInvitation).where(EventInvitation.id == invitation_id))
    added = insert(EventRole).values(event_id=found.id, user_id=user_id, role=found.role)
    if found.role == EDITOR:
        key = [EventRole.event_id, EventRole.user_id]
        added = added.on_conflict_do_update(
            index_elements=key, set_={"role": EDITOR}, where=EventRole.role != OWNER
        )
    else:
        added = added.on_conflict_do_nothing()
    await connection.execute(added)
    return found


async def delete_expired_invitations(connection: AsyncConnection) -> int:
    """Delete the invitations that have expired, and return how many."""
    expired = EventInvitation.expires_at < func.now()
    return (await connection.execute(delete(EventInvitation).where(expired))).rowcount
