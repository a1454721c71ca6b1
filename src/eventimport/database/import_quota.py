"""How many imports there may be at once."""

from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import OPEN_STATUSES, ImportStatus, Task, TaskKind, User
from eventimport.errors import EventImportError


class TooManyImportsError(EventImportError):
    """The user has as many imports waiting and running as one user may have."""


class QueueFullError(EventImportError):
    """As many imports wait for a worker as may wait."""


@dataclass(frozen=True, slots=True)
class ImportQuota:
    """The open imports that one user may have, and the waiting ones of all users together."""

    per_user: int
    waiting: int


async def check_quota(connection: AsyncConnection, user_id: int, quota: ImportQuota) -> None:
    """Whether the quota permits one more import. A cancelled import counts until its worker has
    stopped. Raises TooManyImportsError, QueueFullError."""
    own = func.count().filter(Task.user_id == user_id)
    waiting = func.count().filter(Task.status == ImportStatus.PENDING)
    statement = select(own, waiting).where(
        or_(Task.held, Task.status.in_(OPEN_STATUSES)), Task.kind == TaskKind.IMPORT
    )
    open_imports, all_waiting = (await connection.execute(statement)).one()
    if open_imports >= quota.per_user:
        raise TooManyImportsError(f"{open_imports} imports of the user are open")
    if all_waiting >= quota.waiting:
        raise QueueFullError(f"{all_waiting} imports wait")


async def take_room(connection: AsyncConnection, user_id: int, quota: ImportQuota) -> None:
    """The same, for the transaction that adds the import: those of one user come one after another,
    so that together they keep to the quota. Raises TooManyImportsError, QueueFullError."""
    # Not stronger: the rows that refer to the user may go on being written.
    locked = select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    await connection.execute(locked)
    await check_quota(connection, user_id, quota)
