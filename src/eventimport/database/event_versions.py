"""The revision of an event: a number that grows with each change of the event or its parts.

`events.revision` counts what `version` of a single row does not: changes of parts and links, and
stored media files. Exports and feeds of one revision are equal. Everything that changes an event
calls `count_change`, or writes through `event_changes.change`, in the same transaction.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import Event


async def count_change(connection: AsyncConnection, event_id: int) -> None:
    """Count a change of the event, and lock the event until the transaction ends: call it before
    the parts are locked, so that no two changes can deadlock. `updated_at` is set, too."""
    statement = update(Event).where(Event.id == event_id).values(revision=Event.revision + 1)
    await connection.execute(statement)


async def event_revision(connection: AsyncConnection, event_id: int) -> int | None:
    """The event's revision; None if the event is unknown."""
    return await connection.scalar(select(Event.revision).where(Event.id == event_id))
