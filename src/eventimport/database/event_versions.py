"""The numbers that grow when an event or one of its parts changes.

`events.revision` counts what `version` of a single row does not: changes of parts and links, and
stored media files. Exports and feeds of one revision are equal. `events.schedule_version` counts
only what visitors can see: no change of a draft, or of a private column. Everything that changes an
event calls `count_change`, or writes through `event_changes.change`, in the same transaction.
"""

from typing import Any

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import Event
from eventimport.database.visibility import published


async def count_change(
    connection: AsyncConnection, event_id: int, *, is_visible: bool = True
) -> None:
    """Count a change of the event, and lock the event until the transaction ends: call it before
    the parts are locked, so that no two changes can deadlock. `updated_at` is set, too.
    `is_visible` says whether visitors see the change if the event is published."""
    values = counted(published() if is_visible else None)
    await connection.execute(update(Event).where(Event.id == event_id).values(values))


def counted(visible: ColumnElement[bool] | None) -> dict[str, Any]:
    """The columns that count a change of the event at hand, which visitors see on this
    condition."""
    values: dict[str, Any] = {"revision": Event.revision + 1}
    if visible is not None:
        values["schedule_version"] = Event.schedule_version + case((visible, 1), else_=0)
    return values


async def event_revision(connection: AsyncConnection, event_id: int) -> int | None:
    """The event's revision; None if the event is unknown."""
    return await connection.scalar(select(Event.revision).where(Event.id == event_id))
