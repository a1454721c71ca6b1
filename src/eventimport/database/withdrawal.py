"""Files that are not served for a while: those of deleted events, and of what was taken down.

The transaction that withdraws a file, or reinstates it, marks its row; the file moves after the
commit. The clean-up moves what a dead process has left.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

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
    """Withdraw the event's files if it is deleted or taken down, else reinstate them. Returns those
    that are to be moved after the commit."""
    hidden = bool(await connection.scalar(select(withdrawn()).where(Event.id == event_id)))
    if hidden:
        # The links of exports end; the clean-up deletes their files.
        ended = and_(EXPORT_JOBS.c.event_id == event_id, EXPORT_JOBS.c.expires_at > func.now())
        statement = update(EXPORT_JOBS).where(ended).values(expires_at=func.now())
        await connection.execute(statement)
    linked = exists().where(
        ObjectLink.object_id == ObjectRecord.id, ObjectLink.event_id == event_id
    )
    return await _mark(connection, linked, is_withdrawn=hidden)


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


async def withdraw_late_files(connection: AsyncConnection) -> None:
    """Withdraw the files that were linked with an event after it was deleted or taken down."""
    late = exists().where(
        ObjectLink.object_id == ObjectRecord.id, ObjectLink.event_id == Event.id, withdrawn()
    )
    await _mark(connection, late, is_withdrawn=True)


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
        statement = update(ObjectRecord).where(
            ObjectRecord.id.in_(ids), ObjectRecord.is_withdrawn.is_(is_withdrawn)
        )
        await connection.execute(statement.values(is_moving=False))


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
