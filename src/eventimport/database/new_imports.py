"""New imports: the quota for them, and their rows."""

from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from eventimport.database.models import (
    OPEN_STATUSES,
    ImportJob,
    ImportStatus,
    Task,
    TaskKind,
    User,
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """An accepted import: whose it is, how to import, and where its archive is stored (its size is
    in bytes). `trace_parent` is the span of the request, `request_id` its id in the logs."""

    id: UUID
    user_id: int
    format: str
    strict: bool
    dry_run: bool
    options: dict[str, str]
    publish: bool = False
    confirm: bool = False
    archive_storage: str
    archive_key: str
    archive_size: int
    file_name: str | None
    trace_parent: str | None
    request_id: str | None


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


async def add_import(connection: AsyncConnection, new: NewImport, quota: ImportQuota) -> None:
    """Add the import if the quota permits it. Imports of one user wait for each other here, so that
    together they keep to the quota. Raises TooManyImportsError, QueueFullError."""
    # Not stronger: the rows that refer to the user may go on being written.
    locked = select(User.id).where(User.id == new.user_id).with_for_update(key_share=True)
    await connection.execute(locked)
    await check_quota(connection, new.user_id, quota)
    async with AsyncSession(connection) as session:
        session.add(ImportJob(**asdict(new)))
        await session.flush()
