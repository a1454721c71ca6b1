"""The files that users have uploaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import ObjectRecord
from eventimport.database.objects import Unlinked, is_upload, unlink_upload


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An uploaded file; its size is in bytes. `taken_down_reason`: why it is not served."""

    id: int
    storage: str
    key: str
    size: int
    created_at: datetime
    taken_down_reason: str | None = None


_COLUMNS = (
    ObjectRecord.id,
    ObjectRecord.storage,
    ObjectRecord.key,
    ObjectRecord.size,
    ObjectRecord.created_at,
    ObjectRecord.taken_down_reason,
)


async def list_uploads(
    connection: AsyncConnection, user_id: int | None, *, limit: int, offset: int
) -> tuple[Sequence[UploadRow], int]:
    """A page of the user's uploads, newest first, and how many there are in all; of all users if
    there is no `user_id`."""
    chosen = (is_upload(), _of(user_id))
    page = (
        select(*_COLUMNS)
        .where(*chosen)
        .order_by(ObjectRecord.id.desc())
        .limit(limit)
        .offset(offset)
    )
    rows = [UploadRow(*row) for row in await connection.execute(page)]
    count = select(func.count()).select_from(ObjectRecord).where(*chosen)
    return rows, await connection.scalar(count) or 0


async def find_upload(
    connection: AsyncConnection, user_id: int | None, upload_id: int
) -> UploadRow | None:
    """One of the user's uploads."""
    statement = select(*_COLUMNS).where(is_upload(), _of(user_id), ObjectRecord.id == upload_id)
    row = (await connection.execute(statement)).one_or_none()
    return UploadRow(*row) if row is not None else None


async def delete_upload(
    connection: AsyncConnection, user_id: int | None, upload_id: int
) -> list[Unlinked] | None:
    """Delete one of the user's uploads; the file is to be deleted after the commit. None if the
    upload is unknown."""
    return await unlink_upload(connection, upload_id, _of(user_id))


def _of(user_id: int | None) -> ColumnElement[bool]:
    return true() if user_id is None else ObjectRecord.user_id == user_id
