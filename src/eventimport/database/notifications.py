"""Notifications, as the users to whom they belong read them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.event_filters import Filter, met_by
from eventimport.database.models import ImportJob, Notification
from eventimport.database.visibility import Viewer


async def list_notifications(
    connection: AsyncConnection,
    user_id: int,
    *,
    is_read: bool | None,
    filters: Sequence[Filter] = (),
    oldest_first: bool = False,
    limit: int,
    offset: int,
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int, int]:
    """A page of the user's notifications that meet the filters, newest first unless `oldest_first`;
    how many there are of those that were asked for; and how many are unread in all."""
    chosen = met_by(inspect(Notification).columns, filters, Viewer())
    if is_read is not None:
        chosen &= Notification.is_read.is_(is_read)
    order = (Notification.created_at, Notification.id)
    page = (
        _of(user_id)
        .where(chosen)
        .order_by(*(order if oldest_first else (column.desc() for column in order)))
        .limit(limit)
        .offset(offset)
    )
    counts = select(
        func.count().filter(chosen).label("total"),
        func.count().filter(~Notification.is_read).label("unread"),
    ).where(Notification.user_id == user_id)
    rows = (await connection.execute(page)).all()
    count = (await connection.execute(counts)).one()
    return rows, count.total, count.unread


async def find_notification(
    connection: AsyncConnection, user_id: int, notification_id: int
) -> Row[*tuple[Any, ...]] | None:
    """One of the user's notifications."""
    statement = _of(user_id).where(Notification.id == notification_id)
    return (await connection.execute(statement)).one_or_none()


async def mark_notification(
    connection: AsyncConnection, user_id: int, notification_id: int, *, is_read: bool
) -> Row[*tuple[Any, ...]] | None:
    """Mark one of the user's notifications as read or unread, and return it."""
    mine = Notification.id == notification_id, Notification.user_id == user_id
    await connection.execute(update(Notification).where(*mine).values(is_read=is_read))
    return await find_notification(connection, user_id, notification_id)


async def mark_all_read(connection: AsyncConnection, user_id: int) -> None:
    """Mark all of the user's notifications as read."""
    unread = Notification.user_id == user_id, ~Notification.is_read
    await connection.execute(update(Notification).where(*unread).values(is_read=True))


def _of(user_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Notification.id,
            Notification.title,
            Notification.message,
            Notification.is_read,
            Notification.created_at,
            Notification.import_job_id,
            ImportJob.status,
            ImportJob.event_identifier,
        )
        .outerjoin(ImportJob, ImportJob.id == Notification.import_job_id)
        .where(Notification.user_id == user_id)
    )
