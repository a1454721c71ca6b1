"""Files that are not served for a while: those of deleted events, and of what was taken down.

The transaction that withdraws a file, or reinstates it, marks its row; the file moves after the
commit. The clean-up moves what a dead process has left.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import NODES
from eventimport.database.models import (
    EXPORT_JOBS,
    Event,
    ObjectLink,
    ObjectPurpose,
    ObjectRecord,
    ObjectState,
)
from eventimport.database.visibility import withdrawn


@dataclass(frozen=True, slots=True)
class MovingFile:
    """A file that is to be moved: to its private key if `is_withdrawn`, else back."""

    id: int
    storage: str
    key: str
    is_withdrawn: bool


_MOVING = (
    ObjectRecord.id,
    ObjectRecord.storage,
    ObjectRecord.key,
    ObjectRecord.is_withdrawn,
)


async def settle_event_files(connection: AsyncConnection, event_id: int) -> list[MovingFile]:
    """Withdraw those of the event's files that only deleted rows use, or all if the event is
    deleted or taken down; reinstate the others. Returns those that are to be moved after the
    commit."""
    hidden = bool(await connection.scalar(select(withdrawn()).where(Event.id == event_id)))
    if hidden:
        # The links of exports end; the clean-up deletes their files.
        ended = and_(EXPORT_JOBS.c.event_id == event_id, EXPORT_JOBS.c.expires_at > func.now())
        statement = update(EXPORT_JOBS).where(ended).values(expires_at=func.now())
        await connection.execute(statement)
    return await _settle(connection, ObjectLink.event_id == event_id)


async def take_down_uploads(
    connection: AsyncConnection, user_id: int, reason: str | None
) -> list[MovingFile]:
    """Withdraw all uploads of the user, or, without a reason, reinstate those that were taken down.
    Returns those that are to be moved after the commit."""
    own = and_(ObjectRecord.user_id == user_id, ObjectRecord.purpose == ObjectPurpose.UPLOAD)
    if reason is None:
        own = and_(own, ObjectRecord.taken_down_reason.is_not(None))
    moving = await _mark(connection, own, is_withdrawn=reason is not None)
    await connection.execute(update(ObjectRecord).where(own).values(taken_down_reason=reason))
    return moving


async def settle_all_files(connection: AsyncConnection) -> None:
    """Do the same for all events: files may be linked with an event after it was taken down."""
    await _settle(connection, ObjectLink.event_id.is_not(None))


async def files_to_move(
    connection: AsyncConnection, storages: Collection[str], *, after: int, limit: int
) -> Sequence[MovingFile]:
    """Files in these storages that are marked, and not moved yet."""
    statement = (
        select(*_MOVING)
        .where(
            ObjectRecord.is_moving,
            ObjectRecord.state == ObjectState.KEPT,
            ObjectRecord.storage.in_(storages),
            ObjectRecord.id > after,
        )
        .order_by(ObjectRecord.id)
        .limit(limit)
    )
    return [MovingFile(*row) for row in await connection.execute(statement)]


async def files_moved(connection: AsyncConnection, files: Collection[MovingFile]) -> None:
    """These files are where they belong, unless that has changed meanwhile."""
    for is_withdrawn in (True, False):
        ids = [file.id for file in files if file.is_withdrawn is is_withdrawn]
        if not ids:
            continue
        statement = update(ObjectRecord).where(
            ObjectRecord.id.in_(ids), ObjectRecord.is_withdrawn.is_(is_withdrawn)
        )
        await connection.execute(statement.values(is_moving=False))


async def _settle(connection: AsyncConnection, which: ColumnElement[bool]) -> list[MovingFile]:
    deleted_rows = [
        and_(
            ObjectLink.table_name == node.table.name,
            exists().where(node.table.c.id == ObjectLink.row_id, node.table.c.deleted_here),
        )
        for kind, node in NODES.items()
        if kind is not Kind.EVENT
    ]
    wanted = (
        select(
            ObjectLink.object_id,
            func.bool_and(or_(withdrawn(), *deleted_rows)).label("is_hidden"),
        )
        .join(Event, Event.id == ObjectLink.event_id)
        .where(which)
        .group_by(ObjectLink.object_id)
        .subquery()
    )
    statement = (
        update(ObjectRecord)
        .where(
            ObjectRecord.id == wanted.c.object_id,
            ObjectRecord.state == ObjectState.KEPT,
            ObjectRecord.is_withdrawn != wanted.c.is_hidden,
        )
        .values(is_withdrawn=wanted.c.is_hidden, is_moving=True)
        .returning(*_MOVING)
    )
    return [MovingFile(*row) for row in await connection.execute(statement)]


async def _mark(
    connection: AsyncConnection, which: ColumnElement[bool], *, is_withdrawn: bool
) -> list[MovingFile]:
    statement = (
        update(ObjectRecord)
        .where(
            which,
            ObjectRecord.state == ObjectState.KEPT,
            ObjectRecord.is_withdrawn.is_not(is_withdrawn),
        )
        .values(is_withdrawn=is_withdrawn, is_moving=True)
        .returning(*_MOVING)
    )
    return [MovingFile(*row) for row in await connection.execute(statement)]
