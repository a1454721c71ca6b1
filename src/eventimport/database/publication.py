"""Publishing events. Whether an event is public is its owner's decision, not that of its source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.models import Event, EventSession
from eventimport.database.visibility import PUBLIC, shown

DRAFT: Final = "draft"
PUBLISHED: Final = "published"
MAX_REASONS: Final = 50
MAX_STATE: Final = 100
"""Characters of a state that an answer shows."""


@dataclass(frozen=True, slots=True)
class HiddenSessions:
    """Sessions of an event that the public does not see: because they are deleted, or because of
    their state."""

    is_deleted: bool
    state: str
    count: int


def reservations(event: Mapping[Any, Any]) -> list[str]:
    """What the source says against publishing the event, for people: "its privacy is private"."""
    privacy, state = event["privacy"] or PUBLIC, event["state"]
    found = [] if privacy == PUBLIC else [f"its privacy is {privacy[:40]}"]
    return [*found, "its state is draft"] if state == DRAFT else found


async def publish_imported(connection: AsyncConnection, event_id: int, *, confirmed: bool) -> bool:
    """Publish an event in the transaction that imports it; whether it is published now. It is not
    if it is deleted, or if its source has reservations that the user has not `confirmed`."""
    statement = select(Event.privacy, Event.state, Event.deleted_at).where(Event.id == event_id)
    event = (await connection.execute(statement)).mappings().one()
    if event["deleted_at"] is not None or (reservations(event) and not confirmed):
        return False
    await connection.execute(
        update(Event).where(Event.id == event_id).values(published_at=func.now())
    )
    return True


async def hidden_sessions(connection: AsyncConnection, event_id: int) -> Sequence[HiddenSessions]:
    """The event's sessions that the public does not see, even if the event is published: the
    reasons that concern most sessions, at most MAX_REASONS."""
    state = func.left(func.coalesce(EventSession.state, ""), MAX_STATE)
    hidden = (
        select(EventSession.deleted_at.is_not(None).label("is_deleted"), state.label("state"))
        .where(EventSession.event_id == event_id, not_(shown(Kind.SESSION)))
        .subquery()
    )
    count = func.count()
    statement = (
        select(*hidden.c, count)
        .group_by(*hidden.c)
        .order_by(count.desc(), *hidden.c)
        .limit(MAX_REASONS)
    )
    rows = await connection.execute(statement)
    return [HiddenSessions(row[0], row[1], row[2]) for row in rows]
