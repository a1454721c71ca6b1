"""Take-down by operators: an event, or a user's uploads, is hidden from the public for a reason."""

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.audit import record_act
from eventimport.database.event_versions import count_change
from eventimport.database.models import Event, EventRole, Notification, User
from eventimport.database.visibility import OWNER
from eventimport.database.withdrawal import MovingFile, settle_event_files, take_down_uploads


async def take_event_down(
    connection: AsyncConnection,
    event_id: int,
    reason: str | None,
    *,
    actor: int | None,
    client: str | None = None,
) -> list[MovingFile] | None:
    """Take an event down for this reason, or, without one, reinstate it; notify its owners. Returns
    the files that are to be moved after the commit; None if the event is unknown."""
    statement = select(Event.name, Event.taken_down_at).where(Event.id == event_id)
    event = (await connection.execute(statement.with_for_update())).one_or_none()
    if event is None:
        return None
    if reason is None and event.taken_down_at is None:
        return []
    taken_down_at = None if reason is None else func.now()
    values = {"taken_down_at": taken_down_at, "taken_down_reason": reason}
    await connection.execute(
        update(Event).where(Event.id == event_id).values(**values, version=Event.version + 1)
    )
    await count_change(connection, event_id)
    owners = await connection.scalars(
        select(EventRole.user_id).where(EventRole.event_id == event_id, EventRole.role == OWNER)
    )
    title, message = _words(f"The event “{event.name[:100]}”", reason)
    for owner in owners.all():
        await _notify(connection, owner, title, message)
    act = "admin-reinstate" if reason is None else "admin-take-down"
    subject = ("event", event_id)
    await record_act(connection, act, actor=actor, subject=subject, client=client)
    return await settle_event_files(connection, event_id)


async def take_user_files_down(
    connection: AsyncConnection,
    user_id: int,
    reason: str | None,
    *,
    actor: int | None,
    client: str | None = None,
) -> list[MovingFile] | None:
    """Take all uploads of a user down for this reason, or, without one, reinstate them; notify the
    user. Returns the files that are to be moved after the commit; None if the user is unknown."""
    if await connection.scalar(select(User.id).where(User.id == user_id)) is None:
        return None
    files = await take_down_uploads(connection, user_id, reason)
    if files:
        title, message = _words(f"{len(files):,} of your uploaded files", reason)
        await _notify(connection, user_id, title, message)
    act = "admin-reinstate-files" if reason is None else "admin-take-down-files"
    subject = ("user", user_id)
    await record_act(connection, act, actor=actor, subject=subject, client=client)
    return files


def _words(what: str, reason: str | None) -> tuple[str, str]:
    if reason is None:
        return f"Reinstated: {what}", f"{what}: an operator has reinstated this."
    return (
        f"Hidden: {what}",
        f"{what}: an operator has hidden this from the public. Reason: {reason}",
    )


async def _notify(connection: AsyncConnection, user_id: int, title: str, message: str) -> None:
    values = {"user_id": user_id, "title": title, "message": message}
    await connection.execute(insert(Notification).values(values))
