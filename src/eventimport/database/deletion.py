"""Deleting for a while: what was deleted can be restored until the clean-up removes it.

`event_changes.change` marks what users delete with `deleted_here`. Records that are deleted in
their source have `deleted_at` only: they stay.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_changes import change, delete_event
from eventimport.database.event_graph import NODES
from eventimport.database.event_queries import Row
from eventimport.database.models import Event
from eventimport.database.objects import Unlinked
from eventimport.database.withdrawal import MovingFile, settle_event_files


async def delete_for_now(connection: AsyncConnection, event: Row) -> list[MovingFile] | None:
    """Delete the event so that its owner can restore it. Returns its files, which are to be moved
    after the commit; None if it has changed meanwhile."""
    return await _set_deleted(connection, event, func.now())


async def restore(connection: AsyncConnection, event: Row) -> list[MovingFile] | None:
    """Restore a deleted event. Returns its files, which are to be moved back after the commit; None
    if it has changed meanwhile."""
    return await _set_deleted(connection, event, None)


async def remove_deleted_events(
    connection: AsyncConnection, retention: timedelta, *, limit: int
) -> tuple[int, list[Unlinked]]:
    """Remove events that were deleted so long ago, with all their rows. Returns how many, and their
    files, which are to be deleted after the commit."""
    chosen = (
        select(Event.id)
        .where(Event.deleted_here, Event.deleted_at < func.now() - retention)
        .order_by(Event.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = (await connection.scalars(chosen)).all()
    files = [file for event_id in ids for file in await delete_event(connection, event_id)]
    return len(ids), files


async def remove_deleted_parts(connection: AsyncConnection, retention: timedelta) -> int:
    """Remove the parts of events that were deleted so long ago; returns how many. The clean-up
    finds their files, which no row uses."""
    count = 0
    for kind, node in NODES.items():
        if kind is Kind.EVENT:
            continue
        columns = node.table.c
        old = and_(columns.deleted_here, columns.deleted_at < func.now() - retention)
        result = await connection.execute(delete(node.table).where(old))
        count += result.rowcount
    return count


async def _set_deleted(
    connection: AsyncConnection, event: Row, deleted_at: Any
) -> list[MovingFile] | None:
    values = {"deleted_at": deleted_at}
    changed = await change(connection, NODES[Kind.EVENT], event, values)
    if changed is None:
        return None
    return await settle_event_files(connection, event["id"])
